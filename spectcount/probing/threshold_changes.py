"""Change of thresholds from base to tuned: of a curve's fit, of every track of a procedure.

*Conventions*: a curve asks both the same questions, so the two fits are correlated and the change
is paired; a procedure follows each listener's own answers, so it is not. Changes are in the
parameter's unit, or log10 of the factor where its axis is logarithmic; a lower threshold is better
unless larger values are harder. The threshold of a yes/no task is the level where d' has one value,
by graded scores where both give them and by answers where not: the level of half the "yes" would
move with the criterion. That value is the plan's `compare_at`; where it is empty, the first of
`D_PRIMES` whose level both listeners' trials hold: a track of a listener that seldom says yes never
comes as low as d' = 1. Two verdicts of a plan never point in two directions: where they would, both
say so.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.probing.base import Plan
from spectcount.probing.difference import Change, change_over
from spectcount.probing.maps import plain
from spectcount.probing.pairing import pairs_of
from spectcount.probing.plan import Curve
from spectcount.probing.procedure import Procedure
from spectcount.probing.sensitivity import Sensitivity
from spectcount.probing.thresholds import (
    Series,
    Threshold,
    fit_at_d_prime,
    series_of,
    thresholds,
)
from spectcount.probing.verdict import IMPROVED, WORSE, Measure, Verdict, opposed
from spectcount.psychophysics.changes import fit_correlation, threshold_change
from spectcount.psychophysics.graded import ScoreFit
from spectcount.psychophysics.paired import excludes_zero
from spectcount.psychophysics.sdt import Interval
from spectcount.trials import Trial

D_PRIMES = (1.0, 1.5, 2.0, 2.5, 3.0)
"""Values of d' tried in turn for the level that is compared."""
Fits = tuple[ScoreFit | None, ScoreFit | None]


