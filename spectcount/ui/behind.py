"""Work that takes longer than a page may wait, done behind it once for all pages.

Conventions: a *view* is what somebody looks at (a run, a listener, a measure), its *stamp* the
state of the trials that it is made of. Of each view the newest is kept, and one is made at a time;
states that come meanwhile are passed over.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 0.3
"""How long a page waits for what is quickly made."""
KEPT_VIEWS = 12


@dataclass(frozen=True)
class Made:
    """The value made of a view, and the state of the trials that it was made of."""

    stamp: Any
    value: Any


class Behind:
    """The newest of each view. Thread-safe."""

    def __init__(self, name: str) -> None:
        self._maker = ThreadPoolExecutor(1, name)
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, Made] = OrderedDict()
        self._under_way: dict[Hashable, Future[Made]] = {}
        self._n_made = 0

    @property
    def at_work(self) -> tuple[bool, int]:
        """True while something is being made, and the number of things made so far."""
        with self._lock:
            return any(not future.done() for future in self._under_way.values()), self._n_made

    def newest(self, view: Hashable, stamp: Hashable, make: Callable[[], Any]) -> Made | None:
        """The newest value of a view; None before it is first made. Where that is of another state
        than `stamp` it is made anew; who asks first waits `PATIENCE_S` for it.
        Raises what `make` raised."""
        with self._lock:
            under_way = self._collect(view)
            ready, begun = self._made.get(view), None
            if under_way is None and (ready is None or ready.stamp != stamp):
                begun = self._under_way[view] = self._maker.submit(self._make, stamp, make)
        if begun is not None:
            wait([begun], PATIENCE_S)
            with self._lock:
                self._collect(view)
                ready = self._made.get(view)
        return ready

    def _make(self, stamp: Hashable, make: Callable[[], Any]) -> Made:
        try:
            return Made(stamp, make())
        finally:
            with self._lock:
                self._n_made += 1

    def _collect(self, view: Hashable) -> Future[Made] | None:
        """Keep what is ready of a view; what is not."""
        future = self._under_way.get(view)
        if future is None or not future.done():
            return future
        del self._under_way[view]
        self._made[view] = future.result()
        self._made.move_to_end(view)
        while len(self._made) > KEPT_VIEWS:
            self._made.popitem(last=False)
        return None
