"""Trials -> what the figures show: maps, curves, confusion matrices and their differences.

Conventions: values go through `heatmap_value` and `lines_value`; every cell's hover names its n
and its interval with the level; scales are fixed, so that two maps can be compared by eye: d' 0
to 4.5, rates 0 to 1, AUC 0.5 to 1, differences symmetric about 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from spectcount.probing.axes import Axis
from spectcount.probing.base import Plan
from spectcount.probing.difference import Difference
from spectcount.probing.maps import Cells, Confusion
from spectcount.probing.marks import front_end_marks
from spectcount.probing.weakness import Region
from spectcount.psychophysics.sdt import Interval
from spectcount.ui.figures import Line, heatmap_value, lines_value

D_PRIME_TOP = 4.5
MEASURES = {"Sensitivity d′": "d_prime", "Hit rate or accuracy": "rate", "AUC": "auc"}
SILENT = "front end hears no difference"
MERGED = "front end cannot tell from a neighbour"
_RANGES = {"d_prime": (0.0, D_PRIME_TOP), "rate": (0.0, 1.0), "auc": (0.5, 1.0)}
_DIFFERENCE_TOPS = {"d_prime": 3.0, "rate": 1.0}


def measured(cells: Cells, measure: str) -> tuple[str, str, Interval]:
    """(measure, words, values): the measure asked for, or the rate where the task has no other."""
    found = getattr(cells, measure)
    if found is None:
        measure, found = "rate", cells.rate
    return measure, measure_words(measure, cells.plan), found


def measure_words(measure: str, plan: Plan) -> str:
    """A measure's name for an axis."""
    right = "hit rate" if plan.asked.two_class else "accuracy"
    return {"d_prime": "d′", "rate": right, "auc": "AUC"}[measure]


def map_value(
    cells: Cells, measure: str, regions: Sequence[Region] = (), title: str = ""
) -> dict[str, Any]:
    """One listener's map; weak regions are outlined and numbered, cells that the model's front
    end cannot tell apart are marked."""
    measure, words, values = measured(cells, measure)
    boxes = [_box(region, str(k + 1)) for k, region in enumerate(regions)]
    return heatmap_value(
        values.value,
        **_axes(cells.plan),
        z_label=words,
        z_range=_RANGES[measure],
        hover=_hover(cells, values),
        regions=boxes,
        marks=_front_end_marks(cells.plan),
        symbols={SILENT: "x-thin-open", MERGED: "diamond-open"},
        title=title,
        key=plan_key(cells.plan),
    )


def curves_value(found: Mapping[str, Cells], measure: str, title: str = "") -> dict[str, Any]:
    """Curves of one or several listeners over the plan's one axis, with their intervals."""
    plan = next(iter(found.values())).plan
    lines = []
    for k, (name, cells) in enumerate(found.items()):
        used, words, values = measured(cells, measure)
        low, high = (np.clip(_row(v), -1.0, 6.0) for v in (values.low, values.high))
        hover = [
            f"n {n} · {interval_text(values, (0, i))}" for i, n in enumerate(cells.n[0].tolist())
        ]
        x, y = plan.axes[0].middles, _row(values.value)
        lines.append(Line(name, x, y, low, high, hover, colour=k))
    level = f"intervals at {100 * values.level:.0f} %"
    return lines_value(
        lines,
        x_label=plan.axes[0].label,
        y_label=f"{words} ({level})",
        y_range=None if used == "d_prime" else (-0.02, 1.02),
        x_log=_log(plan.axes[0]),
        levels=[(0.5, "chance")] if used == "auc" else [],
        title=title,
        key=plan_key(plan),
    )


def confusion_value(found: Confusion, title: str = "") -> dict[str, Any]:
    """How many there were (up) against how many were said (across), as shares of each row."""
    totals = found.matrix.sum(axis=1, keepdims=True)
    shares = np.divide(
        found.matrix, totals, out=np.full(found.matrix.shape, np.nan), where=totals > 0
    )
    hover = [
        [f"{n} of {int(total)} trials" for n in row]
        for row, total in zip(found.matrix.tolist(), totals[:, 0], strict=True)
    ]
    diagonal = [(r, found.answers.index(t)) for r, t in enumerate(found.truths)]
    return heatmap_value(
        shares,
        found.answers,
        found.truths,
        x_label="said",
        y_label="there were",
        z_label="share",
        hover=hover,
        marks={"right": diagonal},
        symbols={"right": "square-open"},
        title=title,
        key=f"confusion {len(found.truths)}",
    )


def accuracy_value(found: Mapping[str, Confusion]) -> dict[str, Any]:
    """Accuracy by the number of events, one line per listener."""
    lines = [
        Line(
            name,
            [int(t) for t in table.truths],
            table.accuracy.value,
            table.accuracy.low,
            table.accuracy.high,
            [f"n {int(n)}" for n in table.matrix.sum(axis=1)],
            colour=k,
        )
        for k, (name, table) in enumerate(found.items())
    ]
    return lines_value(
        lines, x_label="events", y_label="accuracy (intervals at 95 %)", y_range=(-0.02, 1.02),
        key="accuracy",
    )  # fmt: skip


