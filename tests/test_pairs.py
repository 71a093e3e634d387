"""Signal and counterpart: the two sounds of a two-answer task, found again from either."""

import dataclasses

import numpy as np
import pytest

from spectcount.designs import Pulses
from spectcount.errors import UserError
from spectcount.pairs import draw_pair, pair_of
from spectcount.stimulus import Stimulus
from spectcount.tasks import task

ONE = Pulses(n_events=1, placement="random", e_n0_db=20.0)


@pytest.mark.parametrize("name", ["detect", "interval"])
@pytest.mark.parametrize("seed", range(8))
def test_the_first_answer_is_true_of_the_signal_and_the_second_of_the_counterpart(name, seed):
    pair = draw_pair(ONE, seed, name)
    assert tuple(task(name).truth(one) for one in pair) == task(name).answers
    assert pair[0].noise_seed == pair[1].noise_seed
    assert pair[0].noise_sigma == pair[1].noise_sigma > 0


@pytest.mark.parametrize("name", ["detect", "interval"])
def test_either_of_a_pair_tells_the_other_also_after_a_round_trip(name):
    pair = draw_pair(ONE, 3, name)
    for one in pair:
        again = Stimulus.from_json(one.to_json())
        assert pair_of(again, name) == pair


def test_a_stimulus_that_was_changed_or_is_from_elsewhere_tells_nothing():
    signal, _ = draw_pair(ONE, 3, "interval")
    assert pair_of(dataclasses.replace(signal, noise_seed=1), "interval") is None
    assert pair_of(dataclasses.replace(signal, meta={}), "interval") is None


def test_the_other_half_is_half_a_clip_away():
    signal, other = draw_pair(ONE, 5, "interval")
    apart_s = other.events[0].onset_s - signal.events[0].onset_s
    assert np.isclose(apart_s, signal.duration_s / 2) or other.events[0].offset_s == 4.0


def test_a_task_without_a_pair_is_refused():
    with pytest.raises(UserError, match="pulses has no signal and counterpart for the task 'gap'"):
        draw_pair(ONE, 0, "gap")
    with pytest.raises(UserError, match="would be no and no"):
        draw_pair(Pulses(n_events=0), 0, "detect")
