"""Map -> weak regions: where a listener falls short, ranked and put in words.

Conventions: cells, and squares of up to three by three cells, are held against the criterion
(`shortfall`), with Benjamini & Hochberg's (1995) control of the false-discovery rate at
`Criterion.q` over all of them, so that a listener at the criterion or better everywhere has a
region in that share of maps; then, at the same rate, the cells of the squares that are low. Cells
where even the ideal observer falls short are not tested. Weak cells that touch form one region.
A region of a map is *suspected*: its cells were chosen for being low, so the map gives no estimate
of how low they are. New questions (`confirm`) make it *confirmed* or *not confirmed*, and give the
estimate. Cells are (x, y); ranges are in the design's own parameters: `frequency_hz`, `onset_s`,
or the parameter's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import label as label_regions

from spectcount.probing.base import Plan
from spectcount.probing.maps import by_cell, plain
from spectcount.probing.shortfall import RATE, SENSITIVITY, Criterion, Judge
from spectcount.probing.words import place_words
from spectcount.psychophysics.paired import benjamini_hochberg
from spectcount.psychophysics.sdt import Interval, interval_of, interval_text
from spectcount.trials import Trial

NOUNS = {"sine": "tones", "harmonic": "complexes", "noise": "noise bands", "chirp": "chirps"}
WINDOWS = (1, 2, 3)
"""Sides of the squares of cells that are tested together: what 8 trials cannot show, 72 can."""
SUSPECTED, CONFIRMED, NOT_CONFIRMED = "suspected", "confirmed", "not confirmed"


@dataclass(frozen=True)
class Confirmed:
    """The answers to new questions about a region: `p` after Holm's correction over the regions
    that were asked about together, `passed` where it is below `alpha`; the estimates, with
    intervals at 95 %, from `n` signal and `n_catch` catch trials; `d_prime` is None where there is
    none."""

    p: float
    passed: bool
    rate: Interval
    d_prime: Interval | None
    n: int
    n_catch: int
    run: str = ""

    @property
    def words(self) -> str:
        """p and the trials behind it."""
        catch = f" and {self.n_catch} catch" if self.n_catch else ""
        return f"p = {self.p:.2g}, {self.n} signal{catch} trials on new seeds"

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {k: plain(v) for k, v in vars(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Confirmed:
        """From plain data."""
        intervals = {
            k: interval_of(values[k]) for k in ("rate", "d_prime") if values[k] is not None
        }
        return cls(**{**values, **intervals})


@dataclass(frozen=True)
class Region:
    """Touching weak cells. `ranges`: their bounding box; `probed`: that of the whole map, beyond
    which nothing is known; `place`: where it is, in words; `fails`: the criterion, and `limit`: in
    words; `severity` 0..1 puts regions in an order and estimates nothing; `n`: signal trials of
    the map; `part`: of which plan, where several are interleaved; `confirmed`: what new questions
    said, None before."""

    ranges: dict[str, list[float]]
    probed: dict[str, list[float]]
    cells: list[list[int]]
    place: str
    fails: str
    limit: str
    severity: float
    n: int
    size: str
    part: int | None = None
    confirmed: Confirmed | None = None

    @property
    def status(self) -> str:
        """suspected, confirmed or not confirmed."""
        if self.confirmed is None:
            return SUSPECTED
        return CONFIRMED if self.confirmed.passed else NOT_CONFIRMED

    @property
    def sentence(self) -> str:
        """All of it in words; numbers only from new questions."""
        new = self.confirmed
        if new is None:
            return f"{self.place}: {SUSPECTED}, {self.limit} ({self.size}, n = {self.n})"
        return f"{self.place}: {self.status}, {self._estimates(new)} ({new.words}; {self.size})"

    def _estimates(self, new: Confirmed) -> str:
        counted = self.limit.startswith("accuracy")
        rate = f"{'accuracy' if counted else 'hit rate'} {percent(new.rate)}"
        if self.fails == SENSITIVITY and new.d_prime is not None:
            return f"d' {open_interval(new.d_prime)}" + self._against(new)
        if new.d_prime is None:
            return rate + self._against(new)
        return (
            f"{rate}{self._against(new)}, and lower than elsewhere; d' "
            f"{open_interval(new.d_prime)}: plain answers cannot tell caution from deafness"
        )

    def _against(self, new: Confirmed) -> str:
        limit = self.limit[self.limit.index("below") :]
        return f", {limit}" if new.passed else f", not shown to be {limit}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a curriculum, a page or a confirmation."""
        return {
            "ranges": {k: plain(v) for k, v in self.ranges.items()},
            "probed": {k: plain(v) for k, v in self.probed.items()},
            "cells": plain(self.cells),
            "sentence": self.sentence,
            "status": self.status,
            "place": self.place,
            "fails": self.fails,
            "limit": self.limit,
            "size": self.size,
            "severity": self.severity,
            "n": self.n,
            "part": self.part,
            "confirmed": None if self.confirmed is None else self.confirmed.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Region:
        """From what `to_dict` gave."""
        names = cls.__dataclass_fields__.keys() - {"confirmed"}
        new = values.get("confirmed")
        confirmed = None if new is None else Confirmed.from_dict(new)
        return cls(**{name: values[name] for name in names}, confirmed=confirmed)


def find_weakness(
    plan: Plan, trials: Iterable[Trial], criterion: Criterion | None = None
) -> list[Region]:
    """Suspected regions of one listener's map, the worst (severity times size) first; none where
    no answer is right."""
    criterion = criterion or Criterion()
    if not plan.asked.has_truth:
        return []
    measured = _Map(plan, list(trials), criterion)
    weak, by_rate = measured.weak_cells()
    labels, n = label_regions(weak, np.ones((3, 3)))
    masks = [labels == k + 1 for k in range(n)]
    regions = [measured.region(mask, bool(by_rate[mask].mean() > 0.5)) for mask in masks]
    regions = [r for r in regions if len(r.cells) >= criterion.smallest]
    return sorted(regions, key=lambda r: r.severity * len(r.cells), reverse=True)


class _Map:
    """One listener's map, cell by cell, with its judge; cells are numbered row by row."""

    def __init__(self, plan: Plan, trials: list[Trial], criterion: Criterion) -> None:
        self.plan, self.criterion = plan, criterion
        self.shape = (plan.n_rows, plan.n_columns)
        signal = by_cell(plan, trials, "signal")
        catch = [t for t in trials if t.coords.get("role") == "catch"]
        self.signal = [signal.get(cell, []) for cell in plan.cells]
        self.judge = Judge(plan, criterion, self.signal, catch)

    def weak_cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Weak cells, bool [ny, nx], and which of them by their rate alone."""
        windows = _windows(*self.shape)
        low = benjamini_hochberg(self.judge.test(windows).p, self.criterion.q)
        near = windows[low].any(axis=0)
        cells = self.judge.test(np.eye(len(near), dtype=int))
        weak = benjamini_hochberg(np.where(near, cells.p, np.nan), self.criterion.q)
        return weak.reshape(self.shape), cells.by_rate.reshape(self.shape)

    def region(self, mask: np.ndarray, by_rate: bool) -> Region:
        """The region of some cells."""
        plan, cells = self.plan, [(int(i), int(j)) for j, i in np.argwhere(mask)]
        first = [min(c[a] for c in cells) for a in range(len(plan.axes))]
        last = [max(c[a] for c in cells) for a in range(len(plan.axes))]
        spans = [axis.span(a, b) for axis, a, b in zip(plan.axes, first, last, strict=True)]
        fails = RATE if by_rate else SENSITIVITY
        return Region(
            ranges={name: list(ends) for name, ends in spans},
            probed={name: list(ends) for name, ends in (a.span(0, a.n - 1) for a in plan.axes)},
            cells=[list(cell) for cell in cells],
            place=_place(plan, first, last),
            fails=fails,
            limit=self.criterion.words(plan.task, fails),
            severity=float(self.judge.severity(mask.reshape(1, -1))[0]),
            n=sum(len(trials) for trials, weak in zip(self.signal, mask.flat, strict=True) if weak),
            size=_size(first, last, len(cells)),
        )


def _windows(n_rows: int, n_columns: int) -> np.ndarray:
    """All squares of 1, 4 and 9 cells of a map (runs of 1, 2 and 3 of a curve), [M, cells]."""
    squares = []
    for height, width in dict.fromkeys((min(k, n_rows), min(k, n_columns)) for k in WINDOWS):
        for j in range(n_rows - height + 1):
            for i in range(n_columns - width + 1):
                square = np.zeros((n_rows, n_columns), int)
                square[j : j + height, i : i + width] = 1
                squares.append(square.ravel())
    return np.array(squares)


def _place(plan: Plan, first: Sequence[int], last: Sequence[int]) -> str:
    noun = NOUNS.get(str(getattr(plan.base, "wave", "")), "events")
    verb = "counting " if plan.task == "count" else ""
    return f"{verb}{noun} {place_words(plan.axes, first, last)}"


def _size(first: Sequence[int], last: Sequence[int], n_cells: int) -> str:
    box = int(np.prod([b - a + 1 for a, b in zip(first, last, strict=True)]))
    size = f"{n_cells} cell{'s' if n_cells > 1 else ''}"
    return size if n_cells == box else f"{size} of {box}"


def open_interval(interval: Interval) -> str:
    """An estimate with its interval to one decimal, or what an open end leaves."""
    return interval_text(interval, lambda x: f"{round(x, 1) + 0.0:.1f}")


def percent(interval: Interval) -> str:
    """A rate in per cent with its interval."""
    return f"{100 * interval.value:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"
