"""The figures of a comparison: both maps and what changed, both curves, both confusion matrices.

Plans that follow the answers, and interleaved ones, have words only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount.configs import CompareConfig
from spectcount.errors import UserError
from spectcount.figures.counts import accuracy_value, confusion_value
from spectcount.figures.maps import curves_value, difference_value, map_value
from spectcount.probing.analysis import Result
from spectcount.probing.plan import AnyPlan, CountConfusion, Interleaved, plan_from_dict
from spectcount.ui.figures import heatmap
from spectcount.ui.header import listener_spec
from spectcount.ui.pieces import Box, Updates, chart_box, notice
from spectcount.ui.probe_figures import confusion_words, map_colour, roc_figure
from spectcount.ui.verdicts import comparison_html

NO_CELLS = "The map fills in here once a comparison is started."
NO_CHANGE = "The difference appears once both have answered the same questions."


@dataclass(frozen=True)
class Pair:
    """What a run says that compares base and tuned, with its configuration and its lineage."""

    config: CompareConfig
    lineage: Mapping[str, Any]
    result: Result

    @property
    def plan(self) -> AnyPlan:
        """The plan that both were asked."""
        made: AnyPlan = plan_from_dict(self.config.plan)
        return made

    @property
    def names(self) -> list[str]:
        """Base and tuned."""
        return list(self.config.listeners[:2])

    @property
    def answered(self) -> bool:
        """Whether both have answered."""
        return all(any(part.n[name] for part in self.result.parts) for name in self.names)


def compared(base: str, tuned: str) -> tuple[str, str]:
    """The two listeners; raises `UserError` where there is no adapter."""
    spec = listener_spec(base, tuned)
    if spec == base:
        raise UserError(
            "no tuned adapter is selected; choose one in the header, or make one in Tune"
        )
    return base, spec


class PairFigures:
    """Both maps in a box, the difference in another, the curves in a third."""

    def __init__(self) -> None:
        with gr.Row(equal_height=False) as maps:
            with gr.Column(min_width=320):
                base = heatmap("Base map", empty=NO_CELLS, elem_id="compare-base-map")
            with gr.Column(min_width=320):
                tuned = heatmap("Tuned map", empty=NO_CELLS, elem_id="compare-tuned-map")
        with gr.Column() as column:
            change = heatmap("Difference map", empty=NO_CHANGE, elem_id="compare-difference-map")
        self.maps, self.change = Box(maps, (base, tuned)), Box(column, (change,))
        self.chart = chart_box("Curves of base and tuned", "compare-curve", empty=NO_CELLS)

    @property
    def outputs(self) -> list[Any]:
        return [*self.maps.outputs, *self.change.outputs, *self.chart.outputs]

    def blank(self) -> Updates:
        """Updates that leave the boxes as they are, without pictures."""
        return {**self.maps.blank(), **self.change.blank(), **self.chart.blank()}

    def show(self, pair: Pair, measure: str) -> Updates:
        """Updates that show a comparison; none before both have answered."""
        hidden = {**self.maps.show(None), **self.change.show(None), **self.chart.show(None)}
        if not pair.answered:
            return {}
        plan, part = pair.plan, pair.result.parts[0]
        if plan.adaptive or isinstance(plan, Interleaved):
            return hidden
        if isinstance(plan, CountConfusion):
            tables = part.confusions
            both = [confusion_value(tables[name], title=name) for name in pair.names]
            return hidden | self.maps.show(*both) | self.chart.show(accuracy_value(tables))
        rocs, colour = roc_figure(part, measure), map_colour(measure)
        if len(plan.axes) == 1:
            return hidden | self.chart.show(rocs or curves_value(part.cells, colour))
        both = [map_value(part.cells[name], colour, title=name) for name in pair.names]
        assert part.difference is not None, "a map of two listeners"
        change = difference_value(part.difference, colour, title="tuned − base")
        return hidden | self.maps.show(*both) | self.change.show(change) | self.chart.show(rocs)


def pair_words(pair: Pair) -> Markup:
    """What a comparison says (HTML)."""
    if not pair.answered:
        return notice(NO_CHANGE)
    words = comparison_html(pair.config, pair.lineage, pair.result)
    if not isinstance(pair.plan, CountConfusion):
        return words
    tables = pair.result.parts[0].confusions
    lines = ((name, confusion_words(tables[name])) for name in pair.names)
    told = Markup().join(Markup("<p>{}: {}</p>").format(*line) for line in lines)
    return words + Markup('<div class="findings">{}</div>').format(told)
