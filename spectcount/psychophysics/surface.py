"""Threshold surfaces: the threshold of one parameter as a smooth function of another.

`SurfaceTrack` places its trials where they tell most about the whole surface and can be stopped
at any time; `fit_surface` fits trials from anywhere, a full grid for instance, in the same way.

*Conventions*: `x1` is the parameter whose threshold is sought (F = 0.5, see `psychometric`), `x2`
the one it depends on; a level is (x1, x2), in the parameters' own units. `falling`: more of x1 is
harder. `log1`, `log2`: that axis is log10. A success is a right answer or "yes"; `guess` is 1/m in
forced choice and None (free, best with catch trials) for yes/no. Everything has pointwise
intervals; a node whose threshold is not measurable is nan, says why and keeps the bounds it has.

Sources: `surface_model`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from spectcount.errors import UserError
from spectcount.psychophysics.adaptive.base import Track
from spectcount.psychophysics.measurable import (
    UNMEASURABLE,
    UNTESTED,
    rate_cautions,
)
from spectcount.psychophysics.plain import plain
from spectcount.psychophysics.psychometric import to_axis
from spectcount.psychophysics.sdt import Interval, tails
from spectcount.psychophysics.surface_model import (
    Posterior,
    SurfaceData,
    SurfaceModel,
    SurfaceOptions,
    chances,
    draw,
    posterior,
)

RULE = "posterior mean and quantiles of a Gaussian-process threshold, roughness averaged"
SEARCHED = 0.6
"""How far from the middle of x1's range, in parts of it, a threshold or its interval may lie."""
N_DRAWS = 6000
STRIDE = 10
EXPLORE = 5
"""Every so many trials one looks where nothing says that it should."""


