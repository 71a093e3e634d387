"""What a plan is: which questions are asked, in which order, of every listener alike.

Conventions: cell (x, y) counts from 0 along the axes; trial k of a cell depends only on (seed,
cell, k) and the plan's design, so listeners are paired and longer runs extend shorter ones.
Of a two-answer task, the first answer is true of signal trials and the second of catch trials,
their counterparts (`spectcount.pairs`). Wordings and answer orders are balanced, not
drawn: consecutive trials take consecutive combinations.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from spectcount import designs
from spectcount.designs import FAMILIES, Design
from spectcount.errors import UserError
from spectcount.pairs import draw_pair
from spectcount.params import Declared, param
from spectcount.probing.axes import SEQUENCE_AXES, SPREAD_AXES, Axis
from spectcount.probing.draws import (
    Cell,
    Cost,
    PlannedQuestion,
    check_ends,
    corners,
    refuse_clipping,
    seed_of,
    words_in_turn,
)
from spectcount.stimulus import Stimulus
from spectcount.tasks import FORCED_CHOICE, MAX_COUNT, SUBJECTIVE, TASKS, Task, task
from spectcount.trials import Question, Trial

BATCH = 32
"""Questions handed out at a time."""
CLIPS_PER_S = 25.0
"""Assumed rate of the embedded model on two cores, 4 s clips, until one is measured."""
PROBE_DESIGN = {
    "duration_s": 4.0,
    "n_events": 1,
    "event_duration_ms": 100.0,
    "level_dbfs": -14.0,
    "noise_sigma": 0.001,
}


@dataclass(frozen=True)
class Plan(Declared):
    """Base of the plans. `design` overrides parameters of the family for every trial; `draw`
    maps parameters to [low, high], from which each trial draws its own value."""

    kind: ClassVar[str] = ""

    task: str = param(
        "detect", "What is asked: one of the tasks of the family.", choices=tuple(TASKS),
        label="Task", group="task",
    )  # fmt: skip
    trials: int = param(
        8, "Signal trials in each cell.", low=1, high=1000, step=1, label="Trials per cell",
        slider_high=50, group="task",
    )  # fmt: skip
    catch_trials: int = param(
        100, "Trials for which the other answer is true, shared by all cells with the same "
        "background; without any event where the task is to detect or to count.", low=0,
        high=5000, step=1, label="Catch trials", slider_high=500, group="task",
    )  # fmt: skip
    count_low: int = param(
        1, "Fewest events of a counting trial.", low=0, high=MAX_COUNT, step=1,
        label="Count from", group="task",
    )  # fmt: skip
    count_high: int = param(
        5, "Most events of a counting trial.", low=0, high=MAX_COUNT, step=1,
        label="Count to", group="task",
    )  # fmt: skip
    wordings: str = param(
        "training", "Which wordings are used in turn: those of training, held-out ones, or all.",
        choices=("training", "held-out", "all"), label="Wordings", group="task",
    )  # fmt: skip
    family: str = param(
        "pulses", "Family of stimuli.", choices=tuple(FAMILIES), label="Family", group="design"
    )
    design: Mapping[str, Any] = field(default_factory=dict, hash=False)
    draw: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def asked(self) -> Task:
        """The task itself."""
        return task(self.task)

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Name of the axis x, and of y where there is one."""
        raise NotImplementedError(type(self).__name__)

    @functools.cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The axis x, and y where there is one."""
        raise NotImplementedError(type(self).__name__)

    def check(self) -> None:
        if self.count_low > self.count_high:
            raise UserError(
                f"count_low={self.count_low} is above count_high={self.count_high}; swap them"
            )
        for name, ends in self.draw.items():
            check_ends(self._family.param(name), ends)
        if self.task not in self._family.tasks:
            raise UserError(
                f"task {self.task!r} makes no sense of {self.family}; choose one of "
                + ", ".join(self._family.tasks)
            )
        if self.asked.two_class and self.catch_trials < self._n_backgrounds:
            raise UserError(
                f"catch_trials={self.catch_trials} is below {self._n_backgrounds}, the number of "
                "different backgrounds of this plan; without catch trials hits mean nothing: "
                f"give at least {self._n_backgrounds}"
            )
        self._refuse_idle_axes()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain data; `kind` may be there, unknown keys are refused."""
        rest = {k: v for k, v in values.items() if k != "kind"}
        for name in rest:
            if name not in ("design", "draw"):
                cls.param(name)
            elif not isinstance(rest[name], Mapping):
                raise UserError(f"{name}={rest[name]!r} is no mapping; write parameter: value")
        if values.get("kind", cls.kind) != cls.kind:
            raise UserError(f"kind={values['kind']!r} is not {cls.kind!r}; use plan_from_dict")
        return cls(**rest)

    def to_dict(self) -> dict[str, Any]:
        """Everything needed to build the plan again: JSON and YAML ready."""
        return {
            "kind": self.kind,
            **super().to_dict(),
            "design": dict(self.design),
            "draw": {k: list(v) for k, v in self.draw.items()},
        }

    @property
    def n_columns(self) -> int:
        """Cells along x."""
        return self.axes[0].n

    @property
    def n_rows(self) -> int:
        """Cells along y: 1 where the plan has one axis."""
        return self.axes[1].n if len(self.axes) > 1 else 1

    @property
    def cells(self) -> list[Cell]:
        """Every cell (x, y), row by row."""
        return [(i, j) for j in range(self.n_rows) for i in range(self.n_columns)]

    @property
    def n_trials(self) -> int:
        """Trials asked of each listener."""
        return len(self.cells) * self.trials + self.catch_trials

    def cost(self, n_listeners: int = 1, clips_per_s: float = CLIPS_PER_S) -> Cost:
        """Trials and minutes for `n_listeners` at a measured rate."""
        if clips_per_s <= 0:
            raise UserError(f"clips_per_s={clips_per_s:g} is not a rate; give one above 0")
        n = self.n_trials * n_listeners
        return Cost(n, n / clips_per_s / 60)

    def cell_text(self, cell: Cell) -> str:
        """The cell in words: "cell (3, 1), time=0.5..1 s, mel_channel=8..15"."""
        parts = [axis.cell_text(i) for axis, i in zip(self.axes, cell, strict=False)]
        return f"cell ({cell[0]}, {cell[1]}), " + ", ".join(parts)

    def ask(self, seed: int) -> Generator[list[PlannedQuestion], list[Trial], None]:
        """Batches of questions; each is answered with `send(trials)`. A plan that adapts looks at
        those answers, this one does not need to."""
        questions = self.questions(seed)
        for start in range(0, len(questions), BATCH):
            yield questions[start : start + BATCH]

    def questions(self, seed: int) -> list[PlannedQuestion]:
        """All questions, pass by pass over shuffled cells with the catch trials spread evenly.
        Raises `UserError`, naming the cell, where any of them cannot be realised."""
        catch = iter([self._catch(seed, k) for k in range(self.catch_trials)])
        n_signal, given, planned = len(self.cells) * self.trials, 0, []
        for k in range(self.trials):
            order = np.random.default_rng(seed_of(seed, "order", k)).permutation(len(self.cells))
            for place in order:
                planned.append(self._signal(seed, self.cells[int(place)], k))
                due = self.catch_trials * (len(planned) - given) // n_signal
                planned.extend(next(catch) for _ in range(due - given))
                given = due
        return planned

    def signal(self, seed: int, cell: Cell, k: int) -> Stimulus:
        """The stimulus of signal trial `k` in `cell`."""
        return self._stimulus(seed, "signal", cell, k)[0]

    def middle_stimulus(self, cell: Cell, seed: int = 0) -> Stimulus:
        """A probe in the middle of `cell`, for the marks of what a front end can tell apart."""
        values = [axis.middle(i) for axis, i in zip(self.axes, cell, strict=False)]
        whole = [int(v) if axis.whole else v for v, axis in zip(values, self.axes, strict=True)]
        return self._draw_at(cell, whole, {}, seed)

    @property
    def background_axes(self) -> tuple[int, ...]:
        """Which of the axes (0: x, 1: y) change the catch trials: the noise or the clip."""
        if self.asked.kind == FORCED_CHOICE:
            return tuple(range(len(self.axes)))
        follows = self._family.background
        if getattr(self.base, "e_n0_db", None) is not None:
            follows += ("level_dbfs", "event_duration_ms")
        return tuple(a for a, axis in enumerate(self.axes) if axis.name in follows)

    @property
    def _n_backgrounds(self) -> int:
        return int(np.prod([self.axes[a].n for a in self.background_axes], dtype=int))

    @property
    def _family(self) -> type[Design]:
        return designs.family(self.family)

    @functools.cached_property
    def base(self) -> Any:
        """The design before its axes: probe defaults, placement and order as the axes need."""
        if self.family != "pulses":
            return self._family.from_dict(self.design)
        names = set(self.axis_names)
        spread = bool(names & set(SPREAD_AXES))
        defaults = {
            "placement": "sequence" if names & set(SEQUENCE_AXES) else "random",
            "frequency_order": "shuffled" if spread else "random_mel",
        }
        return self._family.from_dict({**PROBE_DESIGN, **defaults, **self.design})

    def _signal(self, seed: int, cell: Cell, k: int) -> PlannedQuestion:
        stimulus, values = self._stimulus(seed, "signal", cell, k)
        place = k + cell[0] + cell[1] * self.n_columns
        return self._planned(stimulus, cell, values, "signal", k, place)

    def _catch(self, seed: int, k: int) -> PlannedQuestion:
        cell = self._catch_cell(seed, k)
        stimulus, values = self._stimulus(seed, "catch", cell, k)
        return self._planned(stimulus, cell, values, "catch", k, k)

    def _catch_cell(self, seed: int, k: int) -> Cell:
        """The cell whose absent signal catch trial `k` stands for; backgrounds take turns."""
        groups: dict[tuple[int, ...], list[Cell]] = {}
        for cell in self.cells:
            groups.setdefault(tuple(cell[a] for a in self.background_axes), []).append(cell)
        group = list(groups.values())[k % len(groups)]
        turn = k // len(groups)
        order = np.random.default_rng(seed_of(seed, "catch", turn // len(group))).permutation(
            len(group)
        )
        return group[int(order[turn % len(group)])]

    def _planned(
        self, stimulus: Stimulus, cell: Cell, values: list[float], role: str, k: int,
        place: int,
    ) -> PlannedQuestion:  # fmt: skip
        wording, reverse = words_in_turn(self.task, self.wordings, place)
        question = Question(stimulus, self.task, wording, reverse)
        if question.truth is None and self.asked.kind != SUBJECTIVE:
            raise UserError(
                f"{self.cell_text(cell)}: {len(stimulus.events)} events have no answer in the "
                f"task {self.task}; keep to {MAX_COUNT} or fewer"
            )
        coords: dict[str, Any] = {"x": cell[0], "y": cell[1], "role": role, "trial": k}
        coords.update(zip(("x_value", "y_value"), values, strict=False))
        return PlannedQuestion(question, coords)

    def _stimulus(self, seed: int, role: str, cell: Cell, k: int) -> tuple[Stimulus, list[float]]:
        """The stimulus of one trial, and the axis values drawn for it."""
        trial_seed = seed_of(seed, role, *cell, k)
        rng = np.random.default_rng([trial_seed, 1])
        values = [axis.draw(i, rng) for axis, i in zip(self.axes, cell, strict=False)]
        drawn = {
            name: self._family.param(name).draw(rng, *ends) for name, ends in self.draw.items()
        }
        if self.draws_count:
            drawn["n_events"] = self._count(seed, role, cell, k)
        signal, other = self._pair_at(cell, values, drawn, trial_seed)
        found = [axis.found(v, signal) for axis, v in zip(self.axes, values, strict=True)]
        return (other if role == "catch" else signal), found

    def _count(self, seed: int, role: str, cell: Cell, k: int) -> int:
        """Number of events of counting trial `k`: every number once per block, shuffled."""
        span = self.count_high - self.count_low + 1
        block, index = divmod(k, span)
        rng = np.random.default_rng(seed_of(seed, role + " count", *cell, block))
        return self.count_low + int(rng.permutation(span)[index])

    def _draw_at(
        self, cell: Cell, values: list[float], drawn: dict[str, Any], seed: int
    ) -> Stimulus:
        return self._pair_at(cell, values, drawn, seed)[0]

    def _pair_at(
        self, cell: Cell, values: list[float], drawn: dict[str, Any], seed: int
    ) -> tuple[Stimulus, Stimulus]:
        """Signal and counterpart at some values of the axes; where the task has no such pair, the
        stimulus and the same without events."""
        try:
            changes = dict(drawn)
            for axis, i, value in zip(self.axes, cell, values, strict=False):
                changes.update(axis.assign(i, value))
            design = dataclasses.replace(self.base, **changes)
            if self.asked.two_class:
                pair = draw_pair(design, seed, self.task)
            else:
                stimulus = designs.draw(design, seed)
                pair = stimulus, stimulus.without_events()
            for one in pair:
                refuse_clipping(one)
        except UserError as error:
            raise UserError(f"{self.cell_text(cell)}: {error}") from None
        return pair

    def refuse_infeasible(self) -> None:
        """Try every cell at its corners with the most events; raises `UserError` naming the
        first cell that cannot be realised."""
        most = {"n_events": self.count_high} if self.draws_count else {}
        for cell in self.cells:
            for corner in corners(self.axes, cell):
                self._draw_at(cell, corner, most, 0)

    @property
    def draws_count(self) -> bool:
        """Whether each trial draws its own number of events from count_low..count_high."""
        fixed = {*self.axis_names, *self.draw}
        return self.task == "count" and "n_events" in self._family.params().keys() - fixed

    def _refuse_idle_axes(self) -> None:
        """An axis that changes nothing in this design is a mistake, not a map."""
        most = {"n_events": self.count_high} if self.draws_count else {}
        last = [axis.n - 1 for axis in self.axes]
        for a, axis in enumerate(self.axes):
            hashes = set()
            for i, end in ((0, 0), (axis.n - 1, 1)):
                cell = tuple(i if b == a else last[b] for b in range(len(last)))
                cell = (*cell, 0)[:2]
                corner = [ax.bounds(c)[1] for ax, c in zip(self.axes, cell, strict=False)]
                corner[a] = axis.bounds(i)[end]
                hashes.add(self._draw_at(cell, corner, most, 0).hash)
            if axis.n > 1 and len(hashes) == 1:
                raise UserError(
                    f"axis {axis.name} changes nothing in this design (say gap_ms with one event, "
                    "or noise_sigma with e_n0_db set); choose another axis or change the design"
                )
