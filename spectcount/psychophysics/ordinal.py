"""Ordered categories of a score, seen through a Gaussian of unknown scale: the engine of `graded`.

Catch trials fall below the cut c_k with the chance Phi(c_k), signal trials at level u with
Phi(c_k - d'(u)), d'(u) = top / (1 + exp(-slope (u - midpoint))). Only the order of the scores
matters, so that any monotone distortion (skew, saturation, clipping) leaves the fit as it is; two
categories are the yes/no model with a criterion.

*Conventions*: `u` runs over the tested range scaled to -0.5..0.5, larger is easier. The fit
maximises the likelihood times weak priors: `PRIORS` on the curve, and one more catch trial spread
evenly over the categories (with two of them, the log-linear rule for false alarms).

Sources: Dorfman & Alf (1969), J. Math. Psychol. 6:487, for ratings; Metz, Herman & Shen (1998),
Stat. Med. 17:1033, for continuous scores grouped into categories; Huber (1967), Proc. 5th Berkeley
Symp. 1:221, for the covariance where the model is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr, ndtri
from scipy.stats import chi2

PRIORS = {"midpoint": (0.0, 1.0), "log_slope": (math.log(12.0), 1.1), "log_top": (math.log(3), 0.7)}
"""Mean and standard deviation; a slope of 12 spreads 5 % to 95 % over half of the tested range."""
_MAX_STEPS = 100
_TOLERANCE = 1e-6
_SHORTEST = 1e-4
_LARGEST_LOG = 12.0
_GROUPS = 6
_LEAST_EXPECTED = 1.0
PRIOR_MEANS, PRIOR_SDS = (np.array(column) for column in zip(*PRIORS.values(), strict=True))

CurveTerms = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""d' [n], its derivatives [n, P], prior residuals [3], theirs [3, P]."""
Curve = Callable[[np.ndarray, np.ndarray], CurveTerms]
"""A curve d'(u) of parameters [P] at u [n]."""


@dataclass(frozen=True)
class Ratings:
    """Signal trials as rows of equal level and category, with their number; catch trials per
    category, pseudo-trial included."""

    u: np.ndarray
    category: np.ndarray
    weight: np.ndarray
    catch: np.ndarray

    @property
    def n_categories(self) -> int:
        return len(self.catch)


@dataclass(frozen=True)
class Solution:
    """Penalised log-likelihood at its maximum, all parameters, cuts first, and the curvature."""

    log_likelihood: float
    parameters: np.ndarray
    curvature: np.ndarray
    n_cuts: int

    @property
    def curve(self) -> np.ndarray:
        return self.parameters[self.n_cuts :]

    @property
    def curve_covariance(self) -> np.ndarray:
        covariance = np.linalg.pinv(self.curvature, hermitian=True)
        return covariance[self.n_cuts :, self.n_cuts :]


def categorise(
    signal: np.ndarray, catch: np.ndarray, n_categories: int
) -> tuple[np.ndarray, np.ndarray]:
    """Categories 0.. of both sets of scores, cut where they hold equal shares of an even mixture
    of the two; equal scores are never parted, and no category is empty."""
    pooled = np.concatenate([signal, catch])
    weight = np.repeat([0.5 / len(signal), 0.5 / len(catch)], [len(signal), len(catch)])
    different, places = np.unique(pooled, return_inverse=True)
    edges = different[:-1]
    if len(different) > n_categories:
        share = np.cumsum(np.bincount(places, weights=weight))
        wanted = np.arange(1, n_categories) / n_categories
        edges = np.unique(different[np.searchsorted(share, wanted)])
        edges = edges[edges < different[-1]] if edges[0] < different[-1] else different[-2:-1]
    _, category = np.unique(np.searchsorted(edges, pooled, side="left"), return_inverse=True)
    return category[: len(signal)], category[len(signal) :]


def ratings(u: np.ndarray, signal: np.ndarray, catch: np.ndarray, n_categories: int) -> Ratings:
    """Scores of signal trials at `u` and of catch trials, grouped."""
    of_signal, of_catch = categorise(signal, catch, n_categories)
    n = 1 + max(of_signal.max(), of_catch.max())
    rows, weight = np.unique(np.stack([u, of_signal], axis=1), axis=0, return_counts=True)
    counts = np.bincount(of_catch, minlength=n) + 1 / n
    return Ratings(rows[:, 0], rows[:, 1].astype(int), weight.astype(float), counts)


