"""Executors: where a worker process is started. One executor per file."""

from __future__ import annotations

from typing import Protocol

from spectcount.settings import Settings
from spectcount.store import Run


class Executor(Protocol):
    """Starts workers and tells what became of them."""

    def start(self, run: Run, settings: Settings, lock: int) -> int:
        """Start the worker of `run`, which inherits the file descriptor `lock`; its pid."""

    def exit_code(self, pid: int) -> int | None:
        """The exit code of a dead worker of this process (negative: the signal); None where it
        is not known here."""
