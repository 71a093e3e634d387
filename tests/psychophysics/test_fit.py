"""Fits: golden data, a second way to the same posterior, symmetry, and what is not measurable."""

import json
import re

import numpy as np
import pytest
from scipy.stats import binom

from spectcount.errors import UserError
from spectcount.psychophysics import goodness
from spectcount.psychophysics.fit import BAYES, FIXED, fit
from spectcount.psychophysics.fit_data import MAX_LEVELS
from spectcount.psychophysics.psychometric import Psychometric
from tests.psychophysics.conversions import from_gaussian

# psignifit's example: 2AFC, 90 trials at each level. Its MAP threshold is .0046448 (Matlab) or
# .0046464 (Python 4.3).
LEVELS = np.array([10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 100]) / 1e4
CORRECT = np.array([45, 50, 44, 44, 52, 53, 62, 64, 76, 79, 88, 90, 90])
GOLDEN = 0.0046456
X = np.linspace(-6, 6, 7)
TRUTH = from_gaussian(0.5, 2.0, lapse=0.02)


def expected(function=TRUTH, levels=X, n=40):
    """Counts as they are on average."""
    return levels, np.rint(n * function(levels)), np.full(len(levels), n)


@pytest.mark.parametrize("lapse_max", [0.1, 0.5])
@pytest.mark.parametrize("overdispersion", [False, True])
def test_the_golden_threshold_of_psignifits_example(lapse_max, overdispersion):
    found = fit(LEVELS, CORRECT, [90] * 13, lapse_max=lapse_max, overdispersion=overdispersion)
    assert found.map.threshold == pytest.approx(GOLDEN, rel=0.01)
    assert found.mean.threshold == pytest.approx(GOLDEN, rel=0.01)
    assert found.threshold.value == pytest.approx(GOLDEN, rel=0.01)
    assert found.threshold.low < GOLDEN < found.threshold.high
    assert found.measurable and found.reason == ""
    assert found.goodness_p > 0.5


def test_the_posterior_agrees_with_one_computed_plainly():
    """Lapse fixed: a dense plain grid over threshold and log width, priors written out again."""
    k, n = np.array([10, 13, 12, 18, 25, 27, 29]), np.full(7, 30)
    found = fit(X, k, n, lapse=0.01)
    t = np.linspace(-12, 12, 601)[:, None]
    w = np.geomspace(0.6, 36, 400)[None, :]
    log_posterior = sum(
        binom.logpmf(ki, ni, Psychometric("gaussian", 0, 1, 0.5, 0.01)((x - t) / w))
        for x, ki, ni in zip(X, k, n, strict=True)
    )
    prior_t = np.where(abs(t) <= 6, 1, (1 + np.cos(np.pi * (abs(t) - 6) / 6)) / 2)
    rise, fall = np.clip((w - 0.6) / 0.6, 0, 1), np.clip((36 - w) / 24, 0, 1)
    prior_w = (1 - np.cos(np.pi * rise)) * (1 - np.cos(np.pi * fall)) / 4
    mass = np.exp(log_posterior - log_posterior.max()) * prior_t * prior_w
    below = np.cumsum(mass.sum(axis=1)) / mass.sum()
    low, median, high = np.interp([0.025, 0.5, 0.975], below, t[:, 0])
    assert found.threshold.value == pytest.approx(median, abs=0.03)
    assert found.threshold.low == pytest.approx(low, abs=0.05)
    assert found.threshold.high == pytest.approx(high, abs=0.05)
    below = np.cumsum(mass.sum(axis=0)) / mass.sum()
    low, high = np.interp([0.025, 0.975], below, w[0])
    assert found.width.low == pytest.approx(low, rel=0.05)
    assert found.width.high == pytest.approx(high, rel=0.05)


