"""Observers: listeners that are a formula, not a model; among them the plainest ones.

*Conventions*: an observer can say nothing outside the closed set, so its probability mass is 1;
its reply is its most probable answer. `AlwaysFirst` and `Silence` are floors, scores that need no
listening: a model that does not beat them has not heard anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from spectcount.errors import UserError
from spectcount.listeners.base import Listener, Scores
from spectcount.trials import Question, normalise


class Observer(ABC):
    """A Listener that scores one question at a time."""

    name: str

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Version and settings: whatever could change an answer."""

    @abstractmethod
    def log_odds(self, question: Question) -> np.ndarray:
        """Log-probabilities over the closed set [A], up to a constant."""

    def score(self, questions: Sequence[Question]) -> Scores:
        """Normalised scores of each question; see `Listener.score`."""
        n_answers = len(questions[0].answers) if questions else 0
        rows = [normalise(np.asarray(self.log_odds(q), float)) for q in questions]
        return Scores(np.reshape(rows, (len(rows), n_answers)), np.ones(len(rows)))

    def reply(self, question: Question) -> Iterator[str]:
        """The most probable answer."""
        yield question.answers[int(np.argmax(self.log_odds(question)))]


class AlwaysFirst(Observer):
    """Gives the first answer of the closed set, whatever it hears: pure bias."""

    name = "first"

    @property
    def fingerprint(self) -> str:
        return "first-1"

    def log_odds(self, question: Question) -> np.ndarray:
        """All probability on the first answer [A]."""
        return np.where(np.arange(len(question.answers)) == 0, 0.0, -np.inf)


class Silence:
    """The wrapped listener, asked the same questions about as much digital silence: what its
    answers owe to the words alone."""

    def __init__(self, listener: Listener):
        self.listener = listener
        self.name = f"silence:{listener.name}"

    @property
    def fingerprint(self) -> str:
        return f"silence-1:{self.listener.fingerprint}"

    def score(self, questions: Sequence[Question]) -> Scores:
        """The wrapped listener's scores for silence of each clip's length."""
        return self.listener.score([_silenced(q) for q in questions])

    def reply(self, question: Question) -> Iterator[str]:
        """The wrapped listener's words about silence."""
        return self.listener.reply(_silenced(question))


class Human(Observer):
    """The person at the page: holds the answers given, by question; `score` refuses what was not
    answered.

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
        """True where this question has an answer."""
        return question.key in self._answers

    def log_odds(self, question: Question) -> np.ndarray:
        """All probability on the answer given [A]."""
        if not self.answered(question):
            raise UserError("this question was not answered yet; give your answer at the page")
        given = self._answers[question.key]
        return np.array([0.0 if a == given else -np.inf for a in question.answers])


def _silenced(question: Question) -> Question:
    return Question(
        stimulus=None,
        task_name=question.task_name,
        wording=question.wording,
        reverse=question.reverse,
        text=question.text,
        waveform=np.zeros(_n_samples(question), np.float32),
    )


def _n_samples(question: Question) -> int:
    if question.stimulus is not None:
        return question.stimulus.n_samples
    assert question.waveform is not None
    return len(question.waveform)
