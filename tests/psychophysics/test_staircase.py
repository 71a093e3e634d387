"""Staircases: the rules step by step, where they settle, bounds, and the estimate from the fit."""

import json

import numpy as np
import pytest

from spectcount.errors import UserError
from spectcount.psychophysics.adaptive.base import Track, simulate
from spectcount.psychophysics.adaptive.staircase import Staircase, StaircaseOptions, up_down
from spectcount.psychophysics.psychometric import Psychometric
from tests.psychophysics.conversions import from_gaussian, replay


def walk(track, answers):
    """Levels at which `answers` ("+" and "-") were given, and the one suggested after them."""
    levels = []
    for answer in answers:
        levels.append(track.suggest()[0])
        track.update(track.suggest(), answer == "+")
    return [*levels, track.suggest()[0]]


def test_one_up_two_down_moves_as_levitt_says():
    track = up_down(2, 10, 0, 20, steps=(2, 1), reversals_per_step=2)
    assert walk(track, "++-+-++++-") == [10, 10, 8, 10, 10, 12, 12, 11, 11, 10, 11]
    assert track.reversals == [2, 6, 9]


def test_one_up_three_down_needs_three():
    track = up_down(3, 10, 0, 20, steps=(2,))
    assert walk(track, "++-+++++-") == [10, 10, 10, 12, 12, 12, 10, 10, 10, 12]


def test_multiplicative_steps_halve_and_double():
    track = up_down(1, 8, 1, 64, steps=(2,), scale="multiplicative")
    assert walk(track, "++--") == [8, 4, 2, 4, 8]


def test_a_parameter_that_is_harder_upwards_moves_the_other_way():
    track = up_down(1, 10, 0, 20, steps=(2,), harder="up")
    assert walk(track, "++-") == [10, 12, 14, 12]


def test_weighted_steps_balance_at_the_target():
    track = up_down(1, 10, 0, 30, target=0.75, steps=(1,))
    assert walk(track, "++-") == [10, 9, 8, 11]
    factors = up_down(1, 8, 1, 600, target=0.75, steps=(2,), scale="multiplicative")
    assert walk(factors, "+-") == [8, 4, 32]


def test_steps_that_are_no_binary_fractions_come_back_to_the_same_level():
    track = up_down(1, 1.0, 0, 2, steps=(0.1,))
    levels = walk(track, "+++---" * 5)
    assert len(set(levels)) == 4


@pytest.mark.parametrize(
    "options,share",
    [
        ({"down": 1}, 0.5),
        ({"down": 2}, 0.7071),
        ({"down": 3}, 0.7937),
        ({"down": 4}, 0.8409),
        ({"down": 1, "target": 0.75}, 0.75),
        ({"down": 1, "target": 0.9}, 0.9),
    ],
)
def test_staircases_settle_where_theory_says(options, share):
    rng = np.random.default_rng(1)
    listener = from_gaussian(0.0, 1.0, guess=0.0)
    options = StaircaseOptions(2.0, -20, 20, (0.1,), max_trials=2500, max_reversals=2500, **options)
    assert options.settles_at == pytest.approx(share, abs=1e-4)
    track = simulate(Staircase(options), listener, rng)
    levels = np.array([a.x[0] for a in track.history[500:]])
    assert listener(levels).mean() == pytest.approx(share, abs=0.02)
    assert listener(track.reversal_mean()) == pytest.approx(share, abs=0.05)


def test_reversal_means_take_an_even_number_after_the_last_step_change():
    track = up_down(1, 10, 0, 20, steps=(4, 1), reversals_per_step=2)
    levels = walk(track, "+-+-+-+")
    assert track.reversals == [1, 2, 3, 4, 5, 6]
    assert track.reversal_mean() == np.mean([levels[i] for i in (3, 4, 5, 6)])
    assert np.isnan(up_down(1, 10, 0, 20).reversal_mean())


def test_it_ends_by_reversals_or_by_trials_and_says_so():
    rng = np.random.default_rng(2)
    track = simulate(up_down(2, 5, -20, 20, max_reversals=8), from_gaussian(0, 2), rng)
    assert (len(track.reversals), track.reason) == (8, "8 reversals")
    track = simulate(up_down(2, 5, -20, 20, max_trials=7), from_gaussian(0, 2), rng)
    assert (track.n, track.reason) == (7, "7 trials")


@pytest.mark.parametrize("answer,bound", [("+", 0), ("-", 40)])
def test_a_track_stuck_at_a_bound_is_not_measurable(answer, bound):
    track = up_down(1, 20, 0, 40)
    while not track.finished:
        walk(track, answer)
        assert 0 <= track.suggest()[0] <= 40
    assert track.reason == f"not measurable: stuck at the bound {bound}"
    assert sum(track.bound_hits.values()) == track.options.stuck_after
    found = track.estimate()
    assert not found.measurable
    assert np.isnan(found.threshold.value)


def test_the_estimate_is_the_fit_to_all_trials():
    rng = np.random.default_rng(3)
    listener = from_gaussian(12.0, 2.0, lapse=0.02)
    track = simulate(up_down(2, 20, 0, 40, max_trials=300, max_reversals=300), listener, rng)
    found = track.estimate()
    assert found.measurable
    assert found.threshold.low < 12.0 < found.threshold.high
    assert found.threshold.value == pytest.approx(12.0, abs=1.0)
    assert found.n_trials == 300
    assert track.estimate(0.5).threshold.high < found.threshold.high


