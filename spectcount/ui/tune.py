"""The Tune tab: the weak regions found, what the curriculum will draw, the fine-tune live.

The fine-tune is a job: it goes on when the tab is closed, the page reloaded or the app restarted,
and this tab shows it again from the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.context import Context
from markupsafe import Markup

from spectcount import actions
from spectcount.errors import UserError
from spectcount.figures.spec import Line, lines_value
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import curriculum_form, room
from spectcount.ui.curriculum_form import source_choices
from spectcount.ui.figures import line_chart
from spectcount.ui.header import Header, adapter_choices, base_choices
from spectcount.ui.pieces import PRIVATE, QUIET, Updates, html, live, notice, on, refusal
from spectcount.ui.polling import find_run
from spectcount.ui.probe import ProbeView
from spectcount.ui.run_view import UNCHOSEN, RunView

AGAIN = Markup('<div data-again="">{}</div>').format(
    notice(
        "No weak region is chosen, so this would train on the paper's distribution alone. To do "
        "that, press Start fine-tune again; otherwise choose a map above, or start one in Probe."
    )
)
NO_CURVE = "The held-out accuracies appear here, in the weak regions and outside them."
NO_LOSS = "The loss appears here, every few steps."
_ACCURACIES = {"weak_accuracy": "weak regions", "strong_accuracy": "outside them"}


class TuneView(RunView):
    """The tab. `used` is the event that an adapter is used."""

    kind = "tune"
    noun = "fine-tune"
    says_speed = False
    empty = (
        "No fine-tune yet. Choose the map whose weak regions to train, listen to some "
        "clips, and press Start fine-tune: it runs behind the page, and its curves appear here."
    )

    def __init__(self, settings: Settings, store: Store, header: Header) -> None:
        super().__init__(settings, store, header)
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=320, elem_classes="panel"):
                start = self._lay_out_form()
            with gr.Column(scale=2, min_width=320):
                self.lay_out_run()
                self._lay_out_result()
        self.unsure = gr.State("")
        inputs = [self.unsure, header.base, *self.form.inputs]
        self.starts(start, inputs, self.unsure, call=self.start_sure)
        self.follow([], self.result, self.use_button, self.accuracy, self.loss)
        outputs = [header.base, header.tuned, self.run_message]
        self.used = self.use_button.click(self.use, self.run, outputs, **PRIVATE)

    def _lay_out_form(self) -> gr.Button:
        base = self.header.base
        self.form = form = curriculum_form.CurriculumForm(
            self.settings, self.store, self.feed, base
        )
        hear = gr.Button("Listen to training clips", elem_id="tune-preview")
        previews = html("tune-previews")
        needs = html("tune-room")
        inputs = [base, *form.inputs]
        hear.click(form.preview, inputs, previews, show_progress="minimal", **PRIVATE)
        opened = Context.root_block.load
        on([opened, base.change, *form.triggers], self.needs, inputs, needs)
        return self.lay_out_start("Start fine-tune", variant="primary")

    def _lay_out_result(self) -> None:
        self.result = live("tune-result")
        self.use_button = gr.Button(
            "Use as tuned", visible=False, variant="primary", elem_id="tune-use", size="sm"
        )
        self.accuracy = line_chart(
            "Held-out accuracy", empty=NO_CURVE, height=300, elem_id="tune-accuracy"
        )
        self.loss = line_chart("Loss", empty=NO_LOSS, height=260, elem_id="tune-loss")

    def take_regions(self, probing: ProbeView, places: gr.Tabs) -> None:
        """Let the buttons beside Probe's regions open this tab with that run as the source of
        regions, and the region that was pressed, or all of them, chosen."""
        form = self.form

        def take(
            run_id: str | None,
            part: str | None,
            listener: str | None,
            base: str,
            event: gr.SelectData,
        ) -> Updates:
            run = find_run(self.store, run_id, "probe")
            refused = UNCHOSEN if run is None else _no_source(run, base, listener)
            if run is None or refused:
                return {probing.region_message: notice(refused, "error")}
            region = probing.region_of(run, part, listener, str(event.value))
            source = gr.update(choices=source_choices(self.store, base), value=run.id)
            return {
                places: gr.Tabs(selected="tune"),
                form.source: source,
                form.picked: True,
                **form.choose(run, base, region.sentence if region else ""),
                probing.region_message: "",
            }

        inputs = [probing.run, probing.part, probing.listener, self.header.base]
        outputs = [places, *form.chosen, probing.region_message]
        probing.findings.tune(take, inputs, outputs, **QUIET)

    def begin(self, base: str, *values: Any) -> Run:
        """Queue the fine-tune that the form describes."""
        request = self.form.read(base, values)
        room.refuse_too_large(self.settings, base, request["config"])
        run = actions.start_tune(
            self.settings,
            request["config"],
            base,
            weakness=request["source"],
            regions=request["regions"],
            seed=request["seed"],
        )
        return run

    def start_sure(self, unsure: str, base: str, *values: Any) -> Updates:
        """`start`; without weak regions only when it is asked for again (`unsure`: the one that
        was asked for before)."""
        try:
            request = self.form.read(base, values)
        except UserError as error:
            return {self.message: refusal(error), self.unsure: ""}
        about = json.dumps([base, request], sort_keys=True)
        if not request["regions"] and unsure != about:
            return {self.message: AGAIN, self.unsure: about}
        return {**self.start(base, *values), self.unsure: ""}

    def needs(self, base: str, *values: Any) -> str:
        """Say what the fine-tune of the form needs in memory, and what gives way to it (HTML)."""
        try:
            config = self.form.read(base, values)["config"]
        except UserError:
            return ""
        return room.room_html(room.for_tuning(self.settings, base, config))

    def use(self, run_id: str | None) -> tuple[Any, Any, str]:
        """Choose the run's base and adapter in the header."""
        run = find_run(self.store, run_id, "tune")
        if run is None or not has_adapter(run):
            words = "This run has no adapter yet; wait until it is done."
            return gr.skip(), gr.skip(), notice(words, "error")
        base = run.config["base"]
        return (
            gr.update(choices=base_choices(self.settings, base), value=base),
            gr.update(choices=adapter_choices(self.settings, base), value=run.id),
            notice(f"{base}@{run.id} is now the tuned listener of every tab."),
        )

    def facts(self, run: Run) -> Iterator[tuple[str, Any, Updates]]:
        """The run's result and its curves."""
        result = result_html(run)
        use = gr.update(visible=has_adapter(run))
        yield "result", result, {self.result: result, self.use_button: use}
        curves = self.feed.metrics(run.id)
        points = sum(len(curve) for curve in curves.values())
        drawn = {self.accuracy: accuracy_value(run, curves), self.loss: loss_value(run, curves)}
        yield "curves", [run.id, points], drawn

    def progress_more(self, run: Run) -> str:
        """The memory in use, where it is known (HTML)."""
        curve = self.feed.metrics(run.id).get("memory_mb")
        if not curve:
            return ""
        memory = Markup('<p class="run-reason">device memory {:.0f} MB</p>')
        return memory.format(list(curve.values())[-1])


