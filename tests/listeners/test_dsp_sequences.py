"""DSP floors of order, jitter and cue: above chance where the task is easy, at chance where there
is nothing to hear, and right about what they are said to hear."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectcount.designs.forward_masking import ForwardMasking
from spectcount.designs.informational_masking import InformationalMasking
from spectcount.designs.onset_asynchrony import OnsetAsynchrony
from spectcount.designs.rhythm import Rhythm
from spectcount.designs.streaming import Streaming
from spectcount.listeners.observers.dsp import FLOORS, DspCounter
from spectcount.pairs import draw_pair
from spectcount.synth import synthesise, white_noise
from spectcount.trials import Question

N = 12


def scores(design, name, n=N):
    """Log-odds of the first answer, `n` signals and `n` counterparts of other seeds, [n] each."""
    observer = DspCounter()
    pairs = [draw_pair(design, seed, name) for seed in range(2 * n)]
    clips = [pair[0] for pair in pairs[:n]] + [pair[1] for pair in pairs[n:]]
    found = np.array([observer.log_odds(Question(clip, name)) for clip in clips])
    odds = found[:, 0] - found[:, 1]
    return odds[:n], odds[n:]


EASY = {
    "late B tones": (Streaming(), "jitter"),
    "late B tones, no rests": (Streaming(pattern="abab", separation_semitones=12), "jitter"),
    "jittered rhythm": (Rhythm(), "jitter"),
    "slow jittered rhythm in noise": (
        Rhythm(interval_ms=400, noise_sigma=0.01, level_dbfs=-20),
        "jitter",
    ),
    "order": (OnsetAsynchrony(), "order"),
    "order in noise": (OnsetAsynchrony(noise_sigma=0.005), "order"),
    "cue among maskers": (InformationalMasking(), "cue"),
    "cue after a tone": (ForwardMasking(masker="tone", delay_ms=100), "cue"),
}


@pytest.mark.parametrize(("design", "name"), EASY.values(), ids=EASY)
def test_easy_tasks_are_answered_without_error(design, name):
    signal, other = scores(design, name)
    assert (signal > 0).all()
    assert (other < 0).all()


NOTHING = {
    "rhythm in loud noise": (Rhythm(level_dbfs=-90, noise_sigma=0.02), "jitter"),
    "streams in loud noise": (Streaming(level_dbfs=-90, noise_sigma=0.02), "jitter"),
    "order in loud noise": (OnsetAsynchrony(level_dbfs=-90, noise_sigma=0.02), "order"),
    "no target": (InformationalMasking(level_dbfs=-90), "cue"),
    "no probe": (ForwardMasking(masker="tone", delay_ms=100, level_dbfs=-90), "cue"),
}


@pytest.mark.parametrize(("design", "name"), NOTHING.values(), ids=NOTHING)
def test_what_cannot_be_heard_is_answered_at_chance(design, name):
    signal, other = scores(design, name, 20)
    auc = np.mean((signal[:, None] > other) + 0.5 * (signal[:, None] == other))
    assert auc == pytest.approx(0.5, abs=0.25)
    assert np.mean(signal > 0) == pytest.approx(np.mean(other > 0), abs=0.25)


def test_a_displacement_below_what_is_measured_counts_as_even():
    signal, other = scores(Streaming(displacement_ms=0.5), "jitter")
    assert (signal < 0).all() and (other < 0).all()


def test_silence_and_noise_have_no_rhythm_no_order_and_no_cue():
    for wave in (np.zeros(32000, np.float32), (0.01 * white_noise(32000, 0)).astype(np.float32)):
        assert FLOORS["jitter"](wave)[0] < 0
        assert FLOORS["cue"](wave)[0] < 0
        assert FLOORS["order"](wave).tolist() == [0.0, 0.0]


def test_the_cue_is_looked_for_at_its_own_frequency():
    """The same maskers under a cue of another frequency: a target that is not the cue's is no
    answer."""
    signal, _ = draw_pair(InformationalMasking(protected_cam=3.0), 0, "cue")
    cue = signal.background[0]
    moved = dataclasses.replace(cue, frequency_hz=cue.frequency_hz * 1.15)
    other = dataclasses.replace(signal, background=(moved, *signal.background[1:]))
    assert FLOORS["cue"](synthesise(signal))[0] > 10
    assert FLOORS["cue"](synthesise(other))[0] < 0


def test_the_later_the_tone_the_surer_the_order():
    odds = [scores(OnsetAsynchrony(asynchrony_ms=ms), "order", 3)[0].mean() for ms in (2, 10, 50)]
    assert odds == pytest.approx([2, 10, 50], abs=1)
