"""A person takes a plan: one question at a time, each answer a trial.

*Conventions*: the plan hands out the same questions as to any listener; what was answered before
is replayed, so that a session goes on where it was left, adaptive plans included.
"""

from __future__ import annotations

from collections.abc import Iterable

from spectcount.errors import UserError
from spectcount.listeners.observers.observer import Human
from spectcount.probing.base import Plan
from spectcount.probing.draws import PlannedQuestion
from spectcount.trials import Trial, make_trial

_LONGEST_S = 86_400.0


class Session:
    """One person's way through a plan at a seed; `trials` are those answered so far, in order."""

    def __init__(
        self, plan: Plan, seed: int, person: Human, answered: Iterable[Trial] = ()
    ) -> None:
        self.plan = plan
        self.person = person
        self.trials: list[Trial] = []
        self._known = {t.key: t for t in answered}
        self._asking = plan.ask(seed)
        self._batch = next(self._asking, None)
        self._taken: list[Trial] = []
        self._replay()

    @property
    def current(self) -> PlannedQuestion | None:
        """The question to be answered now; None at the end."""
        return self._batch[len(self._taken)] if self._batch else None

    def answer(self, answer: str, seconds: float | None = None) -> Trial:
        """Answer the current question, `seconds` after its sound began; the trial. Raises
        `UserError` for an answer outside the closed set, or at the end."""
        planned = self.current
        if planned is None:
            raise UserError("every question of this session is answered; start another one")
        if seconds is not None and not 0 <= seconds <= _LONGEST_S:
            raise UserError(
                f"seconds={seconds} is no time of an answer; give 0 to {_LONGEST_S:g}, or leave it "
                "out"
            )
        question = planned.question
        self.person.answer(question, answer)
        scores = self.person.score([question])
        timed = {} if seconds is None else {"seconds": round(float(seconds), 3)}
        trial = make_trial(
            question,
            scores.log_probs[0],
            float(scores.mass[0]),
            fingerprint=self.person.fingerprint,
            listener=self.person.name,
            coords={**planned.coords, **timed},
            reply=answer,
        )
        self._take(trial)
        self._replay()
        return trial

    def _take(self, trial: Trial) -> None:
        self.trials.append(trial)
        self._taken.append(trial)
        if self._batch is not None and len(self._taken) == len(self._batch):
            try:
                self._batch = self._asking.send(self._taken)
            except StopIteration:
                self._batch = None
            self._taken = []

    def _replay(self) -> None:
        """Go on through what is answered already."""
        while (planned := self.current) is not None and planned.question.key in self._known:
            self._take(self._known[planned.question.key])
