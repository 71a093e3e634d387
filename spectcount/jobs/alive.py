"""Signs of life: a lock held for life, and the process behind it.

Whoever starts a worker takes an exclusive `flock` on the run folder's `alive.lock` and lets the
worker inherit it, so there is no moment between start and death at which it is free; the system
releases it however the worker dies. The store's pid and process start time tell the worker from a
stray child that inherited the lock, and from a later process with the same pid.
"""

from __future__ import annotations

import fcntl
import os
import time

import psutil

from spectcount.errors import UserError
from spectcount.store import Run

_START_TOLERANCE_S = 1.0
_LOCK_TRIES = 5


def take_lock(run: Run) -> int | None:
    """The file descriptor of the run's lock, taken; None where another process holds it. A few
    tries, because `is_alive` elsewhere holds it for an instant."""
    run.folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(run.folder / "alive.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(
            f"{run.folder / 'alive.lock'} is no file that can be locked ({error.strerror}); remove "
            "it and resume the run"
        ) from None
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            time.sleep(0.02)
    os.close(descriptor)
    return None


def is_alive(run: Run) -> bool:
    """True while a worker of this run lives."""
    if not _locked(run):
        return False
    return run.pid is None or process(run) is not None


def process(run: Run) -> psutil.Process | None:
    """The run's worker process; None when it is gone, a zombie, or another's by now."""
    if run.pid is None:
        return None
    try:
        process = psutil.Process(run.pid)
        same = abs(process.create_time() - (run.pid_started_at or 0)) < _START_TOLERANCE_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _locked(run: Run) -> bool:
    try:
        descriptor = os.open(run.folder / "alive.lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
