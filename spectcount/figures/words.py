"""Words of figures: measures, intervals, trials per cell, weak regions.

Conventions: an interval is never without its level, a number never without its n; HTML is escaped
here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
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


def sentence_of(region: Region | Mapping[str, Any]) -> str:
    """A region in words."""
    return region.sentence if isinstance(region, Region) else str(region.get("sentence", ""))


def regions_html(regions: Sequence[Region | Mapping[str, Any]], criterion: str, done: bool) -> str:
    """The weak regions in words, the worst first (HTML)."""
    if not regions:
        words = (
            f"No cell is shown to be {criterion}, at a false-discovery rate of 5 % over the cells."
            if done
            else "Suspected regions appear here as soon as enough trials are in."
        )
        return f'<div class="findings"><p>{escape(words)}</p></div>'
    items = "".join(f"<li>{escape(sentence_of(region))}</li>" for region in regions)
    return (
        f'<div class="findings"><h3>{escape(regions_title(regions, criterion))}</h3>'
        f'<ol class="regions">{items}</ol></div>'
    )


def regions_title(regions: Sequence[Region | Mapping[str, Any]], criterion: str) -> str:
    """Title of a list of regions: suspicions of a map, or what new questions said of them."""
    status = [r.status if isinstance(r, Region) else r.get("status") for r in regions]
    if set(status) == {SUSPECTED}:
        return (
            f"Suspected regions, worst first ({criterion}; false-discovery rate 5 % over the "
            "cells; no estimates before they are confirmed on new seeds)"
        )
    return (
        f"Regions asked about again on new seeds ({criterion}; Holm's correction over the "
        "regions, intervals at 95 %)"
    )
