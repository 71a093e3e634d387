"""The Compare tab: base and tuned on the same questions, and what changed for sure.

Questions come from a seed that the fine-tune did not use; differences are paired, question by
question, with false-discovery control over the cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import numpy as np
from gradio.context import Context

from spectcount import actions
from spectcount.errors import UserError
from spectcount.figures.counts import accuracy_value, confusion_value
from spectcount.figures.maps import curves_value, difference_value, map_value
from spectcount.figures.words import MEASURES
from spectcount.probing.base import Plan
from spectcount.probing.difference import Change, Difference, change_over, difference
from spectcount.probing.maps import confusion, measure_map, of_listener
from spectcount.probing.plan import CountConfusion, plan_from_dict
from spectcount.psychophysics.sdt import Interval
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.trials import Trial
from spectcount.ui import cell, plan_form
from spectcount.ui.figures import heatmap, line_chart
from spectcount.ui.header import Header, listener_spec
from spectcount.ui.polling import (
    QUIET,
    Feed,
    find_run,
    notice,
    progress_html,
    redraw_step,
    run_choices,
)
from spectcount.ui.probe import act, confusion_words, newest, pick_cell, run_buttons, run_dropdown
from spectcount.ui.runs import fresh_folder

HELD_OUT_SEED = 1000
"""Apart from the seeds that Probe and Tune start from."""
EMPTY = (
    "No comparison yet. Choose a tuned adapter in the header, choose a plan on this page, and "
    "press Start comparison: both listeners get the same questions."
)
NO_CELLS = "The map fills in here once a comparison is started."
NO_CHANGE = "The difference appears once both have answered the same questions."
MAX_LISTED = 12
REDRAW_EVERY = 0.1
"""Share of new trials after which a running comparison is drawn again: a bootstrap costs time."""


def build(settings: Settings, store: Store, header: Header) -> None:
    """The Compare tab, inside its `gr.Tab`."""
    view = CompareView(settings, store)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=320, elem_classes="panel"):
            who = gr.HTML(elem_id="compare-who", apply_default_css=False)
            form = view.form = plan_form.build(settings, "compare", HELD_OUT_SEED)
            start = gr.Button("Start comparison", variant="primary", elem_id="compare-start")
            message = gr.HTML(elem_id="compare-message", apply_default_css=False)
        with gr.Column(scale=3, min_width=320):
            with gr.Row(equal_height=False):
                run = run_dropdown(store, "compare")
                stop, resume = run_buttons("compare")
                export = gr.Button(
                    "Export", size="sm", elem_id="compare-export", min_width=90, scale=0
                )
            files = gr.File(
                label="Exported bundle", visible=False, interactive=False, elem_id="compare-files"
            )
            progress = gr.HTML(elem_id="compare-progress", apply_default_css=False)
            summary = gr.HTML(elem_id="compare-summary", apply_default_css=False)
            measure = gr.Radio(
                list(MEASURES.items()),
                value="d_prime",
                label="Colour (counting plans show accuracy)",
                elem_id="compare-measure",
            )
            with gr.Row(equal_height=False) as maps_box:
                with gr.Column(min_width=320):
                    base_map = heatmap("Base map", empty=NO_CELLS, elem_id="compare-base-map")
                with gr.Column(min_width=320):
                    tuned_map = heatmap("Tuned map", empty=NO_CELLS, elem_id="compare-tuned-map")
            with gr.Column() as change_box:
                change = heatmap(
                    "Difference map", empty=NO_CHANGE, elem_id="compare-difference-map"
                )
            with gr.Column(visible=False) as chart_box:
                chart = line_chart(
                    "Curves of base and tuned", empty=NO_CELLS, elem_id="compare-curve"
                )
            panel = cell.build("compare", settings, view.feed, run, header)

    sent = gr.State({})
    asked = [*form.inputs, header.base, header.tuned]
    changed = [*form.triggers, header.base.change, header.tuned.change]
    gr.on(changed, view.cost, asked, [who, form.cost], **QUIET)
    form.shown.then(view.cost, asked, [who, form.cost], **QUIET)
    Context.root_block.load(view.cost, asked, [who, form.cost], **QUIET)
    shown = {
        "inputs": [run, measure, sent],
        "outputs": [
            run, progress, summary, maps_box, base_map, tuned_map, change_box, change, chart_box,
            chart, sent,
        ],
    }  # fmt: skip
    start.click(view.start, asked, [run, message], api_visibility="private").then(
        view.poll, **shown, **QUIET
    )
    gr.on([run.change, measure.input], view.poll, **shown, **QUIET)
    gr.Timer(1.0).tick(view.poll, **shown, **QUIET)
    Context.root_block.load(view.poll, **shown, **QUIET)
    stop.click(view.stop, run, message, api_visibility="private")
    resume.click(view.resume, run, message, api_visibility="private")
    export.click(view.export, run, [message, files], api_visibility="private")
    for figure in (base_map, tuned_map, change):
        panel.follow(figure.select(view.pick, run, panel.at, **QUIET))


@dataclass(frozen=True)
class Pair:
    """Trials of base and of tuned, with the plan that asked for them."""

    plan: Plan
    names: tuple[str, str]
    base: list[Trial]
    tuned: list[Trial]


class CompareView:
    """The tab's handlers, over one store; `form` is set once it is laid out."""

    form: plan_form.PlanForm

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.feed = Feed(store)

    def cost(self, *values: Any) -> tuple[str, str]:
        """Who is compared, and what the plan would take or the sentence that refuses it."""
        *plan_values, base, tuned = values
        spec = listener_spec(base, tuned)
        who = f'<p class="about">Base <b>{escape(base)}</b>, tuned <b>{escape(spec)}</b></p>'
        try:
            names = compared(base, tuned)
            plan, _, _ = self.form.read(plan_values)
            plan.refuse_infeasible()
            return who, plan_form.cost_html(plan, names, self.store)
        except UserError as error:
            return who, notice(str(error), "error")

    def start(self, *values: Any) -> tuple[Any, str]:
        """Queue the comparison that the form describes."""
        *plan_values, base, tuned = values
        try:
            names = compared(base, tuned)
            plan, seed, preset = self.form.read(plan_values)
            source = plan_form.source_of(plan, preset, self.settings)
            run = actions.start_compare(self.settings, source, *names, seed)
        except UserError as error:
            return gr.skip(), notice(str(error), "error")
        return gr.update(choices=run_choices(self.store, "compare"), value=run.id), ""

    def stop(self, run_id: str | None) -> str:
        """Ask the chosen run to stop."""
        return act(lambda: actions.cancel(self.settings, run_id or ""), run_id)

    def resume(self, run_id: str | None) -> str:
        """Queue the chosen run again."""
        return act(lambda: actions.resume(self.settings, run_id or ""), run_id)

    def export(self, run_id: str | None) -> tuple[str, Any]:
        """The chosen comparison as one zip."""
        try:
            if not run_id:
                raise UserError("no comparison is chosen; start one or choose it in the list")
            path = actions.export(self.settings, run_id, fresh_folder())
        except UserError as error:
            return notice(str(error), "error"), gr.update(visible=False)
        return "", gr.update(value=[str(path)], visible=True)

    def pick(self, run_id: str | None, event: gr.SelectData) -> dict[str, Any] | None:
        """The cell panel's state for a click on one of the maps."""
        return pick_cell(find_run(self.store, run_id, "compare"), self.feed, event)

    def poll(self, run_id: str | None, measure: str, sent: dict[str, Any]) -> tuple[Any, ...]:
        """Everything about the chosen run that is new since `sent`: run, progress, summary, maps,
        difference and curves with their boxes, sent."""
        run = find_run(self.store, run_id, "compare") or newest(self.store, "compare", run_id)
        if run is None:
            words = f"There is no comparison {run_id!r}; choose a run." if run_id else EMPTY
            told = gr.skip() if sent == {"empty": words} else notice(words)
            return gr.skip(), told, *[gr.skip()] * 8, {"empty": words}
        trials = self.feed.trials(run.id)
        choices = run_choices(self.store, "compare")
        drawn = redraw_step(len(trials), run.total, REDRAW_EVERY, run.ended)
        now = {
            "runs": [choices, run.id],
            "progress": progress_html(run, self.store),
            "figures": [run.id, drawn, measure, run.ended],
        }
        fresh = {name: sent.get(name) != value for name, value in now.items()}
        return (
            gr.update(choices=choices, value=run.id) if fresh["runs"] else gr.skip(),
            now["progress"] if fresh["progress"] else gr.skip(),
            *(figures(pair_of(run, trials), measure) if fresh["figures"] else [gr.skip()] * 8),
            now,
        )


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
    plan = plan_from_dict(run.config["plan"])
    return Pair(plan, (base, tuned), of_listener(trials, base), of_listener(trials, tuned))


