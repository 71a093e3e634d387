"""Map -> weak regions: where a listener reliably falls short, ranked and put in words.

Conventions: a cell is weak when the upper bound of its interval lies below the criterion, so a
cell with too few trials is never called weak; where even the ideal observer falls short of the
criterion there is nothing to hear, and no weakness. Weak cells that touch along an edge form one
region, whose numbers pool its trials. Cells are (x, y); ranges are in the design's own
parameters: `frequency_hz`, `onset_s`, or the parameter's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import label as label_regions
from scipy.special import ndtri

from spectcount import tasks
from spectcount.params import Declared, param
from spectcount.probing.base import Plan
from spectcount.probing.maps import Cells, Pooled, measure_map, plain, pool
from spectcount.probing.words import place_words
from spectcount.trials import Trial

NOUNS = {"sine": "tones", "harmonic": "complexes", "noise": "noise bands", "chirp": "chirps"}
D_PRIME_AUC = 2**0.5


@dataclass(frozen=True)
class Criterion(Declared):
    """Below what a cell is weak. `measure` any: either of the two (d' only for detect);
    efficiency: (d'/ideal d')^2, the shortfall against the ideal observer."""

    measure: str = param(
        "any", "What is compared: sensitivity, rate of right answers, either, or efficiency.",
        choices=("any", "d_prime", "rate", "efficiency"), label="Measure",
    )  # fmt: skip
    d_prime: float = param(1.0, "Weak below this d'.", low=0, high=5, step=0.1, label="d' limit")
    rate: float = param(
        0.5, "Weak below this hit rate (detect) or accuracy (count).", low=0, high=1, step=0.05,
        label="Rate limit",
    )  # fmt: skip
    efficiency: float = param(
        0.001, "Weak below this efficiency.", low=0, high=1, step=0.0001, label="Efficiency limit"
    )
    smallest: int = param(
        1, "Regions of fewer cells are left out.", low=1, high=1000, step=1,
        label="Smallest region", slider_high=20,
    )  # fmt: skip

    def words(self, task: str) -> str:
        """The criterion in words, for captions and exports."""
        two_class = tasks.task(task).two_class
        right = "hit rate" if two_class else "accuracy"
        parts = {
            "d_prime": f"d' reliably below {self.d_prime:g}",
            "rate": f"{right} reliably below {100 * self.rate:g} %",
            "efficiency": f"efficiency reliably below {self.efficiency:g}",
        }
        if self.measure != "any":
            return parts[self.measure]
        return " or ".join(parts[k] for k in (("d_prime",) if two_class else ()) + ("rate",))


@dataclass(frozen=True)
class Region:
    """Touching weak cells. `ranges`: their bounding box; `probed`: that of the whole map, beyond
    which nothing is known; `severity` 0..1: how far below the
    criterion, 1 = nothing left; `sentence`: all of it in words; `pooled`: its trials together."""

    ranges: dict[str, list[float]]
    probed: dict[str, list[float]]
    cells: list[list[int]]
    sentence: str
    severity: float
    n: int
    pooled: Pooled

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a curriculum: ranges, probed, cells, sentence, severity, n, pooled."""
        return {
            "ranges": {k: plain(v) for k, v in self.ranges.items()},
            "probed": {k: plain(v) for k, v in self.probed.items()},
            "cells": plain(self.cells),
            "sentence": self.sentence,
            "severity": self.severity,
            "n": self.n,
            "pooled": self.pooled.to_dict(),
        }


def find_weakness(
    plan: Plan, trials: Iterable[Trial], criterion: Criterion | None = None
) -> list[Region]:
    """Weak regions of one listener's map, the worst (severity times size) first."""
    criterion = criterion or Criterion()
    listed = list(trials)
    weak = weak_cells(measure_map(plan, listed), criterion)
    labels, n = label_regions(weak)
    found = [_region(plan, listed, labels == k + 1, criterion) for k in range(n)]
    kept = [r for r in found if len(r.cells) >= criterion.smallest]
    return sorted(kept, key=lambda r: r.severity * len(r.cells), reverse=True)


def weak_cells(cells: Cells, criterion: Criterion) -> np.ndarray:
    """Which cells are reliably below the criterion, bool [ny, nx]. For detect, d' is taken from
    the yes/no answers and from the graded scores (sqrt 2 z(AUC)), whichever is surer."""
    with np.errstate(invalid="ignore"):
        rate = np.asarray(cells.rate.high) < criterion.rate
        sensitivity = _highest_d_prime(cells) < criterion.d_prime
        efficiency = (_highest_d_prime(cells) / cells.ideal) ** 2 < criterion.efficiency
    weak = {
        "rate": rate,
        "d_prime": sensitivity,
        "any": rate | sensitivity,
        "efficiency": efficiency,
    }[criterion.measure]
    return np.asarray(weak & (cells.n > 0) & ~(cells.ideal < criterion.d_prime))


def _highest_d_prime(cells: Cells) -> np.ndarray:
    """Upper bound of d' by the surer of the two ways, inf where the task has none."""
    if cells.d_prime is None or cells.auc is None:
        return np.full(cells.n.shape, np.inf)
    graded = D_PRIME_AUC * ndtri(np.asarray(cells.auc.high))
    return np.maximum(np.fmin(cells.d_prime.high, graded), 0)


def _region(plan: Plan, trials: list[Trial], mask: np.ndarray, criterion: Criterion) -> Region:
    cells = [[int(i), int(j)] for j, i in np.argwhere(mask)]
    first = [min(c[a] for c in cells) for a in range(len(plan.axes))]
    last = [max(c[a] for c in cells) for a in range(len(plan.axes))]
    spans = [axis.span(a, b) for axis, a, b in zip(plan.axes, first, last, strict=True)]
    pooled = pool(plan, trials, cells)
    box = int(np.prod([b - a + 1 for a, b in zip(first, last, strict=True)]))
    return Region(
        ranges={name: list(ends) for name, ends in spans},
        probed={name: list(ends) for name, ends in (a.span(0, a.n - 1) for a in plan.axes)},
        cells=cells,
        sentence=_sentence(plan, first, last, pooled, len(cells), box),
        severity=_severity(pooled, criterion),
        n=pooled.n,
        pooled=pooled,
    )


def _severity(pooled: Pooled, criterion: Criterion) -> float:
    """Shortfall as a share of the criterion, the larger of rate's and d's."""
    short = []
    if criterion.measure in ("any", "rate") and criterion.rate > 0:
        short.append(1 - pooled.rate.value / criterion.rate)
    if criterion.measure != "rate" and pooled.d_prime is not None:
        limit = criterion.d_prime
        if criterion.measure == "efficiency":
            limit = float(np.sqrt(criterion.efficiency)) * pooled.ideal
        short.append(1 - pooled.d_prime.value / limit if limit > 0 else 0.0)
    return round(float(np.clip(max(short, default=0.0), 0, 1)), 4)


def _sentence(
    plan: Plan, first: list[int], last: list[int], pooled: Pooled, n_cells: int, box: int
) -> str:
    noun = NOUNS.get(str(getattr(plan.base, "wave", "")), "events")
    where = place_words(plan.axes, first, last)
    size = f"{n_cells} cell{'s' if n_cells > 1 else ''}"
    if n_cells < box:
        size += f" of {box}"
    if plan.asked.two_class and pooled.d_prime is not None:
        score = f"d' {_interval(pooled.d_prime, 1)}, hit rate {_percent(pooled.rate)}"
        ideal = f", ideal {float(f'{pooled.ideal:.2g}'):g}" if np.isfinite(pooled.ideal) else ""
        return f"{noun} {where}: {score}{ideal} ({size}, n = {pooled.n})"
    right = "accuracy" if plan.task == "count" else "hit rate"
    verb = "counting " if plan.task == "count" else ""
    return f"{verb}{noun} {where}: {right} {_percent(pooled.rate)} ({size}, n = {pooled.n})"


def _interval(interval: Any, digits: int) -> str:
    ends = (interval.value, interval.low, interval.high)
    value, low, high = (f"{round(v, digits) + 0.0:.{digits}f}" for v in ends)
    return f"{value} [{low}, {high}]"


def _percent(interval: Any) -> str:
    return f"{100 * interval.value:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"
