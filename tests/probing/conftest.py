"""A ledger in memory, a run without a worker, and listeners whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectcount.listeners.base import Scores
from spectcount.trials import normalise


class MemoryLedger:
    """Trials by (fingerprint, key), links by run."""

    def __init__(self):
        self.known, self.links = {}, {}

    def known_trials(self, fingerprint, keys):
        return {k: self.known[fingerprint, k] for k in keys if (fingerprint, k) in self.known}

    def add_trials(self, run_id, trials):
        for trial in trials:
            self.known.setdefault((trial.fingerprint, trial.key), trial)
            self.links.setdefault(run_id, []).append(trial)

    def trials(self, run_id):
        return list(self.links.get(run_id, []))


@dataclass
class Context:
    """A run whose progress and log are kept; it stops once `stop_after` trials are done."""

    config: dict[str, Any]
    ledger: Any = field(default_factory=MemoryLedger)
    run_id: str = "run"
    folder: Path = Path()
    stop_after: int | None = None
    done: list[int] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def progress(self, done, total):
        assert done <= total
        self.done.append(done)

    def should_stop(self):
        return self.stop_after is not None and bool(self.done) and self.done[-1] >= self.stop_after

    def metric(self, step, name, value):
        raise AssertionError("a probe has no learning curve")

    def log(self, message):
        self.logged.append(message)


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
