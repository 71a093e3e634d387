"""Checks of several sounds: asynchrony, evenness and lateness of tones; delay and levels of masker
and probe; tones that leave a protected band alone.

*Conventions*: as in `spectcount.measure.stretches`. Onsets of tones are those that
`spectcount.measure.waveform` measures without knowing the stimulus. Times of masker and probe are
read where the envelope passes half its plateau, and brought to the feet of the ramps by half the
declared ramps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft
import scipy.signal

from spectcount.measure.power import demodulated, hann_kernel
from spectcount.measure.ridges import noise_sigma, short_time_power
from spectcount.measure.stretches import Row, number_row
from spectcount.measure.waveform import Measured, measure
from spectcount.scales import amplitude_to_db, db_to_amplitude, erb_number
from spectcount.stimulus import Event, Stimulus

ASYNCHRONY_MS = 2.0
JITTER_PERCENT = 1.0
LATE_MS = 2.0
COMMON_S = 1e-6
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


def asynchrony_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
    """Two events that end together: how much earlier the higher one begins (negative: later), and
    how far apart the two ends are."""
    events = stimulus.events
    if stimulus.background or len(events) != 2 or _hz(events[0]) == _hz(events[1]):
        return []
    if abs(events[0].offset_s - events[1].offset_s) > COMMON_S:
        return []
    measured = measure(waveform, stimulus.sample_rate)
    declared = _leads_ms([e.frequency_hz for e in events], [e.onset_s for e in events])
    leads = ends = None
    if _agrees(stimulus, measured):
        leads = _leads_ms(measured.frequencies_hz, measured.onsets_s)
        ends = 1000 * abs(measured.offsets_s[0] - measured.offsets_s[1])
    return [
        number_row("High tone leads by", declared, leads, "ms", ASYNCHRONY_MS),
        number_row("Ends apart", 0.0, ends, "ms", ASYNCHRONY_MS),
    ]


def interval_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
    """Three or more events of one frequency: mean of the intervals between onsets, and their
    standard deviation over it."""
    events = stimulus.events
    if stimulus.background or len(events) < 3 or len(set(map(_hz, events))) > 1:
        return []
    measured = measure(waveform, stimulus.sample_rate)
    declared = _mean_and_cv([e.onset_s for e in events])
    mean_ms, cv = _mean_and_cv(measured.onsets_s) if _agrees(stimulus, measured) else (None, None)
    return [
        number_row("Mean interval", declared[0], mean_ms, "ms", ASYNCHRONY_MS),
        number_row("Jitter of intervals", declared[1], cv, "%", JITTER_PERCENT),
    ]


def lateness_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
    """Two frequencies in alternation: by how much the higher tones come after the middle between
    the lower ones around them, on average."""
    events = stimulus.events
    if stimulus.background or len(events) < 3 or len(set(map(_hz, events))) != 2:
        return []
    declared = _late_ms([e.frequency_hz for e in events], [e.onset_s for e in events])
    if declared is None:
        return []
    measured = measure(waveform, stimulus.sample_rate)
    agrees = _agrees(stimulus, measured)
    late_ms = _late_ms(measured.frequencies_hz, measured.onsets_s) if agrees else None
    return [number_row("High tones late by", declared, late_ms, "ms", LATE_MS)]


def _hz(event: Event) -> float:
    return event.frequency_hz


def _agrees(stimulus: Stimulus, measured: Measured) -> bool:
    return measured.resolved and measured.n_events == len(stimulus.events)


def _leads_ms(hz: Sequence[float], onsets_s: Sequence[float]) -> float:
    low, high = int(np.argmin(hz)), int(np.argmax(hz))
    return 1000 * (onsets_s[low] - onsets_s[high])


def _mean_and_cv(onsets_s: Sequence[float]) -> tuple[float, float]:
    """Mean interval, ms, and the coefficient of variation, %."""
    steps_s = np.diff(onsets_s)
    return 1000 * float(steps_s.mean()), 100 * float(steps_s.std() / steps_s.mean())


def _late_ms(hz: Sequence[float], onsets_s: Sequence[float]) -> float | None:
    """Mean of the higher tones' distances from the middle of their lower neighbours; None where no
    higher tone lies between two lower ones."""
    middle_hz = (min(hz) + max(hz)) / 2
    high = [f > middle_hz for f in hz]
    late = [
        onsets_s[k] - (onsets_s[k - 1] + onsets_s[k + 1]) / 2
        for k in range(1, len(hz) - 1)
        if high[k] and not high[k - 1] and not high[k + 1]
    ]
    return 1000 * float(np.mean(late)) if late else None


def probe_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
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


def protected_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
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
    in_bursts = [_components_hz(wave, s, s + length_s, fs, BELOW_DB) for s in starts_s]
    apart = [np.abs(erb_number(hz) - erb_number(cue_hz)) for hz in in_bursts]
    others = np.concatenate([a[a > SAME_CAM] for a in apart])
    n_with_cue = sum(bool(np.any(a <= SAME_CAM)) for a in apart)
    measured = float(others.min()) if len(others) else None
    quiet = any(e.level_dbfs < maskers[0].level_dbfs - 0.8 * BELOW_DB for e in stimulus.events)
    return [
        number_row("Nearest masker to the cue", nearest, measured, "Cam", CAM),
        number_row(
            "Bursts with the cue's tone",
            len(stimulus.events),
            None if quiet else n_with_cue,
            "",
            0.0,
        ),
    ]


def _masker_rms(wave: np.ndarray, masker: Event, sigma: float, fs: int) -> float:
    """RMS of the masker over its plateau, the noise taken off."""
    start = round((masker.onset_s + masker.attack_ms / 1000) * fs)
    stop = round((masker.offset_s - masker.release_ms / 1000) * fs)
    power = float(np.mean(wave[start : max(stop, start + 1)] ** 2)) - sigma**2
    return float(np.sqrt(max(power, 1e-20)))


def _masker_end(wave: np.ndarray, masker: Event, probe: Event, rms: float, fs: int) -> float | None:
    """Last sample, before the probe, at which 2 ms of the masker have half its RMS."""
    power = scipy.signal.fftconvolve(wave**2, hann_kernel(KERNEL // 2), mode="same")
    middle = round((masker.onset_s + masker.duration_s / 2) * fs)
    loud = np.flatnonzero(power[middle : round(probe.onset_s * fs)] > (rms / 2) ** 2)
    return float(middle + loud[-1] + 0.5) if len(loud) else None


def _probe(
    wave: np.ndarray, probe: Event, sigma: float, fs: int
) -> tuple[float | None, float | None]:
    """Sample at which the probe's envelope passes half its plateau, and the plateau; None where
    the noise would cover the declared probe, the onset also where none is there or the masker
    reaches up to it."""
    kernel = hann_kernel(KERNEL)
    envelope = demodulated(wave, probe.frequency_hz * np.arange(len(wave)) / fs, kernel)
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


def _level_row(name: str, event: Event, amplitude: float | None) -> Row:
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
