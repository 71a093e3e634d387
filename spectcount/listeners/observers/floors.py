"""Floors: what a listener scores without listening.

A model that does not beat these has not heard anything; both stand beside every result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spectcount.listeners.base import Listener, Scores
from spectcount.listeners.observers.observer import Observer
from spectcount.trials import Question


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
