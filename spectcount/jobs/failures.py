"""Failures of work, each in one sentence that a user can act on."""

from __future__ import annotations

import errno
import signal
import sqlite3

from spectcount.errors import UserError
from spectcount.store import Run

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")


def reason_of(error: BaseException) -> str:
    """One sentence for an exception that ended a run's work."""
    text = " ".join(str(error).split())
    if isinstance(error, UserError):
        return text
    if _is_out_of_memory(error, text):
        return f"out of memory; lower the batch size or the clip's duration ({text[:160]})"
    if _is_disk_full(error, text):
        return "the disk is full; free some space, then resume"
    if isinstance(error, FloatingPointError):
        return f"not a number: {text}; lower the learning rate"
    return f"{type(error).__name__}: {text[:300] or 'no message'} (traceback in the log)"


def reason_of_death(run: Run, exit_code: int | None) -> str:
    """One sentence for a worker that died without a word of its own."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        cause = f"was killed by {name}"
        if name == "SIGKILL":
            cause += " (by hand, or by the system for want of memory)"
    elif exit_code:
        cause = f"ended with exit code {exit_code} ({run.log_tail(1)[:200].strip()})"
    else:
        cause = "is gone (killed, out of memory, or the machine was restarted)"
    return f"its worker (pid {run.pid}) {cause} at {run.done} of {run.total}; resume to go on"


def _is_out_of_memory(error: BaseException, text: str) -> bool:
    """By name and words: torch is not imported here."""
    named = type(error).__name__ == "OutOfMemoryError"
    worded = isinstance(error, RuntimeError) and any(w in text.lower() for w in _MEMORY_WORDS)
    return isinstance(error, MemoryError) or named or worded or _errno(error) == errno.ENOMEM


def _is_disk_full(error: BaseException, text: str) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return "disk is full" in text
    worded = "No space left on device" in text
    return worded or _errno(error) in (errno.ENOSPC, errno.EDQUOT)


def _errno(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None
