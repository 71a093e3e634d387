"""Rates: how much one visitor, and all together, may ask of a public page.

*Conventions*: an allowance fills at `per_s` units a second up to `burst`; asking for more than is
there is refused with the time to wait. Counts are kept in this process, for the visitors seen last.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from spectcount import visitors
from spectcount.errors import UserError

_KEPT = 10_000


class TooMany(UserError):
    """An allowance is used up."""


ALL = ""
"""The visitor that stands for all together."""


@dataclass(frozen=True)
class Rate:
    """An allowance of one visitor, and of all together (`all_per_s`, `all_burst`)."""

    words: str
    per_s: float
    burst: float
    all_per_s: float = math.inf
    all_burst: float = math.inf


DEMO_RATES = {
    "get": Rate("page requests", 40, 200, 400, 2000),
    "post": Rate("requests", 20, 60, 200, 600),
    "events": Rate("button presses", 1, 12, 20, 80),
    "arrivals": Rate("new visitors", 2, 60),
    "upload_mb": Rate("MB of uploads", 50 / 3600, 30, 500 / 3600, 300),
    "asks": Rate("questions to a model", 0.5, 30, 4, 120),
    "strip_points": Rate("answers of response strips", 10, 700, 40, 2800),
    "sounds": Rate("rendered sounds", 10, 40, 40, 160),
    "exports": Rate("exported files", 1 / 20, 6, 1, 30),
}


class Rates:
    """Token buckets by visitor and kind; without `rates` nothing is limited. Thread-safe."""

    def __init__(
        self, rates: Mapping[str, Rate] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rates = rates or {}
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def spend(self, visitor: str, kind: str, units: float = 1.0) -> None:
        """Take `units` from a visitor's allowance and from that of all; raises `TooMany` with
        the time to wait where either is used up."""
        rate = self._rates.get(kind)
        if rate is None:
            return
        with self._lock:
            self._take(visitor, kind, units, rate.per_s, rate.burst, f"you may have {rate.words}")
            if math.isfinite(rate.all_burst):
                words = f"all visitors together may have {rate.words}"
                self._take(ALL, kind, units, rate.all_per_s, rate.all_burst, words)

    def forget(self) -> None:
        """Fill every allowance."""
        with self._lock:
            self._buckets.clear()

    def _take(
        self, who: str, kind: str, units: float, per_s: float, burst: float, words: str
    ) -> None:
        now = self._clock()
        left, since = self._buckets.pop((who, kind), (burst, now))
        left = min(burst, left + (now - since) * per_s)
        enough = left >= units
        self._buckets[who, kind] = (left - units if enough else left, now)
        while len(self._buckets) > _KEPT:
            self._buckets.popitem(last=False)
        if not enough:
            wait_s = math.ceil((units - left) / per_s)
            raise TooMany(
                f"{words}: {burst:g} at once and {_per(per_s)} on this public page; wait {wait_s} "
                "s, or run a copy of your own"
            )


PUBLIC = Rates(DEMO_RATES)
"""The allowances of this process's public page."""


def spend(kind: str, units: float = 1.0) -> None:
    """Take from the allowance of the visitor who is acting; on one's own machine nothing is
    counted."""
    visitor = visitors.acting()
    if visitor is not None:
        PUBLIC.spend(visitor, kind, units)


def _per(per_s: float) -> str:
    """A rate in words: per second, minute or hour, whichever gives whole numbers."""
    for seconds, word in ((1, "second"), (60, "minute"), (3600, "hour")):
        if per_s * seconds >= 1:
            return f"{per_s * seconds:g} a {word}"
    return f"{per_s * 86400:g} a day"
