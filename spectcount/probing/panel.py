"""A forgetting panel: tasks and ranges that were fine before, each a plan, all in one run.

*Conventions*: a part gives one row of the table, or one for each of its cells, or two, outside and
inside the weak regions that the adapter was made from. The plans are interleaved, so base and
tuned get the same questions in the same order. Changes are tuned minus base, paired. A row was
*fine before* where the base's whole interval lies on the good side of its limit (d' 1, a rate of
0.5): only such a row can be forgotten. The rows' intervals are all at one level above 95 %, chosen
so that of those which exclude zero a twentieth at most is expected to be wrong
(`psychophysics.paired.selected_intervals`); each row's word follows from its interval.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spectcount.errors import UserError
from spectcount.params import Declared, param
from spectcount.probing.axes import Axis
from spectcount.probing.base import Plan
from spectcount.probing.maps import background_of, hit, plain
from spectcount.probing.pairing import Pair, Pairs, false_alarm_table, hit_table, pairs_of
from spectcount.probing.plan import Interleaved, plan_from_dict
from spectcount.probing.sensitivity import Sensitivity, of_pairs
from spectcount.probing.trained import INSIDE, asked_stimulus, overlapping, values_of
from spectcount.probing.verdict import (
    ACCURACY,
    D_A,
    D_PRIME,
    FALSE_ALARMS,
    IMPROVED,
    RATE,
    SENSITIVITIES,
    WORSE,
    Measure,
    Verdict,
    worst,
)
from spectcount.probing.words import cell_words, is_of_frequency, quantity
from spectcount.psychophysics import sdt
from spectcount.psychophysics.paired import rate_change, selected_intervals
from spectcount.psychophysics.sdt import Interval
from spectcount.trials import Trial

WHOLE, CELLS, REGIONS = "whole", "cells", "regions"


@dataclass(frozen=True)
class Part(Declared):
    """A plan of the panel, as plain data, and how it becomes rows."""

    name: str = param("", "What is asked, in a few words.", label="Name")
    rows: str = param(
        WHOLE,
        "One row; one for each cell; or two, outside and inside the weak regions.",
        choices=(WHOLE, CELLS, REGIONS),
        label="Rows",
    )
    measure: str = param(
        "auto",
        "auto: d' where the task has one, else accuracy; false_alarms: yes to nothing.",
        choices=("auto", "false_alarms"),
        label="Measure",
    )
    plan: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def check(self) -> None:
        if not self.name.strip():
            raise UserError("a part of a panel has no name; say in a few words what it asks")
        plan = self.made
        if plan.interleaved or plan.grid is None:
            raise UserError(
                f"{self.name}: a plan of kind {plan.kind} asks each listener its own questions; "
                "give a map, a curve or a confusion"
            )
        if not plan.asked.has_truth:
            raise UserError(f"{self.name}: {plan.task} has no right answer that could be forgotten")
        if self.measure == "false_alarms" and not plan.asked.has_alarms:
            raise UserError(f"{self.name}: {plan.task} has no false alarms; give a yes/no task")

    @functools.cached_property
    def made(self) -> Any:
        """The plan itself."""
        return plan_from_dict(self.plan)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Part:
        """From plain data; unknown keys are refused."""
        for name in values:
            if name != "plan":
                cls.param(name)
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the plan completed."""
        return {**super().to_dict(), "plan": self.made.to_dict()}


@dataclass(frozen=True)
class Panel:
    """Its parts, in the order of the table."""

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise UserError("a panel without parts asks nothing; give one plan or more")

    @classmethod
    def from_list(cls, parts: Iterable[Mapping[str, Any]]) -> Panel:
        """From plain data; raises `UserError` naming the part that is none."""
        built = []
        for i, values in enumerate(parts):
            try:
                built.append(Part.from_dict(values))
            except UserError as error:
                raise UserError(f"part {i + 1}: {error}") from None
        return cls(tuple(built))

    def to_list(self) -> list[dict[str, Any]]:
        """Plain data."""
        return [part.to_dict() for part in self.parts]

    @property
    def plan(self) -> Interleaved:
        """All parts in one run."""
        return Interleaved(tuple(part.made.to_dict() for part in self.parts))


N_RESAMPLES = 4000
FINE_D_PRIME, FINE_RATE = 1.0, 0.5
OUTSIDE_WEAK, INSIDE_WEAK = "outside the weak regions", "inside the weak regions"