@pytest.mark.parametrize("function", ["gaussian", "logistic", "weibull"])
def test_average_counts_of_many_trials_give_the_truth_back(function):
    truth = Psychometric(function, 0.5, 5.0, 0.5, 0.02)
    levels = np.linspace(-6, 6, 13)
    found = fit(*expected(truth, levels, 20_000), function=function)
    assert found.threshold.value == pytest.approx(0.5, abs=0.05)
    assert found.width.value == pytest.approx(5.0, rel=0.03)
    assert found.lapse.value == pytest.approx(0.02, abs=0.002)
    assert found.slope.value == pytest.approx(truth.slope, rel=0.03)
    assert found.threshold.high - found.threshold.low < 0.2


def test_a_biased_yes_no_listener_is_told_from_a_sensitive_one():
    truth = from_gaussian(0.5, 2.0, guess=0.35, lapse=0.02)
    found = fit(*expected(truth, n=200), guess=None, catch=(70, 200))
    assert found.guess.low < 0.35 < found.guess.high
    assert found.threshold.value == pytest.approx(0.5, abs=0.2)
    ignored = fit(*expected(truth, n=200), guess=0.0)
    assert ignored.threshold.value < -0.5


def test_catch_trials_sharpen_the_guess_rate():
    data = expected(from_gaussian(0.5, 2.0, guess=0.35, lapse=0.02))
    without, with_catch = fit(*data, guess=None), fit(*data, guess=None, catch=(70, 200))
    spread = [f.guess.high - f.guess.low for f in (without, with_catch)]
    assert spread[1] < 0.8 * spread[0]
    assert with_catch.n_trials == without.n_trials + 200


def test_one_row_per_trial_is_the_same_as_counts():
    rng = np.random.default_rng(3)
    levels = rng.permutation(np.repeat(X, 20))
    answers = rng.random(140) < TRUTH(levels)
    k = [answers[levels == x].sum() for x in X]
    assert fit(levels, answers) == fit(X, k, [20] * 7)


def test_levels_without_trials_change_nothing():
    x, k, n = expected()
    assert fit([*x, 50.0], [*k, 0], [*n, 0]) == fit(x, k, n)


def test_a_falling_function_is_the_mirror_image():
    x, k, n = expected()
    rising, falling = fit(x, k, n), fit(-x, k, n, falling=True)
    assert falling.function.falling
    assert falling.threshold.value == pytest.approx(-rising.threshold.value)
    assert falling.threshold.low == pytest.approx(-rising.threshold.high)
    assert falling.slope.value == pytest.approx(-rising.slope.value)
    assert falling.slope.low == pytest.approx(-rising.slope.high)
    assert falling.level_for(0.8).high == pytest.approx(-rising.level_for(0.8).low)
    assert falling.deviance == pytest.approx(rising.deviance)


def test_a_log_axis_is_a_fit_to_the_logarithm():
    x, k, n = expected()
    plain, log = fit(x / 10, k, n), fit(10 ** (x / 10), k, n, log=True)
    assert log.threshold.value == pytest.approx(10**plain.threshold.value)
    assert log.threshold.high == pytest.approx(10**plain.threshold.high)
    assert log.width.value == pytest.approx(plain.width.value)
    assert log.level_for(0.8).low == pytest.approx(10 ** plain.level_for(0.8).low)


def test_units_do_not_matter():
    x, k, n = expected()
    small, large = fit(x * 1e-6, k, n), fit(x * 1e6 + 1e9, k, n)
    assert small.threshold.value * 1e6 == pytest.approx(
        (large.threshold.value - 1e9) / 1e6, abs=1e-3
    )


def test_other_levels_of_performance():
    found = fit(*expected(n=200))
    for pc in (0.62, 0.75, 0.88):
        at = found.level_for(pc)
        assert found.function(at.value) == pytest.approx(pc)
        assert at.low < at.value < at.high
    assert found.level_for(0.62).value < found.threshold.value < found.level_for(0.88).value
    known = fit(*expected(n=200), lapse=0.02)
    near = known.level_for(known.function.criterion)
    assert near.value == pytest.approx(known.threshold.value)
    assert near.low == pytest.approx(known.threshold.low, abs=0.05)
    assert near.high == pytest.approx(known.threshold.high, abs=0.05)


