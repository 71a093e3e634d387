"""Two listeners, the same stimuli: tests and intervals for what changed.

*Conventions*: `x` is the base, `y` the tuned listener; element i of both is the same question.
Differences are y - x. Intervals are percentile bootstrap, resampling questions, never answers.

Sources: McNemar (1947), Psychometrika 12:153, in its exact binomial form; Efron & Tibshirani
(1993), An Introduction to the Bootstrap; Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57:289.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom, bootstrap, false_discovery_control

from spectcount.errors import UserError
from spectcount.psychophysics.sdt import LOG_LINEAR, Interval

PERCENTILE = "paired percentile bootstrap"


def mcnemar(b, c):
    """Two-sided exact p of the discordant pairs: `b` right only before, `c` right only after.

    Counts or arrays of counts; without discordant pairs p = 1.
    """
    b, c = np.broadcast_arrays(np.asarray(b), np.asarray(c))
    if np.any(b < 0) or np.any(c < 0):
        raise UserError(f"{b.min()} and {c.min()} discordant pairs cannot be; give 0 or more")
    p = np.minimum(1.0, 2 * binom.cdf(np.minimum(b, c), b + c, 0.5))
    return float(p) if p.ndim == 0 else p


def paired_bootstrap(
    x,
    y,
    rng: np.random.Generator,
    statistic: Callable[[np.ndarray], np.ndarray] | None = None,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Interval of statistic(y) - statistic(x), pairs resampled together.

    `x` and `y` are [n], n >= 2; `statistic` reduces the last axis (default: the mean).
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2:
        raise UserError(
            f"paired answers of shapes {x.shape} and {y.shape} cannot be compared; "
            "give two lists of one length, 2 or more"
        )
    reduce = statistic or (lambda v: np.mean(v, axis=-1))
    found = bootstrap(
        (x, y),
        lambda a, b, axis=-1: reduce(b) - reduce(a),
        paired=True,
        vectorized=True,
        n_resamples=n_resamples,
        confidence_level=level,
        method="percentile",
        rng=rng,
    ).confidence_interval
    value = float(reduce(y) - reduce(x))
    return Interval(value, float(found.low), float(found.high), level, PERCENTILE)


def sdt_change(
    signal_x,
    signal_y,
    noise_x,
    noise_y,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> tuple[Interval, Interval]:
    """Change of d' and, apart from it, change of c, with log-linear rates.

    Arguments are "said yes" (0 or 1) per trial: signal trials [n_s] and catch trials [n_n] of
    both listeners, paired. Signal and catch trials are resampled separately.
    """
    signal = _pairs(signal_x, signal_y, "signal")
    noise = _pairs(noise_x, noise_y, "catch")
    z_h = _resampled_z(signal, rng, n_resamples)
    z_f = _resampled_z(noise, rng, n_resamples)
    step_h, step_f = z_h[:, 1] - z_h[:, 0], z_f[:, 1] - z_f[:, 0]
    rule = f"{PERCENTILE}, {LOG_LINEAR}"
    return (
        _percentile(step_h - step_f, level, rule),
        _percentile(-(step_h + step_f) / 2, level, rule),
    )


def benjamini_hochberg(p, q: float = 0.05) -> np.ndarray:
    """Which p-values, of any shape, are discoveries at false-discovery rate `q`; nan never is."""
    p = np.asarray(p, float)
    known = ~np.isnan(p)
    mask = np.zeros(p.shape, bool)
    if known.any():
        mask[known] = false_discovery_control(p[known], method="bh") <= q
    return mask


def _pairs(x, y, role: str) -> np.ndarray:
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1 or len(x) == 0:
        raise UserError(
            f"{role} answers of shapes {x.shape} and {y.shape} cannot be paired; "
            "give two lists of one length, 1 or more"
        )
    return np.stack([x, y], axis=1)


def _resampled_z(pairs: np.ndarray, rng: np.random.Generator, n_resamples: int) -> np.ndarray:
    """z of the log-linear rates [1 + n_resamples, 2]; row 0 is the sample itself."""
    n = len(pairs)
    rows = np.concatenate([np.arange(n)[None], rng.integers(n, size=(n_resamples, n))])
    return ndtri((pairs[rows].sum(axis=1) + 0.5) / (n + 1))


def _percentile(draws: np.ndarray, level: float, rule: str) -> Interval:
    low, high = np.quantile(draws[1:], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(draws[0]), float(low), float(high), level, rule)