@dataclass(frozen=True)
class Row:
    """One line of the table: both listeners' value of the measure, and the verdict on the change.
    `weak`: it lies inside the regions that the adapter was to repair."""

    name: str
    base: Interval
    tuned: Interval
    verdict: Verdict
    fine_before: bool
    weak: bool = False

    @property
    def forgotten(self) -> bool:
        """It was fine before and is worse for sure."""
        return self.fine_before and not self.weak and self.verdict.kind == WORSE

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "measure": self.verdict.measure.name,
            "base": plain(self.base),
            "tuned": plain(self.tuned),
            "verdict": self.verdict.to_dict(),
            "fine_before": self.fine_before,
            "weak": self.weak,
            "forgotten": self.forgotten,
        }


@dataclass(frozen=True)
class PanelResult:
    """The table and what it says; `q`: the false-coverage rate of its intervals."""

    rows: tuple[Row, ...]
    q: float
    margin: float | None = None

    @property
    def tested(self) -> list[Row]:
        """Rows that could be forgotten."""
        return [row for row in self.rows if row.fine_before and not row.weak]

    @property
    def sentence(self) -> str:
        """The sentence on what was forgotten, or that nothing was shown to be; the largest loss;
        the rest."""
        tested = self.tested
        if not tested:
            return "Nothing can be said: no row of the panel was fine before."
        lost = [row for row in tested if row.forgotten]
        where = f"{len(tested)} tasks and ranges that were fine before"
        if lost:
            named = "; ".join(f"{row.name} ({_numbers(row.verdict)})" for row in lost)
            head = f"Forgotten: {len(lost)} of {where}: {named}{self._chosen}."
        else:
            head = f"Nothing forgotten shown in {where}{self._largest_loss(tested)}."
        return " ".join([head, *self._asides()])

    @property
    def _chosen(self) -> str:
        """The effect of the choice of rows on their numbers."""
        many = len(self.tested) > 1
        return "; picked for being low, so the truth lies nearer to zero" if many else ""

    def _largest_loss(self, tested: Sequence[Row]) -> str:
        largest = worst([row.verdict for row in tested])
        if largest is None or largest.measure.better * largest.interval.value >= 0:
            return ""
        name = next(row.name for row in tested if row.verdict is largest)
        chosen = f", picked from {len(tested)} and so likely to overstate it" * (len(tested) > 1)
        return f"; the largest loss is {name}, {_numbers(largest)}{chosen}"

    def _asides(self) -> list[str]:
        sentences = []
        if self.margin is not None:
            tested = [row.verdict for row in self.tested if row.verdict.measure in SENSITIVITIES]
            n_safe = sum(verdict.interval.low > -self.margin for verdict in tested)
            sentences.append(
                f"A loss of d' of {self.margin:g} or more is excluded in {n_safe} of {len(tested)}."
            )
        better = [row.name for row in self.rows if row.weak and row.verdict.kind == IMPROVED]
        if better:
            sentences.append(f"Improved where it was to be repaired: {'; '.join(better)}.")
        poor = [row.name for row in self.rows if not row.fine_before and not row.weak]
        if poor:
            sentences.append(f"Not fine before, so not counted: {'; '.join(poor)}.")
        return sentences

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "sentence": self.sentence,
            "false_coverage_rate": self.q,
            "margin": self.margin,
            "forgotten": [row.name for row in self.rows if row.forgotten],
        }


def panel_result(
    panel: Panel,
    base: Sequence[Trial],
    tuned: Sequence[Trial],
    regions: Sequence[Mapping[str, Any]] = (),
    q: float = 0.05,
    margin: float | None = None,
) -> PanelResult:
    """The table from both listeners' trials of the panel's plan. `regions` are the weak regions of
    the adapter's lineage; `margin` is one of d'. Rows that no pair has answered are left out."""
    groups = []
    for i, part in enumerate(panel.parts):
        of_part = [[t for t in who if t.coords.get("plan") == i] for who in (base, tuned)]
        groups += _groups(part, pairs_of(part.made, *of_part), regions)
    groups = [group for group in groups if group.answered]
    intervals = selected_intervals([group.change for group in groups], q)
    rows = [group.row(interval, margin) for group, interval in zip(groups, intervals, strict=True)]
    return PanelResult(tuple(rows), q, margin)