def free_curve(parameters: np.ndarray, u: np.ndarray) -> CurveTerms:
    """d'(u) of (midpoint, log slope, log top)."""
    midpoint, slope, top = parameters[0], np.exp(parameters[1]), np.exp(parameters[2])
    rise = expit(slope * (u - midpoint))
    bend = top * rise * (1 - rise) * slope
    derivatives = np.stack([-bend, bend * (u - midpoint), top * rise], axis=1)
    return top * rise, derivatives, (parameters - PRIOR_MEANS) / PRIOR_SDS, np.diag(1 / PRIOR_SDS)


def curve_through(u0: float, d_prime: float) -> Curve:
    """d'(u) of (log slope, log(top - d_prime)) that passes d'(u0) = d_prime."""

    def curve(parameters: np.ndarray, u: np.ndarray) -> CurveTerms:
        slope, above = np.exp(parameters)
        top, offset = d_prime + above, math.log(d_prime) - parameters[1]
        rise = expit(slope * (u - u0) + offset)
        bend = top * rise * (1 - rise)
        derivatives = np.stack([bend * slope * (u - u0), above * rise - bend], axis=1)
        implied = np.array([u0 - offset / slope, parameters[0], math.log(top)])
        back = np.array([[offset / slope, 1 / slope], [1.0, 0.0], [0.0, above / top]])
        return (
            top * rise,
            derivatives,
            (implied - PRIOR_MEANS) / PRIOR_SDS,
            back / PRIOR_SDS[:, None],
        )

    return curve


def fit_free(data: Ratings) -> Solution:
    """The best curve, from three starts."""
    smooth = data.catch + 0.5
    cuts = ndtri(np.cumsum(smooth)[:-1] / smooth.sum())
    fits = [
        maximise(data, free_curve, np.concatenate([cuts, [midpoint], PRIOR_MEANS[1:]]), 3)
        for midpoint in (-0.25, 0.0, 0.25)
    ]
    return max(fits, key=lambda solution: solution.log_likelihood)


def start_through(best: Solution, d_prime: float) -> np.ndarray:
    """Parameters from which to look for a curve that passes `d_prime` somewhere else."""
    above = math.exp(best.curve[2]) - d_prime
    above = max(above, 1e-4) if above > 0 else 0.1
    return np.concatenate([best.parameters[: best.n_cuts], [best.curve[1], math.log(above)]])


def misfit(data: Ratings, best: Solution) -> float:
    """Chance of a Pearson chi-square this large if the model were right: the catch trials and up
    to `_GROUPS` groups of levels, by up to `_GROUPS` groups of categories; nan for fewer than 3."""
    n = data.n_categories
    if n < 3:
        return math.nan
    d = np.append(free_curve(best.curve, data.u)[0], 0.0)
    edges = np.concatenate([[-np.inf], best.parameters[: best.n_cuts], [np.inf]])
    n_trials = np.append(data.weight, data.catch.sum())
    expected = np.diff(ndtr(edges[None] - d[:, None]), axis=1) * n_trials[:, None]
    observed = np.zeros_like(expected)
    observed[np.arange(len(data.u)), data.category] = data.weight
    observed[-1] = data.catch
    rows = _equal_groups(data.u, data.weight)
    rows, columns = np.append(rows, rows.max() + 1), _equal_groups(np.arange(n), observed.sum(0))
    expected, observed = (_grouped(_grouped(t, rows).T, columns) for t in (expected, observed))
    usable = expected > _LEAST_EXPECTED
    freedom = usable.sum() - len(usable[0]) - (len(usable) - 1) - len(PRIORS)
    if freedom < 1:
        return math.nan
    statistic = np.sum((observed - expected)[usable] ** 2 / expected[usable])
    return float(chi2.sf(statistic, freedom))


