"""The plans: detection map over two axes, curve over one, count confusion, the procedures of
`adaptive`, and several plans interleaved.

A plan is built from plain data (`plan_from_dict({"kind": "map", "x": "time", ...})`), says what
it costs, and hands out the same questions to every listener. See `spectcount.probing.base` for
the conventions. Of interleaved plans each goes its own way and none knows of the others: a part
hands out batches of its own, each of which must be answered in full before the next; the rounds of
the whole take from each part its share, so that all end at about the same time. Within a round the
order is random, from the seed.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from spectcount.errors import UserError
from spectcount.limits import MAX_PLANS
from spectcount.params import Declared, param
from spectcount.probing.adaptive import QuestPlan, StaircasePlan, SurfacePlan
from spectcount.probing.axes import Axis, cell_axis, declaration, level_axis
from spectcount.probing.base import Plan, axis_name, compare_at, fitted_function, limit, whole
from spectcount.probing.draws import CLIPS_PER_S, Cost, PlannedQuestion, cost_of, seed_of
from spectcount.probing.grid import BATCH, GridPlan
from spectcount.tasks import MAX_COUNT
from spectcount.trials import Trial

Asking = Generator[list[PlannedQuestion], list[Trial], None]
PART = "plan"
"""Name of the coordinate that says which part a trial belongs to."""


class Part:
    """One part as it goes: what it has asked, what it waits for."""

    def __init__(self, index: int, asking: Asking, n_trials: int) -> None:
        self.index = index
        self.n_trials = n_trials
        self.given = 0
        self._asking = asking
        self._batch: list[PlannedQuestion] | None = next(asking, None)
        self._asked = 0
        self._answered: list[Trial] = []

    @property
    def open(self) -> bool:
        """True where it has more to ask."""
        return self._batch is not None

    def take(self, n: int) -> list[PlannedQuestion]:
        """Up to `n` more questions, fewer where the next ones wait for answers."""
        due = (self._batch or [])[self._asked : self._asked + max(n, 0)]
        self._asked += len(due)
        self.given += len(due)
        return [dataclasses.replace(p, coords={**p.coords, PART: self.index}) for p in due]

    def receive(self, trials: Sequence[Trial]) -> None:
        """The answers to what was taken, in its order."""
        self._answered.extend(trials)
        if self._batch is not None and len(self._answered) == len(self._batch):
            try:
                self._batch = self._asking.send(self._answered)
            except StopIteration:
                self._batch = None
            self._asked, self._answered = 0, []


def shuffled_together(parts: Sequence[Part], n_rounds: int, seed: int) -> Asking:
    """Batches that hold of every part what is due in a round; `n_rounds` if none ends early."""
    done = 0
    while any(part.open for part in parts):
        done += 1
        share = min(done / n_rounds, 1.0)
        taken = [(p, q) for p in parts for q in p.take(_due(p, share))]
        if not taken:
            continue
        order = np.random.default_rng(seed_of(seed, "together", done)).permutation(len(taken))
        answered = yield [taken[int(i)][1] for i in order]
        by_place = dict(zip((int(i) for i in order), answered, strict=True))
        for part in parts:
            part.receive([by_place[i] for i, (owner, _) in enumerate(taken) if owner is part])


def trials_of_part(trials: Iterable[Trial], index: int) -> list[Trial]:
    """The trials that belong to part number `index`."""
    return [t for t in trials if t.coords.get(PART) == index]


def _due(part: Part, share: float) -> int:
    """The number of questions still due once `share` of the rounds is over."""
    return math.ceil(share * part.n_trials) - part.given


@dataclass(frozen=True)
class DetectionMap(GridPlan):
    """A map over two axes; the probe lies at a random place within its cell."""

    kind: ClassVar[str] = "map"
    title: ClassVar[str] = "Map"
    least_cells: ClassVar[int] = 1

    x: str = axis_name("time", "Axis across.", "Across")
    y: str = axis_name("mel_channel", "Axis up.", "Up")
    x_low: float | None = limit("Where the axis across starts; empty: as declared.", "Across from")
    x_high: float | None = limit(
        "Where the axis across ends; empty: as declared (time: the last onset that fits).",
        "Across to",
    )
    y_low: float | None = limit("Where the axis up starts; empty: as declared.", "Up from")
    y_high: float | None = limit(
        "Where the axis up ends; empty: as declared (time: the last onset that fits).", "Up to"
    )
    nx: int = whole(8, "Cells across.", (1, 128), "Cells across", group="axes")
    ny: int = whole(12, "Cells up.", (1, 128), "Cells up", group="axes")

    def check(self) -> None:
        if self.x == self.y:
            raise UserError(f"x and y are both {self.x}; choose two different axes")
        if {self.x, self.y} == {"frequency", "mel_channel"} or {self.x, self.y} == {
            "time",
            "onset_s",
        }:
            raise UserError(f"x={self.x} and y={self.y} are the same thing; choose another y")
        super().check()

    @property
    def axis_names(self) -> tuple[str, ...]:
        return self.x, self.y

    @functools.cached_property
    def axes(self) -> tuple[Axis, ...]:
        return (
            self._axis(self.x, self.x_low, self.x_high, self.nx),
            self._axis(self.y, self.y_low, self.y_high, self.ny),
        )

    def within(self, spans: Sequence[tuple[float, float, int]]) -> Plan:
        (x_low, x_high, nx), (y_low, y_high, ny) = spans
        return dataclasses.replace(
            self, x_low=x_low, x_high=x_high, nx=nx, y_low=y_low, y_high=y_high, ny=ny
        )

    def _axis(self, name: str, low: float | None, high: float | None, n: int) -> Axis:
        if name in ("time", "onset_s") and high is None and self.family == "pulses":
            high = self._last_onset_s()
        return cell_axis(declaration(name, self._family), low, high, n)

    def _last_onset_s(self) -> float:
        """The latest onset at which the longest sequence still fits the clip."""
        design = self.base
        n = self.count_high if self.draws_count else design.n_events
        event_ms = design.event_duration_ms + design.event_duration_jitter_ms
        gap_ms = max(design.gap_ms + design.gap_jitter_ms, 0)
        return round(design.duration_s - (n * event_ms + (n - 1) * gap_ms) / 1000, 6)


@dataclass(frozen=True)
class Curve(GridPlan):
    """Performance against one parameter at exact levels."""

    kind: ClassVar[str] = "curve"
    title: ClassVar[str] = "Curve"
    least_cells: ClassVar[int] = 2
    fitted: ClassVar[bool] = True

    parameter: str = axis_name("level_dbfs", "The parameter that changes.", "Parameter")
    start: float = param(-60.0, "First level.", label="From", group="axes")
    stop: float = param(-14.0, "Last level.", label="To", group="axes")
    levels: int = whole(8, "Number of levels.", (2, 128), "Levels", slider_high=30, group="axes")
    harder: str = param(
        "auto",
        "At which end of the parameter the task is harder; auto: as the answers say.",
        choices=("auto", "low", "high"),
        label="Harder end",
        group="fit",
    )
    function: str = fitted_function()
    compare_at: float | None = compare_at()

    @property
    def axis_names(self) -> tuple[str, ...]:
        return (self.parameter,)

    @functools.cached_property
    def axes(self) -> tuple[Axis, ...]:
        declared = declaration(self.parameter, self._family)
        return (level_axis(declared, self.start, self.stop, self.levels),)

    @property
    def curve(self) -> Curve:
        return self

    def within(self, spans: Sequence[tuple[float, float, int]]) -> Plan:
        ((start, stop, levels),) = spans
        return dataclasses.replace(self, start=start, stop=stop, levels=levels)


@dataclass(frozen=True)
class CountConfusion(GridPlan):
    """The confusion of counts: events there against counts answered."""

    kind: ClassVar[str] = "confusion"
    title: ClassVar[str] = "Count confusion"
    matrix: ClassVar[bool] = True

    task: str = param("count", "How many?", choices=("count",), label="Task", group="task")
    catch_trials: int = whole(
        0,
        "Trials without any event, beside those of count 0.",
        (0, 5000),
        "Catch trials",
        slider_high=500,
    )
    count_low: int = whole(0, "Fewest events.", (0, MAX_COUNT), "Count from")
    count_high: int = whole(MAX_COUNT, "Most events.", (0, MAX_COUNT), "Count to")

    @property
    def axis_names(self) -> tuple[str, ...]:
        return ("n_events",)

    @functools.cached_property
    def axes(self) -> tuple[Axis, ...]:
        declared = declaration("n_events", self._family)
        n = self.count_high - self.count_low + 1
        return (level_axis(declared, self.count_low, self.count_high, max(n, 1)),)


@dataclass(frozen=True)
class Interleaved(Declared):
    """Several plans of any kind (but this one), as plain data, shuffled into one run. The coords
    of each trial say which of them it belongs to (`plan`, from 0)."""

    kind: ClassVar[str] = "interleaved"
    title: ClassVar[str] = "Interleaved plans"
    adaptive: ClassVar[bool] = True
    interleaved: ClassVar[bool] = True
    matrix: ClassVar[bool] = False

    plans: tuple[Mapping[str, Any], ...] = ()

    def check(self) -> None:
        if not isinstance(self.plans, list | tuple) or not self.plans:
            raise UserError(f"plans={self.plans!r} holds no plan; give a list of plans")
        if len(self.plans) > MAX_PLANS:
            raise UserError(
                f"{len(self.plans)} plans are above the limit of {MAX_PLANS}; leave some out"
            )
        object.__setattr__(self, "plans", tuple(part.to_dict() for part in self.parts))

    @functools.cached_property
    def parts(self) -> tuple[Plan, ...]:
        """The plans themselves; raises `UserError` naming the one that is none."""
        plans: list[Plan] = []
        for i, values in enumerate(self.plans):
            try:
                plan = plan_from_dict(values)
            except UserError as error:
                raise UserError(f"plan {i + 1}: {error}") from None
            if plan.interleaved:
                raise UserError(f"plan {i + 1} is interleaved itself; list its plans directly")
            plans.append(plan)
        return tuple(plans)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain data: `plans`, and `kind` may be there."""
        for name in values:
            if name not in ("kind", "plans"):
                raise UserError(
                    f"an interleaved plan has no {name!r}; write it in one of its plans"
                )
        return cls(plans=values.get("plans", ()))

    def to_dict(self) -> dict[str, Any]:
        """Everything needed to build the plan again: JSON and YAML ready."""
        return {"kind": self.kind, "plans": [dict(values) for values in self.plans]}

    @property
    def low_mass(self) -> bool:
        """True where every plan goes on with little mass."""
        return all(part.low_mass for part in self.parts)

    @property
    def n_trials(self) -> int:
        """Trials asked of each listener, at most."""
        return sum(part.n_trials for part in self.parts)

    def cost(self, n_listeners: int = 1, clips_per_s: float = CLIPS_PER_S) -> Cost:
        """Trials and minutes for `n_listeners` at a measured rate: an upper bound."""
        return cost_of(self.n_trials * n_listeners, clips_per_s)

    def ask(self, seed: int) -> Asking:
        """Batches of all plans together; see `interleave`."""
        parts = [
            Part(i, plan.ask(seed_of(seed, "plan", i)), plan.n_trials)
            for i, plan in enumerate(self.parts)
        ]
        rounds = [part.trials for part in self.parts if part.adaptive]
        yield from shuffled_together(parts, max([*rounds, -(-self.n_trials // BATCH)]), seed)

    def refuse_infeasible(self) -> None:
        """Raises `UserError` naming the first plan and place where a trial cannot be realised."""
        for i, part in enumerate(self.parts):
            try:
                part.refuse_infeasible()
            except UserError as error:
                raise UserError(f"plan {i + 1}: {error}") from None


AnyPlan = Plan | Interleaved
PLANS: dict[str, type[Plan] | type[Interleaved]] = {
    each.kind: each
    for each in (
        DetectionMap,
        Curve,
        CountConfusion,
        StaircasePlan,
        QuestPlan,
        SurfacePlan,
        Interleaved,
    )
}
"""Class of each kind of plan."""


def plan_from_dict(values: Mapping[str, Any]) -> Any:
    """The plan (`AnyPlan`) that plain data describes: its `kind`, its parameters, `design` and
    `draw`; `conditions` of a procedure, `plans` of an interleaved one. What more it can do follows
    from the kind."""
    kind = values.get("kind") if isinstance(values, Mapping) else None
    if not isinstance(kind, str) or kind not in PLANS:
        raise UserError(f"kind={str(kind)[:40]!r} is no plan; choose one of {', '.join(PLANS)}")
    return PLANS[kind].from_dict(values)


def parts_of(plan: AnyPlan, trials: Iterable[Trial]) -> list[tuple[Plan, list[Trial]]]:
    """Each plan that is asked, with its trials: one, or all that are interleaved."""
    listed = list(trials)
    return [
        (part, trials_of_part(listed, i) if plan.interleaved else listed)
        for i, part in enumerate(plan.parts)
    ]


__all__ = [
    "CLIPS_PER_S",
    "PLANS",
    "AnyPlan",
    "Cost",
    "CountConfusion",
    "Curve",
    "DetectionMap",
    "Interleaved",
    "Plan",
    "PlannedQuestion",
    "QuestPlan",
    "StaircasePlan",
    "SurfacePlan",
    "parts_of",
    "plan_from_dict",
]