def test_a_log_staircase_on_a_falling_function_finds_its_threshold():
    rng = np.random.default_rng(4)
    listener = Psychometric("logistic", 0.2, 0.4, 0.5, 0.02, falling=True, log=True)
    track = up_down(
        2,
        0.02,
        0.001,
        1,
        scale="multiplicative",
        steps=(2, 1.2),
        harder="up",
        max_reversals=200,
        max_trials=200,
        function="logistic",
    )
    found = simulate(track, listener, rng).estimate()
    assert found.function.log and found.function.falling
    assert found.threshold.low < 0.2 < found.threshold.high
    assert found.threshold.value == pytest.approx(0.2, rel=0.25)


def test_catch_trials_do_not_move_the_track_and_reach_the_fit():
    rng = np.random.default_rng(5)
    listener = from_gaussian(0.0, 2.0, guess=0.3, lapse=0.02)
    track = up_down(1, 6, -20, 20, guess=None, max_trials=120, max_reversals=120)
    simulate(track, listener, rng, catch_every=3, guess=0.3)
    assert track.n == 120 and len(track.history) == 160
    level = track.suggest()
    track.catch(True)
    assert track.suggest() == level
    found = track.estimate()
    assert found.counts.catch[1] == 41
    assert found.guess.low < 0.3 < found.guess.high


def test_a_track_is_resumed_by_replaying_it():
    rng = np.random.default_rng(6)
    track = simulate(up_down(2, 6, -20, 20), from_gaussian(0, 2), rng, catch_every=5)
    again = replay(up_down(2, 6, -20, 20), track.history)
    assert again.state() == track.state()
    assert isinstance(again, Track)


def test_the_state_is_plain_json_at_every_stage():
    track = up_down(2, 6, -20, 20)
    for _ in range(20):
        state = json.loads(json.dumps(track.state(), allow_nan=False))
        assert state["n"] == track.n == len(state["levels"]) == len(state["successes"])
        assert state["suggestion"] == list(track.suggest())
        track.update(track.suggest(), track.n % 3 != 0)
    assert state["estimate"]["rule"]
    assert state["options"]["down"] == 2


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda: up_down(5, 1, 0, 2), "down=5 is no rule"),
        (lambda: up_down(2, 5, 0, 2), "start=5 is outside 0..2"),
        (lambda: up_down(2, 1, 2, 0), "low=2 is not below high=0"),
        (lambda: up_down(2, float("nan"), 0, 2), "start=nan"),
        (lambda: up_down(2, 1, 0, 2, steps=()), "move nothing"),
        (lambda: up_down(2, 1, 0, 2, steps=(0,)), "move nothing"),
        (lambda: up_down(2, 1, 0.5, 2, steps=(1,), scale="multiplicative"), "move nothing"),
        (lambda: up_down(2, 1, 0, 2, steps=(2,), scale="multiplicative"), "low=0 has no logarithm"),
        (lambda: up_down(2, 1, 0, 2, scale="dB"), "scale='dB'"),
        (lambda: up_down(2, 1, 0, 2, harder="left"), "harder='left'"),
        (lambda: up_down(2, 1, 0, 2, max_trials=0), "end a staircase before it starts"),
        (lambda: up_down(1, 1, 0, 2, target=1.0), "target=1.0"),
        (lambda: StaircaseOptions(1, 0, 2, down=2, target=0.75), "down=1"),
        (lambda: up_down(2, 1, 0, 2).update((float("nan"),), True), "nan"),
        (lambda: up_down(2, 1, 0, 2).update((1, 2), True), "is no level of this track"),
        (lambda: up_down(2, 1, 0, 2).update((1,), "yes"), "'yes' is neither right nor wrong"),
        (lambda: up_down(2, 1, 0, 2).estimate(), "0 trials"),
    ],
)
def test_impossible_staircases_are_refused(call, match):
    with pytest.raises(UserError, match=match):
        call()


def track_of(lapse, seed):
    """A finished 1-up 2-down staircase on a listener of threshold 0, as a plan has it."""
    rng = np.random.default_rng(seed)
    track = up_down(
        2, 6, -6, 6, steps=(2, 1, 0.5), max_trials=120, max_reversals=120, check_every=5
    )
    return simulate(track, from_gaussian(0.0, 1.0, lapse=lapse), rng)


def test_a_listener_that_slips_in_three_of_ten_has_no_threshold_by_staircase():
    """Its answers settle nowhere: a threshold told of the easy levels alone is wrong."""
    found = [track_of(0.3, seed).estimate() for seed in range(12)]
    assert sum(f.measurable for f in found) <= 1
    reasons = [f.reason for f in found if not f.measurable]
    assert sum("constant levels or QUEST+" in reason for reason in reasons) >= 9
    careful = [track_of(0.02, seed).estimate() for seed in range(6)]
    assert all(f.measurable for f in careful)


def test_the_threshold_may_lie_wherever_the_track_might_have_gone():
    found = track_of(0.3, 1).estimate()
    assert found.counts.reach == (-6.0, 6.0) and found.counts.low > -6.0
    falling = Staircase(StaircaseOptions(0.5, 0.1, 10, (2,), scale="multiplicative", harder="up"))
    walk(falling, "++-+--+-")
    assert falling.estimate().counts.likely == pytest.approx((-1.0, 1.0))
