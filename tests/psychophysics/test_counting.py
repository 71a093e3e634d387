"""Counting statistics: by hand on small tables, and recovery of a noisy counter."""

import dataclasses
import json

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.psychophysics.counting import (
    count_grid,
    counting,
    edges_of,
    neighbour_distance_cam,
    neighbour_spacing_ms,
)
from spectcount.psychophysics.sdt import wilson
from spectcount.scales import erb_number

NAN = float("nan")


def noisy_counter(n, rng, bias=0.0, weber=0.2, lowest=1, highest=6):
    """True numbers, and what a counter of known bias and Weber fraction says."""
    truth = rng.integers(lowest, highest + 1, n)
    said = np.round(truth + bias + rng.normal(0, 1, n) * weber * truth)
    return truth, np.clip(said, 0, 20)


def test_a_table_by_hand():
    found = counting([1, 1, 2, 2, 2], [1, 2, 2, 2, NAN], answers=range(4))
    assert found.true_counts.tolist() == [1, 2]
    assert found.confusion.tolist() == [[0, 1, 1, 0], [0, 0, 2, 0]]
    assert found.unparsed.tolist() == [0, 1] and found.n.tolist() == [2, 3]
    assert found.accuracy.value.tolist() == pytest.approx([1 / 2, 2 / 3])
    assert found.share.at((0, 1)).low == wilson(1, 2).low
    assert found.bias.value.tolist() == [0.5, 0]
    assert found.absolute_error.value.tolist() == [0.5, 0]
    assert found.weber.value.tolist() == pytest.approx([np.sqrt(0.5), 0])
    assert found.overall["accuracy"].value == pytest.approx(3 / 5)
    assert found.overall["bias"].value == pytest.approx(1 / 4)


def test_chance_of_those_who_hear_nothing():
    chance = counting([1, 1, 1, 2], [2, 2, 2, 2], answers=range(5)).chance
    assert (chance.uniform, chance.constant, chance.independent) == (1 / 5, 3 / 4, 1 / 4)


def test_a_noisy_counter_is_recovered():
    truth, said = noisy_counter(20_000, np.random.default_rng(0), bias=0.5, weber=0.25)
    found = counting(truth, said, answers=range(21))
    assert found.overall["bias"].value == pytest.approx(0.5, abs=0.03)
    high = found.true_counts >= 3
    assert found.weber.value[high] == pytest.approx(0.25, abs=0.02)


def test_bootstrap_intervals_cover_the_truth():
    rng, inside = np.random.default_rng(1), []
    everything = counting(*noisy_counter(400_000, rng), answers=range(21), n_resamples=1)
    for _ in range(200):
        found = counting(*noisy_counter(240, rng), answers=range(21), n_resamples=400)
        pairs = (
            (found.overall["bias"], everything.overall["bias"].value),
            (found.overall["absolute_error"], everything.overall["absolute_error"].value),
            (found.weber.at(4), everything.weber.value[4]),
        )
        inside.append([interval.low <= truth <= interval.high for interval, truth in pairs])
    assert np.all(np.mean(inside, axis=0) >= 0.89)
    assert np.mean(inside) >= 0.92


def test_one_trial_bounds_nothing_and_zero_has_no_weber_fraction():
    found = counting([0, 0, 3], [0, 1, 3])
    assert (found.bias.low[1], found.bias.high[1]) == (-np.inf, np.inf)
    assert np.isnan(found.weber.value).all() and found.weber.high.tolist() == [np.inf, np.inf]
    assert np.isnan(found.overall["weber"].value) and found.overall["weber"].low == 0


def test_nothing_but_unreadable_replies():
    found = counting([1, 2], [NAN, NAN])
    assert found.unparsed.tolist() == [1, 1] and found.overall["accuracy"].value == 0
    assert np.isnan(found.overall["bias"].value) and found.overall["bias"].high == np.inf


