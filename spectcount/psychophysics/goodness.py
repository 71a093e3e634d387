"""Goodness of fit of a function to counts: deviance, its chance, overdispersion.

*Conventions*: `k`, `n` and `p` are successes, trials and fitted chances per level [n_levels]. The
deviance is 2 (log likelihood of the rates seen - log likelihood of the fit).

Sources: Wichmann & Hill (2001), Percept. Psychophys. 63:1293: the deviance is compared with those
of data drawn from the fitted function itself, since its chi-square limit is poor at the few trials
per level of an experiment. The drawn data are not fitted again, so that the chance errs on the
high side: a small one is a warning to take seriously. Levels of few trials, the rule after a track
that chose its own, are pooled with their neighbours first, and what is drawn are answers at the
very levels that were presented, so that the chance means the same for adaptive data. Schuett et
al. (2016), Vision Res. 122:105, for the beta-binomial overdispersion eta.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, xlogy

from spectcount.psychophysics.fit_grid import ETA_MAX, ETA_SHAPE
from spectcount.psychophysics.sdt import Interval, tails

_DRAWS = 2000
LEAST = 8
"""Trials of a level that is not pooled with its neighbour."""
_ETA_NODES = 400
_EDGE = 1e-9


def deviance(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> Any:
    """Deviance of counts [..., n_levels] from chances [n_levels]."""
    k, n = np.asarray(k, float), np.asarray(n, float)
    p = np.clip(p, _EDGE, 1 - _EDGE)
    seen = k / n
    terms = xlogy(k, seen) + xlogy(n - k, 1 - seen) - xlogy(k, p) - xlogy(n - k, 1 - p)
    return 2 * terms.sum(axis=-1)


def goodness_p(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> float:
    """Chance of a deviance as large as that of the counts, if the function is true; seeded."""
    rng = np.random.default_rng(0)
    n, p = np.asarray(n).astype(int), np.clip(p, _EDGE, 1 - _EDGE)
    group = _groups(n)
    at = (group[:, None] == np.arange(group[-1] + 1)).astype(float)
    total = n @ at
    mean = (n * p) @ at / total
    drawn = deviance(rng.binomial(n, p, size=(_DRAWS, len(n))) @ at, total, mean)
    extreme = np.count_nonzero(drawn >= deviance(np.asarray(k) @ at, total, mean) - 1e-9)
    return (extreme + 1) / (_DRAWS + 1)


def _groups(n: np.ndarray) -> np.ndarray:
    """Group of each level: neighbours together until they hold `LEAST` trials; what is left over
    at the end joins the last group."""
    group, current, held = np.zeros(len(n), int), 0, 0
    for i, trials in enumerate(n):
        group[i] = current
        held += trials
        if held >= LEAST:
            current, held = current + 1, 0
    return np.minimum(group, max(current - 1, 0)) if held else group


def overdispersion(k: np.ndarray, n: np.ndarray, p: np.ndarray, level: float = 0.95) -> Interval:
    """The posterior mean of eta under its Beta(1, 10) prior, with an equal-tailed interval, the
    chances taken as known. 0: the counts vary as binomials do. Levels of one trial tell nothing."""
    eta = (np.arange(_ETA_NODES) + 0.5) / _ETA_NODES * ETA_MAX
    nu = (1 / eta**2 - 1)[:, None]
    p = np.clip(p, _EDGE, 1 - _EDGE)
    a, b = p * nu, (1 - p) * nu
    log_density = np.sum(betaln(k + a, n - k + b) - betaln(a, b), axis=1)
    log_density += (ETA_SHAPE - 1) * np.log1p(-eta)
    mass = np.exp(log_density - log_density.max())
    below = np.cumsum(mass) / mass.sum()
    low, high = np.interp(tails(level), below, eta)
    rule = "beta-binomial about the fitted function, equal-tailed posterior interval"
    return Interval(float(mass @ eta / mass.sum()), float(low), float(high), level, rule)
