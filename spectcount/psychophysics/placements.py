"""The AUC as a smooth function of the level, for any distribution of scores: part of `graded`.

The placement of a signal score is the share of catch scores below it, ties 1/2; its mean at a level
is that level's AUC. The curve AUC(u) = Phi(d_a(u) / sqrt 2), d_a saturating as in `ordinal`, is
fitted to all placements at once by the binomial quasi-likelihood. Nothing is assumed about the
scores within a level, and levels need not repeat. Intervals come from resampling trials, signal
trials with their levels and catch trials apart.

*Conventions*: `u` as in `ordinal`. Sets of resampled trials are rows of weights, and all of them
are fitted together: parameters [R, 3] are midpoint, log slope, log top.

Source: Dodd & Pepe (2003), J. Am. Stat. Assoc. 98:409, for regression of the AUC.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit, log_ndtr

from spectcount.psychophysics.ordinal import PRIOR_MEANS, PRIOR_SDS

_STEPS = 40
_LONGEST = 1.0
_LARGEST = 12.0
_CONVERGED = 1e-4


def placements(signal: np.ndarray, catch: np.ndarray, catch_weights: np.ndarray) -> np.ndarray:
    """Share of weighted catch scores below each signal score, ties 1/2, [R, n_signal]."""
    different, places = np.unique(catch, return_inverse=True)
    weights = np.zeros((len(catch_weights), len(different)))
    np.add.at(weights.T, places, catch_weights.T)
    below = np.cumsum(np.pad(weights, ((0, 0), (1, 0))), axis=1)
    first = np.searchsorted(different, signal, side="left")
    last = np.searchsorted(different, signal, side="right")
    return (below[:, first] + below[:, last]) / 2 / below[:, -1:]


def resampled_curves(
    u: np.ndarray, signal: np.ndarray, catch: np.ndarray, rng: np.random.Generator, n_resamples: int
) -> np.ndarray:
    """Parameters of the trials themselves in row 0, then of resampled trials, [1 + R, 3].

    Each resampling has prior means of its own, drawn from the priors: where the trials leave a
    parameter open (a step between two levels, say), so do the intervals.
    """
    n_s, n_c = len(signal), len(catch)
    levels, places = np.unique(u, return_inverse=True)
    at_level = (places[:, None] == np.arange(len(levels))).astype(float)
    weights = rng.multinomial(n_s, np.full(n_s, 1 / n_s), n_resamples).astype(float)
    weights = np.concatenate([np.ones((1, n_s)), weights])
    of_catch = rng.multinomial(n_c, np.full(n_c, 1 / n_c), n_resamples).astype(float)
    placed = placements(signal, catch, np.concatenate([np.ones((1, n_c)), of_catch]))
    shifts = rng.normal(size=(1 + n_resamples, len(PRIOR_MEANS)))
    shifts[0] = 0
    return fit_curves(levels, (weights * placed) @ at_level, weights @ at_level, shifts)


def fit_curves(u: np.ndarray, hits: np.ndarray, n: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Best parameters [R, 3] for summed placements `hits` and trials `n` [R, L] at levels `u` [L];
    `shifts` [R, 3] move the prior means, in their standard deviations. Three starts for row 0, from
    whose solution the others start."""

    def climb(rows: slice, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _climb(u, hits[rows], n[rows], shifts[rows], start)

    first = [climb(slice(0, 1), np.array([[m, *PRIOR_MEANS[1:]]])) for m in (-0.25, 0.0, 0.25)]
    best = max(first, key=lambda fitted: fitted[1][0])[0]
    if len(hits) == 1:
        return best
    rest = climb(slice(1, None), np.tile(best, (len(hits) - 1, 1)))[0]
    return np.concatenate([best, rest])


def _climb(
    u: np.ndarray, hits: np.ndarray, n: np.ndarray, shifts: np.ndarray, parameters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Newton on every row, a step being shortened where it does not help; parameters and
    the values they reach."""
    value, gradient, curvature = _terms(u, hits, n, shifts, parameters)
    scale = np.ones(len(parameters))
    for _ in range(_STEPS):
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        step *= np.minimum(1, _LONGEST / np.maximum(np.abs(step).max(1), 1e-12))[:, None]
        trial = np.clip(parameters + scale[:, None] * step, -_LARGEST, _LARGEST)
        new = _terms(u, hits, n, shifts, trial)
        better = new[0] >= value
        scale = np.where(better, np.minimum(1, scale * 2), scale / 4)
        moved = np.abs(trial - parameters).max()
        parameters = np.where(better[:, None], trial, parameters)
        value = np.where(better, new[0], value)
        gradient = np.where(better[:, None], new[1], gradient)
        curvature = np.where(better[:, None, None], new[2], curvature)
        if moved < _CONVERGED:
            break
    return parameters, value


def _terms(
    u: np.ndarray, hits: np.ndarray, n: np.ndarray, shifts: np.ndarray, parameters: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Penalised quasi-likelihood [R], gradient [R, 3] and curvature [R, 3, 3]."""
    midpoint, log_slope, log_top = parameters.T[..., None]
    slope, top = np.exp(log_slope), np.exp(log_top)
    rise = expit(slope * (u - midpoint))
    bend = top * rise * (1 - rise) * slope
    derivatives = np.stack([-bend, bend * (u - midpoint), top * rise], axis=1)
    z = top * rise / math.sqrt(2)
    right, wrong = log_ndtr(z), log_ndtr(-z)
    log_density = -(z**2) / 2 - math.log(2 * math.pi) / 2
    up, down = np.exp(log_density - right), np.exp(log_density - wrong)
    slopes = (hits * up - (n - hits) * down) / math.sqrt(2)
    bent = derivatives * (n * up * down / 2)[:, None]
    residuals = (parameters - PRIOR_MEANS) / PRIOR_SDS - shifts
    value = np.sum(hits * right + (n - hits) * wrong, axis=1) - (residuals**2).sum(1) / 2
    gradient = (derivatives @ slopes[..., None])[..., 0] - residuals / PRIOR_SDS
    curvature = bent @ derivatives.transpose(0, 2, 1) + np.diag(1 / PRIOR_SDS**2)
    return value, gradient, curvature
