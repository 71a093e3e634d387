"""Sentences about the cells of base and tuned: better or worse for sure."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.sentence_rows import Row, row
from benchmarks.sentence_rows.regions import QUICK_MAP, corner
from benchmarks.sentence_rows.simulate import sheet
from spectcount.probing.difference import difference

CHANGED = "a cell is better, or worse, for sure"


def changed_somewhere(
    before: Any, after: Any, moved: float, rng: np.random.Generator, runs: int
) -> int:
    """In how many runs of the quick map any cell is marked; `moved`: the tuned's criterion."""
    asked, said = sheet(QUICK_MAP), 0
    for _ in range(runs):
        base, tuned = asked.gaussian(rng, before), asked.gaussian(rng, after, moved)
        found = difference(QUICK_MAP, base, tuned)
        said += bool(found.better.any() or found.worse.any())
    return said


@row
def cells_of_equals(rng: np.random.Generator, runs: int) -> Row:
    """Nothing changed."""
    said = changed_somewhere(1.0, 1.0, 0.0, rng, runs)
    return Row(CHANGED, "quick-map, d' 1 before and after in every cell", said, runs)


@row
def cells_of_a_moved_criterion(rng: np.random.Generator, runs: int) -> Row:
    """Only the criterion moved."""
    d_prime = corner(0, 2.5)
    said = changed_somewhere(d_prime, d_prime, 1.0, rng, runs)
    truth = "quick-map, a quarter deaf before and after, criterion higher by 1"
    return Row(CHANGED, truth, said, runs)


@row
def cells_repaired(rng: np.random.Generator, runs: int) -> Row:
    """A quarter of the cells repaired."""
    said = changed_somewhere(corner(0, 3.0), 3.0, 0.0, rng, runs)
    return Row(CHANGED, "quick-map, d' 0 -> 3 in a quarter of the cells", said, runs, power=True)
