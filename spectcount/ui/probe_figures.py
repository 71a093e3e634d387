"""Maps, curves and confusion matrices of a run: the figures that Probe and Compare show of plans
with cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount.figures.counts import accuracy_value, confusion_value
from spectcount.figures.maps import curves_value, map_value
from spectcount.figures.roc import ROCS, roc_value
from spectcount.figures.words import MEASURES
from spectcount.probing.analysis import AnyPart
from spectcount.probing.base import Plan
from spectcount.probing.maps import Confusion
from spectcount.probing.plan import AnyPlan
from spectcount.probing.repeats import left_out_words
from spectcount.probing.weakness import Region, percent
from spectcount.probing.words import cell_words, is_of_frequency, quantity
from spectcount.psychophysics.sdt import interval_of
from spectcount.store import Run
from spectcount.ui.figures import heatmap
from spectcount.ui.parts import Part
from spectcount.ui.pieces import Box, Updates, chart_box, joined, notice, render
from spectcount.ui.polling import Feed

NO_CELLS = "The map or the track fills in here, trial by trial, once a probe is started."


def measure_choice(where: str, visible: bool = True) -> gr.Dropdown:
    """The choice of what colours a map, or of a chart instead."""
    choices = [*MEASURES.items(), *ROCS.items()]
    return gr.Dropdown(
        choices,
        value="d_prime",
        label="Measure or chart",
        elem_id=f"{where}-measure",
        min_width=150,
        visible=visible,
    )


class GridFigures:
    """Map and curve with their boxes, and the level to hear."""

    def __init__(self, where: str) -> None:
        with gr.Column() as column:
            heat = heatmap("Probe map", empty=NO_CELLS, height=380, elem_id=f"{where}-map")
        self.heat = Box(column, (heat,))
        self.chart = chart_box("Probe curve", f"{where}-curve", empty=NO_CELLS)
        self.level = gr.Dropdown(
            [],
            label="Hear a level of the curve",
            visible=False,
            allow_custom_value=True,
            elem_id=f"{where}-level",
        )

    @property
    def outputs(self) -> list[Any]:
        return [*self.heat.outputs, *self.chart.outputs, self.level]

    def show(
        self,
        plan: Plan,
        part: AnyPart,
        listener: str,
        measure: str,
        regions: Sequence[Region],
        marked: bool = True,
    ) -> Updates:
        """Updates of everything. `regions` are outlined; `marked`: with the marks of the front
        end."""
        hidden = {
            **self.heat.show(None),
            **self.chart.show(None),
            self.level: gr.update(visible=False),
        }
        if plan.adaptive:
            return hidden
        if plan.matrix:
            return hidden | self._confusions(part, listener)
        colour, rocs = map_colour(measure), roc_figure(part, measure)
        if len(plan.axes) == 1:
            curves = self.chart.show(rocs or curves_value(part.cells, colour))
            return hidden | curves | {self.level: gr.update(choices=_levels(plan), visible=True)}
        value = map_value(part.cells[listener], colour, regions, title=listener, marked=marked)
        return hidden | self.heat.show(value) | self.chart.show(rocs)

    def _confusions(self, part: AnyPart, listener: str) -> Updates:
        """Matrix of one listener, accuracy of all."""
        tables = answered_tables(part)
        if listener not in tables:
            return {self.heat.column: gr.update(visible=True), **self.heat.blank()}
        return {
            **self.heat.show(confusion_value(tables[listener], title=listener)),
            **self.chart.show(accuracy_value(tables)),
        }


def answered_tables(part: AnyPart) -> dict[str, Confusion]:
    """The confusion matrices of the listeners that answered."""
    return {name: part.confusions[name] for name, n in part.n.items() if n}


def map_colour(measure: str) -> str:
    """The measure that colours maps: where a chart is chosen, sensitivity."""
    return "d_prime" if measure in ROCS.values() else measure


def roc_figure(part: AnyPart, measure: str) -> Any:
    """The chart of all listeners' ROCs where `measure` is one of `ROCS`; None where it is not, or
    nobody's scores are graded."""
    if measure not in ROCS.values():
        return None
    return roc_value({name: pooled.roc for name, pooled in part.pooled.items()}, measure)


def measure_update(plan: AnyPlan, visible: bool = True) -> dict[str, Any]:
    """The choice of a measure: those that the plan's task has. Counting has its accuracy alone,
    and no choice."""
    if not plan.interleaved and not plan.parts[0].asked.two_class:
        return gr.update(choices=[("Accuracy", "rate")], value="rate", visible=False)
    return gr.update(choices=[*MEASURES.items(), *ROCS.items()], visible=visible)


def has_marks(plan: Plan) -> bool:
    """True where a plan's picture shows marks of the front end: maps do."""
    return len(plan.axes) == 2 and not (plan.adaptive or plan.matrix)


def pick_cell(
    run: Run | None,
    feed: Feed,
    event: gr.SelectData,
    listener: str | None = None,
    number: int | None = None,
) -> dict[str, Any] | None:
    """The cell panel's state for a click on a map, or on the confusion matrix of `listener`
    (default: the run's first); of plan `number` where the run has several."""
    if run is None:
        return None
    row, column = map(int, event.index)
    part = feed.result(run).parts[number or 0]
    among = {} if number is None else {"plan": number}
    if not part.confusions:
        return {"cells": [[column, row]], **among}
    names = list(part.confusions)
    table = part.confusions[listener if listener in names else names[0]]
    if row >= len(table.truths) or column >= len(table.answers):
        return None
    return {"truth": table.truths[row], "answer": table.answers[column], **among}


def confusion_words(table: Confusion) -> str:
    """A confusion matrix in a sentence."""
    right = table.overall
    words = (
        f"{100 * right.value:.0f} % right [{100 * right.low:.0f}, {100 * right.high:.0f}] at 95 %, "
        f"n = {int(table.matrix.sum())}, mean error {table.mean_bias:+.2f} events"
    )
    return "; ".join(filter(None, [words, left_out_words(table.repeated)]))


def summary_notices(run: Run, part: Part) -> Markup:
    """Of an ended run the headline of each listener, and what one cue alone reaches on its clips;
    nothing before."""
    summary = run.summary or {}
    plans = summary.get("plans", [])
    of_part = plans[part.number] if plans and part.number is not None else summary
    if not run.ended:
        return Markup()
    overall = of_part.get("overall", {})
    heads = [f"{name}: {o['words']}." for name, o in overall.items() if "words" in o]
    floors = [of_part["shortcuts"]["sentence"]] if "shortcuts" in of_part else []
    folded = render("figures.folded", title="Floors: what one cue alone reaches", words=floors)
    return joined([*map(notice, heads), folded if floors else ""])


def audit_html(audit: Mapping[str, Any]) -> Markup:
    """An audit of clips beforehand: its sentence, and what every cue reaches (HTML)."""
    floors = [
        f"{floor['words']}: {percent(interval_of(floor['rate']))}" for floor in audit["floors"]
    ]
    return notice(f"{audit['sentence']}.") + render(
        "figures.folded", title="Every cue, 95 %", words=floors
    )


def _levels(plan: Plan) -> list[tuple[str, str]]:
    axis = plan.axes[0]
    if is_of_frequency(axis):
        return [(cell_words(axis, i), str(i)) for i in range(axis.n)]
    return [(quantity(middle, axis.declared.unit), str(i)) for i, middle in enumerate(axis.middles)]
