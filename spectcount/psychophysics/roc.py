"""The ROC of graded scores and the slope of its z-ROC, within cells and wordings.

Only the order of the scores matters. After a monotone stretch catch trials are Gaussian with sd 1,
signal trials of cell k Gaussian with mean d_k and sd sigma, d_k Gaussian over the cells; then
z(H) = (d + z(F)) / sigma in every cell. The *slope* 1/sigma is 1 where variances are equal; where
it is not, d' from answers depends on where the criterion lies. Pooling unlike cells would flatten
the z-ROC of a listener of equal variance, which is why cells have means of their own here.

*Conventions*: scores [n], labels as in `stratified`; words and backgrounds may shift all scores.

Sources: Dorfman & Alf (1969), J. Math. Psychol. 6:487, for maximum likelihood of the binormal model
from ratings; Metz, Herman & Shen (1998), Stat. Med. 17:1033, for scores grouped into categories;
Macmillan & Creelman (2005), Detection Theory, chapter 3, for the slope.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, ndtr, ndtri
from scipy.stats import rankdata

from spectcount.psychophysics.ordinal import categorise
from spectcount.psychophysics.sdt import Interval
from spectcount.psychophysics.stratified import WITHIN, Labels

BINORMAL = f"binormal maximum likelihood {WITHIN} (Dorfman & Alf 1969), Wald interval of log slope"
LEAST_TRIALS = 20
"""Signal trials, and catch trials, from which on a slope is sought."""
_CATEGORIES = 12
_PER_CATEGORY = 5
_NODES = np.linspace(-4, 4, 121)
_ROUNDS = 20
_LARGEST_ERROR = 0.5
"""Standard error of the log slope beyond which it is not measurable."""
_SLOPE, _MEAN, _SPREAD = -3, -2, -1
"""Places of log sigma, mean d and log sd of d among the parameters, cuts first."""
_BOUNDS = {_SLOPE: (-2.0, 2.0), _MEAN: (-12.0, 16.0), _SPREAD: (math.log(0.03), math.log(6))}


@dataclass(frozen=True)
class Roc:
    """`false_alarms`, `hits` [points]: the empirical ROC, hits averaged over the cells; `slope` of
    the z-ROC of a cell, unbounded where the scores do not tell it; `mean` and `spread` (sd) of
    d over the cells, in units of the catch trials' sd."""

    slope: Interval
    mean: float
    spread: float
    false_alarms: np.ndarray
    hits: np.ndarray
    n_signal: int
    n_catch: int
    n_cells: int

    @property
    def measurable(self) -> bool:
        """True where the scores tell a slope."""
        return math.isfinite(self.slope.low) and math.isfinite(self.slope.high)

    @property
    def unequal(self) -> bool:
        """True where the slope's interval excludes 1."""
        return self.measurable and not self.slope.low <= 1 <= self.slope.high

    @property
    def words(self) -> str:
        """The slope with its interval, or that there is none."""
        if not self.measurable:
            return "z-ROC slope not measurable: signal and catch scores hardly overlap"
        return f"z-ROC slope {self.slope} at {100 * self.slope.level:g} %"

    @property
    def caution(self) -> str:
        """That equal variance misleads; empty where the slope may be 1."""
        if not self.unequal:
            return ""
        wider = "signal" if self.slope.value < 1 else "catch"
        return (
            f"equal variance misleads: {self.words} excludes 1 (scores of {wider} trials scatter "
            "more), so that d' and c from the answers depend on where the criterion lies; go by d_a"
        )

    def z_hit_rate(self, z_false_alarm: np.ndarray, one_cell: bool = True) -> np.ndarray:
        """The fitted z-ROC of a cell of mean d, or of all cells together."""
        sigma = 1 / self.slope.value
        width = sigma if one_cell else math.hypot(sigma, self.spread)
        return np.asarray((self.mean + z_false_alarm) / width)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; what is not measurable is None, with the reason in `words`."""
        slope: Mapping[str, Any] = {k: getattr(self.slope, k) for k in ("value", "low", "high")}
        known = {k: float(v) if self.measurable else None for k, v in slope.items()}
        return {
            "slope": {**known, "level": self.slope.level, "rule": self.slope.rule},
            "words": self.words,
            "unequal_variance": self.unequal,
            "mean": self.mean if self.measurable else None,
            "spread": self.spread if self.measurable else None,
            "false_alarms": self.false_alarms.tolist(),
            "hits": self.hits.tolist(),
        }


def roc(signal: Any, catch: Any, labels: Labels, level: float = 0.95) -> Roc | None:
    """The ROC of scores [n_signal] and [n_catch]; None with fewer than `LEAST_TRIALS` of either."""
    signal, catch = np.asarray(signal, float), np.asarray(catch, float)
    if min(len(signal), len(catch)) < LEAST_TRIALS:
        return None
    signal, catch = _unshifted(signal, catch, labels)
    n = min(_CATEGORIES, max(4, min(len(signal), len(catch)) // _PER_CATEGORY))
    of_signal, of_catch = categorise(signal, catch, n)
    n = 1 + max(of_signal.max(), of_catch.max())
    _, cells = np.unique(labels.cells, return_inverse=True)
    counts = np.zeros((cells.max() + 1, n))
    np.add.at(counts, (cells, of_signal), 1)
    data = _Ratings(counts, np.bincount(of_catch, minlength=n).astype(float))
    slope, mean, spread = _fitted(data, level)
    alarms, hits = _above(data.catch), _above(data.signal.sum(axis=0))
    return Roc(slope, mean, spread, alarms, hits, len(signal), len(catch), len(counts))


def _above(counts: np.ndarray) -> np.ndarray:
    """Share of trials above each cut [K-1], the strictest first."""
    return np.asarray(np.cumsum(counts[::-1])[:-1] / counts.sum())


def _unshifted(
    signal: np.ndarray, catch: np.ndarray, labels: Labels
) -> tuple[np.ndarray, np.ndarray]:
    """Normal scores of all ranks, less what words and backgrounds add to them, estimated beside
    each cell's mean."""
    scores = np.concatenate([signal, catch])
    scores = ndtri((rankdata(scores) - 0.5) / len(scores))
    listed = [(labels.words, labels.catch_words), (labels.backgrounds, labels.catch_backgrounds)]
    cells = np.concatenate([labels.cells + 1, np.zeros(len(catch), int)])
    shifts = [np.concatenate(both) for both in listed]
    shifts = [x for x in shifts if 1 < len(np.unique(x)) <= len(x) / 4]
    groups = [cells, *shifts]
    sizes = [np.maximum(np.bincount(g), 1) for g in groups]
    effects = [np.zeros(len(scores)) for _ in groups]
    for _ in range(_ROUNDS if shifts else 0):
        for k, (group, size) in enumerate(zip(groups, sizes, strict=True)):
            rest = scores - sum(e for i, e in enumerate(effects) if i != k)
            effects[k] = (np.bincount(group, rest) / size)[group]
    left = scores - sum(effects[1:], np.zeros(len(scores)))
    return left[: len(signal)], left[len(signal) :]


