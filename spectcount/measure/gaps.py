"""Check of a gap within a sound: how long it is silent, and how deep the silence.

*Conventions*: as in `spectcount.measure.stretches`. The silence is the stretch that is most likely
to be the noise of the clip alone amid samples of the sound's power; its depth is its power over
that of the rest of the sound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import erf

from spectcount.measure.stretches import (
    DB,
    NOT_RESOLVED,
    ROUNDING_POWER,
    alone,
    declared_power,
    likeliest_stretch,
    noise_power,
    number_row,
    plateau,
    power_error,
    word_row,
)
from spectcount.stimulus import Event, Stimulus

LENGTH_MS = 0.4
DEPTH_DB = 0.5
EDGE_SAMPLES = 10
"""How many quiet samples of the sound may join the gap at its ends, at most, were all quiet."""
CLEAR = 15.0
"""Log-likelihood ratio that a gap must be worth to be looked for."""
LEAST_DB = 6.0
"""How far the sound must be over the noise."""
DIPS = 50.0
"""Per Hz of bandwidth, ms: how long a band of noise is near silence by itself."""
SILENT_DB = -120.0
FEWEST_SAMPLES = 160
"""Of the sound beside the gap, for the depth to be measured."""


def gap_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[dict[str, Any]]:
    """One event with a gap: its length and depth."""
    gapped = [e for e in stimulus.events if e.gap_ms > 0]
    if len(gapped) != 1:
        return []
    event = gapped[0]
    others = tuple(e for e in stimulus.sounds if e is not event)
    fs, noise = stimulus.sample_rate, noise_power(stimulus, waveform)
    clear = alone(event, others) and _worth(event, stimulus) > CLEAR
    square = np.asarray(waveform, np.float64)[plateau(event, fs)] ** 2
    found = _silence(square, noise, event) if clear else None
    length_ms = None if found is None else 1000 * (found.stop - found.start) / fs
    tolerance_ms = LENGTH_MS + event.gap_ramp_ms
    tolerance_ms += 1000 * EDGE_SAMPLES / fs * _quiet_share(event, stimulus)
    if event.wave == "noise":
        tolerance_ms += DIPS / event.bandwidth_hz
    return [
        number_row("Gap", event.gap_ms, length_ms, "ms", tolerance_ms, 2),
        _depth_row(event, stimulus, square, found),
    ]


def _worth(event: Event, stimulus: Stimulus) -> float:
    """Expected log-likelihood ratio of the declared gap; 0 in noise that fills it."""
    noise = max(stimulus.noise_sigma**2, ROUNDING_POWER)
    over = (declared_power(event) + noise) / noise
    if over < 10 ** (LEAST_DB / 10):
        return 0.0
    return event.gap_ms / 1000 * stimulus.sample_rate * 0.5 * (np.log(over) - 1 + 1 / over)


def _quiet_share(event: Event, stimulus: Stimulus) -> float:
    """Share of the sound's samples, as of Gaussian noise, that are likelier to be the noise's."""
    noise = max(stimulus.noise_sigma**2, ROUNDING_POWER)
    share = noise / (declared_power(event) + noise)
    return float(erf(np.sqrt(share * np.log(1 / share) / (1 - share) / 2)))


def _silence(square: np.ndarray, noise: float, event: Event) -> slice | None:
    """The silent stretch of a plateau; None where there is none."""
    outside = declared_power(event) + noise
    for _ in range(2):
        found = likeliest_stretch(square, noise, outside)
        n_outside = len(square) - (found.stop - found.start)
        if found.stop == found.start or n_outside == 0:
            return None
        outside = (square.sum() - square[found].sum()) / n_outside + noise
    return found


def _depth_row(
    event: Event, stimulus: Stimulus, square: np.ndarray, found: slice | None
) -> dict[str, Any]:
    power, noise = declared_power(event), stimulus.noise_sigma**2
    declared_db = DB * np.log(noise / (power + noise)) if noise else -np.inf
    words = f"{declared_db:.1f}" if noise else f"below {SILENT_DB:g}"
    n_loud = len(square) - (found.stop - found.start) if found is not None else 0
    if found is None or n_loud < FEWEST_SAMPLES:
        return word_row("Depth of the gap", words, NOT_RESOLVED, "dB", None)
    edge = (found.stop - found.start) // 10
    quiet = square[found.start + edge : found.stop - edge]
    loud = (square.sum() - square[found].sum()) / n_loud
    depth_db = float(DB * np.log(max(float(quiet.mean()), 1e-20) / loud))
    if not noise:
        deep = depth_db < SILENT_DB
        measured = f"below {SILENT_DB:g}" if deep else f"{depth_db:.1f}"
        return word_row("Depth of the gap", words, measured, "dB", deep)
    errors = np.array([
        np.sqrt(2 / len(quiet)), power_error(event, power, noise, n_loud, stimulus.sample_rate)
    ])  # fmt: skip
    tolerance_db = DEPTH_DB + 3 * DB * float(np.hypot(*errors))
    return number_row("Depth of the gap", declared_db, depth_db, "dB", tolerance_db)
