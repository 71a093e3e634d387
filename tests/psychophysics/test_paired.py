"""Paired comparisons: exact tests, intervals that cover, discoveries that are controlled."""

import numpy as np
import pytest

from spectcount.errors import UserError
from spectcount.psychophysics.paired import (
    benjamini_hochberg,
    mcnemar,
    paired_bootstrap,
    sdt_change,
)


def test_mcnemar_is_the_exact_binomial():
    assert mcnemar(1, 9) == pytest.approx(2 * 11 / 1024)
    assert mcnemar(9, 1) == mcnemar(1, 9)
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 5) == 1
    assert mcnemar([0, 3], [0, 12]) == pytest.approx([1, 2 * 576 / 2**15])


def test_bootstrap_interval_covers_the_true_difference():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        x = rng.normal(0, 1, 40)
        y = x + rng.normal(0.3, 0.5, 40)
        found = paired_bootstrap(x, y, rng, n_resamples=300)
        covered += found.low <= 0.3 <= found.high
    assert covered >= 50


def test_bootstrap_uses_the_pairing():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 10, 50)
    found = paired_bootstrap(x, x + 1, rng, n_resamples=200)
    assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1))
    assert "paired" in found.rule


def test_bootstrap_takes_any_statistic():
    rng = np.random.default_rng(2)
    x, y = rng.normal(0, 1, 200), rng.normal(0, 3, 200)
    found = paired_bootstrap(x, y, rng, lambda v: np.std(v, axis=-1), n_resamples=300)
    assert found.low <= 2 <= found.high


def test_change_of_bias_is_told_from_change_of_sensitivity():
    rng = np.random.default_rng(3)
    signal = rng.normal(0.75, 1, 400)
    noise = -signal
    d_change, c_change = sdt_change(signal > 0.5, signal > -0.5, noise > 0.5, noise > -0.5, rng)
    assert d_change.low <= 0 <= d_change.high
    assert c_change.high < 0 and c_change.low <= -1 <= c_change.high
    better, bias = sdt_change(signal > 0, signal + 1 > 0, noise > 0, noise - 1 > 0, rng)
    assert better.low > 0 and better.low <= 2 <= better.high
    assert bias.low <= 0 <= bias.high


def test_false_discoveries_are_controlled():
    p = np.array([[0.001, 0.5], [np.nan, 0.02]])
    assert benjamini_hochberg(p, 0.05).tolist() == [[True, False], [False, True]]
    assert not benjamini_hochberg([np.nan, np.nan]).any()
    rng = np.random.default_rng(4)
    null = [benjamini_hochberg(rng.uniform(size=50), 0.05).any() for _ in range(300)]
    assert np.mean(null) < 0.09


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda rng: mcnemar(-1, 2), "discordant pairs cannot be"),
        (lambda rng: paired_bootstrap([1, 2], [1], rng), "one length"),
        (lambda rng: paired_bootstrap([1], [1], rng), "2 or more"),
        (lambda rng: sdt_change([1], [1, 0], [0], [0], rng), "signal answers"),
    ],
)
def test_unpaired_input_is_refused(call, match):
    with pytest.raises(UserError, match=match):
        call(np.random.default_rng(0))
