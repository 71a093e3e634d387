"""Averages over groups and their changes, against what is known of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import bootstrap

from spectcount.benchmarks import averages
from spectcount.psychophysics.sdt import wilson

RNG = np.random.default_rng(4)


def test_the_mean_is_over_groups_and_leaves_out_what_has_no_denominator():
    marks = [True, True, False, False, None, None]
    groups = ["a", "a", "a", "b", "b", "c"]
    assert averages.score(marks, groups) == pytest.approx((2 / 3 + 0) / 2)
    assert math.isnan(averages.score([None], ["a"]))


def test_one_group_has_wilsons_interval():
    assert averages.interval([True] * 81 + [False] * 182, ["all"] * 263) == wilson(81, 263)


def test_a_macro_interval_holds_the_truth_about_as_often_as_it_says():
    truth, groups, held = [0.2, 0.5, 0.8, 0.6], [g for g in "abcd" for _ in range(30)], 0
    for trial in range(200):
        marks = [bool(RNG.random() < truth["abcd".index(g)]) for g in groups]
        found = averages.interval(marks, groups, seed=trial)
        held += found.low <= np.mean(truth) <= found.high
    assert 180 <= held <= 199


def test_a_plain_change_agrees_with_the_paired_bootstrap():
    x, y = RNG.random(400) < 0.5, RNG.random(400) < 0.6
    ours = averages.change(list(map(bool, x)), list(map(bool, y)), ["all"] * 400)
    theirs = bootstrap(
        (x.astype(float), y.astype(float)),
        lambda a, b, axis: b.mean(axis) - a.mean(axis),
        paired=True,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert ours.value == pytest.approx(y.mean() - x.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.012)


def test_each_listener_keeps_its_own_denominator():
    x, y = [True, False, None, None], [True, None, False, True]
    found = averages.change(x, y, ["all"] * 4)
    assert found.value == pytest.approx(2 / 3 - 1 / 2)


def test_a_group_that_one_of_them_never_counts_in_is_in_neither_mean():
    found = averages.change([True, False, None], [True, True, True], ["a", "a", "b"])
    assert found.value == pytest.approx(1 - 1 / 2)
    empty = averages.change([None], [True], ["a"])
    assert math.isnan(empty.value) and empty.low == -math.inf
