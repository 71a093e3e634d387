"""Psychometric functions: what threshold and width mean, whichever function; conversions."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.integrate import quad

from spectcount.errors import UserError
from spectcount.psychophysics.psychometric import FUNCTIONS, Psychometric
from tests.psychophysics.conversions import from_gaussian, from_weibull, from_weibull_db

NAMES = sorted(FUNCTIONS)


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_threshold_and_width_mean_the_same_for_every_function(name, falling):
    f = Psychometric(name, threshold=3.0, width=2.0, guess=0.0, lapse=0.0, falling=falling)
    assert f(3.0) == pytest.approx(0.5)
    assert abs(f.at(0.95) - f.at(0.05)) == pytest.approx(2.0)
    assert f(np.array([-1e6, 1e6])) == pytest.approx([1, 0] if falling else [0, 1])
    assert f.at(np.array([0.0, 0.5, 1.5]))[1] == 3.0
    assert np.isinf(f.at(0.0)) and np.isnan(f.at(1.5))


@pytest.mark.parametrize("name", NAMES)
def test_a_falling_function_is_the_rising_one_mirrored_at_its_threshold(name):
    rising = Psychometric(name, 3.0, 2.0, 0.3, 0.02)
    falling = dataclasses.replace(rising, falling=True)
    x = np.linspace(-1, 7, 20)
    assert falling(x) == pytest.approx(rising(6.0 - x))
    assert falling.slope == -rising.slope


@pytest.mark.parametrize("name", NAMES)
def test_the_slope_is_the_derivative_at_the_threshold(name):
    f = Psychometric(name, 3.0, 2.0, guess=0.5, lapse=0.02)
    assert f.slope == pytest.approx((f(3 + 1e-5) - f(3 - 1e-5)) / 2e-5, rel=1e-6)
    assert f.criterion == pytest.approx(0.74)


@pytest.mark.parametrize("name", NAMES)
def test_the_slope_unit_is_the_standard_deviation_of_f(name):
    f = Psychometric(name, 0.0, 2.0, guess=0.0)
    density = FUNCTIONS[name].density
    mean = quad(lambda x: x * density(x / 2) / 2, -12, 12)[0]
    variance = quad(lambda x: (x - mean) ** 2 * density(x / 2) / 2, -12, 12)[0]
    assert f.slope_unit == pytest.approx(np.sqrt(variance), rel=1e-4)


def test_the_width_of_a_gaussian_is_3_29_sigma():
    f = from_gaussian(1.0, 2.0, guess=0.0)
    assert f.width == pytest.approx(2 * 3.2897, abs=1e-3)
    assert f.slope_unit == pytest.approx(2.0)
    assert f(3.0) == pytest.approx(0.841345, abs=1e-6)


@pytest.mark.parametrize("pc", [0.55, 0.75, 0.9])
@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_level_for_inverts_the_function(name, log, falling, pc):
    f = Psychometric(name, 3.0, 0.7, 0.5, 0.02, falling, log)
    assert f(f.level_for(pc)) == pytest.approx(pc)


def test_a_performance_out_of_reach_has_no_level():
    f = Psychometric(guess=0.5, lapse=0.02)
    assert np.isnan(f.level_for(np.array([0.4, 0.5, 0.98, 1.0]))).all()


def test_weibull_of_linear_levels_is_the_textbook_one():
    f = from_weibull(alpha=2.0, beta=3.0, guess=0.25, lapse=0.01)
    x = np.array([0.0, 0.5, 2.0, 5.0])
    assert f(x) == pytest.approx(0.25 + 0.74 * (1 - np.exp(-((x / 2) ** 3))))


def test_weibull_of_decibels_is_watsons():
    f = from_weibull_db(-20.0, 3.5, guess=0.5, lapse=0.02)
    x = np.linspace(-40, 0, 9)
    assert f(x) == pytest.approx(0.5 + 0.48 * (1 - np.exp(-(10 ** (3.5 * (x + 20) / 20)))))


def test_the_two_weibulls_are_one_in_decibels():
    linear = from_weibull(alpha=0.1, beta=3.5)
    x_db = np.linspace(-30, -10, 7)
    assert from_weibull_db(-20.0, 3.5)(x_db) == pytest.approx(linear(10 ** (x_db / 20)))


def test_a_log_axis_has_a_place_for_nothing_but_not_for_less():
    rising = Psychometric("logistic", 2.0, 0.5, 0.5, 0.02, log=True)
    assert rising(0.0) == 0.5
    assert dataclasses.replace(rising, falling=True)(0.0) == pytest.approx(0.98)
    with pytest.raises(UserError, match="level -1 has no place on a log axis"):
        rising(np.array([1.0, -1.0]))


def test_a_function_goes_through_json():
    f = Psychometric("weibull", 2.0, 0.5, 0.25, 0.01, True, True)
    assert Psychometric(**json.loads(json.dumps(dataclasses.asdict(f)))) == f


@pytest.mark.parametrize(
    "values,match",
    [
        ({"function": "probit"}, "function='probit' is not known"),
        ({"threshold": float("nan")}, "threshold=nan is no level"),
        ({"threshold": 0.0, "log": True}, "give a number above 0"),
        ({"width": 0.0}, "width=0.0 is no width"),
        ({"guess": 0.6, "lapse": 0.4}, "guess=0.6 and lapse=0.4"),
        ({"guess": float("nan")}, "guess=nan"),
        ({"lapse": -0.1}, "lapse=-0.1"),
    ],
)
def test_impossible_functions_are_refused(values, match):
    with pytest.raises(UserError, match=match):
        Psychometric(**values)
