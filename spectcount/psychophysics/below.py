"""Is a listener below a criterion? One-sided tests of many places at once, with the estimates whose
intervals agree with them.

*Conventions*: arrays [G] run over places (cells, windows of cells, regions), [K] over strata. The
null hypothesis is "at the criterion or better", so a small p says "below". The signal trials of a
place may be unlike each other: the null of each is the criterion. `strata` number backgrounds,
wordings and orders of the options: a criterion that moves with the words leaves sensitivity
within them as it is, so signal and catch trials meet within strata only. `distance` is how far a
d' of 1 moves the means of the scores apart, in standard deviations: 1 in yes/no tasks, sqrt 2 in
forced choice.

*By scores*: the area under the ROC within strata, whose mean and variance under equal-variance
Gaussians of the criterion's d' are known (Hanley & McNeil 1982, Radiology 143:29, with the chance
that two of three values are in order exact); its distribution is a beta distribution with these
moments, for the area is bounded. *By answers*: the number of hits against the binomial
distribution at the criterion's d', false-alarm rates by stratum averaged over their posterior
(strata are a sample of a normal distribution whose mean and spread are unknown). *By rate*: exact
binomial.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import bdtr, betainc, ndtr, ndtri, owens_t, xlogy
from scipy.stats import norm

from spectcount.psychophysics.sdt import Interval, exceeded

BY_SCORES = "area under the ROC of graded scores within wordings and orders"
BY_ANSWERS = "hits against false alarms within wordings and orders"
GRADED_TIES = 0.02
"""Scores are graded where no larger share of signal and catch trials is tied."""
LEAST_CATCH = 3
"""With fewer catch trials in a stratum of signal trials, wordings and orders are not kept apart."""
SPAN = (-3.0, 8.0)
"""Where d' is looked for."""
_DRAWS = 512
_Z = np.linspace(-5.0, 5.0, 81)
_MEANS = np.linspace(-4.0, 4.0, 33)
_SPREADS = np.array([0.02, 0.15, 0.3, 0.5, 0.8, 1.2, 1.8])
_MEAN_SD = 1.5


@dataclass(frozen=True)
class Said:
    """Answers to trials of one role: `yes` [n] whether the first answer was given, `scores` [n],
    `background` [n] and `words` [n] (wording and order) by number, `place` [n]."""

    yes: np.ndarray
    scores: np.ndarray
    background: np.ndarray
    words: np.ndarray
    place: np.ndarray

    @property
    def strata(self) -> np.ndarray:
        """Background and words as one complex number."""
        return self.background + 1j * self.words


