"""Clips from files: whatever libsndfile reads becomes mono float32 at 16 kHz, or is refused.

Conventions: float32 [T], full scale 1.0. Integer formats are decoded to +-1; nothing is
normalised. What was changed on the way (rate, channels) is said in a note.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from spectcount.errors import UserError
from spectcount.scales import SAMPLE_RATE
from spectcount.settings import typed_path
from spectcount.stimulus import Stimulus
from spectcount.synth import synthesise

_TRUNCATED_WAV = re.compile(r"^data : (\d+) \(should be", re.MULTILINE)
_UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)
_TRUNCATED_OGG = "ended unexpectedly"


@dataclass(frozen=True)
class Clip:
    """A clip read from a file: waveform float32 [T] at 16 kHz, and what was done to it."""

    waveform: np.ndarray
    notes: tuple[str, ...]


def read_clip(path: str | Path, max_s: float = 30.0, max_mb: float = 50.0) -> Clip:
    """Read a WAV, FLAC or OGG file (or another that libsndfile reads). Raises `UserError` for a
    file that is missing, broken, cut short, empty, over-long or over full scale."""
    path = typed_path(path)
    info = _info(path, max_mb)
    if info.duration > max_s:
        raise UserError(
            f"{path.name} lasts {info.duration:.2f} s, the limit is {max_s:g} s; cut it first"
        )
    try:
        channels, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise _unreadable(path, error) from None
    if len(channels) == 0 or len(channels) < info.frames:
        raise UserError(
            f"{path.name} holds {len(channels)} of {info.frames} samples; give a whole file"
        )
    _refuse_bad_samples(path, channels)
    return _convert(channels, rate)


def save_clip(path: Path, stimulus: Stimulus) -> None:
    """Write a stimulus as 32-bit float WAV: exactly the synthesised samples, no rounding."""
    soundfile.write(path, synthesise(stimulus), stimulus.sample_rate, subtype="FLOAT")


def _info(path: Path, max_mb: float) -> soundfile._SoundFileInfo:
    if not path.is_file():
        raise UserError(f"there is no file {path}; give the path of a WAV, FLAC or OGG file")
    size_mb = path.stat().st_size / 1e6
    if size_mb > max_mb:
        raise UserError(f"{path.name} has {size_mb:.0f} MB, the limit is {max_mb:g}; cut it first")
    try:
        info = soundfile.info(path, verbose=True)
    except soundfile.SoundFileError as error:
        raise _unreadable(path, error) from None
    short = _TRUNCATED_WAV.search(info.extra_info)
    if _TRUNCATED_OGG in info.extra_info or (short and int(short[1]) not in _UNKNOWN_LENGTHS):
        raise UserError(f"{path.name} is cut short: its header promises more; give a whole file")
    return info


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path.name} cannot be read as audio ({str(error).strip()}); give a WAV, FLAC or OGG file"
    )


def _refuse_bad_samples(path: Path, channels: np.ndarray) -> None:
    if not np.isfinite(channels).all():
        raise UserError(f"{path.name} has samples that are not numbers; write the file again")
    peak = float(np.abs(channels).max())
    if peak > 1:
        raise UserError(
            f"{path.name} peaks at {peak:.3f}, {20 * math.log10(peak):.1f} dB over full scale; "
            f"lower its level by that much"
        )


def _convert(channels: np.ndarray, rate: int) -> Clip:
    """Mono at 16 kHz, with a note for each thing that was done."""
    wave, notes = channels[:, 0], []
    if channels.shape[1] > 1:
        wave = channels.mean(axis=1)
        notes.append(f"{channels.shape[1]} channels were mixed to one")
    if rate != SAMPLE_RATE:
        wave = soxr.resample(wave, rate, SAMPLE_RATE, quality="VHQ")
        notes.append(f"resampled from {rate} Hz to {SAMPLE_RATE} Hz")
        peak = float(np.abs(wave).max(initial=0.0))
        if peak > 1:
            wave = wave / peak
            notes.append(f"lowered by {20 * math.log10(peak):.2f} dB: resampling overshot")
    return Clip(np.ascontiguousarray(wave, dtype=np.float32), tuple(notes))
