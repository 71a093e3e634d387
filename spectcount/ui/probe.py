"""The Probe tab: choose a plan, see its cost, start it, watch its cells fill in, hear them."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.context import Context

from spectcount import actions
from spectcount.errors import UserError
from spectcount.figures.counts import accuracy_value, confusion_value
from spectcount.figures.maps import curves_value, map_value
from spectcount.figures.words import MEASURES, regions_html
from spectcount.probing.base import Plan
from spectcount.probing.maps import Confusion, confusion, measure_map, of_listener
from spectcount.probing.plan import CountConfusion, plan_from_dict
from spectcount.probing.weakness import Criterion, find_weakness
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

WHO = {"Base": "base", "Tuned": "tuned", "Ideal observer": "ideal", "DSP counter": "dsp"}
EMPTY = "No probe yet. Choose a plan on this page, look at its cost, and press Start probe."
NO_CELLS = "The map fills in here, cell by cell, once a probe is started."
DEFAULT_SEED = 0
REDRAW_EVERY = 0.01
"""Share of new trials after which a running map is drawn again."""


def build(settings: Settings, store: Store, header: Header) -> None:
    """The Probe tab, inside its `gr.Tab`."""
    view = ProbeView(settings, store)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=320, elem_classes="panel"):
            plan = view.form = plan_form.build(settings, "probe", DEFAULT_SEED)
            who = gr.CheckboxGroup(
                list(WHO.items()), value=["base"], label="Who answers", elem_id="probe-who"
            )
            start = gr.Button("Start probe", variant="primary", elem_id="probe-start")
            message = gr.HTML(elem_id="probe-message", apply_default_css=False)
        with gr.Column(scale=2, min_width=320):
            with gr.Row(equal_height=False):
                run = run_dropdown(store, "probe")
                stop, resume = run_buttons("probe")
            progress = gr.HTML(elem_id="probe-progress", apply_default_css=False)
            with gr.Row(equal_height=False):
                listener = gr.Dropdown(
                    [], label="Whose map", allow_custom_value=True, elem_id="probe-listener"
                )
                measure = gr.Radio(
                    list(MEASURES.items()),
                    value="d_prime",
                    label="Colour (counting plans show accuracy)",
                    elem_id="probe-measure",
                )
            with gr.Column() as heat_box:
                heat = heatmap("Probe map", empty=NO_CELLS, elem_id="probe-map")
            with gr.Column(visible=False) as chart_box:
                chart = line_chart("Probe curve", empty=NO_CELLS, elem_id="probe-curve")
            level = gr.Dropdown(
                [], label="Hear a level of the curve", visible=False, allow_custom_value=True,
                elem_id="probe-level",
            )  # fmt: skip
            findings = gr.HTML(elem_id="probe-findings", apply_default_css=False)
            panel = cell.build("probe", settings, view.feed, run, header)

    sent = gr.State({})
    asked = [*plan.inputs, who, header.base, header.tuned]
    gr.on([*plan.triggers, who.input], view.cost, asked, plan.cost, **QUIET)
    plan.shown.then(view.cost, asked, plan.cost, **QUIET)
    shown = {
        "inputs": [run, listener, measure, sent],
        "outputs": [
            run,
            progress,
            listener,
            heat_box,
            heat,
            chart_box,
            chart,
            level,
            findings,
            sent,
        ],
    }
    start.click(view.start, asked, [run, message], api_visibility="private").then(
        view.poll, **shown, **QUIET
    )
    gr.on([run.change, listener.input, measure.input], view.poll, **shown, **QUIET)
    gr.Timer(1.0).tick(view.poll, **shown, **QUIET)
    Context.root_block.load(view.poll, **shown, **QUIET)
    Context.root_block.load(view.cost, asked, plan.cost, **QUIET)
    stop.click(view.stop, run, message, api_visibility="private")
    resume.click(view.resume, run, message, api_visibility="private")
    panel.follow(heat.select(view.pick, run, panel.at, **QUIET))
    panel.follow(level.input(view.pick_level, level, panel.at, **QUIET))


def run_dropdown(store: Store, kind: str) -> gr.Dropdown:
    """A choice among the runs of a kind, the newest chosen."""
    choices = run_choices(store, kind)
    return gr.Dropdown(
        choices,
        value=choices[0][1] if choices else None,
        label="Run",
        allow_custom_value=True,
        elem_id=f"{kind}-run",
    )


def run_buttons(where: str) -> tuple[gr.Button, gr.Button]:
    """Stop and resume."""
    small: dict[str, Any] = {"size": "sm", "min_width": 90, "scale": 0}
    return (
        gr.Button("Stop", elem_id=f"{where}-stop", **small),
        gr.Button("Resume", elem_id=f"{where}-resume", **small),
    )


class ProbeView:
    """The tab's handlers, over one store; `form` is set once it is laid out."""

    form: plan_form.PlanForm

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.feed = Feed(store)

    def cost(self, *values: Any) -> str:
        """What the plan of the form would take, or the sentence that refuses it."""
        *plan_values, who, base, tuned = values
        try:
            plan, _, _ = self.form.read(plan_values)
            plan.refuse_infeasible()
            return plan_form.cost_html(plan, listeners_of(who, base, tuned), self.store)
        except UserError as error:
            return notice(str(error), "error")

    def start(self, *values: Any) -> tuple[Any, str]:
        """Queue the probe that the form describes."""
        *plan_values, who, base, tuned = values
        try:
            plan, seed, preset = self.form.read(plan_values)
            source = plan_form.source_of(plan, preset, self.settings)
            specs = listeners_of(who, base, tuned)
            run = actions.start_probe(self.settings, source, specs, seed)
        except UserError as error:
            return gr.skip(), notice(str(error), "error")
        return gr.update(choices=run_choices(self.store, "probe"), value=run.id), ""

    def stop(self, run_id: str | None) -> str:
        """Ask the chosen run to stop."""
        return act(lambda: actions.cancel(self.settings, run_id or ""), run_id)

    def resume(self, run_id: str | None) -> str:
        """Queue the chosen run again."""
        return act(lambda: actions.resume(self.settings, run_id or ""), run_id)

    def poll(
        self, run_id: str | None, listener: str | None, measure: str, sent: dict[str, Any]
    ) -> tuple[Any, ...]:
        """Everything about the chosen run that is new since `sent`: run, progress, listener, map,
        curve, level, findings, sent."""
        run = find_run(self.store, run_id, "probe") or newest(self.store, "probe", run_id)
        choices = run_choices(self.store, "probe")
        if run is None:
            words = f"There is no probe {run_id!r}; choose a run." if run_id else EMPTY
            told = gr.skip() if sent == {"empty": words} else notice(words)
            return gr.skip(), told, *_SKIPPED, {"empty": words}
        trials = self.feed.trials(run.id)
        drawn = redraw_step(len(trials), run.total, REDRAW_EVERY, run.ended)
        now = {
            "runs": [choices, run.id],
            "progress": progress_html(run, self.store),
            "figures": [run.id, drawn, listener, measure, run.ended],
        }
        fresh = {name: sent.get(name) != value for name, value in now.items()}
        chooser = gr.update(choices=choices, value=run.id) if fresh["runs"] else gr.skip()
        progress = now["progress"] if fresh["progress"] else gr.skip()
        figures = self.figures(run, trials, listener, measure) if fresh["figures"] else _SKIPPED
        return chooser, progress, *figures, now

    def figures(
        self, run: Run, trials: list[Trial], listener: str | None, measure: str
    ) -> tuple[Any, ...]:
        """Updates of listener, map and curve with their boxes, level and findings."""
        names = run.config["listeners"]
        mine = listener if listener in names else names[0]
        chooser = gr.update(choices=names, value=mine, visible=len(names) > 1)
        plan = plan_from_dict(run.config["plan"])
        by_name = {name: of_listener(trials, name) for name in names}
        if isinstance(plan, CountConfusion):
            return chooser, *_confusion_figures(by_name, mine)
        criterion = Criterion()
        regions = find_weakness(plan, by_name[mine], criterion)
        words = regions_html(regions, criterion.words(plan.task), run.ended)
        found = {name: measure_map(plan, asked) for name, asked in by_name.items()}
        if len(plan.axes) == 1:
            levels = gr.update(choices=_levels(plan), visible=True)
            return chooser, *_HIDDEN, *_shown(curves_value(found, measure)), levels, words
        value = map_value(found[mine], measure, regions, title=mine)
        return chooser, *_shown(value), *_HIDDEN, gr.update(visible=False), words

    def pick(self, run_id: str | None, event: gr.SelectData) -> dict[str, Any] | None:
        """The cell panel's state for a click on the map or the matrix."""
        return pick_cell(find_run(self.store, run_id, "probe"), self.feed, event)

    def pick_level(self, level: str | None) -> dict[str, Any] | None:
        """The cell panel's state for a level of a curve."""
        return {"cell": [int(level), 0]} if str(level).isdigit() else None


