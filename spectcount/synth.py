"""Stimulus -> waveform, the same bytes on every machine.

Conventions: mono float32 [T]; nothing is normalised, clipped or dithered: what the Stimulus
declares is what is in the clip.

Only operations that IEEE 754 rounds exactly (+, -, *, /, sqrt, floor) touch the samples. The sine
and the normal deviate are therefore written out here as polynomials: libm's `sin` and NumPy's
`standard_normal` may differ in the last bit between processors and versions. The bit generator's
raw stream (PCG64) is the one part of numpy.random that is promised to stay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from spectcount import carriers
from spectcount.errors import UserError
from spectcount.limits import MAX_COMPONENTS
from spectcount.stimulus import Event, Stimulus

# Taylor coefficients of sin(2 pi x), x in cycles, |x| <= 1/4: error below 1e-11.
_SINE = [(-1) ** k * (2 * math.pi) ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(9)]

# Wichura (1988), Applied Statistics 37:477, AS 241, routine PPND7: normal quantile to 7 figures.
_CENTRE_NUM = (3.3871327179, 50.434271938, 159.29113202, 59.109374720)
_CENTRE_DEN = (1.0, 17.895169469, 78.757757664, 67.187563600)
_TAIL_NUM = (1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103)
_TAIL_DEN = (1.0, 0.73700164250, 0.12021132975)
_FAR_NUM = (6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997)
_FAR_DEN = (1.0, 0.24197894225, 0.012258202635)


def synthesise(stimulus: Stimulus) -> np.ndarray:
    """Render `stimulus` as float32 [T]; raises `UserError` where it would clip (|x| > 1)."""
    wave = np.zeros(stimulus.n_samples)
    for event in stimulus.sounds:
        start, samples = _event_samples(event, stimulus.sample_rate, len(wave))
        wave[start : start + len(samples)] += samples
    if stimulus.noise_sigma > 0:
        wave += white_noise(len(wave), stimulus.noise_seed) * stimulus.noise_sigma
    peak = float(np.max(np.abs(wave), initial=0.0))
    if peak > 1:
        raise UserError(
            f"the clip would peak at {peak:.3f}, {20 * math.log10(peak):.1f} dB over full scale; "
            f"lower level_dbfs (or noise_sigma) by at least {20 * math.log10(peak):.1f} dB, or "
            "spread overlapping events"
        )
    return wave.astype(np.float32)


def event_waveform(event: Event, sample_rate: int, n_samples: int) -> np.ndarray:
    """One event alone in a clip of `n_samples`, float64 [T]; what a matched filter correlates
    with."""
    wave = np.zeros(n_samples)
    start, samples = _event_samples(event, sample_rate, n_samples)
    wave[start : start + len(samples)] = samples
    return wave


def sine_cycles(cycles: np.ndarray) -> np.ndarray:
    """sin(2 pi x) of a phase in cycles, float64, exactly the same everywhere; error < 1e-10."""
    x = cycles - np.floor(cycles + 0.5)
    x = np.where(x > 0.25, 0.5 - x, np.where(x < -0.25, -0.5 - x, x))
    return x * _polynomial(x * x, _SINE)


def white_noise(n: int, seed: int) -> np.ndarray:
    """Standard normal deviates, float64 [n], from the raw stream of PCG64 by inversion. The
    quantile is accurate to 7 figures and bounded at 5.2 sigma."""
    raw = np.random.PCG64(seed).random_raw((n + 1) // 2).view(np.uint32)[:n]
    q = ((raw >> 9).astype(np.float32) - np.float32(2**22 - 0.5)) * np.float32(2.0**-23)
    return normal_quantile(q).astype(np.float64)


def normal_quantile(q: np.ndarray) -> np.ndarray:
    """Normal deviate at probability q + 1/2, float32; Wichura's AS 241 (PPND7)."""
    r = np.float32(0.180625) - q * q
    z = q * _polynomial(r, _CENTRE_NUM) / _polynomial(r, _CENTRE_DEN)
    tails = np.flatnonzero(np.abs(q) > np.float32(0.425))
    tail_p = (np.float32(0.5) - np.abs(q[tails])).astype(np.float64)
    r = np.sqrt(-_log(tail_p))
    near = _polynomial(r - 1.6, _TAIL_NUM) / _polynomial(r - 1.6, _TAIL_DEN)
    far = _polynomial(r - 5.0, _FAR_NUM) / _polynomial(r - 5.0, _FAR_DEN)
    z[tails] = np.copysign(np.where(r <= 5, near, far), q[tails])
    return z


def _event_samples(event: Event, sample_rate: int, n_samples: int) -> tuple[int, np.ndarray]:
    """First sample and samples, float64, of an event; the onset is rounded to a sample."""
    start = round(event.onset_s * sample_rate)
    n = min(round(event.duration_s * sample_rate), n_samples - start)
    t = np.arange(n) / sample_rate
    amplitude = float(f"{10 ** (event.level_dbfs / 20):.9e}")
    return start, amplitude * _carrier(event, t, sample_rate) * _envelope(event, t, sample_rate)


