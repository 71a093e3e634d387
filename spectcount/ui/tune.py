"""The Tune tab: the weak regions found, what the curriculum will draw, the fine-tune live.

The fine-tune is a job: it goes on when the tab is closed, the page reloaded or the app restarted,
and this tab shows it again from the store.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from spectcount import actions
from spectcount.errors import UserError
from spectcount.figures.spec import Line, lines_value
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.ui import curriculum_form, pulse, room
from spectcount.ui.curriculum_form import source_choices
from spectcount.ui.figures import line_chart
from spectcount.ui.header import Header, adapter_choices, base_choices
from spectcount.ui.polling import QUIET, Feed, find_run, notice, on, progress_html, run_choices
from spectcount.ui.probe import ProbeTab
from spectcount.ui.run_controls import (
    RunHandlers,
    choice,
    newest,
    reveal,
    run_buttons,
    run_dropdown,
    started,
)

EMPTY = (
    "No fine-tune yet. Choose the map whose weak regions to train, listen to what will be drawn, "
    "and press Start fine-tune: it runs behind the page, and its curves appear here."
)
AGAIN = (
    '<div data-again="">'
    + notice(
        "No weak region is chosen, so this would train on the paper's distribution alone. To do "
        "that, press Start fine-tune again; else choose a map above, or start one in Probe."
    )
    + "</div>"
)
NO_CURVE = "The held-out accuracies appear here, in the weak regions and outside them."
_ACCURACIES = {"weak_accuracy": "weak regions", "strong_accuracy": "outside them"}


@dataclass(frozen=True)
class TuneTab:
    """What other tabs need of this one: the chosen run, and the event that an adapter is used."""

    form: curriculum_form.CurriculumForm
    run: gr.Dropdown
    used: gr.events.Dependency


def build(settings: Settings, store: Store, header: Header) -> TuneTab:
    """The Tune tab, inside its `gr.Tab`."""
    view = TuneView(settings, store)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=320, elem_classes="panel"):
            form = view.form = curriculum_form.build(settings, store, view.feed, header.base)
            hear = gr.Button("Listen to what will be drawn", elem_id="tune-preview")
            previews = gr.HTML(elem_id="tune-previews", apply_default_css=False)
            needs = gr.HTML(elem_id="tune-room", apply_default_css=False)
            start = gr.Button("Start fine-tune", variant="primary", elem_id="tune-start")
            message = gr.HTML(
                elem_id="tune-message",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
        with gr.Column(scale=2, min_width=320):
            with gr.Row(equal_height=False):
                run = run_dropdown(store, "tune")
                stop, resume = run_buttons("tune")
            told = gr.HTML(
                elem_id="tune-told", apply_default_css=False, js_on_load="SpectCount.live(element);"
            )
            progress = gr.HTML(elem_id="tune-progress", apply_default_css=False)
            result = gr.HTML(
                elem_id="tune-result",
                apply_default_css=False,
                js_on_load="SpectCount.live(element);",
            )
            use = gr.Button(
                "Use as tuned", visible=False, variant="primary", elem_id="tune-use", size="sm"
            )
            accuracy = line_chart(
                "Held-out accuracy", empty=NO_CURVE, height=300, elem_id="tune-accuracy"
            )
            loss = line_chart(
                "Loss",
                empty="The loss appears here, every few steps.",
                height=260,
                elem_id="tune-loss",
            )

    sent = gr.State({})
    unsure = gr.State("")
    shown = {
        "inputs": [run, sent],
        "outputs": [run, progress, result, use, accuracy, loss, sent],
    }
    asked = [header.base, *form.inputs]
    opened = Context.root_block.load
    on([opened, header.base.change, *form.triggers], view.needs, asked, needs)
    start.click(
        view.start, [unsure, *asked], [run, message, unsure], api_visibility="private"
    ).then(**reveal("tune"))
    hear.click(form.preview, asked, previews, api_visibility="private", show_progress="minimal")
    pulse.follow_run(store, "tune", run, view.poll, shown)
    stop.click(view.stop, run, told, api_visibility="private", queue=False)
    resume.click(view.resume, run, told, api_visibility="private")
    used = use.click(view.use, run, [header.base, header.tuned, told], api_visibility="private")
    return TuneTab(form, run, used)


def take_regions(
    settings: Settings, store: Store, header: Header, probing: ProbeTab, tuning: TuneTab,
    places: gr.Tabs,
) -> None:  # fmt: skip
    """Let the button under Probe's findings open Tune with that run as the source of regions."""
    form = tuning.form

    def take(run_id: str | None, base: str) -> tuple[Any, Any, Any, str]:
        run = find_run(store, run_id, "probe")
        refusal = ""
        if run is None:
            refusal = "Choose a run first."
        elif base not in run.config["listeners"]:
            names = ", ".join(run.config["listeners"])
            refusal = (
                f"{run.id} asked {names}, not {base}, and a fine-tune trains the base: choose a "
                "base that was asked at the top of the page."
            )
        if run is None or refusal:
            return gr.skip(), gr.skip(), gr.skip(), notice(refusal, "error")
        source = gr.update(choices=source_choices(store, base), value=run.id)
        return gr.Tabs(selected="tune"), source, True, ""

    outputs = [places, form.source, form.picked, probing.said]
    probing.tune.click(take, [probing.run, header.base], outputs, **QUIET)


