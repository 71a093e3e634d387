"""Interactive figures: Plotly inside `gr.HTML`, zoom survives updates, cells are clicked.

How a tab uses it::

    view = heatmap("Detection map", empty="Start a probe to fill this map.")
    timer.tick(lambda: heatmap_value(z, x, y, ...), outputs=view, show_progress="hidden")
    view.select(on_cell)      # def on_cell(event: gr.SelectData): row, column = event.index
    view.lasso(on_cells)      # def on_cells(event: gr.EventData): event.cells -> [[row, column]]

An event handler returns a new value (a plain dict, made by `heatmap_value` or `lines_value`) and
the figure is redrawn in place; None shows the `empty` sentence. Zoom and pan survive as long as
the value's `key` stays the same. Arrow keys move over the cells, Enter selects one.

Conventions: `z[row][column]`, row 0 at the bottom, NaN where nothing was measured; one sequential
scale (cividis) for rates, one diverging (orange - blue) for differences, both safe for
colour-blind readers; labels carry units.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np


def plotly_script() -> Path:
    """Where the plotly package keeps its browser bundle."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def serve_plotly() -> str:
    """Let the page fetch Plotly from this server; its URL."""
    path = plotly_script()
    gr.set_static_paths(paths=[path])
    return f"/gradio_api/file={path}"


_TEMPLATE = """<div class="figure empty" tabindex="0" role="figure" aria-label="{label}"
 data-empty="{empty}" data-plotly="{plotly}" style="height: {height}px"></div>
<div class="figure-cell" role="status" aria-live="polite"></div>"""


def heatmap(label: str, *, empty: str, height: int = 420, elem_id: str | None = None) -> gr.HTML:
    """A heat map that shows `empty` until it is given a `heatmap_value`. Its events: `select`
    (gr.SelectData, `index` = (row, column)) and `lasso` (gr.EventData, `cells`)."""
    return _figure(
        label,
        empty,
        height,
        elem_id,
        "SpectCount.heatmap(element, props, watch, trigger); /* 'select' 'lasso' */",
    )


def line_chart(label: str, *, empty: str, height: int = 360, elem_id: str | None = None) -> gr.HTML:
    """A line chart that shows `empty` until it is given a `lines_value`."""
    return _figure(label, empty, height, elem_id, "SpectCount.lineChart(element, props, watch);")


def _figure(label: str, empty: str, height: int, elem_id: str | None, script: str) -> gr.HTML:
    """What does not change stands in the template: Gradio drops the further properties of a
    `gr.HTML` when a handler skips it or updates its visibility."""
    return gr.HTML(
        value=None,
        label=label,
        html_template=_TEMPLATE.format(
            label=html.escape(label),
            empty=html.escape(empty),
            plotly=html.escape(serve_plotly()),
            height=height,
        ),
        js_on_load=script,
        elem_id=elem_id,
        apply_default_css=False,
    )


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
    marks: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    symbols: Mapping[str, str] | None = None,
    regions: Sequence[Mapping[str, Any]] | None = None,
    lasso: bool = False,
    title: str = "",
    key: str = "",
) -> dict[str, Any]:
    """What a `heatmap` shows.

    Parameters
    ----------
    z : [rows, columns], NaN where not measured; `x` [columns] and `y` [rows] are the axes' values,
        `x_ticks`, `y_ticks` their words (default: the values).
    hover : [rows][columns] extra line per cell, e.g. "n 20, [0.31, 0.66] at 95 %".
    marks : name -> cells (row, column) drawn on top with a legend entry of that name; `symbols`
        maps a name to "changed", "confounded", "weak" or a Plotly symbol.
    regions : {"rows": [first, last], "columns": [first, last], "label": "1"}, outlined.
    lasso : dragging picks cells instead of zooming.
    key : identity of the axes; zoom survives while it stays the same.
    """
    return {
        "z": _rows(z),
        "x": _plain(x),
        "y": _plain(y),
        "x_ticks": list(x_ticks) if x_ticks is not None else None,
        "y_ticks": list(y_ticks) if y_ticks is not None else None,
        "x_label": x_label,
        "y_label": y_label,
        "z_label": z_label,
        "z_range": [float(z_range[0]), float(z_range[1])],
        "diverging": diverging,
        "hover": [list(row) for row in hover] if hover is not None else None,
        "marks": {n: [[int(r), int(c)] for r, c in cells] for n, cells in (marks or {}).items()},
        "symbols": dict(symbols or {}),
        "regions": [dict(region) for region in regions or ()],
        "lasso": lasso,
        "title": title,
        "key": key,
    }


@dataclass(frozen=True)
class Line:
    """One line of a chart: `low` and `high` draw an interval band; `hover` adds words per point;
    `colour` 0..5 fixes the colour, `dash` is solid, dash or dot, `mode` as in Plotly."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    hover: Sequence[str] | None = None
    colour: int | None = None
    dash: str = "solid"
    mode: str = "lines+markers"


def lines_value(
    series: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    x_log: bool = False,
    levels: Sequence[tuple[float, str]] = (),
    title: str = "",
    key: str = "",
) -> dict[str, Any]:
    """What a `line_chart` shows; `levels` are horizontal reference lines (height, words)."""
    numbers = ("x", "y", "low", "high")
    return {
        "series": [
            {k: _plain(v) if k in numbers and v is not None else v for k, v in asdict(s).items()}
            for s in series
        ],
        "x_label": x_label,
        "y_label": y_label,
        "y_range": list(y_range) if y_range else None,
        "x_log": x_log,
        "levels": [{"y": float(y), "label": label} for y, label in levels],
        "title": title,
        "key": key,
    }


def _rows(z: Any) -> list[list[float | None]]:
    return [_plain(row) for row in np.asarray(z, dtype=float)]


def _plain(values: Sequence[Any]) -> list[Any]:
    """JSON-ready numbers: NaN and infinities, which JSON lacks, become None."""
    return [
        None if isinstance(v, float) and not np.isfinite(v) else v
        for v in np.asarray(values).tolist()
    ]
