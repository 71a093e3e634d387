"""Ladders of simulated states: the stage that loses is named; sentences follow the numbers."""

import dataclasses

import numpy as np
import pytest

from spectcount.errors import UserError
from spectcount.probing.plan import plan_from_dict
from spectcount.trials import make_trial
from spectcount.where import ladder
from spectcount.where.clips import clips_of
from spectcount.where.ladder import Heard

MAP = {"kind": "map", "nx": 2, "ny": 3, "trials": 8, "catch_trials": 12, "design": {}}
CURVE = {"kind": "curve", "parameter": "level_dbfs", "levels": 5, "trials": 10, "catch_trials": 20}
COUNT = {"kind": "confusion", "count_low": 0, "count_high": 4, "trials": 24}
STAGES = ("input", "encoder 1/2", "encoder 2/2", "projector", "LM 1/2", "LM 2/2")


def trials_of(body, seed=0):
    plan = plan_from_dict(body)
    rows = [
        make_trial(
            p.question,
            np.log(np.full(len(p.question.answers), 1 / len(p.question.answers))),
            1.0,
            fingerprint="f",
            listener="x",
            coords=p.coords,
        )
        for p in plan.questions(seed)
    ]
    return plan, rows


def heard(clips, sizes, seed=0, width=24, readout=2.0, shift=0.0):
    """States of which each stage holds the truth with so much d'; log odds with d' `readout`."""
    rng = np.random.default_rng(seed)
    truth = clips.truths.ravel()
    truth = (truth - truth.mean()) / truth.std()
    vectors = []
    for d in sizes:
        states = rng.standard_normal((len(truth), width))
        states[:, 0] += d / 2 * truth
        vectors.append(states.astype(np.float16))
    if clips.counted:
        numbers = np.arange(len(clips.questions[0].answers))
        raw = readout * truth + rng.standard_normal(len(truth)) + numbers.mean()
        log_probs = -np.square(numbers - raw[:, None])
    else:
        odds = readout / 2 * truth + rng.standard_normal(len(truth)) + shift
        log_probs = np.stack([odds, np.zeros(len(odds))], axis=1)
    log_probs -= np.log(np.exp(log_probs).sum(axis=1, keepdims=True))
    return Heard(f"f{seed}", STAGES, tuple(vectors), log_probs)


@pytest.fixture(scope="module")
def mapped():
    plan, trials = trials_of({**MAP, "trials": 12})
    return clips_of(plan, trials, 80)


def made(clips, *listeners):
    names = ("base", "tuned")
    return ladder.ladder_of(clips, dict(zip(names, listeners, strict=False)), "run", 0, None)


def test_pairs_are_of_one_draw_equally_long_and_asked_in_the_same_words():
    plan, trials = trials_of(MAP)
    clips = clips_of(plan, trials, 1000)
    assert len(clips.groups) == 60  # 48 signal trials, and the draws of 12 catch trials
    for signal, other in clips.groups:
        assert (signal.truth, other.truth) == ("yes", "no")
        assert signal.prompt == other.prompt
        assert signal.stimulus.n_samples == other.stimulus.n_samples
        assert signal.stimulus.noise_seed == other.stimulus.noise_seed
    asked = {t.key for t in trials}
    assert asked <= {q.key for q in clips.questions}


def test_conditions_take_turns_where_fewer_are_wanted():
    plan, trials = trials_of(MAP)
    clips = clips_of(plan, trials, 24)
    assert len(clips.groups) == 24
    assert np.bincount(clips.conditions).min() >= 2
    assert all("mel_channel" in words for words in clips.condition_words)


def test_a_region_is_its_cells_alone():
    plan, trials = trials_of({**MAP, "trials": 24})
    clips = clips_of(plan, trials, 1000, [[0, 1], [1, 1]])
    assert len(clips.condition_words) == 2
    assert len(clips.groups) >= 48


def test_too_few_clips_are_refused_with_the_number():
    plan, trials = trials_of(MAP)
    with pytest.raises(UserError, match=r"8 different pairs .* again, 20 are needed"):
        clips_of(plan, [t for t in trials if t.coords["role"] == "signal"], 1000, [[0, 1]])


