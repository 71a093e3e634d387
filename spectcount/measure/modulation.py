"""Check of amplitude modulation: its rate and depth.

*Conventions*: as in `spectcount.measure.stretches`. The squared waveform of a modulated sound is
1 + m^2/2 + 2 m sin(wt) - (m^2/2) cos(2wt) times that of the steady one, so the ratio a of its
component at the rate to its mean, 2 m / (1 + m^2/2), gives m = (2 - sqrt(4 - 2 a^2)) / a. Depth
is 20 log10 m.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from spectcount.measure.stretches import (
    NOT_RESOLVED,
    ROUNDING_POWER,
    alone,
    noise_power,
    plateau,
    word_row,
)
from spectcount.scales import amplitude_to_db
from spectcount.stimulus import Event, Stimulus

CLEAR = 5.0
"""How many standard errors the declared component must be, to be looked for."""
NEIGHBOURS = 20
RATE_SHARE = 0.005
RATE_PERIODS = 0.1
RATE_ERRORS = 2.0
"""How far the rate may be off: this share, and over the sound's length so much of a period and so
much for each relative standard error of the component."""
DEPTH_SHARE = 0.04


def modulation_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[dict[str, Any]]:
    """One modulated event: rate and depth."""
    modulated = [e for e in stimulus.events if e.am_depth > 0]
    if len(modulated) != 1:
        return []
    event, fs = modulated[0], stimulus.sample_rate
    others = tuple(e for e in stimulus.sounds if e is not event)
    part = np.asarray(waveform, np.float64)[plateau(event, fs)]
    if not alone(event, others) or event.gap_ms or len(part) * event.am_rate_hz < fs:
        return _rows(event, None, None, 0.0, 0.0)
    power = part**2
    ratio, error = _component(power, event.am_rate_hz / fs, noise_power(stimulus, waveform))
    if _ratio(event.am_depth) < CLEAR * error:
        return _rows(event, None, None, 0.0, 0.0)
    rate_hz = _rate(power, event.am_rate_hz / fs) * fs
    periods = RATE_PERIODS + RATE_ERRORS * error / _ratio(event.am_depth)
    tolerance_hz = RATE_SHARE * event.am_rate_hz + periods * fs / len(part)
    return _rows(event, rate_hz, _depth(ratio), tolerance_hz, 3 * error / 2)


def _rows(
    event: Event, rate_hz: float | None, depth: float | None, rate_hz_off: float, depth_off: float
) -> list[dict[str, Any]]:
    declared_db, rate = float(amplitude_to_db(event.am_depth)), event.am_rate_hz
    words = [NOT_RESOLVED, NOT_RESOLVED]
    oks: list[bool | None] = [None, None]
    if rate_hz is not None and depth is not None:
        words = [f"{rate_hz:.2f}", f"{float(amplitude_to_db(depth)):.1f}"]
        off = depth_off + DEPTH_SHARE * event.am_depth
        oks = [abs(rate_hz - rate) <= rate_hz_off, abs(depth - event.am_depth) <= off]
    return [
        word_row("Modulation rate", f"{rate:.2f}", words[0], "Hz", oks[0]),
        word_row("Modulation depth", f"{declared_db:.1f}", words[1], "dB", oks[1]),
    ]


def _component(power: np.ndarray, cycles: float, noise: float) -> tuple[float, float]:
    """The component at a rate (cycles per sample) over the mean, and its standard error, from the
    components around it in the rest (by their median, which other lines hardly move)."""
    phase = 2 * np.pi * cycles * np.arange(len(power))
    columns = [np.ones(len(power))]
    columns += [f(k * phase) for k in (1, 2) for f in (np.sin, np.cos)]
    basis = np.stack(columns, axis=1)
    fit = np.linalg.lstsq(basis, power, rcond=None)[0]
    rest = np.abs(scipy.fft.rfft(power - basis @ fit)) * 2 / len(power)
    place = round(cycles * len(power))
    around = rest[max(1, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
    error = np.sqrt(np.median(around**2) / np.log(2) / 2)
    mean = max(float(fit[0] - noise), ROUNDING_POWER)
    return float(np.hypot(fit[1], fit[2]) / mean), float(error / mean)


def _ratio(m: float) -> float:
    """Component over mean of the power at a depth m."""
    return 2 * m / (1 + m**2 / 2)


def _depth(ratio: float) -> float:
    """m of the ratio of component to mean; more than full modulation counts as full."""
    a = max(min(ratio, _ratio(1.0)), 1e-9)
    return float((2 - np.sqrt(4 - 2 * a**2)) / a)


def _rate(power: np.ndarray, cycles: float) -> float:
    """Frequency of the highest line within an octave about a rate, cycles per sample."""
    size = 8 * scipy.fft.next_fast_len(len(power))
    spectrum = np.abs(scipy.fft.rfft((power - power.mean()) * np.hanning(len(power)), size))
    low, high = int(cycles * size / np.sqrt(2)), int(cycles * size * np.sqrt(2)) + 2
    return (low + int(np.argmax(spectrum[low:high]))) / size
