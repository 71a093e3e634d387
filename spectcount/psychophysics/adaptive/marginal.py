"""Summaries of a posterior over the values of a grid.

*Conventions*: `grid` [n] rises, `mass` [n] sums to 1. For quantiles the mass of a value lies
evenly over its cell, whose edges are halfway to its neighbours (as far out at the two ends); a
grid of one value is a known number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def mean(grid: ArrayLike, mass: ArrayLike) -> float:
    """Mean of the values."""
    return float(np.dot(grid, mass))


def sd(grid: ArrayLike, mass: ArrayLike) -> float:
    """Standard deviation of the values."""
    return float(np.sqrt(np.dot((np.asarray(grid) - mean(grid, mass)) ** 2, mass)))


def mode(grid: Sequence[float] | np.ndarray, mass: ArrayLike) -> float:
    """The value of greatest mass, the first of equals."""
    return float(grid[int(np.argmax(mass))])


def edges(grid: ArrayLike) -> np.ndarray:
    """Edges [n + 1] of the cells."""
    grid = np.asarray(grid, float)
    if len(grid) == 1:
        return np.repeat(grid, 2)
    middle = (grid[1:] + grid[:-1]) / 2
    ends = (2 * grid[0] - middle[0], 2 * grid[-1] - middle[-1])
    return np.concatenate([[ends[0]], middle, [ends[1]]])


def quantile(grid: ArrayLike, mass: ArrayLike, p: float | Sequence[float]) -> np.ndarray:
    """Quantiles at `p`."""
    below = np.concatenate([[0.0], np.cumsum(mass)])
    return np.interp(p, below / below[-1], edges(grid))


def pooled(values: ArrayLike, mass: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """A grid and its mass from unordered values [n], equal ones (to 9 digits of the greatest)
    taken together."""
    values = np.asarray(values, float)
    grain = 1e-9 * max(float(np.abs(values).max()), 1e-300)
    steps, place = np.unique(np.rint(values / grain), return_inverse=True)
    return steps * grain, np.bincount(place, mass)
