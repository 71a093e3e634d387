"""The Design tab, one screen: a family and its sliders, both spectrograms, player and table, and
the answers, all live.

What is on the page is the value of one component, the forms of all families: JSON of {family,
params, task, side, seed} as the reader left them, not yet validated; `full`, whether sliders run
over the full range; and `pinned` while an uploaded stimulus that no design of ours drew is shown.
A moved control calls the live clip's own server function by `SpectCount.move`: an ordinary event
would update the loading state of every widget of the page twice, which takes longer than drawing.

Every handler draws the Stimulus anew from that value, so nothing is kept between events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup

from spectcount import actions, presets
from spectcount.designs import FAMILIES, Design
from spectcount.errors import UserError
from spectcount.pairs import COUNTERPART, SIGNAL, Drawing, usual_task
from spectcount.presets import names
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.tasks import task
from spectcount.ui import ask, clip, link
from spectcount.ui.controls import (
    Field,
    Group,
    describe,
    form_component,
    form_data,
    form_html,
)
from spectcount.ui.header import Header
from spectcount.ui.pieces import PRIVATE, QUIET, Updates, html

_FILE: dict[str, Any] = {"show_progress": "hidden", **PRIVATE}

# What the browser does by itself: the new text of `shown`, and for the first three the new clip.
_FAMILY_JS = "(shown, name) => SpectCount.move(SpectCount.otherFamily(shown, name))"
_DRAW_JS = """(shown, side, seed) => {
  const { pinned, ...said } = JSON.parse(shown);
  return SpectCount.move(JSON.stringify({ ...said, side, seed }));
}"""
_TASK_JS = """(shown, task) =>
  SpectCount.move(JSON.stringify({ ...JSON.parse(shown), task, side: "signal" }))"""
_FULL_JS = "(shown, full) => JSON.stringify({ ...JSON.parse(shown), full })"


PINNED = "An uploaded stimulus; moving any control returns to the design of the sliders."
Source = Callable[[], tuple[Drawing, str, str]]
"""Gives a drawing, a note on it, and the hash of the clip that was meant ("": any)."""


def family_forms(first: Drawing) -> gr.HTML:
    """The forms, that of `first` shown."""
    forms = {
        name: {
            "html": form_html("param", basics_first(declared)),
            "tasks": list(declared.tasks),
        }
        for name, declared in FAMILIES.items()
    }
    return form_component(
        forms,
        shown_text(first),
        "design-form",
        key="family",
        script="SpectCount.familyForms(element, props, watch, %s);",
    )


def basics_first(declared: type[Design]) -> list[Group]:
    """The groups of a family's form: what it is about on top and open, the rest closed."""
    specs = declared.params()
    basics = Group("Basic", True, [Field(specs[name]) for name in declared.basics])
    groups = [basics]
    for group in describe(declared, open_groups=()):
        fields = [field for field in group.fields if field.spec.name not in declared.basics]
        if fields:
            groups.append(Group(group.title, False, fields))
    return groups


def shown_text(drawing: Drawing, full_range: bool = False) -> str:
    """The value that shows a drawing."""
    return json.dumps({**drawing.to_dict(), "full": full_range})


def lay_out_recorder(settings: Settings, visible: bool) -> tuple[gr.Column, gr.Audio]:
    """The control that opens or records a sound, and the column that holds it."""
    where = "on the server of this page" if settings.demo else "on this machine, in the home folder"
    with gr.Column(visible=visible, elem_classes="recorder") as column:
        audio = gr.Audio(
            sources=["upload", "microphone"],
            type="filepath",
            label="Open or record a sound",
            elem_id="recording",
            buttons=[],
        )
        words = f"The sound stays {where}; links and stimulus.json hold its hash alone."
        html(value=Markup('<p class="blank-note">{}</p>').format(words))
    return column, audio


def with_carrier(page_value: Mapping[str, Any], digest: str) -> Drawing:
    """The drawing on the page, with a recording in it."""
    params = {**page_value["params"], link.CARRIER: digest}
    return Drawing.from_dict({**page_value, "params": params})


@dataclass(frozen=True)
class Tools:
    """The controls above and below the forms."""

    family: gr.Dropdown
    preset: gr.Dropdown
    seed: gr.Number
    again: gr.Button
    upload: gr.UploadButton
    recorder: gr.Column
    recording: gr.Audio
    full_range: gr.Checkbox


