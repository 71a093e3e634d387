"""One drawn sound, and the pair of sounds that a two-answer task must tell apart.

*Conventions*: of a pair, the first answer of the task is true of the signal and the second of the
counterpart; both come from one draw and differ in nothing else. Each carries in `meta` its design
and seed, from which `pair_of` finds the other again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from spectcount.designs import Design, Pulses, draw, family
from spectcount.errors import UserError
from spectcount.params import Param
from spectcount.stimulus import Stimulus
from spectcount.tasks import task

Pair = tuple[Stimulus, Stimulus]
SIGNAL, COUNTERPART = SIDES = ("signal", "counterpart")
_USUAL = "usual"
_SEED = Param("seed", int, 0, "Which draw of the design.", low=0, high=2**31 - 1, step=1)


@dataclass(frozen=True)
class Drawing:
    """One sound: draw `seed` of a design, and which side of which task it is.

    Of a two-answer task the first answer is true of side "signal" (as drawn, where the design has
    no such pair), the second of "counterpart". Left out, the task is the family's usual one; with
    "" it is what the design draws, or the counterpart in the family's usual two-answer task.
    """

    design: Design = field(default_factory=Pulses)
    seed: int = 0
    task: str = _USUAL
    side: str = SIGNAL

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", _SEED.validate(self.seed))
        if self.task == _USUAL:
            object.__setattr__(self, "task", usual_task(self.design.family))
        if self.task:
            task(self.task)
        if self.side not in SIDES:
            raise UserError(f"side={self.side!r} is not known; choose one of {', '.join(SIDES)}")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From {family, params, seed, task, side}; raises `UserError` for what cannot be."""
        missing = [n for n in ("family", "params", "seed", "task", "side") if n not in data]
        if missing:
            raise UserError(f"the sound lacks its {', '.join(missing)}; reload the page")
        design = family(data["family"]).from_dict(data["params"])
        return cls(design, data["seed"], data["task"] or _USUAL, data["side"])

    def to_dict(self) -> dict[str, Any]:
        """The inverse of `from_dict`: JSON ready."""
        return {
            "family": self.design.family,
            "params": self.design.to_dict(),
            "seed": self.seed,
            "task": self.task,
            "side": self.side,
        }

    def stimulus(self) -> Stimulus:
        """The sound; raises `UserError` for one that cannot be drawn, or has no counterpart."""
        if self.side == COUNTERPART:
            task_name = self.task or usual_task(self.design.family, side=COUNTERPART)
            return draw_pair(self.design, self.seed, task_name)[1]
        if self.task in pair_tasks(self.design.family):
            try:
                return draw_pair(self.design, self.seed, self.task)[0]
            except UserError:  # no such pair: as drawn; what cannot be drawn is refused again
                return draw(self.design, self.seed)
        return draw(self.design, self.seed)


def pair_tasks(family_name: str) -> list[str]:
    """The two-answer tasks of a family, the usual one first."""
    return [name for name in family(family_name).tasks if task(name).two_class]


def usual_task(family_name: str, wanted: str = "", side: str = SIGNAL) -> str:
    """`wanted` where the family has that task, else the family's usual one; of a counterpart, a
    two-answer task. Raises `UserError` where there is none."""
    known = family(family_name).tasks if side == SIGNAL else pair_tasks(family_name)
    if not known:
        raise UserError(f"{family_name} has no task of two answers; leave the other side out")
    return wanted if wanted in known else known[0]


def draw_pair(design: Design, seed: int, task_name: str) -> Pair:
    """(signal, counterpart) of `design` at `seed`. Raises `UserError` where the design has no
    such pair for the task."""
    of_task = task(task_name)
    if not of_task.two_class or task_name not in design.tasks:
        raise UserError(
            f"{design.family} has no signal and counterpart for the task {task_name!r}; choose one "
            "of " + ", ".join(name for name in design.tasks if task(name).two_class)
        )
    drawn = draw(design, seed)
    other = design.counterpart(drawn, task_name)
    truths = (of_task.truth(drawn), of_task.truth(other))
    if truths not in (of_task.answers, of_task.answers[::-1]):
        raise UserError(
            f"{design.family}: the answers to {task_name!r} would be {truths[0]} and {truths[1]}; "
            f"change the design so that they are {of_task.answers[0]} and {of_task.answers[1]}"
        )
    signal, counterpart = (drawn, other) if truths == of_task.answers else (other, drawn)
    return _marked(signal, counterpart)


def pair_of(stimulus: Stimulus, task_name: str) -> Pair | None:
    """The pair that `stimulus` is one of, drawn again from its provenance; None where that does
    not tell (a stimulus from elsewhere, or one that was changed)."""
    meta: Mapping[str, Any] = stimulus.meta
    try:
        design = family(meta["family"]).from_dict(meta["params"])
        pair = draw_pair(design, int(meta["seed"]), task_name)
    except (KeyError, TypeError, ValueError, UserError):
        return None
    return pair if stimulus.hash in (pair[0].hash, pair[1].hash) else None


def _marked(signal: Stimulus, counterpart: Stimulus) -> Pair:
    """Both with the other's hash in `meta`. A counterpart that merely lacks the events holds them
    as `template` instead: it may be the counterpart of many signals, told apart by what is
    missing."""
    if counterpart.hash == signal.without_events().hash:
        template = [event.to_dict() for event in signal.events]
        return signal, counterpart.with_meta(**signal.meta, catch=True, template=template)
    return (
        signal.with_meta(pair=counterpart.hash),
        counterpart.with_meta(**signal.meta, catch=True, pair=signal.hash),
    )
