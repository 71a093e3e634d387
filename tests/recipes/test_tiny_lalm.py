"""The making of the embedded model: its diets, its targets, and a few real steps."""

import dataclasses
import json

import numpy as np
import pytest

from recipes.tiny_lalm import card, diet
from recipes.tiny_lalm.diet import DRAWS
from spectcount.probing.shortcuts import audit_clips
from spectcount.scales import mel_centres_hz
from spectcount.stimulus import Event, Stimulus
from spectcount.tasks import TASKS


@pytest.mark.parametrize("task", DRAWS)
@pytest.mark.parametrize("seed", range(8))
def test_alignment_clips_stay_inside_their_diet(task, seed):
    rng = np.random.default_rng(seed)
    stimulus = diet.DRAWS[task](diet.ALIGNMENT, rng, duration_s=3.0)
    centres = mel_centres_hz()
    for event in stimulus.events:
        assert diet.ALIGNMENT.level_low_dbfs <= event.level_dbfs <= diet.ALIGNMENT.level_high_dbfs
        assert centres[diet.ALIGNMENT.channel_low] <= event.frequency_hz + 1e-3
        assert event.frequency_hz <= centres[diet.ALIGNMENT.channel_high] + 1e-3
    gaps_s = [
        b.onset_s - a.offset_s for a, b in zip(stimulus.events, stimulus.events[1:], strict=False)
    ]
    assert all(gap >= diet.ALIGNMENT.gap_low_ms / 1000 - 1e-6 for gap in gaps_s)
    assert TASKS[task].truth(stimulus) is not None


def test_interval_clips_use_both_halves():
    truths = {
        TASKS["interval"].truth(diet.draw_interval(diet.ALIGNMENT, np.random.default_rng(i), 2.0))
        for i in range(20)
    }
    assert truths == {"first", "second"}


def test_counts_fit_short_clips():
    counts = [
        len(diet.draw_count(diet.ALIGNMENT, np.random.default_rng(i), 1.0).events)
        for i in range(40)
    ]
    assert min(counts) == 0
    assert max(counts) >= 5


def test_no_cue_counts_what_the_next_model_hears():
    clips = [
        diet.draw_count(diet.ALIGNMENT, np.random.default_rng([1, i]), 3.0) for i in range(300)
    ]
    for stimulus in clips:
        for values in (
            [e.level_dbfs for e in stimulus.events],
            [e.duration_s for e in stimulus.events],
        ):
            assert len(set(values)) == len(values)
    found = audit_clips("count", [(s, str(len(s.events))) for s in clips])
    assert found.best.rate.value < 0.28  # one length for all: 35 % by an energy ratio


def test_the_card_says_how_events_of_a_clip_differed():
    pretraining = {
        "options": {
            "seed": 0,
            "steps": 1,
            "batch": 1,
            "hearing_batch": 1,
            "learning_rate": 1e-3,
            "threads": 1,
        },
        "alignment": diet.ALIGNMENT.to_dict(),
        "hearing": diet.HEARING.to_dict(),
        "minutes": 1,
        "device": "cpu",
        "parameters": 1,
        "torch": "2",
    }
    before = card.made_words(pretraining)
    assert "these weights were made before" in " ".join(before.split())
    now = card.made_words({**pretraining, "length_spread": diet.LENGTH_SPREAD})
    assert "every event has its own length" in now and "made before" not in now


@pytest.mark.slow
def test_draws_of_a_step_depend_on_seed_and_step_only():
    from recipes.tiny_lalm.make import MakeOptions, draw_batch

    options = MakeOptions(batch=3, hearing_batch=2)
    draw_batch(options, 4)
    one, two = draw_batch(options, 7), draw_batch(options, 7)
    assert [q.key for q in one.questions] == [q.key for q in two.questions]
    np.testing.assert_array_equal(one.waveforms, two.waveforms)
    other = draw_batch(dataclasses.replace(options, seed=1), 7)
    assert [q.key for q in other.questions] != [q.key for q in one.questions]


@pytest.mark.slow
def test_onset_targets_mark_token_and_band():
    from recipes.tiny_lalm.make import BANDS, onset_targets

    event = Event(
        onset_s=0.41, duration_s=0.1, frequency_hz=float(mel_centres_hz()[64]), level_dbfs=-10
    )
    targets = onset_targets([Stimulus(duration_s=1.0, events=(event,))], n_tokens=25)[0]
    assert np.argwhere(targets[:, :BANDS]).tolist() == [[10, 8]]
    assert np.argwhere(targets[:, BANDS:]).tolist() == [[10, 8], [11, 8], [12, 8]]


@pytest.mark.slow
def test_a_few_steps_make_a_model_that_loads_and_a_card(tmp_path):
    from recipes.tiny_lalm import make
    from spectcount.listeners.loaded import LoadedModel

    options = make.MakeOptions(steps=2, batch=2, hearing_batch=1, threads=1)
    reports = []
    made = make.make(
        options, tmp_path / "m", report=lambda step, losses: reports.append(step), n_held_out=12
    )
    assert reports == [2]
    assert LoadedModel(tmp_path / "m").window_s == 10
    assert made["parameters"] < 3_000_000
    assert json.loads((tmp_path / "m" / "pretraining.json").read_text())["options"]["steps"] == 2
    words = (tmp_path / "m" / "README.md").read_text()
    assert "laboratory animal" in words
    assert "2 steps" in words
