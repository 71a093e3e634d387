"""What the Design page shows, in one component: the forms of all families of stimuli, each made
from its declaration when it is first chosen.

Its value is JSON of {family, params, task, side, seed} as the reader left them, not yet validated;
`full`, whether sliders run over the full range; and `pinned` while an uploaded stimulus that no
design of ours drew is shown. A moved control calls the live clip's own server function by
`SpectCount.move`: an ordinary event would update the loading state of every widget of the page
twice, which takes longer than drawing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount.designs import FAMILIES
from spectcount.pairs import Drawing
from spectcount.settings import Settings
from spectcount.ui import link
from spectcount.ui.controls import describe, form_component, form_html
from spectcount.ui.pieces import html


def build(first: Drawing) -> gr.HTML:
    """The forms, that of `first` shown."""
    forms = {
        name: {"html": form_html("param", describe(declared)), "tasks": list(declared.tasks)}
        for name, declared in FAMILIES.items()
    }
    return form_component(
        forms,
        shown_text(first),
        "design-form",
        key="family",
        script="SpectCount.familyForms(element, props, watch, %s);",
    )


def shown_text(drawing: Drawing, full_range: bool = False) -> str:
    """The value that shows a drawing."""
    return json.dumps({**drawing.to_dict(), "full": full_range})


def recorder(settings: Settings, visible: bool) -> tuple[gr.Column, gr.Audio]:
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


def with_carrier(said: Mapping[str, Any], digest: str) -> Drawing:
    """The drawing on the page, with a recording in it."""
    params = {**said["params"], link.CARRIER: digest}
    return Drawing.from_dict({**said, "params": params})
