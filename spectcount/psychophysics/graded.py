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
is ignored. `falling`: larger levels are harder. `log`: d' is a function of log10(level). A result
that is not measurable is nan, says why (the rules: `graded_trials`) and keeps the bounds that the
trials do give; where they give none, a bound is infinite (0 below on a log axis).

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
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import chi2

from spectcount.errors import UserError
from spectcount.psychophysics import ordinal
from spectcount.psychophysics.graded_trials import SEARCHED, Axis, GradedTrials, graded_trials
from spectcount.psychophysics.placements import resampled_curves
from spectcount.psychophysics.plain import plain
from spectcount.psychophysics.psychometric import from_axis, to_axis
from spectcount.psychophysics.sdt import Interval

SCORES = "ordinal Gaussian scores, profile likelihood"
ANSWERS = "yes/no with a criterion, profile likelihood"
AREA = "AUC of placements (Dodd & Pepe 2003), percentile bootstrap of trials"
N_CATEGORIES = 20
N_CURVE = 33
_NEAR = 5e-4


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
    curve: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]] | None = field(
        default=None, repr=False, compare=False
    )
    axis: Axis | None = field(default=None, repr=False, compare=False)

    def d_prime_at(self, x) -> Interval:
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
        kept = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        ends = to_axis(self.tested, self.log)
        levels = from_axis(np.linspace(ends[0], ends[1], N_CURVE), self.log)
        known = {k: v for k, v in kept.items() if k not in ("curve", "axis")}
        return plain({**known, "levels": levels, "d_prime_at": self.d_prime_at(levels)})


def fit_scores(
    levels, scores, is_signal, *, d_prime: float = 1.0, level: float = 0.95, log: bool = False,
    falling: bool = False, n_categories: int = N_CATEGORIES,
) -> ScoreFit:  # fmt: skip
    """Threshold from graded scores, Gaussian of equal spread after any monotone distortion.

    `levels`, `scores`, `is_signal` [n]. Raises `UserError` without signal or catch trials, for
    scores that are nan and for levels that do not fit the axis. `n_categories`: into how many
    categories scores are grouped at most; fewer lose precision.
    """
    if n_categories < 2:
        raise UserError(f"n_categories={n_categories} tell nothing apart; give 2 or more")
    trials = graded_trials(levels, scores, is_signal, d_prime, level, log, falling)
    return _fit_ordinal(trials, n_categories, SCORES)


def fit_answers(
    levels, said_yes, is_signal, *, d_prime: float = 1.0, level: float = 0.95, log: bool = False,
    falling: bool = False,
) -> ScoreFit:  # fmt: skip
    """Threshold from yes/no answers: equal-variance Gaussian with one criterion for all trials.

    `said_yes` [n] holds 0 and 1. The same fit as `fit_scores` with two categories.
    """
    said = np.asarray(said_yes, float)
    if not np.isin(said, (0, 1)).all():
        wrong = said[~np.isin(said, (0, 1))][0]
        raise UserError(f"an answer of {wrong:g} is neither no nor yes; give 0 or 1")
    return _fit_ordinal(
        graded_trials(levels, said, is_signal, d_prime, level, log, falling), 2, ANSWERS
    )


def auc_threshold(
    levels, scores, is_signal, *, auc: float = 0.76, level: float = 0.95, log: bool = False,
    falling: bool = False, n_resamples: int = 500, seed: int = 0,
) -> ScoreFit:  # fmt: skip
    """Threshold where the AUC against the catch trials reaches `auc` (0.76: d_a = 1).

    No distribution is assumed; the interval resamples trials. Raises `UserError` as `fit_scores`.
    """
    if not 0.5 < auc < 1:
        raise UserError(f"auc={auc} is no target; give one between 0.5 (chance) and 1")
    target = float(math.sqrt(2) * ndtri(auc))
    trials = graded_trials(levels, scores, is_signal, target, level, log, falling)
    if trials.blocked:
        return _result(trials, AREA)
    rng = np.random.default_rng(seed)
    drawn = resampled_curves(trials.u, trials.signal, trials.catch, rng, n_resamples)
    crossings = _crossings(drawn, target)
    inside = np.where(np.abs(crossings) > SEARCHED, np.copysign(np.inf, crossings), crossings)
    low, high = np.quantile(inside[1:], trials.tails, method="inverted_cdf")
    ends = min(float(low), SEARCHED), max(float(high), -SEARCHED)
    return _result(trials, AREA, drawn[0], ends, _drawn_curve(drawn, trials.tails))


