"""The ideal observer: the ceiling that no listener can beat.

*Conventions*: signal known exactly in white Gaussian noise of known sigma. The decision variable
is the log-likelihood ratio of the very clip, ln L = (x . s - s . s / 2) / sigma^2, whose
sensitivity is d' = sqrt(s . s) / sigma = sqrt(2E/N0). Sources: Peterson, Birdsall & Fox (1954);
Tanner & Birdsall (1958), J. Acoust. Soc. Am. 30:922; Green & Swets (1966), chapter 6.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.special import logsumexp

from spectcount.errors import UserError
from spectcount.listeners.observers.observer import Observer
from spectcount.pairs import pair_of
from spectcount.stimulus import VERSION, Event, Stimulus
from spectcount.synth import event_waveform
from spectcount.tasks import MAX_COUNT
from spectcount.trials import Question

ROUNDING_SIGMA = 2.0**-25
"""Standard deviation that stands for "no noise": half a float32 step at full scale. The ratio it
gives is finite, and certain."""

TIE_LOG_ODDS = -1e-9
"""What an observer that has nothing to look for says: no, by a hair."""


class IdealObserver(Observer):
    """Matched filter on the very clip.

    What it knows: every event's exact waveform and place, and the noise sigma. On a clip that
    declares no events (a catch trial) the waveform comes from its signal twin:
    `stimulus.meta["template"]`, a list of events as data that the plan puts there. Where that is
    missing too it has nothing to look for, and answers "no" at even odds.

    - detect: likelihood ratio of all events together against noise alone.
    - interval: the events where they are, against the same waveform half a clip away.
    - any other two-answer task: likelihood ratio of signal against counterpart, both known
      exactly, frozen noise carriers included.
    - count: each event may be there or not, all subsets equally likely beforehand; posterior of
      the number present. At most 10 events.
    """

    name = "ideal"

    @property
    def fingerprint(self) -> str:
        return f"ideal-1+synth-{VERSION}"

    def log_odds(self, question: Question) -> np.ndarray:
        """Log-probabilities up to a constant [A]; raises `UserError` for an uploaded clip."""
        if question.stimulus is None:
            raise UserError(
                "the ideal observer must know the signal, and an uploaded clip has no stimulus; "
                "ask `dsp` or a model instead"
            )
        stimulus, clip = question.stimulus, question.audio().astype(np.float64)
        if question.task_name == "count":
            return _count_log_odds(stimulus, clip)
        if question.task_name == "interval":
            return np.array([_interval_log_ratio(stimulus, clip), 0.0])
        if question.task_name != "detect" or "pair" in stimulus.meta:
            return np.array([_pair_log_ratio(stimulus, question.task_name, clip), 0.0])
        return np.array([_detect_log_ratio(stimulus, clip), 0.0])


def templates(stimulus: Stimulus) -> tuple[Event, ...]:
    """The events to look for: the clip's own, or those that a catch trial lacks."""
    return stimulus.events or tuple(Event(**e) for e in stimulus.meta.get("template", ()))


def d_prime_ideal(stimulus: Stimulus) -> float:
    """d' = sqrt(2E/N0) of all events together, from their waveform; inf without noise."""
    energy = float(np.sum(_signal(stimulus) ** 2))
    if stimulus.noise_sigma == 0:
        return math.inf if energy > 0 else 0.0
    return math.sqrt(energy) / stimulus.noise_sigma


def _signal(stimulus: Stimulus) -> np.ndarray:
    """All templates together, float64 [T]."""
    signal = np.zeros(stimulus.n_samples)
    for event in templates(stimulus):
        signal += event_waveform(event, stimulus.sample_rate, stimulus.n_samples)
    return signal


def pair_d_prime(stimulus: Stimulus, task_name: str) -> float:
    """d' of telling the signal from its counterpart, both known exactly in the white noise:
    the distance between their waveforms over sigma; inf without noise, nan where the pair cannot
    be drawn again."""
    pair = pair_of(stimulus, task_name)
    if pair is None:
        return math.nan
    distance = float(np.linalg.norm(_sounds(pair[0]) - _sounds(pair[1])))
    if stimulus.noise_sigma == 0:
        return math.inf if distance > 0 else 0.0
    return distance / stimulus.noise_sigma


def _sounds(stimulus: Stimulus) -> np.ndarray:
    """Everything but the noise, float64 [T]."""
    waves = (event_waveform(e, stimulus.sample_rate, stimulus.n_samples) for e in stimulus.sounds)
    return sum(waves, start=np.zeros(stimulus.n_samples))


def _pair_log_ratio(stimulus: Stimulus, task_name: str, clip: np.ndarray) -> float:
    """ln p(clip | signal) - ln p(clip | counterpart)."""
    pair = pair_of(stimulus, task_name)
    if pair is None:
        raise UserError(
            f"the ideal observer must know both sounds of the task {task_name!r}, and this clip's "
            "provenance does not tell them; ask about a clip drawn from a design that has the task"
        )
    signal, other = _sounds(pair[0]), _sounds(pair[1])
    return float((signal - other) @ (clip - (signal + other) / 2)) / _variance(stimulus)


def _variance(stimulus: Stimulus) -> float:
    return max(stimulus.noise_sigma, ROUNDING_SIGMA) ** 2


def _detect_log_ratio(stimulus: Stimulus, clip: np.ndarray) -> float:
    """ln p(clip | events) - ln p(clip | noise alone)."""
    signal = _signal(stimulus)
    if not signal.any():
        return TIE_LOG_ODDS
    return float(signal @ clip - signal @ signal / 2) / _variance(stimulus)


def _interval_log_ratio(stimulus: Stimulus, clip: np.ndarray) -> float:
    """ln p(clip | events in the first half) - ln p(clip | in the second)."""
    events = templates(stimulus)
    here = _signal(stimulus)
    there = np.roll(here, len(here) // 2)
    middles_s = [e.onset_s + e.duration_s / 2 for e in events]
    in_first = np.mean(middles_s) < stimulus.duration_s / 2 if events else True
    log_ratio = float(here @ clip - there @ clip) / _variance(stimulus)
    return log_ratio if in_first else -log_ratio


def _count_log_odds(stimulus: Stimulus, clip: np.ndarray) -> np.ndarray:
    """Posterior of the number of templates present, ln [MAX_COUNT + 1]: each subset b scores
    (b . c - b' G b / 2) / sigma^2, c being the correlations with the clip, G the Gram matrix."""
    events = templates(stimulus)
    if len(events) > MAX_COUNT:
        raise UserError(
            f"{len(events)} events cannot be counted in the closed set 0..{MAX_COUNT}; ask about "
            f"at most {MAX_COUNT} events"
        )
    bank = np.array([event_waveform(e, stimulus.sample_rate, len(clip)) for e in events])
    bank = bank.reshape(len(events), len(clip))
    subsets = np.array(list(itertools.product((0.0, 1.0), repeat=len(events))))
    fit = subsets @ (bank @ clip) - np.einsum("bi,ij,bj->b", subsets, bank @ bank.T, subsets) / 2
    size = subsets.sum(axis=1).astype(int)
    log_odds = np.full(MAX_COUNT + 1, -np.inf)
    for n in range(len(events) + 1):
        log_odds[n] = logsumexp(fit[size == n] / _variance(stimulus))
    return log_odds
