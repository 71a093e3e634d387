"""Plain DSP: the floor that a few lines of signal processing set, one rule per task.

*Conventions*: a rule knows the waveform, float32 [T] at 16 kHz, and nothing else: no onset,
frequency, level or noise. It gives log-probabilities over the task's answers up to a constant,
[A]; a task without a rule has no DSP floor and is refused.

- Detecting and counting look at each frame's loudness over the noise: the largest power over
  frequency, against the median of all frames; a rise above a fixed threshold is an event (Bello et
  al. 2005, IEEE Trans. Speech Audio Process. 13:1035, review of onset detection).
- A gap or a modulation shows in the power of the sound, two sounds are compared as bursts, both as
  `spectcount.measure.power` has them; where there are not two bursts, both answers are even.
- Order and jitter trust the onsets that `spectcount.measure` gives, so they hear tones only, and
  those that are clear of the noise; rests do not count as uneven.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from scipy.signal import find_peaks

from spectcount.errors import UserError
from spectcount.listeners.observers.observer import Observer
from spectcount.measure import measure, power
from spectcount.spectrogram import stft_db
from spectcount.tasks import COUNTS, steps_less_rests_s
from spectcount.trials import Question

VERSION = 1
THRESHOLD_DB = 15.0
"""Over the median cell. The loudest cell of 4 s of white noise lies 11.7 to 14.2 dB over it (200
seeds)."""
BELOW_LOUDEST_DB = 25.0
DIP_DB = 9.0
"""Two peaks are two events when the level between them falls by this much."""
DB_PER_LOG_ODDS = 1.0
LOG_ODDS_PER_COUNT = 3.0

STANDS_OUT_DB = 7.0
"""By how much a gap is deeper than the sound's next dip. Without a gap that is at most 1.1 dB in
white noise and 8.4 dB in bands of noise (25 seeds each)."""
MARGIN = 5.0
"""How far a line lies over what the highest of so many bins of noise is expected to reach."""
SHALLOWEST_DB = -46.0
"""Depth, 20 log10 m, below which a peak may be rounding."""

CENTS_PER_LOG_ODDS = 10.0
LEVEL_DB_PER_LOG_ODDS = 0.25
PERCENT_PER_LOG_ODDS = 2.0

ORDER_S = 0.001
"""Onset difference worth one unit of log-odds."""
EVEN_S = 0.004
"""Distances that differ by less are taken for even: onsets are measured to about 1 ms."""
JITTER_S = 0.001
TOGETHER_S = 0.008
"""Onsets closer than this are of one moment."""
SKIRT_FRAMES = 8
"""How long a sound lingers in the picture: a window of 32 ms in hops of 5 ms, and a margin."""


def detect(waveform: np.ndarray) -> np.ndarray:
    """Is there an event? How far the loudest moment lies over the threshold, [2]."""
    over = float(excess(waveform).max(initial=0.0)) - THRESHOLD_DB
    return np.array([over / DB_PER_LOG_ODDS, 0.0])


def interval(waveform: np.ndarray) -> np.ndarray:
    """Half that holds the louder moment, [2]."""
    excess_db = excess(waveform)
    half = len(excess_db) // 2
    louder = excess_db[:half].max(initial=0) - excess_db[half:].max(initial=0)
    return np.array([louder / DB_PER_LOG_ODDS, 0.0])


def count(waveform: np.ndarray) -> np.ndarray:
    """Number of bursts of the spectral peak, 0 to 10, [11]."""
    counts = np.array([int(a) for a in COUNTS])
    return -LOG_ODDS_PER_COUNT * np.abs(counts - count_bursts(excess(waveform)))


def excess(waveform: np.ndarray) -> np.ndarray:
    """Loudest cell of each frame over the median cell of the clip, dB [frames]; the lowest and
    highest bin, real-valued and so more variable, are left out."""
    values = stft_db(waveform).values[1:-1]
    return values.max(axis=0) - float(np.median(values))


def count_bursts(excess_db: np.ndarray) -> int:
    """Peaks over the threshold, no more than BELOW_LOUDEST_DB under the loudest and DIP_DB over
    the valleys between them."""
    floor = max(THRESHOLD_DB, float(excess_db.max(initial=0.0)) - BELOW_LOUDEST_DB)
    padded = np.pad(np.maximum(excess_db, floor - DIP_DB), 1, constant_values=floor - DIP_DB)
    peaks, _ = find_peaks(padded, height=floor, prominence=DIP_DB)
    return len(peaks)


def gap(waveform: np.ndarray) -> np.ndarray:
    """Is one dip of the short-term level much deeper than all others? [2]"""
    deepest_db, next_db = power.dips_db(waveform)[:2]
    return np.array([(deepest_db - next_db - STANDS_OUT_DB) / DB_PER_LOG_ODDS, 0.0])


def modulated(waveform: np.ndarray) -> np.ndarray:
    """Does a line stand out of the spectrum of the envelope, deep enough? [2]"""
    over, depth_db = power.envelope_lines(waveform)
    evidence = np.minimum(over - MARGIN, (depth_db - SHALLOWEST_DB) / DB_PER_LOG_ODDS)
    return np.array([float(evidence.max()) if len(evidence) else -MARGIN, 0.0])


def higher(waveform: np.ndarray) -> np.ndarray:
    """Spectral peak of the first burst over that of the second, [2]."""
    wave = np.asarray(waveform, float)
    return _compared(
        waveform, lambda _, burst: 1200 * np.log2(power.peak_hz(wave[burst])), CENTS_PER_LOG_ODDS
    )


def louder(waveform: np.ndarray) -> np.ndarray:
    """RMS of the first burst over that of the second, [2]."""
    return _compared(
        waveform, lambda square, burst: 10 * np.log10(np.mean(square[burst])), LEVEL_DB_PER_LOG_ODDS
    )


def longer(waveform: np.ndarray) -> np.ndarray:
    """Length of the first burst over that of the second, at half the height of the median envelope
    of each, [2]."""
    return _compared(
        waveform,
        lambda square, burst: 100 * np.log(power.half_height_s(square, burst)),
        PERCENT_PER_LOG_ODDS,
    )


def order(waveform: np.ndarray) -> np.ndarray:
    """Does the highest or the lowest tone begin first? [2]; even where there is one or none."""
    tones = measure(waveform)
    if tones.n_events < 2:
        return np.zeros(2)
    low, high = int(np.argmin(tones.frequencies_hz)), int(np.argmax(tones.frequencies_hz))
    high_leads_s = tones.onsets_s[low] - tones.onsets_s[high]
    return np.array([high_leads_s / ORDER_S, 0.0])


def jitter(waveform: np.ndarray) -> np.ndarray:
    """Do the distances between onsets, rests aside, spread by more than the measurement does?
    [2]"""
    onsets_s = _moments_s(measure(waveform).onsets_s)
    spread_s = 0.0
    if len(onsets_s) >= 3:
        steps_s = steps_less_rests_s(onsets_s)
        spread_s = max(steps_s) - min(steps_s)
    return np.array([(spread_s - EVEN_S) / JITTER_S, 0.0])


def cue(waveform: np.ndarray) -> np.ndarray:
    """Is the frequency of the first sound heard again? Its level over the noise in the median later
    frame that holds any sound, against a fixed threshold, [2]."""
    excess_db = stft_db(waveform).values
    excess_db = excess_db - np.median(excess_db)
    sounding = np.flatnonzero(excess_db.max(axis=0) > THRESHOLD_DB)
    again_db = 0.0
    if len(sounding):
        ends = np.flatnonzero(np.diff(sounding) > 1)
        last = int(sounding[ends[0]] if len(ends) else sounding[-1])
        first = excess_db[:, sounding[0] : last + 1]
        place = int(np.argmax(np.mean(10 ** (first / 10), axis=1)))
        later = sounding[sounding > last + SKIRT_FRAMES]
        around = excess_db[max(place - 1, 0) : place + 2]
        again_db = float(np.median(around[:, later].max(axis=0))) if len(later) else 0.0
    return np.array([(again_db - THRESHOLD_DB) / DB_PER_LOG_ODDS, 0.0])


FLOORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    rule.__name__: rule
    for rule in (
        detect,
        count,
        interval,
        gap,
        modulated,
        higher,
        louder,
        longer,
        order,
        jitter,
        cue,
    )
}
"""Task -> rule. A new task registers its own here."""


class DspCounter(Observer):
    """Answers every task that has a rule in `FLOORS`."""

    name = "dsp"

    @property
    def fingerprint(self) -> str:
        return f"dsp-{VERSION}"

    def log_odds(self, question: Question) -> np.ndarray:
        """Log-probabilities up to a constant [A]; raises `UserError` for a task without a rule."""
        rule = FLOORS.get(question.task_name)
        if rule is None:
            raise UserError(
                f"the DSP floor has no rule for the task {question.task_name!r}; ask it about one "
                f"of {', '.join(FLOORS)}, or ask another listener"
            )
        return rule(question.audio())


def _compared(
    waveform: np.ndarray, value: Callable[[np.ndarray, slice], float], per_log_odds: float
) -> np.ndarray:
    """By how much the first burst's value lies over the second's, in log-odds, [2]. `value` takes
    the power [T] and the burst."""
    square = power.instantaneous_power(waveform)
    bursts = power.bursts(square)
    if len(bursts) < 2:
        return np.zeros(2)
    first, second = (float(value(square, burst)) for burst in bursts)
    return np.array([(first - second) / per_log_odds, 0.0])


def _moments_s(onsets_s: tuple[float, ...]) -> list[float]:
    """Onsets, those that follow another at once left out."""
    moments = list(onsets_s[:1])
    for before_s, onset_s in itertools.pairwise(onsets_s):
        if onset_s - before_s > TOGETHER_S:
            moments.append(onset_s)
    return moments
