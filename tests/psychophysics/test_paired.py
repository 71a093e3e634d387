"""Paired comparisons: exact tests, intervals that cover, discoveries that are controlled."""

import math

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import norm

from spectcount.errors import UserError
from spectcount.psychophysics.paired import (
    benjamini_hochberg,
    excludes_zero,
    mcnemar,
    pair_table,
    rate_change,
    sdt_change_p,
    sdt_changes,
    selected_intervals,
)
from spectcount.psychophysics.sdt import Interval, criterion, d_prime


def listeners(rng, n_s, n_n, d, c, rho=0.6):
    """Yes answers (signal x, y; catch x, y) of two Gaussian listeners that share noise."""
    out = []
    for n, sign in ((n_s, 1), (n_n, -1)):
        e = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], n)
        out += [e[:, i] + sign * d[i] / 2 > c[i] for i in (0, 1)]
    return out


def changes_of(signal_x, signal_y, noise_x, noise_y, rng):
    """Change of d' and of c between two listeners' yes answers, trial by trial."""
    return sdt_changes(pair_table(signal_x, signal_y), pair_table(noise_x, noise_y), rng)


def test_mcnemar_is_the_exact_binomial():
    assert mcnemar(1, 9) == pytest.approx(2 * 11 / 1024)
    assert mcnemar(9, 1) == mcnemar(1, 9)
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 5) == 1
    assert mcnemar([0, 3], [0, 12]) == pytest.approx([1, 2 * 576 / 2**15])


def test_change_of_bias_is_told_from_change_of_sensitivity():
    rng = np.random.default_rng(3)
    signal = rng.normal(0.75, 1, 400)
    noise = -signal
    d_change, c_change = changes_of(signal > 0.5, signal > -0.5, noise > 0.5, noise > -0.5, rng)
    assert d_change.low <= 0 <= d_change.high
    assert c_change.high < 0 and c_change.low <= -1 <= c_change.high
    better, bias = changes_of(signal > 0, signal + 1 > 0, noise > 0, noise - 1 > 0, rng)
    assert better.low > 0 and better.low <= 2 <= better.high
    assert bias.low <= 0 <= bias.high


def test_changes_agree_with_an_independent_bootstrap():
    """Value: the difference of the two listeners' own d' and c. Interval: a plain bootstrap of
    question numbers, written out, which the half trial hardly moves at these numbers of trials."""
    rng = np.random.default_rng(10)
    sx, sy, nx, ny = listeners(rng, 600, 400, (1.0, 1.6), (0.1, -0.3))
    d_change, c_change = changes_of(sx, sy, nx, ny, rng)
    counts = [(s.sum(), 600, n.sum(), 400) for s, n in ((sx, nx), (sy, ny))]
    assert d_change.value == pytest.approx(d_prime(*counts[1]).value - d_prime(*counts[0]).value)
    assert c_change.value == pytest.approx(
        criterion(*counts[1]).value - criterion(*counts[0]).value
    )
    d, c = [], []
    for _ in range(2000):
        i, j = rng.integers(600, size=600), rng.integers(400, size=400)
        h = [ndtri((v[i].sum() + 0.5) / 601) for v in (sx, sy)]
        f = [ndtri((v[j].sum() + 0.5) / 401) for v in (nx, ny)]
        d.append((h[1] - f[1]) - (h[0] - f[0]))
        c.append(-(h[1] + f[1]) / 2 + (h[0] + f[0]) / 2)
    for found, draws in ((d_change, d), (c_change, c)):
        by_hand = np.quantile(draws, [0.025, 0.975])
        assert (found.low, found.high) == pytest.approx(tuple(by_hand), abs=0.035)


