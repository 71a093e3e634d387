"""Base against tuned: what became of the thresholds, each with a verdict that its interval bears.

Conventions: a change is tuned minus base, in decades (log10 of the factor) where the parameter has
a log axis. Lower thresholds are better where low levels are hard. On a curve both listeners answer
the same questions, whose correlation the interval takes into account; the tracks of a procedure
part after the first answer that differs, and count as independent.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

from spectcount.probing.base import Plan
from spectcount.probing.plan import Curve
from spectcount.probing.thresholds import Threshold, series_of, thresholds
from spectcount.probing.verdict import Measure, Verdict
from spectcount.psychophysics.changes import fit_correlation, threshold_change
from spectcount.psychophysics.sdt import Interval
from spectcount.trials import Trial


def threshold_changes(
    plan: Plan, base: Iterable[Trial], tuned: Iterable[Trial], level: float = 0.95
) -> list[Verdict]:
    """The verdict on each track's threshold, in the order of the tracks; those of a surface, or
    without any trial, have none."""
    before, after = list(base), list(tuned)
    if isinstance(plan, Curve) and plan.harder == "auto":
        plan = plan.replace(harder=_hard_end(plan, [*before, *after]))
    pairs = zip(thresholds(plan, before, level), thresholds(plan, after, level), strict=True)
    return [
        _verdict(x, y, _correlation(plan, x, y, before, after))
        for x, y in pairs
        if x.fit is not None and y.fit is not None
    ]


def _verdict(x: Threshold, y: Threshold, correlation: float) -> Verdict:
    assert x.fit is not None and y.fit is not None
    change = threshold_change(x.fit, y.fit, correlation)
    change = _in_decades(change) if x.log else change
    where = f"threshold of {x.parameter}" + (f", {x.condition}," if x.condition else "")
    unit = "decades" if x.log else x.unit
    measure = Measure(where, better=1 if x.falling else -1, unit=unit)
    return Verdict(change, measure, x.n + y.n, None, "trials of both")


def _in_decades(factor: Interval) -> Interval:
    value, low, high = (
        math.log10(v) if v > 0 else -math.inf if v == 0 else v
        for v in (factor.value, factor.low, factor.high)
    )
    if math.isnan(factor.value):
        value, low, high = math.nan, -math.inf, math.inf
    return dataclasses.replace(factor, value=value, low=low, high=high)


def _correlation(
    plan: Plan, x: Threshold, y: Threshold, before: Sequence[Trial], after: Sequence[Trial]
) -> float:
    """Of the two estimates, from the questions that both have answered."""
    if not isinstance(plan, Curve) or x.fit is None or y.fit is None:
        return 0.0
    shared = {t.key for t in before} & {t.key for t in after}
    sides = [series_of(plan, [t for t in side if t.key in shared]) for side in (before, after)]
    n_catch = len(sides[0].catch)
    if not len(sides[0].levels):
        return 0.0
    levels = np.concatenate([sides[0].levels, np.full(n_catch, sides[0].levels[0])])
    said = [np.concatenate([s.success, [t.answer == t.answers[0] for t in s.catch]]) for s in sides]
    signal = np.arange(len(levels)) < len(sides[0].levels)
    return fit_correlation(x.fit, y.fit, levels, said[0], said[1], signal)


def _hard_end(plan: Curve, trials: Sequence[Trial]) -> str:
    """The end of the parameter that both listeners together find harder."""
    return "high" if series_of(plan, trials).falling else "low"
