"""Roves leave draws without them as they were, and both sounds of a pair keep what is roved."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest

from spectcount.designs import Pulses, draw, family
from spectcount.errors import UserError
from spectcount.pairs import draw_pair
from spectcount.scales import erb_number
from spectcount.synth import synthesise
from spectcount.tasks import task

BEFORE = {
    "pulses/count": "380b4dcb",
    "pulses/detect": "5e0066b3",
    "pulses/interval": "2713d02d",
    "gap/gap": "9afda8a3",
    "tone_in_noise/detect": "5d4db438",
    "tone_in_noise/interval": "19c387c8",
    "frequency_discrimination/higher": "3fa59e46",
    "level_discrimination/louder": "50ffbb07",
    "duration_discrimination/longer": "3610addc",
    "modulation/modulated": "4b034a65",
    "forward_masking/detect": "ea10bd68",
    "informational_masking/cue": "81ed34f2",
    "onset_asynchrony/order": "039800eb",
    "rhythm/jitter": "cf1a287d",
    "rhythm/count": "7139c286",
    "streaming/jitter": "dcd60880",
    "streaming/streams": "8944d460",
}
"""family/task -> the first digits of SHA-256 of the samples of seed 0 (the counterpart's, where the
task has one), as rendered before the roves came."""

ROVED = {
    "gap/gap": {
        "notched_noise_dbfs": -40,
        "carrier_wave": "tone",
        "duration_rove_ms": 100,
    },
    "modulation/modulated": {"duration_rove_ms": 400},
    "duration_discrimination/longer": {
        "duration_rove_octaves": 1.5,
        "duration_s": 4,
        "difference": 40,
        "unit": "percent",
    },
    "onset_asynchrony/order": {
        "onset_rove_s": 0.9,
        "level_rove_db": 6,
        "frequency_rove_cam": 4,
    },
    "rhythm/jitter": {"onset_rove_s": 0.3, "interval_rove_percent": 40},
    "streaming/jitter": {
        "onset_rove_s": 0.3,
        "tone_repetition_rove_percent": 20,
        "event_duration_ms": 50,
    },
    "forward_masking/detect": {
        "onset_rove_s": 0.9,
        "masker_duration_rove_ms": 250,
        "masker_level_rove_db": 6,
    },
    "informational_masking/cue": {"burst_rove_db": 10},
    "tone_in_noise/detect": {"noise_rove_db": 4, "e_n0_db": 15},
}


@pytest.mark.parametrize("key", BEFORE)
def test_draws_without_a_rove_render_the_bytes_they_always_did(key):
    name, task_name = key.split("/")
    design = family(name)()
    two = task(task_name).two_class
    stimulus = draw_pair(design, 0, task_name)[1] if two else draw(design, 0)
    assert hashlib.sha256(synthesise(stimulus).tobytes()).hexdigest()[:8] == BEFORE[key]


@pytest.mark.parametrize("key", ROVED)
def test_a_rove_varies_the_clip_and_keeps_the_answers(key):
    name, task_name = key.split("/")
    design = family(name).from_dict(ROVED[key])
    pairs = [draw_pair(design, seed, task_name) for seed in range(12)]
    for signal, other in pairs:
        assert (task(task_name).truth(signal), task(task_name).truth(other)) == task(
            task_name
        ).answers
        assert signal.noise_sigma == other.noise_sigma
        assert np.abs(synthesise(signal)).max() <= 1
    facts = {
        (s.noise_sigma, *(e.onset_s + e.duration_s + e.level_dbfs for e in s.sounds))
        for s, _ in pairs
    }
    assert len(facts) == len(pairs)


def test_a_roved_rhythm_keeps_its_tempo_in_both_sounds():
    design = family("rhythm").from_dict(ROVED["rhythm/jitter"])
    for seed in range(12):
        signal, other = draw_pair(design, seed, "jitter")
        ends = [(s.events[0].onset_s, s.events[-1].onset_s) for s in (signal, other)]
        assert ends[0] == pytest.approx(ends[1], abs=1e-8)
        steps = np.diff([e.onset_s for e in other.events])
        assert np.ptp(steps) < 1e-7


@pytest.mark.parametrize("name", ["onset_asynchrony", "rhythm", "streaming", "forward_masking"])
def test_an_onset_before_the_clip_is_refused(name):
    with pytest.raises(UserError, match="onset_rove_s=2 can put the onset"):
        draw(family(name).from_dict({"onset_s": 0.5, "onset_rove_s": 2}), 0)


def test_pulses_together_begin_and_end_as_one_far_enough_apart_in_frequency():
    design = Pulses(
        placement="together",
        frequency_order="distinct_mel",
        n_events=6,
        event_duration_jitter_ms=40,
        level_dbfs=-24,
        level_rove_db=4,
        frequency_low_hz=100,
        frequency_high_hz=7000,
    )
    onsets = set()
    for seed in range(20):
        events = draw(design, seed).events
        assert len({(e.onset_s, e.duration_s) for e in events}) == 1
        cam = sorted(float(erb_number(e.frequency_hz)) for e in events)
        assert min(b - a for a, b in itertools.pairwise(cam)) >= 1
        onsets.add(events[0].onset_s)
    assert len(onsets) == 20
    with pytest.raises(UserError, match="1 Cam apart do not fit"):
        draw(design.replace(n_events=30), 0)


def test_amplitudes_are_uniform_where_the_rove_says_so():
    design = Pulses(
        n_events=10,
        placement="random",
        frequency_order="same_mel",
        level_dbfs=-10.4575,
        level_rove_db=9.5425,
        level_rove_scale="amplitude",
        noise_sigma=1e-4,
        noise_sigma_high=1e-3,
    )
    clips = [draw(design, seed) for seed in range(120)]
    amplitudes = np.array([10 ** (e.level_dbfs / 20) for s in clips for e in s.events])
    assert (amplitudes.min(), amplitudes.max()) == pytest.approx((0.1, 0.9), abs=0.005)
    assert np.histogram(amplitudes, 4, (0.1, 0.9))[0] / len(amplitudes) == pytest.approx(
        np.full(4, 0.25), abs=0.05
    )
    sigmas = np.log10([s.noise_sigma for s in clips])
    assert np.mean(sigmas < -3.5) == pytest.approx(0.5, abs=0.15)
    assert all(len({e.frequency_hz for e in s.events}) == 1 for s in clips)
    assert len({s.events[0].frequency_hz for s in clips}) > 30
