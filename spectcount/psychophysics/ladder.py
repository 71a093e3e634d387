"""Sensitivity along the stages of a model: d_a of each stage, and what is lost behind each.

*Conventions*: positive and negative clips belong to units (pairs, or single clips) that are drawn
with replacement; the same draws serve all stages and all listeners, so that differences are paired.
d_a = sqrt 2 z(AUC) (Mann-Whitney, ties 1/2); an AUC nearer to 0 or 1 than half a unit is set there.
`lost` behind a stage is its d_a less the best d_a of any later stage: what a later stage tells was
there before, so a dip that comes back is no loss. Intervals of single stages are percentiles of the
bootstrap (Efron & Tibshirani 1993, chapter 13); those of losses and of changes hold for all stages
together (largest studentised deviation; Westfall & Young 1993, chapter 2). Scores of a decoder
depend on each other through the clips that it was fitted to, which draws of finished scores do not
show: permuted labels scatter more than their bootstrap says, and that `extra` variance is added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from spectcount.psychophysics.sdt import Interval

DRAWS = 1000
PERCENTILE = "percentile bootstrap over pairs"
TOGETHER = "bootstrap over pairs, for all stages together (largest studentised deviation)"
RANKS = "Spearman's rank correlation, percentile bootstrap over clips"
_LEAST_ERROR = 1e-3


@dataclass(frozen=True)
class Units:
    """Clips by the units that are drawn: `positive` and `negative` are places in a row of scores,
    `unit` [clips] says whose each place is."""

    positive: np.ndarray
    negative: np.ndarray
    unit: np.ndarray

    @property
    def n(self) -> int:
        """Number of units."""
        return int(self.unit.max()) + 1

    def only(self, chosen: np.ndarray) -> Units:
        """The same with the clips of some units [n] (True) alone."""
        return Units(
            self.positive[chosen[self.unit[self.positive]]],
            self.negative[chosen[self.unit[self.negative]]],
            self.unit,
        )


def draws_of(n: int, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Weights [1 + draws, n] of units: all once, then drawn with replacement."""
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    return np.concatenate([np.ones((1, n)), drawn])


def d_a(scores: np.ndarray, units: Units, weights: np.ndarray) -> np.ndarray:
    """d_a [1 + draws] of scores [clips] under weights [1 + draws, n]; nan where a draw holds none
    of one side."""
    high, low = scores[units.positive], scores[units.negative]
    above = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    of_high = weights[:, units.unit[units.positive]]
    of_low = weights[:, units.unit[units.negative]]
    n_high, n_low = of_high.sum(axis=1), of_low.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = ((of_high @ above) * of_low).sum(axis=1) / (n_high * n_low)
    edge = 0.5 / (min(len(high), len(low)) + 1)
    return math.sqrt(2) * ndtri(np.clip(auc, edge, 1 - edge))


def ceiling(units: Units) -> float:
    """Largest d_a that so many clips can tell."""
    return float(math.sqrt(2) * -ndtri(0.5 / (min(len(units.positive), len(units.negative)) + 1)))


def rank_correlation(scores: np.ndarray, numbers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's correlation [1 + draws] of scores and numbers [clips], under weights of clips."""
    x, y = rankdata(scores), rankdata(numbers)
    total = weights.sum(axis=1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    shared = weights @ (x * y) / total - mean_x * mean_y
    spread = (weights @ x**2 / total - mean_x**2) * (weights @ y**2 / total - mean_y**2)
    return np.asarray(shared / np.sqrt(np.maximum(spread, 1e-12)))


def alone(
    values: np.ndarray,
    extra: float = 0.0,
    top: float = math.inf,
    level: float = 0.95,
    rule: str = PERCENTILE,
) -> Interval:
    """The interval of one row of `d_a`, open above where the estimate lies at `top`; `extra`:
    variance that the draws do not have."""
    value, tail = float(values[0]), (1 - level) / 2
    if not math.isfinite(value):
        return Interval(math.nan, -math.inf, math.inf, level, rule)
    low, high = np.nanquantile(values[1:], [tail, 1 - tail])
    more = float(ndtri(1 - tail)) ** 2 * extra
    low = value - math.sqrt(max(value - low, 0.0) ** 2 + more)
    high = value + math.sqrt(max(high - value, 0.0) ** 2 + more)
    return Interval(value, low, math.inf if value >= top - 1e-9 else high, level, rule)


def together(
    values: np.ndarray, extra: np.ndarray | float = 0.0, level: float = 0.95
) -> list[Interval]:
    """Intervals of several quantities [quantities, 1 + draws] that hold all at once; `extra`
    [quantities]: variances that the draws do not have."""
    estimate, drawn = values[:, 0], values[:, 1:]
    error = np.maximum(np.nanstd(drawn, axis=1), _LEAST_ERROR)
    furthest = np.nanmax(np.abs(drawn - estimate[:, None]) / error[:, None], axis=0)
    reach = np.nanquantile(furthest, level) * np.sqrt(error**2 + extra)
    return [
        Interval(float(e), float(e - r), float(e + r), level, TOGETHER)
        for e, r in zip(estimate, reach, strict=True)
    ]


def extra_variance(controls: np.ndarray, drawn: Sequence[np.ndarray]) -> float:
    """Variance of d_a of permuted labels (`controls`) beyond that of their bootstrap (`drawn`, rows
    of `d_a`)."""
    within = float(np.mean([np.nanvar(values[1:]) for values in drawn]))
    return max(0.0, float(np.mean(np.square(controls))) - within)


def losses(values: np.ndarray) -> np.ndarray:
    """The loss behind each stage but the last, [stages - 1, 1 + draws], of d_a [stages, 1 +
    draws]."""
    later = np.maximum.accumulate(values[::-1], axis=0)[::-1][1:]
    return np.asarray(values[:-1] - later)


def largest(intervals: list[Interval]) -> int | None:
    """Place of the largest value whose interval lies above 0; None where none does."""
    sure = [k for k, each in enumerate(intervals) if each.low > 0]
    return max(sure, key=lambda k: float(intervals[k].value), default=None)
