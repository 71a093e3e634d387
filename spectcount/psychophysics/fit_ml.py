"""Maximum likelihood for psychometric functions, with bootstrap intervals.

*Conventions*: parameters are those of `fit_grid` in their order (threshold, log_width, lapse,
guess, eta = 0) on the inner, rising axis, held within the bounds where the Bayesian prior is
above 0; within them every value is equally good beforehand.

Sources: Wichmann & Hill (2001), Percept. Psychophys. 63:1293, for the bounded fit, and 63:1314
for the parametric bootstrap, taken here with percentiles.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from spectcount.psychophysics.fit_data import Counts
from spectcount.psychophysics.fit_grid import NAMES, Model
from spectcount.psychophysics.psychometric import shape

_EDGE = 1e-9


def maximise(data: Counts, model: Model, start: np.ndarray) -> np.ndarray:
    """The likeliest parameters [5] within the bounds, from `start`."""
    return _maximise(data, model, start, data.k, data.catch[0])


def bootstrap(data: Counts, model: Model, best: np.ndarray, resamples: int) -> np.ndarray:
    """Refits [resamples, 5] to data drawn from the function of `best`; seeded."""
    rng = np.random.default_rng(0)
    p = _chance(data, model.function, best)
    k = rng.binomial(data.n.astype(int), p, size=(resamples, len(p)))
    caught = rng.binomial(data.catch[1], best[3], size=resamples)
    return np.stack([
        _maximise(data, model, best, k[i].astype(float), int(caught[i])) for i in range(resamples)
    ])  # fmt: skip


def _maximise(data: Counts, model: Model, start, k, caught: int) -> np.ndarray:
    bounds = [model.bounds(data)[name] for name in NAMES]
    free = [i for i, (low, high) in enumerate(bounds) if low < high]
    scale = np.array([data.spread, 1.0, 0.05, 0.2, 1.0])

    def loss(x):
        values = start.copy()
        values[free] = x * scale[free]
        value, slope = _loss(data, model.function, values, k, caught)
        return value, slope[free] * scale[free]

    found = minimize(
        loss, start[free] / scale[free], jac=True, method="L-BFGS-B",
        bounds=[(bounds[i][0] / scale[i], bounds[i][1] / scale[i]) for i in free],
    )  # fmt: skip
    best = start.copy()
    best[free] = found.x * scale[free]
    return best


def _chance(data: Counts, function: str, values: np.ndarray) -> np.ndarray:
    threshold, log_width, lapse, guess, _ = values
    z = (data.u - threshold) / np.exp(log_width)
    return guess + (1 - guess - lapse) * shape(function).cdf(z)


def _loss(data: Counts, function: str, values, k, caught: int) -> tuple[float, np.ndarray]:
    """Minus the log likelihood, and its slope along each parameter."""
    threshold, log_width, lapse, guess, _ = values
    width = np.exp(log_width)
    z = (data.u - threshold) / width
    f = shape(function).cdf(z)
    steep = (1 - guess - lapse) * shape(function).density(z)
    p = np.clip(guess + (1 - guess - lapse) * f, _EDGE, 1 - _EDGE)
    pull = k / p - (data.n - k) / (1 - p)
    g = np.clip(guess, _EDGE, 1 - _EDGE)
    n_catch = data.catch[1]
    value = np.sum(k * np.log(p) + (data.n - k) * np.log1p(-p))
    value += caught * np.log(g) + (n_catch - caught) * np.log1p(-g)
    slope = np.array([
        -np.sum(pull * steep) / width,
        -np.sum(pull * steep * z),
        -np.sum(pull * f),
        np.sum(pull * (1 - f)) + caught / g - (n_catch - caught) / (1 - g),
        0.0,
    ])  # fmt: skip
    return -float(value), -slope
