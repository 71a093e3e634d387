"""The Design tab: a family and its sliders, both spectrograms, player and table, all live; below
them, Ask.

Every handler draws the Stimulus anew from what `bench.shown` says, so nothing is kept between
events.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from spectcount import actions, presets
from spectcount.errors import UserError
from spectcount.pairs import Drawing, usual_task
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.ui import ask, clip, family_forms, link
from spectcount.ui.bench import (
    PINNED,
    Bench,
    lay_out_tools,
    side_switch,
    side_update,
)
from spectcount.ui.controls import form_data
from spectcount.ui.header import Header
from spectcount.ui.pieces import PRIVATE, QUIET, Updates

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


def build(settings: Settings, header: Header, page: gr.Blocks) -> None:
    """The Design tab, inside its `gr.Tab`."""
    first = Drawing()

    def redraw(shown: str) -> str:
        return _live(settings, shown)

    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=4, min_width=300, elem_classes="bench-controls"):
            tools, shown = lay_out_tools(settings, first)
        with gr.Column(scale=7, min_width=300, elem_classes="bench-view"):
            side = side_switch(first.task)
            view = clip.clip_view("The clip", draw=redraw)

    def current(text: str) -> Stimulus:
        return _current(settings, text)

    panel = ask.Panel(settings, header, first.design.family, shown, current, _family_of)
    bench = Bench(settings, tools, shown, side, view, panel)
    _connect_live(bench)
    _connect(bench, page)


def _connect_live(bench: Bench) -> None:
    """What the browser does by itself as a control is moved."""
    tools, shown, asked = bench.tools, bench.shown, bench.panel.task
    tools.family.input(None, [shown, tools.family], shown, js=_FAMILY_JS, **PRIVATE)
    tools.family.input(
        lambda name, task: {tools.preset: None, **bench.family_updates(name, task)},
        [tools.family, asked],
        [tools.preset, *bench.of_family],
        **QUIET,
    )
    drawn = [tools.seed.input, bench.side.input]
    gr.on(drawn, None, [shown, bench.side, tools.seed], shown, js=_DRAW_JS, **PRIVATE)
    asked.input(None, [shown, asked], shown, js=_TASK_JS, **PRIVATE)
    asked.input(side_update, asked, bench.side, **QUIET)
    tools.full_range.input(None, [shown, tools.full_range], shown, js=_FULL_JS, **PRIVATE)


def _connect(bench: Bench, page: gr.Blocks) -> None:
    everything, tools, shown = bench.everything, bench.tools, bench.shown
    tools.again.click(
        lambda text: _new_draw(bench.settings, text),
        shown,
        [bench.view, shown, tools.seed],
        **QUIET,
    )
    tools.preset.input(
        lambda name, full: bench.show(lambda: _preset(name, bench.settings), full),
        [tools.preset, tools.full_range],
        everything,
        **QUIET,
    )
    tools.upload.upload(
        lambda path, text, full: _open(bench, Path(path), text, full),
        [tools.upload, shown, tools.full_range],
        everything,
        **_FILE,
    )
    gr.on(
        [tools.recording.upload, tools.recording.stop_recording],
        lambda path, text, full: bench.show(lambda: _carrier(bench.settings, path, text), full),
        [tools.recording, shown, tools.full_range],
        everything,
        **_FILE,
    )

    def arrive(request: gr.Request) -> Updates:
        return bench.show(lambda: _arrive(request), False)

    page.load(arrive, outputs=everything, queue=False, **_FILE)


def _live(settings: Settings, shown: str) -> str:
    """A control was moved: the clip's new value, or the sentence that refuses it."""
    said = form_data(shown)
    try:
        if said.get("pinned"):
            return clip.stimulus_value(actions.sent_stimulus(said["pinned"], settings), note=PINNED)
        drawing = Drawing.from_dict(said)
        return link.drawing_value(drawing, link.stimulus_of(drawing, settings))
    except UserError as error:
        return clip.error_value(error)


def _new_draw(settings: Settings, shown: str) -> tuple[str, str, int]:
    seed = int(np.random.default_rng().integers(100_000))
    said = json.dumps({**form_data(shown), "seed": seed, "pinned": ""})
    return _live(settings, said), said, seed


def _current(settings: Settings, shown: str) -> Stimulus:
    """The Stimulus on the page; raises `UserError` for a design that cannot be."""
    said = form_data(shown)
    if said.get("pinned"):
        return actions.sent_stimulus(said["pinned"], settings)
    return link.stimulus_of(Drawing.from_dict(said), settings)


def _family_of(shown: str) -> str:
    """Family of the clip on the page; "" where it was uploaded."""
    said = form_data(shown)
    return "" if said.get("pinned") else said["family"]


def _preset(name: str, settings: Settings) -> tuple[Drawing, str, str]:
    preset = presets.load("stimuli", name, settings)
    design = preset.design
    asked = usual_task(design.family, preset.body["task"])
    return Drawing(design, task=asked), preset.about, ""


def _arrive(request: gr.Request) -> tuple[Drawing, str, str]:
    drawing, meant = link.read_query(request.query_params)
    return drawing, "", meant


def _carrier(settings: Settings, path: str | None, shown: str) -> tuple[Drawing, str, str]:
    """The drawing on the page with a recording, which is kept on this machine."""
    if not path:
        raise UserError("no sound was recorded; record again, or open a file")
    digest, notes = actions.add_carrier(settings, path)
    return family_forms.with_carrier(form_data(shown), digest), "; ".join(notes), ""


def _open(bench: Bench, path: Path, shown: str, full_range: bool) -> Updates:
    """Show an uploaded stimulus: as a design where one draws exactly it, else pinned as it is."""
    try:
        stimulus = actions.read_stimulus(path, bench.settings)
        drawing = link.drawing_of(stimulus)
        if drawing is None:
            return bench.pin(stimulus, shown)
    except UserError as error:
        return bench.only_view(clip.error_value(error))
    return bench.show(lambda: (drawing, "", ""), full_range)
