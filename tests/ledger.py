"""A ledger in memory and a run without a worker, for what asks questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar


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
    """A run whose progress and log are kept; it stops once `stop_after` questions are done."""

    config: dict[str, Any]
    kind: ClassVar[str] = "probe"
    lineage: ClassVar[dict[str, Any]] = {}
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
        raise AssertionError("asking has no learning curve")

    def log(self, message):
        assert message
        self.logged.append(message)
