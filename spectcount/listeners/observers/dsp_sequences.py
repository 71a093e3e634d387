"""Plain DSP on sequences: the rules for order, jitter and cue.

*Conventions*: as in `observers.dsp`: a rule knows the waveform, float32 [T] at 16 kHz,
and nothing else, and gives log-probabilities over the task's answers up to a constant, [A]. Order
and jitter trust the onsets that `spectcount.measure` finds, so they hear tones only, and those
that are clear of the noise; rests do not count as uneven.
"""

from __future__ import annotations

import itertools

import numpy as np

from spectcount.measure import measure
from spectcount.spectrogram import stft_db
from spectcount.tasks import steps_less_rests_s

ORDER_S = 0.001
"""Onset difference worth one unit of log-odds."""
EVEN_S = 0.004
"""Distances that differ by less are taken for even: onsets are found to about 1 ms."""
JITTER_S = 0.001
TOGETHER_S = 0.008
"""Onsets closer than this are of one moment."""
AUDIBLE_DB = 15.0
"""Over the median cell; see `spectcount.listeners.observers.dsp`."""
DB_PER_LOG_ODDS = 1.0
SKIRT_FRAMES = 8
"""How long a sound lingers in the picture: a window of 32 ms in hops of 5 ms, and a margin."""


def order(waveform: np.ndarray) -> np.ndarray:
    """Whether the highest or the lowest tone found begins first, [2]; even where there is one or
    none."""
    found = measure(waveform)
    if found.n_events < 2:
        return np.zeros(2)
    low, high = int(np.argmin(found.frequencies_hz)), int(np.argmax(found.frequencies_hz))
    high_leads_s = found.onsets_s[low] - found.onsets_s[high]
    return np.array([high_leads_s / ORDER_S, 0.0])


def jitter(waveform: np.ndarray) -> np.ndarray:
    """Whether the distances between onsets, rests aside, spread by more than the measurement does,
    [2]."""
    onsets_s = _moments_s(measure(waveform).onsets_s)
    spread_s = 0.0
    if len(onsets_s) >= 3:
        steps_s = steps_less_rests_s(onsets_s)
        spread_s = max(steps_s) - min(steps_s)
    return np.array([(spread_s - EVEN_S) / JITTER_S, 0.0])


def cue(waveform: np.ndarray) -> np.ndarray:
    """Whether the frequency of the first sound is heard again: its level over the noise in the
    median later frame that holds any sound, against a fixed threshold, [2]."""
    excess_db = stft_db(waveform).values
    excess_db = excess_db - np.median(excess_db)
    sounding = np.flatnonzero(excess_db.max(axis=0) > AUDIBLE_DB)
    again_db = 0.0
    if len(sounding):
        ends = np.flatnonzero(np.diff(sounding) > 1)
        last = int(sounding[ends[0]] if len(ends) else sounding[-1])
        first = excess_db[:, sounding[0] : last + 1]
        place = int(np.argmax(np.mean(10 ** (first / 10), axis=1)))
        later = sounding[sounding > last + SKIRT_FRAMES]
        around = excess_db[max(place - 1, 0) : place + 2]
        again_db = float(np.median(around[:, later].max(axis=0))) if len(later) else 0.0
    return np.array([(again_db - AUDIBLE_DB) / DB_PER_LOG_ODDS, 0.0])


def _moments_s(onsets_s: tuple[float, ...]) -> list[float]:
    """Onsets, those that follow another at once left out."""
    moments = list(onsets_s[:1])
    for before_s, onset_s in itertools.pairwise(onsets_s):
        if onset_s - before_s > TOGETHER_S:
            moments.append(onset_s)
    return moments
