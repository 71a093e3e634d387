"""Every stimulus of a plan asked in several wordings: does the wording matter, and for what?

*Conventions*: wordings are indices into all wordings of the task, training ones first, held-out
ones last. Stimuli and wordings are crossed: each stimulus, signal or catch, is asked once in each
wording, and the order of the options alternates over stimuli and wordings, so that either order is
used equally often in each wording and in each cell. Measures are those of each wording, and their
mean over wordings; a claim about the listener takes the wordings as a sample too
(`psychophysics.crossed`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

from spectcount.errors import UserError
from spectcount.probing.draws import CLIPS_PER_S, Cost, PlannedQuestion, cost_of
from spectcount.probing.grid import BATCH, GridPlan
from spectcount.probing.plan import AnyPlan, Interleaved, plan_from_dict
from spectcount.tasks import Task
from spectcount.trials import Trial

N_WORDINGS = 5
STIMULUS = "stimulus"
"""Name of the coordinate that says which stimulus of the plan a trial is about, from 0."""


def crossable(plan: AnyPlan) -> GridPlan:
    """The plan, if it can be asked in several wordings; raises `UserError` for one that follows
    the answers, or has several plans."""
    if isinstance(plan, GridPlan):
        return plan
    why = (
        f"{len(plan.parts)} plans cannot be crossed with wordings; each has its own"
        if isinstance(plan, Interleaved)
        else f"a plan of kind {plan.kind} follows the answers, so no two wordings get its stimuli"
    )
    raise UserError(f"{why}; give a map, a curve or a confusion")


@dataclass(frozen=True)
class Crossed:
    """A plan asked in each of `wordings`."""

    plan: GridPlan
    wordings: tuple[int, ...]

    def __post_init__(self) -> None:
        known = len(self.plan.asked.all_wordings)
        if len(set(self.wordings)) != len(self.wordings) or len(self.wordings) < 2:
            raise UserError(
                f"wordings={list(self.wordings)} cannot be compared; give two different ones or "
                "more"
            )
        for wording in self.wordings:
            if not 0 <= wording < known:
                raise UserError(
                    f"wording={wording} is not known; {self.plan.task} has 0..{known - 1}"
                )

    @classmethod
    def from_config(cls, plan: dict, wordings: Iterable[int]) -> Crossed:
        """From plain data. Raises `UserError` for plans that follow the answers."""
        return cls(crossable(plan_from_dict(plan)), tuple(int(w) for w in wordings))

    @property
    def n_trials(self) -> int:
        """Trials asked of each listener."""
        return self.plan.n_trials * len(self.wordings)

    def cost(self, n_listeners: int = 1, clips_per_s: float = CLIPS_PER_S) -> Cost:
        """Trials and minutes for `n_listeners` at a measured rate."""
        return cost_of(self.n_trials * n_listeners, clips_per_s)

    def refuse_infeasible(self) -> None:
        """Raises `UserError` naming the first cell that cannot be realised."""
        self.plan.refuse_infeasible()

    def ask(self, seed: int) -> Generator[list[PlannedQuestion], list[Trial], None]:
        """All wordings of a stimulus one after the other, in batches."""
        questions = [
            self._worded(planned, index, turn)
            for index, planned in enumerate(self.plan.questions(seed))
            for turn in range(len(self.wordings))
        ]
        for start in range(0, len(questions), BATCH):
            yield questions[start : start + BATCH]

    def _worded(self, planned: PlannedQuestion, index: int, turn: int) -> PlannedQuestion:
        """A question in wording number `turn`; the order of the options follows the trial's place
        in its cell or background, which all count alike."""
        place = self.plan.turn(planned.coords["role"], planned.coords["trial"]) % self.plan.n_words
        reverse = self.plan.asked.reversible and (place + turn) % 2 == 1
        question = dataclasses.replace(
            planned.question, wording=self.wordings[turn], reverse=reverse
        )
        return PlannedQuestion(question, {**planned.coords, STIMULUS: index})


def chosen_wordings(task: Task, n: int = N_WORDINGS) -> tuple[int, ...]:
    """`n` wordings of a task: all held-out ones, and training ones from the first on. Raises
    `UserError` for fewer than 2 or more than there are."""
    known, held_out = len(task.all_wordings), len(task.held_out)
    if not 2 <= n <= known:
        raise UserError(f"{n} wordings of {task.name} are not to be had; give 2 to {known}")
    first = range(max(n - held_out, 0))
    last = range(known - min(held_out, n), known)
    return (*first, *last)


def by_stimulus(
    trials: Sequence[Trial], wordings: Sequence[int], role: str
) -> list[tuple[int, list[Trial]]]:
    """(stimulus, its trials in the order of `wordings`) of one role, for those stimuli that were
    answered in every wording."""
    found: dict[int, dict[int, Trial]] = {}
    for t in trials:
        if t.coords.get("role") == role:
            found.setdefault(int(t.coords[STIMULUS]), {})[t.wording] = t
    return [
        (stimulus, [mine[w] for w in wordings])
        for stimulus, mine in sorted(found.items())
        if all(w in mine for w in wordings)
    ]