def _carrier(event: Event, t: np.ndarray, sample_rate: int) -> np.ndarray:
    """The event's wave before its envelope, with the RMS of a full-scale sine."""
    phase = event.phase_deg / 360
    if event.wave == "chirp":
        slope = (event.end_frequency_hz - event.frequency_hz) / (2 * event.duration_s)
        return sine_cycles((event.frequency_hz + slope * t) * t + phase)
    if event.wave == "harmonic":
        parts = (
            sine_cycles(k * event.frequency_hz * t + phase) for k in range(1, event.n_harmonics + 1)
        )
        return sum(parts, start=np.zeros(len(t))) / math.sqrt(event.n_harmonics)
    if event.wave == "noise":
        return _noise_band(event, t)
    if event.wave == "white":
        return white_noise(len(t), event.seed) * math.sqrt(0.5)
    if event.wave == "clip":
        return _clip(event, round(event.carrier_start_s * sample_rate), len(t))
    return sine_cycles(event.frequency_hz * t + phase)


def _noise_band(event: Event, t: np.ndarray) -> np.ndarray:
    """Equal-amplitude components of random phase, one per 1/duration Hz (at least two), across
    the band; Hartmann (1998), Signals, Sound, and Sensation, chapter 23. Where that would be more
    than `MAX_COMPONENTS`, so many at a random place each within equal parts of the band, so that
    nothing repeats."""
    wanted = max(2, int(event.bandwidth_hz * event.duration_s) + 1)
    n = min(wanted, MAX_COMPONENTS)
    raw = np.random.PCG64(event.seed).random_raw(2 * n)
    uniform = (raw >> 11) * 2.0**-53
    phases = uniform[:n]
    if wanted <= MAX_COMPONENTS:
        spread = np.arange(n) / (n - 1) - 0.5
    else:
        spread = (np.arange(n) + uniform[n:]) / n - 0.5
    wave = np.zeros(len(t))
    for k in range(n):
        wave += sine_cycles((event.frequency_hz + spread[k] * event.bandwidth_hz) * t + phases[k])
    return wave / math.sqrt(n)


def _clip(event: Event, first: int, n: int) -> np.ndarray:
    """`n` samples of a carrier from sample `first` on, silence behind its end, with the RMS of a
    full-scale sine over what sounds. The sum is exact (fsum), so that the bytes are the same
    everywhere."""
    sound = carriers.waveform(event.carrier)[first : first + n].astype(np.float64)
    power = math.fsum(sound * sound) / max(len(sound), 1)
    if power == 0:
        raise UserError(
            f"carrier {event.carrier} is silent for {event.duration_s:g} s from "
            f"{event.carrier_start_s:g} s on; choose another clip, place or length"
        )
    return np.pad(sound * math.sqrt(0.5 / power), (0, n - len(sound)))


def _envelope(event: Event, t: np.ndarray, sample_rate: int) -> np.ndarray:
    """Attack, release, modulation and gap inside the event, [n]."""
    n = len(t)
    rise, fall = event.attack_ms * sample_rate / 1000, event.release_ms * sample_rate / 1000
    i = np.arange(n) + 0.5
    envelope = np.ones(n)
    if rise > 0:
        envelope = np.minimum(envelope, _ramp(event, i / rise))
    if fall > 0:
        envelope = np.minimum(envelope, _ramp(event, (n - i) / fall))
    if event.am_depth > 0:
        wave = sine_cycles(event.am_rate_hz * t + event.am_phase_deg / 360)
        envelope = envelope * (1 + event.am_depth * wave) / math.sqrt(1 + event.am_depth**2 / 2)
    if event.gap_ms > 0:
        envelope = envelope * _gap(event, i / sample_rate * 1000)
    return envelope


def _gap(event: Event, at_ms: np.ndarray) -> np.ndarray:
    """1 outside the gap and its ramps, 0 inside, [n]; `at_ms` from the event's onset."""
    before_ms = event.gap_onset_ms - at_ms
    after_ms = at_ms - (event.gap_onset_ms + event.gap_ms)
    outside_ms = np.maximum(before_ms, after_ms)
    if event.gap_ramp_ms == 0:
        return (outside_ms > 0).astype(float)
    return _ramp(event, outside_ms / event.gap_ramp_ms)


def _ramp(event: Event, place: np.ndarray) -> np.ndarray:
    """0 up to place 0, 1 from place 1, in between a straight line or a raised cosine."""
    place = np.clip(place, 0.0, 1.0)
    return place if event.ramp == "linear" else 0.5 + 0.5 * sine_cycles(place / 2 - 0.25)


def _polynomial(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    """Horner's rule, coefficients from the constant upwards, in the type of `x`."""
    total = np.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total *= x
        total += x.dtype.type(c)
    return total


def _log(x: np.ndarray) -> np.ndarray:
    """Natural logarithm of float64 x > 0 by exact operations only; error < 1e-15 relative."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < math.sqrt(0.5)
    mantissa = np.where(small, 2 * mantissa, mantissa)
    exponent = exponent - small
    s = (mantissa - 1) / (mantissa + 1)
    series = [2 / (2 * k + 1) for k in range(11)]
    return s * _polynomial(s * s, series) + exponent * 0.6931471805599453