_HIDDEN = (gr.update(visible=False), gr.skip())
_SKIPPED = (gr.skip(),) * 7


def pick_cell(run: Run | None, feed: Feed, event: gr.SelectData) -> dict[str, Any] | None:
    """What the cell panel shows for a click on a map, or on a confusion matrix."""
    if run is None:
        return None
    row, column = event.index
    if isinstance(plan_from_dict(run.config["plan"]), CountConfusion):
        table = confusion(feed.trials(run.id))
        return {"truth": table.truths[row], "answer": table.answers[column]}
    return {"cell": [int(column), int(row)]}


def newest(store: Store, kind: str, run_id: str | None) -> Run | None:
    """The newest run of a kind, where none is chosen."""
    runs = [] if run_id else store.runs(kind)
    return runs[0] if runs else None


def act(change: Any, run_id: str | None) -> str:
    """Do something to a chosen run; the sentence to show."""
    if not run_id:
        return notice("Choose a run first.", "error")
    try:
        change()
    except UserError as error:
        return notice(str(error), "error")
    return ""


def _confusion_figures(by_name: dict[str, list[Trial]], mine: str) -> tuple[Any, ...]:
    """Matrix of one listener, accuracy of all, nothing to choose, the sums in words."""
    tables = {name: confusion(asked) for name, asked in by_name.items() if asked}
    if mine not in tables:
        return *_shown(None), *_HIDDEN, gr.update(visible=False), notice("No trial answered yet.")
    words = notice(" ".join(f"{name}: {confusion_words(t)}." for name, t in tables.items()))
    matrix = confusion_value(tables[mine], title=mine)
    return *_shown(matrix), *_shown(accuracy_value(tables)), gr.update(visible=False), words