@pytest.mark.parametrize(
    "place", range(len(STAGES)), ids=lambda k: f"behind {(*STAGES, 'readout')[k]}"
)
def test_the_stage_that_loses_is_named(mapped, place):
    sizes = [4.0 if k <= place else 0.3 for k in range(len(STAGES))]
    readout = 0.2 if place == len(STAGES) - 1 else sizes[-1]
    words = made(mapped, heard(mapped, sizes, readout=readout)).listeners["base"].sentence
    names = (*STAGES, ladder.READOUT)
    assert f"between {names[place]} and {names[place + 1]}" in words


def test_nothing_is_named_where_nothing_is_lost_and_where_nothing_is_readable(mapped):
    kept = made(mapped, heard(mapped, [2.5] * 6, readout=2.5)).listeners["base"].sentence
    deaf = made(mapped, heard(mapped, [0.0] * 6, 1, readout=0.0)).listeners["base"].sentence
    assert kept.startswith("no stage can be named: behind none")
    assert deaf.startswith("no stage can be named: nothing is linearly readable")


def test_the_control_is_at_zero_and_the_readout_has_none(mapped):
    rungs = made(mapped, heard(mapped, [4.0] * 6)).listeners["base"].rungs
    means = [rung.control_mean for rung in rungs[:-1]]
    assert np.abs(means).max() < 0.35
    assert np.abs(np.mean(means)) < 0.15
    assert all(len(rung.control) == ladder.PERMUTATIONS for rung in rungs[:-1])
    assert rungs[-1].control == ()


def test_a_criterion_far_out_is_no_loss(mapped):
    """All answers are yes; the readout tells the clips apart as before."""
    found = made(mapped, heard(mapped, [2.5] * 6, readout=2.5, shift=8.0)).listeners["base"]
    assert found.d_prime.value == pytest.approx(0, abs=0.01)
    assert found.rungs[-1].d_a.low > 1.5
    assert found.criterion.high < -1
    assert found.sentence.startswith("no stage can be named")


def test_base_and_tuned_on_the_same_clips(mapped):
    deaf, tuned = heard(mapped, [4, 4, 4, 4, 0.3, 0.3]), heard(mapped, [4] * 6, 1, readout=4.0)
    both = made(mapped, dataclasses.replace(deaf, log_probs=deaf.log_probs), tuned)
    assert "the first stage that changes is LM 1/2" in both.change_sentence
    assert [each.low > 0 for each in both.changes[:6]] == [False] * 4 + [True] * 2
    alike = made(mapped, heard(mapped, [3] * 6), heard(mapped, [3] * 6, 1))
    assert alike.change_sentence.endswith("no stage changes by more than chance")


def test_thresholds_where_the_run_has_levels():
    plan, trials = trials_of({**CURVE, "trials": 30})
    clips = clips_of(plan, trials, 200)
    level = np.repeat(clips.levels.values, 2)
    slope = np.interp(level, [level.min(), level.max()], [0.0, 6.0])
    states = heard(clips, [0.0] * 6, readout=0.0)
    rng = np.random.default_rng(3)
    vectors = []
    for k in range(6):
        noise = rng.standard_normal((len(level), 8))
        noise[:, 0] += slope * (clips.truths.ravel() > 0) if k < 4 else 0.0
        vectors.append(noise.astype(np.float16))
    found = made(clips, dataclasses.replace(states, vectors=tuple(vectors))).listeners["base"]
    threshold = found.rungs[2].threshold
    expected = np.interp(1.0, [0.0, 6.0], [level.min(), level.max()])
    assert threshold.measurable
    assert threshold.threshold.low < expected < threshold.threshold.high + 4
    assert not found.rungs[5].threshold.measurable
    assert "down to level_dbfs" in found.threshold_sentence


def test_counting_is_read_as_a_number():
    plan, trials = trials_of(COUNT)
    clips = clips_of(plan, trials, 1000)
    found = made(clips, heard(clips, [3.0, 3.0, 3.0, 3.0, 0.2, 0.2], readout=0.2))
    rungs = found.listeners["base"].rungs
    assert found.counted
    assert 1 <= found.split <= 3
    assert rungs[2].rank.low > 0.5 > rungs[4].rank.high
    assert rungs[2].d_a.low > 0.8
    assert "between projector and LM 1/2" in found.listeners["base"].sentence


def test_a_ladder_is_stored_exactly_and_another_version_is_none(mapped):
    whole = made(mapped, heard(mapped, [2] * 6), heard(mapped, [2] * 6, 1))
    text = ladder.to_json(whole)
    assert ladder.to_json(ladder.from_json(text)) == text
    assert ladder.from_json(text.replace(ladder.VERSION, "0")) is None
    assert ladder.from_json("{}") is None
