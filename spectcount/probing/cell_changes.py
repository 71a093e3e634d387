"""Cells of base and tuned: did sensitivity change, by graded scores; what could have been seen.

*Conventions*: arrays are [ny, nx]. Scores are compared within each listener only (the area under
its own ROC, within wordings and orders), so neither a shift nor a stretch of the scores, such as a
fine-tune makes, is a change. The smallest change that could have been marked is one at which the
expected result lies on the limit of Benjamini & Hochberg's procedure: it is marked half the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from spectcount.probing.pairing import Pair, Pairs
from spectcount.probing.shortfall import Numbers
from spectcount.psychophysics.below import Places, area_change_p, graded
from spectcount.psychophysics.paired import sdt_change_p

BY_SCORES = "change of the area under the ROC of graded scores"
SHARE = 0.25
"""Of the cells, in the second of the two numbers that are said."""
_CORRELATION = 0.85
"""The correlation of two areas is a little less than that of the scores behind them."""
_STARTS, _STEPS = (
    grid.ravel() for grid in np.meshgrid(np.arange(0, 4.1, 0.5), np.arange(0.1, 6.05, 0.1))
)
"""Sensitivities before, and changes of them, that are tried."""


@dataclass(frozen=True)
class GradedCells:
    """Both listeners' cells, row by row."""

    before: Places
    after: Places
    correlation: float
    shape: tuple[int, int]

    @classmethod
    def of(cls, pairs: Pairs) -> GradedCells | None:
        """From pairs; None where either listener's scores tell no more than its answers."""
        plan = pairs.plan
        cells = [pairs.signal.get(cell, []) for cell in plan.cells]
        signal = [pair for mine in cells for pair in mine]
        catch = [pair for mine in pairs.catch.values() for pair in mine]
        place = np.repeat(np.arange(len(cells)), [len(mine) for mine in cells])
        if not (plan.asked.two_class and signal and catch):
            return None
        sides = []
        for who in (0, 1):
            mine, other = [pair[who] for pair in signal], [pair[who] for pair in catch]
            numbers = Numbers(plan, [*mine, *other])
            said = numbers.said(mine, place), numbers.said(other, np.zeros(len(other), int))
            if not graded(said[0].scores, said[1].scores):
                return None
            sides.append(Places.of(*said, len(cells), plan.asked.distance))
        return cls(sides[0], sides[1], _correlation(signal, place), (plan.n_rows, plan.n_columns))

    @property
    def p(self) -> np.ndarray:
        """Two-sided p of "the area did not change" [ny, nx]."""
        return area_change_p(self.before, self.after, self.correlation).reshape(self.shape)

    @property
    def change(self) -> np.ndarray:
        """Change of the area [ny, nx]; 0 without trials."""
        areas = [x.area / np.maximum(x.total, 1) for x in (self.before, self.after)]
        return np.asarray(areas[1] - areas[0]).reshape(self.shape)

    def smallest(self, limit: float) -> float | None:
        """Smallest change of d', wherever it starts, whose expected p is `limit`; None: no change
        is large enough."""
        cell, scale = int(np.argmax(self.before.total)), self.before.distance / np.sqrt(2)
        rows = len(_STARTS)
        n, m = np.repeat(self.before.n[[cell]], rows, axis=0), self.before.m
        blank = np.zeros(rows, int)

        def places(d_prime: np.ndarray) -> Places:
            area = ndtr(d_prime * scale) * n.sum(axis=1)
            return Places(n, area, blank, m, blank, True, self.before.distance)

        p = area_change_p(places(_STARTS), places(_STARTS + _STEPS), self.correlation)
        return _least(p <= limit)


def smallest_words(
    graded_cells: GradedCells | None, signal: np.ndarray, catch: np.ndarray | None, q: float
) -> str:
    """The smallest change that could have been marked in tables of pairs [ny, nx, 4]; `catch` is
    None where answers alone are compared."""
    n = signal.sum(axis=-1)
    cells = int(np.sum(n > 0))
    if not cells:
        return ""
    limits = (q / cells, q * max(1, math.ceil(SHARE * cells)) / cells)
    if graded_cells is not None:
        found = [graded_cells.smallest(limit) for limit in limits]
    elif catch is not None:
        found = [_by_answers(signal, catch, limit) for limit in limits]
    else:
        found = [_flips(int(n.max()), limit) for limit in limits]
    what = "accuracy" if graded_cells is None and catch is None else "d'"
    one, many = ("none, however large" if x is None else f"{x:.2g}" for x in found)
    if cells == 1:
        return f"smallest change of {what} that would be marked half the time: {one}"
    return (
        f"smallest change of {what} that would be marked half the time: {one} in a single cell; "
        f"{many} if a quarter of the cells changed"
    )


def _by_answers(signal: np.ndarray, catch: np.ndarray, limit: float) -> float | None:
    """The same by answers: expected tables of pairs, both listeners with the base's false alarms,
    their answers independent."""
    other = catch.reshape(-1, 4)
    alarms = other[int(np.argmax(other.sum(axis=1)))]
    n, m = int(signal.sum(axis=-1).max()), int(alarms.sum())
    if not m:
        return None
    false = (alarms[0] + alarms[1] + 0.5) / (m + 1)
    rates = (ndtr(ndtri(false) + d_prime) for d_prime in (_STARTS, _STARTS + _STEPS))
    tables = _expected(n, *rates), _expected(m, np.full(len(_STARTS), false), false)
    return _least(sdt_change_p(*tables) <= limit)


def _expected(n: int, before: np.ndarray, after: np.ndarray | float) -> np.ndarray:
    """Tables of pairs [k, 4] of `n` questions with these chances of yes."""
    x, y = np.rint(n * before), np.rint(n * after) * np.ones(len(before))
    both = np.minimum(np.maximum(np.rint(n * before * after), x + y - n), np.minimum(x, y))
    return np.stack([both, x - both, y - both, n - x - y + both], axis=1).astype(int)


def _least(marked: np.ndarray) -> float | None:
    return float(_STEPS[marked].min()) if marked.any() else None


def _flips(n: int, limit: float) -> float | None:
    """Share of a cell's answers that must flip, all in one direction, for McNemar's p."""
    flips = math.ceil(math.log2(2 / limit))
    return flips / n if flips <= n else None


def _correlation(signal: list[Pair], place: np.ndarray) -> float:
    """How alike two listeners' scores of the same trials are, within cells."""
    ranks = [rankdata([pair[who].yes_score for pair in signal]) for who in (0, 1)]
    counts = np.maximum(np.bincount(place), 1)
    x, y = (r - (np.bincount(place, r) / counts)[place] for r in ranks)
    spread = math.sqrt(float(np.sum(x**2) * np.sum(y**2)))
    return float(np.clip(_CORRELATION * np.sum(x * y) / spread, 0, 0.9)) if spread > 0 else 0.0
