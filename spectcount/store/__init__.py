"""The store: runs, trials, metrics and events in one SQLite file.

Conventions: times are seconds since the epoch; `config`, `lineage`, `summary` and `coords` are
plain JSON data. A trial is one row whatever the number of runs that use it, unique by question
key and listener fingerprint; a run links to it, with the coords and the listener's name that it
has in that run. Readers that follow a run pass the last row they saw to `*_since` and get only
what is new.

Every call opens its own short connection (WAL, 30 s busy timeout), so one Store serves all
threads and any number of processes. A run belongs to who was acting when it was made; other
visitors neither see nor change it (`visitors`).
"""

from __future__ import annotations

import difflib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectcount import visitors
from spectcount.errors import UserError
from spectcount.store import schema
from spectcount.store.rows import (
    ACTIVE,
    ENDED,
    JSON_FIELDS,
    STATES,
    LogEvent,
    Metric,
    Pace,
    Run,
    metric_of,
    run_of,
    trial_of,
)
from spectcount.store.schema import SCHEMA_VERSION
from spectcount.trials import Trial

_ID_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_UPDATABLE = (
    "state",
    "reason",
    "started_at",
    "ended_at",
    "pid",
    "pid_started_at",
    "heartbeat_at",
    "stop_requested_at",
    "done",
    "total",
    "done_before",
    "rate",
    "config",
    "lineage",
    "summary",
)

_THEIRS = "(:visitor IS NULL OR runs.owner = :visitor)"
"""Only what the acting visitor may see."""
_OF_THEIRS = f"EXISTS (SELECT 1 FROM runs WHERE runs.id = :run AND {_THEIRS})"
_IN_ORDER = (
    "SELECT l.row AS row, t.body, l.listener, l.coords FROM run_trials AS l "
    "JOIN trials AS t ON t.row = l.trial WHERE l.run = :run AND l.row > :row AND l.row <= :last "
    f"AND {_OF_THEIRS} ORDER BY l.row"
)
_BY_KEY = (  # CROSS JOIN and +: walk the indexes of keys and of links, so that nothing is sorted
    "SELECT l.row AS row, t.body, l.listener, l.coords FROM trials AS t "
    "CROSS JOIN run_trials AS l ON l.run = :run AND l.trial = t.row WHERE "
    "t.fingerprint = :fingerprint AND l.listener = :listener AND +l.row <= :last "
    f"AND {_OF_THEIRS} ORDER BY t.key"
)
MAX_ROW = 2**63 - 1
Wanted = Callable[[str, Mapping[str, Any]], bool]
"""Whether a trial of a listener with these coords is wanted."""


def _everything(_listener: str, _coords: Mapping[str, Any]) -> bool:
    return True