def figures(pair: Pair, measure: str) -> list[Any]:
    """Updates of summary, maps with box, difference with box, curves with box."""
    if not pair.base or not pair.tuned:
        return [notice(NO_CHANGE), *[gr.skip()] * 7]
    if isinstance(pair.plan, CountConfusion):
        return _confusions(pair)
    found = {
        name: measure_map(pair.plan, asked)
        for name, asked in zip(pair.names, (pair.base, pair.tuned), strict=True)
    }
    changed = difference(pair.plan, pair.base, pair.tuned)
    whole = change_over(pair.plan, pair.base, pair.tuned)
    words = summary_html(pair, whole, changed)
    if len(pair.plan.axes) == 1:
        return [words, *_HIDDEN, gr.skip(), *_HIDDEN, *_shown(curves_value(found, measure))]
    base, tuned = (map_value(found[name], measure, title=name) for name in pair.names)
    change = difference_value(changed, measure, title="tuned − base")
    return [words, *_shown(base), tuned, *_shown(change), *_HIDDEN]


def _confusions(pair: Pair) -> list[Any]:
    tables = {
        name: confusion(asked)
        for name, asked in zip(pair.names, (pair.base, pair.tuned), strict=True)
    }
    changed = difference(pair.plan, pair.base, pair.tuned)
    whole = change_over(pair.plan, pair.base, pair.tuned)
    lines = "".join(f"<p>{escape(n)}: {confusion_words(t)}</p>" for n, t in tables.items())
    words = summary_html(pair, whole, changed) + f'<div class="findings">{lines}</div>'
    base, tuned = (confusion_value(table, title=name) for name, table in tables.items())
    return [words, *_shown(base), tuned, *_HIDDEN, *_shown(accuracy_value(tables))]