@dataclass(frozen=True)
class _Ratings:
    """Counts per category: of signal trials [cells, K], of catch trials [K]."""

    signal: np.ndarray
    catch: np.ndarray

    def start(self) -> np.ndarray:
        """Cuts as the catch trials have them (the first, then logs of gaps), equal variance."""
        share = (np.cumsum(self.catch)[:-1] + 0.5) / (self.catch.sum() + 1)
        cuts = ndtri(share) + np.arange(len(share)) * 0.02
        middle = np.average(np.arange(len(self.catch)), weights=self.signal.sum(axis=0))
        mean = float(np.interp(middle, np.arange(len(cuts)), cuts))
        return np.array([cuts[0], *np.log(np.maximum(np.diff(cuts), 0.02)), 0.0, mean, 0.0])

    def loss(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the log-likelihood, d integrated over the cells, and its gradient."""
        gaps = np.exp(theta[1:_SLOPE])
        cuts = theta[0] + np.concatenate([[0.0], np.cumsum(gaps)])
        sigma, spread = math.exp(theta[_SLOPE]), math.exp(theta[_SPREAD])
        nodes = _NODES if len(self.signal) > 1 else np.zeros(1)
        prior = -(nodes**2) / 2 - logsumexp(-(nodes**2) / 2)
        z = (cuts - (theta[_MEAN] + spread * nodes)[:, None]) / sigma
        p, density = _shares(z)
        joint = self.signal @ np.log(p).T + prior
        of_cell = logsumexp(joint, axis=1)
        expected = np.exp(joint - of_cell[:, None]).T @ self.signal / p
        pull = density * (expected[:, :-1] - expected[:, 1:])
        p_catch, density_catch = _shares(cuts[None])
        ratio = self.catch / p_catch[0]
        at_cuts = pull.sum(axis=0) / sigma + density_catch[0] * (ratio[:-1] - ratio[1:])
        of_nodes = -pull.sum(axis=1) / sigma
        later = np.cumsum(at_cuts[::-1])[::-1]
        gradient = np.array(
            [
                later[0],
                *(gaps * later[1:]),
                -np.sum(pull * z),
                of_nodes.sum(),
                spread * (of_nodes @ nodes),
            ]
        )
        value = of_cell.sum() + self.catch @ np.log(p_catch[0])
        return -float(value), -gradient


def _shares(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chances of the categories [rows, K] between cuts z [rows, K-1], and the density at them."""
    ends = np.pad(z, ((0, 0), (1, 1)), constant_values=((0, 0), (-np.inf, np.inf)))
    low, high = ends[:, :-1], ends[:, 1:]
    p = np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
    return np.maximum(p, 1e-200), np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def _fitted(data: _Ratings, level: float) -> tuple[Interval, float, float]:
    """Slope with its interval, mean and sd of d over the cells."""
    start = data.start()
    size = len(start)
    bounds = [(-9.0, 9.0), *[(-6.0, 2.5)] * (size - 4), *_BOUNDS.values()]
    clipped = np.clip(start, *np.array(bounds).T)
    climb = minimize(data.loss, clipped, jac=True, method="L-BFGS-B", bounds=bounds)
    n = min(data.signal.sum(), data.catch.sum())
    # The cuts come from the same trials, as a regression's mean does: n / (n - cuts).
    error = _error(data, climb.x, np.array(bounds)) * math.sqrt(n / (n - len(data.catch)))
    theta = climb.x
    spread = math.exp(theta[_SPREAD]) if len(data.signal) > 1 else 0.0
    slope, half = math.exp(-theta[_SLOPE]), float(ndtri((1 + level) / 2)) * error
    if not error <= _LARGEST_ERROR:
        return Interval(slope, 0.0, math.inf, level, BINORMAL), float(theta[_MEAN]), spread
    ends = slope * math.exp(-half), slope * math.exp(half)
    return Interval(slope, *ends, level, BINORMAL), float(theta[_MEAN]), spread


def _error(data: _Ratings, theta: np.ndarray, bounds: np.ndarray) -> float:
    """Standard error of log sigma from the curvature in what is not at a bound; nan where there is
    none."""
    inside = (theta > bounds[:, 0] + 1e-4) & (theta < bounds[:, 1] - 1e-4)
    if len(data.signal) == 1:
        inside[_SPREAD] = False
    if not inside[_SLOPE]:
        return math.nan
    free = np.flatnonzero(inside)
    step = 1e-4
    curvature = np.array(
        [
            (data.loss(theta + step * unit)[1] - data.loss(theta - step * unit)[1])[free]
            / (2 * step)
            for unit in np.eye(len(theta))[free]
        ]
    )
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    if values[0] <= 1e-8:
        return math.nan
    place = int(np.flatnonzero(free == len(theta) + _SLOPE)[0])
    return math.sqrt(float(np.sum(vectors[place] ** 2 / values)))
