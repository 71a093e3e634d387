"""The Probe tab: choose a plan, see its cost, start it, watch its cells fill in, hear them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount import actions
from spectcount.errors import UserError
from spectcount.figures.words import regions_rule, regions_title
from spectcount.jobs.confirmations import confirmation_run, regions_again
from spectcount.listeners import ListenerSpec
from spectcount.probing.analysis import AnyPart
from spectcount.probing.maps import of_listener
from spectcount.probing.marks import front_end_marks
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.shortfall import Criterion
from spectcount.probing.weakness import Region
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.store import Run, Store
from spectcount.ui import cell, parts, plan_form, procedures, room
from spectcount.ui.behind import Behind
from spectcount.ui.design import Bench
from spectcount.ui.header import Header, listener_spec
from spectcount.ui.pieces import (
    LIVE,
    PRIVATE,
    QUIET,
    Updates,
    acts,
    html,
    joined,
    live,
    notice,
    on,
    refusing,
    render,
)
from spectcount.ui.polling import find_run
from spectcount.ui.probe_figures import (
    GridFigures,
    answered_tables,
    audit_html,
    confusion_words,
    has_marks,
    measure_choice,
    measure_update,
    pick_cell,
    summary_notices,
)
from spectcount.ui.run_view import UNCHOSEN, Picture, RunView

WHO = {"Base": "base", "Tuned": "tuned", "Ideal observer": "ideal", "DSP observer": "dsp"}
REGION_ACTS = ("hear", "design", "tune", "confirm")
NO_REGION = "No cell is shown to be {}, at a false-discovery rate of 5 % over the cells."
NO_REGION_YET = "Suspected regions appear here as soon as enough trials are in."
DEFAULT_SEED = 0
REDRAW_EVERY = 0.01
"""Share of new trials after which a running map is drawn again."""
FIT_EVERY = 0.1
"""The same of fits and thresholds, which take seconds."""


class ProbeView(RunView):
    """The tab. `findings` lists the weak regions with their buttons; `region_message` is the place
    for a word about what was pressed there."""

    kind = "probe"
    noun = "probe"
    confirms = ("confirm",)
    empty = "No probe yet. Choose a plan on this page, look at its cost, and press Start probe."

    def __init__(self, settings: Settings, store: Store, header: Header) -> None:
        super().__init__(settings, store, header)
        self.marks = self.behind["marks"] = Behind("front end marks")
        with gr.Row(equal_height=False, elem_classes="beside"):
            with gr.Column(scale=3, min_width=280, elem_classes="panel"):
                self._lay_out_form()
            with gr.Column(scale=6, min_width=320, elem_classes="pictures"):
                self.lay_out_run()
                self._lay_out_figures()
            with gr.Column(scale=4, min_width=320, elem_classes="detail"):
                self.findings = html("probe-findings", script=LIVE + acts(*REGION_ACTS))
                self.region_message = live("probe-confirming")
                panel = self.panel = cell.CellPanel("probe", settings, self.feed, self.run, header)
        self._connect()
        looked = [self.run, self.part, self.listener]
        panel.follow(self.grid.heat.figure.select, self.pick, looked)
        panel.follow(self.findings.hear, self.pick_region, looked)
        panel.follow(self.grid.level.input, self.pick_level, [self.run, self.part, self.grid.level])
        panel.follow(self.tracks.trial.input, self.pick_trial, [self.tracks.trial, self.listener])
        for box in (self.tracks.tracks, self.tracks.surface):
            panel.follow(box.figure.select, self.pick_point, [self.listener])

    def _lay_out_form(self) -> None:
        self.form = form = plan_form.build(self.settings, "probe", DEFAULT_SEED)
        audit = gr.Button("What one cue alone reaches", elem_id="probe-audit", size="sm")
        floors = html("probe-floors")
        who = gr.CheckboxGroup(
            list(WHO.items()), value=["base"], label="Who answers", elem_id="probe-who"
        )
        self.asked = [*form.inputs, who, self.header.base, self.header.tuned]
        self.start_button = self.lay_out_start("Start probe", variant="primary")
        on([*form.triggers, who.input], self.cost, self.asked, form.cost)
        audit.click(self.audit, form.inputs, floors, **PRIVATE)
        on(form.triggers, lambda: "", None, floors)

    def _lay_out_figures(self) -> None:
        hidden: dict[str, Any] = {"choices": [], "allow_custom_value": True}
        with gr.Row(equal_height=False):
            self.listener = gr.Dropdown(label="Listener", elem_id="probe-listener", **hidden)
            self.part = gr.Dropdown(
                label="Plan or track", visible=False, elem_id="probe-part", **hidden
            )
            self.measure = measure_choice("probe")
        self.grid = GridFigures("probe")
        self.tracks = procedures.Panel("probe")
        self.overall = html("probe-overall", after=True)

    def _connect(self) -> None:
        self.starts(self.start_button, self.asked)
        grid, tracks = self.grid, self.tracks
        looked = [self.listener, self.measure, self.part]
        self.follow(
            [
                Picture(
                    "figures",
                    self.figures,
                    REDRAW_EVERY,
                    looked,
                    {**grid.heat.blank(), **grid.chart.blank()},
                    also=lambda run, _, __, part: (*self.asked_again(run), self.marked(run, part)),
                ),
                Picture(
                    "fits",
                    self.thresholds,
                    FIT_EVERY,
                    [self.listener, self.part],
                    tracks.fitting(),
                ),
            ],
            *looked,
            *grid.outputs,
            *tracks.outputs,
            self.findings,
            self.overall,
            when=[self.listener.input, self.measure.input, self.part.input],
        )
        confirmed = [self.run, self.listener]
        self.findings.confirm(self.confirm, confirmed, self.region_message, **PRIVATE)

    def open_design(self, bench: Bench, places: gr.Tabs) -> None:
        """Let a region's button open the Design tab with a sound of that region."""

        def take(
            run_id: str | None,
            part: str | None,
            listener: str | None,
            page_text: str,
            event: gr.SelectData,
        ) -> Updates:
            at = self.pick_region(run_id, part, listener, event)
            groups = cell.of_cell(self.feed.trials(run_id), at) if run_id and at else []
            if not groups or groups[0][0].stimulus is None:
                return {self.region_message: notice("No clip of it was asked about yet.", "error")}
            stimulus = Stimulus.from_dict(groups[0][0].stimulus)
            return {
                places: gr.Tabs(selected="design"),
                **bench.show_stimulus(stimulus, page_text),
                self.region_message: "",
            }

        inputs = [self.run, self.part, self.listener, bench.forms]
        outputs = [places, *bench.everything, self.region_message]
        self.findings.design(take, inputs, outputs, **QUIET)

    @refusing
    def cost(self, *values: Any) -> str:
        """Say what the plan of the form would take, or the sentence that refuses it."""
        *plan_values, who, base, tuned = values
        plan, seed, preset = self.form.read(plan_values)
        plan.refuse_infeasible()
        specs = listeners_of(who, base, tuned)
        cost = plan_form.cost_html(plan, specs, self.store)
        address = self.form.kept(plan, preset, seed)
        return cost + room.room_html(room.for_scoring(self.settings, specs)) + address

    @refusing
    def audit(self, *values: Any) -> str:
        """Compute what one cue alone reaches on the clips of the form's plan; asks nobody."""
        plan, seed, preset = self.form.read(values)
        source = plan_form.source_of(plan, preset, self.settings)
        return joined(map(audit_html, actions.shortcuts(self.settings, source, seed)))

    def begin(self, *values: Any) -> Run:
        """Queue the probe that the form describes."""
        *plan_values, who, base, tuned = values
        plan, seed, preset = self.form.read(plan_values)
        source = plan_form.source_of(plan, preset, self.settings)
        specs = listeners_of(who, base, tuned)
        return actions.start_probe(self.settings, source, specs, seed)

    @refusing
    def confirm(self, run_id: str | None, listener: str | None) -> str:
        """Queue new questions about the suspected regions that are shown."""
        if not run_id:
            return notice(UNCHOSEN, "error")
        run = actions.start_confirm(self.settings, run_id, listener or None)
        return notice(f"Run {run.id} asks new questions about the suspected regions.")

    def marked(self, run: Run, part: str | None) -> bool:
        """True once the marks of the front end, which take longer than the map, are known for the
        plan that is looked at; they follow when they are ready."""
        plan = parts.chosen(plan_from_dict(run.config["plan"]), part).plan
        if not has_marks(plan):
            return True
        key = json.dumps(plan.to_dict(), sort_keys=True)
        return self.marks.newest(key, True, lambda: front_end_marks(plan)) is not None

    def part_of(
        self, run: Run, listener: str | None, part: str | None
    ) -> tuple[parts.Part, AnyPart, str]:
        """The part of the run that is looked at, what it says, and whose answers are shown."""
        names: list[str] = run.config["listeners"]
        part_shown = parts.chosen(plan_from_dict(run.config["plan"]), part)
        part_result = self.feed.result(run).parts[part_shown.number or 0]
        return part_shown, part_result, listener if listener in names else names[0]

    def thresholds(self, run: Run, listener: str | None, part: str | None) -> Updates:
        """Updates of psychometric functions and thresholds."""
        part_shown, result, name = self.part_of(run, listener, part)
        return self.tracks.found(part_shown, result.thresholds, name)

    def figures(self, run: Run, listener: str | None, measure: str, part: str | None) -> Updates:
        """Updates of everything but the fits."""
        part_shown, result, name = self.part_of(run, listener, part)
        options = parts.choices(plan_from_dict(run.config["plan"]))
        marked = self.marked(run, part)
        regions = self.regions(run, part_shown, result, name)
        grid = self.grid.show(part_shown.plan, result, name, measure, regions, marked)
        tracked = part_shown.plan.adaptive
        trials = of_listener(part_shown.mine(self.feed.trials(run.id)), name) if tracked else []
        return {
            **grid,
            self.findings: self.findings_html(run, part_shown, result, name, regions),
            self.overall: summary_notices(run, part_shown),
            **self.tracks.live(part_shown, result.tracks.get(name, ()), trials, name),
            self.listener: _offer(run.config["listeners"], name, listener),
            self.part: _offer(options, part_shown.choice, part),
            self.measure: measure_update(part_shown.plan, not tracked),
        }

    def regions(
        self, run: Run, part_shown: parts.Part, result: AnyPart, name: str
    ) -> Sequence[Region]:
        """The weak regions of a listener in a plan, as their confirmation left them where there is
        one; none of plans without cells."""
        if part_shown.plan.adaptive or part_shown.plan.matrix:
            return ()
        again = regions_again(self.store, run).get(name)
        if again is None:
            return result.regions[name]
        return [r for r in again if part_shown.number in (None, r.part)]

    def findings_html(
        self,
        run: Run,
        part_shown: parts.Part,
        result: AnyPart,
        name: str,
        regions: Sequence[Region],
    ) -> Markup:
        """The regions with the buttons that can be pressed, or what is said in their place."""
        plan = part_shown.plan
        if plan.adaptive:
            return Markup()
        if plan.matrix:
            return counts_notice(result)
        criterion = Criterion().words(plan.task)
        if not regions:
            return notice(NO_REGION.format(criterion) if run.ended else NO_REGION_YET)
        again = confirmation_run(self.store, run.id, name)
        return render(
            "runs.regions",
            title=regions_title(regions),
            rule=regions_rule(regions, criterion),
            sentences=[region.sentence for region in regions],
            may_tune=not ListenerSpec.parse(name).is_formula,
            may_confirm=run.ended and again is None,
        )

    def asked_again(self, run: Run) -> list[tuple[str, bool]]:
        """The confirmations of a run, and whether each is done."""
        runs = [confirmation_run(self.store, run.id, who) for who in run.config["listeners"]]
        return [(again.id, again.state == "done") for again in runs if again is not None]

    def pick_region(
        self, run_id: str | None, part: str | None, listener: str | None, event: gr.SelectData
    ) -> dict[str, Any] | None:
        """The cell panel's state for a region of the list; None for one that is none."""
        run = find_run(self.store, run_id, "probe")
        region = self.region_of(run, part, listener, str(event.value)) if run else None
        if run is None or region is None:
            return None
        part_shown, _, name = self.part_of(run, listener, part)
        among = {} if part_shown.number is None else {"plan": part_shown.number}
        return {"cells": _cells_of(region), "listener": name, **among}

    def region_of(
        self, run: Run, part: str | None, listener: str | None, place: str
    ) -> Region | None:
        """The region at a `place` of the list that is shown of a run."""
        part_shown, result, name = self.part_of(run, listener, part)
        regions = self.regions(run, part_shown, result, name)
        return regions[int(place)] if place.isdigit() and int(place) < len(regions) else None

    def pick(
        self, run_id: str | None, part: str | None, listener: str | None, event: gr.SelectData
    ) -> dict[str, Any] | None:
        """The cell panel's state for a click on the map or the matrix."""
        run = find_run(self.store, run_id, "probe")
        if run is None:
            return None
        part_shown = parts.chosen(plan_from_dict(run.config["plan"]), part)
        return pick_cell(run, self.feed, event, listener, part_shown.number)

    def pick_level(
        self, run_id: str | None, part: str | None, level: str | None
    ) -> dict[str, Any] | None:
        """The cell panel's state for a level of a curve."""
        run = find_run(self.store, run_id, "probe")
        if run is None or not str(level).isdigit():
            return None
        part_shown = parts.chosen(plan_from_dict(run.config["plan"]), part)
        among = {} if part_shown.number is None else {"plan": part_shown.number}
        return {"cells": [[int(str(level)), 0]], **among}

    def pick_trial(self, pick: str | None, listener: str | None) -> dict[str, Any] | None:
        """The cell panel's state for a presentation of a track."""
        place = procedures.place_of(pick)
        return {**place, "listener": listener} if place else None

    def pick_point(self, listener: str | None, event: gr.SelectData) -> dict[str, Any] | None:
        """The same for a click on a point of a figure."""
        return self.pick_trial(str(event.value), listener)


