"""Turns at the model: the most urgent goes first, of the equally urgent who came first.

Conventions: a smaller priority is more urgent; a turn is one batch, so that nobody waits longer
than one batch of somebody less urgent takes.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Who may compute now. Thread-safe."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: set[tuple[int, int]] = set()
        self._busy = False

    @contextmanager
    def take(self, priority: int, check: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Wait for a turn and hold it while open. `check` raises where it is not wanted any more;
        it is called when the turn has come, and after every `wake`."""
        with self._condition:
            ticket = (priority, next(self._numbers))
            self._waiting.add(ticket)
            try:
                while self._busy or min(self._waiting) != ticket:
                    self._condition.wait()
                    check()
                check()
                self._busy = True
            finally:
                self._waiting.remove(ticket)
                self._condition.notify_all()
        try:
            yield
        finally:
            with self._condition:
                self._busy = False
                self._condition.notify_all()

    def wake(self) -> None:
        """Let everybody who waits look whether the turn is still wanted."""
        with self._condition:
            self._condition.notify_all()
