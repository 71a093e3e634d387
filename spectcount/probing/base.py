"""The base of plans: what is asked of every listener alike, about which stimuli.

Conventions: cell (x, y) counts from 0 along the axes; a trial depends only on the seed, its place
in the plan and the plan's design, so listeners are paired and longer runs extend shorter ones.
Of a two-answer task, the first answer is true of signal trials and the second of catch trials,
their counterparts (`spectcount.pairs`). Wordings and answer orders are balanced, not
drawn: consecutive trials take consecutive combinations. Plans that fill cells are in `grid`, those
that follow the answers in `procedure`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from spectcount import designs
from spectcount.designs import FAMILIES, Design
from spectcount.errors import UserError
from spectcount.pairs import draw_pair
from spectcount.params import Declared, param
from spectcount.probing.axes import AXIS_NAMES, SEQUENCE_AXES, SPREAD_AXES, Axis
from spectcount.probing.draws import (
    CLIPS_PER_S,
    Cell,
    Cost,
    PlannedQuestion,
    check_ends,
    cost_of,
    refuse_clipping,
    seed_of,
    words_in_turn,
)
from spectcount.psychophysics.psychometric import FUNCTIONS
from spectcount.stimulus import Stimulus
from spectcount.tasks import MAX_COUNT, TASKS, Task, task
from spectcount.trials import Question, Trial

if TYPE_CHECKING:
    from spectcount.probing.grid import GridPlan
    from spectcount.probing.plan import Curve
    from spectcount.probing.procedure import Procedure

PROBE_DESIGN = {
    "duration_s": 4.0,
    "n_events": 1,
    "event_duration_ms": 100.0,
    "level_dbfs": -14.0,
    "noise_sigma": 0.001,
}


def whole(
    default: int,
    text: str,
    ends: tuple[int, int],
    label: str,
    slider_high: int | None = None,
    group: str = "task",
) -> Any:
    """Declare a number of trials, events, cells, ... within `ends`."""
    return param(
        default,
        text,
        low=ends[0],
        high=ends[1],
        step=1,
        label=label,
        slider_high=slider_high,
        group=group,
    )


def axis_name(default: str, text: str, label: str, *others: str) -> Any:
    """Declare the choice of an axis, or of one of some other words."""
    return param(default, text, choices=(*others, *AXIS_NAMES), label=label, group="axes")


def limit(text: str, label: str, group: str = "axes") -> Any:
    """Declare a value of an axis that may be left empty."""
    return param(None, text, kind=float, label=label, group=group)


def fitted_function() -> Any:
    """Declare the psychometric function of a plan that is fitted."""
    return param(
        "gaussian",
        "Psychometric function of the fit.",
        choices=tuple(FUNCTIONS),
        label="Function",
        group="fit",
    )


def compare_at() -> Any:
    """Declare the d' at which two listeners' thresholds are compared."""
    return param(
        None,
        "The d' whose level is compared between two listeners where the task is yes or no; "
        "empty: the first of 1, 1.5, 2, 2.5 and 3 that both listeners' trials hold.",
        kind=float,
        low=0.1,
        high=4,
        step=0.1,
        label="Compared at d'",
        group="fit",
    )


@dataclass(frozen=True)
class Plan(Declared):
    """Base of the plans. `design` overrides parameters of the family for every trial; `draw`
    maps parameters to [low, high], from which each trial draws its own value."""

    kind: ClassVar[str] = ""
    adaptive: ClassVar[bool] = False
    """Whether the next question depends on the answers so far."""
    fitted: ClassVar[bool] = False
    """Whether psychometric functions are fitted to its answers."""
    matrix: ClassVar[bool] = False
    """Whether its result is a confusion matrix."""
    least_cells: ClassVar[int] = 0
    """Fewest cells that a part of it has; 0: it has no parts along its axes."""
    interleaved: ClassVar[bool] = False
    """Whether it is several plans."""
    undeclared: ClassVar[tuple[str, ...]] = ("design", "draw")
    """Fields that have no place in a form."""

    task: str = param(
        "detect",
        "What is asked: one of the tasks of the family.",
        choices=tuple(TASKS),
        label="Task",
        group="task",
    )
    trials: int = whole(
        8, "Signal trials in each cell.", (1, 1000), "Trials per cell", slider_high=50
    )
    count_low: int = whole(1, "Fewest events of a counting trial.", (0, MAX_COUNT), "Count from")
    count_high: int = whole(5, "Most events of a counting trial.", (0, MAX_COUNT), "Count to")
    wordings: str = param(
        "training",
        "Which wordings are used in turn: those of training, held-out ones, or all.",
        choices=("training", "held-out", "all"),
        label="Wordings",
        group="task",
    )
    low_mass: bool = param(
        False,
        "Go on where a model gives all closed answers together less than a tenth of its "
        "probability, so that their ranking stands for little.",
        label="Even with low mass",
        group="task",
    )
    family: str = param(
        "pulses", "Family of stimuli.", choices=tuple(FAMILIES), label="Family", group="design"
    )
    design: Mapping[str, Any] = field(default_factory=dict, hash=False)
    draw: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def parts(self) -> tuple[Plan, ...]:
        """Every plan that is asked: this one."""
        return (self,)

    @property
    def grid(self) -> GridPlan | None:
        """This plan, where it fills cells."""
        return None

    @property
    def curve(self) -> Curve | None:
        """This plan, where it is a curve."""
        return None

    @property
    def procedure(self) -> Procedure | None:
        """This plan, where it follows the answers."""
        return None

    def within(self, spans: Sequence[tuple[float, float, int]]) -> Plan:
        """The plan over part of its axes: of each the lowest and highest value, and the number of
        cells. Raises `UserError` for one that has no such parts."""
        raise UserError(f"a plan of kind {self.kind} has no cells to split; give a map or a curve")

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

    @property
    def n_trials(self) -> int:
        """Trials asked of each listener; at most, where the plan follows the answers."""
        raise NotImplementedError(type(self).__name__)

    def ask(self, seed: int) -> Generator[list[PlannedQuestion], list[Trial], None]:
        """Batches of questions; each is answered with `send(trials)`, in its order."""
        raise NotImplementedError(type(self).__name__)

    def refuse_infeasible(self) -> None:
        """Raises `UserError` naming the first place where a trial cannot be realised."""
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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain data; `kind` may be there, unknown keys are refused."""
        rest = {k: v for k, v in values.items() if k != "kind"}
        for name, value in rest.items():
            if name not in cls.undeclared:
                cls.param(name)
            elif name in ("design", "draw") and not isinstance(value, Mapping):
                raise UserError(f"{name}={value!r} is no mapping; write parameter: value")
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

    def cost(self, n_listeners: int = 1, clips_per_s: float = CLIPS_PER_S) -> Cost:
        """Trials and minutes for `n_listeners` at a measured rate: an upper bound where the plan
        follows the answers."""
        return cost_of(self.n_trials * n_listeners, clips_per_s)

    def cell_text(self, cell: Cell) -> str:
        """The cell in words: "cell (3, 1), time=0.5..1 s, mel_channel=8..15"."""
        parts = [axis.cell_text(i) for axis, i in zip(self.axes, cell, strict=False)]
        return f"cell ({cell[0]}, {cell[1]}), " + ", ".join(parts)

    def middle_stimulus(self, cell: Cell, seed: int = 0) -> Stimulus:
        """A probe in the middle of `cell`, for the marks of what a front end can tell apart."""
        raise NotImplementedError(type(self).__name__)

    @property
    def background_axes(self) -> tuple[int, ...]:
        """Indices of the axes (0: x, 1: y) that change the catch trials: the noise or the clip."""
        if self.asked.forced_choice:
            return tuple(range(len(self.axes)))
        follows = self._family.background
        if getattr(self.base, "e_n0_db", None) is not None:
            follows += ("level_dbfs", "event_duration_ms")
        return tuple(a for a, axis in enumerate(self.axes) if axis.name in follows)

    @property
    def draws_count(self) -> bool:
        """True where each trial draws its own number of events from count_low..count_high."""
        fixed = {*self._varied, *self.draw}
        return self.asked.counts and "n_events" in self._family.params().keys() - fixed

    @property
    def _varied(self) -> tuple[str, ...]:
        """Names, as axes have them, of what the plan itself changes from trial to trial."""
        return self.axis_names

    @property
    def _family(self) -> type[Design]:
        return designs.family(self.family)

    @functools.cached_property
    def base(self) -> Any:
        """The design before its axes: probe defaults, placement and order as the axes need."""
        if self.family != "pulses":
            return self._family.from_dict(self.design)
        names = set(self._varied)
        spread = bool(names & set(SPREAD_AXES))
        defaults = {
            "placement": "sequence" if names & set(SEQUENCE_AXES) else "random",
            "frequency_order": "shuffled" if spread else "random_mel",
        }
        return self._family.from_dict({**PROBE_DESIGN, **defaults, **self.design})

    @property
    def _most(self) -> dict[str, Any]:
        """The stimulus of a trial, at its longest."""
        return {"n_events": self.count_high} if self.draws_count else {}

    def _drawn(self, seed: int, role: str, cell: Cell, k: int, rng: np.random.Generator) -> dict:
        """The parameters that a trial draws for itself."""
        drawn = {
            name: self._family.param(name).draw(rng, *ends) for name, ends in self.draw.items()
        }
        if self.draws_count:
            drawn["n_events"] = self._count(seed, role, cell, k)
        return drawn

    def _count(self, seed: int, role: str, cell: Cell, k: int) -> int:
        """Number of events of counting trial `k`: every number once per block, shuffled."""
        span = self.count_high - self.count_low + 1
        block, index = divmod(k, span)
        rng = np.random.default_rng(seed_of(seed, role + " count", *cell, block))
        return self.count_low + int(rng.permutation(span)[index])

    def _pair(self, changes: Mapping[str, Any], seed: int, where: str) -> tuple[Stimulus, Stimulus]:
        """Signal and counterpart with some parameters of the design changed; where the task has
        no such pair, the stimulus and the same without events. `where` begins an error."""
        try:
            design = dataclasses.replace(self.base, **changes)
            if self.asked.two_class:
                pair = draw_pair(design, seed, self.task)
            else:
                stimulus = designs.draw(design, seed)
                pair = stimulus, stimulus.without_events()
            for sound in pair:
                refuse_clipping(sound)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        return pair

    def _planned(
        self, stimulus: Stimulus, place: int, coords: dict[str, Any], where: str
    ) -> PlannedQuestion:
        """The question about a stimulus in the words that are due at `place`."""
        wording, reverse = words_in_turn(self.task, self.wordings, place)
        question = Question(stimulus, self.task, wording, reverse)
        if question.truth is None and self.asked.has_truth:
            raise UserError(
                f"{where}: {len(stimulus.events)} events have no answer in the task {self.task}; "
                f"keep to {MAX_COUNT} or fewer"
            )
        return PlannedQuestion(question, coords)


def refuse_idle(name: str) -> None:
    """Raise `UserError` for a parameter that changes nothing: a mistake, not a result."""
    raise UserError(
        f"axis {name} changes nothing in this design (say gap_ms with one event, or noise_sigma "
        "with e_n0_db set); choose another axis or change the design"
    )
