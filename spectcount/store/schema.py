"""The store's tables: made, brought up to date, and saved from a damaged file.

A store that is no database, or a broken one, is never overwritten: it is set aside under another
name, a new one is made, and every row that can still be read is copied into it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from spectcount.errors import UserError

SCHEMA_VERSION = 2
BUSY_S = 30.0
"""How long a call waits for another process that writes."""
WAIT_SAID_S = 2.0
"""How long a call waits without a word."""
_TABLES = {
    "runs": """
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, device TEXT NOT NULL, state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '', config TEXT NOT NULL, lineage TEXT NOT NULL,
    summary TEXT NOT NULL DEFAULT 'null', created_at REAL NOT NULL, queued_at REAL NOT NULL,
    started_at REAL, ended_at REAL, stop_requested_at REAL, heartbeat_at REAL,
    pid INTEGER, pid_started_at REAL,
    done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,
    done_before INTEGER NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '',
    rate REAL, worked_s REAL NOT NULL DEFAULT 0""",
    "trials": """
    row INTEGER PRIMARY KEY, key TEXT NOT NULL, fingerprint TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (fingerprint, key)""",
    "run_trials": """
    row INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, trial INTEGER NOT NULL,
    listener TEXT NOT NULL, coords TEXT NOT NULL, UNIQUE (run, trial, coords)""",
    "metrics": """
    row INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, step INTEGER NOT NULL,
    name TEXT NOT NULL, value REAL, at REAL NOT NULL, UNIQUE (run, name, step)""",
    "events": """
    row INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, at REAL NOT NULL,
    message TEXT NOT NULL""",
}
_INDEXES = {
    "runs_by_state": "runs (state, device, queued_at)",
    "run_trials_by_run": "run_trials (run, row)",
    "metrics_by_run": "metrics (run, row)",
    "events_by_run": "events (run, row)",
}
_MIGRATIONS = {
    1: (
        "ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE runs ADD COLUMN rate REAL",
        "ALTER TABLE runs ADD COLUMN worked_s REAL NOT NULL DEFAULT 0",
    )
}
"""Schema version -> what makes the next one of it."""


def prepare(path: Path) -> bool:
    """Make the store's file ready: made, brought up to date, or saved from damage; whether it can
    be written. A home that cannot be, or whose disk is full, is left as it is. Raises `UserError`
    for a file that is no place for a store or was written by a newer release."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, the store is a file; rename it, or give another home")
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no file (a pipe or a device); rename it, or give another home")
    if not writable(path):
        return False
    # Folders first: other processes that open a fresh store at the same time may add some later.
    n_folders = len(list((path.parent / "runs").glob("*/")))
    empty = not path.exists() or path.stat().st_size == 0
    try:
        with _said_after(WAIT_SAID_S, _waiting(path)):
            _bring_up(path)
        if empty and n_folders:
            print(lost(path, n_folders), file=sys.stderr, flush=True)
    except sqlite3.OperationalError as error:
        if not _readable_still(path):
            raise unusable(path, error) from None
        print(f"{unusable(path, error)}. Runs can be looked at, nothing else.", file=sys.stderr)
        return False
    except sqlite3.DatabaseError as error:
        try:
            _save(path, error)
        except OSError as refused:
            raise unusable(path, refused) from None
    return True


