"""Checks of maskers: delay and levels of masker and probe, tones kept out of a protected band.

*Conventions*: as in `spectcount.measure.sequences`. Times are read where the envelope passes half
its plateau, and brought to the feet of the ramps by half the declared ramps. Where to look is taken
from the stimulus, what is there from the waveform alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
import scipy.signal

from spectcount.measure.ridges import noise_sigma, short_time_power
from spectcount.measure.sequences import number_row
from spectcount.scales import amplitude_to_db, db_to_amplitude, erb_number
from spectcount.stimulus import Event, Stimulus

DELAY_MS = 3.0
LEVEL_DB = 1.0
CAM = 0.12
SAME_CAM = 0.2
"""Components closer than this to the cue's frequency are the target."""
BELOW_DB = 30.0
"""Components softer than the loudest of a burst by more than this are its window's skirts."""
SHORTEST_BURST_S = 0.05
KERNEL = 64
CLEAR = 4.0
"""How many times the noise a probe must be in its own band for its envelope to be read."""


def probe_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[dict[str, Any]]:
    """One masker and one tone that begins when it is over: the delay and both levels."""
    if len(stimulus.background) != 1 or len(stimulus.events) != 1:
        return []
    masker, probe = stimulus.background[0], stimulus.events[0]
    if probe.onset_s < masker.offset_s - 1e-6 or probe.wave != "sine":
        return []
    wave = np.asarray(waveform, np.float64)
    sigma = noise_sigma(short_time_power(np.asarray(waveform, np.float32)))
    masker_rms = _masker_rms(wave, masker, sigma, stimulus.sample_rate)
    masker_end = _masker_end(wave, masker, probe, masker_rms, stimulus.sample_rate)
    onset, amplitude = _probe(wave, probe, sigma, stimulus.sample_rate)
    delay_ms = None
    if onset is not None and masker_end is not None:
        ramps_ms = (masker.release_ms + probe.attack_ms) / 2
        delay_ms = 1000 * (onset - masker_end) / stimulus.sample_rate - ramps_ms
    declared_ms = 1000 * (probe.onset_s - masker.offset_s)
    return [
        number_row("Masker to probe", declared_ms, delay_ms, "ms", DELAY_MS),
        _level_row("Masker level", masker, masker_rms * np.sqrt(2)),
        _level_row("Probe level", probe, amplitude),
    ]


def protected_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[dict[str, Any]]:
    """A cue, then bursts of tones: the distance of the nearest tone from the cue's frequency, and
    in how many bursts that frequency itself sounds."""
    cue, *maskers = stimulus.background or (None,)
    if cue is None or not maskers or any(e.wave != "sine" for e in stimulus.sounds):
        return []
    starts_s = sorted({e.onset_s for e in maskers})
    if starts_s[0] < cue.offset_s or not {e.onset_s for e in stimulus.events} <= set(starts_s):
        return []
    nearest = min(_apart_cam(e.frequency_hz, cue.frequency_hz) for e in maskers)
    if nearest < 2 * SAME_CAM or maskers[0].duration_s < SHORTEST_BURST_S:
        return []
    wave, fs = np.asarray(waveform, np.float64), stimulus.sample_rate
    cue_hz = _components_hz(wave, cue.onset_s, cue.offset_s, fs, 1.0)[0]
    length_s = maskers[0].duration_s
    found = [_components_hz(wave, s, s + length_s, fs, BELOW_DB) for s in starts_s]
    apart = [np.abs(erb_number(hz) - erb_number(cue_hz)) for hz in found]
    others = np.concatenate([a[a > SAME_CAM] for a in apart])
    n_found = sum(bool(np.any(a <= SAME_CAM)) for a in apart)
    measured = float(others.min()) if len(others) else None
    quiet = any(e.level_dbfs < maskers[0].level_dbfs - 0.8 * BELOW_DB for e in stimulus.events)
    return [
        number_row("Nearest masker to the cue", nearest, measured, "Cam", CAM),
        number_row("Bursts with the cue's tone", len(stimulus.events), None if quiet else n_found,
                   "", 0.0),
    ]  # fmt: skip


def _masker_rms(wave: np.ndarray, masker: Event, sigma: float, fs: int) -> float:
    """RMS of the masker over its plateau, the noise taken off."""
    start = round((masker.onset_s + masker.attack_ms / 1000) * fs)
    stop = round((masker.offset_s - masker.release_ms / 1000) * fs)
    power = float(np.mean(wave[start : max(stop, start + 1)] ** 2)) - sigma**2
    return float(np.sqrt(max(power, 1e-20)))


def _masker_end(wave: np.ndarray, masker: Event, probe: Event, rms: float, fs: int) -> float | None:
    """Last sample, before the probe, at which 2 ms of the masker have half its RMS."""
    kernel = np.hanning(KERNEL // 2 + 2)[1:-1]
    power = scipy.signal.fftconvolve(wave**2, kernel / kernel.sum(), mode="same")
    middle = round((masker.onset_s + masker.duration_s / 2) * fs)
    loud = np.flatnonzero(power[middle : round(probe.onset_s * fs)] > (rms / 2) ** 2)
    return float(middle + loud[-1] + 0.5) if len(loud) else None


def _probe(
    wave: np.ndarray, probe: Event, sigma: float, fs: int
) -> tuple[float | None, float | None]:
    """Sample at which the probe's envelope passes half its plateau, and the plateau; None where
    the noise would cover the declared probe, the onset also where none is there or the masker
    reaches up to it."""
    kernel = np.hanning(KERNEL + 2)[1:-1]
    kernel /= kernel.sum()
    cycles = probe.frequency_hz * np.arange(len(wave)) / fs
    mixed = wave * np.exp(-2j * np.pi * cycles)
    envelope = 2 * np.abs(scipy.signal.fftconvolve(mixed, kernel, mode="same"))
    middle = round((probe.onset_s + probe.duration_s / 2) * fs)
    plateau, declared = float(envelope[middle]), float(db_to_amplitude(probe.level_dbfs))
    if declared < CLEAR * 2 * sigma * float(np.sqrt(np.sum(kernel**2))):
        return None, None
    if plateau < declared / 4:
        return None, plateau
    first = round((probe.onset_s - probe.duration_s) * fs)
    below = np.flatnonzero(envelope[max(first, 0) : middle] < plateau / 2)
    onset = float(max(first, 0) + below[-1] + 0.5) if len(below) else None
    return onset, plateau


def _level_row(name: str, event: Event, amplitude: float | None) -> dict[str, Any]:
    measured = None if amplitude is None else float(amplitude_to_db(amplitude))
    return number_row(name, event.level_dbfs, measured, "dBFS", LEVEL_DB)


def _apart_cam(a_hz: float, b_hz: float) -> float:
    return float(abs(erb_number(a_hz) - erb_number(b_hz)))


def _components_hz(
    wave: np.ndarray, start_s: float, stop_s: float, fs: int, below_db: float
) -> np.ndarray:
    """Frequencies of the spectral peaks of a stretch, loudest first, down to `below_db` under the
    loudest."""
    part = wave[round(start_s * fs) : round(stop_s * fs)]
    n = 8 * scipy.fft.next_fast_len(len(part))
    window = scipy.signal.windows.blackmanharris(len(part))
    level_db = amplitude_to_db(np.abs(np.fft.rfft(part * window, n)) + 1e-15)
    peaks, _ = scipy.signal.find_peaks(level_db, height=level_db.max() - below_db)
    return peaks[np.argsort(level_db[peaks])[::-1]] * fs / n
