"""Cells that the front end cannot tell apart: marks that a map must show.

Conventions: marks are bool [ny, nx]. *Silent*: a probe in the middle of the cell raises or lowers
no log-mel channel, averaged over the probe's frames, by `SILENT_BELOW_DB` against the same noise
without it, say because it lies below the 80 dB floor. *Merged*: the cell shares all its bins of
the Fourier transform (40 Hz wide) with a neighbour, so that the two are not independent.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

import numpy as np

from spectcount.probing.axes import Axis
from spectcount.probing.base import Plan
from spectcount.probing.plan import plan_from_dict
from spectcount.scales import SAMPLE_RATE, mel_centres_hz
from spectcount.spectrogram import log_mel
from spectcount.stimulus import Stimulus
from spectcount.synth import synthesise

SILENT_BELOW_DB = 1.0
DECADES_PER_UNIT = 4.0
"""Whisper's features are (log10 power + 4) / 4."""
FRAME_S = 0.01
BIN_HZ = SAMPLE_RATE / 400


@dataclass(frozen=True)
class Marks:
    """See the module's conventions."""

    silent: np.ndarray
    merged: np.ndarray


def front_end_marks(plan: Plan) -> Marks:
    """The marks of a plan's cells; they belong to the stimuli, not to any listener."""
    return _marks(json.dumps(plan.to_dict(), sort_keys=True))


@functools.lru_cache(maxsize=32)
def _marks(plan_json: str) -> Marks:
    plan = plan_from_dict(json.loads(plan_json))
    silent = np.array(
        [[_silent(plan, (i, j)) for i in range(plan.n_columns)] for j in range(plan.n_rows)]
    )
    merged = np.zeros_like(silent)
    for a, axis in enumerate(plan.axes):
        along = np.array(merged_cells(axis))
        merged |= along[None, :] if a == 0 else along[:, None]
    return Marks(silent, merged)


def _silent(plan: Plan, cell: tuple[int, int]) -> bool:
    stimulus = plan.middle_stimulus(cell)
    if not stimulus.events:
        return False
    with_probe = _channel_levels_db(synthesise(stimulus), stimulus)
    without = _channel_levels_db(synthesise(stimulus.without_events()), stimulus)
    return bool(np.max(np.abs(with_probe - without)) < SILENT_BELOW_DB)


def _channel_levels_db(waveform: np.ndarray, stimulus: Stimulus) -> np.ndarray:
    """Mean power of each channel over the frames of each event, dB [events, channels]. Averaged,
    because a frame where the noise happens to vanish says nothing about what can be heard."""
    power = 10 ** (np.asarray(log_mel(waveform).values, float) * DECADES_PER_UNIT)
    levels = []
    for event in stimulus.events:
        first = max(int(event.onset_s / FRAME_S) - 1, 0)
        last = int(event.offset_s / FRAME_S) + 2
        levels.append(10 * np.log10(power[:, first:last].mean(axis=1)))
    return np.array(levels)


def merged_cells(axis: Axis) -> list[bool]:
    """True for cells of a frequency axis that hold no Fourier bin of their own beside a
    neighbour's; all False for other axes."""
    if axis.name not in ("frequency", "mel_channel"):
        return [False] * axis.n
    bins = [_bins(axis, i) for i in range(axis.n)]
    return [
        any(bins[i] <= bins[k] or bins[k] <= bins[i] for k in (i - 1, i + 1) if 0 <= k < axis.n)
        for i in range(axis.n)
    ]


def _bins(axis: Axis, i: int) -> set[int]:
    """Fourier bins nearest to the frequencies that cell `i` can hold."""
    low, high = axis.bounds(i)
    if axis.name == "mel_channel":
        return {round(float(f) / BIN_HZ) for f in mel_centres_hz()[int(low) : int(high) + 1]}
    return set(range(round(low / BIN_HZ), round(high / BIN_HZ) + 1))
