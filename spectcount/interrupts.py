"""Signals that end a command: Ctrl-C, a polite kill, a terminal that closes.

Conventions: the exit code is 128 + the signal's number, and what is printed are sentences. While
Python imports there is nothing to lose, and the process ends at once. Later the first signal raises
`KeyboardInterrupt`, so that what is being written is cleaned up, and a second one ends the process
at once. A signal that the parent has switched off (nohup, a script's `&`) stays switched off.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
_FATAL = 128
_Handler = Callable[[int, FrameType | None], None]

_received: list[int] = []
_hints: list[str] = []


def at_once() -> None:
    """From now on a signal ends the process at once, with one word."""
    _handle(lambda number, frame: _end(number))


def gently() -> None:
    """From now on the first signal raises `KeyboardInterrupt`, a second ends the process."""
    _handle(_raise)


def as_usual() -> None:
    """The system's own way for all: a worker is settled by whoever looks after it."""
    _handle(signal.SIG_DFL)


def finish() -> None:
    """The command has ended: with its exit code where a signal ended it, past what Python would
    still tidy up; else no signal changes any more what it did."""
    number = exit_code()
    if number is None:
        _handle(signal.SIG_IGN)
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(number)


def hint(words: str) -> None:
    """Set the words for a command that a signal ends: how to go on; an empty text takes it back."""
    _hints[:] = [words] if words else []


def exit_code(error: BaseException | None = None) -> int | None:
    """The exit code of a command that a signal ended; None where none came."""
    number = _received[0] if _received else None
    seen = isinstance(error, SystemExit) and error.code == _FATAL + signal.SIGINT  # by typer
    if number is None and (seen or isinstance(error, KeyboardInterrupt)):
        number = signal.SIGINT
    return None if number is None else _FATAL + number


def words() -> str:
    """The words at the end of an interrupted command."""
    return _hints[0] if _hints else "stopped; run the command again to start anew"


def _raise(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    if len(_received) > 1:
        _end(number)
    raise KeyboardInterrupt


def _end(number: int) -> None:
    with contextlib.suppress(OSError):
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"stopped\n")
    os._exit(_FATAL + number)


def _handle(handler: _Handler | signal.Handlers) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