@pytest.mark.parametrize(
    "n_s,n_n,d,c",
    [(8, 100, (1, 1), (0, 0)), (24, 100, (2, 2), (0, -0.5)), (60, 60, (0.5, 3), (1, 0))],
)
def test_intervals_of_d_prime_and_c_cover_in_cells_of_few_trials(n_s, n_n, d, c):
    rng = np.random.default_rng(11)
    blocks = [listeners(rng, n_s, n_n, d, c) for _ in range(400)]
    signal = np.array([pair_table(b[0], b[1]) for b in blocks])
    noise = np.array([pair_table(b[2], b[3]) for b in blocks])
    found = sdt_changes(signal, noise, rng, n_resamples=500)
    for one, true in zip(found, (d[1] - d[0], c[1] - c[0]), strict=True):
        assert 0.92 <= np.mean((one.low <= true) & (true <= one.high)) <= 0.99
    if d[0] == d[1]:
        assert np.mean(sdt_change_p(signal, noise) < 0.05) <= 0.07


def test_change_p_is_the_delta_method():
    """Against the variance of a difference of two d', covariances from the joint shares."""
    signal, noise = np.array([300, 100, 200, 400]), np.array([100, 50, 40, 810])
    change, variance = 0.0, 0.0
    for sign, t in ((1, signal), (-1, noise)):
        share = (t + 0.25) / (t.sum() + 1)
        x, y = share[0] + share[1], share[0] + share[2]
        g = np.array([-1 / norm.pdf(ndtri(x)), 1 / norm.pdf(ndtri(y))])
        cov = np.array([[x * (1 - x), share[0] - x * y], [share[0] - x * y, y * (1 - y)]])
        change += sign * (ndtri(y) - ndtri(x))
        variance += g @ cov @ g / t.sum()
    assert sdt_change_p(signal, noise) == pytest.approx(
        2 * norm.sf(abs(change) / math.sqrt(variance))
    )
    assert math.isnan(sdt_change_p(signal, [0, 0, 0, 0]))


def test_rate_change_covers_and_never_shrinks_to_nothing():
    rng = np.random.default_rng(12)
    for share in ((0.5, 0.2, 0.2, 0.1), (0.85, 0.01, 0.1, 0.04)):
        tables = rng.multinomial(50, share, size=500)
        found = rate_change(tables, rng, n_resamples=500)
        true = share[2] - share[1]
        assert 0.92 <= np.mean((found.low <= true) & (true <= found.high)) <= 0.99
    same = rate_change([8, 0, 0, 0], rng)
    assert same.value == 0 and same.low < 0 < same.high
    three = rate_change([21, 0, 3, 0], rng)
    assert three.value == 0.125 and three.low <= 0, "3 of 24 gained is p = 0.25 by McNemar"


def test_cells_without_trials_are_unmeasured():
    rng = np.random.default_rng(13)
    tables = np.array([[4, 1, 2, 3], [0, 0, 0, 0]])
    for found in (rate_change(tables, rng), *sdt_changes(tables, tables[:1], rng)):
        assert math.isfinite(found.value[0]) and math.isnan(found.value[1])
        assert found.low[1] == -math.inf and found.high[1] == math.inf


def z_interval(z):
    return lambda level: Interval(z, z - norm.ppf((1 + level) / 2), z + norm.ppf((1 + level) / 2))


def test_selected_intervals_are_benjamini_hochbergs():
    rng = np.random.default_rng(14)
    for _ in range(40):
        z = rng.normal(size=12) + rng.choice([0, 3], size=12)
        found = selected_intervals([z_interval(v) for v in z], q=0.05)
        by_p = benjamini_hochberg(2 * norm.sf(np.abs(z)), 0.05)
        assert [excludes_zero(one) for one in found] == by_p.tolist()
    unknown = lambda level: Interval(math.nan, -math.inf, math.inf, level)  # noqa: E731
    found = selected_intervals([z_interval(2.2), unknown])
    assert excludes_zero(found[0]) and not excludes_zero(found[1])
    assert selected_intervals([]) == []


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
        (lambda rng: pair_table([1], [1, 0]), "one length"),
        (lambda rng: pair_table([1, 2], [1, 0]), "0 or 1"),
        (lambda rng: rate_change([1, 2, 3], rng), "table of pairs"),
    ],
)
def test_unpaired_input_is_refused(call, match):
    with pytest.raises(UserError, match=match):
        call(np.random.default_rng(0))
