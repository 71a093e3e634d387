"""Thresholds from graded scores, log p(yes) - log p(no): the level at which d' reaches a value.

Three estimators of one thing, the level where d'(x) = `d_prime`, d' growing with the level from 0
to a ceiling:

- `fit_scores`: scores are Gaussian with equal spread after some monotone distortion, which need
  not be known: only their order is used (see `ordinal`). The most precise where that holds;
  `misfit_p` says whether it does.
- `auc_threshold`: the AUC of each level's scores against the catch trials', whatever their
  distributions (see `placements`); d' is then d_a = sqrt 2 z(AUC). For models that hear
  all or nothing, so that scores pile up at two ends.
- `fit_answers`: yes/no answers alone, with a criterion, for comparison: d' = z(H) - z(F).

For Gaussian scores of equal spread the three agree. For others they do not: d' from answers then
depends on where the criterion lies, d_a does not.

*Conventions*: one trial per element; `is_signal` marks signal trials, the level of a catch trial
is ignored. `falling`: larger levels are harder. `log`: d' is a function of log10(level). `u` runs
from -0.5, the hardest tested level, to 0.5, the easiest; a threshold is sought in the tested range
and a tenth of it on both sides. It is not measurable where only one level was tested, where all
scores are equal, where the estimate lies outside the tested range, or where its interval leaves the
range that is searched. Then it is nan, says why and keeps the bounds that the trials do give; where
they give none, a bound is infinite (0 below on a log axis).

Sources: as `ordinal` and `placements`; profile likelihood intervals as in Venzon & Moolgavkar
(1988), Appl. Stat. 37:87.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import chi2

from spectcount.errors import UserError
from spectcount.psychophysics import ordinal
from spectcount.psychophysics.measurable import UNMEASURABLE
from spectcount.psychophysics.placements import resampled_curves
from spectcount.psychophysics.plain import plain
from spectcount.psychophysics.psychometric import from_axis, to_axis
from spectcount.psychophysics.sdt import Interval, tails
from spectcount.records import NOT_STORED

SCORES = "ordinal Gaussian scores, profile likelihood"
ANSWERS = "yes/no with a criterion, profile likelihood"
AREA = "AUC of placements (Dodd & Pepe 2003), percentile bootstrap of trials"
N_CATEGORIES = 20
"""Into how many categories scores are grouped at most; fewer lose precision."""
SEARCHED = 0.6
"""How far from the middle of the tested range a threshold, or an end of its interval, may lie."""
N_CURVE = 33
_NEAR = 5e-4

DrawnCurve = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""d' at u [n] with the ends of its pointwise interval, [n] each."""


@dataclass(frozen=True)
class Axis:
    """The tested range, and levels to `u` and back."""

    low: float
    high: float
    log: bool
    falling: bool

    def to_u(self, x: ArrayLike) -> np.ndarray:
        ends = to_axis(np.array([self.low, self.high]), self.log)
        spread = ends[1] - ends[0] or 1.0
        u = (to_axis(x, self.log) - ends.mean()) / spread
        return -u if self.falling else u

    def to_level(self, u: ArrayLike) -> Any:
        ends = to_axis(np.array([self.low, self.high]), self.log)
        u = -np.asarray(u) if self.falling else np.asarray(u)
        return from_axis(ends.mean() + u * (ends[1] - ends[0] or 1.0), self.log)

    @property
    def hardest(self) -> float:
        return self.high if self.falling else self.low

    @property
    def easiest(self) -> float:
        return self.low if self.falling else self.high


@dataclass(frozen=True)
class GradedTrials:
    """Signal trials at `u` with their scores, the scores of the catch trials, and what is sought:
    d' = `target`. `blocked`: why no threshold can be in such trials."""

    u: np.ndarray
    signal: np.ndarray
    catch: np.ndarray
    axis: Axis
    target: float
    level: float
    blocked: str = ""

    def why_not(self, u: float, ends: tuple[float, float], d_at_ends: tuple[float, float]) -> str:
        """Why a threshold at `u` with an interval `ends` is none; empty where it is one.
        `d_at_ends`: d' at the hardest and the easiest tested level."""
        if self.blocked:
            return self.blocked
        axis = self.axis
        if u > 0.5:
            return (
                f"{UNMEASURABLE}: d' stays below {self.target:.3g} over the tested range (it comes "
                f"to {d_at_ends[1]:.2g} at {axis.easiest:g}); test easier levels"
            )
        if u < -0.5:
            return (
                f"{UNMEASURABLE}: d' is {d_at_ends[0]:.2g} at the hardest level tested, "
                f"{axis.hardest:g}, above {self.target:.3g}; test harder levels"
            )
        open_sides = [
            side for side, end in zip(("harder", "easier"), ends, strict=True) if math.isinf(end)
        ]
        if open_sides:
            return (
                f"{UNMEASURABLE}: the trials do not bound the level of d' = {self.target:.3g} on "
                f"the {' and the '.join(open_sides)} side; ask more trials or test a wider range"
            )
        return ""

    def to_levels(self, u: float, ends: tuple[float, float]) -> tuple[float, float, float]:
        """Value, low and high as levels; low below high also on a falling axis."""
        value, first, last = (float(self.axis.to_level(v)) for v in (u, *ends))
        return (value, last, first) if self.axis.falling else (value, first, last)


