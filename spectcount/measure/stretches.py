"""Stretches of a waveform in which a sound or a silence lies, and the rows of the table of checks.

*Conventions*: square is the squared waveform [T]; a stretch is a slice of samples; power is full
scale^2 (a full-scale sine has 1/2). Where to look is taken from the stimulus, what is there from
the waveform alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spectcount.measure.ridges import noise_sigma, short_time_power
from spectcount.stimulus import Event, Stimulus

NOT_RESOLVED = "not resolved"
ROUNDING_POWER = 2.0**-50
"""Power of the rounding of float32: what stands for no noise."""
QUIET_SHARE = 0.25
"""Share of a clip that must be noise alone for it to be measured."""
DB = 10 / np.log(10)
"""Decibels of a small relative change of power."""


@dataclass(frozen=True)
class Row:
    """One quantity as declared and as measured, in words ready to show; `ok` is None where the two
    cannot be compared."""

    quantity: str
    declared: str
    measured: str
    unit: str
    ok: bool | None


def likeliest_stretch(square: np.ndarray, inside: float, outside: float) -> slice:
    """The stretch that is most likely to be Gaussian of power `inside` amid power `outside`: the
    largest sum of log-likelihood ratios over neighbouring samples."""
    gain = 0.5 * (np.log(outside / inside) + square * (1 / outside - 1 / inside))
    total = np.concatenate([[0.0], np.cumsum(gain)])
    stop = int(np.argmax(total - np.minimum.accumulate(total)))
    start = stop - int(np.argmin(total[stop::-1]))
    return slice(start, stop)


def noise_power(stimulus: Stimulus, waveform: np.ndarray) -> float:
    """Power of the noise in the quiet parts of a clip, at least that of rounding; as declared where
    there are none."""
    sigma = stimulus.noise_sigma
    if not covered(stimulus):
        sigma = noise_sigma(short_time_power(np.asarray(waveform, np.float32)))
    return max(sigma**2, ROUNDING_POWER)


def covered(stimulus: Stimulus) -> bool:
    """True where broadband sounds leave no part of the clip to the noise alone."""
    covered_s = sum(e.duration_s for e in stimulus.sounds if e.broadband)
    return covered_s > stimulus.duration_s * (1 - QUIET_SHARE)


def plateau(event: Event, sample_rate: int) -> slice:
    """The samples of an event between its ramps, one at least."""
    start = round((event.onset_s + event.attack_ms / 1000) * sample_rate)
    stop = round((event.offset_s - event.release_ms / 1000) * sample_rate)
    return slice(start, max(stop, start + 1))


def declared_power(event: Event) -> float:
    """Power of an event's plateau."""
    return 0.5 * 10 ** (event.level_dbfs / 10)


def power_error(event: Event, power: float, noise: float, n: int, sample_rate: int) -> float:
    """Relative standard error of the power of `n` samples of an event in noise: that of the noise
    and, where the event is noise itself, of its own 2 x bandwidth x duration degrees of freedom."""
    error = 2 * noise * (noise + 2 * power) / n
    if event.wave in ("noise", "white"):
        width_hz = event.bandwidth_hz if event.wave == "noise" else sample_rate / 2
        error += 2 * power**2 / max(2 * width_hz * n / sample_rate, 1.0)
    return float(np.sqrt(error)) / power


def alone(event: Event, others: tuple[Event, ...]) -> bool:
    """True where nothing else sounds while an event does."""
    return all(o.offset_s <= event.onset_s or o.onset_s >= event.offset_s for o in others)


def plain(event: Event) -> bool:
    """True of an event that has neither gap nor modulation."""
    return not event.gap_ms and not event.am_depth


def number_row(
    quantity: str,
    declared: float,
    measured: float | None,
    unit: str,
    tolerance: float,
    digits: int = 1,
) -> Row:
    """A row about one number; `measured` None: it could not be resolved."""
    agree = None if measured is None else bool(abs(measured - declared) <= tolerance)
    words = NOT_RESOLVED if measured is None else f"{measured:.{digits}f}"
    return Row(quantity, f"{declared:.{digits}f}", words, unit, agree)


def list_row(
    quantity: str,
    declared: Sequence[float],
    measured: Sequence[float] | None,
    unit: str,
    tolerances: Sequence[float],
    digits: int = 1,
) -> Row:
    """A row about one number for each of several sounds; `measured` None: not resolved."""
    if measured is None:
        return Row(quantity, span_words(declared, digits), NOT_RESOLVED, unit, None)
    agree = all(abs(d - m) <= t for d, m, t in zip(declared, measured, tolerances, strict=True))
    return Row(quantity, span_words(declared, digits), span_words(measured, digits), unit, agree)


def span_words(values: Sequence[float], digits: int) -> str:
    """One number where all agree at these decimals, else "lowest to highest"."""
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} to {high}"
