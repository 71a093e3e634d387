"""What the observers share: listeners that are a formula, not a model.

*Conventions*: an observer can say nothing outside the closed set, so its probability mass is 1;
its reply is its most probable answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from spectcount.listeners.base import Scores
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