@dataclass(frozen=True)
class ScoreFit:
    """The threshold at `d_prime`, and what else the trials say. `max_d_prime` is the ceiling of
    d'(x); `misfit_p` is the chance of so bad a fit if the model were right (nan where not tested).
    """

    threshold: Interval
    measurable: bool
    reason: str
    d_prime: float
    max_d_prime: float
    n_signal: int
    n_catch: int
    tested: tuple[float, float]
    log: bool
    falling: bool
    rule: str
    misfit_p: float = math.nan
    curve: DrawnCurve | None = field(default=None, repr=False, compare=False, metadata=NOT_STORED)
    axis: Axis | None = field(default=None, repr=False, compare=False, metadata=NOT_STORED)

    def d_prime_at(self, x: ArrayLike) -> Interval:
        """d'(x) with its pointwise interval; nan and unbounded where nothing could be fitted."""
        level = self.threshold.level
        if self.curve is None or self.axis is None:
            x = np.zeros(np.shape(x))
            return Interval(x + math.nan, x - math.inf, x + math.inf, level, self.rule)
        u = np.atleast_1d(self.axis.to_u(x))
        value, low, high = (np.reshape(v, np.shape(x)) for v in self.curve(u))
        ends = [float(v) if np.ndim(x) == 0 else v for v in (value, low, high)]
        return Interval(ends[0], ends[1], ends[2], level, self.rule)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with d'(x) at `N_CURVE` levels over the tested range."""
        known = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        ends = to_axis(self.tested, self.log)
        levels = from_axis(np.linspace(ends[0], ends[1], N_CURVE), self.log)
        known = {k: v for k, v in known.items() if k not in ("curve", "axis")}
        return plain({**known, "levels": levels, "d_prime_at": self.d_prime_at(levels)})


def fit_scores(
    levels: ArrayLike,
    scores: ArrayLike,
    is_signal: ArrayLike,
    *,
    d_prime: float = 1.0,
    level: float = 0.95,
    log: bool = False,
    falling: bool = False,
) -> ScoreFit:
    """Threshold from graded scores, Gaussian of equal spread after any monotone distortion.

    `levels`, `scores`, `is_signal` [n]. Raises `UserError` without signal or catch trials, for
    scores that are nan and for levels that do not fit the axis.
    """
    trials = _trials(levels, scores, is_signal, d_prime, level, log, falling)
    return _fit_ordinal(trials, N_CATEGORIES, SCORES)


def fit_answers(
    levels: ArrayLike,
    said_yes: ArrayLike,
    is_signal: ArrayLike,
    *,
    d_prime: float = 1.0,
    level: float = 0.95,
    log: bool = False,
    falling: bool = False,
) -> ScoreFit:
    """Threshold from yes/no answers: equal-variance Gaussian with one criterion for all trials.

    `said_yes` [n] holds 0 and 1. The same fit as `fit_scores` with two categories.
    """
    yes = np.asarray(said_yes, float)
    if not np.isin(yes, (0, 1)).all():
        wrong = yes[~np.isin(yes, (0, 1))][0]
        raise UserError(f"an answer of {wrong:g} is neither no nor yes; give 0 or 1")
    return _fit_ordinal(_trials(levels, yes, is_signal, d_prime, level, log, falling), 2, ANSWERS)


