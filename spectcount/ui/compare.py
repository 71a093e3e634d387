"""The Compare tab: base and tuned on the same questions, and what may be said of it; below, what
was forgotten, and whether the wording matters.

Questions come from a seed that the fine-tune did not use; differences are paired, question by
question, with false-discovery control over the cells.
"""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from spectcount import actions
from spectcount.errors import UserError
from spectcount.figures.roc import ROCS
from spectcount.figures.words import MEASURES
from spectcount.probing.plan import plan_from_dict
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import cell, panel_view, plan_form, pulse, room, wordings_view
from spectcount.ui.behind import Behind, Made
from spectcount.ui.compare_figures import N_UPDATES, compared, figures, pair_of
from spectcount.ui.figures import heatmap, line_chart
from spectcount.ui.header import Header, listener_spec
from spectcount.ui.polling import (
    QUIET,
    Feed,
    find_run,
    notice,
    on,
    progress_html,
    redraw_step,
    run_choices,
)
from spectcount.ui.probe_figures import measure_update, pick_cell
from spectcount.ui.run_controls import (
    RunHandlers,
    choice,
    newest,
    reveal,
    run_buttons,
    run_dropdown,
    started,
)
from spectcount.ui.runs import fresh_folder
from spectcount.ui.scoring import speed_html
from spectcount.ui.tune import TuneTab

EMPTY = (
    "No comparison yet. Choose a tuned adapter in the header, choose a plan on this page, and "
    "press Start comparison: both listeners get the same questions."
)
NO_CELLS = "The map fills in here once a comparison is started."
NO_CHANGE = "The difference appears once both have answered the same questions."
_MARGIN_HELP = "Changes of the main measure within ± this count as equivalent; say so beforehand."
_SKIPPED = [gr.skip()] * N_UPDATES
_WAITING = [notice("The comparison is worked out; a moment."), gr.skip(), None, None, gr.skip(),
            None, gr.skip(), None]  # fmt: skip
"""Of another run than before, until it is drawn: no figures."""
REDRAW_EVERY = 0.1
"""Share of new trials after which a running comparison is drawn again: a bootstrap costs time."""


