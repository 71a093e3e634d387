"""Trials -> figures of maps and curves, of changes between two listeners, and of wordings.

Conventions: values go through `heatmap_value` and `lines_value`; every cell's hover names its n
and its interval with the level; scales are fixed, so that two maps can be compared by eye: d' 0
to 4.5, rates 0 to 1, AUC 0.5 to 1, differences symmetric about 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spectcount.figures.spec import Box, Line, Spec, heatmap_value, lines_value
from spectcount.figures.words import (
    axis_ticks,
    cells_note,
    interval_text,
    level_text,
    measure_words,
    measured,
    span_text,
)
from spectcount.probing.axes import Axis
from spectcount.probing.base import Plan
from spectcount.probing.difference import Difference
from spectcount.probing.maps import Cells
from spectcount.probing.marks import front_end_marks
from spectcount.probing.weakness import CONFIRMED, NOT_CONFIRMED, Region
from spectcount.probing.wordings import Robustness, Worded
from spectcount.probing.words import is_of_frequency
from spectcount.psychophysics.sdt import Interval

D_PRIME_TOP = 4.5
BAND = (-1.0, 6.0)
"""Where the bands of a chart are cut: an interval may be unbounded."""
SILENT = "front end hears no difference"
MERGED = "front end cannot tell from a neighbour"
_RANGES = {"d_prime": (0.0, D_PRIME_TOP), "rate": (0.0, 1.0), "auc": (0.5, 1.0)}
_DIFFERENCE_TOPS = {"d_prime": 3.0, "rate": 1.0}
SPREAD_TOP = 0.5
"""The largest sd of rates that there can be is near it: half the wordings at 0, half at 1."""


def map_value(
    cells: Cells, measure: str, regions: Sequence[Region] = (), title: str = "", marked: bool = True
) -> Spec:
    """One listener's map; regions are outlined and numbered, dashed until they are confirmed,
    those not confirmed left out; cells that the model's front end cannot tell apart are `marked`
    (that takes seconds for a plan seen first)."""
    measure, words, values = measured(cells, measure)
    boxes = [
        _box(region, str(k + 1))
        for k, region in enumerate(regions)
        if region.status != NOT_CONFIRMED
    ]
    return heatmap_value(
        values.value,
        **_axes(cells.plan),
        z_label=words,
        z_range=_RANGES[measure],
        hover=_hover(cells, values),
        n=cells.n,
        regions=boxes,
        marks=_front_end_marks(cells.plan) if marked else {},
        symbols={SILENT: "x-thin-open", MERGED: "diamond-open"},
        title=title,
        note=cells_note(cells, values),
        key=plan_key(cells.plan),
    )


def curves_value(
    by_name: Mapping[str, Cells],
    measure: str,
    floors: Sequence[tuple[float, str]] = (),
) -> Spec:
    """Curves of one or several listeners over the plan's one axis, with their intervals; `floors`
    are what one cue alone reaches, in accuracy."""
    first = next(iter(by_name.values()))
    plan = first.plan
    lines = []
    for k, (name, cells) in enumerate(by_name.items()):
        used, words, values = measured(cells, measure)
        low, high = (np.clip(_row(v), *BAND).tolist() for v in (values.low, values.high))
        n = cells.n[0].tolist()
        places = axis_ticks(plan.axes[0]) if is_of_frequency(plan.axes[0]) else []
        hover = [
            " · ".join([*places[i : i + 1], f"n {count}", interval_text(values, (0, i))])
            for i, count in enumerate(n)
        ]
        x, y = plan.axes[0].middles, _row(values.value).tolist()
        lines.append(Line(name, x, y, low, high, hover, colour=k, n=n))
    return lines_value(
        lines,
        x_label=plan.axes[0].label,
        y_label=f"{words} (intervals at {level_text(values)})",
        y_range=None if used == "d_prime" else (-0.02, 1.02),
        x_log=_log(plan.axes[0]),
        levels=[(0.5, "chance")] if used == "auc" else floors if plan.asked.counts else [],
        note=cells_note(first, values, "level") + _cut_note(lines),
        key=plan_key(plan),
    )


def difference_value(difference: Difference, measure: str, title: str = "") -> Spec:
    """Tuned minus base per cell; cells that changed for sure are marked."""
    values = (
        difference.d_prime
        if measure == "d_prime" and difference.d_prime is not None
        else difference.rate
    )
    name = "d_prime" if values is difference.d_prime else "rate"
    top = _DIFFERENCE_TOPS[name]
    hover = [
        [
            f"n {difference.n[r, c]}, {difference.gained[r, c]} turned right, "
            f"{difference.lost[r, c]} wrong · "
            f"{interval_text(values, (r, c))}"
            for c in range(difference.n.shape[1])
        ]
        for r in range(difference.n.shape[0])
    ]
    changed = [(int(r), int(c)) for r, c in np.argwhere(difference.sure(name))]
    test = difference.test(name)
    label = f"changed for sure (false-discovery rate {100 * difference.q:g} %)"
    return heatmap_value(
        values.value,
        **_axes(difference.plan),
        z_label=f"{measure_words(name, difference.plan)}, tuned − base",
        z_range=(-top, top),
        diverging=True,
        hover=hover,
        n=difference.n,
        marks={label: changed},
        symbols={label: "changed"},
        title=title,
        note=f"n = {span_text(difference.n)} paired signal trials per cell; {values.rule}; "
        f"intervals at {level_text(values)}; marks: {test}, Benjamini-Hochberg",
        key=plan_key(difference.plan),
    )


def by_wording_value(by_name: Mapping[str, Robustness]) -> Spec:
    """One line per listener over the wordings, in the order of the table, with intervals."""
    lines = []
    for k, (name, robustness) in enumerate(by_name.items()):
        values = [_main(worded) for worded in robustness.by_wording]
        hover = [
            f"{worded.words}{' (held out)' if worded.held_out else ''} · {value}"
            for worded, value in zip(robustness.by_wording, values, strict=True)
        ]
        n = [worded.n for worded in robustness.by_wording]
        x = list(range(1, len(values) + 1))
        value, low, high = (
            [float(np.clip(getattr(v, end), -6, 8)) for v in values]
            for end in ("value", "low", "high")
        )
        lines.append(Line(name, x, value, low, high, hover, colour=k, n=n))
    first = next(iter(by_name.values()))
    level = level_text(_main(first.by_wording[0]))
    return lines_value(
        lines,
        x_label="wording (number in the table)",
        y_label=f"{first.measure} (intervals at {level})",
        y_range=None if first.bias is not None else (-0.02, 1.02),
        note=f"n = {first.n} signal stimuli and {first.n_catch} catch trials in every wording; "
        f"intervals at {level}",
        key=f"wordings {len(first.by_wording)}",
    )


def spread_value(robustness: Robustness, title: str = "") -> Spec:
    """The sd over wordings of the rate of right answers to signal trials, cell by cell."""
    plan = robustness.plan
    return heatmap_value(
        robustness.spread,
        **_axes(plan),
        z_label="sd over wordings",
        z_range=(0.0, SPREAD_TOP),
        hover=[[_spread_words(v, robustness) for v in row] for row in robustness.spread.tolist()],
        title=title,
        note=f"sd over {len(robustness.by_wording)} wordings of the rate in each cell; "
        f"{robustness.n} signal stimuli in all",
        key=f"spread {plan_key(plan)}",
    )


def plan_key(plan: Plan) -> str:
    """Identity of a plan's axes: a figure keeps its zoom while it stays."""
    return " ".join(f"{axis.name}{axis.edges}" for axis in plan.axes)


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
    marks = front_end_marks(plan)
    return {
        name: [(int(r), int(c)) for r, c in np.argwhere(mask)]
        for name, mask in ((SILENT, marks.silent), (MERGED, marks.merged))
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


def _box(region: Region, label: str) -> Box:
    columns = [cell[0] for cell in region.cells]
    rows = [cell[1] for cell in region.cells]
    ends = [min(rows), max(rows)], [min(columns), max(columns)]
    return Box(*ends, label, dashed=region.status != CONFIRMED)


def _cut_note(lines: Sequence[Line]) -> str:
    ends = [v for line in lines for v in (*(line.low or ()), *(line.high or ()))]
    return f", drawn within {BAND[0]:g} to {BAND[1]:g}" if set(BAND) & set(ends) else ""


def _row(values: Any) -> np.ndarray:
    return np.asarray(values, float)[0]


def _log(axis: Axis) -> bool:
    return axis.name == "frequency" or (axis.declared.log and min(axis.middles) > 0)


def _spread_words(spread: float, robustness: Robustness) -> str:
    if np.isnan(spread):
        return "not measured yet"
    return f"rates of {len(robustness.by_wording)} wordings: sd {spread:.2f}"


def _main(worded: Worded) -> Interval:
    return worded.d_prime if worded.d_prime is not None else worded.rate