def confusion_words(found: Confusion) -> str:
    """A confusion matrix in a sentence."""
    right = found.overall
    return (
        f"{100 * right.value:.0f} % right [{100 * right.low:.0f}, {100 * right.high:.0f}] at 95 %, "
        f"n = {int(found.matrix.sum())}, mean error {found.mean_bias:+.2f} events"
    )


def _levels(plan: Plan) -> list[tuple[str, str]]:
    axis = plan.axes[0]
    unit = f" {axis.declared.unit}" if axis.declared.unit else ""
    return [(f"{middle:g}{unit}", str(i)) for i, middle in enumerate(axis.middles)]


def _shown(value: Any) -> tuple[Any, Any]:
    """Updates of a figure's box and of the figure."""
    return gr.update(visible=True), value


def listeners_of(who: list[str], base: str, tuned: str) -> list[str]:
    """What the job loads, from the boxes ticked and the header's choice."""
    if not who:
        raise UserError("nobody is chosen to answer; tick at least one listener")
    specs = {"base": base, "tuned": listener_spec(base, tuned)}
    if "tuned" in who and specs["tuned"] == base:
        raise UserError(
            "tuned is chosen to answer, but no adapter is selected; choose one in the header or "
            "untick Tuned"
        )
    return [specs.get(name, name) for name in who]
