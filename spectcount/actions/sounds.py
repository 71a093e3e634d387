"""Sounds: drawing stimuli from designs and presets, reading and writing them.

Conventions: settings come first; a preset is a name or the path of a YAML file; `params` is plain
data that overrides a preset's; bad input raises `UserError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectcount import presets
from spectcount.clips import read_clip, save_clip
from spectcount.designs import draw, family
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.synth import synthesise

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Rendered:
    """Files that `render` wrote."""

    clip: Path
    stimulus: Path
    spectrogram: Path


def draw_stimulus(
    family_name: str, params: Params, seed: int, settings: Settings | None = None
) -> Stimulus:
    """One stimulus of a family; `settings` adds the limits of its mode."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"seed={seed!r} is no seed; give a whole number, 0 or more")
    stimulus = draw(family(family_name).from_dict(params), seed)
    if settings is not None and len(stimulus.events) > settings.limits.max_events:
        raise UserError(
            f"{len(stimulus.events)} events are above the limit {settings.limits.max_events} of "
            f"{settings.mode} mode; lower n_events"
        )
    return stimulus


def preset_stimulus(
    settings: Settings, preset: str, params: Params | None = None, seed: int = 0
) -> Stimulus:
    """One stimulus of a preset, with some parameters overridden."""
    body = presets.load("stimuli", preset, settings).body
    return draw_stimulus(body["family"], {**body["params"], **(params or {})}, seed, settings)


def read_stimulus(path: str | Path) -> Stimulus:
    """The stimulus in a JSON file that `render` wrote."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}); give a stimulus.json") from None
    return Stimulus.from_json(text)


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


def load_clip(path: str | Path, settings: Settings) -> tuple[np.ndarray, tuple[str, ...]]:
    """The clip in a WAV, FLAC or OGG file, float32 [T] at 16 kHz, and notes on what was done to
    it; broken and over-long files are refused."""
    limits = settings.limits
    clip = read_clip(path, limits.max_upload_s, limits.max_upload_mb)
    return clip.waveform, clip.notes