def _cells_of(region: Region) -> list[list[int]]:
    """The cells of a region as trials name them: [x, y]; y is 0 on a curve."""
    return [[*cell_at, 0][:2] for cell_at in region.cells]


def counts_notice(part: AnyPart) -> Markup:
    """The confusion matrices in words (HTML)."""
    tables = answered_tables(part)
    words = " ".join(f"{name}: {confusion_words(t)}." for name, t in tables.items())
    return notice(words or "No trial answered yet.")


def _offer(choices: Sequence[Any], current: str | None, chosen: str | None) -> Any:
    """Update of a dropdown that is hidden where there is no choice. What is `chosen` and `current`
    is left alone: meanwhile the reader may have chosen something else."""
    update = {"choices": choices, "visible": len(choices) > 1}
    return gr.update(**update) if chosen == current else gr.update(**update, value=current)


def listeners_of(who: list[str], base: str, tuned: str) -> list[str]:
    """The listeners of the job, from the boxes ticked and the header's choice."""
    if not who:
        raise UserError("nobody is chosen to answer; tick at least one listener")
    specs = {"base": base, "tuned": listener_spec(base, tuned)}
    if "tuned" in who and specs["tuned"] == base:
        raise UserError(
            "tuned is chosen to answer, but no adapter is selected; choose one in the header or "
            "untick Tuned"
        )
    return [specs.get(name, name) for name in who]