@dataclass(frozen=True)
class Surface:
    """Threshold of x1 at `x2` [nodes], with pointwise intervals, `measurable` and `reasons` per
    node. `best_guess` is the posterior mean of every node, for pictures: where the threshold is not
    measurable it is a guess, not a result. `width` is the 5 to 95 % width of F, decades where
    log1."""

    x2: np.ndarray
    threshold: Interval
    best_guess: np.ndarray
    measurable: np.ndarray
    reasons: tuple[str, ...]
    width: Interval
    guess: Interval
    lapse: Interval
    n: int
    n_catch: int
    options: SurfaceOptions

    @property
    def reason(self) -> str:
        """The places that are not measurable, in one sentence; empty where everything is."""
        missing = int(np.sum(~self.measurable))
        if not missing:
            return ""
        first = next(reason for reason in self.reasons if reason)
        return f"{missing} of {len(self.x2)} places are not measurable; the first: {first}"

    @property
    def cautions(self) -> tuple[str, ...]:
        """Limits of the thresholds, in clauses; none where there is no threshold."""
        if not np.any(self.measurable):
            return ()
        return (*rate_cautions(self.guess, self.lapse, 1.0, 1.0), UNTESTED)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the surface, its intervals, its cautions and the options."""
        return {**plain(self), "cautions": list(self.cautions)}


def fit_surface(
    x1: ArrayLike,
    x2: ArrayLike,
    successes: ArrayLike,
    n: ArrayLike | None = None,
    *,
    options: SurfaceOptions,
    catch: tuple[int, int] = (0, 0),
) -> Surface:
    """The surface of given trials: levels and `successes` [N] out of `n` [N] (None: 1 each).

    `catch`: "yes" answers and number of catch trials, which tell a free guess rate. Raises
    `UserError` for trials that cannot be.
    """
    x1, x2, k = (np.asarray(values, float) for values in (x1, x2, successes))
    n = np.ones_like(k) if n is None else np.asarray(n, float)
    if x1.ndim != 1 or not x1.shape == x2.shape == k.shape == n.shape or not len(x1):
        raise UserError(
            f"x1, x2, successes and n of shapes {x1.shape}, {x2.shape}, {k.shape} and {n.shape} do "
            "not pair; give lists of one length, 1 or more"
        )
    if not (np.isfinite(x1).all() and np.isfinite(x2).all()):
        raise UserError("a level is nan or infinite; give finite levels")
    if not np.all((k >= 0) & (k <= n)):
        bad = np.flatnonzero(~((k >= 0) & (k <= n)))[0]
        raise UserError(f"{k[bad]:g} successes in {n[bad]:g} trials cannot be; give 0..n")
    data = _data(options, x1, x2, k, n, catch)
    return _surface(options, data, posterior(options.model, data), 0.95)


class SurfaceTrack(Track):
    """A running measurement over two parameters; see `SurfaceOptions` and `adaptive.base.Track`.

    The next level is the candidate that is expected to lower the summed variance of the threshold
    at the nodes most; every fifth looks elsewhere instead, x2 going evenly through its range, so
    that no feature is missed for long. Candidates have a seeded jitter: the
    track follows from its options and its history alone.
    """

    def __init__(self, options: SurfaceOptions) -> None:
        self.options = options
        super().__init__(2)
        self._steps: list[Posterior] = []
        self._present: tuple[int, Posterior] | None = None
        self._next: tuple[float, float] | None = None

    def suggest(self) -> tuple[float, ...]:
        if self._next is None:
            v, z = _next_place(self.options, self._now(), self.n)
            x1, x2 = self.options.x1_of(v), self.options.x2_of(z)
            self._next = float(f"{x1:.9g}"), float(f"{x2:.9g}")
        return self._next

    def update(self, x: tuple[float, ...], success: bool) -> None:
        if len(x) == 2:
            self.options.to_inner(*np.asarray(x, float))  # refuses what a log axis cannot hold
        self._add(x, success)
        self._next = None

    def catch(self, yes: bool) -> None:
        super().catch(yes)
        self._next = None

    @property
    def reason(self) -> str:
        options = self.options
        if self.n >= options.max_trials:
            return f"{self.n} trials"
        if options.half_width is None or self.n < options.nodes:
            return ""
        if np.mean(2 * self._now().sd()[: options.nodes]) > options.half_width:
            return ""  # Laplace is too sure of itself: where it is not, nothing else will be
        low, high = _draws(options, self._data, self._now(), 0.95)[1:]
        half = float(np.mean((high - low)[: options.nodes]) / 2)
        if half > options.half_width:
            return ""
        return f"intervals of ±{half:.3g} of x1's range, {self.n} trials"

    def estimate(self, level: float = 0.95) -> Surface:
        """The surface from all trials so far."""
        return _surface(self.options, self._data, self._now(), level)

    def state(self) -> dict[str, Any]:
        levels, successes = self.columns()
        surface = self.estimate()
        return plain(
            {
                "kind": "surface",
                "n": self.n,
                "finished": self.finished,
                "reason": self.reason,
                "suggestion": self.suggest(),
                "levels": levels,
                "successes": successes,
                "catch": self.catch_counts,
                "nodes": surface.x2,
                "threshold": surface.threshold.value,
                "low": surface.threshold.low,
                "high": surface.threshold.high,
                "measurable": surface.measurable,
                "bounds": (self.options.x1, self.options.x2),
                "estimate": surface,
                "options": dataclasses.asdict(self.options),
            }
        )

    @property
    def _data(self) -> SurfaceData:
        return self._data_of(len(self.answers))

    def _data_of(self, n_answers: int) -> SurfaceData:
        """The first answers as data."""
        answers = self.answers[:n_answers]
        caught = [answer.success for answer in answers if answer.is_catch]
        trials = [answer for answer in answers if not answer.is_catch]
        levels = np.array([answer.x for answer in trials], float).reshape(len(trials), 2)
        successes = np.array([answer.success for answer in trials], float)
        catch = sum(caught), len(caught)
        return _data(
            self.options, levels[:, 0], levels[:, 1], successes, np.ones(len(trials)), catch
        )

    def _now(self) -> Posterior:
        """The mixture of all answers so far. It starts from the mixture at the last multiple of
        `STRIDE` answers, so that it depends on the history but not on when it was asked for."""
        answered, model = len(self.answers), self.options.model
        if self._present is None or self._present[0] != answered:
            while len(self._steps) < answered // STRIDE:
                data = self._data_of((len(self._steps) + 1) * STRIDE)
                start = self._steps[-1] if self._steps else None
                self._steps.append(posterior(model, data, start))
            now = self._steps[-1] if self._steps else None
            if now is None or answered % STRIDE:
                now = posterior(model, self._data, now)
            self._present = answered, now
        return self._present[1]


def _data(
    options: SurfaceOptions,
    x1: np.ndarray,
    x2: np.ndarray,
    successes: np.ndarray,
    n: np.ndarray,
    catch: tuple[int, int],
) -> SurfaceData:
    v, z = options.to_inner(x1, x2)
    return SurfaceData(v, options.model.interpolation(z), successes, n, catch)


def _draws(
    options: SurfaceOptions, data: SurfaceData, mixture: Posterior, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, low and high of every parameter [P]."""
    drawn = draw(options.model, data, mixture, np.random.default_rng(options.seed), N_DRAWS)
    low, high = (drawn.quantile(p) for p in tails(level))
    return drawn.weight @ drawn.theta, low, high


