"""Sentences and how often they are said when they are untrue: the registry of the rows.

A row is a function `row(rng, runs) -> Row` that simulates `runs` listeners for whom its sentence
is untrue and counts in how many of them it is said, registered by `@row`. Rows live in modules of
this package; `load_rows` imports them all. `power` rows are about listeners for whom the sentence
is true: how often it is said then, without a limit.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spectcount.psychophysics.sdt import Interval, wilson

LIMIT = 0.05


@dataclass(frozen=True)
class Row:
    """One line of the table: the `sentence`, the `truth` that makes it untrue, in how many of
    `runs` it was `said`. `power`: the truth makes it true."""

    sentence: str
    truth: str
    said: int
    runs: int
    power: bool = False

    @property
    def share(self) -> Interval:
        """How often it was said, with its 95 % interval."""
        return wilson(self.said, self.runs)

    @property
    def holds(self) -> bool:
        """Whether the runs are compatible with the limit: its interval's lower end is not above."""
        return self.power or float(self.share.low) <= LIMIT


RowFunction = Callable[[np.random.Generator, int], Row]
rows: dict[str, RowFunction] = {}
"""By "module.function", which with the seed fixes the random numbers of a row."""


def row(function: RowFunction) -> RowFunction:
    """Register a row under its module's and its own name."""
    rows[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = function
    return function


def load_rows() -> dict[str, RowFunction]:
    """All rows of the package's modules, in the order of modules and definitions."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        importlib.import_module(f"{__name__}.{module.name}")
    return rows
