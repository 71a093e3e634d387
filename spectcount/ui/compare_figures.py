"""The figures of a comparison: both maps and what changed, both curves, both confusion matrices.

Plans that follow the answers, and interleaved ones, have words only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount.configs import CompareConfig
from spectcount.errors import UserError
from spectcount.figures.counts import accuracy_value, confusion_value
from spectcount.figures.maps import curves_value, difference_value, map_value
from spectcount.probing.difference import difference
from spectcount.probing.maps import confusion, measure_map, of_listener
from spectcount.probing.plan import AnyPlan, CountConfusion, Interleaved, plan_from_dict
from spectcount.store import Run
from spectcount.trials import Trial
from spectcount.ui.figures import heatmap
from spectcount.ui.header import listener_spec
from spectcount.ui.pieces import Box, Updates, chart_box, notice
from spectcount.ui.probe_figures import confusion_words, map_colour, roc_figure
from spectcount.ui.verdicts import comparison_html

NO_CELLS = "The map fills in here once a comparison is started."
NO_CHANGE = "The difference appears once both have answered the same questions."


@dataclass(frozen=True)
class Pair:
    """Trials of base and of tuned, with the plan that asked for them, the run's configuration and
    its lineage."""

    plan: AnyPlan
    names: tuple[str, str]
    base: list[Trial]
    tuned: list[Trial]
    config: CompareConfig
    lineage: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trials(self) -> dict[str, list[Trial]]:
        """Trials by listener, base first."""
        return dict(zip(self.names, (self.base, self.tuned), strict=True))


def compared(base: str, tuned: str) -> tuple[str, str]:
    """The two listeners; raises `UserError` where there is no adapter."""
    spec = listener_spec(base, tuned)
    if spec == base:
        raise UserError(
            "no tuned adapter is selected; choose one in the header, or make one in Tune"
        )
    return base, spec


def pair_of(run: Run, trials: list[Trial]) -> Pair:
    """A comparison's trials, apart by listener."""
    base, tuned = run.config["listeners"][:2]
    apart = of_listener(trials, base), of_listener(trials, tuned)
    return Pair(
        plan_from_dict(run.config["plan"]),
        (base, tuned),
        *apart,
        CompareConfig.from_json(run.config),
        run.lineage,
    )


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
        if not pair.base or not pair.tuned:
            return {}
        if pair.plan.adaptive or isinstance(pair.plan, Interleaved):
            return hidden
        if isinstance(pair.plan, CountConfusion):
            tables = {name: confusion(trials) for name, trials in pair.trials.items()}
            both = [confusion_value(table, title=name) for name, table in tables.items()]
            return hidden | self.maps.show(*both) | self.chart.show(accuracy_value(tables))
        cells = {name: measure_map(pair.plan, trials) for name, trials in pair.trials.items()}
        rocs, colour = roc_figure(pair.plan, pair.trials, measure), map_colour(measure)
        if len(pair.plan.axes) == 1:
            return hidden | self.chart.show(rocs or curves_value(cells, colour))
        both = [map_value(cells[name], colour, title=name) for name in pair.names]
        changed = difference(pair.plan, pair.base, pair.tuned)
        change = difference_value(changed, colour, title="tuned − base")
        return hidden | self.maps.show(*both) | self.change.show(change) | self.chart.show(rocs)


def pair_words(pair: Pair) -> Markup:
    """What a comparison says (HTML)."""
    if not pair.base or not pair.tuned:
        return notice(NO_CHANGE)
    words = comparison_html(pair.config, pair.lineage, pair.trials)
    if not isinstance(pair.plan, CountConfusion):
        return words
    lines = ((n, confusion_words(confusion(trials))) for n, trials in pair.trials.items())
    told = Markup().join(Markup("<p>{}: {}</p>").format(*line) for line in lines)
    return words + Markup('<div class="findings">{}</div>').format(told)
