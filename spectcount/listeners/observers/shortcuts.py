"""Trivial observers: each answers from one cue, with the best fixed mapping from cue to answer.

A listener can be right for the wrong reason. These measure one number of the waveform (or, for the
spectrum, a dozen), know nothing else, and are given the mapping that serves best over all the
trials; what they reach is a floor under whoever answers the same trials.

*Conventions*: waveforms are float32 [T] at 16 kHz; what sounds is where the level in windows of
10 ms lies `ABOVE_DB` over that of the clip's quietest tenth. The mapping is learnt and tested on
different trials (ten parts in turn), so what is reached is not optimistic: a vote of those trials
whose cue is nearest in rank, every answer weighted alike; for the spectrum, a linear discriminant
with a shrunken covariance (Ledoit & Wolf 2004, J. Multivar. Anal. 88:365).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects, label, uniform_filter1d

from spectcount.scales import SAMPLE_RATE, erb_number_to_hz

ABOVE_DB = 6.0
WINDOW_MS = 10.0
HOP_MS = 2.0
FLOOR_POWER = 1e-10
N_BANDS = 12
LOWEST_CAM, HIGHEST_CAM = 2.0, 33.0
PARTS = 10
VOTERS = 4
"""One voter in so many of the trials of an answer."""

CUES = {
    "energy": "total energy",
    "sounding": "total sounding time",
    "extent": "time from the first onset to the last end",
    "first_interval": "the first interval between onsets",
    "first_level": "the level of the first sound",
    "first_length": "the length of the first sound",
    "first_pitch": "the frequency of the first sound",
    "energy_ratio": "total energy over that of the first sound",
    "last_onset": "the onset of the last sound",
    "kurtosis": "the kurtosis of the waveform",
    "crest": "the peak over the RMS",
    "spectrum": "the long-term spectrum",
}
"""Cue -> its name in words."""


@dataclass(frozen=True)
class Cues:
    """Cues of a clip: a number for each, and the bands of the spectrum."""

    values: tuple[float, ...]
    spectrum: tuple[float, ...]


def cues_of(waveform: np.ndarray) -> Cues:
    """All cues of a clip."""
    wave = np.asarray(waveform, np.float64)
    power = wave * wave
    sounds = _sounds(power)
    total = float(power.sum()) + FLOOR_POWER
    rms = np.sqrt(total / len(wave))
    first = _first(wave, power, sounds)
    values = {
        "energy": 10 * np.log10(total),
        "sounding": sum(s.stop - s.start for s in sounds) / SAMPLE_RATE,
        "extent": (sounds[-1].stop - sounds[0].start) / SAMPLE_RATE if sounds else 0.0,
        "first_interval": (
            (sounds[1].start - sounds[0].start) / SAMPLE_RATE if len(sounds) > 1 else 0.0
        ),
        **first,
        "energy_ratio": 10 * np.log10(total) - first["first_energy"],
        "last_onset": sounds[-1].start / SAMPLE_RATE if sounds else 0.0,
        "kurtosis": float(np.mean(power * power)) / (total / len(wave)) ** 2,
        "crest": float(np.abs(wave).max()) / rms,
    }
    return Cues(tuple(float(values[name]) for name in CUES if name != "spectrum"), _bands(wave))


def reached(cues: Sequence[Cues], truths: Sequence[str]) -> dict[str, float]:
    """Cue -> share right, the mean over the answers of the share right of each, cross-validated.
    Trials in a row (signal and counterpart of one draw) belong to one part. Raises `ValueError`
    for fewer than two answers."""
    answers, y = np.unique(np.asarray(truths), return_inverse=True)
    if len(answers) < 2:
        raise ValueError(f"{len(answers)} answer: nothing to tell apart")
    part = (np.arange(len(y)) * PARTS) // len(y)
    columns = np.array([c.values for c in cues])
    names = [name for name in CUES if name != "spectrum"]
    out = {name: _voted(columns[:, k], y, part) for k, name in enumerate(names)}
    return {**out, "spectrum": _discriminated(np.array([c.spectrum for c in cues]), y, part)}


def _sounds(power: np.ndarray) -> list[slice]:
    """Where something sounds, in samples."""
    hop = round(HOP_MS * SAMPLE_RATE / 1000)
    smooth = uniform_filter1d(power, round(WINDOW_MS * SAMPLE_RATE / 1000), mode="nearest")[::hop]
    level_db = 10 * np.log10(np.maximum(smooth, 0.0) + FLOOR_POWER)
    loud = level_db > float(np.quantile(level_db, 0.1)) + ABOVE_DB
    return [slice(s.start * hop, s.stop * hop) for (s,) in find_objects(label(loud)[0])]


def _first(wave: np.ndarray, power: np.ndarray, sounds: Sequence[slice]) -> dict[str, float]:
    """Level, energy, length and centre of gravity in frequency of the first sound."""
    if not sounds:
        floor = 10 * np.log10(FLOOR_POWER)
        return {
            "first_level": floor,
            "first_energy": floor,
            "first_length": 0.0,
            "first_pitch": 0.0,
        }
    energy = float(power[sounds[0]].sum()) + FLOOR_POWER
    n = sounds[0].stop - sounds[0].start
    spectrum = np.abs(np.fft.rfft(wave[sounds[0]])) ** 2
    hz = np.fft.rfftfreq(min(n, len(wave) - sounds[0].start), 1 / SAMPLE_RATE)
    pitch_hz = float(spectrum @ hz[: len(spectrum)] / (spectrum.sum() + FLOOR_POWER))
    return {
        "first_level": 10 * np.log10(energy / n),
        "first_energy": 10 * np.log10(energy),
        "first_length": n / SAMPLE_RATE,
        "first_pitch": pitch_hz,
    }


def _bands(wave: np.ndarray) -> tuple[float, ...]:
    """Level in bands equally wide in Cam over the whole clip, less their mean, dB."""
    spectrum = np.abs(np.fft.rfft(wave)) ** 2
    edges_hz = erb_number_to_hz(np.linspace(LOWEST_CAM, HIGHEST_CAM, N_BANDS + 1))
    at = np.round(np.asarray(edges_hz) * len(wave) / SAMPLE_RATE).astype(int)
    sums = np.add.reduceat(spectrum, np.minimum(at, len(spectrum) - 1))[:-1]
    level_db = 10 * np.log10(sums + FLOOR_POWER)
    return tuple(level_db - level_db.mean())


def _voted(x: np.ndarray, y: np.ndarray, part: np.ndarray) -> float:
    """Share right of the vote of the nearest in rank."""
    given = np.empty_like(y)
    for k in range(PARTS):
        rest = np.flatnonzero(part != k)
        rest = rest[np.argsort(x[rest], kind="stable")]
        given[part == k] = _votes(x[rest], y[rest], x[part == k], int(y.max()) + 1)
    return _balanced(given, y)


def _votes(x: np.ndarray, y: np.ndarray, at: np.ndarray, n_answers: int) -> np.ndarray:
    """Answer with the most votes, each answer's voters weighted to the same sum; `x` rises."""
    half = max(len(y) // (2 * VOTERS * n_answers), 1)
    place = (np.searchsorted(x, at, "left") + np.searchsorted(x, at, "right")) // 2
    low = np.clip(place - half, 0, max(len(y) - 2 * half, 0))
    high = np.minimum(low + 2 * half, len(y))
    weights = np.eye(n_answers)[y] / np.maximum(np.bincount(y, minlength=n_answers), 1)
    sums = np.concatenate([np.zeros((1, n_answers)), np.cumsum(weights, axis=0)])
    return np.argmax(sums[high] - sums[low], axis=1)


def _discriminated(x: np.ndarray, y: np.ndarray, part: np.ndarray) -> float:
    """Share right of a linear discriminant."""
    given = np.empty_like(y)
    for k in range(PARTS):
        learnt = part != k
        known = np.unique(y[learnt])
        means = np.array([x[learnt & (y == a)].mean(axis=0) for a in known])
        residuals = (x - means[np.searchsorted(known, y).clip(max=len(known) - 1)])[learnt]
        inverse = np.linalg.inv(_shrunken(residuals))
        scores = x[~learnt] @ inverse @ means.T
        scores = scores - np.einsum("ai,ij,aj->a", means, inverse, means) / 2
        given[~learnt] = known[np.argmax(scores, axis=1)]
    return _balanced(given, y)


def _shrunken(residuals: np.ndarray) -> np.ndarray:
    """Ledoit and Wolf's estimate of the covariance: shrunken towards a multiple of identity."""
    n, p = residuals.shape
    sample = residuals.T @ residuals / n
    mean = np.trace(sample) / p
    distance = ((sample - mean * np.eye(p)) ** 2).sum()
    spread = ((residuals**2).T @ residuals**2 / n - sample**2).sum() / n
    share = 1.0 if distance == 0 else min(spread / distance, 1.0)
    return share * mean * np.eye(p) + (1 - share) * sample + 1e-9 * np.eye(p)


def _balanced(given: np.ndarray, y: np.ndarray) -> float:
    """Mean over the answers of the share right."""
    return float(np.mean([np.mean(given[y == a] == a) for a in np.unique(y)]))