def _result(
    trials: GradedTrials, rule: str, parameters: np.ndarray | None = None,
    ends: tuple[float, float] = (-math.inf, math.inf), curve=None, misfit_p: float = math.nan,
) -> ScoreFit:  # fmt: skip
    """The fit with the curve of `parameters`, and in words whether it holds a threshold."""
    u, top, at_ends = math.nan, math.nan, (math.nan, math.nan)
    if parameters is not None:
        u = float(_crossings(parameters[None], trials.target)[0])
        top = float(np.exp(parameters[2]))
        at_ends = ordinal.free_curve(parameters, np.array([-0.5, 0.5]))[0]
    reason = trials.why_not(u, ends, at_ends)
    value, low, high = trials.to_levels(u, ends)
    axis = trials.axis
    return ScoreFit(
        threshold=Interval(math.nan if reason else value, low, high, trials.level, rule),
        measurable=not reason, reason=reason, d_prime=trials.target, max_d_prime=top,
        n_signal=len(trials.signal), n_catch=len(trials.catch), tested=(axis.low, axis.high),
        log=axis.log, falling=axis.falling, rule=rule, misfit_p=misfit_p, curve=curve, axis=axis,
    )  # fmt: skip


def _fit_ordinal(trials: GradedTrials, n_categories: int, rule: str) -> ScoreFit:
    if trials.blocked:
        return _result(trials, rule)
    data = ordinal.ratings(trials.u, trials.signal, trials.catch, n_categories)
    best = ordinal.fit_free(data)
    excess = _excess_variance(data, best, trials.target)
    ends = _profile_ends(data, best, trials.target, excess * float(chi2.ppf(trials.level, 1)))
    curve = _smooth_curve(best, math.sqrt(excess) * float(ndtri((1 + trials.level) / 2)))
    return _result(trials, rule, best.curve, ends, curve, ordinal.misfit(data, best))


def _profile_ends(data: ordinal.Ratings, best: ordinal.Solution, target: float, limit: float):
    """Where the profile deviance of "d'(u) = target" reaches `limit`; infinite where it does not
    within the range searched."""
    middle = float(np.clip(_crossings(best.curve[None], target)[0], -SEARCHED, SEARCHED))
    starts = {middle: ordinal.start_through(best, target)}

    def excess(u: float) -> float:  # of the root, which is nearly straight in u
        nearest = min(starts, key=lambda known: abs(known - u))
        found = ordinal.maximise(data, ordinal.curve_through(u, target), starts[nearest], 2)
        starts[u] = found.parameters
        deviance = 2 * (best.log_likelihood - found.log_likelihood)
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


def _smooth_curve(best, z: float):
    """d'(u) with an interval from the curvature at the maximum."""

    def curve(u: np.ndarray):
        d, derivatives, _, _ = ordinal.free_curve(best.curve, u)
        variance = np.einsum("np,pq,nq->n", derivatives, best.curve_covariance, derivatives)
        half = z * np.sqrt(variance)
        return d, np.maximum(d - half, 0), d + half

    return curve


def _drawn_curve(drawn: np.ndarray, tails):
    """d'(u) with an interval from resampled curves."""

    def curve(u: np.ndarray):
        all_d = np.stack([ordinal.free_curve(row, u)[0] for row in drawn])
        low, high = np.quantile(all_d[1:], tails, axis=0)
        return all_d[0], low, high

    return curve
