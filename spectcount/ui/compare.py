"""The Compare tab: base and tuned on the same questions, and what may be said of it; below, what
was forgotten, and whether the wording matters.

Questions come from a seed that the fine-tune did not use; differences are paired, question by
question, with false-discovery control over the cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount import actions
from spectcount.configs import CompareConfig
from spectcount.errors import UserError
from spectcount.figures.counts import accuracy_value, confusion_value
from spectcount.figures.maps import curves_value, difference_value, map_value
from spectcount.probing.analysis import Result
from spectcount.probing.plan import AnyPlan, plan_from_dict
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import cell, plan_form, room
from spectcount.ui.figures import heatmap
from spectcount.ui.header import Header, compared, listener_spec
from spectcount.ui.panel_view import PanelView
from spectcount.ui.pieces import (
    PRIVATE,
    QUIET,
    Box,
    Updates,
    chart_box,
    files,
    html,
    joined,
    live,
    notice,
    on,
    refusal,
    small_button,
)
from spectcount.ui.polling import find_run
from spectcount.ui.probe_figures import (
    confusion_words,
    map_colour,
    measure_choice,
    measure_update,
    pick_cell,
    roc_figure,
)
from spectcount.ui.run_view import Picture, RunView
from spectcount.ui.runs import handed_out
from spectcount.ui.tune import TuneView
from spectcount.ui.verdicts import headline_html, parts_html
from spectcount.ui.wordings_view import WordingsView

WORKING = "Computing the comparison."
_MARGIN_HELP = (
    "Changes of the main measure within ± this value count as equivalent; fix it before the run."
)
REDRAW_EVERY = 0.1
"""Share of new trials after which a running comparison is drawn again: a bootstrap costs time."""


NO_CELLS = "The map fills in here once a comparison is started."
NO_CHANGE = "The difference appears once both have answered the same questions."


@dataclass(frozen=True)
class Pair:
    """The result of a run that compares base and tuned, with its configuration and its lineage."""

    config: CompareConfig
    lineage: Mapping[str, Any]
    result: Result

    @property
    def plan(self) -> AnyPlan:
        """The plan that both were asked."""
        plan: AnyPlan = plan_from_dict(self.config.plan)
        return plan

    @property
    def names(self) -> list[str]:
        """Base and tuned."""
        return list(self.config.listeners[:2])

    @property
    def answered(self) -> bool:
        """True once both have answered."""
        return all(any(part.n[name] for part in self.result.parts) for name in self.names)


class PairFigures:
    """The difference in a box, both maps in another, the curves in a third."""

    def __init__(self) -> None:
        with gr.Column(visible=False) as column:
            change = heatmap(
                "Difference map", empty=NO_CHANGE, height=340, elem_id="compare-difference-map"
            )
        with gr.Row(equal_height=False, visible=False, elem_classes="after") as maps:
            base, tuned = (
                self._small_map(f"{name} map", f"compare-{name.lower()}-map")
                for name in ("Base", "Tuned")
            )
        self.maps, self.change = Box(maps, (base, tuned)), Box(column, (change,))
        self.chart = chart_box("Curves of base and tuned", "compare-curve", empty=NO_CELLS)

    def _small_map(self, label: str, elem_id: str) -> gr.HTML:
        with gr.Column(min_width=440):
            return heatmap(label, empty=NO_CELLS, height=300, elem_id=elem_id)

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
        if plan.adaptive:
            return hidden
        if plan.matrix:
            tables = part.confusions
            both = [confusion_value(tables[name], title=name) for name in pair.names]
            return hidden | self.maps.show(*both) | self.chart.show(accuracy_value(tables))
        rocs, colour = roc_figure(part, measure), map_colour(measure)
        if len(part.plan.axes) == 1:
            return hidden | self.chart.show(rocs or curves_value(part.cells, colour))
        both = [map_value(part.cells[name], colour, title=name) for name in pair.names]
        assert part.difference is not None, "a map of two listeners"
        change = difference_value(part.difference, colour, title="tuned − base")
        return hidden | self.maps.show(*both) | self.change.show(change) | self.chart.show(rocs)


def pair_words(pair: Pair) -> Markup:
    """The verdicts of a comparison (HTML)."""
    return headline_html(pair.config, pair.result) if pair.answered else notice(NO_CHANGE)


def pair_parts(pair: Pair) -> Markup:
    """The verdicts on cells, on what was held out, and confusions in words (HTML)."""
    if not pair.answered:
        return Markup()
    words = parts_html(pair.config, pair.lineage, pair.result)
    if not pair.plan.matrix:
        return words
    tables = pair.result.parts[0].confusions
    lines = ((name, confusion_words(tables[name])) for name in pair.names)
    sentences = Markup().join(Markup("<p>{}: {}</p>").format(*line) for line in lines)
    return words + Markup('<div class="findings">{}</div>').format(sentences)


class CompareView(RunView):
    """The tab; it offers the plan that an adapter in use is from. The panel and the wordings are
    parts below that open."""

    kind = "compare"
    noun = "comparison"
    empty = (
        "No comparison yet. Choose a tuned adapter in the header, choose a plan on this page, and "
        "press Start comparison: both listeners get the same questions."
    )

    def __init__(self, settings: Settings, store: Store, header: Header, tuning: TuneView) -> None:
        super().__init__(settings, store, header)
        with gr.Row(equal_height=False, elem_classes="beside"):
            with gr.Column(scale=3, min_width=280, elem_classes="panel"):
                self._lay_out_form()
            with gr.Column(scale=6, min_width=320, elem_classes="pictures"):
                (export,) = self.lay_out_run(
                    lambda: small_button("Export", "compare-export", visible=False)
                )
                self.buttons[export] = lambda run: run.ended
                self.exported = files("Exported bundle", "compare-files")
                self.summary = live("compare-summary")
                self.measure = measure_choice("compare", visible=False)
                self.figures = PairFigures()
            with gr.Column(scale=4, min_width=320, elem_classes="detail"):
                panel = cell.CellPanel("compare", settings, self.feed, self.run, header)
                self.parts = html("compare-parts")
        PanelView(settings, store, header)
        WordingsView(settings, store, header, self.form)
        self._connect()
        export.click(self.export, self.run, [self.run_message, self.exported], **PRIVATE)
        taken = [tuning.run, self.form.seed]
        tuning.used.then(self.take_plan, taken, self.form.everything, **QUIET)
        for figure in (*self.figures.maps.figures, self.figures.change.figure):
            panel.follow(figure.select, self.pick, [self.run])

    def _lay_out_form(self) -> None:
        who = html("compare-who")
        self.form = form = plan_form.build(self.settings, "compare", actions.HELD_OUT_SEED)
        margin = gr.Number(
            0,
            label="Equivalence margin (0: none)",
            info=_MARGIN_HELP,
            minimum=0,
            elem_id="compare-margin",
        )
        inputs = [*form.inputs, self.header.base, self.header.tuned]
        changed = [*form.triggers, self.header.base.change, self.header.tuned.change]
        on(changed, self.cost, inputs, [who, form.cost])
        self.asked = [*inputs, margin]
        self.start_button = self.lay_out_start("Start comparison", variant="primary")

    def _connect(self) -> None:
        self.starts(self.start_button, self.asked)
        waiting = {self.summary: notice(WORKING), self.parts: "", **self.figures.blank()}
        self.follow(
            [Picture("figures", self.draw, REDRAW_EVERY, [self.measure], waiting)],
            self.measure,
            self.summary,
            self.parts,
            *self.figures.outputs,
            when=[self.measure.input],
        )

    def take_plan(self, run_id: str | None, seed: int) -> Updates:
        """The plan of the map that a fine-tune got its regions from, at this tab's own seed;
        nothing where there was none, or it is gone."""
        tuned = find_run(self.store, run_id, "tune")
        source = find_run(self.store, tuned.lineage.get("probe"), "probe") if tuned else None
        if source is None:
            return gr.skip()
        preset = source.lineage.get("probe") or self.form.first[0]
        try:
            return self.form.show_kept(plan_form.KeptPlan(preset, seed, source.config["plan"]))
        except UserError:
            return gr.skip()

    def cost(self, *values: Any) -> tuple[str, str]:
        """Who is compared, and what the plan would take or the sentence that refuses it."""
        *plan_values, base, tuned = values
        spec = listener_spec(base, tuned)
        about = Markup('<p class="about">Base <b>{}</b>, tuned <b>{}</b></p>')
        who = about.format(base, spec)
        try:
            names = compared(base, tuned)
            plan, seed, preset = self.form.read(plan_values)
            plan.refuse_infeasible()
            _, seen = actions.seen_before(self.settings, spec, seed)
            cost = plan_form.cost_html(plan, names, self.store)
            needs = room.room_html(room.for_scoring(self.settings, names))
            address = self.form.kept(plan, preset, seed)
            return who + joined(map(notice, seen)), cost + needs + address
        except UserError as error:
            return who, refusal(error)

    def begin(self, *values: Any) -> Run:
        """Queue the comparison that the form describes."""
        *plan_values, base, tuned, margin = values
        names = compared(base, tuned)
        plan, seed, preset = self.form.read(plan_values)
        source = plan_form.source_of(plan, preset, self.settings)
        run = actions.start_compare(self.settings, source, *names, seed, margin=margin or None)
        return run

    def export(self, run_id: str | None) -> tuple[str, Any]:
        """The chosen comparison as one zip."""
        return handed_out(run_id, lambda i, to: actions.export(self.settings, i, to), "comparison")

    def pick(self, run_id: str | None, event: gr.SelectData) -> dict[str, Any] | None:
        """The cell panel's state for a click on one of the maps."""
        return pick_cell(find_run(self.store, run_id, "compare"), self.feed, event)

    def facts(self, run: Run) -> Iterator[tuple[str, Any, Updates]]:
        """The measures that the run's task has."""
        yield "measure", run.id, {self.measure: measure_update(plan_from_dict(run.config["plan"]))}

    def draw(self, run: Run, measure: str) -> Updates:
        """Updates of words and figures."""
        pair = Pair(CompareConfig.from_json(run.config), run.lineage, self.feed.result(run))
        words = {self.summary: pair_words(pair), self.parts: pair_parts(pair)}
        return {**words, **self.figures.show(pair, measure)}
