"""Check of two sounds to be compared: by how much they differ in frequency, level and length.

*Conventions*: as in `spectcount.measure.stretches`. Differences are first less second. Frequency:
peak of the spectrum of each; level: power of each plateau, the noise taken off; length: the
stretch of each that is most likely to be of its own power amid what is FOOT of it, so that ramps
are cut at the same share of every sound's height, whatever its level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spectcount.measure.power import peak_hz
from spectcount.measure.stretches import (
    DB,
    Row,
    alone,
    declared_power,
    likeliest_stretch,
    noise_power,
    number_row,
    plain,
    plateau,
    power_error,
)
from spectcount.scales import erb_hz, erb_number
from spectcount.stimulus import Event, Stimulus

CENTS_PER_SHARE = 1200 / math.log(2)
CENTS = 2.0
CAM = 0.01
LEVEL_DB = 0.1
LENGTH_MS = 1.0
FOOT = 1 / 16
FLICKER_SHARE = 0.25
"""How much of a ramp a noise may hide by its own fluctuation."""
LEAST_DB = 10.0
"""How far over the noise both must be."""
SHORTEST_SAMPLES = 64


@dataclass(frozen=True)
class Sound:
    """One of the two as measured."""

    f_hz: float
    level_db: float
    length_ms: float


def comparison_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
    """Two events, one after the other, that differ in frequency, level or length: how much."""
    if len(stimulus.events) != 2 or stimulus.background:
        return []
    first, second = stimulus.events
    kinds = {(e.wave, e.bandwidth_hz, e.n_harmonics) for e in stimulus.events}
    comparable = plain(first) and plain(second) and alone(first, (second,)) and len(kinds) == 1
    if not comparable or first.wave in ("chirp", "clip"):
        return []
    noise, fs = noise_power(stimulus, waveform), stimulus.sample_rate
    two = None
    if all(_clear(e, stimulus) for e in stimulus.events):
        middle = round((first.offset_s + second.onset_s) / 2 * fs)
        wave = np.asarray(waveform, np.float64)
        parts = (slice(0, middle), slice(middle, len(wave)))
        two = [
            _sound(wave, part, e, noise, fs) for part, e in zip(parts, stimulus.events, strict=True)
        ]
    return [
        *_frequency_rows(first, second, two, noise, fs),
        *_level_rows(first, second, two, noise, fs),
        *_length_rows(first, second, two),
    ]


def _clear(event: Event, stimulus: Stimulus) -> bool:
    """True of an event that is long and loud enough to be measured."""
    where = plateau(event, stimulus.sample_rate)
    loud = declared_power(event) > stimulus.noise_sigma**2 * 10 ** (LEAST_DB / 10)
    return loud and where.stop - where.start >= SHORTEST_SAMPLES


def _sound(wave: np.ndarray, part: slice, event: Event, noise: float, fs: int) -> Sound:
    steady = wave[plateau(event, fs)]
    power = max(float(np.mean(steady**2)) - noise, 1e-20)
    stretch = likeliest_stretch(wave[part] ** 2, power + noise, max(noise, power * FOOT))
    return Sound(
        f_hz=peak_hz(steady, fs),
        level_db=float(DB * np.log(2 * power)),
        length_ms=1000 * (stretch.stop - stretch.start) / fs,
    )


def _frequency_rows(
    first: Event, second: Event, two: list[Sound] | None, noise: float, fs: int
) -> list[Row]:
    if first.frequency_hz == second.frequency_hz or first.wave != "sine":
        return []
    hz = (first.frequency_hz, second.frequency_hz)
    error = 3 * math.hypot(*(_hz_error(e, noise, fs) / e.frequency_hz for e in (first, second)))
    cents = None if two is None else _cents(two[0].f_hz, two[1].f_hz)
    cam = None if two is None else _cam(two[0].f_hz, two[1].f_hz)
    cam_per_share = max(hz) / float(erb_hz(max(hz)))
    return [
        number_row(
            "Difference in frequency", _cents(*hz), cents, "cents", CENTS + CENTS_PER_SHARE * error
        ),
        number_row(
            "Difference in frequency", _cam(*hz), cam, "Cam", CAM + cam_per_share * error, 3
        ),
    ]


def _level_rows(
    first: Event, second: Event, two: list[Sound] | None, noise: float, fs: int
) -> list[Row]:
    if first.level_dbfs == second.level_dbfs:
        return []
    shared = first.wave in ("noise", "white") and first.seed == second.seed
    errors = [_level_error_db(e, noise, fs, shared) for e in (first, second)]
    measured = None if two is None else two[0].level_db - two[1].level_db
    declared = first.level_dbfs - second.level_dbfs
    tolerance = LEVEL_DB + 3 * math.hypot(*errors)
    return [number_row("Difference in level", declared, measured, "dB", tolerance, 2)]


def _length_rows(first: Event, second: Event, two: list[Sound] | None) -> list[Row]:
    declared = 1000 * (first.duration_s - second.duration_s)
    if declared == 0:
        return []
    measured = None if two is None else two[0].length_ms - two[1].length_ms
    tolerance = LENGTH_MS
    if first.wave != "sine":
        tolerance += FLICKER_SHARE * (first.attack_ms + first.release_ms)
    if first.wave == "noise":
        tolerance += 1000 / first.bandwidth_hz
    return [number_row("Difference in length", declared, measured, "ms", tolerance, 2)]


def _hz_error(event: Event, noise: float, fs: int) -> float:
    """Standard error of the frequency of a sine in noise: twice the Cramer-Rao bound, for the
    window (Rife & Boorstyn 1974, IEEE Trans. Inf. Theory 20:591)."""
    where = plateau(event, fs)
    n = max(where.stop - where.start, 1)
    bound = np.sqrt(12 * noise / declared_power(event) / n**3)
    return float(2 * bound * fs / (2 * np.pi))


def _level_error_db(event: Event, noise: float, fs: int, shared: bool) -> float:
    """Standard error of a level; noise samples that both sounds share cancel."""
    where = plateau(event, fs)
    n, power = max(where.stop - where.start, 1), declared_power(event)
    if shared:
        return DB * float(np.sqrt(2 * noise * (noise + 2 * power) / n)) / power
    return DB * power_error(event, power, noise, n, fs)


def _cents(a_hz: float, b_hz: float) -> float:
    return float(1200 * np.log2(a_hz / b_hz))


def _cam(a_hz: float, b_hz: float) -> float:
    return float(erb_number(a_hz) - erb_number(b_hz))
