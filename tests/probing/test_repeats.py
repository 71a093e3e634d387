"""One waveform is one question: repeats of a listener that answers alike count once."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from spectcount.listeners.base import Scores
from spectcount.listeners.observers.simulated import SimulatedObserver
from spectcount.probing.maps import confusion, pool
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.run import execute
from spectcount.probing.thresholds import thresholds
from spectcount.trials import normalise

QUIET = {
    "kind": "curve",
    "parameter": "level_dbfs",
    "start": -30,
    "stop": -20,
    "levels": 2,
    "trials": 30,
    "catch_trials": 60,
    "design": {"noise_sigma": 0.0, "duration_s": 1.0},
}


class OfTheWaveform:
    """Answers by the bytes of the clip, of the words too where `worded`."""

    def __init__(self, worded=False):
        self.worded = worded
        self.name = self.fingerprint = f"waveform-{worded}"

    def score(self, questions):
        rows = [self._row(q) for q in questions]
        return Scores(normalise(np.array(rows)), np.ones(len(rows)))

    def _row(self, q):
        words = q.prompt if self.worded else ""
        seed = hashlib.sha256(q.audio().tobytes() + words.encode()).digest()
        return [np.random.default_rng(list(seed)).normal(), 0.0]


class CountsTheWaveform(OfTheWaveform):
    """Always the same count."""

    def _row(self, q):
        return [float(k == 0) for k in range(len(q.answers))]


@pytest.fixture
def trials_of(context):
    def ask(listener, values=QUIET):
        ctx = context({"plan": values, "seed": 0})
        execute(ctx, {listener.name: listener})
        return ctx.ledger.trials("run")

    return ask


def test_a_hundred_times_silence_is_one_catch_trial(trials_of):
    plan, trials = plan_from_dict(QUIET), trials_of(OfTheWaveform())
    clips = {q.question.clip_hash for q in plan.questions(0) if q.coords["role"] == "catch"}
    found = pool(plan, trials)
    assert len(clips) == 1 and found.n_catch == 1
    assert found.repeated >= 59 and found.n + found.n_catch + found.repeated == len(trials)


def test_thresholds_count_one_waveform_once_and_say_how_many_they_left_out(trials_of):
    plan, trials = plan_from_dict(QUIET), trials_of(OfTheWaveform())
    (found,) = thresholds(plan, trials)
    assert found.repeated >= 59 and found.n_catch == 1
    assert found.n + found.repeated == len(trials) == found.to_dict()["repeated"] + found.n
    assert f"{found.repeated} trials left out as repeats of one waveform" in found.sentence


def test_tracks_count_one_waveform_once(trials_of):
    values = {
        "kind": "quest",
        "trials": 60,
        "parameter": "level_dbfs",
        "low": -30,
        "high": -20,
        "candidates": 5,
        "design": QUIET["design"],
    }
    plan, trials = plan_from_dict(values), trials_of(OfTheWaveform(), values)
    (found,) = thresholds(plan, trials)
    assert found.n_catch == 1 and found.repeated > 0
    assert found.n + found.repeated == len(trials)


def test_a_confusion_counts_one_waveform_once(trials_of):
    values = {
        "kind": "confusion",
        "trials": 20,
        "count_low": 0,
        "count_high": 1,
        "design": QUIET["design"],
    }
    trials = trials_of(CountsTheWaveform(), values)
    found = confusion(trials)
    assert found.matrix[0].sum() == 1 and found.repeated >= 19
    assert found.matrix.sum() + found.repeated == len(trials)


def test_other_words_are_another_question_to_who_heeds_them(trials_of):
    plan = plan_from_dict(QUIET)
    words = {q.question.prompt for q in plan.questions(0) if q.coords["role"] == "catch"}
    assert pool(plan, trials_of(OfTheWaveform(worded=True))).n_catch == len(words) > 1


def test_who_draws_anew_each_time_is_counted_each_time(trials_of):
    plan, trials = plan_from_dict(QUIET), trials_of(SimulatedObserver(1.0, seed=1))
    keys = {t.key for t in trials}
    found = pool(plan, trials)
    assert found.n + found.n_catch == len(keys)


def test_clips_with_noise_are_never_repeats(trials_of):
    values = {**QUIET, "design": {"noise_sigma": 0.001}}
    found = pool(plan_from_dict(values), trials_of(OfTheWaveform(), values))
    assert (found.n, found.n_catch, found.repeated) == (60, 60, 0)