@dataclass(frozen=True)
class Bench:
    """The widgets; the value of `forms` says what is on the page."""

    settings: Settings
    tools: Tools
    forms: gr.HTML
    side: gr.Radio
    view: gr.HTML
    panel: ask.Panel

    @property
    def everything(self) -> list[Any]:
        """Outputs of a handler that shows another sound."""
        tools = self.tools
        return [self.view, self.forms, tools.family, tools.seed, *self.of_family]

    @property
    def of_family(self) -> list[Any]:
        """Everything that follows from the family and its task."""
        return [self.tools.recorder, self.side, *self.panel.outputs]

    def show(self, source: Source, full_range: bool) -> Updates:
        """Updates that show what `source` gives; of a drawing that cannot be made, its form and
        the sentence that refuses it."""
        try:
            drawing, note, wanted_hash = source()
        except UserError as error:
            return self.only_view(clip.error_value(error))
        try:
            stimulus = link.stimulus_of(drawing, self.settings)
            value = link.drawing_value(
                drawing, stimulus, note or link.other_clip(wanted_hash, stimulus)
            )
        except UserError as error:
            value = clip.error_value(error)
        name = drawing.design.family
        return {
            self.view: value,
            self.forms: shown_text(drawing, full_range),
            self.tools.family: name,
            self.tools.seed: drawing.seed,
            **self.family_updates(name, drawing.task, drawing.side),
        }

    def family_updates(self, name: str, task_name: str, side: str = SIGNAL) -> Updates:
        """Updates for a family and a task that it may not have."""
        task_name = usual_task(name, task_name)
        return {
            self.tools.recorder: gr.update(visible=link.takes_recording(name)),
            self.side: side_update(task_name, side),
            **self.panel.updates(name, task_name),
        }

    def show_stimulus(self, stimulus: Stimulus, page_text: str) -> Updates:
        """Updates that show a stimulus: as a design where one draws exactly it, else pinned."""
        drawing = link.drawing_of(stimulus)
        if drawing is None:
            return self.pin(stimulus, page_text)
        full_range = bool(form_data(page_text).get("full"))
        return self.show(lambda: (drawing, "", ""), full_range)

    def only_view(self, value: str) -> Updates:
        """Updates that leave all as it is but the clip."""
        return {self.view: value}

    def pin(self, stimulus: Stimulus, page_text: str) -> Updates:
        """Updates that show a stimulus of no design until a control is moved."""
        page_value = form_data(page_text)
        pinned = json.dumps({**page_value, "pinned": stimulus.to_json()})
        value = clip.stimulus_value(stimulus, note=PINNED)
        return {self.view: value, self.forms: pinned, **self.panel.updates("", page_value["task"])}


def lay_out_tools(settings: Settings, first: Drawing) -> tuple[Tools, gr.HTML]:
    """The left column: tools and forms."""
    name = first.design.family
    with gr.Row(elem_classes="tools"):
        family = gr.Dropdown(
            [(declared.title, name) for name, declared in FAMILIES.items()],
            value=name,
            label="Family",
            elem_id="family",
            min_width=100,
        )
        preset = gr.Dropdown(
            names("stimuli", settings), value=None, label="Preset", elem_id="preset", min_width=100
        )
    with gr.Row(elem_classes="tools"):
        seed = gr.Number(
            first.seed, label="Seed", precision=0, step=1, elem_id="seed", min_width=60
        )
        again = gr.Button("New draw", elem_id="new-draw", min_width=60)
        upload = gr.UploadButton(
            "Open stimulus.json", file_types=[".json"], elem_id="open-stimulus", min_width=60
        )
    recorder, recording = lay_out_recorder(settings, link.takes_recording(name))
    forms = family_forms(first)
    full_range = gr.Checkbox(False, label="Sliders over the full range", elem_id="full-range")
    return Tools(family, preset, seed, again, upload, recorder, recording, full_range), forms


def side_switch(task_name: str) -> gr.Radio:
    """The switch between both sounds of a task."""
    return gr.Radio(
        [("A: signal", SIGNAL), ("B: counterpart", COUNTERPART)],
        value=SIGNAL,
        label=_side_label(task_name),
        visible=task(task_name).two_class,
        elem_id="side",
    )


def side_update(task_name: str, side: str = SIGNAL) -> dict[str, Any]:
    """Update of the switch for a task; hidden where that has no two sounds."""
    return gr.update(label=_side_label(task_name), value=side, visible=task(task_name).two_class)


def _side_label(task_name: str) -> str:
    return f"Which answer is true of “{task(task_name).title}”"


def build(settings: Settings, header: Header, page: gr.Blocks) -> Bench:
    """The Design tab, inside its `gr.Tab`; its widgets."""
    first = link.FIRST

    def redraw(page_text: str) -> str:
        return _live(settings, page_text)

    def current(text: str) -> Stimulus:
        return _current(settings, text)

    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=3, min_width=280, elem_classes="bench-controls"):
            tools, forms = lay_out_tools(settings, first)
        with gr.Column(scale=7, min_width=300, elem_classes="bench-view"):
            side = side_switch(first.task)
            view = clip.clip_view("The clip", draw=redraw)
        panel = ask.Panel(settings, header, first.design.family, forms, current, _family_of)
    bench = Bench(settings, tools, forms, side, view, panel)
    _connect_live(bench)
    _connect(bench, page)
    return bench


