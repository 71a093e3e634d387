"""The Probe tab: choose a plan, see its cost, start it, watch its cells fill in, hear them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from spectcount import actions
from spectcount.errors import UserError
from spectcount.figures.roc import ROCS
from spectcount.figures.words import MEASURES
from spectcount.jobs.confirmations import confirmation_run, regions_again
from spectcount.probing.maps import of_listener
from spectcount.probing.marks import front_end_marks
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.procedure import Procedure
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.trials import Trial
from spectcount.ui import cell, parts, plan_form, procedures, pulse, room
from spectcount.ui.behind import Behind, Made
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
from spectcount.ui.probe_figures import (
    audit_html,
    grid_figures,
    has_marks,
    measure_update,
    pick_cell,
    summary_notices,
)
from spectcount.ui.run_controls import (
    RunHandlers,
    choice,
    newest,
    reveal,
    run_buttons,
    run_dropdown,
    started,
)
from spectcount.ui.scoring import speed_html

WHO = {"Base": "base", "Tuned": "tuned", "Ideal observer": "ideal", "DSP counter": "dsp"}
EMPTY = "No probe yet. Choose a plan on this page, look at its cost, and press Start probe."
NO_CELLS = "The map or the track fills in here, trial by trial, once a probe is started."
DEFAULT_SEED = 0
REDRAW_EVERY = 0.01
"""Share of new trials after which a running map is drawn again."""
FIT_EVERY = 0.1
"""The same of fits and thresholds, which take seconds."""


@dataclass(frozen=True)
class ProbeTab:
    """What other tabs need of this one: the chosen run, and the button that takes it to Tune with
    the place for a word about it."""

    run: gr.Dropdown
    tune: gr.Button
    said: gr.HTML


def build(settings: Settings, store: Store, header: Header) -> ProbeTab:
    """The Probe tab, inside its `gr.Tab`."""
    view = ProbeView(settings, store)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=320, elem_classes="panel"):
            plan = view.form = plan_form.build(settings, "probe", DEFAULT_SEED)
            audit = gr.Button("What one cue alone reaches", elem_id="probe-audit", size="sm")
            floors = gr.HTML(elem_id="probe-floors", apply_default_css=False)
            who = gr.CheckboxGroup(
                list(WHO.items()), value=["base"], label="Who answers", elem_id="probe-who"
            )
            start = gr.Button("Start probe", variant="primary", elem_id="probe-start")
            message = gr.HTML(
                elem_id="probe-message",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
        with gr.Column(scale=2, min_width=320):
            with gr.Row(equal_height=False):
                run = run_dropdown(store, "probe")
                stop, resume = run_buttons("probe")
            told = gr.HTML(
                elem_id="probe-told",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
            progress = gr.HTML(elem_id="probe-progress", apply_default_css=False)
            with gr.Row(equal_height=False):
                listener = gr.Dropdown(
                    [], label="Whose answers", allow_custom_value=True, elem_id="probe-listener"
                )
                part = gr.Dropdown(
                    [], label="Plan or track", allow_custom_value=True, visible=False,
                    elem_id="probe-part",
                )  # fmt: skip
                measure = gr.Radio(
                    [*MEASURES.items(), *ROCS.items()],
                    value="d_prime",
                    label="Colour or chart",
                    elem_id="probe-measure",
                )
            with gr.Column() as heat_box:
                heat = heatmap("Probe map", empty=NO_CELLS, elem_id="probe-map")
            with gr.Column(visible=False) as chart_box:
                chart = line_chart("Probe curve", empty=NO_CELLS, elem_id="probe-curve")
            found = procedures.build("probe")
            level = gr.Dropdown(
                [], label="Hear a level of the curve", visible=False, allow_custom_value=True,
                elem_id="probe-level",
            )  # fmt: skip
            findings = gr.HTML(
                elem_id="probe-findings",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
            with gr.Row():
                confirm = gr.Button("Confirm on new seeds", elem_id="probe-confirm", size="sm")
                tune = gr.Button("Tune on these regions", elem_id="probe-tune", size="sm")
            confirming = gr.HTML(
                elem_id="probe-confirming",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
            panel = cell.build("probe", settings, view.feed, run, header)

    sent, sent_found = gr.State({}), gr.State({})
    asked = [*plan.inputs, who, header.base, header.tuned]
    on([*plan.triggers, who.input], view.cost, asked, plan.cost)
    audit.click(view.audit, plan.inputs, floors, api_visibility="private")
    on(plan.triggers, lambda: "", None, floors)
    shown = {
        "inputs": [run, listener, measure, part, sent],
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
            part,
            measure,
            *found.live,
            sent,
        ],
    }
    fitted = {
        "inputs": [run, listener, part, sent_found],
        "outputs": [*found.found, sent_found],
    }
    start.click(view.start, asked, [run, message], api_visibility="private").then(**reveal("probe"))
    beat = pulse.follow_run(
        store,
        "probe",
        run,
        view.poll,
        shown,
        view.pictures,
        view.marks,
        view.fits,
        also=("confirm",),
        when=[listener.input, measure.input, part.input],
    )
    changed = [beat.input, run.change, listener.input, part.input]
    on(changed, view.poll_found, **fitted)
    confirm.click(view.confirm, [run, listener], confirming, api_visibility="private")
    stop.click(view.stop, run, told, api_visibility="private", queue=False)
    resume.click(view.resume, run, told, api_visibility="private")
    panel.follow(heat.select(view.pick, [run, part], panel.at, **QUIET))
    panel.follow(level.input(view.pick_level, [run, part, level], panel.at, **QUIET))
    panel.follow(found.trial.input(view.pick_trial, [found.trial, listener], panel.at, **QUIET))
    for figure in (found.tracks.figure, found.surface.figure):
        panel.follow(figure.select(view.pick_point, listener, panel.at, **QUIET))
    return ProbeTab(run, tune, confirming)


class ProbeView(RunHandlers):
    """The tab's handlers, over one store; `form` is set once it is laid out."""

    form: plan_form.PlanForm

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.feed = Feed(store)
        self.pictures = Behind("probe pictures")
        self.marks = Behind("front end marks")
        self.fits = Behind("probe fits")

    def cost(self, *values: Any) -> str:
        """What the plan of the form would take, or the sentence that refuses it."""
        *plan_values, who, base, tuned = values
        try:
            plan, seed, preset = self.form.read(plan_values)
            plan.refuse_infeasible()
            specs = listeners_of(who, base, tuned)
            cost = plan_form.cost_html(plan, specs, self.store)
            kept = self.form.kept(plan, preset, seed)
            return cost + room.room_html(room.for_scoring(self.settings, specs)) + kept
        except UserError as error:
            return notice(str(error), "error")

    def audit(self, *values: Any) -> str:
        """What one cue alone reaches on the clips of the form's plan; asks nobody."""
        try:
            plan, seed, preset = self.form.read(values)
            source = plan_form.source_of(plan, preset, self.settings)
            audits = actions.shortcuts(self.settings, source, seed)
        except UserError as error:
            return notice(str(error), "error")
        return "".join(map(audit_html, audits))

    def start(self, *values: Any) -> tuple[Any, str]:
        """Queue the probe that the form describes."""
        *plan_values, who, base, tuned = values
        try:
            plan, seed, preset = self.form.read(plan_values)
            source = plan_form.source_of(plan, preset, self.settings)
            specs = listeners_of(who, base, tuned)
            made = room.make(self.settings, room.for_scoring(self.settings, specs))
            run = actions.start_probe(self.settings, source, specs, seed)
        except UserError as error:
            return gr.skip(), notice(str(error), "error")
        return gr.update(choices=run_choices(self.store, "probe"), value=run.id), started(run, made)

    def confirm(self, run_id: str | None, listener: str | None) -> str:
        """Queue new questions about the suspected regions that are shown."""
        if not run_id:
            return notice("Choose a run first.", "error")
        try:
            run = actions.start_confirm(self.settings, run_id, listener or None)
        except UserError as error:
            return notice(str(error), "error")
        return notice(f"Asking anew about the suspected regions, in run {run.id}.")

    def poll(
        self, run_id: str | None, listener: str | None, measure: str, part: str | None,
        sent: dict[str, Any],
    ) -> tuple[Any, ...]:  # fmt: skip
        """Everything about the chosen run that is new since `sent`: run, progress, listener, map,
        curve, level, findings, part, measure, tracks, sent."""
        run = find_run(self.store, run_id, "probe") or newest(self.store, "probe", run_id)
        choices = run_choices(self.store, "probe")
        if run is None:
            words = f"There is no probe {run_id!r}; choose a run." if run_id else EMPTY
            told = gr.skip() if sent == {"empty": words} else notice(words)
            return gr.skip(), told, *_SKIPPED, {"empty": words}
        view = (run.id, listener, measure, part)
        made = self.picture(run, view)
        now = {
            "runs": [choices, run.id],
            "progress": progress_html(run, self.store) + speed_html(self.settings, run),
            "figures": [*view, *(made.stamp if made else ["waiting"])],
        }
        fresh = {name: sent.get(name) != value for name, value in now.items()}
        chooser = choice(choices, run, run_id) if fresh["runs"] else gr.skip()
        progress = now["progress"] if fresh["progress"] else gr.skip()
        figures = (made.value if made else _WAITING) if fresh["figures"] else _SKIPPED
        return chooser, progress, *figures, now

    def picture(self, run: Run, view: tuple[Any, ...]) -> Made | None:
        """The newest updates of `figures`, made behind the page: fits take a moment, and the marks
        of the front end, which follow when they are ready, take longer."""
        _, listener, measure, part = view
        marked = self.marked(run, part)
        drawn = redraw_step(self.feed.n_trials(run.id), run.total, REDRAW_EVERY, run.ended)
        stamp = (drawn, run.ended, *self.asked_again(run), marked)
        return self.pictures.newest(
            view, stamp, lambda: self.figures(run, listener, measure, part, marked)
        )

    def marked(self, run: Run, part: str | None) -> bool:
        """Whether the marks of the front end are known for the plan that is looked at."""
        plan = parts.chosen(plan_from_dict(run.config["plan"]), part).plan
        if not has_marks(plan):
            return True
        key = json.dumps(plan.to_dict(), sort_keys=True)
        return self.marks.newest(key, True, lambda: front_end_marks(plan)) is not None

    def poll_found(
        self, run_id: str | None, listener: str | None, part: str | None, sent: dict[str, Any]
    ) -> tuple[Any, ...]:
        """Psychometric functions and thresholds, where there is something new since `sent`."""
        run = find_run(self.store, run_id, "probe") or newest(self.store, "probe", run_id)
        if run is None:
            return *_SKIPPED_FOUND, sent
        view = (run.id, listener, part, "found")
        n = redraw_step(self.feed.n_trials(run.id), run.total, FIT_EVERY, run.ended)
        made = self.fits.newest(
            view, (n, run.ended), lambda: procedures.found(*self.chosen(run, listener, part))
        )
        now = {"found": [*view, *(made.stamp if made else ["waiting"])]}
        if now == sent:
            return *_SKIPPED_FOUND, sent
        return *(made.value if made else procedures.FITTING), now

    def chosen(
        self, run: Run, listener: str | None, part: str | None
    ) -> tuple[parts.Part, dict[str, list[Trial]], str]:
        """The part of the run that is looked at, its trials by listener, and whose are shown."""
        names: list[str] = run.config["listeners"]
        shown = parts.chosen(plan_from_dict(run.config["plan"]), part)
        mine = shown.mine(self.feed.trials(run.id))
        by_name = {name: of_listener(mine, name) for name in names}
        return shown, by_name, listener if listener in by_name else names[0]

    def figures(
        self, run: Run, listener: str | None, measure: str, part: str | None, marked: bool = True
    ) -> tuple[Any, ...]:
        """Updates of listener, map and curve with their boxes, level, findings, part, measure,
        tracks."""
        shown, by_name, mine = self.chosen(run, listener, part)
        names = list(by_name)
        chooser = _offer(names, mine, listener)
        options = parts.choices(plan_from_dict(run.config["plan"]))
        which = _offer(options, shown.choice, part)
        again = regions_again(self.store, run).get(mine)
        if again is not None and shown.number is not None:
            again = [region for region in again if region.part == shown.number]
        *grid, words = grid_figures(shown.plan, by_name, mine, measure, run.ended, again, marked)
        grid.append(words + summary_notices(run, shown))
        coloured = measure_update(shown.plan, not isinstance(shown.plan, Procedure))
        return chooser, *grid, which, coloured, *procedures.live(shown, by_name[mine], mine)

    def asked_again(self, run: Run) -> list[str]:
        """The confirmations of a run that are done."""
        found = [confirmation_run(self.store, run.id, who) for who in run.config["listeners"]]
        return [one.id for one in found if one is not None and one.state == "done"]

    def pick(
        self, run_id: str | None, part: str | None, event: gr.SelectData
    ) -> dict[str, Any] | None:
        """The cell panel's state for a click on the map or the matrix."""
        run = find_run(self.store, run_id, "probe")
        shown = parts.chosen(plan_from_dict(run.config["plan"]), part) if run else None
        return pick_cell(run, self.feed, event, shown)

    def pick_level(
        self, run_id: str | None, part: str | None, level: str | None
    ) -> dict[str, Any] | None:
        """The cell panel's state for a level of a curve."""
        run = find_run(self.store, run_id, "probe")
        if run is None or not str(level).isdigit():
            return None
        shown = parts.chosen(plan_from_dict(run.config["plan"]), part)
        among = {} if shown.number is None else {"plan": shown.number}
        return {"cell": [int(str(level)), 0], **among}

    def pick_trial(self, pick: str | None, listener: str | None) -> dict[str, Any] | None:
        """The cell panel's state for a presentation of a track."""
        place = procedures.place_of(pick)
        return {**place, "listener": listener} if place else None

    def pick_point(self, listener: str | None, event: gr.SelectData) -> dict[str, Any] | None:
        """The same for a click on a point of a figure."""
        return self.pick_trial(str(event.value), listener)


def _offer(choices: Sequence[Any], shown: str | None, chosen: str | None) -> Any:
    """Update of a dropdown that is hidden where there is no choice. What is `chosen` and `shown`
    is left alone: meanwhile the reader may have chosen something else."""
    update = {"choices": choices, "visible": len(choices) > 1}
    return gr.update(**update) if chosen == shown else gr.update(**update, value=shown)


_SKIPPED = (gr.skip(),) * 18
_WAITING = (*(gr.skip(),) * 2, None, gr.skip(), None, *(gr.skip(),) * 13)
"""Of another run than before, until it is drawn: no map and no curve."""
_SKIPPED_FOUND = (gr.skip(),) * 3


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
