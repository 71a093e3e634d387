"""Two listeners' trials, question by question: the pairs behind every comparison.

*Conventions*: pairs are the same question (clip and words) answered by both; a question that only
one has answered does not count. Tables of pairs count (both, only base, only tuned, neither) with
"both" meaning both hits on signal trials and both false alarms on catch trials.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spectcount.probing.base import Plan
from spectcount.probing.draws import Cell
from spectcount.probing.maps import background_of, hit
from spectcount.probing.repeats import counted
from spectcount.psychophysics.paired import pair_table
from spectcount.trials import Trial

Pair = tuple[Trial, Trial]


@dataclass(frozen=True)
class Pairs:
    """The pairs of a plan in the order of the base's trials: (base, tuned) each."""

    plan: Plan
    all: tuple[Pair, ...]

    @functools.cached_property
    def signal(self) -> dict[Cell, list[Pair]]:
        """Signal trials by cell."""
        return self._by_cell("signal")

    @functools.cached_property
    def catch(self) -> dict[tuple[int, ...], list[Pair]]:
        """Catch trials by background: `background_of` their cells."""
        shared: dict[tuple[int, ...], list[Pair]] = {}
        for cell, listed in self._by_cell("catch").items():
            shared.setdefault(background_of(self.plan, cell), []).extend(listed)
        return shared

    def of_cells(self, cells: Iterable[Cell] | None = None) -> tuple[list[Pair], list[Pair]]:
        """(signal pairs, catch pairs) of some cells together, None: all; each catch trial once."""
        chosen = list(self.signal) if cells is None else [tuple(c[:2]) for c in cells]
        around = self.catch if cells is None else {background_of(self.plan, c) for c in chosen}
        return (
            [pair for cell in dict.fromkeys(chosen) for pair in self.signal.get(cell, [])],
            [pair for back in self.catch if back in around for pair in self.catch[back]],
        )

    def signal_tables(self) -> np.ndarray:
        """Tables of hits [ny, nx, 4]."""
        tables = np.zeros((self.plan.n_rows, self.plan.n_columns, 4), int)
        for (i, j), listed in self.signal.items():
            tables[j, i] = hit_table(listed)
        return tables

    def catch_tables(self) -> np.ndarray:
        """Tables of false alarms [ny, nx, 4]: of each cell's background."""
        by_background = {back: false_alarm_table(listed) for back, listed in self.catch.items()}
        tables = np.zeros((self.plan.n_rows, self.plan.n_columns, 4), int)
        for i, j in self.plan.cells:
            tables[j, i] = by_background.get(background_of(self.plan, (i, j)), np.zeros(4, int))
        return tables

    def _by_cell(self, role: str) -> dict[Cell, list[Pair]]:
        cells: dict[Cell, list[Pair]] = {}
        for pair in self.all:
            coords = pair[0].coords
            if coords.get("role") == role:
                cells.setdefault((int(coords.get("x", 0)), int(coords.get("y", 0))), []).append(
                    pair
                )
        return cells


def pairs_of(plan: Plan, base: Iterable[Trial], tuned: Iterable[Trial]) -> Pairs:
    """The questions that both have answered; what is a repeat for both counts once."""
    after = {t.key: t for t in tuned}
    before = {t.key: t for t in base}
    pairs = [(t, after[k]) for k, t in before.items() if k in after]
    new = {t.key for who in (0, 1) for t in counted(plan, [pair[who] for pair in pairs])}
    return Pairs(plan, tuple(pair for pair in pairs if pair[0].key in new))


def hit_table(pairs: Iterable[Pair]) -> np.ndarray:
    """Pairs of signal trials by who was right [4]."""
    return _table([(hit(x), hit(y)) for x, y in pairs])


def false_alarm_table(pairs: Iterable[Pair]) -> np.ndarray:
    """Pairs of catch trials by who was wrong [4]."""
    return _table([(not x.correct, not y.correct) for x, y in pairs])


def _table(answers: list[tuple[bool, bool]]) -> np.ndarray:
    return pair_table([x for x, _ in answers], [y for _, y in answers])