def test_a_performance_the_curve_never_reaches_has_no_level():
    found = fit(*expected())
    unreached = found.level_for(0.999)
    assert np.isnan(unreached.value)
    assert (unreached.low, unreached.high) == (-np.inf, np.inf)


def test_wider_levels_of_confidence_are_wider():
    half, most = fit(*expected(), level=0.5), fit(*expected(), level=0.99)
    assert most.threshold.low < half.threshold.low < half.threshold.high < most.threshold.high
    assert half.threshold.level == 0.5


def test_rules_are_named_and_fixed_rates_say_so():
    found = fit(*expected(), lapse=0.02)
    assert found.threshold.rule == found.width.rule == found.slope.rule == BAYES
    assert found.guess.rule == found.lapse.rule == FIXED
    assert (found.lapse.low, found.lapse.value, found.lapse.high) == (0.02, 0.02, 0.02)


def test_fits_repeat_exactly():
    first, second = (fit(*expected()) for _ in range(2))
    assert first == second
    assert first.goodness_p == second.goodness_p


@pytest.mark.parametrize("guess", [0.5, None])
@pytest.mark.parametrize(
    "k,match",
    [
        ([20] * 7, "performance stays above"),
        ([0] * 7, "performance stays below"),
        ([15] * 7, "the answers do not change with the level"),
        ([20, 19, 18, 15, 12, 11, 10], "successes become rarer over -6..6"),
    ],
)
def test_data_without_a_threshold_are_not_measurable(k, match, guess):
    if guess is None and k[0] == k[-1]:
        match = "not measurable: (performance stays|the answers do not change)"
    found = fit(X, k, [20] * 7, guess=guess)
    assert not found.measurable
    assert found.reason.startswith("not measurable: ")
    assert re.search(match, found.reason)
    for interval in (
        found.threshold,
        found.width,
        found.slope,
        found.level_for(0.8),
    ):
        assert np.isnan(interval.value)
        assert (interval.low, interval.high) == (-np.inf, np.inf)


def test_chance_performance_stays_below_the_criterion():
    found = fit(X, [10] * 7, [20] * 7)
    assert "performance stays below 75 % successes over the tested range -6..6" in found.reason


@pytest.mark.parametrize(
    "centre,measurable", [(-9, False), (-3, True), (0, True), (3, True), (9, False)]
)
def test_a_threshold_outside_the_tested_range_is_no_number(centre, measurable):
    found = fit(*expected(from_gaussian(centre, 2.0, lapse=0.02), n=60))
    assert found.measurable == measurable
    assert np.isfinite(found.threshold.value) == measurable


@pytest.mark.parametrize("k,n", [([1], [1]), ([15], [20])])
def test_one_level_is_not_enough(k, n):
    found = fit([3.0], k, n)
    assert found.reason == "not measurable: only the level 3 was tested"
    assert found.tested == (3.0, 3.0)


def test_an_interval_far_outside_the_range_is_not_measurable():
    found = fit([0, 1, 2], [5, 5, 9], [8, 8, 10], guess=0.0)
    assert not found.measurable
    assert re.search("leaves the tested range 0..2|do not change|stays above", found.reason)


def test_goodness_of_fit_tells_a_wrong_function_from_a_right_one():
    rng = np.random.default_rng(5)
    right = [fit(X, rng.binomial(40, TRUTH(X)), [40] * 7).goodness_p for _ in range(40)]
    assert np.mean(np.array(right) < 0.05) <= 0.1
    wrong = fit(X, [36, 22, 20, 38, 22, 40, 30], [40] * 7)
    assert wrong.goodness_p < 0.01
    assert wrong.deviance > 20


def test_deviance_of_a_saturated_fit_is_zero():
    k, n = np.array([0, 3, 10]), np.array([10, 10, 10])
    assert goodness.deviance(k, n, k / n) == pytest.approx(0, abs=1e-6)
    assert goodness.deviance([5], [10], [0.25]) == pytest.approx(
        2 * (5 * np.log(0.5 / 0.25) + 5 * np.log(0.5 / 0.75))
    )