@contextlib.contextmanager
def _said_after(seconds: float, sentence: str) -> Iterator[None]:
    """Print a sentence on stderr where what is done inside takes longer than `seconds`."""
    timer = threading.Timer(seconds, print, (sentence,), {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _readable_still(path: Path) -> bool:
    """True where a store that cannot be written, say for a full disk, can be read as it stands."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(connect(path, False)) as db:
        _check_columns(db)
        return bool(db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION)
    return False


def writable(path: Path) -> bool:
    """True where the store's file and its folder may be written."""
    places = [path.parent, *([path] if path.exists() else [])]
    return all(os.access(place, os.W_OK) for place in places)


def connect(path: Path, writes: bool = True) -> sqlite3.Connection:
    """A connection; one that only reads where the home cannot be written."""
    if writes and writable(path):
        return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, isolation_level=None)


def unusable(path: Path, error: Exception) -> UserError:
    """The error about a store that does not answer."""
    return UserError(
        f"the store {path} cannot be used ({error}); free its disk or its lock, or give another "
        "home with --home"
    )


def _waiting(path: Path) -> str:
    return f"waiting for the store {path}, which another program holds: {BUSY_S:g} s at most"


def lost(path: Path, n_runs: int) -> str:
    """The warning about run folders that a store does not list."""
    return (
        f"runs/ holds {n_runs} folder(s) that the store {path} does not list, as after its file "
        "was emptied or removed. What lies in them is as it was, but these runs and their answers "
        "are not shown; put a copy of the store back, or move the folders elsewhere."
    )


def _bring_up(path: Path) -> None:
    with contextlib.closing(connect(path)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION and not _is_ours(db):
            raise sqlite3.DatabaseError("it is another application's, without a table of runs")
        if version > SCHEMA_VERSION:
            raise UserError(
                f"{path} was written by a newer release (schema {version}, this one knows "
                f"{SCHEMA_VERSION}); upgrade, or give another home folder"
            )
        if version < SCHEMA_VERSION:
            _patiently(db, "PRAGMA journal_mode = WAL")
            _upgrade(db, path)
        _check_columns(db)


def _is_ours(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone())


def _patiently(db: sqlite3.Connection, statement: str) -> None:
    """A change of journal mode does not wait for other processes by itself."""
    end = time.monotonic() + BUSY_S
    while True:
        try:
            db.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.05)


def _upgrade(db: sqlite3.Connection, path: Path) -> None:
    """In one transaction; who comes second finds it done."""
    db.execute("BEGIN IMMEDIATE")
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        known = [row[0] for row in db.execute("SELECT name FROM sqlite_master")]
        if version == 0 and "runs" in known:
            raise sqlite3.DatabaseError("its tables carry no version")
        for statement in _made() if version == 0 else _newer(version):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _made() -> Iterator[str]:
    yield from (f"CREATE TABLE IF NOT EXISTS {name} ({body})" for name, body in _TABLES.items())
    yield from (f"CREATE INDEX IF NOT EXISTS {name} ON {on}" for name, on in _INDEXES.items())


def _newer(version: int) -> Iterator[str]:
    for step in range(version, SCHEMA_VERSION):
        yield from _MIGRATIONS[step]


def _check_columns(db: sqlite3.Connection) -> None:
    """Raise `sqlite3.DatabaseError` where a table lacks what this release reads."""
    for table, body in _TABLES.items():
        missing = set(_columns(body)) - {
            row[1] for row in db.execute(f"PRAGMA table_info({table})")
        }
        if missing:
            raise sqlite3.DatabaseError(f"{table} lacks {', '.join(sorted(missing))}")
        db.execute(f"SELECT * FROM {table} ORDER BY rowid DESC LIMIT 1").fetchall()


def _columns(body: str) -> list[str]:
    parts = [part.split() for part in body.split(",")]
    return [
        words[0] for words in parts if len(words) > 1 and words[1] in ("TEXT", "REAL", "INTEGER")
    ]


def _save(path: Path, error: Exception) -> None:
    """Set the damaged file aside, copy what can be read of it; one process at a time."""
    with (path.parent / "store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(sqlite3.DatabaseError):
            _bring_up(path)
            return
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%m%d-%H%M%S')}")
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
        _bring_up(path)
        n_rows = _salvage(aside, path)
    print(
        f"the store {path} was damaged ({error}); it was set aside as {aside.name}, and {n_rows} "
        "rows that could be read are in the new one. The folders in runs/ are as they were.",
        file=sys.stderr,
        flush=True,
    )


def _salvage(damaged: Path, path: Path) -> int:
    """Copy every row that can be read; how many."""
    n_rows = 0
    with (
        tempfile.TemporaryDirectory(dir=path.parent) as folder,
        contextlib.closing(connect(path)) as new,
        contextlib.closing(sqlite3.connect(_copy(damaged, Path(folder)))) as old,
    ):
        for table, body in _TABLES.items():
            names = _columns(body)
            marks = ", ".join("?" * len(names))
            insert = f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})"
            new.execute("BEGIN IMMEDIATE")
            for row in _readable(old, table):
                with contextlib.suppress(sqlite3.DatabaseError):
                    new.execute(insert, [row.get(name, _usual(body, name)) for name in names])
                    n_rows += 1
            new.execute("COMMIT")
    return n_rows


def _copy(damaged: Path, folder: Path) -> Path:
    """A copy to read from, filled up with empty pages: SQLite reads nothing of a file that is
    shorter than its header says."""
    data = damaged.read_bytes()
    size = int.from_bytes(data[16:18], "big") * int.from_bytes(data[28:32], "big")
    copy = folder / "store"
    copy.write_bytes(data + bytes(max(0, min(size, 2 * len(data)) - len(data))))
    log = damaged.with_name(f"{damaged.name}-wal")
    if log.exists():
        shutil.copy(log, folder / "store-wal")
    return copy


def _usual(body: str, name: str) -> object:
    """Value of a column that an older file does not have."""
    words = next(part.split() for part in body.split(",") if part.split()[0] == name)
    value = words[-1] if "DEFAULT" in words else None
    return value.strip("'") if value else None


def _readable(db: sqlite3.Connection, table: str) -> Iterator[dict[str, object]]:
    """Rows up to the first that is broken, then from the other end."""
    seen: set[object] = set()
    for order in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.DatabaseError):
            rows = db.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid {order}")
            names = [column[0] for column in rows.description]
            for row in rows:
                if row[0] in seen:
                    break
                seen.add(row[0])
                yield dict(zip(names[1:], row[1:], strict=True))