class Store:
    """The store in the SQLite file `path`; run folders lie in `runs/` beside it."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise schema.unusable(self.path, error) from None
        self._writes = schema.prepare(self.path)

    @property
    def read_only(self) -> bool:
        """True where nothing can be written: runs can be looked at, none started or stopped."""
        return not (self._writes and schema.writable(self.path))

    def lost_runs(self) -> list[str]:
        """A sentence where `runs/` holds folders that the store does not list, as after its file
        was emptied or removed; else nothing."""
        folders = {folder.name for folder in (self.path.parent / "runs").glob("*/")}
        with self._connect() as db:
            n = len(folders - {row["id"] for row in db.execute("SELECT id FROM runs")})
        return [schema.lost(self.path, n)] if n else []

    # Runs

    def create_run(
        self,
        kind: str,
        config: Mapping[str, Any],
        lineage: Mapping[str, Any] | None = None,
        device: str = "cpu",
        state: str = "queued",
    ) -> Run:
        """A new run with its folder: queued for a worker, or `open` for a person."""
        now = time.time()
        while True:
            run_id = _new_id(kind, now)
            with self._write() as db:
                created = db.execute(
                    "INSERT OR IGNORE INTO runs (id, kind, device, state, config, lineage, "
                    "created_at, queued_at, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        run_id,
                        kind,
                        device,
                        state,
                        _dump(config),
                        _dump(lineage or {}),
                        now,
                        now,
                        visitors.owner(),
                    ),
                ).rowcount
            if created:
                run = self.run(run_id)
                run.folder.mkdir(parents=True, exist_ok=True)
                visitors.mark(run.folder, run.owner)
                return run

    def run(self, run_id: str) -> Run:
        """The run called `run_id`; an unknown one is refused with the nearest known."""
        if not isinstance(run_id, str) or not run_id.isprintable():
            raise UserError(f"{str(run_id)[:40]!r} is no run's id; list them with: runs list")
        with self._connect() as db:
            names = {"id": run_id, "visitor": visitors.acting()}
            row = db.execute(f"SELECT * FROM runs WHERE id = :id AND {_THEIRS}", names).fetchone()
            if row is not None:
                return run_of(row, self.path.parent)
            query = f"SELECT id FROM runs WHERE {_THEIRS} ORDER BY created_at DESC"
            ids = [r["id"] for r in db.execute(query, names)]
        near = difflib.get_close_matches(run_id, ids, n=1)
        hint = f"did you mean {near[0]}?" if near else "list them with: runs list"
        raise UserError(f"there is no run {run_id!r}; {hint}")

    def runs(self, kind: str | None = None, states: Sequence[str] = STATES) -> list[Run]:
        """Runs, newest first, of one kind or all, in any of `states`."""
        query = (
            f"SELECT * FROM runs WHERE (:kind IS NULL OR kind = :kind) AND {_THEIRS} "
            "AND state IN (SELECT value FROM json_each(:states)) ORDER BY created_at DESC, id DESC"
        )
        names = {
            "kind": kind,
            "states": json.dumps(list(states)),
            "visitor": visitors.acting(),
        }
        with self._connect() as db:
            return [run_of(r, self.path.parent) for r in db.execute(query, names)]

    def pace(self, kinds: Sequence[str] = (), run_id: str = "") -> Pace:
        """Progress of the runs of `kinds` (none given: all), closest of one, or of the newest of
        the first kind; of all runs, whatever any of them does."""
        names = {
            "kinds": json.dumps(list(kinds)),
            "first": kinds[0] if kinds else None,
            "run": run_id,
            "visitor": visitors.acting(),
            "active": json.dumps(["queued", *ACTIVE]),
        }
        of_kinds = (
            f"(:first IS NULL OR kind IN (SELECT value FROM json_each(:kinds))) AND {_THEIRS}"
        )
        active = "state IN (SELECT value FROM json_each(:active))"
        with self._connect() as db:
            sums = db.execute(
                "SELECT count(*), total(queued_at), total(started_at), total(ended_at), "
                "total(stop_requested_at), iif(:first IS NULL, total(done) + total(total), 0), "
                f"max({active}) FROM runs WHERE {of_kinds}",
                names,
            ).fetchone()
            if not kinds:
                return Pace(tuple(sums), bool(sums[-1]))
            near = db.execute(
                f"SELECT id, state, done, total, {active} FROM runs WHERE {of_kinds} "
                "AND iif(:run = '', kind = :first, id = :run) ORDER BY created_at DESC LIMIT 1",
                names,
            ).fetchone()
        return Pace((*tuple(sums)[:-1], *(near or ())), bool(near and near[-1]))

    def update(self, run_id: str, **fields: Any) -> None:
        """Set some of a run's fields."""
        self.transition(run_id, STATES, **fields)

    def transition(
        self,
        run_id: str,
        from_states: Sequence[str],
        attempt_at: float | None = None,
        **fields: Any,
    ) -> bool:
        """Set fields only if the run is in one of `from_states` (and, when given, still in the
        attempt that began at `attempt_at`), in one atomic step; whether it was."""
        unknown = set(fields) - set(_UPDATABLE)
        if unknown:
            raise ValueError(f"a run has no field {', '.join(sorted(unknown))} to update")
        sets = ", ".join(f"{name} = :{name}" for name in fields)
        values = {k: _dump(v) if k in JSON_FIELDS else v for k, v in fields.items()}
        query = (
            f"UPDATE runs SET {sets} WHERE id = :_id AND state IN "
            f"(SELECT value FROM json_each(:_states)) AND {_THEIRS} "
            "AND (:_at IS NULL OR started_at = :_at)"
        )
        keys = {
            "_id": run_id,
            "_states": json.dumps(list(from_states)),
            "_at": attempt_at,
            "visitor": visitors.acting(),
        }
        with self._write() as db:
            return db.execute(query, {**values, **keys}).rowcount == 1

    def claim(self, run_id: str) -> bool:
        """Take a queued run for this device's one place: state running, in one atomic step;
        False where another took it, or the device is taken."""
        with self._write() as db:
            return (
                db.execute(
                    "UPDATE runs SET state = 'running', reason = '', started_at = ?2, "
                    "heartbeat_at = ?2, ended_at = NULL, rate = NULL, "
                    "stop_requested_at = NULL, pid = NULL, pid_started_at = NULL "
                    "WHERE id = ?1 AND state = 'queued' AND NOT EXISTS "
                    "(SELECT 1 FROM runs AS other WHERE other.device = runs.device AND "
                    "other.state IN ('running', 'stopping'))",
                    (run_id, time.time()),
                ).rowcount
                == 1
            )

    def requeue(self, run_id: str, from_states: Sequence[str]) -> bool:
        """Put a run at the end of its queue again; False where its state is not one of
        `from_states`."""
        with self._write() as db:
            return (
                db.execute(
                    "UPDATE runs SET state = 'queued', reason = '', queued_at = :now, rate = NULL, "
                    "worked_s = worked_s + MAX(0, COALESCE(ended_at - started_at, 0)), "
                    f"ended_at = NULL, stop_requested_at = NULL WHERE id = :id AND {_THEIRS} "
                    "AND state IN (SELECT value FROM json_each(:states))",
                    {
                        "id": run_id,
                        "now": time.time(),
                        "states": json.dumps(list(from_states)),
                        "visitor": visitors.acting(),
                    },
                ).rowcount
                == 1
            )

    def queue(self) -> list[Run]:
        """Queued runs, first in first."""
        with self._connect() as db:
            rows = db.execute("SELECT * FROM runs WHERE state = 'queued' ORDER BY queued_at, id")
            return [run_of(r, self.path.parent) for r in rows]

    def request_stop(self, run_id: str) -> None:
        """Ask a run to stop: a queued one is stopped at once, a running one finishes its step."""
        now = time.time()
        reason = "stopped before it started"
        if self.transition(run_id, ["queued"], state="stopped", reason=reason, ended_at=now):
            return
        reason = "ended before its last question"
        if self.transition(run_id, ["open"], state="stopped", reason=reason, ended_at=now):
            return
        self.transition(run_id, ["running"], state="stopping", stop_requested_at=now)

    def delete_run(self, run_id: str) -> bool:
        """Delete an ended run with its links, metrics and events, and the trials that no other run
        has; False where it has not ended. Its folder stays."""
        names = {"run": run_id, "ended": json.dumps(list(ENDED)), "visitor": visitors.acting()}
        with self._write() as db:
            deleted = db.execute(
                f"DELETE FROM runs WHERE id = :run AND {_THEIRS} "
                "AND state IN (SELECT value FROM json_each(:ended))",
                names,
            ).rowcount
            if not deleted:
                return False
            db.execute(
                "DELETE FROM trials WHERE row IN (SELECT trial FROM run_trials WHERE run = :run) "
                "AND row NOT IN (SELECT trial FROM run_trials WHERE run != :run)",
                names,
            )
            for table in ("run_trials", "metrics", "events"):
                db.execute(f"DELETE FROM {table} WHERE run = :run", names)
        return True

    # Trials: the Ledger of context.py

    def known_trials(self, fingerprint: str, keys: Sequence[str]) -> dict[str, Trial]:
        """The trials that `fingerprint` has already answered, by question key."""
        query = (
            "SELECT key, body FROM trials WHERE fingerprint = ? "
            "AND key IN (SELECT value FROM json_each(?))"
        )
        with self._connect() as db:
            rows = db.execute(query, (fingerprint, json.dumps(list(keys)))).fetchall()
        return {row["key"]: trial_of(row["body"]) for row in rows}

    def add_trials(self, run_id: str, trials: Iterable[Trial]) -> None:
        """Store trials and link them, with their coords, to a run; neither happens twice."""
        with self._write() as db:
            for trial in trials:
                body = {k: v for k, v in asdict(trial).items() if k != "coords"}
                identity = (trial.fingerprint, trial.key)
                db.execute(
                    "INSERT OR IGNORE INTO trials (fingerprint, key, body) VALUES (?, ?, ?)",
                    (*identity, _dump(body)),
                )
                db.execute(
                    "INSERT OR IGNORE INTO run_trials (run, trial, listener, coords) "
                    "SELECT ?, row, ?, ? FROM trials WHERE fingerprint = ? AND key = ?",
                    (run_id, trial.listener, _dump(trial.coords), *identity),
                )

    def trials(self, run_id: str) -> list[Trial]:
        """Every trial linked to a run, in the order of linking."""
        return self.trials_since(run_id, 0)[1]

    def trials_since(
        self, run_id: str, row: int = 0, last_row: int = MAX_ROW
    ) -> tuple[int, list[Trial]]:
        """Trials linked after `row`, up to `last_row`: (last row now, trials)."""
        names = {"run": run_id, "row": row, "last": last_row, "visitor": visitors.acting()}
        trials = []
        with self._connect() as db:
            for link in db.execute(_IN_ORDER, names):
                row, body, listener, coords = link
                trials.append(trial_of(body, listener=listener, coords=json.loads(coords)))
        return row, trials

    def each_trial(
        self, run_id: str, last_row: int, wanted: Wanted = _everything
    ) -> Iterator[Trial]:
        """The trials that `trials_since` gives, one at a time and none of them held: those whose
        listener and coords are `wanted`. The connection is closed after the last."""
        names = {"run": run_id, "row": 0, "last": last_row, "visitor": visitors.acting()}
        yield from self._each(_IN_ORDER, names, wanted)

    def each_trial_by_key(
        self, run_id: str, last_row: int, listener: str, fingerprint: str
    ) -> Iterator[Trial]:
        """The trials of one listener in the order of their questions' keys, one at a time."""
        names = {
            "run": run_id,
            "last": last_row,
            "listener": listener,
            "fingerprint": fingerprint,
            "visitor": visitors.acting(),
        }
        yield from self._each(_BY_KEY, names, _everything)

    def _each(self, query: str, names: Mapping[str, Any], wanted: Wanted) -> Iterator[Trial]:
        with self._connect() as db:
            for _, body, listener, text in db.execute(query, names):
                coords = json.loads(text)
                if wanted(listener, coords):
                    yield trial_of(body, packed=False, listener=listener, coords=coords)

    def n_trials_since(self, run_id: str, row: int = 0) -> tuple[int, int]:
        """(Last row now, how many trials were linked to a run after `row`): what tells a page
        whether there is something new, without reading any."""
        query = (
            "SELECT COALESCE(MAX(row), :row), COUNT(*) FROM run_trials "
            f"WHERE run = :run AND row > :row AND {_OF_THEIRS}"
        )
        with self._connect() as db:
            names = {"run": run_id, "row": row, "visitor": visitors.acting()}
            last, n = db.execute(query, names).fetchone()
        return int(last), int(n)

    # Metrics and events

    def add_metrics(self, run_id: str, step: int, values: Mapping[str, float]) -> None:
        """Store the numbers of one step; a step done again after a resume replaces its numbers."""
        now = time.time()
        with self._write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO metrics (run, step, name, value, at) "
                "VALUES (?, ?, ?, ?, ?)",
                [(run_id, int(step), name, float(value), now) for name, value in values.items()],
            )

    def metrics_since(self, run_id: str, row: int = 0) -> tuple[int, list[Metric]]:
        """Metrics stored after `row`: (last row now, metrics)."""
        query = (
            f"SELECT * FROM metrics WHERE run = :run AND row > :row AND {_OF_THEIRS} ORDER BY row"
        )
        rows = self._since(query, run_id, row)
        return (rows[-1]["row"] if rows else row), [metric_of(r) for r in rows]

    def add_event(self, run_id: str, message: str) -> None:
        """Store one line that a run said."""
        with self._write() as db:
            db.execute(
                "INSERT INTO events (run, at, message) VALUES (?, ?, ?)",
                (run_id, time.time(), message),
            )

    def events_since(self, run_id: str, row: int = 0) -> tuple[int, list[LogEvent]]:
        """Events stored after `row`: (last row now, events)."""
        query = (
            f"SELECT * FROM events WHERE run = :run AND row > :row AND {_OF_THEIRS} ORDER BY row"
        )
        rows = self._since(query, run_id, row)
        return (rows[-1]["row"] if rows else row), [LogEvent(r["at"], r["message"]) for r in rows]

    def _since(self, query: str, run_id: str, row: int) -> list[sqlite3.Row]:
        with self._connect() as db:
            names = {"run": run_id, "row": row, "visitor": visitors.acting()}
            return db.execute(query, names).fetchall()

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(schema.connect(self.path, self._writes)) as db:
                db.row_factory = sqlite3.Row
                db.execute("PRAGMA synchronous = NORMAL")
                yield db
        except sqlite3.DatabaseError as error:
            raise schema.unusable(self.path, error) from None

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one immediate transaction."""
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


def _new_id(kind: str, now: float) -> str:
    """Kind, local date and time, four letters that cannot be misread."""
    letters = "".join(secrets.choice(_ID_LETTERS) for _ in range(4))
    return f"{kind}-{time.strftime('%m%d-%H%M%S', time.localtime(now))}-{letters}"


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    """NumPy values, paths and result classes as plain data; anything else is a defect."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")
