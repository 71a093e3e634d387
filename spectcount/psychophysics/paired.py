"""Two listeners, the same questions: tests and intervals for what changed.

*Conventions*: `x` is the base, `y` the tuned listener; element i of both is the same question.
Differences are y - x. A table of pairs [..., 4] counts (both, only x, only y, neither); leading
axes are the cells of a map. Intervals of rates, d' and c are percentile intervals of a paired
bootstrap that resamples questions, never answers, from the table with half a trial added to "yes"
and half to "no" of each listener (a quarter to each of the four counts): the log-linear rule of
the estimates themselves. Without it a map's cells of 8 or 24 trials would be called changed too
often: of true null changes of d', up to 20 % instead of 5 % (`benchmarks/change_coverage.py`).

Sources: McNemar (1947), Psychometrika 12:153, in its exact binomial form; Efron & Tibshirani
(1993), An Introduction to the Bootstrap; Hautus (1995) for the half trial, as in `sdt`; Benjamini
& Hochberg (1995), J. R. Stat. Soc. B 57:289; Benjamini & Yekutieli (2005), J. Am. Stat. Assoc.
100:71, for intervals after a selection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri
from scipy.stats import binom, false_discovery_control

from spectcount.errors import UserError
from spectcount.psychophysics.sdt import LOG_LINEAR, Interval, as_interval, tails

SMOOTHED = "paired bootstrap of questions, half a trial added"
N_RESAMPLES = 2000
_QUARTER = 0.25


def mcnemar(b: ArrayLike, c: ArrayLike) -> Any:
    """Two-sided exact p of the discordant pairs: `b` right only before, `c` right only after.

    Counts or arrays of counts; without discordant pairs p = 1.
    """
    b, c = np.broadcast_arrays(np.asarray(b), np.asarray(c))
    if np.any(b < 0) or np.any(c < 0):
        raise UserError(f"{b.min()} and {c.min()} discordant pairs cannot be; give 0 or more")
    p = np.minimum(1.0, 2 * binom.cdf(np.minimum(b, c), b + c, 0.5))
    return float(p) if p.ndim == 0 else p


def pair_table(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Counts (both, only x, only y, neither) [4] of two lists of 0 and 1, question by question."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1:
        raise UserError(
            f"answers of shapes {x.shape} and {y.shape} cannot be paired; give two lists of one "
            "length"
        )
    if not (np.isin(x, (0, 1)).all() and np.isin(y, (0, 1)).all()):
        raise UserError("paired answers must be 0 or 1; give one of the two for each question")
    return np.array(
        [(x * y).sum(), (x * (1 - y)).sum(), ((1 - x) * y).sum(), ((1 - x) * (1 - y)).sum()]
    ).astype(int)


def rate_change(
    table: ArrayLike, rng: np.random.Generator, n_resamples: int = N_RESAMPLES, level: float = 0.95
) -> Interval:
    """Change of the rate of "yes" (or of right answers) in tables of pairs [..., 4]; nan and
    unbounded where there is no pair."""
    table = _tables(table)
    n = table.sum(axis=-1)
    drawn = _resampled(table, rng, n_resamples)
    with np.errstate(invalid="ignore", divide="ignore"):
        draws = (drawn[..., 2] - drawn[..., 1]) / n
    return _percentile(draws, level, SMOOTHED)


def sdt_changes(
    signal: ArrayLike,
    noise: ArrayLike,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
) -> tuple[Interval, Interval]:
    """Change of d' and, apart from it, change of c, with log-linear rates, in tables of pairs:
    "said yes" on signal trials and on catch trials, [..., 4] each. Signal and catch trials are
    resampled apart; nan and unbounded where one of them is missing."""
    steps = []
    for table in (_tables(signal), _tables(noise)):
        drawn = _resampled(table, rng, n_resamples)
        n = table.sum(axis=-1)
        z_x, z_y = (ndtri((drawn[..., 0] + drawn[..., k] + 0.5) / (n + 1)) for k in (1, 2))
        steps.append(np.where(n > 0, z_y - z_x, np.nan))
    step_h, step_f = steps
    rule = f"{SMOOTHED}, {LOG_LINEAR}"
    return (
        _percentile(step_h - step_f, level, rule),
        _percentile(-(step_h + step_f) / 2, level, rule),
    )


def sdt_change_p(signal: ArrayLike, noise: ArrayLike) -> Any:
    """Two-sided p of "d' did not change", for many tables at once: the change over its standard
    error by the delta method, the half trial added. nan where trials are missing."""
    change, variance = np.zeros(1), np.zeros(1)
    for sign, table in ((1, _tables(signal)), (-1, _tables(noise))):
        n = table.sum(axis=-1)
        share = (table + _QUARTER) / (n + 1)[..., None]
        p_x, p_y = share[..., 0] + share[..., 1], share[..., 0] + share[..., 2]
        slope_x, slope_y = (math.sqrt(2 * math.pi) * np.exp(ndtri(p) ** 2 / 2) for p in (p_x, p_y))
        joint = 2 * (share[..., 0] - p_x * p_y) * slope_x * slope_y
        apart = p_x * (1 - p_x) * slope_x**2 + p_y * (1 - p_y) * slope_y**2
        with np.errstate(divide="ignore"):
            variance = variance + np.where(n > 0, (apart - joint) / n, np.nan)
        change = change + sign * (ndtri(p_y) - ndtri(p_x))
    p = np.asarray(2 * ndtr(-np.abs(change) / np.sqrt(variance)))
    return p if np.ndim(signal) > 1 or np.ndim(noise) > 1 else float(p[0])


def benjamini_hochberg(p: ArrayLike, q: float = 0.05) -> np.ndarray:
    """The p-values, of any shape, that are discoveries at false-discovery rate `q`; nan never
    is."""
    p = np.asarray(p, float)
    known = ~np.isnan(p)
    mask = np.zeros(p.shape, bool)
    if known.any():
        mask[known] = false_discovery_control(p[known], method="bh") <= q
    return mask


def selected_intervals(
    changes: Sequence[Callable[[float], Interval]], q: float = 0.05
) -> list[Interval]:
    """The intervals of several changes at one level, chosen so that of those which exclude zero
    a share of `q` at most is expected to be wrong.

    `changes` give an interval at a level (nested: higher level, wider). The level is 1 - R q / m
    with the largest R such that R of the m intervals exclude zero at it: Benjamini & Hochberg's
    step-up rule on the intervals' apart tests; where none does, 1 - q / m. Changes whose value is
    nan were not tested and do not count in m.
    """
    tested = [change for change in changes if not math.isnan(change(1 - q).value)]
    m = max(len(tested), 1)
    for r in range(m, 1, -1):
        level = 1 - r * q / m
        if sum(excludes_zero(change(level)) for change in tested) >= r:
            return [change(level) for change in changes]
    return [change(1 - q / m) for change in changes]


def excludes_zero(interval: Interval) -> bool:
    """True where zero lies outside the interval; touching it is inside, nan never is outside."""
    return bool(interval.low > 0 or interval.high < 0) and not math.isnan(interval.value)


def _tables(table: ArrayLike) -> np.ndarray:
    table = np.asarray(table)
    if table.ndim == 0 or table.shape[-1] != 4 or np.any(table < 0):
        raise UserError(
            f"a table of pairs of shape {table.shape} cannot be; give counts [..., 4]: both, only "
            "base, only tuned, neither"
        )
    return table.astype(int)


def _resampled(table: np.ndarray, rng: np.random.Generator, n_resamples: int) -> np.ndarray:
    """Tables [1 + n_resamples, ..., 4]; row 0 is the sample itself."""
    n = table.sum(axis=-1)
    share = (table + _QUARTER) / (n + 1)[..., None]
    drawn = rng.multinomial(n, share, size=(n_resamples, *n.shape))
    return np.concatenate([table[None], drawn])


def _percentile(draws: np.ndarray, level: float, rule: str) -> Interval:
    """Value and percentile interval of [1 + n, ...] draws; nan and unbounded where they are."""
    low, high = np.quantile(draws[1:], tails(level), axis=0)
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    return as_interval(draws[0], low, high, level, rule)
