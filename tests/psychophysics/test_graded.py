"""Thresholds from graded scores: recovery, invariance, ends that are said, and misuse refused."""

import json

import numpy as np
import pytest

from spectcount.errors import UserError
from spectcount.psychophysics import ordinal
from spectcount.psychophysics.graded import auc_threshold, fit_answers, fit_scores
from spectcount.psychophysics.placements import placements
from spectcount.psychophysics.sdt import auc, auc_sensitivity

TOP, MIDDLE_DB, SLOPE = 4.0, -8.0, 0.5
TRUTH_DB = MIDDLE_DB + np.log((1 / TOP) / (1 - 1 / TOP)) / SLOPE
"""Level of d' = 1 of the simulated listener: its d' rises from 0 to 4."""
LEVELS_DB = np.linspace(-20, 0, 8)
FITS = (
    fit_scores,
    auc_threshold,
    lambda x, s, sig, **k: fit_answers(x, np.greater(s, 1), sig, **k),
)


def d_prime(levels_db):
    return TOP / (1 + np.exp(-SLOPE * (levels_db - MIDDLE_DB)))


def listener(seed, n_signal=200, n_catch=60):
    """Levels, scores and which trials hold the signal."""
    rng = np.random.default_rng(seed)
    levels = np.concatenate([rng.choice(LEVELS_DB, n_signal), np.zeros(n_catch)])
    is_signal = np.arange(n_signal + n_catch) < n_signal
    return levels, rng.normal(0, 1, len(levels)) + is_signal * d_prime(levels), is_signal


def distorted(scores):
    """Skewed and clipped at both ends, as the scores of a language model are."""
    return np.clip(np.exp(scores), 0.3, 40) * 1e8


@pytest.mark.parametrize("fit", FITS)
def test_many_trials_recover_the_threshold(fit):
    found = fit(*listener(0, 12_000, 4_000))
    assert found.measurable and found.reason == ""
    assert found.threshold.value == pytest.approx(TRUTH_DB, abs=0.2)
    assert found.max_d_prime == pytest.approx(TOP, abs=0.25)
    assert found.d_prime_at(LEVELS_DB).value == pytest.approx(d_prime(LEVELS_DB), abs=0.15)


@pytest.mark.parametrize("fit,runs", [*zip(FITS, (40, 25, 40), strict=True)])
def test_intervals_cover_the_threshold(fit, runs):
    found = [fit(*listener([1, run])).threshold for run in range(runs)]
    covered = np.mean([f.low <= TRUTH_DB <= f.high for f in found])
    assert covered >= 0.87
    assert abs(np.mean([f.value for f in found]) - TRUTH_DB) < 0.5


def test_scores_are_more_precise_than_answers():
    width = {}
    for name, fit in zip(("scores", "auc", "answers"), FITS, strict=True):
        found = [fit(*listener([2, run], 160, 50)).threshold for run in range(12)]
        width[name] = np.median([f.high - f.low for f in found])
    assert width["scores"] < 0.85 * width["answers"]


@pytest.mark.parametrize("fit", [fit_scores, auc_threshold])
def test_only_the_order_of_the_scores_matters(fit):
    levels, scores, is_signal = listener(3)
    plain, stretched = (fit(levels, s, is_signal) for s in (scores, np.sinh(scores) - 1e6))
    assert stretched.threshold.value == pytest.approx(plain.threshold.value, abs=1e-6)
    clipped = fit(levels, distorted(scores), is_signal)
    assert clipped.threshold.value == pytest.approx(plain.threshold.value, abs=0.5)


def test_answers_and_scores_speak_of_one_quantity_whatever_the_bias():
    levels, scores, is_signal = listener(4, 20_000, 6_000)
    for criterion in (-0.5, 0.5, 2.0):
        found = fit_answers(levels, scores > criterion, is_signal)
        assert found.threshold.value == pytest.approx(TRUTH_DB, abs=0.4)


def test_the_target_moves_the_threshold():
    trials = listener(5, 5_000, 2_000)
    found = [fit_scores(*trials, d_prime=d).threshold.value for d in (0.5, 1.0, 2.0)]
    truth = [MIDDLE_DB + np.log(d / TOP / (1 - d / TOP)) / SLOPE for d in (0.5, 1.0, 2.0)]
    assert found == pytest.approx(truth, abs=0.5)
    higher = auc_threshold(*trials, auc=0.9214).threshold.value
    assert higher == pytest.approx(truth[2], abs=0.5)


