"""Power and spectrum of a waveform over time: what every analysis starts from.

*Conventions*: a waveform is mono [T]; power is full scale^2, that of the analytic signal where it
is called instantaneous; what sounds is what lies within HALF_DB of the loudest moment, from its
first to its last sample. Nothing here knows how the sound was made. Observers run at SAMPLE_RATE.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import find_objects, label, median_filter
from scipy.signal import find_peaks, hilbert, oaconvolve

from spectcount.scales import SAMPLE_RATE

N_FFT = 1 << 16
"""Padded length of the spectrum of one sound: at 16 kHz a bin of 0.24 Hz."""
FLOOR_POWER = 1e-12
FINE_MS = 3.0
HALF_DB = 6.0
SOUND_MS, BURST_MS = 20.0, 15.0
"""Windows in which a sound, or a burst, is told from the noise."""
MARGIN_MS = 15.0
LEAST_DB = 6.0
"""A clip whose loudest moment is less than this over its quietest tenth holds no bursts."""

HIGHEST_RATE_HZ = 1000.0
TRIM_MS = 30.0
NEIGHBOURS = 81
FEWEST_BINS = 8


def hann_kernel(n: int) -> np.ndarray:
    """Hann window of `n` samples whose sum is 1, for a moving average."""
    kernel = np.hanning(n + 2)[1:-1]
    return kernel / kernel.sum()


def demodulated(wave: np.ndarray, cycles: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Envelope [T] of the component whose phase is `cycles` [T], smoothed by `kernel`."""
    return 2 * np.abs(oaconvolve(wave * np.exp(-2j * np.pi * cycles), kernel, mode="same"))


def instantaneous_power(waveform: np.ndarray) -> np.ndarray:
    """Squared envelope [T]."""
    return np.abs(hilbert(np.asarray(waveform, np.float64))) ** 2


def smoothed(power: np.ndarray, length_ms: float) -> np.ndarray:
    """Moving average under a Hann window of this length, [T], and a floor."""
    kernel = hann_kernel(round(length_ms * SAMPLE_RATE / 1000))
    average = oaconvolve(power, kernel, mode="same")[: len(power)]
    return np.maximum(average, 0.0) + FLOOR_POWER


def peak_hz(part: np.ndarray, sample_rate: int = SAMPLE_RATE) -> float:
    """Frequency of the spectral peak, between bins by a parabola through the levels, Hz."""
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), N_FFT))
    k = int(np.clip(np.argmax(spectrum), 1, len(spectrum) - 2))
    left, middle, right = np.log(spectrum[k - 1 : k + 2] + FLOOR_POWER)
    bend = left - 2 * middle + right
    return (k + float((left - right) / (2 * bend) if bend else 0.0)) * sample_rate / N_FFT


def sounding(power: np.ndarray) -> slice:
    """First to last sample within HALF_DB of the loudest moment."""
    coarse = smoothed(power, SOUND_MS)
    loud = np.flatnonzero(coarse >= coarse.max() * 10 ** (-HALF_DB / 10))
    return slice(int(loud[0]), int(loud[-1]) + 1)


def bursts(power: np.ndarray) -> list[slice]:
    """The two stretches with most energy whose level lies over the middle between the loudest
    moment and the quietest tenth, dB, in the order of time; fewer where there are not two."""
    level_db = 10 * np.log10(smoothed(power, BURST_MS))
    quiet_db, loud_db = float(np.quantile(level_db, 0.1)), float(level_db.max())
    if loud_db - quiet_db < LEAST_DB:
        return []
    runs = [run for (run,) in find_objects(label(level_db > (quiet_db + loud_db) / 2)[0])]
    strongest = sorted(runs, key=lambda run: -float(power[run].sum()))[:2]
    return sorted(strongest, key=lambda run: run.start)


def half_height_s(power: np.ndarray, burst: slice) -> float:
    """Length between the outermost moments at a quarter of the median power, s."""
    margin = round(MARGIN_MS * SAMPLE_RATE / 1000)
    around = smoothed(power, FINE_MS)[max(burst.start - margin, 0) : burst.stop + margin]
    above = np.flatnonzero(around > np.median(power[burst]) / 4)
    return float(above[-1] - above[0] + 1) / SAMPLE_RATE if len(above) else 1 / SAMPLE_RATE


def dips_db(waveform: np.ndarray) -> np.ndarray:
    """Valleys of the short-term level within the sound, dB under its median or under the lower of
    their sides, deepest first, [at least 2]."""
    power = instantaneous_power(waveform)
    level_db = 10 * np.log10(smoothed(power, FINE_MS)[sounding(power)])
    _, dips = find_peaks(-np.minimum(level_db, np.median(level_db)), prominence=0.1)
    return np.sort(np.concatenate([dips["prominences"], [0.0, 0.0]]))[::-1]


def envelope_lines(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lines in the spectrum of the sound's power, up to HIGHEST_RATE_HZ, [bins]: how far each
    lies over its surroundings, in means of a bin of noise and over the highest of so many, and the
    depth that it stands for, 20 log10 m. No bins where the sound is too short."""
    power = instantaneous_power(waveform)
    where, trim = sounding(power), round(TRIM_MS * SAMPLE_RATE / 1000)
    power = power[where.start + trim : where.stop - trim]
    n_bins = int(HIGHEST_RATE_HZ * len(power) / SAMPLE_RATE)
    if n_bins < FEWEST_BINS:
        return np.zeros(0), np.zeros(0)
    window = np.hanning(len(power))
    lines = np.abs(np.fft.rfft((power - power.mean()) * window))[1 : n_bins + 1]
    around = median_filter(lines**2, NEIGHBOURS, mode="mirror") / np.log(2)
    over = lines**2 / np.maximum(around, np.finfo(float).tiny) - np.log(n_bins)
    depth = lines / ((power.mean() + FLOOR_POWER) * window.sum())
    return over, 20 * np.log10(np.maximum(depth, 1e-12))
