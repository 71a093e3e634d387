"""Plain DSP on two bursts: the rules for higher, louder and longer.

*Conventions*: as in `observers.dsp`: a rule knows the waveform, float32 [T] at 16 kHz,
and nothing else, and gives log-probabilities over the task's answers up to a constant, [A]. The
two bursts are the two stretches with most energy whose level lies over the middle between that of
the loudest moment and that of the quietest tenth of the clip, in dB; where there are not two,
both answers are even.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import find_objects, label

from spectcount.listeners.observers.dsp_envelopes import FLOOR_POWER, instantaneous_power, smooth
from spectcount.scales import SAMPLE_RATE

COARSE_MS = 15.0
FINE_MS = 3.0
MARGIN_MS = 15.0
CENTS_PER_LOG_ODDS = 10.0
LEVEL_DB_PER_LOG_ODDS = 0.25
PERCENT_PER_LOG_ODDS = 2.0
LEAST_DB = 6.0
"""A clip whose loudest moment is less than this over its quietest tenth holds no bursts."""
N_FFT = 1 << 16
"""Padded length of a burst's spectrum: a bin of 0.24 Hz."""


def higher(waveform: np.ndarray) -> np.ndarray:
    """Which burst's spectral peak is higher, [2]."""
    return _compared(
        waveform, lambda wave, power, burst: 1200 * np.log2(peak_hz(wave[burst])),
        CENTS_PER_LOG_ODDS,
    )  # fmt: skip


def louder(waveform: np.ndarray) -> np.ndarray:
    """Which burst has the higher RMS, [2]."""
    return _compared(
        waveform, lambda wave, power, burst: 10 * np.log10(np.mean(power[burst])),
        LEVEL_DB_PER_LOG_ODDS,
    )  # fmt: skip


def longer(waveform: np.ndarray) -> np.ndarray:
    """Which burst is longer at half the height of its median envelope, [2]."""
    return _compared(
        waveform, lambda wave, power, burst: 100 * np.log(half_height_s(power, burst)),
        PERCENT_PER_LOG_ODDS,
    )  # fmt: skip


def bursts(power: np.ndarray) -> list[slice]:
    """The two loudest stretches in the order of time; fewer where there are not two."""
    level_db = 10 * np.log10(smooth(power, COARSE_MS))
    quiet_db, loud_db = float(np.quantile(level_db, 0.1)), float(level_db.max())
    if loud_db - quiet_db < LEAST_DB:
        return []
    runs = [run for (run,) in find_objects(label(level_db > (quiet_db + loud_db) / 2)[0])]
    strongest = sorted(runs, key=lambda run: -float(power[run].sum()))[:2]
    return sorted(strongest, key=lambda run: run.start)


def peak_hz(burst: np.ndarray) -> float:
    """Frequency of the spectral peak, between bins by a parabola through the levels, Hz."""
    spectrum = np.abs(np.fft.rfft(burst * np.hanning(len(burst)), N_FFT))
    k = int(np.clip(np.argmax(spectrum), 1, len(spectrum) - 2))
    left, middle, right = np.log(spectrum[k - 1 : k + 2] + FLOOR_POWER)
    bend = left - 2 * middle + right
    return (k + float((left - right) / (2 * bend) if bend else 0.0)) * SAMPLE_RATE / N_FFT


def half_height_s(power: np.ndarray, burst: slice) -> float:
    """Length between the outermost moments at a quarter of the median power, s."""
    margin = round(MARGIN_MS * SAMPLE_RATE / 1000)
    around = smooth(power, FINE_MS)[max(burst.start - margin, 0) : burst.stop + margin]
    above = np.flatnonzero(around > np.median(power[burst]) / 4)
    return float(above[-1] - above[0] + 1) / SAMPLE_RATE if len(above) else 1 / SAMPLE_RATE


def _compared(
    waveform: np.ndarray,
    value: Callable[[np.ndarray, np.ndarray, slice], float],
    per_log_odds: float,
) -> np.ndarray:
    """By how much the first burst's value lies over the second's, in log-odds, [2]."""
    power = instantaneous_power(waveform)
    two = bursts(power)
    if len(two) < 2:
        return np.zeros(2)
    first, second = (float(value(np.asarray(waveform, float), power, burst)) for burst in two)
    return np.array([(first - second) / per_log_odds, 0.0])