def test_log_and_falling_axes_hold_the_same_threshold():
    levels, scores, is_signal = listener(6)
    rising = fit_scores(levels, scores, is_signal).threshold
    on_log = fit_scores(10 ** (levels / 10), scores, is_signal, log=True).threshold
    assert 10 * np.log10(on_log.value) == pytest.approx(rising.value, abs=1e-3)
    assert 10 * np.log10(on_log.low) == pytest.approx(rising.low, abs=1e-2)
    falling = fit_scores(-levels, scores, is_signal, falling=True).threshold
    assert (-falling.high, -falling.value, -falling.low) == pytest.approx(
        (rising.low, rising.value, rising.high), abs=1e-3
    )


@pytest.mark.parametrize("fit", FITS)
def test_a_deaf_listener_is_not_measurable(fit):
    rng = np.random.default_rng(7)
    levels, _, is_signal = listener(7)
    found = fit(levels, rng.normal(1, 1, len(levels)), is_signal)
    assert not found.measurable and "test easier levels" in found.reason
    assert np.isnan(found.threshold.value) and found.threshold.high == np.inf
    assert found.threshold.low > -10
    assert found.d_prime_at(-10.0).value < 0.5


@pytest.mark.parametrize("fit", FITS)
def test_levels_that_are_all_easy_are_said_so(fit):
    levels, scores, is_signal = listener(8, 400, 100)
    easy = np.where(is_signal, scores + 4, scores)
    found = fit(levels, easy, is_signal)
    assert not found.measurable and "test harder levels" in found.reason
    assert np.isnan(found.threshold.value) and found.threshold.low == -np.inf


def test_on_a_falling_axis_the_easy_end_is_the_low_one():
    levels, scores, is_signal = listener(8, 400, 100)
    found = fit_scores(-levels, np.where(is_signal, scores + 4, scores), is_signal, falling=True)
    assert "hardest level tested, 20" in found.reason and found.threshold.high == np.inf


def test_too_few_trials_bound_one_side_or_none():
    found = fit_scores([1, 2, 3], [1.0, 2.0, 0.0], [1, 1, 0])
    assert not found.measurable and "ask more trials" in found.reason
    assert (found.threshold.low, found.threshold.high) == (-np.inf, np.inf)


@pytest.mark.parametrize("fit", [fit_scores, auc_threshold])
def test_scores_clipped_at_a_billion_are_ties(fit):
    levels, scores, is_signal = listener(9)
    split = np.where(scores > 1, 1e9, -1e9)
    found = fit(levels, split, is_signal)
    infinite = fit(levels, np.where(scores > 1, np.inf, -np.inf), is_signal)
    assert found.threshold == infinite.threshold
    if fit is fit_scores:
        answers = fit_answers(levels, scores > 1, is_signal)
        assert found.threshold.value == pytest.approx(answers.threshold.value, abs=1e-6)


@pytest.mark.parametrize("fit", [fit_scores, auc_threshold])
def test_what_cannot_hold_a_threshold_is_said(fit):
    levels, scores, is_signal = listener(10)
    constant = fit(levels, np.zeros(len(levels)), is_signal)
    assert "every trial has the score 0" in constant.reason
    unknown = constant.d_prime_at([1.0, 2.0])
    assert np.isnan(unknown.value).all() and unknown.low.tolist() == [-np.inf] * 2
    one_level = fit(np.full(len(levels), 3.0), scores, is_signal)
    assert "only the level 3 was tested" in one_level.reason
    assert json.loads(json.dumps(constant.to_dict(), allow_nan=False))["measurable"] is False


def test_a_listener_that_hears_all_or_nothing_is_found_out():
    rng = np.random.default_rng(11)
    levels, _, is_signal = listener(11, 800, 200)
    heard = is_signal & (rng.random(len(levels)) < 1 / (1 + np.exp(-(levels + 10) / 2)))
    scores = np.where(heard, 8.0, -8.0) + rng.normal(0, 1, len(levels))
    assert fit_scores(levels, scores, is_signal).misfit_p < 0.01
    assert fit_scores(*listener(11, 800, 200)).misfit_p > 0.01
    areas = [auc(scores[is_signal & (levels == x)], scores[~is_signal]) for x in LEVELS_DB]
    by_level = [auc_sensitivity(area).value for area in areas]
    found = auc_threshold(levels, scores, is_signal)
    assert found.measurable
    assert found.threshold.value == pytest.approx(np.interp(1.0, by_level, LEVELS_DB), abs=1.5)


def test_placements_average_to_the_auc():
    rng = np.random.default_rng(12)
    signal, catch = rng.integers(0, 6, 40).astype(float), rng.integers(0, 5, 30).astype(float)
    placed = placements(signal, catch, np.ones((1, 30)))
    assert placed.mean() == pytest.approx(auc(signal, catch).value)
    weights = rng.integers(0, 3, (1, 30)).astype(float)
    again = placements(signal, catch, weights)
    repeated = np.repeat(catch, weights[0].astype(int))
    assert again.mean() == pytest.approx(auc(signal, repeated).value)


