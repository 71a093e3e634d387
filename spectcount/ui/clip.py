"""One clip on the page: two pictures, a player, a table, and the files that reproduce it.

How a tab uses it::

    view = clip_view("The clip of the cell")
    button.click(lambda: stimulus_value(stimulus), outputs=view)

The pictures are reduced to what a screen shows (the loudest of each group of cells); levels are
sent as bytes. Once the pictures stand the page fetches the player's copy, 16 bit, and what is
measured in the clip, so that neither holds a slider up; the file to download is exact float32.

Conventions: seconds, Hz, dB; row 0 of a picture is its lowest frequency.
"""

from __future__ import annotations

import base64
import functools
import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np

from spectcount.actions.sounds import check_stimulus
from spectcount.clips import wav_bytes
from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.measure import declared_and_measured
from spectcount.measure.splatter import cautions
from spectcount.scales import N_MELS, SAMPLE_RATE, erb_hz, mel_channel
from spectcount.spectrogram import MEL_WINDOW_S, log_mel, power_db, stft_power
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import synthesise
from spectcount.ui.pieces import render

MAX_COLUMNS = 800
MAX_ROWS = 128
HEAR_RANGE_DB = (-110.0, 0.0)
MODEL_SPAN = 2.0
"""The span of the log-mel picture: 80 dB, which the front end divides by 40."""
HEAR_TICKS_HZ = {hz: hz % 2000 == 0 for hz in range(0, 8001, 1000)}
MODEL_TICKS_HZ = {125: False, 500: True, 1000: True, 2000: True, 4000: True, 7000: False}
"""Frequencies beside the pictures, and whether they stand beside small ones too."""
MOST_TIME_TICKS = 10


@dataclass(frozen=True)
class Outline:
    """Box around an event or a background sound (`kind`): its extent in time, its band widened by
    half an ERB either way, the whole height where it has no band; the middle of its gap."""

    kind: str
    from_s: float
    to_s: float
    low_hz: float
    high_hz: float
    gap_s: float | None


_SERIAL = itertools.count()
"""Makes each value differ from the last one: the page ignores a value that it has already."""


def clip_view(
    label: str = "Clip",
    *,
    files: bool = True,
    empty: str = "",
    draw: Callable[[str], str] | None = None,
) -> gr.HTML:
    """The component; its value comes from `stimulus_value`, `waveform_value` or `error_value`.
    `files` adds the buttons for the link and the downloads; `empty` is shown before the first
    value. `draw` makes the view live: it gets the text that the page's `SpectCount.move(text)` was
    called with and returns a value; calls that come while it works are merged, the last wins.
    """
    return gr.HTML(
        value=None,
        label=label,
        html_template=_view(),
        js_on_load="SpectCount.clip(element, props, watch, server);",
        server_functions=[player_wav, exact_wav, measured, *([draw] if draw else [])],
        apply_default_css=False,
        files=files,
        empty_text=empty,
        live=draw.__name__ if draw else "",
    )


def stimulus_value(
    stimulus: Stimulus, *, query: str = "", note: str = "", table: bool = True
) -> str:
    """A `clip_view`'s value for a Stimulus. `query` is the part of a link after "?" that
    reproduces it; `note` is a line of words; `table` lets the page ask for what is `measured` of
    it. Raises `UserError` where the clip would exceed full scale."""
    waveform = synthesise(stimulus)
    return _value(
        waveform,
        note=note,
        name=stimulus.hash,
        table=table,
        outlines=outlines(stimulus),
        stimulus=stimulus.to_json(),
        query=query,
    )


def warm_up() -> None:
    """Draw a clip for nobody, so that the libraries behind it are loaded when the page asks."""
    stimulus = draw(Pulses(), 0)
    stimulus_value(stimulus)
    declared_and_measured(stimulus, synthesise(stimulus))


def waveform_value(waveform: np.ndarray, *, note: str = "", name: str = "clip") -> str:
    """A `clip_view`'s value for a waveform, mono float32 [T] at 16 kHz."""
    wav = _base64(wav_bytes(waveform, subtype="PCM_16"))
    return _value(waveform, note=note, name=name, wav=wav)


def error_value(error: UserError) -> str:
    """The sentence of a refused design; the last good picture stays, dimmed."""
    return json.dumps({"error": str(error), "serial": next(_SERIAL)})


def _value(waveform: np.ndarray, *, outlines: Sequence[Outline] = (), **more: Any) -> str:
    """JSON text, which the page's framework passes on without walking through it."""
    duration_s = len(waveform) / SAMPLE_RATE
    mel = log_mel(waveform, max(MEL_WINDOW_S, duration_s)).values
    top = float(np.max(mel))
    heard = _picture(power_db(_reduced(stft_power(waveform)[0])), *HEAR_RANGE_DB)
    value = {
        "error": "",
        "serial": next(_SERIAL),
        "duration_s": duration_s,
        "ticks": _time_ticks(duration_s),
        "hear": {**heard, "marks": _marks(outlines, _hear_height, duration_s)},
        "model": {
            **_picture(_reduced(mel), top - MODEL_SPAN, top),
            "marks": _marks(outlines, _model_height, duration_s),
        },
        "table": False,
        "stimulus": "",
        "query": "",
    }
    return json.dumps({**value, **more})


def player_wav(stimulus_json: str) -> str:
    """The clip as a 16-bit WAV file, base64: the player's copy."""
    stimulus = _checked(stimulus_json)
    return _player_copy(stimulus, synthesise(stimulus))