def _equal_groups(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Group 0.. of each value, groups holding about equal weight, equal values together."""
    _, places = np.unique(values, return_inverse=True)
    share = np.cumsum(np.bincount(places, weights=weight)) / weight.sum()
    group = np.minimum((share - 1e-9) * _GROUPS, _GROUPS - 1).astype(int)
    return np.unique(group, return_inverse=True)[1][places]


def _grouped(table: np.ndarray, groups: np.ndarray) -> np.ndarray:
    out = np.zeros((groups.max() + 1, table.shape[1]))
    np.add.at(out, groups, table)
    return out


def maximise(data: Ratings, curve: Curve, start: np.ndarray, n_curve: int) -> Solution:
    """Gauss-Newton with step halving from `start` (cuts, then curve parameters)."""
    theta, n_cuts = start, len(start) - n_curve
    value, gradient, curvature = _objective(data, curve, theta, n_cuts)
    for _ in range(_MAX_STEPS):
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(theta)), gradient)
        if gradient @ step < _TOLERANCE:
            break
        scale = _longest(theta, step, n_cuts)
        while scale > _SHORTEST:
            trial = theta + scale * step
            trial[n_cuts:] = np.clip(trial[n_cuts:], -_LARGEST_LOG, _LARGEST_LOG)
            attempt = _objective(data, curve, trial, n_cuts)
            if attempt[0] > value:
                break
            scale /= 4
        else:
            break
        gain, theta, (value, gradient, curvature) = attempt[0] - value, trial, attempt
        if gain < _TOLERANCE:
            break
    return Solution(value, theta, curvature, n_cuts)


def _longest(theta: np.ndarray, step: np.ndarray, n_cuts: int) -> float:
    """Longest share of the step that keeps the cuts in order and no parameter leaping."""
    gaps, closing = np.diff(theta[:n_cuts]), -np.diff(step[:n_cuts])
    ratio = np.where(closing > 0, 0.9 * gaps / np.where(closing > 0, closing, 1), 1.0)
    return float(min(1.0, 2.0 / np.abs(step).max(), ratio.min(initial=1.0)))


def robust_covariance(data: Ratings, best: Solution) -> np.ndarray:
    """Covariance of the curve parameters that holds where the scores are not Gaussian too: the
    sandwich of the curvature and the scatter of the trials' own slopes (Huber 1967)."""
    parts = _parts(data, free_curve, best.parameters, best.n_cuts)
    of_trial = np.einsum("srp,sr->rp", parts.jacobian, parts.slopes)
    scatter = (of_trial.T * parts.weight) @ of_trial
    inverse = np.linalg.pinv(best.curvature, hermitian=True)
    return (inverse @ scatter @ inverse)[best.n_cuts :, best.n_cuts :]


@dataclass(frozen=True)
class _Parts:
    """Rows of signal trials, then of catch trials: `weight` [R], log p `value` [R], its `slopes`
    [2, R] and `bends` [2, 2, R] in the two cuts around it, theirs in all parameters [2, R, P]."""

    weight: np.ndarray
    value: np.ndarray
    slopes: np.ndarray
    bends: np.ndarray
    jacobian: np.ndarray
    residuals: np.ndarray
    back: np.ndarray


def _parts(data: Ratings, curve: Curve, theta: np.ndarray, n_cuts: int) -> _Parts:
    d, derivatives, residuals, back = curve(theta[n_cuts:], data.u)
    n_rows, n = len(d), data.n_categories
    mean = np.concatenate([d, np.zeros(n)])
    category = np.concatenate([data.category, np.arange(n)])
    edges = np.concatenate([[-np.inf], theta[:n_cuts], [np.inf]])
    value, slopes, bends = _interval_terms(edges[category], edges[category + 1], mean)
    jacobian = np.zeros((2, len(mean), len(theta)))
    for side in (0, 1):
        row = np.flatnonzero((category + side >= 1) & (category + side <= n_cuts))
        jacobian[side, row, category[row] + side - 1] = 1
        jacobian[side, :n_rows, n_cuts:] = -derivatives
    weight = np.concatenate([data.weight, data.catch])
    return _Parts(weight, value, slopes, bends, jacobian, residuals, back)


def _objective(
    data: Ratings, curve: Curve, theta: np.ndarray, n_cuts: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Penalised log-likelihood, its gradient and its (positive semi-definite) curvature."""
    parts = _parts(data, curve, theta, n_cuts)
    size, rows = len(theta), len(parts.weight)
    if not np.isfinite(parts.value).all():
        return -np.inf, np.zeros(size), np.eye(size)
    gradient = np.einsum("srp,sr->p", parts.jacobian, parts.slopes * parts.weight)
    flat = parts.jacobian.reshape(2 * rows, size)
    bent = np.einsum("str,trp->srp", parts.bends * parts.weight, parts.jacobian)
    gradient[n_cuts:] -= parts.back.T @ parts.residuals
    curvature = flat.T @ bent.reshape(2 * rows, size)
    curvature[n_cuts:, n_cuts:] += parts.back.T @ parts.back
    value = parts.weight @ parts.value - parts.residuals @ parts.residuals / 2
    return float(value), gradient, curvature


def _interval_terms(
    low: np.ndarray, high: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log p of a Gaussian value between two edges, its slopes [2, n] in them, and minus its second
    derivatives [2, 2, n]."""
    a, b = low - mean, high - mean
    flip = a > 0
    p = np.where(flip, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        value = np.log(p)
        at_a, at_b = (np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) / p for x in (a, b))
        pull_a, pull_b = (np.where(np.isinf(x), 0.0, x * y) for x, y in ((a, at_a), (b, at_b)))
    slopes = np.stack([-at_a, at_b])
    bends = np.array([[at_a**2 - pull_a, -at_a * at_b], [-at_a * at_b, at_b**2 + pull_b]])
    return value, slopes, bends
