"""Efficiency: simple cases by hand, ends in words, and coverage when both sides are measured."""

import numpy as np
import pytest

from spectcount.errors import UserError
from spectcount.psychophysics.efficiency import efficiency, threshold_efficiency
from spectcount.psychophysics.sdt import Interval


def test_half_the_ideals_sensitivity_is_a_quarter():
    found = efficiency(Interval(1.0, 0.5, 1.5), 2.0)
    share = found.efficiency
    assert (share.value, share.low, share.high) == pytest.approx((0.25, 0.0625, 0.5625))
    assert found.loss_db.value == pytest.approx(6.0206, abs=1e-4)
    assert (found.loss_db.low, found.loss_db.high) == pytest.approx((2.4988, 12.0412), abs=1e-4)
    assert found.words == ""


def test_known_numbers_have_no_width():
    share = efficiency(2.0, 2.0).efficiency
    assert (share.value, share.low, share.high) == pytest.approx((1, 1, 1))


def test_a_measured_ideal_widens_the_interval():
    model = Interval(1.0, 0.6, 1.4)
    known, measured = efficiency(model, 2.0), efficiency(model, Interval(2.0, 1.6, 2.4))
    assert measured.efficiency.low < known.efficiency.low
    assert measured.efficiency.high > known.efficiency.high
    assert measured.efficiency.value == known.efficiency.value


def test_an_ideal_that_may_be_deaf_bounds_nothing_above():
    share = efficiency(Interval(1.0, 0.6, 1.4), Interval(0.5, -0.1, 1.1)).efficiency
    assert share.high == np.inf and 0 < share.low < share.value


def test_without_noise_the_efficiency_is_zero_in_words():
    found = efficiency(Interval(3.0, 2.5, 3.5), np.inf)
    share = found.efficiency
    assert (share.value, share.low, share.high) == (0, 0, 0)
    assert "no noise" in found.words
    assert found.loss_db.value == np.inf
    both = efficiency(Interval(np.inf, 3.0, np.inf), np.inf)
    assert np.isnan(both.efficiency.value) and "undefined" in both.words
    assert (both.efficiency.low, both.efficiency.high) == (0, np.inf)


def test_no_sensitivity_is_zero_and_not_the_square_of_a_negative():
    found = efficiency(Interval(-0.4, -0.9, 0.1), 1.0)
    assert (found.efficiency.value, found.efficiency.low) == (0, 0)
    assert found.efficiency.high == pytest.approx(0.01)
    assert "0 or below" in found.words
    assert efficiency(Interval(-1.0, -1.5, -0.5), 1.0).efficiency.high == 0


def test_better_than_the_ideal_is_said():
    assert "check the ideal" in efficiency(Interval(3.0, 2.5, 3.5), 2.0).words
    assert efficiency(Interval(2.1, 1.5, 2.7), 2.0).words == ""


def test_unbounded_and_unknown_models_stay_plain():
    found = efficiency(Interval(np.inf, 2.0, np.inf), 4.0).efficiency
    assert (found.value, found.low, found.high) == (np.inf, pytest.approx(0.25), np.inf)
    found = efficiency(Interval(1.0, -np.inf, np.inf), 2.0).efficiency
    assert (found.value, found.low, found.high) == (0.25, 0, np.inf)
    unknown = efficiency(Interval(np.nan, -np.inf, np.inf), 2.0)
    assert np.isnan(unknown.efficiency.value) and unknown.efficiency.high == np.inf
    assert unknown.words == "the model's d' is unknown"


def test_maps_are_taken_cell_by_cell():
    model = Interval(np.array([1.0, -1.0, 2.0]), np.array([0.5, -2, 1]), np.array([1.5, 0, 3]))
    found = efficiency(model, np.array([2.0, 2.0, np.inf]))
    assert found.efficiency.value.tolist() == pytest.approx([0.25, 0, 0])
    assert found.words[0] == "" and "0 or below" in found.words[1] and "noise" in found.words[2]


@pytest.mark.parametrize("d_model,d_ideal", [(1.0, 2.0), (0.5, 3.0), (2.0, 2.0)])
def test_the_interval_covers_when_both_are_measured(d_model, d_ideal):
    rng = np.random.default_rng(4)
    sd_model, sd_ideal = 0.25, 0.3
    m, i = rng.normal(d_model, sd_model, 4000), rng.normal(d_ideal, sd_ideal, 4000)
    half_m, half_i = 1.96 * sd_model, 1.96 * sd_ideal
    found = efficiency(Interval(m, m - half_m, m + half_m), Interval(i, i - half_i, i + half_i))
    truth = (d_model / d_ideal) ** 2
    covered = np.mean((found.efficiency.low <= truth) & (truth <= found.efficiency.high))
    assert 0.93 <= covered <= 0.97


def test_thresholds_differ_in_db():
    found = threshold_efficiency(Interval(16.0, 13.0, 19.0), Interval(6.0, 2.0, 10.0))
    assert (found.loss_db.value, found.loss_db.low, found.loss_db.high) == pytest.approx(
        (10, 5, 15)
    )
    share = found.efficiency
    assert (share.value, share.low, share.high) == pytest.approx((0.1, 10**-1.5, 10**-0.5))
    assert found.words == ""


def test_a_threshold_that_is_not_measurable_keeps_its_bound():
    found = threshold_efficiency(Interval(np.nan, 20.0, np.inf), 6.0)
    assert np.isnan(found.loss_db.value) and "not measurable" in found.words
    assert (found.loss_db.low, found.loss_db.high) == (14, np.inf)
    assert (found.efficiency.low, found.efficiency.high) == (0, pytest.approx(10**-1.4))
    half = threshold_efficiency(Interval(10.0, 8.0, np.inf), Interval(4.0, -np.inf, 6.0))
    assert half.loss_db.high == np.inf and np.isfinite(half.loss_db.low)


def test_both_ways_agree_for_a_signal_known_exactly():
    by_threshold = threshold_efficiency(20.0, 14.0).efficiency.value
    assert efficiency(1.0, 10 ** (6 / 20)).efficiency.value == pytest.approx(by_threshold)


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda: efficiency(1.0, 0.0), "ideal d' of 0"),
        (lambda: efficiency(1.0, np.nan), "ideal is nan"),
        (lambda: efficiency(np.nan, 1.0), "model is nan"),
        (lambda: efficiency(1.0, -1.0), "ideal d' of -1"),
        (lambda: efficiency(Interval(1, 2, 3), 1.0), "outside its interval"),
        (lambda: efficiency(Interval(1, 0, 2, 0.9), Interval(1, 0, 2, 0.95)), "do not combine"),
    ],
)
def test_impossible_input_is_refused(call, match):
    with pytest.raises(UserError, match=match):
        call()


def test_the_result_is_plain_data():
    data = efficiency(Interval(1.0, 0.5, 1.5, 0.9), 2.0).to_dict()
    assert data["efficiency"]["level"] == 0.9 and "Donner" in data["efficiency"]["rule"]
