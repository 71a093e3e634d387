"""Noise and tones of a waveform, measured without knowing how it was made.

Ridges of a short-time spectrum are followed from their loudest point, loudest first; each is then
demodulated, and the onset, offset, level and energy are read from its envelope.

*Conventions*: mono float [T], Hz, seconds, dBFS re full-scale sine peak; noise by its standard
deviation. Onset and offset are the feet of the linear ramps, extrapolated from the quarter, half
and three-quarter points of the envelope. The level is that of the envelope's plateau, the energy
its integral.

*What it can tell apart*: tones of 10 ms or longer above 100 Hz, at least 13 dB over the noise in
16 ms, with 10 ms between them, or overlapping in time and at least 200 Hz apart, the softer at
most 26 dB below the louder. Partials that begin and end together on one harmonic series are one
event. Sounds whose envelope flutters (noise bands, unresolved neighbours) are merged where they
overlap, and the measurement says that it is not resolved.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft

from spectcount.measure.power import demodulated, hann_kernel
from spectcount.measure.ridges import (
    HOP,
    N_FFT,
    SEED_DB,
    Ridge,
    between_bins,
    find_ridges,
    noise_sigma,
    short_time_power,
    window,
)
from spectcount.scales import SAMPLE_RATE, amplitude_to_db, e_n0_db

FLUTTER = 0.35
"""Standard deviation over mean of a plateau above which a sound is no tone."""
SHORT = 640
"""Samples; a shorter event may be all ramp, so its level is read at its crest."""
MERGE_S = 0.005
HARMONIC_TOLERANCE = 0.005


@dataclass(frozen=True)
class Measured:
    """A waveform's measurement; per-event tuples are in the order of onset, `gaps_ms` between
    neighbours in that order.

    `resolved` is False where the events could not be told apart or are no tones (their number and
    times are then a best guess); `limit_dbfs` is the level below which a tone would be missed.
    """

    n_events: int
    onsets_s: tuple[float, ...]
    offsets_s: tuple[float, ...]
    gaps_ms: tuple[float, ...]
    frequencies_hz: tuple[float, ...]
    levels_dbfs: tuple[float, ...]
    noise_sigma: float
    e_n0_db: tuple[float, ...]
    peak: float
    resolved: bool
    limit_dbfs: float


@dataclass(frozen=True)
class Sound:
    """One event as measured; `f_end_hz` differs from `f_hz` in a glide."""

    onset_s: float
    offset_s: float
    f_hz: float
    f_end_hz: float
    amplitude: float
    energy: float
    flutter: float


def measure(waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> Measured:
    """Find noise and events in a mono waveform [T]; see the module for what is resolvable."""
    wave = np.asarray(waveform, np.float32)
    power = short_time_power(wave)
    sigma = noise_sigma(power)
    noise_power = max(sigma, 2.0**-25) ** 2 * float(np.sum(window() ** 2))
    ridges = find_ridges(power, noise_power, sample_rate)
    sounds = [_read_event(wave, ridge, ridges, sigma, sample_rate) for ridge in ridges]
    events = sorted(_merged(sounds), key=lambda e: (e.onset_s, e.f_hz))
    limit = 2 * math.sqrt(noise_power * 10 ** (SEED_DB / 10)) / float(np.sum(window()))
    return Measured(
        n_events=len(events),
        onsets_s=tuple(e.onset_s for e in events),
        offsets_s=tuple(e.offset_s for e in events),
        gaps_ms=tuple(1000 * (b.onset_s - a.offset_s) for a, b in itertools.pairwise(events)),
        frequencies_hz=tuple(e.f_hz for e in events),
        levels_dbfs=tuple(float(amplitude_to_db(e.amplitude)) for e in events),
        noise_sigma=sigma,
        e_n0_db=tuple(e_n0_db(max(e.energy, 1e-30), sigma, sample_rate) for e in events),
        peak=float(np.max(np.abs(wave), initial=0.0)),
        resolved=all(e.flutter <= FLUTTER for e in events),
        limit_dbfs=float(amplitude_to_db(limit)),
    )


def _read_event(
    wave: np.ndarray, ridge: Ridge, ridges: list[Ridge], sigma: float, sample_rate: int
) -> Sound:
    """Demodulate a ridge and read its envelope."""
    first, last = ridge.start * HOP, min(ridge.stop * HOP, len(wave))
    slope = (ridge.last_hz - ridge.first_hz) / max(last - first, 1)
    offset_hz = _fine_offset_hz(wave[first:last], ridge.first_hz, slope, sample_rate)
    f_hz = ridge.first_hz + offset_hz
    n_smooth = _smoothing(ridge, ridges, sigma, sample_rate)
    pad = N_FFT // 2 + n_smooth
    low = max(0, first - pad)
    samples = np.arange(low, min(len(wave), last + pad)) - first
    cycles = (f_hz + slope * samples / 2) * samples / sample_rate
    kernel = hann_kernel(n_smooth)
    envelope = demodulated(wave[low : low + len(samples)], cycles, kernel)
    onset, offset, area, amplitude, flutter = _read_envelope(
        envelope, first - low, last - low, n_smooth
    )
    wobble = 2 * sigma * math.sqrt(float(np.sum(kernel**2)) / 2) / max(amplitude, 1e-12)
    return Sound(
        onset_s=max(0.0, (low + onset) / sample_rate),
        offset_s=min(len(wave), low + offset) / sample_rate,
        f_hz=f_hz + slope * (low + onset - first),
        f_end_hz=f_hz + slope * (low + offset - first),
        amplitude=amplitude,
        energy=amplitude**2 / 2 * area / sample_rate,
        flutter=math.sqrt(max(0.0, flutter**2 - wobble**2)),
    )


def _fine_offset_hz(core: np.ndarray, f_hz: float, slope: float, sample_rate: int) -> float:
    """Distance of the spectral peak of a ridge, straightened, from `f_hz`."""
    n = np.arange(len(core))
    straight = core * np.exp(-2j * np.pi * (f_hz + slope * n / 2) * n / sample_rate)
    size = scipy.fft.next_fast_len(max(4096, 2 * len(core)))
    reach = int(1.5 * size / N_FFT) + 1
    spectrum = np.abs(scipy.fft.fft(straight * np.hanning(len(core)), size))
    around = np.concatenate([spectrum[-reach:], spectrum[: reach + 1]])
    peak = np.array([int(np.argmax(around[1:-1])) + 1])
    vertex = between_bins(around[None] ** 2, np.array([0]), peak)[0]
    return float(vertex - reach) * sample_rate / size


def _smoothing(ridge: Ridge, ridges: list[Ridge], sigma: float, sample_rate: int) -> int:
    """Samples of the smoothing kernel: short for sharp edges; longer at low frequencies, beside
    neighbours in frequency, and in noise."""
    amplitude = 2 * math.sqrt(ridge.power) / float(np.sum(window()))
    wanted = [64.0, 2 * sample_rate / max(ridge.middle_hz, 50), 1.5 * (24 * sigma / amplitude) ** 2]
    for other in ridges:
        if other is not ridge and ridge.near(other):
            apart_hz = max(abs(other.middle_hz - ridge.middle_hz), 1.0)
            wanted.append(3 * sample_rate / apart_hz)
    return int(min(max(wanted), 400, max(64, (ridge.stop - ridge.start) * HOP / 2)))


def _read_envelope(
    envelope: np.ndarray, first: int, last: int, n_smooth: int
) -> tuple[float, float, float, float, float]:
    """Onset, offset, effective length (all in samples), plateau and its flutter."""
    quarter = (last - first) // 4
    plateau = envelope[first + quarter : max(last - quarter, first + quarter + 1)]
    if last - first < SHORT:
        inside = envelope[first:last]
        plateau = inside[inside >= 0.9 * inside.max()]
    amplitude = float(np.median(plateau))
    middle = (first + last) // 2
    rise, rise_half = _ramp(envelope[: middle + 1][::-1] / amplitude, n_smooth)
    fall, fall_half = _ramp(envelope[middle:] / amplitude, n_smooth)
    onset, offset = middle - rise - rise_half, middle + fall + fall_half
    area = offset - onset - (4 / 3) * (rise_half + fall_half)
    return onset, offset, area, amplitude, float(np.std(plateau)) / max(amplitude, 1e-12)


def _ramp(outwards: np.ndarray, n_smooth: int) -> tuple[float, float]:
    """Where an envelope (1 on the plateau) has fallen to a half on the way out, and half the
    length of its linear ramp, freed from the smoothing: a step through a Hann kernel takes 0.265
    of its length from three quarters to a quarter."""
    half = _first_below(outwards, 0, 0.5)
    before = np.flatnonzero(outwards[: int(half) + 1] >= 0.75)
    above = int(before[-1]) if len(before) else 0
    width = _first_below(outwards, int(half), 0.25) - _first_below(outwards, above, 0.75)
    ramp_half = math.sqrt(max(0.0, width**2 - (0.265 * n_smooth) ** 2))
    return half, min(ramp_half, half)


def _first_below(x: np.ndarray, start: int, level: float) -> float:
    """First position from `start` where x falls below `level`, between samples; the end where it
    never does."""
    below = np.flatnonzero(x[start:] < level)
    if len(below) == 0:
        return float(len(x))
    i = start + int(below[0])
    if i == 0:
        return 0.0
    return i - float((level - x[i]) / (x[i - 1] - x[i])) if x[i - 1] > x[i] else float(i)


def _merged(sounds: list[Sound]) -> list[Sound]:
    """Fluttering sounds that overlap become one; so do partials of one harmonic series."""
    noisy = sorted((e for e in sounds if e.flutter > FLUTTER), key=lambda e: e.onset_s)
    tones = sorted((e for e in sounds if e.flutter <= FLUTTER), key=lambda e: e.f_hz)
    merged: list[Sound] = []
    for event in noisy:
        if merged and event.onset_s < merged[-1].offset_s + MERGE_S:
            merged[-1] = _joined([merged[-1], event])
        else:
            merged.append(event)
    while tones:
        series = _series(tones)
        tones = [e for e in tones if not any(e is s for s in series)]
        merged.append(_joined(series) if len(series) > 1 else series[0])
    return merged


def _series(tones: list[Sound]) -> list[Sound]:
    """The lowest tone with those that begin and end with it on 2, 3, ... times its frequency."""
    series = [tones[0]]
    for event in tones[1:]:
        together = (
            abs(event.onset_s - tones[0].onset_s) < MERGE_S
            and abs(event.offset_s - tones[0].offset_s) < MERGE_S
        )
        wanted_hz = (len(series) + 1) * tones[0].f_hz
        if together and abs(event.f_hz / wanted_hz - 1) < HARMONIC_TOLERANCE:
            series.append(event)
    return series


def _joined(events: list[Sound]) -> Sound:
    """Several ridges as one event: their powers add; the loudest gives a fluttering sound's
    frequency, the lowest a series'."""
    noisy = max(e.flutter for e in events) > FLUTTER
    named = max(events, key=lambda e: e.amplitude) if noisy else events[0]
    return replace(
        named,
        onset_s=min(e.onset_s for e in events),
        offset_s=max(e.offset_s for e in events),
        amplitude=math.sqrt(sum(e.amplitude**2 for e in events)),
        energy=sum(e.energy for e in events),
        flutter=max(e.flutter for e in events),
    )
