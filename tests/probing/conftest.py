"""A ledger in memory, a run without a worker, and listeners whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from spectcount.listeners.base import Scores
from spectcount.trials import normalise
from tests.ledger import Context


class DeafAbove:
    """Counts the events below `limit_hz` without error; keeps every key it was asked."""

    def __init__(self, limit_hz=1e9, name=None):
        self.limit_hz, self.asked = limit_hz, []
        self.name = self.fingerprint = name or f"deaf-above-{limit_hz:g}"

    def score(self, questions):
        assert len({q.task_name for q in questions}) == 1
        assert len({q.stimulus.n_samples for q in questions}) == 1
        self.asked += [q.key for q in questions]
        rows = [self._log_probs(q) for q in questions]
        return Scores(normalise(np.array(rows)), np.ones(len(rows)))

    def reply(self, question):
        yield question.answers[int(np.argmax(self._log_probs(question)))]

    def _log_probs(self, question):
        n = sum(e.frequency_hz < self.limit_hz for e in question.stimulus.events)
        said = ("yes" if n else "no") if question.task_name == "detect" else str(n)
        return [0.0 if a == said else -8.0 for a in question.answers]


@pytest.fixture
def context():
    return Context


@pytest.fixture
def deaf():
    return DeafAbove