def _surface(
    options: SurfaceOptions, data: SurfaceData, mixture: Posterior, level: float
) -> Surface:
    k = options.nodes
    mean, low, high = _draws(options, data, mixture, level)
    nodes = zip(mean[:k], low[:k], high[:k], strict=True)
    reasons = tuple(_why_not(options, *node) for node in nodes)
    measurable = np.array([not reason for reason in reasons])
    spread = np.diff(to_axis(np.array(options.x1), options.log1))[0]
    widths = [float(np.exp(x[k]) * spread) for x in (mean, low, high)]
    guess, lapse = _rates(options, mean, low, high, level)
    return Surface(
        x2=np.asarray(options.x2_of(options.model.z_nodes)),
        threshold=_threshold(options, measurable, mean[:k], low[:k], high[:k], level),
        best_guess=np.asarray(options.x1_of(mean[:k])),
        measurable=measurable,
        reasons=reasons,
        width=Interval(widths[0], widths[1], widths[2], level, RULE),
        guess=guess,
        lapse=lapse,
        n=int(data.n.sum()),
        n_catch=data.catch[1],
        options=options,
    )


def _threshold(
    options: SurfaceOptions,
    measurable: np.ndarray,
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    level: float,
) -> Interval:
    """In the unit of x1: nan where not measurable, ends infinite beyond the range searched."""
    value = np.where(measurable, options.x1_of(mean), np.nan)
    ends = [
        np.asarray(options.x1_of(np.where(np.abs(v) > SEARCHED, np.copysign(np.inf, v), v)))
        for v in (low, high)
    ]
    ends = ends[::-1] if options.falling else ends
    return Interval(value, ends[0], ends[1], level, RULE)


def _rates(
    options: SurfaceOptions, mean: np.ndarray, low: np.ndarray, high: np.ndarray, level: float
) -> tuple[Interval, Interval]:
    rates, place = [], options.nodes + 1
    for rate in (options.guess, options.lapse):
        if rate is not None:
            rates.append(Interval(rate, rate, rate, level, "fixed"))
            continue
        ends = [float(expit(x[place])) for x in (mean, low, high)]
        rates.append(Interval(ends[0], ends[1], ends[2], level, RULE))
        place += 1
    return rates[0], rates[1]


def _why_not(options: SurfaceOptions, value: float, low: float, high: float) -> str:
    """Why the threshold of one node is none; empty where it is one."""
    hard, easy = options.x1[::-1] if options.falling else options.x1
    if value > 0.5:
        return f"{UNMEASURABLE}: below threshold up to the easiest level, {easy:g}"
    if value < -0.5:
        return f"{UNMEASURABLE}: above threshold down to the hardest level, {hard:g}"
    sides = [
        side for side, out in (("harder", low < -SEARCHED), ("easier", high > SEARCHED)) if out
    ]
    if sides:
        return f"{UNMEASURABLE}: not bounded on the {' and the '.join(sides)} side; ask more trials"
    return ""


