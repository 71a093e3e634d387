"""Words of figures: measures, intervals, trials per cell, weak regions.

Conventions: an interval is never without its level, a number never without its n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from spectcount.probing.axes import Axis
from spectcount.probing.base import Plan
from spectcount.probing.maps import Cells, rate_words
from spectcount.probing.weakness import SUSPECTED, Region
from spectcount.probing.words import cell_words
from spectcount.psychophysics.sdt import Interval

MEASURES = {"Sensitivity d′": "d_prime", "Hit rate or accuracy": "rate", "AUC": "auc"}


def measured(cells: Cells, measure: str) -> tuple[str, str, Interval]:
    """(measure, words, values): the measure asked for, or the rate where the task has no other."""
    values = getattr(cells, measure)
    if values is None:
        measure, values = "rate", cells.rate
    return measure, measure_words(measure, cells.plan), values


def measure_words(measure: str, plan: Plan) -> str:
    """A measure's name for an axis."""
    return {"d_prime": "d′", "rate": rate_words(plan), "auc": "AUC", "criterion": "criterion c"}[
        measure
    ]


def interval_text(values: Interval, at: tuple[int, int]) -> str:
    """One cell's estimate and interval with its level."""
    interval = values.at(at)
    if math.isnan(interval.value):
        return "not measured yet"
    return f"{interval} at {level_text(interval)}"


def level_text(values: Interval) -> str:
    """The level of an interval: "95 %"."""
    return f"{100 * values.level:.0f} %"


def span_text(counts: Any) -> str:
    """Number of trials, over cells: "8", or "6 to 8" where they differ."""
    n = np.asarray(counts)
    if not n.size:
        return "0"
    low, high = int(n.min()), int(n.max())
    return str(low) if low == high else f"{low} to {high}"


def cells_note(cells: Cells, values: Interval, what: str = "cell") -> str:
    """Note under a picture of `cells`: trials, rule, level of the intervals."""
    catch = f" and {span_text(cells.n_catch)} catch trials" if cells.plan.asked.two_class else ""
    return (
        f"n = {span_text(cells.n)} signal trials per {what}{catch}; {values.rule}; "
        f"intervals at {level_text(values)}"
    )


def axis_ticks(axis: Axis) -> list[str]:
    """A word for each cell of an axis."""
    return [cell_words(axis, i) for i in range(axis.n)]


def regions_title(regions: Sequence[Region]) -> str:
    """Title of a list of regions: suspicions of a map, or what new questions said of them."""
    return "Suspected regions, worst first" if _suspected(regions) else "Regions asked about again"


def regions_rule(regions: Sequence[Region], criterion: str) -> str:
    """The rule behind a list of regions."""
    if _suspected(regions):
        return (
            f"{criterion}; false-discovery rate 5 % over the cells; no estimates before they are "
            "confirmed on new seeds"
        )
    return f"{criterion}; on new seeds; Holm's correction over the regions, intervals at 95 %"


def _suspected(regions: Sequence[Region]) -> bool:
    return {region.status for region in regions} == {SUSPECTED}
