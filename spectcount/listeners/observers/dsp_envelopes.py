"""Plain DSP on the envelope of a sound: the rules for gap and modulated.

*Conventions*: as in `observers.dsp`: a rule knows the waveform, float32 [T] at 16 kHz,
and nothing else, and gives log-probabilities over the task's answers up to a constant, [A]. The
power is that of the analytic signal; what sounds is what lies within HALF_DB of the loudest
moment, from its first to its last sample.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import find_peaks, hilbert, oaconvolve

from spectcount.scales import SAMPLE_RATE

COARSE_MS = 20.0
FINE_MS = 3.0
HALF_DB = 6.0
FLOOR_POWER = 1e-12

STANDS_OUT_DB = 7.0
"""By how much a gap is deeper than the sound's next dip. Without a gap that is at most 1.1 dB in
white noise and 8.4 dB in bands of noise (25 seeds each)."""
DB_PER_LOG_ODDS = 1.0

HIGHEST_RATE_HZ = 1000.0
TRIM_MS = 30.0
NEIGHBOURS = 81
FEWEST_BINS = 8
MARGIN = 5.0
"""How far a line lies over what the highest of so many bins of noise is expected to reach."""
SHALLOWEST_DB = -46.0
"""Depth, 20 log10 m, below which a peak may be rounding."""


def gap(waveform: np.ndarray) -> np.ndarray:
    """Whether one dip of the short-term level is much deeper than all others, [2]."""
    deepest_db, next_db = dips_db(waveform)[:2]
    return np.array([(deepest_db - next_db - STANDS_OUT_DB) / DB_PER_LOG_ODDS, 0.0])


def modulated(waveform: np.ndarray) -> np.ndarray:
    """Whether a line stands out of the spectrum of the envelope and is deep enough, [2]."""
    over, depth_db = envelope_lines(waveform)
    evidence = np.minimum(over - MARGIN, (depth_db - SHALLOWEST_DB) / DB_PER_LOG_ODDS)
    return np.array([float(evidence.max()) if len(evidence) else -MARGIN, 0.0])


def dips_db(waveform: np.ndarray) -> np.ndarray:
    """Valleys of the short-term level within the sound, dB under its median or under the lower of
    their sides, deepest first, [at least 2]."""
    power = instantaneous_power(waveform)
    level_db = 10 * np.log10(smooth(power, FINE_MS)[sounding(power)])
    capped = np.minimum(level_db, np.median(level_db))
    _, found = find_peaks(-capped, prominence=0.1)
    return np.sort(np.concatenate([found["prominences"], [0.0, 0.0]]))[::-1]


def envelope_lines(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lines in the spectrum of the sound's power, up to HIGHEST_RATE_HZ, [bins]: how far each
    lies over its surroundings, in means of a bin of noise and over the highest of so many, and the
    depth that it stands for, 20 log10 m. No bins where the sound is too short."""
    power = instantaneous_power(waveform)
    heard, trim = sounding(power), round(TRIM_MS * SAMPLE_RATE / 1000)
    power = power[heard.start + trim : heard.stop - trim]
    n_bins = int(HIGHEST_RATE_HZ * len(power) / SAMPLE_RATE)
    if n_bins < FEWEST_BINS:
        return np.zeros(0), np.zeros(0)
    window = np.hanning(len(power))
    lines = np.abs(np.fft.rfft((power - power.mean()) * window))[1 : n_bins + 1]
    around = median_filter(lines**2, NEIGHBOURS, mode="mirror") / np.log(2)
    over = lines**2 / np.maximum(around, np.finfo(float).tiny) - np.log(n_bins)
    depth = lines / ((power.mean() + FLOOR_POWER) * window.sum())
    return over, 20 * np.log10(np.maximum(depth, 1e-12))


def instantaneous_power(waveform: np.ndarray) -> np.ndarray:
    """Squared envelope [T]."""
    return np.abs(hilbert(np.asarray(waveform, np.float64))) ** 2


def smooth(power: np.ndarray, length_ms: float) -> np.ndarray:
    """Moving average under a Hann window of this length, [T], and a floor."""
    kernel = np.hanning(round(length_ms * SAMPLE_RATE / 1000) + 2)[1:-1]
    average = oaconvolve(power, kernel / kernel.sum(), mode="same")[: len(power)]
    return np.maximum(average, 0.0) + FLOOR_POWER


def sounding(power: np.ndarray) -> slice:
    """First to last sample within HALF_DB of the loudest moment."""
    coarse = smooth(power, COARSE_MS)
    loud = np.flatnonzero(coarse >= coarse.max() * 10 ** (-HALF_DB / 10))
    return slice(int(loud[0]), int(loud[-1]) + 1)
