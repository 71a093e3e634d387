"""The widgets of the Design tab that its handlers share, and what shows a sound on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from spectcount.designs import FAMILIES
from spectcount.errors import UserError
from spectcount.pairs import COUNTERPART, SIGNAL, Drawing, usual_task
from spectcount.presets import names
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.tasks import task
from spectcount.ui import ask, clip, family_forms, link
from spectcount.ui.controls import form_data
from spectcount.ui.pieces import Updates

PINNED = "An uploaded stimulus; moving any control returns to the design of the sliders."
Source = Callable[[], tuple[Drawing, str, str]]
"""Gives a drawing, a note on it, and the hash of the clip that was meant ("": any)."""


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
    """The widgets; `shown` says what is on the page (see `family_forms`)."""

    settings: Settings
    tools: Tools
    shown: gr.HTML
    side: gr.Radio
    view: gr.HTML
    panel: ask.Panel

    @property
    def everything(self) -> list[Any]:
        """Outputs of a handler that shows another sound."""
        tools = self.tools
        return [self.view, self.shown, tools.family, tools.seed, *self.of_family]

    @property
    def of_family(self) -> list[Any]:
        """What follows from the family and its task."""
        return [self.tools.recorder, self.side, *self.panel.outputs]

    def show(self, source: Source, full_range: bool) -> Updates:
        """Updates that show what `source` gives; of a drawing that cannot be made, its form and
        the sentence that refuses it."""
        try:
            drawing, note, meant = source()
        except UserError as error:
            return self.only_view(clip.error_value(error))
        try:
            stimulus = link.stimulus_of(drawing, self.settings)
            value = link.drawing_value(drawing, stimulus, note or link.other_clip(meant, stimulus))
        except UserError as error:
            value = clip.error_value(error)
        name = drawing.design.family
        return {
            self.view: value,
            self.shown: family_forms.shown_text(drawing, full_range),
            self.tools.family: name,
            self.tools.seed: drawing.seed,
            **self.family_updates(name, drawing.task, drawing.side),
        }

    def family_updates(self, name: str, asked: str, side: str = SIGNAL) -> Updates:
        """Updates for a family and a task that it may not have."""
        asked = usual_task(name, asked)
        return {
            self.tools.recorder: gr.update(visible=link.takes_recording(name)),
            self.side: side_update(asked, side),
            **self.panel.updates(name, asked),
        }

    def only_view(self, value: str) -> Updates:
        """Updates that leave all as it is but the clip."""
        return {self.view: value}

    def pin(self, stimulus: Stimulus, shown: str) -> Updates:
        """Updates that show a stimulus of no design until a control is moved."""
        said = form_data(shown)
        pinned = json.dumps({**said, "pinned": stimulus.to_json()})
        value = clip.stimulus_value(stimulus, note=PINNED)
        return {self.view: value, self.shown: pinned, **self.panel.updates("", said["task"])}


def lay_out_tools(settings: Settings, first: Drawing) -> tuple[Tools, gr.HTML]:
    """The left column: tools and forms."""
    name = first.design.family
    with gr.Row(elem_classes="tools"):
        family = gr.Dropdown(
            [(declared.title, name) for name, declared in FAMILIES.items()],
            value=name,
            label="Family",
            elem_id="family",
            min_width=140,
        )
        preset = gr.Dropdown(
            names("stimuli", settings), value=None, label="Preset", elem_id="preset", min_width=140
        )
    with gr.Row(elem_classes="tools"):
        seed = gr.Number(
            first.seed, label="Seed", precision=0, step=1, elem_id="seed", min_width=80
        )
        again = gr.Button("New draw", elem_id="new-draw", min_width=90)
        upload = gr.UploadButton(
            "Open stimulus.json", file_types=[".json"], elem_id="open-stimulus", min_width=150
        )
    recorder, recording = family_forms.recorder(settings, link.takes_recording(name))
    shown = family_forms.build(first)
    full_range = gr.Checkbox(False, label="Sliders over the full range", elem_id="full-range")
    return Tools(family, preset, seed, again, upload, recorder, recording, full_range), shown


def side_switch(asked: str) -> gr.Radio:
    """The switch between both sounds of a task."""
    return gr.Radio(
        [("A: signal", SIGNAL), ("B: counterpart", COUNTERPART)],
        value=SIGNAL,
        label=_side_label(asked),
        visible=task(asked).two_class,
        elem_id="side",
    )


def side_update(asked: str, side: str = SIGNAL) -> dict[str, Any]:
    """What the switch shows for a task; hidden where that has no two sounds."""
    return gr.update(label=_side_label(asked), value=side, visible=task(asked).two_class)


def _side_label(asked: str) -> str:
    return f"Which answer is true of “{task(asked).title}”"
