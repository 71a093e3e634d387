"""Clips from files: the one door for sound. What is whole becomes mono float32 at 16 kHz.

*Conventions*: float32 [T], full scale 1.0. Integer formats are decoded to +-1; nothing is
normalised or cut. What was changed on the way (rate, channels, level) is said in a note. The
container is told by the file's bytes, never by its name; a file that is cut short or whose header
tells less than there is (`containers`) is refused, since a part of a sound is another sound.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from spectcount import containers, limits
from spectcount.errors import UserError
from spectcount.scales import SAMPLE_RATE
from spectcount.settings import typed_path
from spectcount.stimulus import Stimulus
from spectcount.synth import synthesise

_LOSSY = (containers.OGG, containers.MP3)
_CANCELS = 0.5
_CANCELS_FOR_A_SECOND = 0.1
_QUIET = 1e-4


@dataclass(frozen=True)
class Door:
    """Files that are let in. `lowers_peaks`: whether a file over full scale is lowered as a whole
    instead of refused (what was coded with loss may overshoot, and always is)."""

    containers: tuple[str, ...]
    max_s: float
    max_mb: float
    lowers_peaks: bool = False

    @property
    def words(self) -> str:
        return f"give {', '.join(self.containers[:-1])} or {self.containers[-1]}"


UPLOADS = (containers.WAV, containers.FLAC, containers.OGG, containers.MP3)
"""The containers that people send; each further one is another parser at the door."""
DATA_SETS = Door(containers.READ, max_s=1200.0, max_mb=500.0, lowers_peaks=True)
"""Sounds of a data set on one's own disk."""


@dataclass(frozen=True)
class Clip:
    """A clip read from a file: waveform float32 [T] at 16 kHz, what was done to it in words, the
    dB by which it was lowered, and the channel that was taken where the mix of all cancels."""

    waveform: np.ndarray
    notes: tuple[str, ...]
    lowered_db: float = 0.0
    channel: int | None = None

    @property
    def duration_s(self) -> float:
        return len(self.waveform) / SAMPLE_RATE


@dataclass(frozen=True)
class _Levels:
    """Sums over a file, second by second: energy of each channel [S, C] and of the mix [S]."""

    n_samples: int
    peak: float
    channels: np.ndarray
    mix: np.ndarray

    @property
    def loudest(self) -> int:
        """The first channel that no other exceeds by more than about 0.5 dB."""
        energies = self.channels.sum(axis=0)
        return int(np.argmax(energies >= 0.9 * energies.max()))

    @property
    def cancels(self) -> bool:
        """True where the mix is 3 dB below that of unrelated channels, or 10 dB in some second that
        is not much quieter than the loudest."""
        n = self.channels.shape[1]
        unrelated = self.channels.sum(axis=1) / n**2
        loud = unrelated > _QUIET * unrelated.max(initial=0.0)
        whole = self.mix.sum() < _CANCELS * unrelated.sum()
        return bool(whole or np.any(self.mix[loud] < _CANCELS_FOR_A_SECOND * unrelated[loud]))


def read_clip(path: str | Path, max_s: float = 30.0, max_mb: float = 50.0) -> Clip:
    """Read a WAV, FLAC, OGG or MP3 file. Raises `UserError` as `read` does."""
    return read(path, Door(UPLOADS, max_s, max_mb))


def read(path: str | Path, door: Door) -> Clip:
    """Read a file through a door. Raises `UserError` for one that is missing, of a container that
    the door does not take, broken, cut short, empty, over-long or over full scale."""
    path = typed_path(path)
    data = _bytes(path, door)
    try:
        return _clip(containers.whole(data), containers.kind(data), path.name, door)
    except containers.Broken as error:
        raise UserError(f"{path.name} {error}") from None
    except (soundfile.SoundFileError, TypeError) as error:
        raise UserError(
            f"{path.name} cannot be read as audio ({str(error).strip()}); {door.words}"
        ) from None


def save_clip(path: Path, stimulus: Stimulus) -> None:
    """Write a stimulus as 32-bit float WAV: exactly the synthesised samples, no rounding."""
    path.write_bytes(wav_bytes(synthesise(stimulus), stimulus.sample_rate))


def wav_bytes(waveform: np.ndarray, rate: int = SAMPLE_RATE, subtype: str = "FLOAT") -> bytes:
    """A mono WAV file, FLOAT or PCM_16: the same samples are the same bytes. libsndfile's float
    files are not: their PEAK chunk holds the time."""
    if subtype != "FLOAT":
        file = io.BytesIO()
        soundfile.write(file, waveform, rate, format="WAV", subtype=subtype)
        return file.getvalue()
    samples = waveform.astype("<f4").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, rate, 4 * rate, 4, 32)
    fact = struct.pack("<4sII", b"fact", 4, len(waveform))
    body = b"WAVE" + form + fact + struct.pack("<4sI", b"data", len(samples)) + samples
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _bytes(path: Path, door: Door) -> bytes:
    """The bytes of a file that the door takes."""
    if not path.is_file():
        raise UserError(f"there is no file {path}; {door.words}")
    size_mb = path.stat().st_size / 1e6
    if size_mb > door.max_mb:
        raise UserError(
            f"{path.name} has {size_mb:.0f} MB, the limit is {door.max_mb:g}; cut it first"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path.name} cannot be read ({error.strerror}); {door.words}") from None
    try:
        kind = containers.kind(data)
    except containers.Broken as error:
        raise UserError(f"{path.name} cannot be read as audio: it {error}; {door.words}") from None
    if kind not in door.containers:
        raise UserError(f"{path.name} is of the container {kind}; {door.words}")
    return data


