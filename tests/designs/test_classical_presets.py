"""The presets of gap, tone in noise, discrimination and modulation: they draw at any seed, their
probes can be realised in every cell, and the ideal observer reaches what theory says of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectcount import presets
from spectcount.designs.duration_discrimination import DurationDiscrimination
from spectcount.designs.frequency_discrimination import FrequencyDiscrimination
from spectcount.designs.gap import Gap
from spectcount.designs.level_discrimination import LevelDiscrimination
from spectcount.designs.modulation import Modulation
from spectcount.designs.tone_in_noise import ToneInNoise
from spectcount.listeners.observers.ideal import IdealObserver, pair_d_prime
from spectcount.pairs import draw_pair
from spectcount.probing.plan import plan_from_dict
from spectcount.synth import synthesise
from spectcount.tasks import task
from spectcount.trials import Question

STIMULI = {
    "gap": "gap",
    "gap-in-tone": "gap",
    "tone-in-noise": "detect",
    "tone-in-noise-random": "detect",
    "frequency-discrimination": "higher",
    "level-discrimination": "louder",
    "duration-discrimination": "longer",
    "amplitude-modulation": "modulated",
}
PROBES = (
    "gap-detection-curve",
    "gap-frequency-map",
    "tone-in-noise-curve",
    "frequency-discrimination-curve",
    "level-discrimination-curve",
    "duration-discrimination-curve",
    "amplitude-modulation-map",
)
SHORT = {"duration_s": 0.5, "onset_s": 0.05}
PAIR = {**SHORT, "event_duration_ms": 100, "gap_ms": 100}
FAINT = {
    "gap": Gap(**SHORT, event_duration_ms=200, gap_ms=5, level_dbfs=-30, noise_sigma=0.1),
    "modulated": Modulation(**SHORT, event_duration_ms=300, am_depth_db=-20, noise_sigma=0.15),
    "detect": ToneInNoise(**SHORT, event_duration_ms=100, e_n0_db=0.5),
    "interval": ToneInNoise(**SHORT, event_duration_ms=100, e_n0_db=0.5),
    "higher": FrequencyDiscrimination(**PAIR, difference=50, level_dbfs=-40, noise_sigma=0.2),
    "louder": LevelDiscrimination(**PAIR, difference_db=2, level_dbfs=-30, noise_sigma=0.07),
    "longer": DurationDiscrimination(**PAIR, difference=20, level_dbfs=-35, noise_sigma=0.12),
}
"""Task -> a design at which the ideal observer is far from certain."""


@pytest.mark.parametrize("name", STIMULI)
def test_every_stimulus_preset_draws_its_pair_at_any_seed(settings, name):
    preset = presets.load("stimuli", name, settings)
    assert preset.body["task"] == STIMULI[name]
    assert preset.title and preset.about.endswith(".")
    for seed in range(20):
        pair = draw_pair(preset.design, seed, STIMULI[name])
        truths = tuple(task(STIMULI[name]).truth(one) for one in pair)
        assert truths == task(STIMULI[name]).answers
        for one in pair:
            assert np.abs(synthesise(one)).max() <= 1


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_preset_can_be_realised_in_every_cell(settings, name):
    plan = plan_from_dict(presets.load("probes", name, settings).body["plan"])
    plan.refuse_infeasible()
    assert plan.n_trials >= 300


@pytest.mark.parametrize("name", FAINT)
def test_the_ideal_observer_reaches_the_distance_of_the_two_sounds_over_sigma(name):
    """Its log-likelihood ratio is normal with mean +- d'^2/2 and variance d'^2; d' is taken here
    from the rendered waveforms, without noise."""
    placed, yes = [], []
    for seed in range(60):
        pair = draw_pair(FAINT[name], seed, name)
        clean = [synthesise(dataclasses.replace(one, noise_sigma=0.0)) for one in pair]
        sigma = pair[0].noise_sigma
        d = float(np.linalg.norm(clean[0].astype(float) - clean[1])) / sigma
        assert 0.7 < d < 4, "neither certain nor blind"
        for sign, one in zip((1, -1), pair, strict=True):
            assert pair_d_prime(one, name) == pytest.approx(d, rel=1e-3)
            scores = IdealObserver().score([Question(one, name)]).log_probs[0]
            placed.append((scores[0] - scores[1] - sign * d * d / 2) / d)
            yes.append(scores[0] > scores[1])
    assert np.mean(placed) == pytest.approx(0, abs=4 / np.sqrt(60))
    assert np.std(placed) == pytest.approx(1, abs=0.3)
    assert np.mean(yes[::2]) > np.mean(yes[1::2]) + 0.2


def test_the_ideal_observers_d_prime_of_a_tone_follows_from_its_e_n0():
    for e_n0_db in (0.0, 10.0, 20.0):
        signal, _ = draw_pair(ToneInNoise(e_n0_db=e_n0_db), 0, "detect")
        assert pair_d_prime(signal, "detect") == pytest.approx(
            np.sqrt(2 * 10 ** (e_n0_db / 10)), rel=0.01
        )