def measured(stimulus_json: str) -> str:
    """JSON of {"table": declared against measured (HTML), "agree": how many do, in words,
    "caution": what its edges give away, "wav": the player's copy}: one rendering for all that
    follows the pictures."""
    stimulus = _checked(stimulus_json)
    waveform = synthesise(stimulus)
    rows = declared_and_measured(stimulus, waveform)
    checked = [row.ok for row in rows if row.ok is not None]
    value = {
        "wav": _player_copy(stimulus, waveform),
        "table": render("clip.table", rows=rows),
        "agree": f"{sum(checked)} of {len(checked)} agree",
        "caution": " ".join(f"Caution: {words}." for words in cautions(stimulus)),
    }
    return json.dumps(value)


def _player_copy(stimulus: Stimulus, waveform: np.ndarray) -> str:
    return _base64(wav_bytes(waveform, stimulus.sample_rate, "PCM_16"))


def exact_wav(stimulus_json: str) -> str:
    """The clip as a float32 WAV file, base64: the bytes behind the download button."""
    stimulus = _checked(stimulus_json)
    return _base64(wav_bytes(synthesise(stimulus), stimulus.sample_rate))


def _checked(stimulus_json: str) -> Stimulus:
    """A stimulus that a page sent back."""
    stimulus = Stimulus.from_json(stimulus_json)
    check_stimulus(stimulus)
    return stimulus


def _picture(values: np.ndarray, low: float, high: float) -> dict[str, Any]:
    """Levels as bytes, row-major from the lowest frequency, `low` = 0 and `high` = 255."""
    levels = np.clip((values - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    return {
        "rows": levels.shape[0],
        "columns": levels.shape[1],
        "levels": _base64(levels.tobytes()),
    }


def _reduced(values: np.ndarray) -> np.ndarray:
    """Reduce a picture to what a screen shows: the loudest of each group of cells."""
    return _reduce(_reduce(values, MAX_ROWS, axis=0), MAX_COLUMNS, axis=1)


def _reduce(values: np.ndarray, most: int, axis: int) -> np.ndarray:
    """Maximum over equal groups along `axis`, so that at most `most` remain."""
    n = values.shape[axis]
    if n <= most:
        return values
    starts = np.linspace(0, n, most, endpoint=False).astype(int)
    return np.maximum.reduceat(values, starts, axis=axis)


def outlines(stimulus: Stimulus) -> list[Outline]:
    """Boxes around everything that sounds, the background first."""
    return [
        *(_outline(event, "background") for event in stimulus.background),
        *(_outline(event, "event") for event in stimulus.events),
    ]


def _outline(event: Event, kind: str) -> Outline:
    low, high = 0.0, SAMPLE_RATE / 2
    if not event.broadband:
        low, high = event.lowest_hz, event.highest_hz
        low, high = max(0.0, low - erb_hz(low) / 2), min(SAMPLE_RATE / 2, high + erb_hz(high) / 2)
    middle_s = event.onset_s + (event.gap_onset_ms + event.gap_ms / 2) / 1000
    gap_s = middle_s if event.gap_ms else None
    return Outline(kind, event.onset_s, event.offset_s, float(low), float(high), gap_s)


def _hear_height(f_hz: float) -> float:
    """Height of a frequency in the STFT, as a share of the picture."""
    return f_hz / (SAMPLE_RATE / 2)


def _model_height(f_hz: float) -> float:
    """Height of a frequency in the log-mel picture, as a share of it."""
    return float((mel_channel(f_hz) + 0.5) / N_MELS)


def _marks(outlines: Sequence[Outline], height: Callable[[float], float], duration_s: float) -> str:
    """Outlines over a picture, in per cent of it (HTML)."""
    boxes = [
        {
            "kind": o.kind,
            "left": 100 * o.from_s / duration_s,
            "width": 100 * (o.to_s - o.from_s) / duration_s,
            "top": 100 * (1 - min(height(o.high_hz), 1)),
            "bottom": 100 * max(height(o.low_hz), 0),
            "gap": None if o.gap_s is None else 100 * o.gap_s / duration_s,
        }
        for o in outlines
    ]
    return render("clip.marks", outlines=boxes)


@functools.lru_cache(64)
def _time_ticks(duration_s: float) -> str:
    """Seconds below a picture, at round steps (HTML)."""
    raw_s = duration_s / MOST_TIME_TICKS
    power = 10.0 ** math.floor(math.log10(raw_s))
    step_s = next(k * power for k in (1, 2, 5, 10) if k * power >= raw_s)
    ticks_s = np.arange(0, duration_s + 1e-9, step_s)
    return render("clip.ticks", ticks=[(f"{t:.3g}", t / duration_s) for t in ticks_s])


def _view() -> str:
    """The component before its first value (HTML)."""
    heights = ((HEAR_TICKS_HZ, _hear_height), (MODEL_TICKS_HZ, _model_height))
    hear, model = (
        [(f"{hz:,}".replace(",", "\u2009"), height(hz), small) for hz, small in ticks.items()]
        for ticks, height in heights
    )
    low, high = (f"{level:g} dB".replace("-", "\u2212") for level in HEAR_RANGE_DB)
    floor = ((0, "floor"), (0.5, "\u221240 dB"), (1, "loudest"))
    return render("clip.view", hear=(hear, ((0, low), (1, high))), model=(model, floor))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