def _clip(data: bytes, kind: str, name: str, door: Door) -> Clip:
    """Two passes over the decoded blocks, so that no more than one channel is in memory: levels
    first, then the mix or the channel that is taken."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        rate, n_channels = file.samplerate, file.channels
        promised = file.frames
    _refuse_size(name, door, rate, n_channels, promised)
    levels = _levels(data, round(door.max_s * rate))
    _refuse_size(name, door, rate, n_channels, levels.n_samples)
    if levels.n_samples < promised or levels.n_samples == 0:
        raise UserError(f"{name} holds {levels.n_samples} of {promised} samples; give a whole file")
    _refuse_bad_samples(name, levels.peak, door.lowers_peaks or kind in _LOSSY)
    channel = levels.loudest if levels.cancels else None
    wave = np.empty(levels.n_samples, np.float32)
    at = 0
    for block in _blocks(data, rate):
        wave[at : at + len(block)] = block.mean(axis=1) if channel is None else block[:, channel]
        at += len(block)
    return _convert(wave, rate, n_channels, channel, levels)


def _refuse_size(name: str, door: Door, rate: int, n_channels: int, n_samples: int) -> None:
    low, high = limits.MIN_FILE_RATE_HZ, limits.MAX_FILE_RATE_HZ
    if not low <= rate <= high:
        raise UserError(
            f"{name} has {rate} samples a second, {low} to {high} are read; resample it"
        )
    if n_channels > limits.MAX_CHANNELS:
        raise UserError(
            f"{name} has {n_channels} channels, the limit is {limits.MAX_CHANNELS}; mix it first"
        )
    if n_samples > door.max_s * rate:
        raise UserError(
            f"{name} lasts {n_samples / rate:.2f} s, the limit is {door.max_s:g} s; cut it first"
        )
    if n_samples > limits.MAX_FILE_SAMPLES:
        raise UserError(
            f"{name} has {n_samples} samples, the limit is {limits.MAX_FILE_SAMPLES}; resample it "
            "to 16 kHz first"
        )


def _blocks(data: bytes, size: int) -> Iterator[np.ndarray]:
    """The decoded samples, float32 [up to `size`, C] at a time."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        while len(block := file.read(size, dtype="float32", always_2d=True)):
            yield block


def _levels(data: bytes, most: int) -> _Levels:
    """Levels second by second; stops where there are more than `most` samples."""
    n_samples, peak = 0, 0.0
    energies, mixed = [], []
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        second, n_channels = file.samplerate, file.channels
    for block in _blocks(data, second):
        n_samples += len(block)
        peak = max(peak, float(np.abs(block).max())) if np.isfinite(peak) else peak
        peak = peak if np.isfinite(block).all() else math.inf
        energies.append(np.square(block, dtype=np.float64).sum(axis=0))
        mixed.append(np.square(block.mean(axis=1), dtype=np.float64).sum())
        if n_samples > most:
            break
    return _Levels(n_samples, peak, np.reshape(energies, (-1, n_channels)), np.array(mixed))


def _refuse_bad_samples(name: str, peak: float, is_lowered: bool) -> None:
    if not math.isfinite(peak):
        raise UserError(f"{name} has samples that are not numbers; write the file again")
    if peak > 1 and not is_lowered:
        raise UserError(
            f"{name} peaks at {peak:.3f}, {20 * math.log10(peak):.1f} dB over full scale; "
            f"lower its level by that much"
        )


def _convert(
    wave: np.ndarray, rate: int, n_channels: int, channel: int | None, levels: _Levels
) -> Clip:
    """Mono at 16 kHz and full scale, with a note for each thing that was done."""
    notes = []
    if channel is not None:
        notes.append(
            f"the {n_channels} channels cancel in their mix; channel {channel + 1} was taken alone"
        )
    elif n_channels > 1:
        notes.append(f"{n_channels} channels were mixed to one")
    before = float(np.abs(wave).max(initial=0.0))
    if rate != SAMPLE_RATE:
        wave = soxr.resample(wave, rate, SAMPLE_RATE, quality="VHQ")
        notes.append(f"resampled from {rate} Hz to {SAMPLE_RATE} Hz")
    peak = float(np.abs(wave).max(initial=0.0))
    lowered_db = 20 * math.log10(peak) if peak > 1 else 0.0
    if peak > 1:
        wave = wave / peak
        cause = "decoding" if before > 1 else "resampling"
        notes.append(f"lowered by {lowered_db:.2f} dB: {cause} overshot full scale")
    wave = np.ascontiguousarray(wave, dtype=np.float32)
    return Clip(wave, tuple(notes), lowered_db, channel)
