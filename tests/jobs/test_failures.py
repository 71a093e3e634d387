"""Reasons: whatever ends a run becomes a sentence to act on."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from spectcount.errors import UserError
from spectcount.jobs.failures import reason_of, reason_of_death
from spectcount.store import Store


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UserError("n=9 is above 8; lower it"), "n=9 is above 8; lower it"),
        (MemoryError(), "out of memory; lower"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory; lower"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory; lower"),
        (OSError(errno.ENOMEM, "Cannot allocate"), "out of memory; lower"),
        (OSError(errno.ENOSPC, "No space left"), "the disk is full; free"),
        (sqlite3.OperationalError("database or disk is full"), "the disk is full; free"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (FloatingPointError("the loss is nan at step 3"), "not a number: the loss is nan"),
        (RuntimeError("shapes\n differ"), "RuntimeError: shapes differ (traceback in the log)"),
        (sqlite3.OperationalError("no such table"), "OperationalError: no such table"),
        (KeyError(), "KeyError: no message"),
    ],
)
def test_errors_become_sentences(error, words):
    assert reason_of(error).startswith(words)


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (-9, "was killed by SIGKILL (by hand, or by the system for want of memory) at 3 of 9"),
        (-11, "was killed by SIGSEGV at 3 of 9"),
        (1, "ended with exit code 1 (OSError: last line) at 3 of 9"),
        (None, "is gone (killed, out of memory, or the machine was restarted) at 3 of 9"),
    ],
)
def test_deaths_become_sentences(tmp_path, exit_code, words):
    store = Store(tmp_path / "s.sqlite")
    run = store.create_run("tune", {})
    run.log_path.write_text("line\nOSError: last line\n")
    store.update(run.id, pid=77, done=3, total=9)
    reason = reason_of_death(store.run(run.id), exit_code)
    assert reason == f"its worker (pid 77) {words}; resume to go on"
