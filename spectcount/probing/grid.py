"""Plans over a grid of cells: the same number of trials in each, whatever the answers.

Conventions: those of `base`; trial k of a cell depends only on (seed, cell, k). Catch trials are
shared by all cells with the same background. Signal trials of every cell and catch trials of every
background take the same wordings in the same orders, each in the same share of the trials.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.errors import UserError
from spectcount.probing.base import Plan, refuse_idle, whole
from spectcount.probing.draws import Cell, PlannedQuestion, corners, seed_of
from spectcount.stimulus import Stimulus
from spectcount.trials import Trial

BATCH = 32
"""Questions handed out at a time."""


@dataclass(frozen=True)
class GridPlan(Plan):
    """Base of the plans that fill cells."""

    catch_trials: int = whole(
        100,
        "Trials for which the other answer is true, shared by all cells with the same "
        "background; without any event where the task is to detect or to count.",
        (0, 5000),
        "Catch trials",
        slider_high=500,
    )

    @property
    def grid(self) -> GridPlan:
        return self

    def check(self) -> None:
        super().check()
        if self.asked.two_class and self.catch_trials < self._n_backgrounds:
            raise UserError(
                f"catch_trials={self.catch_trials} is below {self._n_backgrounds}, the number of "
                "different backgrounds of this plan; without catch trials hits mean nothing: "
                f"give at least {self._n_backgrounds}"
            )
        self._refuse_idle_axes()

    @property
    def n_trials(self) -> int:
        return len(self.cells) * self.trials + self.catch_trials

    def ask(self, seed: int) -> Generator[list[PlannedQuestion], list[Trial], None]:
        """The questions in batches; the answers change nothing."""
        questions = self.questions(seed)
        for start in range(0, len(questions), BATCH):
            yield questions[start : start + BATCH]

    def questions(self, seed: int) -> list[PlannedQuestion]:
        """All questions, pass by pass over shuffled cells with the catch trials spread evenly.
        Raises `UserError`, naming the cell, where any of them cannot be realised."""
        catch = iter([self._catch(seed, k) for k in range(self.catch_trials)])
        n_signal, given, planned = len(self.cells) * self.trials, 0, []
        for k in range(self.trials):
            order = np.random.default_rng(seed_of(seed, "order", k)).permutation(len(self.cells))
            for place in order:
                planned.append(self._signal(seed, self.cells[int(place)], k))
                due = self.catch_trials * (len(planned) - given) // n_signal
                planned.extend(next(catch) for _ in range(due - given))
                given = due
        return planned

    def signal(self, seed: int, cell: Cell, k: int) -> Stimulus:
        """The stimulus of signal trial `k` in `cell`."""
        return self._stimulus(seed, "signal", cell, k)[0]

    def at(self, values: list[float], seed: int = 0) -> tuple[Stimulus, Stimulus]:
        """Signal and counterpart at some values of the axes, cells aside."""
        return self._pair_at((0, 0), values, self._most, seed)

    def middle_stimulus(self, cell: Cell, seed: int = 0) -> Stimulus:
        values = [axis.middle(i) for axis, i in zip(self.axes, cell, strict=False)]
        whole = [int(v) if axis.whole else v for v, axis in zip(values, self.axes, strict=True)]
        return self._pair_at(cell, whole, {}, seed)[0]

    def refuse_infeasible(self) -> None:
        """Try every cell at its corners with the most events; raises `UserError` naming the
        first cell that cannot be realised."""
        for cell in self.cells:
            for corner in corners(self.axes, cell):
                self._pair_at(cell, corner, self._most, 0)

    @property
    def _n_backgrounds(self) -> int:
        return int(np.prod([self.axes[a].n for a in self.background_axes], dtype=int))

    def question_at(self, seed: int, role: str, cell: Cell, k: int, place: int) -> PlannedQuestion:
        """Question `k` of a role in `cell`, in the words of place number `place` of their cycle."""
        stimulus, values = self._stimulus(seed, role, cell, k)
        return self._at_cell(stimulus, cell, values, role, k, place)

    def _signal(self, seed: int, cell: Cell, k: int) -> PlannedQuestion:
        stimulus, values = self._stimulus(seed, "signal", cell, k)
        return self._at_cell(stimulus, cell, values, "signal", k)

    def _catch(self, seed: int, k: int) -> PlannedQuestion:
        cell = self._catch_cell(seed, k)
        stimulus, values = self._stimulus(seed, "catch", cell, k)
        return self._at_cell(stimulus, cell, values, "catch", k)

    def turn(self, role: str, k: int) -> int:
        """Number of trial `k` among the signal trials of its cell, or among the catch trials of
        its background: what decides its words."""
        return k if role == "signal" else k // self._n_backgrounds

    @property
    def n_words(self) -> int:
        """Signal trials of a cell and catch trials of a background go through so many places of
        the cycle of words, again and again: as many as the fewer of them fill."""
        catch = self.catch_trials // self._n_backgrounds if self.asked.two_class else 0
        return min(self.trials, catch or self.trials)

    def _catch_cell(self, seed: int, k: int) -> Cell:
        """The cell whose absent signal catch trial `k` stands for; backgrounds take turns."""
        groups: dict[tuple[int, ...], list[Cell]] = {}
        for cell in self.cells:
            groups.setdefault(tuple(cell[a] for a in self.background_axes), []).append(cell)
        group = list(groups.values())[k % len(groups)]
        turn = k // len(groups)
        order = np.random.default_rng(seed_of(seed, "catch", turn // len(group))).permutation(
            len(group)
        )
        return group[int(order[turn % len(group)])]

    def _at_cell(
        self,
        stimulus: Stimulus,
        cell: Cell,
        values: list[float],
        role: str,
        k: int,
        place: int | None = None,
    ) -> PlannedQuestion:
        coords: dict[str, Any] = {"x": cell[0], "y": cell[1], "role": role, "trial": k}
        coords.update(zip(("x_value", "y_value"), values, strict=False))
        place = self.turn(role, k) % self.n_words if place is None else place
        return self._planned(stimulus, place, coords, self.cell_text(cell))

    def _stimulus(self, seed: int, role: str, cell: Cell, k: int) -> tuple[Stimulus, list[float]]:
        """The stimulus of one trial, and the axis values drawn for it."""
        trial_seed = seed_of(seed, role, *cell, k)
        rng = np.random.default_rng([trial_seed, 1])
        values = [axis.draw(i, rng) for axis, i in zip(self.axes, cell, strict=False)]
        drawn = self._drawn(seed, role, cell, k, rng)
        signal, other = self._pair_at(cell, values, drawn, trial_seed)
        realised = [axis.found(v, signal) for axis, v in zip(self.axes, values, strict=True)]
        return (other if role == "catch" else signal), realised

    def _pair_at(
        self, cell: Cell, values: list[float], drawn: dict[str, Any], seed: int
    ) -> tuple[Stimulus, Stimulus]:
        """Signal and counterpart at some values of the axes."""
        changes = dict(drawn)
        where = self.cell_text(cell)
        for axis, i, value in zip(self.axes, cell, values, strict=False):
            changes.update(axis.assign(i, value))
        return self._pair(changes, seed, where)

    def _refuse_idle_axes(self) -> None:
        """An axis that changes nothing in this design is a mistake, not a map."""
        last = [axis.n - 1 for axis in self.axes]
        for a, axis in enumerate(self.axes):
            hashes = set()
            for i, end in ((0, 0), (axis.n - 1, 1)):
                cell = tuple(i if b == a else last[b] for b in range(len(last)))
                cell = (*cell, 0)[:2]
                corner = [ax.bounds(c)[1] for ax, c in zip(self.axes, cell, strict=False)]
                corner[a] = axis.bounds(i)[end]
                hashes.add(self._pair_at(cell, corner, self._most, 0)[0].hash)
            if axis.n > 1 and len(hashes) == 1:
                refuse_idle(axis.name)