@dataclass(frozen=True)
class Places:
    """Sufficient counts of `G` places: signal trials `n` [G, K], the sum of their areas `area` [G]
    and `hits` [G]; catch trials `m` [K] and false alarms `alarms` [K] by stratum."""

    n: np.ndarray
    area: np.ndarray
    hits: np.ndarray
    m: np.ndarray
    alarms: np.ndarray
    graded: bool
    distance: float = 1.0

    @classmethod
    def of(cls, signal: Said, catch: Said, n_places: int, distance: float = 1.0) -> Places:
        """From all trials; signal trials of a background without catch trials do not count."""
        of_signal, of_catch = strata_of(signal, catch)
        k = int(max(of_signal.max(initial=-1), of_catch.max(initial=-1))) + 1
        m = np.bincount(of_catch, minlength=k)
        n, area = np.zeros((n_places, k), int), np.zeros(n_places)
        held = m[of_signal] > 0 if len(of_signal) else np.zeros(0, bool)
        np.add.at(n, (signal.place[held], of_signal[held]), 1)
        for stratum in range(k):
            here = held & (of_signal == stratum)
            other = catch.scores[of_catch == stratum]
            above = exceeded(signal.scores[here], other) / max(len(other), 1)
            np.add.at(area, signal.place[here], above)
        hits = np.bincount(signal.place[held], signal.yes[held], n_places).astype(int)
        alarms = np.bincount(of_catch, catch.yes, k).astype(int)
        scored = graded(signal.scores, catch.scores)
        return cls(n, area, hits, m, alarms, scored, distance)

    def together(self, members: np.ndarray) -> Places:
        """Several places as one: `members` [M, G] are 0 or 1."""
        w = members.astype(int)
        return Places(
            w @ self.n,
            w @ self.area,
            w @ self.hits,
            self.m,
            self.alarms,
            self.graded,
            self.distance,
        )

    @property
    def total(self) -> np.ndarray:
        """Signal trials [G]."""
        return np.asarray(self.n.sum(axis=1))

    @property
    def rule(self) -> str:
        """Source of d' in words."""
        return BY_SCORES if self.graded else BY_ANSWERS

    def tails(self, d_prime: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Chances [G], at a d' (one, or one per place), of what was measured or less, and of that
        or more; nan without trials."""
        with np.errstate(invalid="ignore", divide="ignore"):
            low, high = self._by_scores(d_prime) if self.graded else self._by_answers(d_prime)
        known = self.total > 0
        return np.where(known, low, np.nan), np.where(known, high, np.nan)

    def d_prime(self, place: int, level: float = 0.95) -> Interval:
        """d' at which what was measured in a place is the median, and the interval that the
        one-sided tests do not reject; an end outside `SPAN` is unbounded."""
        here, tested = self.together(np.eye(len(self.n))[[place]]), (1 - level) / 2

        def tails(d: float) -> tuple[float, float]:
            low, high = here.tails(d)
            return float(low[0]), float(high[0])

        return Interval(
            _root(lambda d: tails(d)[0] - tails(d)[1]),
            _root(lambda d: tested - tails(d)[1]),
            _root(lambda d: tails(d)[0] - tested),
            level,
            self.rule,
        )

    def rough_d_prime(self) -> np.ndarray:
        """d' [G] without an interval, to put places in an order."""
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.graded:
                return np.sqrt(2) * ndtri(self.area / self.total) / self.distance
            alarms = self.n @ ((self.alarms + 0.5) / (self.m + 1)) / self.total
            return (ndtri((self.hits + 0.5) / (self.total + 1)) - ndtri(alarms)) / self.distance

    def _by_scores(self, d_prime: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        mean, variance = area_moments(np.asarray(d_prime) * self.distance, self.n, self.m)
        size = np.maximum(mean * (1 - mean) / variance - 1, 1e-9)
        area = self.area / self.total
        half = 0.5 / (self.n @ self.m)
        shape = mean * size, (1 - mean) * size
        low, high = (np.clip(area + side * half, 0, 1) for side in (1, -1))
        return betainc(*shape, low), 1 - betainc(*shape, high)

    def _by_answers(self, d_prime: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        z = false_alarm_draws(tuple(self.alarms.tolist()), tuple(self.m.tolist()))
        limit = np.broadcast_to(np.asarray(d_prime, float) * self.distance, self.total.shape)
        if len(limit) and np.ptp(limit) == 0:
            chance = ndtr(z + limit[0]) @ self.n.T / self.total
        else:
            chance = np.stack(
                [ndtr(z + d) @ n / max(n.sum(), 1) for d, n in zip(limit, self.n, strict=True)], 1
            )
        low = bdtr(self.hits, self.total, chance).mean(axis=0)
        below = bdtr(np.maximum(self.hits - 1, 0), self.total, chance).mean(axis=0)
        return low, np.where(self.hits > 0, 1 - below, 1.0)


def rate_p(k: ArrayLike, n: ArrayLike, limit: float) -> np.ndarray:
    """p of "the rate is `limit` or more" for `k` of `n`; nan without trials."""
    k, n = np.asarray(k), np.asarray(n)
    return np.where(n > 0, bdtr(k, np.maximum(n, 1), limit), np.nan)


def graded(signal: np.ndarray, catch: np.ndarray) -> bool:
    """True where scores tell more than two answers do: hardly any signal and catch trial are
    tied."""
    values, counts = np.unique(catch, return_counts=True)
    if len(values) < 2 or not len(signal):
        return False
    place = np.clip(np.searchsorted(values, signal), 0, len(values) - 1)
    ties = counts[place] * (values[place] == signal)
    return bool(ties.sum() / (len(signal) * len(catch)) <= GRADED_TIES)


def strata_of(signal: Said, catch: Said) -> tuple[np.ndarray, np.ndarray]:
    """Strata, by number, of signal and of catch trials: backgrounds, wordings and orders; of
    backgrounds alone where a stratum of signal trials would have too few catch trials."""
    for signal_keys, catch_keys in (
        (signal.strata, catch.strata),
        (signal.background, catch.background),
    ):
        keys, index = np.unique(np.concatenate([signal_keys, catch_keys]), return_inverse=True)
        of_signal, of_catch = index[: len(signal_keys)], index[len(signal_keys) :]
        counts = np.bincount(of_catch, minlength=len(keys))
        if np.all(counts[of_signal] >= LEAST_CATCH):
            break
    return of_signal, of_catch


def area_moments(
    separation: ArrayLike, n: np.ndarray, m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance [G] of the area within strata of `n` [G, K] signal and `m` [K] catch
    trials, for equal-variance Gaussians `separation` standard deviations apart."""
    h = np.asarray(separation, float) / np.sqrt(2)
    mean = ndtr(h)
    both = mean - 2 * owens_t(h, np.sqrt(1 / 3))
    m = np.maximum(m, 1)
    total = n.sum(axis=1)
    shared = (n * (n - 1) / m).sum(axis=1) * (both - mean**2)
    spread = (n / m).sum(axis=1) * mean * (1 - mean)
    spread = spread + (n * (m - 1) / m).sum(axis=1) * (both - mean**2)
    return mean, (spread + shared) / total**2


@functools.lru_cache(maxsize=64)
def false_alarm_draws(alarms: tuple[int, ...], m: tuple[int, ...]) -> np.ndarray:
    """Draws [512, K] of z(false-alarm rate) from the posterior, strata being a sample of a normal
    distribution of unknown mean and spread."""
    k, n = np.array(alarms)[:, None], np.array(m)[:, None]
    fit = xlogy(k, ndtr(_Z)) + xlogy(n - k, ndtr(-_Z))
    likelihood = np.exp(fit - fit.max(axis=1, keepdims=True))
    densities = norm.pdf(_Z, _MEANS[:, None, None], _SPREADS[:, None])
    prior = densities / np.maximum(densities.sum(axis=-1, keepdims=True), 1e-300)
    evidence = np.log(np.maximum(prior @ likelihood.T, 1e-300)).sum(axis=-1)
    weight = np.exp(evidence - evidence.max()) * norm.pdf(_MEANS, 0, _MEAN_SD)[:, None]
    rng = np.random.default_rng(0)
    drawn = rng.choice(weight.size, _DRAWS, p=(weight / weight.sum()).ravel())
    priors = prior.reshape(weight.size, len(_Z))[drawn]
    curves = (priors[:, None, :] * likelihood).cumsum(axis=-1)
    u = rng.random((_DRAWS, len(alarms), 1)) * curves[..., -1:]
    cell = np.minimum((curves < u).sum(axis=-1), len(_Z) - 1)
    return _Z[cell] + (rng.random(cell.shape) - 0.5) * (_Z[1] - _Z[0])


def _root(falling: Callable[[float], float]) -> float:
    low, high = (falling(d) for d in SPAN)
    if not np.isfinite(low + high):
        return float("nan")
    if low <= 0:
        return -np.inf
    return np.inf if high >= 0 else float(brentq(falling, *SPAN, xtol=1e-3))


def area_change_p(before: Places, after: Places, correlation: float = 0.0) -> np.ndarray:
    """Two-sided p [G] of "the area did not change" for places whose graded trials two listeners
    answered: the difference over its standard error at the mean of both areas, half a trial added,
    `correlation` being that of their areas. nan without trials."""
    total = np.maximum(before.total, 1)
    areas = before.area / total, after.area / total
    variance = _area_variance((areas[0] + areas[1]) / 2, before.n, before.m, 2 * total)
    error = np.sqrt(2 * variance * (1 - correlation))
    p = 2 * ndtr(-np.abs(areas[1] - areas[0]) / error)
    return np.where(before.total > 0, p, np.nan)


def _area_variance(
    area: np.ndarray, n: np.ndarray, m: np.ndarray, trials: np.ndarray
) -> np.ndarray:
    mean = (area * trials + 0.5) / (trials + 1)
    return area_moments(np.sqrt(2) * ndtri(mean), n, m)[1]
