"""The RunContext of a worker: progress, stop flag, metrics and log over the store."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

from spectcount.context import Ledger
from spectcount.errors import UserError
from spectcount.store import Run, Store

_WRITE_EVERY_S = 0.3
_RATE_OVER_S = 30.0
_SUDDEN = 4.0
"""Work that goes on this many times slower is of another kind: nothing before it tells its rate."""
_LOOK_EVERY_S = 0.3


class Pace:
    """The present rate of some work, from its last half minute. What was known already passes at
    once, and loading takes no part in it: the rate is that of the work that is left."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def rate(self, now: float, done: int) -> float | None:
        """Units a second at `now`, when `done` are done; None before two looks at it."""
        marks = self._marks
        if len(marks) > 2 and done > marks[-1][1]:
            before = _slope(*marks[0], *marks[-1])
            if _slope(*marks[-1], now, done) * _SUDDEN < before:
                self._marks = marks = deque([marks[-1]])
        marks.append((now, done))
        while len(marks) > 2 and now - marks[1][0] > _RATE_OVER_S:
            marks.popleft()
        return _slope(*marks[0], now, done) or None if len(marks) > 1 else None


def _slope(from_s: float, from_done: int, to_s: float, to_done: int) -> float:
    return (to_done - from_done) / max(to_s - from_s, 1e-6)


class JobContext:
    """One run, seen from inside its worker; see `spectcount.context.RunContext`. Progress is
    written, and the stop flag read, a few times a second at most."""

    def __init__(self, run: Run, store: Store) -> None:
        self.run_id = run.id
        self.kind = run.kind
        self.config = run.config
        self.lineage = run.lineage
        self.listeners = run.listeners
        self.folder: Path = run.folder
        self.ledger: Ledger = store
        self._store = store
        self._written_at = 0.0
        self._looked_at = 0.0
        self._pace = Pace()
        self.stop_seen = False

    def progress(self, done: int, total: int) -> None:
        """Report how far the work is; also the heartbeat."""
        now = time.time()
        rate = self._pace.rate(now, done)
        if done < total and now - self._written_at < _WRITE_EVERY_S:
            return
        first = {} if self._written_at else {"done_before": int(done)}
        self._written_at = now
        self._store.update(
            self.run_id, done=int(done), total=int(total), heartbeat_at=now, rate=rate, **first
        )

    def should_stop(self) -> bool:
        """True once somebody asked for a stop. Raises `UserError` where the run's folder is gone:
        with its lock others take the run for interrupted, and what it makes has no place."""
        now = time.time()
        if not self.stop_seen and now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            if not self.folder.is_dir():
                raise UserError(
                    f"the run's folder {self.folder} was removed while it worked; answers so far "
                    "are in the store: resume the run to go on"
                )
            self.stop_seen = self._store.run(self.run_id).state != "running"
        return self.stop_seen

    def metric(self, step: int, name: str, value: float) -> None:
        """One number of a learning curve."""
        self._store.add_metrics(self.run_id, step, {name: value})

    def log(self, message: str) -> None:
        """One line for the run's log and its events."""
        print(time.strftime("%H:%M:%S"), message, flush=True)
        self._store.add_event(self.run_id, message)
