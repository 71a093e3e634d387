"""Interactive figures: Plotly inside `gr.HTML`, zoom survives updates, cells are clicked.

How a tab uses it::

    view = heatmap("Detection map", empty="Start a probe to fill this map.")
    timer.tick(lambda: heatmap_value(z, x, y, ...), outputs=view, show_progress="hidden")
    view.select(on_cell)      # def on_cell(event: gr.SelectData): row, column = event.index

An event handler returns a new value (a plain dict, made by `spectcount.figures`) and the figure is
redrawn in place; None shows the `empty` sentence. Zoom and pan survive as long as the value's `key`
stays the same. Arrow keys move over the cells, Enter selects one.
"""

from __future__ import annotations

import html

import gradio as gr

from spectcount import visitors
from spectcount.figures.interactive import plotly_script


def serve_plotly() -> str:
    """Let the page fetch Plotly from this server; its URL."""
    path = plotly_script()
    gr.set_static_paths(paths=[path])
    visitors.hand(path)
    return f"/gradio_api/file={path}"


_TEMPLATE = """<div class="figure empty" tabindex="0" role="figure" aria-label="{label}"
 data-empty="{empty}" data-plotly="{plotly}" style="height: {height}px"></div>
<div class="figure-cell" role="status" aria-live="polite"></div>{note}
<details class="figure-files" hidden><summary>Save this figure</summary><div>
<button type="button" data-save="svg">SVG</button>
<button type="button" data-save="png">PNG</button>
<button type="button" data-save="html">Interactive HTML</button></div></details>"""


def heatmap(label: str, *, empty: str, height: int = 420, elem_id: str | None = None) -> gr.HTML:
    """A heat map that shows `empty` until it is given a `heatmap_value`. Its event: `select`
    (gr.SelectData, `index` = (row, column))."""
    return _figure(
        label,
        empty,
        height,
        elem_id,
        "SpectCount.heatmap(element, props, watch, trigger); /* 'select' */",
        "",
    )


def line_chart(label: str, *, empty: str, height: int = 360, elem_id: str | None = None) -> gr.HTML:
    """A line chart that shows `empty` until it is given a `lines_value`. Its event: `select`
    (gr.SelectData, `value` = the pick of the point that was clicked)."""
    return _figure(
        label,
        empty,
        height,
        elem_id,
        "SpectCount.lineChart(element, props, watch, trigger); /* 'select' */",
        '<p class="figure-note"></p>',
    )


def _figure(
    label: str, empty: str, height: int, elem_id: str | None, script: str, note: str
) -> gr.HTML:
    """Put what does not change into the template: Gradio drops the further properties of a
    `gr.HTML` when a handler skips it or updates its visibility."""
    return gr.HTML(
        value=None,
        label=label,
        html_template=_TEMPLATE.format(
            label=html.escape(label),
            empty=html.escape(empty),
            plotly=html.escape(serve_plotly()),
            height=height,
            note=note,
        ),
        js_on_load=script,
        elem_id=elem_id,
        apply_default_css=False,
    )