def test_overdispersed_counts_are_noticed_and_widen_the_intervals():
    rng = np.random.default_rng(7)
    x = np.linspace(-6, 6, 20)
    nu = 1 / 0.35**2 - 1
    p = TRUTH(x)
    k = rng.binomial(60, rng.beta(p * nu, (1 - p) * nu))
    plain, wide = fit(x, k, [60] * 20), fit(x, k, [60] * 20, overdispersion=True)
    assert wide.eta.low < 0.35 < wide.eta.high
    assert plain.eta.low > 0.1
    assert plain.goodness_p < 0.01
    spread = [f.threshold.high - f.threshold.low for f in (plain, wide)]
    assert spread[1] > 1.5 * spread[0]
    calm = fit(*expected(levels=x, n=60))
    assert calm.eta.low < 0.01 and calm.eta.high < 0.2


def test_ten_thousand_trials_at_as_many_levels():
    rng = np.random.default_rng(11)
    levels = rng.uniform(-6, 6, 10_000)
    found = fit(levels, rng.random(10_000) < TRUTH(levels))
    assert found.n_trials == 10_000
    assert found.n_levels <= MAX_LEVELS
    assert found.threshold.low < 0.5 < found.threshold.high
    assert found.threshold.high - found.threshold.low < 0.6


def test_a_million_trials_narrow_the_grid_as_far_as_needed():
    found = fit(X, np.rint(1e6 * TRUTH(X)), [10**6] * 7)
    assert found.threshold.value == pytest.approx(0.5, abs=0.01)
    assert 0 < found.threshold.high - found.threshold.low < 0.02


def test_a_fit_is_plain_json():
    for found in (fit(*expected()), fit(X, [20] * 7, [20] * 7)):
        data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert {
            "deviance",
            "goodness_p",
            "eta",
            "map",
            "mean",
            "tested",
            "cautions",
            "broken",
        } <= set(data)
        assert "draws" not in data
    assert data["threshold"] == {
        "value": None,
        "low": None,
        "high": None,
        "level": 0.95,
        "rule": "not measurable",
    }


@pytest.mark.parametrize(
    "levels,successes,trials,match",
    [
        ([np.nan, 1], [1, 2], [5, 5], "level nan"),
        ([np.inf, 1], [1, 2], [5, 5], "level inf"),
        ([0, 1], [np.nan, 2], [5, 5], "nan successes"),
        ([0, 1], [1, 2], [np.nan, 5], "nan trials"),
        ([0, 1], [6, 2], [5, 5], "6 successes of 5 trials at level 0"),
        ([0, 1], [-1, 2], [5, 5], "-1 successes"),
        ([0, 1], [0.5, 2], [5, 5], "0.5 successes"),
        ([0, 1], [1], [5, 5], "do not belong together"),
        ([], [], [], "0 trials determine no psychometric function"),
        ([1], [0], [0], "0 trials"),
        (["a"], [0], [1], "must be lists of numbers"),
    ],
)
def test_impossible_data_are_refused(levels, successes, trials, match):
    with pytest.raises(UserError, match=match):
        fit(levels, successes, trials)


@pytest.mark.parametrize(
    "options,match",
    [
        ({"function": "probit"}, "function='probit'"),
        ({"level": 95}, "level=95"),
        ({"guess": 1.0}, "guess=1.0 is no rate"),
        ({"guess": np.nan}, "guess=nan is no rate"),
        ({"lapse": -0.1}, "lapse=-0.1 is no rate"),
        ({"guess": 0.95, "lapse": 0.05}, "reach 1"),
        ({"lapse_max": 0.0}, "lapse_max=0.0"),
        ({"catch": (3, 2)}, "catch="),
        ({"log": True}, "level -6 has no place on a log axis"),
    ],
)
def test_impossible_options_are_refused(options, match):
    with pytest.raises(UserError, match=match):
        fit(*expected(), **options)


def test_level_nought_has_no_place_on_a_log_axis():
    with pytest.raises(UserError, match=r"catch=\(yes answers, trials\)"):
        fit([0, 1, 2], [1, 2, 3], [5, 5, 5], log=True)
