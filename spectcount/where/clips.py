"""The clips of a run as a ladder asks them: signal and counterpart of each draw, or single clips
where the task is to count.

*Conventions*: a group holds the clips of one draw, the one of which the task's first answer is true
first; the counterpart is drawn again from the trial's provenance, asked in the trial's own words.
Of a long run as many groups are taken as are wanted, conditions in turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.errors import UserError
from spectcount.pairs import pair_of
from spectcount.probing.plan import AnyPlan, Plan
from spectcount.probing.thresholds import series_of
from spectcount.stimulus import Stimulus
from spectcount.trials import Question, Trial

LEAST_GROUPS = 20
_COUNT = "count"


@dataclass(frozen=True)
class Levels:
    """The level [groups] that each pair was drawn at: what a threshold is sought on."""

    values: np.ndarray
    name: str
    unit: str
    log: bool
    falling: bool


@dataclass(frozen=True)
class Clips:
    """`groups` of questions, of one size (2: signal, counterpart; 1: counting); `truths` [groups,
    size]: 1 and -1, or the numbers; `conditions` [groups] are places in `condition_words`; `words`
    [groups] tell which were asked in the same words."""

    task: str
    groups: tuple[tuple[Question, ...], ...]
    truths: np.ndarray
    conditions: np.ndarray
    condition_words: tuple[str, ...]
    words: np.ndarray
    levels: Levels | None

    @property
    def size(self) -> int:
        """Clips of a group."""
        return len(self.groups[0])

    @property
    def counted(self) -> bool:
        """True where the clips are told apart by number."""
        return self.size == 1

    @property
    def questions(self) -> list[Question]:
        """All questions, group by group."""
        return [question for group in self.groups for question in group]


def clips_of(
    plan: AnyPlan,
    trials: Iterable[Trial],
    n: int,
    cells: Sequence[Sequence[int]] = (),
    least: int = LEAST_GROUPS,
) -> Clips:
    """At most `n` groups of the clips that `trials` of a plan were about; those in `cells` (x, y)
    alone where some are given. Raises `UserError` where fewer than `least` can be drawn again."""
    if plan.interleaved:
        raise UserError(
            "the run interleaves several plans, whose clips do not make one ladder; run one of "
            "them by itself"
        )
    (plan,) = plan.parts
    counting = plan.task == _COUNT
    if not counting and not plan.asked.two_class:
        raise UserError(
            f"the task {plan.task} has no right answer to decode; take a plan with another task"
        )
    known: dict[Any, tuple[Trial, tuple[Question, ...]]] = {}
    for trial in _in_turn(trials, {tuple(cell) for cell in cells}):
        group = _single(trial) if counting else _pair(trial)
        if group is not None:
            known.setdefault((group[0].key, group[-1].key), (trial, group))
        if len(known) == n:
            break
    if len(known) < least:
        raise UserError(
            f"{len(known)} different {'clips' if counting else 'pairs'} of this run can be drawn "
            f"again, {least} are needed; take a run or a region with more trials"
        )
    return _whole(plan, list(known.values()))


def _in_turn(trials: Iterable[Trial], cells: set[tuple[int, ...]]) -> list[Trial]:
    """Trials by their number within a cell, so that conditions take turns; signal trials before
    catch trials of the same number."""
    chosen = [t for t in trials if t.stimulus is not None and (not cells or _cell(t) in cells)]
    return sorted(
        chosen, key=lambda t: (t.coords.get("trial", 0), t.coords.get("role") != "signal")
    )


def _cell(trial: Trial) -> tuple[int, int]:
    return int(trial.coords.get("x", 0)), int(trial.coords.get("y", 0))


def _question(trial: Trial, stimulus: Stimulus) -> Question:
    return Question(stimulus, trial.task, trial.wording, trial.reverse)


def _single(trial: Trial) -> tuple[Question, ...] | None:
    stimulus = Stimulus.from_dict(trial.stimulus or {})
    return (_question(trial, stimulus),) if (trial.truth or "").isdigit() else None


def _pair(trial: Trial) -> tuple[Question, ...] | None:
    """Signal and counterpart of a trial's draw; None where it cannot be drawn again."""
    pair = pair_of(Stimulus.from_dict(trial.stimulus or {}), trial.task)
    if pair is None or pair[0].n_samples != pair[1].n_samples or pair[0].hash == pair[1].hash:
        return None
    return _question(trial, pair[0]), _question(trial, pair[1])


def _whole(plan: Plan, rows: list[tuple[Trial, tuple[Question, ...]]]) -> Clips:
    trials = [trial for trial, _ in rows]
    groups = tuple(group for _, group in rows)
    cells = sorted({_cell(t) for t in trials})
    places = {cell: k for k, cell in enumerate(cells)}
    prompts = {t.prompt: k for k, t in reversed(list(enumerate(trials)))}
    if len(groups[0]) == 1:
        truths = np.array([[float(t.truth or 0)] for t in trials])
    else:
        truths = np.tile([1.0, -1.0], (len(groups), 1))
    return Clips(
        plan.task,
        groups,
        truths,
        np.array([places[_cell(t)] for t in trials]),
        tuple(_cell_words(plan, cell) for cell in cells),
        np.array([prompts[t.prompt] for t in trials]),
        _levels(plan, trials),
    )


def _cell_words(plan: Plan, cell: tuple[int, int]) -> str:
    if plan.procedure is not None:
        return plan.procedure.tracks[cell[0]].words
    return plan.cell_text(cell).partition(", ")[2]


def _levels(plan: Plan, trials: list[Trial]) -> Levels | None:
    """Of a curve over levels, and of a procedure of one track and one parameter."""
    curve, procedure = plan.curve, plan.procedure
    if curve is not None:
        series = series_of(curve, trials)
        values = np.array([float(t.coords["x_value"]) for t in trials])
        declared = series.declared
        return Levels(values, declared.name, declared.unit, series.log, series.falling)
    if procedure is None or len(procedure.tracks) > 1 or "second" in trials[0].coords:
        return None
    values = np.array([float(t.coords["level"]) for t in trials])
    declared = procedure.levels[0].declared
    return Levels(values, declared.name, declared.unit, procedure.log, procedure.falling)
