"""Changes of the AUC, counting errors and thresholds: values, coverage, degenerate answers."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from spectcount.errors import UserError
from spectcount.psychophysics import sdt
from spectcount.psychophysics.changes import (
    fit_correlation,
    joined_change,
    mean_change,
    threshold_change,
)
from spectcount.psychophysics.fit import fit
from spectcount.psychophysics.psychometric import Psychometric
from spectcount.psychophysics.sdt import Interval
from spectcount.psychophysics.stratified import Labels, areas


def delong_sd(sx, sy, nx, ny):
    """Standard error of the difference of two AUCs by DeLong's formula, from all pairs."""

    def kernel(s, n):
        return np.array([[(a > b) + 0.5 * (a == b) for b in n] for a in s])

    k = [kernel(s, n) for s, n in ((sx, nx), (sy, ny))]
    s10, s01 = np.cov([m.mean(1) for m in k]), np.cov([m.mean(0) for m in k])
    s = s10 / len(sx) + s01 / len(nx)
    return math.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1]), s[0, 1] / math.sqrt(s[0, 0] * s[1, 1])


def scores(rng, n, rho, dx, dy):
    e = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], n)
    return e[:, 0] + dx, e[:, 1] + dy


def alike(sx, sy, nx, ny):
    """Areas of two listeners whose trials are of one cell, wording and background."""
    signal, catch = np.zeros(len(sx), int), np.zeros(len(nx), int)
    return areas([sx, sy], [nx, ny], Labels(signal, signal, catch, signal, catch))


def test_auc_change_uses_delongs_correlation():
    rng = np.random.default_rng(0)
    (sx, sy), (nx, ny) = scores(rng, 80, 0.7, 1, 1.3), scores(rng, 60, 0.7, 0, 0)
    sx[:5] = sy[:5] = nx[:5] = 0.0
    both = alike(sx, sy, nx, ny)
    found = both.change()
    sd, r = delong_sd(sx, sy, nx, ny)
    before, after = both.interval(0), both.interval(1)
    a, b = after.value - after.low, before.high - before.value
    assert found.value == pytest.approx(sdt.auc(sy, ny).value - sdt.auc(sx, nx).value)
    assert found.low == pytest.approx(found.value - math.sqrt(a * a - 2 * r * a * b + b * b))
    assert (found.high - found.low) / 2 == pytest.approx(norm.ppf(0.975) * sd, rel=0.15)
    assert "DeLong" in before.rule


def test_auc_change_of_two_perfect_listeners_is_not_certain():
    found = alike([3, 4, 5], [3, 4, 5], [0, 1], [0, 1]).change()
    assert found.value == 0 and found.low < -0.05 and found.high > 0.05


@pytest.mark.parametrize("rho,dx,dy", [(0.8, 1, 1), (0.0, 0.5, 1.5)])
def test_auc_change_covers(rho, dx, dy):
    rng = np.random.default_rng(1)
    true = ndtr(dy / math.sqrt(2)) - ndtr(dx / math.sqrt(2))
    inside = []
    for _ in range(200):
        found = alike(*scores(rng, 60, rho, dx, dy), *scores(rng, 60, rho, 0, 0)).change()
        inside.append(found.low <= true <= found.high)
    assert 0.91 <= np.mean(inside) <= 0.995


def test_mean_change_of_identical_answers_is_not_certain():
    found = mean_change([0, 1, -1, 0], [0, 1, -1, 0])
    assert found.value == 0 and found.low < -0.2 and found.high == -found.low
    many = mean_change(np.zeros(1000), np.zeros(1000))
    assert -0.01 < many.low < 0


def test_mean_change_covers():
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(400):
        d = rng.choice([-2, -1, 0, 1], p=[0.05, 0.25, 0.6, 0.1], size=60)
        found = mean_change(np.zeros(60), d)
        inside.append(found.low <= -0.25 <= found.high)
    assert 0.92 <= np.mean(inside) <= 0.98


def test_square_and_add_by_hand():
    before, after = Interval(1.0, 0.5, 1.8), Interval(2.0, 1.7, 2.6)
    found = joined_change(before, after)
    assert found.low == pytest.approx(1 - math.hypot(0.3, 0.8))
    assert found.high == pytest.approx(1 + math.hypot(0.6, 0.5))
    assert joined_change(before, after, 1.0).low == pytest.approx(0.5)
    open_end = joined_change(Interval(1.0, -math.inf, 1.8), after)
    assert math.isinf(open_end.high) and math.isfinite(open_end.low)
    assert math.isnan(joined_change(Interval(math.nan, -math.inf, math.inf), after).value)


