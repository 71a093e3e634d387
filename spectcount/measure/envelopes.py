"""Checks of a sound's envelope: length and depth of a gap, rate and depth of a modulation.

*Conventions*: as in `spectcount.measure.stretches`. The silence of a gap is the stretch that is
most likely to be the noise of the clip alone amid samples of the sound's power; its depth is its
power over that of the rest of the sound. The squared waveform of a modulated sound is 1 + m^2/2 + 2
m sin(wt) - (m^2/2) cos(2wt) times that of the steady one, so the ratio a of its component at the
rate to its mean, 2 m / (1 + m^2/2), gives m = (2 - sqrt(4 - 2 a^2)) / a. The depth of a modulation
is 20 log10 m.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from scipy.special import erf

from spectcount.measure.stretches import (
    DB,
    NOT_RESOLVED,
    ROUNDING_POWER,
    Row,
    alone,
    declared_power,
    likeliest_stretch,
    noise_power,
    number_row,
    plateau,
    power_error,
)
from spectcount.scales import amplitude_to_db
from spectcount.stimulus import Event, Stimulus

LENGTH_MS = 0.4
DEPTH_DB = 0.5
EDGE_SAMPLES = 10
"""How many quiet samples of the sound may join the gap at its ends, at most, were all quiet."""
GAP_CLEAR = 15.0
"""Log-likelihood ratio that a gap must be worth to be looked for."""
LEAST_DB = 6.0
"""How far the sound must be over the noise."""
DIPS = 50.0
"""Per Hz of bandwidth, ms: how long a band of noise is near silence by itself."""
SILENT_DB = -120.0
FEWEST_SAMPLES = 160
"""Of the sound beside the gap, for the depth to be measured."""
COMPONENT_CLEAR = 5.0
"""How many standard errors the declared component must be, to be looked for."""
NEIGHBOURS = 20
RATE_SHARE = 0.005
RATE_PERIODS = 0.1
RATE_ERRORS = 2.0
"""How far the rate may be off: this share, and over the sound's length so much of a period and so
much for each relative standard error of the component."""
DEPTH_SHARE = 0.04


def gap_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
    """One event with a gap: its length and depth."""
    gapped = [e for e in stimulus.events if e.gap_ms > 0]
    if len(gapped) != 1:
        return []
    event = gapped[0]
    others = tuple(e for e in stimulus.sounds if e is not event)
    fs, noise = stimulus.sample_rate, noise_power(stimulus, waveform)
    clear = alone(event, others) and _worth(event, stimulus) > GAP_CLEAR
    square = np.asarray(waveform, np.float64)[plateau(event, fs)] ** 2
    silence = _silence(square, noise, event) if clear else None
    length_ms = None if silence is None else 1000 * (silence.stop - silence.start) / fs
    tolerance_ms = LENGTH_MS + event.gap_ramp_ms
    tolerance_ms += 1000 * EDGE_SAMPLES / fs * _quiet_share(event, stimulus)
    if event.wave == "noise":
        tolerance_ms += DIPS / event.bandwidth_hz
    return [
        number_row("Gap", event.gap_ms, length_ms, "ms", tolerance_ms, 2),
        _depth_row(event, stimulus, square, silence),
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
        silence = likeliest_stretch(square, noise, outside)
        n_outside = len(square) - (silence.stop - silence.start)
        if silence.stop == silence.start or n_outside == 0:
            return None
        outside = (square.sum() - square[silence].sum()) / n_outside + noise
    return silence


def _depth_row(event: Event, stimulus: Stimulus, square: np.ndarray, silence: slice | None) -> Row:
    power, noise = declared_power(event), stimulus.noise_sigma**2
    declared_db = DB * np.log(noise / (power + noise)) if noise else -np.inf
    words = f"{declared_db:.1f}" if noise else f"below {SILENT_DB:g}"
    n_loud = len(square) - (silence.stop - silence.start) if silence is not None else 0
    if silence is None or n_loud < FEWEST_SAMPLES:
        return Row("Depth of the gap", words, NOT_RESOLVED, "dB", None)
    edge = (silence.stop - silence.start) // 10
    quiet = square[silence.start + edge : silence.stop - edge]
    loud = (square.sum() - square[silence].sum()) / n_loud
    depth_db = float(DB * np.log(max(float(quiet.mean()), 1e-20) / loud))
    if not noise:
        deep = depth_db < SILENT_DB
        measured = f"below {SILENT_DB:g}" if deep else f"{depth_db:.1f}"
        return Row("Depth of the gap", words, measured, "dB", deep)
    errors = np.array(
        [np.sqrt(2 / len(quiet)), power_error(event, power, noise, n_loud, stimulus.sample_rate)]
    )
    tolerance_db = DEPTH_DB + 3 * DB * float(np.hypot(*errors))
    return number_row("Depth of the gap", declared_db, depth_db, "dB", tolerance_db)


def modulation_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
    """One modulated event: rate and depth."""
    modulated = [e for e in stimulus.events if e.am_depth > 0]
    if len(modulated) != 1:
        return []
    event, fs = modulated[0], stimulus.sample_rate
    others = tuple(e for e in stimulus.sounds if e is not event)
    part = np.asarray(waveform, np.float64)[plateau(event, fs)]
    if not alone(event, others) or event.gap_ms or len(part) * event.am_rate_hz < fs:
        return _modulation_rows(event, None, None, 0.0, 0.0)
    power = part**2
    ratio, error = _component(power, event.am_rate_hz / fs, noise_power(stimulus, waveform))
    if _ratio(event.am_depth) < COMPONENT_CLEAR * error:
        return _modulation_rows(event, None, None, 0.0, 0.0)
    rate_hz = _rate(power, event.am_rate_hz / fs) * fs
    periods = RATE_PERIODS + RATE_ERRORS * error / _ratio(event.am_depth)
    tolerance_hz = RATE_SHARE * event.am_rate_hz + periods * fs / len(part)
    return _modulation_rows(event, rate_hz, _depth(ratio), tolerance_hz, 3 * error / 2)


def _modulation_rows(
    event: Event, rate_hz: float | None, depth: float | None, rate_hz_off: float, depth_off: float
) -> list[Row]:
    declared_db, rate = float(amplitude_to_db(event.am_depth)), event.am_rate_hz
    words = [NOT_RESOLVED, NOT_RESOLVED]
    oks: list[bool | None] = [None, None]
    if rate_hz is not None and depth is not None:
        words = [f"{rate_hz:.2f}", f"{float(amplitude_to_db(depth)):.1f}"]
        off = depth_off + DEPTH_SHARE * event.am_depth
        oks = [abs(rate_hz - rate) <= rate_hz_off, abs(depth - event.am_depth) <= off]
    return [
        Row("Modulation rate", f"{rate:.2f}", words[0], "Hz", oks[0]),
        Row("Modulation depth", f"{declared_db:.1f}", words[1], "dB", oks[1]),
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
