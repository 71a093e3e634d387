"""Detection theory: golden numbers, symmetry, and recovery of observers whose truth is known."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import binom

from spectcount.errors import UserError
from spectcount.probing.maps import plain
from spectcount.psychophysics import sdt
from spectcount.psychophysics.sdt import Interval, interval_of, resolved

CELL = (20, 25, 10, 25)


def test_golden_rates_with_and_without_the_log_linear_rule():
    assert sdt.rates(*CELL, log_linear=False) == (0.8, 0.4)
    assert sdt.d_prime(*CELL, log_linear=False).value == pytest.approx(1.095, abs=5e-4)
    assert sdt.criterion(*CELL, log_linear=False).value == pytest.approx(-0.294, abs=5e-4)
    assert sdt.d_prime(*CELL).value == pytest.approx(1.0445, abs=5e-5)
    assert sdt.criterion(*CELL).value == pytest.approx(-0.2788, abs=5e-5)


def test_golden_extremes_are_finite():
    assert sdt.d_prime(50, 50, 50, 50).value == 0
    assert sdt.criterion(50, 50, 50, 50).value == pytest.approx(-2.3338, abs=5e-5)
    assert sdt.d_prime(50, 50, 0, 50).value == pytest.approx(4.6675, abs=1e-4)


def test_golden_wilson():
    found = sdt.wilson(81, 263)
    assert (found.low, found.high) == (
        pytest.approx(0.2553, abs=5e-5),
        pytest.approx(0.3662, abs=5e-5),
    )
    assert sdt.wilson(0, 20).low == 0
    assert sdt.wilson(0, 20).high == pytest.approx(0.1611, abs=5e-5)
    assert sdt.wilson(20, 20).high == 1


@pytest.mark.parametrize("n,half", [(10, 0.263), (20, 0.201), (50, 0.134), (100, 0.096)])
def test_wilson_half_widths(n, half):
    found = sdt.wilson(n / 2, n)
    assert (found.high - found.low) / 2 == pytest.approx(half, abs=5e-4)


def test_variance_of_d_prime_is_gourevitch_and_galanters():
    h, f = sdt.rates(*CELL)
    z = {p: float(np.abs(sdt.ndtri(p))) for p in (h, f)}
    phi = {p: np.exp(-(z[p] ** 2) / 2) / np.sqrt(2 * np.pi) for p in (h, f)}
    variance = sum(p * (1 - p) / (25 * phi[p] ** 2) for p in (h, f))
    found = sdt.d_prime(*CELL)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * np.sqrt(variance), rel=1e-6)
    bias = sdt.criterion(*CELL)
    assert bias.high - bias.low == pytest.approx((found.high - found.low) / 2)


def test_swapping_signal_and_noise_turns_d_prime_round():
    assert sdt.d_prime(*CELL).value == pytest.approx(-sdt.d_prime(10, 25, 20, 25).value)
    assert sdt.criterion(*CELL).value == pytest.approx(sdt.criterion(10, 25, 20, 25).value)


def test_two_interval_d_prime_is_over_root_two():
    yes_no, forced = sdt.d_prime(*CELL), sdt.d_prime_2afc(*CELL)
    assert forced.value == pytest.approx(yes_no.value / np.sqrt(2))
    assert forced.low == pytest.approx(yes_no.low / np.sqrt(2))


def test_unbiased_two_interval_d_prime_agrees_with_2afc():
    found = sdt.d_prime_2afc(7500, 10000, 2500, 10000).value
    assert found == pytest.approx(0.9539, abs=1e-3)


def test_cells_are_vectorised_and_empty_cells_are_unknown():
    hits, n = np.array([[20, 0], [25, 0]]), np.array([[25, 0], [25, 25]])
    found = sdt.d_prime(hits, n, 10, 25)
    assert found.value.shape == (2, 2)
    assert found.at((0, 0)) == sdt.d_prime(20, 25, 10, 25)
    assert np.isnan(found.value[0, 1])
    assert (found.low[0, 1], found.high[0, 1]) == (-np.inf, np.inf)
    rate = sdt.wilson(hits, n)
    assert (rate.low[0, 1], rate.high[0, 1]) == (0, 1)


def test_uncorrected_extremes_are_unbounded():
    found = sdt.d_prime(5, 5, 0, 5, log_linear=False)
    assert (found.value, found.low, found.high) == (np.inf, -np.inf, np.inf)


def test_auc_is_the_share_of_pairs_with_ties_a_half():
    assert sdt.auc([1, 2, 3], [0, 2, 5]).value == pytest.approx((1 + 1.5 + 2) / 9)
    assert sdt.auc([1, 1], [1, 1]).value == 0.5
    assert sdt.auc([2, -1e9], [1, -1e9]).value == pytest.approx((2 + 0.5) / 4)


def test_auc_at_its_ends_keeps_an_interval():
    perfect = sdt.auc(np.arange(50), -1 - np.arange(50))
    assert perfect.value == 1 and perfect.high == 1 and 0.9 < perfect.low < 1
    worst = sdt.auc(-1 - np.arange(50), np.arange(50))
    assert worst.value == 0 and worst.low == 0
    assert worst.high == pytest.approx(1 - perfect.low)
    few = sdt.auc([1, 1], [0, 0])
    assert few.low < perfect.low


def test_auc_by_rows_equals_auc_of_each_row():
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(1, 1, (4, 9)), rng.normal(0, 1, (4, 7))
    together = sdt.auc(signal, noise)
    for k in range(4):
        alone = sdt.auc(signal[k], noise[k])
        assert together.at(k).value == pytest.approx(alone.value)
        assert together.at(k).low == pytest.approx(alone.low)


def test_auc_interval_covers_the_truth_of_gaussian_observers():
    rng = np.random.default_rng(1)
    truth = ndtr(1 / np.sqrt(2))
    signal, noise = rng.normal(1, 1, (400, 40)), rng.normal(0, 1, (400, 40))
    found = sdt.auc(signal, noise)
    covered = np.mean((found.low <= truth) & (truth <= found.high))
    assert 0.92 <= covered <= 0.99


@pytest.mark.parametrize("d,c", [(0.0, 0.0), (1.0, 0.5), (2.5, -0.3)])
def test_intervals_cover_a_simulated_observer(d, c):
    rng = np.random.default_rng(2)
    yes_signal = (rng.normal(d / 2, 1, (500, 60)) > c).sum(axis=1)
    yes_noise = (rng.normal(-d / 2, 1, (500, 60)) > c).sum(axis=1)
    for found, truth in (
        (sdt.d_prime(yes_signal, 60, yes_noise, 60), d),
        (sdt.criterion(yes_signal, 60, yes_noise, 60), c),
    ):
        covered = np.mean((found.low <= truth) & (truth <= found.high))
        assert 0.92 <= covered <= 1.0


def test_the_rule_is_named():
    assert sdt.d_prime(*CELL).rule == sdt.LOG_LINEAR
    assert sdt.d_prime(*CELL, log_linear=False).rule == sdt.UNCORRECTED
    assert "Mann-Whitney" in sdt.auc([1, 2, 3], [0, 1, 2]).rule


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda: sdt.d_prime(26, 25, 0, 25), "26 hits of 25 signal trials"),
        (lambda: sdt.wilson(-1, 5), "-1 successes"),
        (lambda: sdt.auc([], [1]), "AUC of 0 trials"),
        (lambda: sdt.auc([np.nan], [1]), "nan"),
        (lambda: sdt.wilson(1, 5, level=95), "level=95"),
    ],
)
def test_impossible_input_is_refused(call, match):
    with pytest.raises(UserError, match=match):
        call()


def test_an_interval_reads_as_words():
    assert str(sdt.Interval(1.234, 0.5, 2.0)) == "1.23 [0.50, 2.00]"


def test_auc_becomes_the_d_prime_of_gaussian_scores():
    assert sdt.auc_sensitivity(sdt.Interval(0.76025, 0.5, 1.0)).value == pytest.approx(1, abs=1e-4)
    found = sdt.auc_sensitivity(sdt.auc(np.arange(50), -1 - np.arange(50)))
    assert (found.value, found.high) == (np.inf, np.inf) and 2 < found.low < np.inf
    unknown = sdt.auc_sensitivity(sdt.Interval(np.nan, np.nan, np.nan))
    assert np.isnan(unknown.value) and (unknown.low, unknown.high) == (-np.inf, np.inf)
    with pytest.raises(UserError, match=r"AUC of 1\.2"):
        sdt.auc_sensitivity(sdt.Interval(1.2, 0.5, 1.0))


@pytest.mark.parametrize(
    "found,words",
    [
        (Interval(1.2, 0.8, 1.6), "1.20 [0.80, 1.60]"),
        (Interval(3.1, 1.9, np.inf), "at least 1.90"),
        (Interval(-3.1, -np.inf, -1), "at most -1.00"),
        (Interval(np.nan, -np.inf, np.inf), "not measurable"),
        (Interval(0.0, -np.inf, np.inf), "not measurable"),
    ],
)
def test_an_open_end_is_a_word_in_text_and_json(found, words):
    assert str(found) == words
    plainly = plain(found)
    assert plainly.get("open", "") == words.removesuffix(" 1.90").removesuffix(" -1.00") * (
        "[" not in words
    )
    assert str(interval_of(plainly)) == words


@pytest.mark.parametrize(
    "d,c,n,m", [(4, 2, 8, 96), (3, 1.5, 60, 120), (4, 2, 60, 120), (4, 0, 8, 16)]
)
def test_cells_with_counts_at_an_end_cover_the_truth(d, c, n, m):
    """By all tables there can be: log-linear intervals hold d' 4 at c 2 in 1 to 36 %."""
    k, f = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    chance = binom.pmf(k, n, ndtr(d / 2 - c)) * binom.pmf(f, m, ndtr(-d / 2 - c))
    found = resolved(sdt.d_prime(k, n, f, m), 0, k, n, f, m)
    assert np.sum(chance * ((found.low <= d) & (d <= found.high))) > 0.945
    bias = resolved(sdt.criterion(k, n, f, m), 1, k, n, f, m)
    assert np.sum(chance * ((bias.low <= c) & (c <= bias.high))) > 0.945