def build(settings: Settings, store: Store, header: Header, tuning: TuneTab) -> None:
    """The Compare tab, inside its `gr.Tab`; it offers the plan that an adapter in use is from."""
    view = CompareView(settings, store)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=320, elem_classes="panel"):
            who = gr.HTML(elem_id="compare-who", apply_default_css=False)
            form = view.form = plan_form.build(settings, "compare", actions.HELD_OUT_SEED)
            margin = gr.Number(
                0, label="Equivalence margin (0: none)", info=_MARGIN_HELP, minimum=0,
                elem_id="compare-margin",
            )  # fmt: skip
            start = gr.Button("Start comparison", variant="primary", elem_id="compare-start")
            message = gr.HTML(
                elem_id="compare-message",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
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
            told = gr.HTML(
                elem_id="compare-told",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
            progress = gr.HTML(elem_id="compare-progress", apply_default_css=False)
            summary = gr.HTML(
                elem_id="compare-summary",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
            measure = gr.Radio(
                [*MEASURES.items(), *ROCS.items()],
                value="d_prime",
                label="Colour or chart",
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
    panel_view.build(settings, store, header)
    wordings_view.build(settings, store, header, form)

    sent = gr.State({})
    asked = [*form.inputs, header.base, header.tuned]
    changed = [*form.triggers, header.base.change, header.tuned.change]
    on(changed, view.cost, asked, [who, form.cost])
    shown = {
        "inputs": [run, measure, sent],
        "outputs": [
            run, measure, progress, summary, maps_box, base_map, tuned_map, change_box, change,
            chart_box, chart, sent,
        ],
    }  # fmt: skip
    start.click(view.start, [*asked, margin], [run, message], api_visibility="private").then(
        **reveal("compare")
    )
    pulse.follow_run(store, "compare", run, view.poll, shown, view.pictures, when=[measure.input])
    stop.click(view.stop, run, told, api_visibility="private", queue=False)
    resume.click(view.resume, run, told, api_visibility="private")
    export.click(view.export, run, [told, files], api_visibility="private")
    tuning.used.then(view.take_plan, [tuning.run, form.seed], form.everything, **QUIET)
    for figure in (base_map, tuned_map, change):
        panel.follow(figure.select(view.pick, run, panel.at, **QUIET))


class CompareView(RunHandlers):
    """The tab's handlers, over one store; `form` is set once it is laid out."""

    form: plan_form.PlanForm

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.feed = Feed(store)
        self.pictures = Behind("comparison pictures")

    def take_plan(self, run_id: str | None, seed: int) -> list[Any]:
        """The plan of the map that a fine-tune got its regions from, at this tab's own seed;
        nothing where there was none, or it is gone."""
        tuned = find_run(self.store, run_id, "tune")
        source = find_run(self.store, tuned.lineage.get("probe"), "probe") if tuned else None
        skipped = [gr.skip()] * len(self.form.everything)
        if source is None:
            return skipped
        preset = source.lineage.get("probe") or self.form.first[0]
        try:
            return self.form.show_kept(plan_form.KeptPlan(preset, seed, source.config["plan"]))
        except UserError:
            return skipped

    def cost(self, *values: Any) -> tuple[str, str]:
        """Who is compared, and what the plan would take or the sentence that refuses it."""
        *plan_values, base, tuned = values
        spec = listener_spec(base, tuned)
        who = f'<p class="about">Base <b>{escape(base)}</b>, tuned <b>{escape(spec)}</b></p>'
        try:
            names = compared(base, tuned)
            plan, seed, preset = self.form.read(plan_values)
            plan.refuse_infeasible()
            _, seen = actions.seen_before(self.settings, spec, seed)
            cost = plan_form.cost_html(plan, names, self.store)
            needs = room.room_html(room.for_scoring(self.settings, names))
            kept = self.form.kept(plan, preset, seed)
            return who + "".join(map(notice, seen)), cost + needs + kept
        except UserError as error:
            return who, notice(str(error), "error")

    def start(self, *values: Any) -> tuple[Any, str]:
        """Queue the comparison that the form describes."""
        *plan_values, base, tuned, margin = values
        try:
            names = compared(base, tuned)
            plan, seed, preset = self.form.read(plan_values)
            source = plan_form.source_of(plan, preset, self.settings)
            made = room.make(self.settings, room.for_scoring(self.settings, names))
            run = actions.start_compare(self.settings, source, *names, seed, margin=margin or None)
        except UserError as error:
            return gr.skip(), notice(str(error), "error")
        return gr.update(choices=run_choices(self.store, "compare"), value=run.id), started(
            run, made
        )

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
        """Everything about the chosen run that is new since `sent`: run, measure, progress,
        summary, maps, difference and curves with their boxes, sent."""
        run = find_run(self.store, run_id, "compare") or newest(self.store, "compare", run_id)
        if run is None:
            words = f"There is no comparison {run_id!r}; choose a run." if run_id else EMPTY
            told = gr.skip() if sent == {"empty": words} else notice(words)
            return gr.skip(), gr.skip(), told, *[gr.skip()] * N_UPDATES, {"empty": words}
        choices = run_choices(self.store, "compare")
        made = self.picture(run, measure)
        now = {
            "runs": [choices, run.id],
            "measure": run.id,
            "progress": progress_html(run, self.store) + speed_html(self.settings, run),
            "figures": [run.id, measure, *(made.stamp if made else ["waiting"])],
        }
        fresh = {name: sent.get(name) != value for name, value in now.items()}
        return (
            choice(choices, run, run_id) if fresh["runs"] else gr.skip(),
            measure_update(plan_from_dict(run.config["plan"])) if fresh["measure"] else gr.skip(),
            now["progress"] if fresh["progress"] else gr.skip(),
            *((made.value if made else _WAITING) if fresh["figures"] else _SKIPPED),
            now,
        )

    def picture(self, run: Run, measure: str) -> Made | None:
        """The newest updates of the figures, made behind the page: bootstraps take a moment."""
        drawn = redraw_step(self.feed.n_trials(run.id), run.total, REDRAW_EVERY, run.ended)
        return self.pictures.newest(
            (run.id, measure),
            (drawn, run.ended),
            lambda: figures(pair_of(run, self.feed.trials(run.id)), measure),
        )
