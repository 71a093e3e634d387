"""Verdicts: the word follows from the interval alone, and never says more than it."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest

from spectcount.errors import UserError
from spectcount.probing.verdict import (
    ACCURACY,
    COUNT_BIAS,
    CRITERION,
    D_PRIME,
    EQUIVALENT,
    FALSE_ALARMS,
    IMPROVED,
    NOT_MEASURABLE,
    NOT_SHOWN,
    WORSE,
    MapVerdict,
    Measure,
    Verdict,
    signed,
    verdict,
    worst,
)
from spectcount.psychophysics.sdt import Interval

EDGES = [
    0.0,
    -0.0,
    1e-300,
    -1e-300,
    5e-324,
    1e-9,
    -1e-9,
    0.004,
    0.3,
    1.0,
    80.0,
    math.inf,
    -math.inf,
    math.nan,
]
NUMBER = r"[+-]?(?:\d[\d.]*(?:e[+-]\d+)?|inf)"


def random_intervals():
    """Intervals of all sizes, and all pairs of edge cases: zero, touching, nan, infinite."""
    rng = np.random.default_rng(0)
    for _ in range(3000):
        low, high = np.sort(rng.normal(0, 10 ** rng.uniform(-6, 2), 2) + rng.normal(0, 0.1))
        yield Interval(float(rng.uniform(low, high)), float(low), float(high))
    for low in EDGES:
        for high in EDGES:
            if not low > high:
                for value in (low, high, 0.0, math.nan):
                    yield Interval(value, low, high)


@pytest.mark.parametrize("margin", [None, 0.2])
@pytest.mark.parametrize("measure", [D_PRIME, FALSE_ALARMS, CRITERION])
def test_no_word_is_said_that_the_interval_does_not_hold(measure, margin):
    seen = set()
    for interval in random_intervals():
        found = Verdict(interval, measure, 50, margin)
        seen.add(found.kind)
        holds_zero = not (interval.low > 0 or interval.high < 0)
        if holds_zero or math.isnan(interval.value):
            assert found.kind in (NOT_SHOWN, EQUIVALENT, NOT_MEASURABLE), found
            assert not re.search(r"improved|worse|changed|unchanged", found.sentence), found
        if found.kind == IMPROVED:
            assert interval.low > 0 if measure.better > 0 else interval.high < 0
        if found.kind == WORSE:
            assert interval.high < 0 if measure.better > 0 else interval.low > 0
        if found.kind == EQUIVALENT:
            assert margin and -margin < interval.low and interval.high < margin
    assert NOT_SHOWN in seen and NOT_MEASURABLE in seen and len(seen) >= 3


def test_the_printed_interval_agrees_with_the_word():
    """Read back from the sentence, the interval lies on the same side of zero as it does."""
    for interval in random_intervals():
        found = verdict(interval, n=9)
        if found.kind == NOT_MEASURABLE:
            assert "[" not in found.sentence
            continue
        if one_end := re.search(rf"at (least|most) ({NUMBER}) at", found.sentence):
            end = float(one_end.group(2))
            kept = interval.low if one_end.group(1) == "least" else interval.high
            assert (np.sign(end) == np.sign(kept)) and not np.isinf(kept), found.sentence
            continue
        low, high = re.search(rf"\[({NUMBER}), ({NUMBER})\]", found.sentence).groups()
        assert (float(low) > 0) == (interval.low > 0), found.sentence
        assert (float(high) < 0) == (interval.high < 0), found.sentence


def test_a_factor_is_shown_on_the_right_side_of_one():
    halved = Measure("threshold", better=-1, factor=True)
    found = verdict(Interval(-0.30103, -0.5, -0.0001), halved, 40)
    assert found.sentence == (
        "improved: threshold ×0.5000 [0.3162, 0.9998] at 95 %, 40 paired trials"
    )
    assert "×0.50 [0.32, 1.26]" in verdict(Interval(-0.30103, -0.5, 0.1), halved, 40).sentence


def test_the_word_cannot_be_given():
    with pytest.raises(TypeError):
        Verdict(Interval(0, -1, 1), kind="improved")
    found = Verdict(Interval(0.1, -1, 1))
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
        found.kind = "improved"


@pytest.mark.parametrize(
    "interval,measure,margin,sentence",
    [
        (
            (0.3, -0.1, 0.7),
            D_PRIME,
            None,
            "no change shown: d' +0.30 [-0.10, +0.70] at 95 %, 100 paired trials",
        ),
        (
            (0.3, 0.001, 0.7),
            D_PRIME,
            None,
            "improved: d' +0.300 [+0.001, +0.700] at 95 %, 100 paired trials",
        ),
        (
            (0.3, 0.0, 0.7),
            D_PRIME,
            None,
            "no change shown: d' +0.30 [0.00, +0.70] at 95 %, 100 paired trials",
        ),
        (
            (0.1, 0.05, 0.2),
            FALSE_ALARMS,
            None,
            "worse: false-alarm rate +0.10 [+0.05, +0.20] at 95 %, 100 paired trials",
        ),
        (
            (0.0, -0.1, 0.1),
            ACCURACY,
            0.2,
            "equivalent within ±0.2: accuracy 0.00 [-0.10, +0.10] at 95 %, 100 paired trials",
        ),
        (
            (0.0, -0.2, 0.1),
            ACCURACY,
            0.2,
            "no change shown: accuracy 0.00 [-0.20, +0.10] at 95 %, 100 paired trials",
        ),
        (
            (0.1, 0.05, 0.15),
            ACCURACY,
            0.2,
            "improved: accuracy +0.10 [+0.05, +0.15] at 95 %, 100 paired trials "
            "(smaller than the margin of 0.2)",
        ),
        (
            (-0.4, -0.6, -0.2),
            CRITERION,
            None,
            "changed: criterion c -0.40 [-0.60, -0.20] at 95 %, 100 paired trials "
            "(more inclined to the first answer)",
        ),
        (
            (0.5, 0.2, 0.8),
            COUNT_BIAS,
            None,
            "changed: count bias +0.50 [+0.20, +0.80] events at 95 %, 100 paired trials "
            "(counts higher than before)",
        ),
        (
            (math.nan, -math.inf, math.inf),
            D_PRIME,
            0.2,
            "not measurable: the change of d' has no interval, at 95 %, 100 paired trials",
        ),
        (
            (1.0, 0.4, math.inf),
            D_PRIME,
            None,
            "improved: d' at least +0.40 at 95 %, 100 paired trials",
        ),
    ],
)
def test_sentences(interval, measure, margin, sentence):
    found = verdict(Interval(*interval), measure, 100, margin)
    assert found.sentence == sentence
    assert found.to_dict()["kind"] == found.kind


@pytest.mark.parametrize(
    "make,match",
    [
        (lambda: Verdict(Interval(0, 1, -1)), "runs backwards"),
        (lambda: Verdict(Interval(0, -1, 1), margin=0.0), "margin=0.0 excludes no change"),
        (lambda: Verdict(Interval(0, -1, 1), margin=math.nan), "excludes no change"),
        (lambda: Measure("x", better=2), "no direction"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(UserError, match=match):
        make()


def test_a_map_is_judged_by_its_counts():
    found = MapVerdict(8, 0, 88, 0, 0.05, "McNemar")
    assert found.kind == IMPROVED
    assert found.sentence == (
        "of 96 cells, 8 better, 0 worse, 88 no change shown (McNemar, false-discovery rate 5 %)"
    )
    assert MapVerdict(0, 0, 4, 0, 0.05, "t").kind == NOT_SHOWN
    assert MapVerdict(1, 2, 4, 0, 0.05, "t").kind == "changed"
    assert MapVerdict(0, 0, 0, 9, 0.05, "t").kind == NOT_MEASURABLE
    assert "not asked yet" in MapVerdict(0, 1, 4, 9, 0.05, "t").sentence


def test_the_largest_loss_is_found_whatever_the_direction():
    gain, loss = verdict(Interval(0.5, 0.1, 0.9)), verdict(Interval(0.3, 0, 0.6), FALSE_ALARMS)
    unknown = verdict(Interval(math.nan, -math.inf, math.inf))
    assert worst([gain, unknown, loss]) is loss
    assert worst([unknown]) is None
    assert signed(gain.interval) == "+0.50 [+0.10, +0.90]"


def test_cells_never_contradict_the_verdict_over_all_trials():
    cells = MapVerdict(2, 0, 46, 0, 0.05, "a test", headline=WORSE)
    assert cells.kind == "changed" and cells.sentence.endswith("all trials together say worse")
    assert MapVerdict(2, 0, 46, 0, 0.05, "a test", headline=IMPROVED).kind == IMPROVED
    assert MapVerdict(0, 2, 46, 0, 0.05, "a test", headline=NOT_SHOWN).kind == WORSE