def summary_html(pair: Pair, whole: Change, changed: Difference) -> str:
    """What changed over all, and where it was lost (HTML)."""
    right = "Hit rate" if pair.plan.asked.two_class else "Accuracy"
    parts = [f"{right} {signed(whole.rate)}"]
    if whole.d_prime is not None:
        parts.append(f"d′ {signed(whole.d_prime)}, criterion {signed(whole.criterion)}")
    better = changed.changed & (changed.gained > changed.lost)
    worse = changed.changed & (changed.gained < changed.lost)
    head = (
        f"<p>From {escape(pair.names[0])} to {escape(pair.names[1])}, over {whole.n} paired "
        f"signal trials: {'; '.join(parts)} (intervals at 95 %, paired bootstrap). "
        f"{int(better.sum())} cells became better for sure, {int(worse.sum())} worse "
        f"(McNemar, false-discovery rate {100 * changed.q:g} %).</p>"
    )
    return f'<div class="findings">{head}{forgotten_html(changed, worse)}</div>'


def forgotten_html(changed: Difference, worse: np.ndarray) -> str:
    """The cells that the tuned listener does worse for sure, the worst first (HTML)."""
    title = "<h4>What was forgotten</h4>"
    cells = [(int(i), int(j)) for j, i in np.argwhere(worse)]
    if not cells:
        return f"{title}<p>Nothing for sure: no cell became reliably worse.</p>"
    cells.sort(key=lambda c: changed.rate.value[c[1], c[0]])
    items = "".join(
        f"<li>{escape(changed.plan.cell_text(c))}: {changed.lost[c[1], c[0]]} of "
        f"{changed.n[c[1], c[0]]} trials lost, {changed.gained[c[1], c[0]]} gained, "
        f"{signed(changed.rate.at((c[1], c[0])))}</li>"
        for c in cells[:MAX_LISTED]
    )
    more = f"<p>and {len(cells) - MAX_LISTED} more cells</p>" if len(cells) > MAX_LISTED else ""
    return f'{title}<ul class="regions">{items}</ul>{more}'


def signed(change: Interval | None) -> str:
    """A change with its sign and interval."""
    if change is None:
        return "not measured"
    return f"{change.value:+.2f} [{change.low:+.2f}, {change.high:+.2f}]"


_HIDDEN = (gr.update(visible=False), gr.skip())


def _shown(value: Any) -> tuple[Any, Any]:
    """Updates of a figure's box and of the figure."""
    return gr.update(visible=True), value
