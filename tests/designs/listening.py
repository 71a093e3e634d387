"""Measuring by other means than the program's own: samples that are not zero, spectral peaks by
numpy and scipy. Shared by the tests of designs."""

from __future__ import annotations

import numpy as np
import scipy.signal

FS = 16_000


def runs(wave: np.ndarray) -> list[tuple[int, int]]:
    """First sample and one past the last of each stretch that is not silent; single zeros within a
    sound are part of it."""
    loud = np.flatnonzero(wave)
    breaks = np.flatnonzero(np.diff(loud) > 8)
    starts = [loud[0], *loud[breaks + 1]]
    stops = [*loud[breaks], loud[-1]]
    return [(int(a), int(b) + 1) for a, b in zip(starts, stops, strict=True)]


def peak_hz(segment: np.ndarray) -> float:
    """Frequency of the strongest component, by a zero-padded FFT and a parabola."""
    n = 1 << 17
    spectrum = np.abs(np.fft.rfft(segment * np.hanning(len(segment)), n))
    k = int(np.argmax(spectrum))
    a, b, c = np.log(spectrum[k - 1 : k + 2] + 1e-30)
    return float((k + 0.5 * (a - c) / (a - 2 * b + c)) * FS / n)


def peaks_hz(segment: np.ndarray, below_db: float = 30.0) -> np.ndarray:
    """Frequencies of all components no more than `below_db` under the strongest."""
    n = 1 << 16
    window = scipy.signal.windows.blackmanharris(len(segment))
    level = 20 * np.log10(np.abs(np.fft.rfft(segment * window, n)) + 1e-12)
    found, _ = scipy.signal.find_peaks(level, height=level.max() - below_db)
    return found * FS / n


def level_dbfs(segment: np.ndarray) -> float:
    """Level of the sine with the same RMS, dB re full scale."""
    return float(10 * np.log10(2 * np.mean(segment.astype(np.float64) ** 2)))