@dataclass(frozen=True)
class _Group:
    """The pairs behind one row."""

    name: str
    plan: Plan
    signal: Sequence[Pair]
    catch: Sequence[Pair]
    by_alarms: bool = False
    weak: bool = False

    @property
    def measure(self) -> Measure:
        if self.by_alarms:
            return FALSE_ALARMS
        if not (self.plan.asked.two_class and self.catch):
            return self._rate
        return D_A if self.both.graded else D_PRIME

    @functools.cached_property
    def both(self) -> Sensitivity:
        """Base and tuned on these pairs."""
        return of_pairs(self.plan, self.signal, self.catch)

    @property
    def _rate(self) -> Measure:
        return ACCURACY if self.plan.asked.counts else RATE

    @property
    def answered(self) -> bool:
        return bool(self.catch if self.by_alarms else self.signal)

    def change(self, level: float) -> Interval:
        """The change of the measure, by the same draws at any level."""
        rng = np.random.default_rng(0)
        if self.measure is FALSE_ALARMS:
            return rate_change(false_alarm_table(self.catch), rng, N_RESAMPLES, level)
        if self.measure not in SENSITIVITIES:
            return rate_change(hit_table(self.signal), rng, N_RESAMPLES, level)
        return self.both.main_change(level)

    def of(self, who: int) -> Interval:
        """One listener's own value."""
        hits = sum(hit(pair[who]) for pair in self.signal)
        alarms = sum(not pair[who].correct for pair in self.catch)
        if self.measure is FALSE_ALARMS:
            return sdt.wilson(alarms, len(self.catch))
        if self.measure not in SENSITIVITIES:
            return sdt.wilson(hits, len(self.signal))
        listener = self.both.of(who)
        return listener.d_a() if self.both.graded else listener.d_prime()

    def row(self, change: Interval, margin: float | None) -> Row:
        base = self.of(0)
        if self.measure is FALSE_ALARMS:
            fine = base.high < 1 - FINE_RATE
        else:
            fine = base.low > (FINE_D_PRIME if self.measure in SENSITIVITIES else FINE_RATE)
        n, what = len(self.signal), "paired signal trials"
        if self.measure is FALSE_ALARMS:
            n, what = len(self.catch), "paired catch trials"
        used = margin if self.measure in SENSITIVITIES else None
        verdict = Verdict(change, self.measure, n, used, what)
        return Row(self.name, base, self.of(1), verdict, bool(fine), self.weak)


def _groups(part: Part, pairs: Pairs, regions: Sequence[Mapping[str, Any]]) -> list[_Group]:
    plan, alarms = part.made, part.measure == "false_alarms"
    signal, catch = pairs.of_cells()
    if part.rows == CELLS:
        return [
            _Group(f"{part.name}: {_cell_words(plan, cell)}", plan, *pairs.of_cells([cell]), alarms)
            for cell in plan.cells
        ]
    if part.rows == REGIONS and regions:
        sides = [_in_any(pair[0], regions) for pair in signal]
        weak = [pair for pair, inside in zip(signal, sides, strict=True) if inside]
        strong = [pair for pair, inside in zip(signal, sides, strict=True) if not inside]
        around = _around(plan, catch)
        return [
            _Group(f"{part.name}, {OUTSIDE_WEAK}", plan, strong, around(strong), alarms),
            _Group(f"{part.name}, {INSIDE_WEAK}", plan, weak, around(weak), alarms, weak=True),
        ]
    return [_Group(part.name, plan, signal, catch, alarms)]


def _around(plan: Plan, catch: Sequence[Pair]) -> Any:
    """Catch trials of the same backgrounds as some signal trials."""

    def back(pair: Pair) -> tuple[int, ...]:
        coords = pair[0].coords
        return background_of(plan, (int(coords["x"]), int(coords["y"])))

    def around(signal: Sequence[Pair]) -> list[Pair]:
        backs = {back(pair) for pair in signal}
        return [pair for pair in catch if back(pair) in backs]

    return around


def _in_any(trial: Trial, regions: Sequence[Mapping[str, Any]]) -> bool:
    """True where any event of a trial lies in any weak region: an easy one beside it is no
    comfort."""
    values = values_of(asked_stimulus(trial))
    return any(
        all(
            any(overlapping((v, v), (tuple(ends),)) == INSIDE for v in values.get(name, []))
            for name, ends in region["ranges"].items()
        )
        for region in regions
    )


def _cell_words(plan: Plan, cell: Sequence[int]) -> str:
    return ", ".join(_level_words(a, i) for a, i in zip(plan.axes, cell, strict=False))


def _level_words(axis: Axis, i: int) -> str:
    low, high = axis.bounds(i)
    label = axis.declared.label or axis.name
    if is_of_frequency(axis):
        return cell_words(axis, i)
    if low == high:
        return f"{label.lower()} {quantity(low, axis.declared.unit)}"
    unit = axis.declared.unit
    return f"{label.lower()} {quantity(low, '')} to {quantity(high, unit)}"


def _numbers(verdict: Verdict) -> str:
    return f"{verdict.measure.name} {verdict.numbers} at {100 * verdict.interval.level:.4g} %"