class TuneView(RunHandlers):
    """The tab's handlers, over one store; `form` is set once it is laid out."""

    form: curriculum_form.CurriculumForm

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.feed = Feed(store)

    def start(self, unsure: str, base: str, *values: Any) -> tuple[Any, str, str]:
        """Queue the fine-tune that the form describes; one without weak regions only when it is
        asked for again (`unsure`: the one that was asked for before)."""
        try:
            asked = self.form.read(base, values)
            about = json.dumps([base, asked], sort_keys=True)
            if not asked["regions"] and unsure != about:
                return gr.skip(), AGAIN, about
            made = room.make_for_tuning(self.settings, base, asked["config"])
            run = actions.start_tune(
                self.settings,
                asked["config"],
                base,
                weakness=asked["source"],
                regions=asked["regions"],
                seed=asked["seed"],
            )
        except UserError as error:
            return gr.skip(), notice(str(error), "error"), ""
        chooser = gr.update(choices=run_choices(self.store, "tune"), value=run.id)
        return chooser, started(run, made), ""

    def needs(self, base: str, *values: Any) -> str:
        """What the fine-tune of the form needs in memory, and what gives way to it (HTML)."""
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

    def poll(self, run_id: str | None, sent: dict[str, Any]) -> tuple[Any, ...]:
        """Everything about the chosen run that is new since `sent`: run, progress, result, use,
        accuracy, loss, sent."""
        run = find_run(self.store, run_id, "tune") or newest(self.store, "tune", run_id)
        if run is None:
            words = f"There is no fine-tune {run_id!r}; choose a run." if run_id else EMPTY
            progress = gr.skip() if sent == {"empty": words} else notice(words)
            return gr.skip(), progress, *[gr.skip()] * 4, {"empty": words}
        curves = self.feed.metrics(run.id)
        points = sum(len(curve) for curve in curves.values())
        choices = run_choices(self.store, "tune")
        now = {
            "runs": [choices, run.id],
            "progress": progress_html(run, self.store) + memory_html(curves),
            "result": result_html(run),
            "curves": [run.id, points],
        }
        fresh = {name: sent.get(name) != value for name, value in now.items()}
        keep = gr.skip()
        return (
            choice(choices, run, run_id) if fresh["runs"] else keep,
            now["progress"] if fresh["progress"] else keep,
            now["result"] if fresh["result"] else keep,
            gr.update(visible=has_adapter(run)) if fresh["result"] else keep,
            accuracy_value(run, curves) if fresh["curves"] else keep,
            loss_value(run, curves) if fresh["curves"] else keep,
            now,
        )


def has_adapter(run: Run) -> bool:
    """Whether the run has left an adapter that can be used."""
    return (run.folder / "adapter" / "adapter_config.json").exists()


def accuracy_value(run: Run, curves: dict[str, dict[int, float]]) -> dict[str, Any] | None:
    """Held-out counting accuracy, weak and strong."""
    found = {words: curves[name] for name, words in _ACCURACIES.items() if name in curves}
    if not found:
        return None
    lines = [
        Line(words, list(c), list(c.values()), colour=k)
        for k, (words, c) in enumerate(found.items())
    ]
    n = run.config.get("train", {}).get("held_out", "?")
    return lines_value(
        lines, x_label="step", y_label=f"held-out accuracy (n = {n} each)", y_range=(-0.02, 1.02),
        key=run.id,
    )  # fmt: skip


def loss_value(run: Run, curves: dict[str, dict[int, float]]) -> dict[str, Any] | None:
    """Training loss over the answer tokens."""
    curve = curves.get("loss")
    if not curve:
        return None
    line = Line("loss", list(curve), list(curve.values()), colour=5, mode="lines")
    return lines_value([line], x_label="step", y_label="loss (nats per answer token)",
key=run.id)  # fmt: skip


def memory_html(curves: dict[str, dict[int, float]]) -> str:
    """The memory in use, where it is known (HTML)."""
    curve = curves.get("memory_mb")
    if not curve:
        return ""
    return f'<p class="run-reason">device memory {list(curve.values())[-1]:.0f} MB</p>'


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
    told = f"Held-out counting accuracy: {', '.join(words)}. " if words else ""
    steps = f"{run.summary.get('steps')} of {run.summary.get('of_steps')} steps"
    name = f"{run.config['base']}@{run.id}"
    return notice(f"Adapter {name} ({steps}). {told}Use it here, then see the change in Compare.")
