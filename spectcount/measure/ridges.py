"""Ridges of a short-time spectrum: where in time and frequency something sounds.

*Conventions*: power [frames, bins], frame i centred on sample i * HOP of the waveform; a Hann
window of N_FFT samples (16 ms at 16 kHz).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

N_FFT = 256
HOP = 32
SEED_DB = 13.0
"""How far over the noise a ridge's loudest point must be."""
DROP = 0.1
"""A ridge ends where its power has dropped to this share."""
DYNAMIC_RANGE = 10 ** (-26 / 10)
"""What is softer than this share of an overlapping ridge is its skirt."""
MIN_FRAMES = 5
RIDGE_BINS = 2
SKIRT_FRAMES = 9
EDGE_FRAMES = 4
CLICK = 0.16
"""Share of a ridge's power below which a short neighbour at its edge is its own click."""
STEADY = 1000.0
"""Power over the noise from which a ridge's slope is believed."""
MAX_RIDGES = 64
BLOCK = 128
"""Frames transformed at a time: what fits the processor's cache."""


@dataclass(frozen=True)
class Ridge:
    """Frames [start, stop), the frequency at its two ends and its largest power."""

    start: int
    stop: int
    first_hz: float
    last_hz: float
    power: float

    @property
    def middle_hz(self) -> float:
        return (self.first_hz + self.last_hz) / 2

    def spills(self, other: Ridge) -> bool:
        """True where `other` is no more than the click of this ridge's beginning or end."""
        clicks = any(
            abs(other.start - edge) <= SKIRT_FRAMES + 1
            and abs(other.stop - edge) <= SKIRT_FRAMES + 1
            for edge in (self.start, self.stop)
        )
        return clicks and other.power < self.power * CLICK

    def near(self, other: Ridge) -> bool:
        """True where the two overlap in time, skirts included."""
        return self.start < other.stop + SKIRT_FRAMES and other.start < self.stop + SKIRT_FRAMES


@functools.cache
def window() -> np.ndarray:
    return np.hanning(N_FFT + 1)[:-1].astype(np.float32)