def auc_threshold(
    levels: ArrayLike,
    scores: ArrayLike,
    is_signal: ArrayLike,
    *,
    auc: float = 0.76,
    level: float = 0.95,
    log: bool = False,
    falling: bool = False,
    n_resamples: int = 500,
    seed: int = 0,
) -> ScoreFit:
    """Threshold where the AUC against the catch trials reaches `auc` (0.76: d_a = 1).

    No distribution is assumed; the interval resamples trials. Raises `UserError` as `fit_scores`.
    """
    if not 0.5 < auc < 1:
        raise UserError(f"auc={auc} is no target; give one between 0.5 (chance) and 1")
    target = float(math.sqrt(2) * ndtri(auc))
    trials = _trials(levels, scores, is_signal, target, level, log, falling)
    if trials.blocked:
        return _result(trials, AREA)
    rng = np.random.default_rng(seed)
    drawn = resampled_curves(trials.u, trials.signal, trials.catch, rng, n_resamples)
    crossings = _crossings(drawn, target)
    inside = np.where(np.abs(crossings) > SEARCHED, np.copysign(np.inf, crossings), crossings)
    low, high = np.quantile(inside[1:], tails(trials.level), method="inverted_cdf")
    ends = min(float(low), SEARCHED), max(float(high), -SEARCHED)
    return _result(trials, AREA, drawn[0], ends, _drawn_curve(drawn, tails(trials.level)))


def _result(
    trials: GradedTrials,
    rule: str,
    parameters: np.ndarray | None = None,
    ends: tuple[float, float] = (-math.inf, math.inf),
    curve: DrawnCurve | None = None,
    misfit_p: float = math.nan,
) -> ScoreFit:
    """The fit with the curve of `parameters`, and in words whether it holds a threshold."""
    u, top, at_ends = math.nan, math.nan, (math.nan, math.nan)
    if parameters is not None:
        u = float(_crossings(parameters[None], trials.target)[0])
        top = float(np.exp(parameters[2]))
        hardest, easiest = ordinal.free_curve(parameters, np.array([-0.5, 0.5]))[0]
        at_ends = float(hardest), float(easiest)
    reason = trials.why_not(u, ends, at_ends)
    value, low, high = trials.to_levels(u, ends)
    axis = trials.axis
    return ScoreFit(
        threshold=Interval(math.nan if reason else value, low, high, trials.level, rule),
        measurable=not reason,
        reason=reason,
        d_prime=trials.target,
        max_d_prime=top,
        n_signal=len(trials.signal),
        n_catch=len(trials.catch),
        tested=(axis.low, axis.high),
        log=axis.log,
        falling=axis.falling,
        rule=rule,
        misfit_p=misfit_p,
        curve=curve,
        axis=axis,
    )


def _fit_ordinal(trials: GradedTrials, n_categories: int, rule: str) -> ScoreFit:
    if trials.blocked:
        return _result(trials, rule)
    data = ordinal.ratings(trials.u, trials.signal, trials.catch, n_categories)
    best = ordinal.fit_free(data)
    excess = _excess_variance(data, best, trials.target)
    ends = _profile_ends(data, best, trials.target, excess * float(chi2.ppf(trials.level, 1)))
    curve = _smooth_curve(best, math.sqrt(excess) * float(ndtri((1 + trials.level) / 2)))
    return _result(trials, rule, best.curve, ends, curve, ordinal.misfit(data, best))


def _profile_ends(
    data: ordinal.Ratings, best: ordinal.Solution, target: float, limit: float
) -> tuple[float, float]:
    """Where the profile deviance of "d'(u) = target" reaches `limit`; infinite where it does not
    within the range searched."""
    middle = float(np.clip(_crossings(best.curve[None], target)[0], -SEARCHED, SEARCHED))
    starts = {middle: ordinal.start_through(best, target)}

    def excess(u: float) -> float:  # of the root, which is nearly straight in u
        nearest = min(starts, key=lambda known: abs(known - u))
        solution = ordinal.maximise(data, ordinal.curve_through(u, target), starts[nearest], 2)
        starts[u] = solution.parameters
        deviance = 2 * (best.log_likelihood - solution.log_likelihood)
        return math.sqrt(max(deviance, 0.0)) - math.sqrt(limit)

    if abs(middle) == SEARCHED and excess(middle) > 0:
        return (middle, math.inf) if middle > 0 else (-math.inf, middle)
    low, high = -math.inf, math.inf
    if middle > -SEARCHED and excess(-SEARCHED) > 0:
        low = brentq(excess, -SEARCHED, middle, xtol=_NEAR)
    if middle < SEARCHED and excess(SEARCHED) > 0:
        high = brentq(excess, middle, SEARCHED, xtol=_NEAR)
    return low, high


