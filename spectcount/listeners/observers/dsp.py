"""Plain DSP: the floor that a few lines of signal processing set, one rule per task.

*Conventions*: a rule knows the waveform, float32 [T] at 16 kHz, and nothing else: no onset,
frequency, level or noise. It gives log-probabilities over the task's answers up to a constant,
[A]; a task without a rule has no DSP floor and is refused. Detecting and counting look at each
frame's loudness over the noise: the largest power over frequency, against the median of all
frames; a rise above a fixed threshold is an event (Bello et al. 2005, IEEE Trans. Speech Audio
Process. 13:1035, review of onset detection).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import find_peaks

from spectcount.errors import UserError
from spectcount.listeners.observers import dsp_envelopes, dsp_pairs, dsp_sequences
from spectcount.listeners.observers.observer import Observer
from spectcount.spectrogram import stft_db
from spectcount.tasks import COUNTS
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


def detect(waveform: np.ndarray) -> np.ndarray:
    """Whether there is an event: how far the loudest moment lies over the threshold, [2]."""
    over = float(excess(waveform).max(initial=0.0)) - THRESHOLD_DB
    return np.array([over / DB_PER_LOG_ODDS, 0.0])


def interval(waveform: np.ndarray) -> np.ndarray:
    """Which half holds the louder moment, [2]."""
    excess_db = excess(waveform)
    half = len(excess_db) // 2
    louder = excess_db[:half].max(initial=0) - excess_db[half:].max(initial=0)
    return np.array([louder / DB_PER_LOG_ODDS, 0.0])


def count(waveform: np.ndarray) -> np.ndarray:
    """The number of bursts of the spectral peak, 0 to 10, [11]."""
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


FLOORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "detect": detect,
    "count": count,
    "interval": interval,
    "gap": dsp_envelopes.gap,
    "modulated": dsp_envelopes.modulated,
    "higher": dsp_pairs.higher,
    "louder": dsp_pairs.louder,
    "longer": dsp_pairs.longer,
    "order": dsp_sequences.order,
    "jitter": dsp_sequences.jitter,
    "cue": dsp_sequences.cue,
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