def short_time_power(wave: np.ndarray) -> np.ndarray:
    """Short-time power [frames, bins]; frame i is centred on sample i * HOP."""
    frames = sliding_window_view(np.pad(wave, N_FFT // 2), N_FFT)[::HOP]
    power = np.empty((len(frames), N_FFT // 2 + 1), np.float32)
    for start in range(0, len(frames), BLOCK):
        spectrum = scipy.fft.rfft(frames[start : start + BLOCK] * window(), axis=1)
        power[start : start + BLOCK] = spectrum.real**2 + spectrum.imag**2
    return power


def noise_sigma(power: np.ndarray) -> float:
    """From the quietest fifth of the frames (by their medians over frequency) and all frames like
    them: median over time in each bin, then over bins, so that a band that sounds throughout
    hardly matters. The median of an exponential variable is ln 2 of its mean."""
    inner = power[N_FFT // (2 * HOP) : -N_FFT // (2 * HOP) or None : 4, 4:-4]
    if inner.size == 0:
        return 0.0
    by_frame = np.median(inner, axis=1)
    quiet = inner[by_frame <= 1.6 * np.quantile(by_frame, 0.2)]
    typical = float(np.median(np.median(quiet, axis=0)))
    return math.sqrt(typical / math.log(2) / float(np.sum(window() ** 2)))


def find_ridges(power: np.ndarray, noise_power: float, sample_rate: int) -> list[Ridge]:
    """Ridges, loudest first; each clears its own surroundings and its skirt."""
    left = np.zeros_like(power)
    inner = power[:, 1:-1]
    seed_power = noise_power * 10 ** (SEED_DB / 10)
    crest = (inner >= seed_power) & (inner >= power[:, :-2]) & (inner >= power[:, 2:])
    np.copyto(left[:, 1:-1], inner, where=crest)
    frame_max = left.max(axis=1)
    ridges: list[Ridge] = []
    for _ in range(16 * MAX_RIDGES):
        frame = int(np.argmax(frame_max))
        if frame_max[frame] < seed_power or len(ridges) >= MAX_RIDGES:
            break
        peak_bin = int(np.argmax(left[frame]))
        ridge, low, high = _follow(power, frame, peak_bin, noise_power, sample_rate)
        if ridge.stop - ridge.start >= MIN_FRAMES and not any(r.spills(ridge) for r in ridges):
            ridges.append(ridge)
        start, stop = max(0, ridge.start - SKIRT_FRAMES), ridge.stop + SKIRT_FRAMES
        around = left[start:stop]
        around[around < ridge.power * DYNAMIC_RANGE] = 0
        left[max(0, ridge.start - 4) : ridge.stop + 4, max(0, low - 2) : high + 3] = 0
        left[frame, peak_bin] = 0
        frame_max[start:stop] = around.max(axis=1)
    return ridges


def _follow(
    power: np.ndarray, frame: int, peak_bin: int, noise_power: float, sample_rate: int
) -> tuple[Ridge, int, int]:
    """The ridge through a loudest point, with the lowest and highest bin that it covers."""
    peak = float(power[frame, peak_bin])
    limit = max(peak * DROP, 4 * noise_power)
    along = _band(power, peak_bin, RIDGE_BINS).max(axis=1)
    below = np.flatnonzero(along < limit)
    k = int(np.searchsorted(below, frame))
    start = int(below[k - 1]) + 1 if k > 0 else 0
    stop = int(below[k]) if k < len(below) else len(along)
    wide = _band(power, peak_bin, 2 * RIDGE_BINS)
    goes_on = [wide[max(0, start - 1)].max(), wide[min(stop, len(wide) - 1)].max()]
    if (start > 0 and goes_on[0] >= limit) or (stop < len(wide) and goes_on[1] >= limit):
        frames, bins = _path(power, frame, peak_bin, limit)
    else:
        low = max(0, peak_bin - RIDGE_BINS)
        frames = np.arange(start, stop)
        bins = low + power[start:stop, low : peak_bin + RIDGE_BINS + 1].argmax(axis=1)
    hz = _straight_line_hz(power, frames, bins, peak > STEADY * noise_power, sample_rate)
    ridge = Ridge(int(frames[0]), int(frames[-1]) + 1, *hz, peak)
    return ridge, int(bins.min()), int(bins.max())


def _path(power: np.ndarray, frame: int, bin_: int, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Frames and bins of a glide through a point."""
    before = _track(power, frame, bin_, -1, limit)[::-1]
    path = [*before, (frame, bin_), *_track(power, frame, bin_, +1, limit)]
    frames, bins = np.array(path).T
    return frames, bins


def _straight_line_hz(
    power: np.ndarray, frames: np.ndarray, bins: np.ndarray, clear: bool, sample_rate: int
) -> tuple[float, float]:
    """Frequency at both ends of a ridge: a straight line through its inner points, level unless
    it is clear of the noise and climbs by more than half a bin."""
    edge = EDGE_FRAMES if len(frames) > 4 * EDGE_FRAMES else 0
    inner = slice(edge, len(frames) - edge)
    exact = between_bins(power, frames[inner], bins[inner])
    steady = float(np.median(exact))
    first, last = steady, steady
    if clear and edge:
        slope, middle = np.polyfit(frames[inner] - frames[0], exact, 1)
        if abs(slope) * len(frames) > 0.5:
            first, last = float(middle), float(middle + slope * len(frames))
    return first * sample_rate / N_FFT, last * sample_rate / N_FFT


def _band(power: np.ndarray, middle: int, half: int) -> np.ndarray:
    return power[:, max(0, middle - half) : middle + half + 1]


def _track(
    power: np.ndarray, frame: int, bin_: int, step: int, limit: float
) -> list[tuple[int, int]]:
    """Frame by frame along a glide, exclusive of its start, until it drops below `limit`."""
    path = []
    while 0 <= (frame := frame + step) < len(power):
        low = max(0, bin_ - 1)
        bin_ = low + int(power[frame, low : bin_ + 2].argmax())
        if power[frame, bin_] < limit:
            break
        path.append((frame, bin_))
    return path


def between_bins(power: np.ndarray, frames: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Peak between bins: vertex of the parabola through three log powers."""
    inner = np.clip(bins, 1, power.shape[1] - 2)
    below, at, above = (np.log(power[frames, inner + k] + 1e-30) for k in (-1, 0, 1))
    bend = below - 2 * at + above
    shift = np.where(bend < 0, 0.5 * (below - above) / np.where(bend < 0, bend, -1), 0)
    return inner + np.clip(shift, -0.5, 0.5)