def difference_value(found: Difference, measure: str, title: str = "") -> dict[str, Any]:
    """Tuned minus base per cell; cells that changed for sure are marked."""
    values = found.d_prime if measure == "d_prime" and found.d_prime is not None else found.rate
    name = "d_prime" if values is found.d_prime else "rate"
    top = _DIFFERENCE_TOPS[name]
    hover = [
        [
            f"n {found.n[r, c]}, {found.gained[r, c]} turned right, {found.lost[r, c]} wrong · "
            f"{interval_text(values, (r, c))}"
            for c in range(found.n.shape[1])
        ]
        for r in range(found.n.shape[0])
    ]
    changed = [(int(r), int(c)) for r, c in np.argwhere(found.changed)]
    label = f"changed for sure (false-discovery rate {100 * found.q:g} %)"
    return heatmap_value(
        values.value,
        **_axes(found.plan),
        z_label=f"{measure_words(name, found.plan)}, tuned − base",
        z_range=(-top, top),
        diverging=True,
        hover=hover,
        marks={label: changed},
        symbols={label: "changed"},
        title=title,
        key=plan_key(found.plan),
    )


def interval_text(values: Interval, at: tuple[int, int]) -> str:
    """One cell's estimate and interval with its level."""
    one = values.at(at)
    if math.isnan(one.value):
        return "not measured yet"
    return f"{one.value:.2f} [{_bound(one.low)}, {_bound(one.high)}] at {100 * one.level:.0f} %"


def plan_key(plan: Plan) -> str:
    """Identity of a plan's axes: a figure keeps its zoom while it stays."""
    return " ".join(f"{axis.name}{axis.edges}" for axis in plan.axes)


def axis_ticks(axis: Axis) -> list[str]:
    """A word for each cell of an axis."""
    if axis.whole and not axis.points:
        ends = [axis.bounds(i) for i in range(axis.n)]
        return [f"{low:g}" if low == high else f"{low:g}–{high:g}" for low, high in ends]
    return [f"{middle:.3g}" if abs(middle) < 1000 else f"{middle:.0f}" for middle in axis.middles]


def regions_html(regions: Sequence[Region | Mapping[str, Any]], criterion: str, done: bool) -> str:
    """The weak regions in words, the worst first (HTML)."""
    if not regions:
        words = (
            f"No cell is {criterion} so far." if done
            else "Weak regions appear here as soon as enough trials are in to be sure."
        )  # fmt: skip
        return f'<div class="findings"><p>{escape(words)}</p></div>'
    items = "".join(f"<li>{escape(sentence_of(region))}</li>" for region in regions)
    return (
        f'<div class="findings"><h4>Weak regions, worst first ({escape(criterion)}, intervals at '
        f'95 %)</h4><ol class="regions">{items}</ol></div>'
    )


def sentence_of(region: Region | Mapping[str, Any]) -> str:
    """A region in words."""
    return region.sentence if isinstance(region, Region) else str(region.get("sentence", ""))


def _axes(plan: Plan) -> dict[str, Any]:
    across, *rest = plan.axes
    up = rest[0] if rest else None
    return {
        "x": across.middles,
        "y": up.middles if up else [0],
        "x_label": across.label,
        "y_label": up.label if up else "",
        "x_ticks": axis_ticks(across),
        "y_ticks": axis_ticks(up) if up else [""],
    }


def _front_end_marks(plan: Plan) -> dict[str, list[tuple[int, int]]]:
    found = front_end_marks(plan)
    return {
        name: [(int(r), int(c)) for r, c in np.argwhere(mask)]
        for name, mask in ((SILENT, found.silent), (MERGED, found.merged))
    }


def _hover(cells: Cells, values: Interval) -> list[list[str]]:
    rows, columns = cells.n.shape
    return [[_cell_words(cells, values, (r, c)) for c in range(columns)] for r in range(rows)]


def _cell_words(cells: Cells, values: Interval, at: tuple[int, int]) -> str:
    ideal = cells.ideal[at]
    best = f"<br>ideal observer d′ {ideal:.3g}" if np.isfinite(ideal) else ""
    return (
        f"{interval_text(values, at)}<br>{cells.hits[at]} of {cells.n[at]} signal trials right, "
        f"{cells.false_alarms[at]} of {cells.n_catch[at]} catch trials wrong{best}"
    )


def _box(region: Region, label: str) -> dict[str, Any]:
    columns = [cell[0] for cell in region.cells]
    rows = [cell[1] for cell in region.cells]
    return {
        "rows": [min(rows), max(rows)],
        "columns": [min(columns), max(columns)],
        "label": label,
    }


def _row(values: Any) -> np.ndarray:
    return np.asarray(values, float)[0]


def _log(axis: Axis) -> bool:
    return axis.name == "frequency" or (axis.declared.log and min(axis.middles) > 0)


def _bound(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "?"
