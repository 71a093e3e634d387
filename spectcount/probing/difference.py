"""Base against tuned, question by question: what changed, and where it changed for sure.

Conventions: pairs are the same question (clip and words) answered by both; differences are tuned
minus base; arrays are [ny, nx]. Per cell an exact McNemar test, over the cells
Benjamini-Hochberg's control of the false-discovery rate; sensitivity and bias change apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.probing.base import Plan
from spectcount.probing.maps import background_of, hit, plain
from spectcount.psychophysics.paired import (
    PERCENTILE,
    benjamini_hochberg,
    mcnemar,
    paired_bootstrap,
    sdt_change,
)
from spectcount.psychophysics.sdt import Interval
from spectcount.tasks import FORCED_CHOICE
from spectcount.trials import Trial

N_RESAMPLES = 1000


@dataclass(frozen=True)
class Difference:
    """`gained` and `lost`: pairs that turned right, wrong; `p`: McNemar, nan without pairs;
    `changed`: discoveries at false-discovery rate `q`; `rate`, `d_prime`, `criterion`: changes
    with paired bootstrap intervals (the last two for detect only)."""

    plan: Plan
    n: np.ndarray
    gained: np.ndarray
    lost: np.ndarray
    p: np.ndarray
    changed: np.ndarray
    q: float
    rate: Interval
    d_prime: Interval | None = None
    criterion: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data; nan and infinities become None."""
        return {k: plain(v) for k, v in vars(self).items() if k != "plan" and v is not None}


@dataclass(frozen=True)
class Change:
    """All pairs of a run or of some cells together; see `Difference`."""

    n: int
    gained: int
    lost: int
    p: float
    rate: Interval | None
    d_prime: Interval | None
    criterion: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data; nan and infinities become None."""
        return {k: plain(v) for k, v in vars(self).items() if v is not None}


def difference(
    plan: Plan, base: Iterable[Trial], tuned: Iterable[Trial], q: float = 0.05,
    level: float = 0.95, seed: int = 0,
) -> Difference:  # fmt: skip
    """What changed from `base` to `tuned` in each cell; only questions that both have answered
    count. `seed` is that of the bootstrap."""
    before, after = _paired(base, tuned)
    signal = _cells_of(before, "signal")
    catch = _cells_of(before, "catch")
    shape = (plan.n_rows, plan.n_columns)
    n, gained, lost = (np.zeros(shape, int) for _ in range(3))
    parts = {k: _empty(shape) for k in ("rate", "d_prime", "criterion")}
    rng = np.random.default_rng(seed)
    for i, j in plan.cells:
        keys = signal.get((i, j), [])
        around = [
            k for cell, found in catch.items() for k in found
            if background_of(plan, cell) == background_of(plan, (i, j))
        ]  # fmt: skip
        change = _change(plan, keys, around, before, after, rng, level)
        n[j, i], gained[j, i], lost[j, i] = change.n, change.gained, change.lost
        for name, target in parts.items():
            found = getattr(change, name)
            if found is not None:
                target[:, j, i] = found.value, found.low, found.high
    p = np.where(n > 0, mcnemar(lost, gained), np.nan)
    made = {k: Interval(v[0], v[1], v[2], level, PERCENTILE) for k, v in parts.items()}
    if not plan.asked.two_class:
        made["d_prime"] = made["criterion"] = None  # type: ignore[assignment]
    return Difference(plan, n, gained, lost, p, benjamini_hochberg(p, q), q, **made)


def change_over(
    plan: Plan, base: Iterable[Trial], tuned: Iterable[Trial],
    cells: Iterable[tuple[int, ...]] | None = None, level: float = 0.95, seed: int = 0,
) -> Change:  # fmt: skip
    """The change over some cells (x, y) together (None: all), catch trials of all backgrounds."""
    before, after = _paired(base, tuned)
    signal, catch = _cells_of(before, "signal"), _cells_of(before, "catch")
    chosen = plan.cells if cells is None else [tuple(c[:2]) for c in cells]
    keys = [k for cell in chosen for k in signal.get(cell, [])]
    around = [k for found in catch.values() for k in found]
    return _change(plan, keys, around, before, after, np.random.default_rng(seed), level)


def _change(
    plan: Plan, keys: list[str], catch: list[str], before: dict[str, Trial],
    after: dict[str, Trial], rng: np.random.Generator, level: float,
) -> Change:  # fmt: skip
    x = np.array([hit(before[k]) for k in keys], bool)
    y = np.array([hit(after[k]) for k in keys], bool)
    gained, lost = int(np.sum(~x & y)), int(np.sum(x & ~y))
    rate = d_prime = criterion = None
    if len(keys) >= 2:
        rate = paired_bootstrap(x, y, rng, n_resamples=N_RESAMPLES, level=level)
    if plan.asked.two_class and keys and catch:
        f_x, f_y = ([not who[k].correct for k in catch] for who in (before, after))
        d_prime, criterion = sdt_change(x, y, f_x, f_y, rng, N_RESAMPLES, level)
        if plan.asked.kind == FORCED_CHOICE:
            d_prime = d_prime.scaled(2**-0.5)
    p = mcnemar(lost, gained) if keys else float("nan")
    return Change(len(keys), gained, lost, p, rate, d_prime, criterion)


def _paired(
    base: Iterable[Trial], tuned: Iterable[Trial]
) -> tuple[dict[str, Trial], dict[str, Trial]]:
    """Both listeners' trials by question, the questions that both have answered."""
    before, after = {t.key: t for t in base}, {t.key: t for t in tuned}
    both = before.keys() & after.keys()
    return {k: before[k] for k in before if k in both}, {k: after[k] for k in before if k in both}


def _cells_of(trials: dict[str, Trial], role: str) -> dict[tuple[int, ...], list[str]]:
    cells: dict[tuple[int, ...], list[str]] = {}
    for key, t in trials.items():
        if t.coords.get("role") == role:
            cells.setdefault((int(t.coords["x"]), int(t.coords["y"])), []).append(key)
    return cells


def _empty(shape: tuple[int, int]) -> np.ndarray:
    """Value nan in an unbounded interval, [3, ny, nx]."""
    return np.stack([np.full(shape, v) for v in (np.nan, -np.inf, np.inf)])
