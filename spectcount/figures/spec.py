"""Figures: plain dicts that page, paper and HTML file draw alike.

`heatmap_value` makes a map, `lines_value` a chart of lines; both hold JSON-ready data only.

Conventions: `z[row][column]`, row 0 at the bottom, None where nothing was measured; one sequential
scale (cividis) for rates, one diverging (orange - blue) for differences, both safe for
colour-blind readers; labels carry units. `note` is what a reader of the picture alone must know:
trials per cell, the rule behind the numbers, the level of the intervals; it stands under the
figure wherever nothing can be hovered. `key` is the identity of the axes; the page keeps its zoom
while it stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Spec = dict[str, Any]
"""A figure's plain data."""


@dataclass(frozen=True)
class Box:
    """Cells of a map that are outlined: the first and last of their rows and columns."""

    rows: list[int]
    columns: list[int]
    label: str
    dashed: bool = False


def heatmap_value(
    z: Any,
    x: Sequence[Any],
    y: Sequence[Any],
    *,
    x_label: str,
    y_label: str,
    z_label: str,
    z_range: tuple[float, float] = (0.0, 1.0),
    diverging: bool = False,
    x_ticks: Sequence[str] | None = None,
    y_ticks: Sequence[str] | None = None,
    hover: Sequence[Sequence[str]] | None = None,
    n: Any = None,
    marks: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    symbols: Mapping[str, str] | None = None,
    regions: Sequence[Box] = (),
    title: str = "",
    note: str = "",
    key: str = "",
) -> Spec:
    """A heat map.

    Parameters
    ----------
    z : [rows, columns], NaN where not measured; `x` [columns] and `y` [rows] are the axes' values,
        `x_ticks`, `y_ticks` their words (default: the values).
    hover : [rows][columns] extra line per cell, e.g. "n 20, [0.31, 0.66] at 95 %".
    n : [rows, columns] trials behind each cell.
    marks : name -> cells (row, column) drawn on top with a legend entry of that name; `symbols`
        maps a name to "changed", "confounded", "weak" or a Plotly symbol.
    key : identity of the axes; zoom survives while it stays the same.
    """
    return {
        "z": _rows(z),
        "x": plain(x),
        "y": plain(y),
        "x_ticks": list(x_ticks) if x_ticks is not None else None,
        "y_ticks": list(y_ticks) if y_ticks is not None else None,
        "x_label": x_label,
        "y_label": y_label,
        "z_label": z_label,
        "z_range": [float(z_range[0]), float(z_range[1])],
        "diverging": diverging,
        "hover": [list(row) for row in hover] if hover is not None else None,
        "n": np.asarray(n, int).tolist() if n is not None else None,
        "marks": {m: [[int(r), int(c)] for r, c in cells] for m, cells in (marks or {}).items()},
        "symbols": dict(symbols or {}),
        "regions": [asdict(box) for box in regions],
        "title": title,
        "note": note,
        "key": key,
    }


@dataclass(frozen=True)
class Line:
    """One line of a chart: `low` and `high` draw an interval band; `hover` adds words per point;
    `n` are the trials behind each point; `colour` 0..5 fixes the colour, `dash` is solid, dash or
    dot, `mode` and `symbol` as in Plotly. `sizes` are diameters in px, one per point; `bars` draws
    the interval as bars instead of a band; `width` in px; `picks` are what a click on a point
    selects on the page; without `named` it has no entry in the legend."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    hover: Sequence[str] | None = None
    colour: int | None = None
    dash: str = "solid"
    mode: str = "lines+markers"
    n: Sequence[int] | None = None
    symbol: str = "circle"
    sizes: Sequence[float] | None = None
    bars: bool = False
    width: float = 2.0
    picks: Sequence[str] | None = None
    named: bool = True


def lines_value(
    series: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    x_log: bool = False,
    y_log: bool = False,
    x_range: tuple[float, float] | None = None,
    x_ticks: Sequence[str] | None = None,
    levels: Sequence[tuple[float, str]] = (),
    title: str = "",
    note: str = "",
    key: str = "",
) -> Spec:
    """A chart of lines; `levels` are horizontal reference lines (height, words). Ranges are in the
    unit of the axis, on a logarithmic one too. `x_ticks`: words at 0, 1, 2, ... of the axis."""
    numbers = ("x", "y", "low", "high", "n", "sizes")
    return {
        "series": [
            {k: plain(v) if k in numbers and v is not None else v for k, v in asdict(s).items()}
            for s in series
        ],
        "x_label": x_label,
        "y_label": y_label,
        "x_range": list(x_range) if x_range else None,
        "x_ticks": list(x_ticks) if x_ticks is not None else None,
        "y_range": list(y_range) if y_range else None,
        "x_log": x_log,
        "y_log": y_log,
        "levels": [{"y": float(y), "label": label} for y, label in levels],
        "title": title,
        "note": note,
        "key": key,
    }


def plain(values: Sequence[Any]) -> list[Any]:
    """JSON-ready numbers: NaN and infinities, which JSON lacks, become None."""
    return [
        None if isinstance(v, float) and not np.isfinite(v) else v
        for v in np.asarray(values).tolist()
    ]


def _rows(z: Any) -> list[list[float | None]]:
    return [plain(row) for row in np.asarray(z, dtype=float)]