def _no_source(run: Run, base: str, listener: str | None) -> str:
    """Why the regions that are shown of a probe are none of the base; "" where they are."""
    names = run.config["listeners"]
    if base not in names:
        return (
            f"{run.id} asked {', '.join(names)}, not {base}, and a fine-tune trains the base: "
            "choose a base that was asked at the top of the page."
        )
    if listener in names and listener != base:
        return (
            f"These are regions of {listener}, and a fine-tune trains {base}: choose {base} as "
            f"the listener whose map is shown, or {listener} as the base."
        )
    return ""


def has_adapter(run: Run) -> bool:
    """True where the run has left an adapter that can be used."""
    return (run.folder / "adapter" / "adapter_config.json").exists()


def accuracy_value(run: Run, curves: dict[str, dict[int, float]]) -> dict[str, Any] | None:
    """Held-out counting accuracy, weak and strong."""
    known = {words: curves[name] for name, words in _ACCURACIES.items() if name in curves}
    if not known:
        return None
    lines = [
        Line(words, list(c), list(c.values()), colour=k)
        for k, (words, c) in enumerate(known.items())
    ]
    n = run.config.get("train", {}).get("held_out", "?")
    return lines_value(
        lines,
        x_label="step",
        y_label=f"held-out accuracy (n = {n} each)",
        y_range=(-0.02, 1.02),
        key=run.id,
    )


def loss_value(run: Run, curves: dict[str, dict[int, float]]) -> dict[str, Any] | None:
    """Training loss over the answer tokens."""
    curve = curves.get("loss")
    if not curve:
        return None
    line = Line("loss", list(curve), list(curve.values()), colour=5, mode="lines")
    label = "loss (nats per answer token)"
    return lines_value([line], x_label="step", y_label=label, key=run.id)


def result_html(run: Run) -> str:
    """The adapter and what it did to the held-out accuracies (HTML)."""
    if not has_adapter(run) or not run.summary:
        return ""
    before, after = (run.summary.get(f"held_out_{when}", {}) for when in ("before", "after"))
    words = [
        f"{place} {100 * before[place]:.0f} % → {100 * after[place]:.0f} %"
        for place in ("weak", "strong")
        if place in before and place in after
    ]
    accuracy = f"Held-out counting accuracy: {', '.join(words)}. " if words else ""
    steps = f"{run.summary.get('steps')} of {run.summary.get('of_steps')} steps"
    name = f"{run.config['base']}@{run.id}"
    return notice(
        f"Adapter {name} ({steps}). {accuracy}Use it here, then see the change in Compare."
    )
