"""The RunContext of a worker: progress, stop flag, metrics and log over the store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from spectcount.context import Ledger
from spectcount.store import Run, Store

_WRITE_EVERY_S = 0.3
_LOOK_EVERY_S = 0.3


class JobContext:
    """One run, seen from inside its worker; see `spectcount.context.RunContext`. Progress is
    written, and the stop flag read, a few times a second at most."""

    def __init__(self, run: Run, store: Store) -> None:
        self.run_id = run.id
        self.config: dict[str, Any] = run.config
        self.lineage: dict[str, Any] = run.lineage
        self.folder: Path = run.folder
        self.ledger: Ledger = store
        self._store = store
        self._written_at = 0.0
        self._looked_at = 0.0
        self.stop_seen = False

    def progress(self, done: int, total: int) -> None:
        """Report how far the work is; also the heartbeat."""
        now = time.time()
        if done < total and now - self._written_at < _WRITE_EVERY_S:
            return
        first = {} if self._written_at else {"done_before": int(done)}
        self._written_at = now
        self._store.update(self.run_id, done=int(done), total=int(total), heartbeat_at=now, **first)

    def should_stop(self) -> bool:
        """True once somebody asked for a stop."""
        now = time.time()
        if not self.stop_seen and now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            self.stop_seen = self._store.run(self.run_id).state != "running"
        return self.stop_seen

    def metric(self, step: int, name: str, value: float) -> None:
        """One number of a learning curve."""
        self._store.add_metrics(self.run_id, step, {name: value})

    def log(self, message: str) -> None:
        """One line for the run's log and its events."""
        print(time.strftime("%H:%M:%S"), message, flush=True)
        self._store.add_event(self.run_id, message)