def paired_answers(rng, levels, curves, rho):
    u = ndtr(rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], len(levels)))
    return [(u[:, i] < c(levels)).astype(int) for i, c in enumerate(curves)]


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_threshold_change_covers_and_pairing_narrows_it(rho):
    rng = np.random.default_rng(3)
    levels = np.repeat(np.linspace(-60, -20, 9), 20)
    curves = [Psychometric("gaussian", t, 15, 0.5, 0.02) for t in (-38, -41)]
    inside, widths = [], []
    for _ in range(60):
        x, y = paired_answers(rng, levels, curves, rho)
        before, after = fit(levels, x), fit(levels, y)
        ends = before.threshold, after.threshold
        found = threshold_change(*ends, fit_correlation(before, after, levels, x, y))
        loose = threshold_change(*ends)
        if before.measurable and after.measurable:
            inside.append(found.low <= -3 <= found.high)
            widths.append((found.high - found.low) / (loose.high - loose.low))
    assert len(inside) > 50 and 0.9 <= np.mean(inside) <= 1
    assert np.mean(widths) == pytest.approx(1, abs=0.03) if rho == 0 else np.mean(widths) < 0.85


def test_threshold_change_on_a_log_axis_is_the_log_of_a_factor():
    levels = np.repeat([1.0, 2, 4, 8, 16, 32], 30)
    rng = np.random.default_rng(4)
    curves = [Psychometric("weibull", t, 0.6, 0.5, 0.0, log=True) for t in (8, 4)]
    x, y = paired_answers(rng, levels, curves, 0)
    before, after = (fit(levels, k, function="weibull", log=True) for k in (x, y))
    found = threshold_change(before.threshold, after.threshold, log=True)
    factor = after.threshold.value / before.threshold.value
    assert found.value == pytest.approx(math.log10(factor))
    assert found.low < math.log10(0.5) < found.high < 0
    no_end = dataclasses.replace(before.threshold, low=0.0)
    assert threshold_change(no_end, after.threshold, log=True).high == math.inf


def test_a_threshold_that_is_not_there_has_no_change():
    levels = np.repeat(np.linspace(-60, -20, 9), 20)
    rng = np.random.default_rng(5)
    good = fit(levels, paired_answers(rng, levels, [Psychometric("gaussian", -40, 15)] * 2, 0)[0])
    flat = fit(levels, (np.arange(len(levels)) % 2).astype(int))
    assert not flat.measurable
    found = threshold_change(good.threshold, flat.threshold)
    assert math.isnan(found.value) and found.low == -math.inf and found.high == math.inf
    assert fit_correlation(good, flat, levels, levels * 0, levels * 0) == 0


def test_catch_trials_take_part_in_the_correlation():
    """Answers to catch trials that agree raise the correlation over the same answers shuffled."""
    rng = np.random.default_rng(6)
    levels = np.repeat(np.linspace(-60, -20, 9), 20)
    curves = [Psychometric("gaussian", -40, 15, 0.3)] * 2
    x, y = paired_answers(rng, levels, curves, 0)
    caught = np.repeat([1, 0], [20, 40])
    fits = [fit(levels, k, guess=None, catch=(20, 60)) for k in (x, y)]
    all_levels = np.concatenate([levels, np.zeros(60)])
    is_signal = np.arange(len(all_levels)) < len(levels)
    together, apart = (
        fit_correlation(
            *fits, all_levels, np.concatenate([x, caught]), np.concatenate([y, c]), is_signal
        )
        for c in (caught, rng.permutation(caught))
    )
    assert together > apart + 0.03
    assert fit_correlation(*fits, levels, x, x) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda: mean_change([1], [2]), "2 or more"),
        (lambda: joined_change(Interval(0, -1, 1, 0.9), Interval(0, -1, 1)), "one level"),
    ],
)
def test_unpaired_input_is_refused(call, match):
    with pytest.raises(UserError, match=match):
        call()


def test_placements_count_pairs():
    signal, noise = np.array([1.0, 2, 2, 5]), np.array([0.0, 2, 3])
    above, below = sdt.exceeded(signal, noise) / 3, 1 - sdt.exceeded(noise, signal) / 4
    half = {True: 1.0, False: 0.0}
    by_hand = [np.mean([half[s > n] + 0.5 * (s == n) for n in noise]) for s in signal]
    assert above == pytest.approx(by_hand)
    by_hand = [np.mean([half[s > n] + 0.5 * (s == n) for s in signal]) for n in noise]
    assert below == pytest.approx(by_hand)
    pairs = list(itertools.product(signal, noise))
    assert above.mean() == pytest.approx(np.mean([half[s > n] + 0.5 * (s == n) for s, n in pairs]))