@dataclass(frozen=True)
class ThresholdChange:
    """One track's thresholds and their `change`; `n` trials, paired or of each listener. `fits`:
    of a yes/no task each listener's level of one d', which is what is compared then."""

    before: Threshold
    after: Threshold
    change: Interval
    n: int
    paired: bool
    fits: Fits | None = None
    d_prime: float = 1.0
    mixed: bool = False

    @property
    def verdict(self) -> Verdict:
        """Lower is better, unless larger values are harder."""
        head = self.before
        name = f"threshold of {head.parameter}"
        if self.fits is not None:
            name = f"level of {head.parameter} where d' = {self.d_prime:g}"
        if head.condition:
            name += f" at {head.condition}"
        better = 1 if head.falling else -1
        measure = Measure(name, better, "" if head.log else head.unit, factor=head.log)
        what = "paired trials" if self.paired else "trials of each listener"
        return Verdict(self.change, measure, self.n, None, what, not self.paired, self._turned)

    @property
    def _turned(self) -> bool:
        """Mixed, and itself a claim."""
        return self.mixed and excludes_zero(self.change)

    @property
    def sentence(self) -> str:
        """The verdict, with why a threshold is not measurable and what limits those that are."""
        reasons = [compared.reason for compared in self._compared]
        why = [f"{name}: {r}" for name, r in zip(("base", "tuned"), reasons, strict=True) if r]
        return "; ".join([self.verdict.sentence, *why, *self.cautions])

    @property
    def cautions(self) -> list[str]:
        """The limits of either threshold, in clauses."""
        both = (("base", self.before), ("tuned", self.after))
        return [f"caution, {name}: {'; '.join(t.cautions)}" for name, t in both if t.cautions]

    @property
    def _compared(self) -> tuple[Threshold | ScoreFit, Threshold | ScoreFit]:
        """The fits that are compared, of either listener."""
        before, after = self.fits or (None, None)
        return before or self.before, after or self.after

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain data, with both thresholds."""
        return {
            **self.verdict.to_dict(),
            "sentence": self.sentence,
            "cautions": self.cautions,
            "condition": self.before.condition,
            "before": plain(self._compared[0].threshold),
            "after": plain(self._compared[1].threshold),
            "paired": self.paired,
        }


def changes_of(
    plan: Plan, base: Iterable[Trial], tuned: Iterable[Trial]
) -> tuple[list[ThresholdChange], Change | None]:
    """The changes of a plan's thresholds and the change over all of it (None where it follows the
    answers); where they point in two directions, each says so."""
    base, tuned = list(base), list(tuned)
    changes = threshold_changes(plan, base, tuned)
    whole = None if plan.adaptive else change_over(plan, base, tuned)
    first = None if whole is None else whole.verdict
    if opposed([*(change.verdict for change in changes), *([first] if first else [])]):
        changes = [dataclasses.replace(change, mixed=True) for change in changes]
        if whole is not None and first is not None and first.kind in (IMPROVED, WORSE):
            whole = dataclasses.replace(whole, mixed=True)
    return changes, whole


def threshold_changes(
    plan: Plan, base: Iterable[Trial], tuned: Iterable[Trial], level: float = 0.95
) -> list[ThresholdChange]:
    """The change of each threshold of the plan; none for plans without thresholds
    and for surfaces."""
    base, tuned = list(base), list(tuned)
    procedure, curve = plan.procedure, plan.curve
    if curve is not None:
        return _of_curve(curve, base, tuned, level)
    if procedure is None:
        return []
    of_tracks = zip(thresholds(plan, base, level), thresholds(plan, tuned, level), strict=True)
    graded = _graded(plan, base, tuned)
    return [
        _changed(procedure, before, after, 0.0, min(before.n, after.n), False, graded)
        for before, after in of_tracks
        if before.surface is None and after.surface is None
    ]


def _graded(plan: Plan, base: list[Trial], tuned: list[Trial]) -> bool:
    return Sensitivity(plan, [base, tuned], [[], []]).graded


def _of_curve(
    plan: Curve, base: list[Trial], tuned: list[Trial], level: float
) -> list[ThresholdChange]:
    pairs = pairs_of(plan, base, tuned).all
    if len(pairs) < 2:
        return []
    x, y = [trial for trial, _ in pairs], [trial for _, trial in pairs]
    plan = dataclasses.replace(plan, harder=_harder(plan, x, y))
    ((before,), (after,)) = (thresholds(plan, who, level) for who in (x, y))
    r = _correlation(plan, before, after, x, y)
    n = min(before.n, after.n)
    return [_changed(plan, before, after, r, n, True, _graded(plan, x, y))]


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
    first, two = series_of(plan, x), series_of(plan, y)
    levels = np.concatenate([first.levels, np.zeros(len(first.catch))])
    signal = np.arange(len(levels)) < len(first.levels)
    return fit_correlation(before.fit, after.fit, levels, _answers(first), _answers(two), signal)


def _answers(series: Series) -> np.ndarray:
    """Successes, then "yes" on catch trials; both listeners' series stand in one order."""
    caught = [t.answer == t.answers[0] for t in series.catch]
    return np.concatenate([series.success, caught]).astype(float)


def _changed(
    plan: Procedure | Curve,
    before: Threshold,
    after: Threshold,
    r: float,
    n: int,
    paired: bool,
    graded: bool,
) -> ThresholdChange:
    """The change of the level of one d' where the task is yes/no, else of the thresholds."""
    compared: tuple[Threshold | ScoreFit | None, ...] = (before, after)
    fits, d_prime = None, 1.0
    if plan.asked.has_alarms:
        fits, d_prime = _fits_at_one_d_prime(plan.compare_at, before, after, graded)
        compared = fits
    level = before.threshold.level
    ends = [
        estimate.threshold if estimate is not None and estimate.measurable else _unknown(level)
        for estimate in compared
    ]
    change = threshold_change(ends[0], ends[1], r, before.log)
    return ThresholdChange(before, after, change, n, paired, fits, d_prime)


def _fits_at_one_d_prime(
    wanted: float | None, before: Threshold, after: Threshold, graded: bool
) -> tuple[Fits, float]:
    """Both listeners' levels of the d' `wanted`, or of the first of `D_PRIMES` that both have; of
    the first where there is none."""
    tried = []
    for d_prime in D_PRIMES if wanted is None else (wanted,):
        fits = tuple(fit_at_d_prime(side, d_prime, graded) for side in (before, after))
        tried.append(((fits[0], fits[1]), d_prime))
        if all(side is not None and side.measurable for side in fits):
            return tried[-1]
        if before.series is None or after.series is None:
            break
    return tried[0]


def _unknown(level: float = 0.95) -> Interval:
    return Interval(math.nan, -math.inf, math.inf, level)
