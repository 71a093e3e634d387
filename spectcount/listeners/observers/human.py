"""The person at the page as a listener: the answers they gave, nothing more."""

from __future__ import annotations

import numpy as np

from spectcount.errors import UserError
from spectcount.listeners.observers.observer import Observer
from spectcount.trials import Question


class Human(Observer):
    """Holds the answers given at the page, by question; `score` refuses what was not answered.

    `person` and `session` are part of the fingerprint: the same question asked on another day is
    another trial.
    """

    def __init__(self, person: str = "you", session: str = ""):
        self.name = person
        self._session = session
        self._answers: dict[str, str] = {}

    @property
    def fingerprint(self) -> str:
        return f"human-1:{self.name}" + (f":{self._session}" if self._session else "")

    def answer(self, question: Question, answer: str) -> None:
        """Keep the answer to `question`; raises `UserError` where the set does not hold it."""
        if answer not in question.answers:
            raise UserError(
                f"answer {answer!r} is not allowed; choose one of {', '.join(question.answers)}"
            )
        self._answers[question.key] = answer

    def answered(self, question: Question) -> bool:
        """Whether this question has an answer."""
        return question.key in self._answers

    def log_odds(self, question: Question) -> np.ndarray:
        """All probability on the answer given [A]."""
        if not self.answered(question):
            raise UserError("this question was not answered yet; give your answer at the page")
        given = self._answers[question.key]
        return np.array([0.0 if a == given else -np.inf for a in question.answers])