def test_categories_never_part_equal_scores():
    rng = np.random.default_rng(13)
    signal, catch = rng.integers(0, 50, 300), rng.integers(0, 30, 80)
    of_signal, of_catch = ordinal.categorise(signal.astype(float), catch.astype(float), 8)
    found = np.concatenate([of_signal, of_catch])
    for score in range(50):
        assert len(set(found[np.concatenate([signal, catch]) == score])) <= 1
    assert sorted(set(found)) == list(range(found.max() + 1)) and found.max() <= 7


def test_a_pile_at_the_top_is_still_told_from_the_rest():
    scores = np.concatenate([np.full(400, 9.0), np.linspace(0, 1, 30)])
    of_signal, of_catch = ordinal.categorise(scores, np.full(5, 9.0), 6)
    assert set(of_signal) == {0, 1} and set(of_catch) == {1}


@pytest.mark.parametrize("seed", range(40))
def test_no_small_block_breaks_a_fit(seed):
    rng = np.random.default_rng([17, seed])
    n_signal, n_catch = rng.integers(1, 15, 2)
    levels = rng.integers(0, rng.integers(1, 5), n_signal + n_catch) * rng.choice([1e-6, 1, 1e6])
    kinds = [rng.normal(size=len(levels)), rng.integers(0, 2, len(levels)) * 1e9 * 1.0, levels]
    scores, is_signal = kinds[seed % 3], np.arange(len(levels)) < n_signal
    for found in (
        fit_scores(levels, scores, is_signal),
        fit_answers(levels, scores > 0, is_signal),
        auc_threshold(levels, scores, is_signal, n_resamples=20),
    ):
        interval = found.threshold
        assert found.measurable == bool(np.isfinite(interval.value)) == (found.reason == "")
        assert not np.isnan([interval.low, interval.high]).any()
        assert interval.low <= interval.high


@pytest.mark.parametrize("curve,size", [(ordinal.free_curve, 3), (None, 2)])
def test_the_slopes_of_the_likelihood_are_right(curve, size):
    levels, scores, is_signal = listener(14)
    u = (levels[is_signal] + 10) / 20
    data = ordinal.ratings(u, scores[is_signal], scores[~is_signal], 6)
    curve = curve or ordinal.curve_through(0.1, 1.0)
    theta = np.concatenate([[-1.0, -0.2, 0.4, 1.0, 2.0], [0.1, 2.0, 0.8][-size:]])
    _, gradient, _ = ordinal._objective(data, curve, theta, 5)
    steps = 1e-6 * np.eye(len(theta))
    numeric = [
        (
            ordinal._objective(data, curve, theta + h, 5)[0]
            - ordinal._objective(data, curve, theta - h, 5)[0]
        )
        / 2e-6
        for h in steps
    ]
    assert gradient == pytest.approx(numeric, abs=1e-4)


def test_the_result_is_plain_json():
    data = json.loads(json.dumps(fit_scores(*listener(15)).to_dict(), allow_nan=False))
    assert data["threshold"]["level"] == 0.95 and "ordinal" in data["rule"]
    assert len(data["levels"]) == len(data["d_prime_at"]["low"])
    assert data["n_signal"] == 200 and data["n_catch"] == 60


TRIALS = ([1.0, 2.0, 0.0], [0.5, 1.0, 0.0], [1, 1, 0])


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda: fit_scores([1, 2], [0, 1], [1, 1]), "0 catch trials of 2"),
        (lambda: fit_scores([1, 2], [0, 1], [0, 0]), "0 signal trials"),
        (lambda: fit_scores([], [], []), "0 signal trials"),
        (lambda: fit_scores([1, 2], [0, np.nan], [1, 0]), "1 of 2 scores are nan"),
        (lambda: fit_scores([np.nan, 2], [0, 1], [1, 0]), "level of nan"),
        (lambda: fit_scores([1, 2], [0], [1, 0]), "do not pair"),
        (lambda: fit_scores([1, 2], [0, 1], [2, 0]), "is_signal"),
        (lambda: fit_scores([0, 2], [0, 1], [1, 0], log=True), "level 0 has no logarithm"),
        (lambda: fit_scores(*TRIALS, d_prime=0), "d_prime=0"),
        (lambda: fit_scores(*TRIALS, level=95), "level=95"),
        (lambda: fit_answers([1, 2], [0.3, 1], [1, 0]), r"answer of 0\.3"),
        (lambda: auc_threshold(*TRIALS, auc=0.5), r"auc=0\.5"),
    ],
)
def test_impossible_input_is_refused(call, match):
    with pytest.raises(UserError, match=match):
        call()


def test_a_catch_trial_may_have_any_level():
    levels, scores, is_signal = listener(16)
    levels = np.where(is_signal, levels, np.nan)
    assert fit_scores(levels, scores, is_signal).measurable
