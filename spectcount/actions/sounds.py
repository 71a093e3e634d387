"""Sounds: drawing stimuli from designs and presets, reading and writing them.

Conventions: settings come first; a preset is a name or the path of a YAML file; `params` is plain
data that overrides a preset's; bad input raises `UserError`. Of a two-answer task a design has two
sounds: the first answer is true of the side "signal", the second of "counterpart" (see
`spectcount.pairs`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectcount import documents, limits, presets, rates
from spectcount.clips import read_clip, save_clip
from spectcount.designs import FAMILIES, family
from spectcount.errors import UserError
from spectcount.pairs import COUNTERPART, SIGNAL, Drawing, usual_task
from spectcount.params import Param
from spectcount.settings import Limits, Settings, limits_of_visitor, typed_path
from spectcount.stimulus import Stimulus
from spectcount.synth import synthesise
from spectcount.tasks import task

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Rendered:
    """Files that `render` wrote."""

    clip: Path
    stimulus: Path
    spectrogram: Path


def draw_stimulus(
    family_name: str,
    params: Params,
    seed: int,
    settings: Settings | None = None,
    *,
    task_name: str = "",
    side: str = SIGNAL,
) -> Stimulus:
    """One stimulus of a family (see `Drawing`); `settings` adds the limits of its mode."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"seed={seed!r} is no seed; give a whole number, 0 or more")
    design = family(family_name).from_dict(params)
    return sound_of(Drawing(design, seed, task_name, side), settings)


def sound_of(drawing: Drawing, settings: Settings | None = None) -> Stimulus:
    """The sound of a drawing; `settings` adds the limits of its mode. Raises `UserError` for one
    that cannot be drawn, or has no counterpart."""
    stimulus = drawing.stimulus()
    if settings is not None:
        check_stimulus(stimulus, settings.limits)
    return stimulus


def check_stimulus(stimulus: Stimulus, allowed: Limits | None = None) -> None:
    """Raise `UserError` for a stimulus beyond what is allowed (by default, to who is acting): one
    sent as JSON may be no larger than one that was drawn. Counts as a sound asked for."""
    rates.spend("sounds")
    most = (allowed or limits_of_visitor()).max_events
    if len(stimulus.events) > most:
        raise UserError(
            f"{len(stimulus.events)} events are above the limit {most} of this page; lower n_events"
        )


def preset_stimulus(
    settings: Settings,
    preset: str,
    params: Params | None = None,
    seed: int = 0,
    *,
    task_name: str = "",
    side: str = SIGNAL,
) -> Stimulus:
    """One stimulus of a preset, with some parameters overridden; the usual task of a counterpart
    is the preset's own."""
    body = presets.load("stimuli", preset, settings).body
    if side == COUNTERPART:
        task_name = task_name or usual_task(body["family"], body["task"], side)
    mixed = {**body["params"], **(params or {})}
    return draw_stimulus(body["family"], mixed, seed, settings, task_name=task_name, side=side)


def describe_families() -> list[dict[str, Any]]:
    """Every family as plain data: its tasks, who knows the answer, and what is declared about
    each parameter."""
    return [
        {
            "family": name,
            "title": declared.title,
            "tasks": [_task_data(task_name) for task_name in declared.tasks],
            "listeners": declared.listeners,
            "parameters": [_param_data(spec) for spec in declared.params().values()],
        }
        for name, declared in FAMILIES.items()
    ]


def read_stimulus(path: str | Path, settings: Settings | None = None) -> Stimulus:
    """The stimulus in a JSON file that `render` wrote; `settings` adds the demo's limit."""
    file = typed_path(path)
    text = documents.read_text(file, f"stimulus {file.name}", limits.MAX_JSON_BYTES)
    return sent_stimulus(text, settings)


def sent_stimulus(text: str, settings: Settings | None = None) -> Stimulus:
    """The stimulus in a JSON text; `settings` adds the demo's limit of events."""
    stimulus = Stimulus.from_json(text)
    if settings is not None and settings.demo:
        check_stimulus(stimulus, settings.limits)
    return stimulus


def render(stimulus: Stimulus, out_dir: str | Path) -> Rendered:
    """Write clip.wav (32-bit float: the very samples), stimulus.json and spectrogram.png."""
    from spectcount.spectrogram import write_png

    out = Path(out_dir)
    waveform = synthesise(stimulus)
    try:
        out.mkdir(parents=True, exist_ok=True)
        files = Rendered(out / "clip.wav", out / "stimulus.json", out / "spectrogram.png")
        save_clip(files.clip, stimulus)
        files.stimulus.write_text(stimulus.to_json() + "\n", encoding="utf-8")
        write_png(files.spectrogram, stimulus, waveform)
    except OSError as error:
        raise UserError(f"cannot write into {out} ({error.strerror}); give another --out") from None
    return files


def load_clip(
    path: str | Path, settings: Settings, max_s: float = math.inf
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The clip in a WAV, FLAC, OGG or MP3 file, float32 [T] at 16 kHz, and notes on what was
    done to it; broken files are refused, and those over the mode's limits or longer than
    `max_s`."""
    allowed = settings.limits
    clip = read_clip(path, min(allowed.max_upload_s, max_s), allowed.max_upload_mb)
    return clip.waveform, clip.notes


def _task_data(name: str) -> dict[str, Any]:
    declared = task(name)
    return {
        "task": name,
        "title": declared.title,
        "kind": declared.kind,
        "answers": list(declared.answers),
        "wordings": len(declared.all_wordings),
    }


def _param_data(spec: Param) -> dict[str, Any]:
    data = {**dataclasses.asdict(spec), "kind": spec.kind.__name__, "choices": list(spec.choices)}
    return {"label": spec.title, **{k: v for k, v in data.items() if k != "label"}}