def _connect_live(bench: Bench) -> None:
    """Bind what the browser does by itself as a control is moved."""
    tools, forms, task_choice = bench.tools, bench.forms, bench.panel.task
    tools.family.input(None, [forms, tools.family], forms, js=_FAMILY_JS, **PRIVATE)
    tools.family.input(
        lambda name, task: {tools.preset: None, **bench.family_updates(name, task)},
        [tools.family, task_choice],
        [tools.preset, *bench.of_family],
        **QUIET,
    )
    drawn = [tools.seed.input, bench.side.input]
    gr.on(drawn, None, [forms, bench.side, tools.seed], forms, js=_DRAW_JS, **PRIVATE)
    task_choice.input(None, [forms, task_choice], forms, js=_TASK_JS, **PRIVATE)
    task_choice.input(side_update, task_choice, bench.side, **QUIET)
    tools.full_range.input(None, [forms, tools.full_range], forms, js=_FULL_JS, **PRIVATE)


def _connect(bench: Bench, page: gr.Blocks) -> None:
    everything, tools, forms = bench.everything, bench.tools, bench.forms
    tools.again.click(
        lambda text: _new_draw(bench.settings, text),
        forms,
        [bench.view, forms, tools.seed],
        **QUIET,
    )
    tools.preset.input(
        lambda name, full: bench.show(lambda: _preset(name, bench.settings), full),
        [tools.preset, tools.full_range],
        everything,
        **QUIET,
    )
    tools.upload.upload(
        lambda path, text: _open(bench, Path(path), text),
        [tools.upload, forms],
        everything,
        **_FILE,
    )
    gr.on(
        [tools.recording.upload, tools.recording.stop_recording],
        lambda path, text, full: bench.show(lambda: _carrier(bench.settings, path, text), full),
        [tools.recording, forms, tools.full_range],
        everything,
        **_FILE,
    )

    def arrive(request: gr.Request) -> Updates:
        return bench.show(lambda: _arrive(request), False)

    bench.panel.arrived(page.load(arrive, outputs=everything, queue=False, **_FILE))


def _live(settings: Settings, page_text: str) -> str:
    """A control was moved: the clip's new value, or the sentence that refuses it."""
    page_value = form_data(page_text)
    try:
        if page_value.get("pinned"):
            return clip.stimulus_value(
                actions.sent_stimulus(page_value["pinned"], settings), note=PINNED
            )
        drawing = Drawing.from_dict(page_value)
        return link.drawing_value(drawing, link.stimulus_of(drawing, settings))
    except UserError as error:
        return clip.error_value(error)


def _new_draw(settings: Settings, page_text: str) -> tuple[str, str, int]:
    seed = int(np.random.default_rng().integers(100_000))
    page_value = json.dumps({**form_data(page_text), "seed": seed, "pinned": ""})
    return _live(settings, page_value), page_value, seed


def _current(settings: Settings, page_text: str) -> Stimulus:
    """The Stimulus on the page; raises `UserError` for a design that cannot be."""
    page_value = form_data(page_text)
    if page_value.get("pinned"):
        return actions.sent_stimulus(page_value["pinned"], settings)
    return link.stimulus_of(Drawing.from_dict(page_value), settings)


def _family_of(page_text: str) -> str:
    """Family of the clip on the page; "" where it was uploaded."""
    page_value = form_data(page_text)
    return "" if page_value.get("pinned") else page_value["family"]


def _preset(name: str, settings: Settings) -> tuple[Drawing, str, str]:
    preset = presets.load("stimuli", name, settings)
    design = preset.design
    task_name = usual_task(design.family, preset.body["task"])
    return Drawing(design, task=task_name), preset.about, ""


def _arrive(request: gr.Request) -> tuple[Drawing, str, str]:
    drawing, wanted_hash = link.read_query(request.query_params)
    return drawing, "", wanted_hash


def _carrier(settings: Settings, path: str | None, page_text: str) -> tuple[Drawing, str, str]:
    """The drawing on the page with a recording, which is kept on this machine."""
    if not path:
        raise UserError("no sound was recorded; record again, or open a file")
    digest, notes = actions.add_carrier(settings, path)
    return with_carrier(form_data(page_text), digest), "; ".join(notes), ""


def _open(bench: Bench, path: Path, page_text: str) -> Updates:
    """Show an uploaded stimulus."""
    try:
        return bench.show_stimulus(actions.read_stimulus(path, bench.settings), page_text)
    except UserError as error:
        return bench.only_view(clip.error_value(error))