def _excess_variance(data: ordinal.Ratings, best: ordinal.Solution, target: float) -> float:
    """By how much the threshold varies more than Gaussian scores would make it; 1 at least. Where
    the curve stays below `target` it is that of d' at the easiest level."""
    slope, share = math.exp(best.curve[1]), target / math.exp(best.curve[2])
    if share < 1:
        reach = math.log(share / (1 - share)) / slope
        slopes = np.array([1.0, -reach, -1 / (1 - share) / slope])
    else:
        slopes = ordinal.free_curve(best.curve, np.array([0.5]))[1][0]
    robust = slopes @ ordinal.robust_covariance(data, best) @ slopes
    return max(1.0, float(robust / (slopes @ best.curve_covariance @ slopes)))


def _crossings(parameters: np.ndarray, target: float) -> np.ndarray:
    """u where d'(u) = target, per row of parameters; inf where the ceiling is below."""
    midpoint, log_slope, log_top = parameters.T
    share = target * np.exp(-log_top)
    with np.errstate(invalid="ignore", divide="ignore"):
        crossing = midpoint + np.log(share / (1 - share)) / np.exp(log_slope)
    return np.where(share < 1, crossing, np.inf)


def _smooth_curve(best: ordinal.Solution, z: float) -> DrawnCurve:
    """d'(u) with an interval from the curvature at the maximum."""

    def curve(u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        d, derivatives, _, _ = ordinal.free_curve(best.curve, u)
        variance = np.einsum("np,pq,nq->n", derivatives, best.curve_covariance, derivatives)
        half = z * np.sqrt(variance)
        return d, np.maximum(d - half, 0), d + half

    return curve


def _drawn_curve(drawn: np.ndarray, ends: tuple[float, float]) -> DrawnCurve:
    """d'(u) with an interval from resampled curves."""

    def curve(u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        all_d = np.stack([ordinal.free_curve(row, u)[0] for row in drawn])
        low, high = np.quantile(all_d[1:], ends, axis=0)
        return all_d[0], low, high

    return curve


def _trials(
    levels: ArrayLike,
    scores: ArrayLike,
    is_signal: ArrayLike,
    d_prime: float,
    level: float,
    log: bool,
    falling: bool,
) -> GradedTrials:
    """Checked trials; arrays [n]. Raises `UserError` for what cannot be trials."""
    x, s, signal = np.asarray(levels, float), np.asarray(scores, float), np.asarray(is_signal)
    if x.ndim != 1 or x.shape != s.shape or x.shape != signal.shape:
        raise UserError(
            f"levels, scores and is_signal of shapes {x.shape}, {s.shape} and {signal.shape} do "
            "not pair; give three lists of one length"
        )
    if not np.isin(signal, (0, 1)).all():
        raise UserError("is_signal must hold True (signal trial) or False (catch trial) only")
    signal = signal.astype(bool)
    _refuse(x[signal], s, signal, log)
    if not (math.isfinite(d_prime) and d_prime > 0):
        raise UserError(f"d_prime={d_prime} is no target; give one above 0")
    tails(level)  # refuses what is no confidence level
    axis = Axis(float(x[signal].min()), float(x[signal].max()), log, falling)
    blocked = _blocked(axis, s)
    return GradedTrials(axis.to_u(x[signal]), s[signal], s[~signal], axis, d_prime, level, blocked)


def _refuse(x: np.ndarray, s: np.ndarray, signal: np.ndarray, log: bool) -> None:
    for n, what in ((signal.sum(), "signal"), ((~signal).sum(), "catch")):
        if n == 0:
            raise UserError(
                f"0 {what} trials of {len(signal)}: d' compares signal with catch trials; give at "
                f"least 1 {what} trial"
            )
    if np.isnan(s).any():
        raise UserError(
            f"{np.isnan(s).sum()} of {len(s)} scores are nan; leave those trials out, and say so"
        )
    if not np.isfinite(x).all():
        raise UserError(f"a level of {x[~np.isfinite(x)][0]} is none; give finite levels")
    if log and x.min() <= 0:
        raise UserError(f"level {x.min():g} has no logarithm; give levels above 0, or log=False")


def _blocked(axis: Axis, scores: np.ndarray) -> str:
    if np.all(scores == scores[0]):
        return f"{UNMEASURABLE}: every trial has the score {scores[0]:g}; nothing tells them apart"
    if axis.low == axis.high:
        return f"{UNMEASURABLE}: only the level {axis.low:g} was tested; test 2 or more"
    return ""