def _next_place(options: SurfaceOptions, now: Posterior, n: int) -> tuple[float, float]:
    """(v, z) of trial number `n`, counted from 0."""
    place = _explore if n % EXPLORE == EXPLORE - 1 else _exploit
    return place(options, now, n)


def _exploit(options: SurfaceOptions, now: Posterior, n: int) -> tuple[float, float]:
    """(v, z) of the best of a jittered grid, a new one for every trial `n`."""
    n1, n2 = options.candidates
    rng = np.random.default_rng([options.seed, n])
    i, j = np.meshgrid(np.arange(n1), np.arange(n2), indexing="ij")
    v = ((i + rng.random(i.shape)) / n1 - 0.5).ravel()
    z = np.clip((j + rng.uniform(-0.2, 1.2, j.shape)) / n2, 0, 1).ravel()
    best = variance_after(options.model, now, v, z).argmin()
    return float(v[best]), float(z[best])


def _explore(options: SurfaceOptions, now: Posterior, n: int) -> tuple[float, float]:
    """(v, z) at the next of evenly spread z, at the best v of a surface drawn at random."""
    rng = np.random.default_rng([options.seed, n])
    shift = np.random.default_rng(options.seed).random()
    z = (_van_der_corput(n // EXPLORE) + shift) % 1.0
    component = rng.choice(len(now.share), p=now.share)
    theta = rng.multivariate_normal(now.means[component], now.covariances[component])
    v = (np.arange(2 * options.candidates[0]) + rng.random()) / (2 * options.candidates[0]) - 0.5
    best = information_at(options.model, theta, v, np.full(len(v), z)).argmax()
    return float(v[best]), float(z)


def _van_der_corput(n: int) -> float:
    """The bits of `n` mirrored at the point: 0, 1/2, 1/4, 3/4, 1/8, ..."""
    return int(f"{n:b}"[::-1], 2) / 2 ** len(f"{n:b}")


def variance_after(model: SurfaceModel, now: Posterior, v: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Expected summed variance of t at the nodes after one trial at each (v, z) [n].

    For either answer every component moves by a rank-one update and changes its share by how well
    it foretold the answer; the variance is that of the whole mixture.
    """
    likely = np.flatnonzero(now.share > 0.01 * now.share.max())
    theta, covariance = now.means[likely], now.covariances[likely]
    share = now.share[likely] / now.share[likely].sum()
    k = model.nodes
    weights = model.interpolation(z)
    p, slope, argument, scale = chances(model, theta, v, weights)
    towards = np.concatenate(
        [-scale[..., None] * weights, -argument[..., None]], axis=2
    )  # of F's argument in t and log width, [H, n, k + 1]
    reach = towards @ covariance[:, : k + 1, : k + 1]
    variance = np.einsum("hnp,hnp->hn", reach, towards)
    information = slope**2 / (p * (1 - p))
    kept_share = 1 / (1 + information * variance)
    fall = information * kept_share * np.sum(reach[..., :k] ** 2, axis=2)
    within = np.trace(covariance[:, :k, :k], axis1=1, axis2=2)[:, None] - fall
    expected = np.zeros(len(v))
    for chance, score in ((p, slope / p), (1 - p, -slope / (1 - p))):
        joint = share[:, None] * chance
        moved = theta[:, None, :k] + reach[..., :k] * (score * kept_share)[..., None]
        mean = np.einsum("hn,hnk->nk", joint, moved) / joint.sum(0)[:, None]
        expected += np.sum(joint * within, axis=0)
        expected += np.einsum("hn,hnk->n", joint, (moved - mean) ** 2)
    return expected


def information_at(
    model: SurfaceModel, theta: np.ndarray, v: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """Fisher information about t(z) of one trial at each (v, z) [n], if `theta` [P] were true."""
    p, slope, _, scale = chances(model, theta[None], v, model.interpolation(z))
    return ((scale * slope) ** 2 / (p * (1 - p)))[0]
