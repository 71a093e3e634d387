"""The Design tab: sliders, both spectrograms, player and table, all live; below them, Ask.

Every handler gets the whole form and draws the Stimulus anew from (parameters, seed), so nothing
is kept between events. The one exception is an uploaded stimulus that no design of ours drew: it
is kept as JSON in `pinned` until a control is moved.

A moved control calls the clip's own server function: an ordinary event would update the loading
state of every widget of the page twice, which takes longer than drawing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from spectcount import actions, presets
from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.ui import ask, clip, controls, link
from spectcount.ui.header import Header

_LIVE: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "trigger_mode": "always_last",
    "api_visibility": "private",
}
_OPEN_GROUPS = ("clip", "events", "time", "frequency", "level", "noise")
_MAX_JSON_BYTES = 200_000


@dataclass(frozen=True)
class Bench:
    """The widgets of the tab that its handlers share."""

    settings: Settings
    form: controls.Form
    seed: gr.Number
    pinned: gr.Textbox
    preset: gr.Dropdown
    full_range: gr.Checkbox
    view: gr.HTML

    @property
    def source(self) -> list[gr.components.Component]:
        """Inputs from which `current` makes the Stimulus."""
        return [self.pinned, self.seed, *self.form.inputs]

    @property
    def everything(self) -> list[gr.components.Component]:
        """Outputs of a handler that shows another design: see `_show`."""
        return [self.view, self.pinned, self.seed, self.preset, *self.form.inputs]

    def current(self, pinned: str, seed: Any, *values: Any) -> Stimulus:
        """The Stimulus on the page; raises `UserError` for a design that cannot be."""
        if pinned:
            return Stimulus.from_json(pinned)
        params = self.form.read(values)
        return actions.draw_stimulus(Pulses.family, params, link.check_seed(seed), self.settings)


def build(settings: Settings, header: Header, page: gr.Blocks) -> None:
    """The Design tab, inside its `gr.Tab`."""
    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=4, min_width=300, elem_classes="bench-controls"):
            with gr.Row(elem_classes="tools"):
                preset = gr.Dropdown(
                    presets.names("stimuli", settings),
                    value=None,
                    label="Preset",
                    elem_id="preset",
                    min_width=150,
                    scale=3,
                )
                seed = gr.Number(
                    0, label="Seed", precision=0, step=1, elem_id="seed", min_width=90, scale=2
                )
                again = gr.Button("New draw", elem_id="new-draw", min_width=90, scale=1)
            form = controls.form(Pulses, open_groups=_OPEN_GROUPS)
            with gr.Row(elem_classes="tools"):
                full_range = gr.Checkbox(
                    False, label="Sliders over the full range", elem_id="full-range", min_width=150
                )
                upload = gr.UploadButton(
                    "Open stimulus.json", file_types=[".json"], elem_id="open-stimulus", size="sm"
                )
        with gr.Column(scale=7, min_width=300, elem_classes="bench-view"):

            def redraw(values: list[Any]) -> str:
                return _live(settings, form, *values)

            view = clip.clip_view("The clip", draw=redraw)
            pinned = gr.Textbox("", visible=False)
    bench = Bench(settings, form, seed, pinned, preset, full_range, view)
    _connect(bench, again, upload, page)
    ask.build(settings, header, bench.source, bench.current)


def _connect(
    bench: Bench,
    again: gr.Button,
    upload: gr.UploadButton,
    page: gr.Blocks,
) -> None:
    everything, form = bench.everything, bench.form
    gr.on(
        [*form.triggers, bench.seed.input],
        None,
        [bench.seed, *form.inputs],
        [bench.pinned],
        js="(...values) => { SpectCount.move(values); return ''; }",
        api_visibility="private",
    )
    again.click(
        lambda *v: _new_draw(bench, *v),
        form.inputs,
        [bench.view, bench.pinned, bench.seed],
        **_LIVE,
    )
    bench.preset.input(
        lambda name, full: _show(bench, lambda: _preset(name, bench.settings), full),
        [bench.preset, bench.full_range],
        everything,
        **_LIVE,
    )
    upload.upload(
        lambda path, full: _show_stimulus(bench, Path(path), full),
        [upload, bench.full_range],
        everything,
        show_progress="hidden",
        api_visibility="private",
    )
    bench.full_range.input(
        lambda full, *v: form.updates(form.read(v), full),
        [bench.full_range, *form.inputs],
        form.inputs,
        **_LIVE,
    )

    def arrive(request: gr.Request) -> list[Any]:
        return _show(bench, lambda: link.read_query(request.query_params), False)

    page.load(arrive, outputs=everything, queue=False, show_progress="hidden",
              api_visibility="private")  # fmt: skip


def _live(settings: Settings, form: controls.Form, seed: Any, *values: Any) -> str:
    """A control was moved: the clip's new value, or the sentence that refuses it."""
    try:
        design = Pulses.from_dict(form.read(values))
        return _value(settings, design, link.check_seed(seed))
    except UserError as error:
        return clip.error_value(error)


def _new_draw(bench: Bench, *values: Any) -> tuple[str, str, int]:
    seed = int(np.random.default_rng().integers(100_000))
    return _live(bench.settings, bench.form, seed, *values), "", seed


def _value(settings: Settings, design: Pulses, seed: int, note: str = "") -> str:
    stimulus = actions.draw_stimulus(design.family, design.to_dict(), seed, settings)
    return clip.stimulus_value(stimulus, query=link.query(design, seed, stimulus), note=note)


def _preset(name: str, settings: Settings) -> tuple[Pulses, int, str]:
    preset = presets.load("stimuli", name, settings)
    return Pulses.from_dict(preset.body["params"]), 0, preset.about


def _show(
    bench: Bench, source: Callable[[], tuple[Pulses, int, str]], full_range: bool
) -> list[Any]:
    """Updates of `Bench.everything` that show another design, or only the sentence that refuses
    it."""
    try:
        design, seed, note = source()
        value = _value(bench.settings, design, seed, note)
    except UserError as error:
        return _only_view(bench, clip.error_value(error))
    return [value, "", seed, gr.skip(), *bench.form.updates(design.to_dict(), full_range)]


def _show_stimulus(bench: Bench, path: Path, full_range: bool) -> list[Any]:
    """Show an uploaded stimulus: as a design where one draws exactly it, else pinned as it is."""
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise UserError(
                f"the file has {path.stat().st_size} bytes, a stimulus at most {_MAX_JSON_BYTES}; "
                "give the stimulus.json of this program"
            )
        stimulus = Stimulus.from_json(path.read_text(encoding="utf-8", errors="replace"))
        design = _design_of(stimulus)
        if design is None:
            note = "An uploaded stimulus; moving any control returns to the design of the sliders."
            value = clip.stimulus_value(stimulus, note=note)
            updates = _only_view(bench, value)
            return [value, stimulus.to_json(), *updates[2:]]
    except UserError as error:
        return _only_view(bench, clip.error_value(error))
    return _show(bench, lambda: (design, stimulus.meta["seed"], ""), full_range)


def _design_of(stimulus: Stimulus) -> Pulses | None:
    """The design in a stimulus' own provenance, where it draws exactly this stimulus."""
    try:
        design = Pulses.from_dict(stimulus.meta["params"])
        seed = link.check_seed(stimulus.meta["seed"])
        return design if draw(design, seed).hash == stimulus.hash else None
    except (KeyError, TypeError, UserError):
        return None


def _only_view(bench: Bench, value: str) -> list[Any]:
    return [value, *(gr.skip() for _ in bench.everything[1:])]