def test_a_grid_by_hand():
    found = count_grid(
        truth=[2, 2, 2, 2, 2, 2], said=[2, 1, 2, 3, NAN, 2],
        spacing_ms=[10, 10, 90, 90, 90, NAN], distance_cam=[0, 0, 3, 3, 3, 1],
        x_edges=[0, 50, 100], y_edges=[0, 2, 4],
    )  # fmt: skip
    assert found.n.tolist() == [[2, 0], [0, 3]] and found.unparsed.tolist() == [[0, 0], [0, 1]]
    assert found.accuracy.at((0, 0)).value == 0.5
    assert found.accuracy.at((1, 1)).value == pytest.approx(1 / 3)
    assert np.isnan(found.accuracy.at((0, 1)).value) and found.accuracy.at((0, 1)).high == 1
    assert found.bias.at((0, 0)).value == -0.5 and found.bias.at((1, 1)).value == 0.5
    assert found.absolute_error.at((1, 1)).value == 0.5
    assert (found.without, found.outside) == (1, 0)


def test_a_grid_shows_where_counting_breaks_down():
    rng = np.random.default_rng(2)
    n = 3000
    spacing, distance = rng.choice([20, 80, 320], n), rng.choice([0.0, 1.0, 4.0], n)
    truth = rng.integers(2, 6, n)
    heard = rng.random(n) < np.where((spacing < 50) & (distance < 2), 0.2, 0.95)
    found = count_grid(truth, np.where(heard, truth, truth - 1), spacing, distance)
    assert found.n.shape == (3, 3) and found.n.sum() == n
    poor = found.accuracy.high < 0.5
    assert poor.tolist() == [[True, False, False], [True, False, False], [False, False, False]]
    assert found.bias.value[0, 0] == pytest.approx(-0.8, abs=0.1)


def test_edges_hold_every_value():
    assert edges_of([1, 3, 5]).tolist() == [0, 2, 4, 6]
    many = np.random.default_rng(3).uniform(0, 1, 500)
    counts, _ = np.histogram(many, edges_of(many, 5))
    assert counts.sum() == 500 and counts.min() >= 99
    assert edges_of([2.0, 2.0]).tolist() == [1.5, 2.5]


def test_neighbours_of_a_drawn_stimulus():
    design = Pulses(n_events=4, gap_ms=120, frequency_overlap=0.5, frequency_order="rising")
    data = draw(design, 5).to_dict()
    cam = erb_number(design.neighbours_hz())
    assert neighbour_distance_cam(data) == pytest.approx(np.diff(cam).mean(), abs=1e-3)
    assert neighbour_spacing_ms(data) == pytest.approx(120, abs=0.1)
    shuffled = {**data, "events": data["events"][::-1]}
    assert neighbour_distance_cam(shuffled) == neighbour_distance_cam(data)
    alone = draw(dataclasses.replace(design, n_events=1), 5).to_dict()
    assert np.isnan(neighbour_distance_cam(alone)) and np.isnan(neighbour_spacing_ms(alone))


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda: counting([], []), "do not pair"),
        (lambda: counting([1, 2], [1]), "do not pair"),
        (lambda: counting([12], [1]), "true number of 12"),
        (lambda: counting([1], [2.5]), r"said number of 2\.5"),
        (lambda: counting([NAN], [1]), "true number of nan"),
        (lambda: count_grid([1], [1], [1, 2], [1]), "spacing_ms of shape"),
        (lambda: count_grid([1], [1], [NAN], [NAN]), "edges of no values"),
        (lambda: count_grid([1], [1], [1], [1], x_edges=[2, 1]), "do not rise"),
        (lambda: neighbour_distance_cam({}), "no events"),
    ],
)
def test_impossible_input_is_refused(call, match):
    with pytest.raises(UserError, match=match):
        call()


def test_the_same_seed_gives_the_same_intervals():
    block = noisy_counter(50, np.random.default_rng(4))
    one, two = (counting(*block, answers=range(21), seed=7).to_dict() for _ in range(2))
    assert one == two and one["seed"] == 7
    assert json.loads(json.dumps(one, allow_nan=False)) == one
