"""Sentences about regions of maps."""

from __future__ import annotations

import numpy as np

from benchmarks.sentence_rows import Row, row
from benchmarks.sentence_rows.simulate import sheet
from spectcount.probing.plan import DetectionMap
from spectcount.probing.weakness import find_weakness

QUICK_MAP = DetectionMap(nx=8, ny=12, trials=8, catch_trials=100)


def weak_somewhere(d_prime, criterion: float, rng: np.random.Generator, runs: int) -> int:
    """In how many runs of the quick map a listener has a weak region."""
    asked = sheet(QUICK_MAP)
    return sum(
        bool(find_weakness(asked.plan, asked.gaussian(rng, d_prime, criterion)))
        for _ in range(runs)
    )


@row
def at_the_criterion(rng: np.random.Generator, runs: int) -> Row:
    """Exactly at the criterion everywhere."""
    said = weak_somewhere(1.0, 0.0, rng, runs)
    return Row("a region is weak", "d' is 1, the criterion, in every cell", said, runs)
