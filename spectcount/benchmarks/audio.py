"""Sounds of a benchmark: any file that libsndfile reads, as mono float32 at 16 kHz, whole.

*Conventions*: float32 [T], full scale 1.0. Nothing is cut: a listener refuses what is too long for
it. Compressed formats may overshoot full scale when they are decoded; such a clip is lowered as a
whole to a peak of 1, which is said in a note and counted in the report. Otherwise levels stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from spectcount.errors import UserError
from spectcount.scales import SAMPLE_RATE


@dataclass(frozen=True)
class Sound:
    """A clip, and what was done to it on the way: `lowered_db` is 0 where its level is its own."""

    waveform: np.ndarray
    source_rate: int
    channels: int
    lowered_db: float = 0.0

    @property
    def duration_s(self) -> float:
        return len(self.waveform) / SAMPLE_RATE


def read(path: Path) -> Sound:
    """Read a sound. Raises `UserError` for a file that is broken, empty or not numbers."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise UserError(f"{path.name} cannot be read as audio ({error}); fetch it again") from None
    if len(samples) == 0 or not np.isfinite(samples).all():
        raise UserError(f"{path.name} is empty or has samples that are not numbers; fetch it again")
    wave = samples.mean(axis=1)
    if rate != SAMPLE_RATE:
        wave = soxr.resample(wave, rate, SAMPLE_RATE, quality="VHQ")
    peak = float(np.abs(wave).max(initial=0.0))
    lowered_db = 20 * math.log10(peak) if peak > 1 else 0.0
    wave = np.ascontiguousarray(wave / max(peak, 1.0), dtype=np.float32)
    return Sound(wave, rate, samples.shape[1], lowered_db)
