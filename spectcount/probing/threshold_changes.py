"""Change of thresholds from base to tuned: of a curve's fit, of every track of a procedure.

*Conventions*: a curve asks both the same questions, so the two fits are correlated and the change
is paired; a procedure follows each listener's own answers, so it is not. Changes are in the
parameter's unit, or log10 of the factor where its axis is logarithmic; a lower threshold is better
unless larger values are harder.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.probing.base import Plan
from spectcount.probing.maps import plain
from spectcount.probing.pairing import pairs_of
from spectcount.probing.plan import Curve
from spectcount.probing.thresholds import Series, Threshold, series_of, thresholds
from spectcount.probing.verdict import Measure, Verdict
from spectcount.psychophysics.changes import fit_correlation, threshold_change
from spectcount.psychophysics.sdt import Interval
from spectcount.trials import Trial


@dataclass(frozen=True)
class ThresholdChange:
    """One track's thresholds and their `change`; `n` trials, paired or of each listener."""

    before: Threshold
    after: Threshold
    change: Interval
    n: int
    paired: bool

    @property
    def verdict(self) -> Verdict:
        """Lower is better, unless larger values are harder."""
        head = self.before
        name = f"threshold of {head.parameter}"
        if head.condition:
            name += f" at {head.condition}"
        better = 1 if head.falling else -1
        measure = Measure(name, better, "" if head.log else head.unit, factor=head.log)
        what = "paired trials" if self.paired else "trials of each listener"
        return Verdict(self.change, measure, self.n, None, what, least=not self.paired)

    @property
    def sentence(self) -> str:
        """The verdict, with why a threshold is not measurable."""
        why = [
            f"{name}: {one.reason}"
            for name, one in (("base", self.before), ("tuned", self.after))
            if one.reason
        ]
        return "; ".join([self.verdict.sentence, *why])

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain data, with both thresholds."""
        return {
            **self.verdict.to_dict(),
            "sentence": self.sentence,
            "condition": self.before.condition,
            "before": plain(self.before.threshold),
            "after": plain(self.after.threshold),
            "paired": self.paired,
        }


def threshold_changes(
    plan: Plan, base: Iterable[Trial], tuned: Iterable[Trial], level: float = 0.95
) -> list[ThresholdChange]:
    """The change of each threshold of the plan; none for plans without thresholds
    and for surfaces."""
    base, tuned = list(base), list(tuned)
    if isinstance(plan, Curve):
        return _of_curve(plan, base, tuned, level)
    found = zip(thresholds(plan, base, level), thresholds(plan, tuned, level), strict=True)
    return [
        _changed(before, after, 0.0, min(before.n, after.n), False)
        for before, after in found
        if before.surface is None and after.surface is None
    ]


def _of_curve(
    plan: Curve, base: list[Trial], tuned: list[Trial], level: float
) -> list[ThresholdChange]:
    pairs = pairs_of(plan, base, tuned).all
    if len(pairs) < 2:
        return []
    x, y = [one for one, _ in pairs], [one for _, one in pairs]
    plan = dataclasses.replace(plan, harder=_harder(plan, x, y))
    ((before,), (after,)) = (thresholds(plan, who, level) for who in (x, y))
    r = _correlation(plan, before, after, x, y)
    return [_changed(before, after, r, len(pairs), True)]


def _harder(plan: Curve, x: list[Trial], y: list[Trial]) -> str:
    """One direction for both listeners, from all answers where the plan does not say."""
    if plan.harder != "auto":
        return plan.harder
    both = [series_of(plan, who) for who in (x, y)]
    levels = np.concatenate([s.levels for s in both])
    success = np.concatenate([s.success for s in both]).astype(float)
    slope = float(np.mean((levels - levels.mean()) * (success - success.mean())))
    return "high" if slope < 0 else "low"


def _correlation(
    plan: Curve, before: Threshold, after: Threshold, x: list[Trial], y: list[Trial]
) -> float:
    if before.fit is None or after.fit is None:
        return 0.0
    one, two = series_of(plan, x), series_of(plan, y)
    levels = np.concatenate([one.levels, np.zeros(len(one.catch))])
    signal = np.arange(len(levels)) < len(one.levels)
    return fit_correlation(before.fit, after.fit, levels, _answers(one), _answers(two), signal)


def _answers(series: Series) -> np.ndarray:
    """Successes, then "yes" on catch trials; both listeners' series stand in one order."""
    caught = [t.answer == t.answers[0] for t in series.catch]
    return np.concatenate([series.success, caught]).astype(float)


def _changed(
    before: Threshold, after: Threshold, r: float, n: int, paired: bool
) -> ThresholdChange:
    found = [
        one.threshold if one.measurable else _unknown(one.threshold.level)
        for one in (before, after)
    ]
    change = threshold_change(found[0], found[1], r, before.log)
    return ThresholdChange(before, after, change, n, paired)


def _unknown(level: float) -> Interval:
    return Interval(math.nan, -math.inf, math.inf, level)
