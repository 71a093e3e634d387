"""Crossed wordings: Q and variance shares by hand, intervals that include the wording."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spectcount.errors import UserError
from spectcount.psychophysics.crossed import (
    cochran_q,
    criterion_effect,
    d_prime_effect,
    rate_effect,
    variance_shares,
)
from spectcount.psychophysics.sdt import criterion, d_prime


def answers(rng, d, c, n, common):
    """[n, W] "yes" of signals at d (catch trials: -d), half the noise belonging to the stimulus."""
    e = math.sqrt(0.5) * (common[:, None] + rng.normal(size=(n, len(c))))
    return (e + np.asarray(d) / 2 > c).astype(int)


def test_cochrans_q_by_hand():
    """Cochran's own layout: subjects down, treatments across; Q = 8 of Conover's small example."""
    x = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0], [1, 1, 0]])
    columns, rows = x.sum(0), x.sum(1)
    by_hand = 2 * (3 * sum(columns**2) - sum(columns) ** 2) / (3 * sum(rows) - sum(rows**2))
    found = cochran_q(x)
    assert found.q == pytest.approx(by_hand) and found.df == 2
    assert found.p == pytest.approx(math.exp(-by_hand / 2))
    twice = cochran_q(x, x)
    assert (twice.q, twice.df) == (pytest.approx(2 * by_hand), 4)
    assert math.isnan(cochran_q(np.ones((4, 3))).p)


def test_q_is_calibrated_and_finds_a_shift_of_bias():
    rng = np.random.default_rng(0)
    p = []
    for _ in range(300):
        common = rng.normal(size=60)
        p.append(cochran_q(answers(rng, 0.0, np.zeros(5), 60, common)).p)
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.09
    c = np.linspace(-0.6, 0.6, 5)
    signal, noise = (answers(rng, d, c, 80, rng.normal(size=80)) for d in (1, -1))
    assert cochran_q(signal, noise).p < 0.001


def test_shares_recover_what_was_put_in():
    rng = np.random.default_rng(1)
    by_wording = rng.permutation(np.linspace(0.2, 0.8, 8))
    found = variance_shares((rng.random((4000, 8)) < by_wording).astype(int))
    between = np.var(by_wording, ddof=1)
    assert found.wording == pytest.approx(between / (between + 0.25 - np.var(by_wording)), abs=0.02)
    assert found.stimulus < 0.02
    same = np.repeat((rng.random((500, 1)) < 0.5).astype(int), 6, axis=1)
    assert variance_shares(same).stimulus == pytest.approx(1)
    assert math.isnan(variance_shares(np.ones((5, 4))).wording)


def test_each_wording_has_its_own_log_linear_d_prime():
    rng = np.random.default_rng(2)
    c = np.array([-0.5, 0.0, 0.5])
    signal, noise = (answers(rng, d, c, 120, rng.normal(size=120)) for d in (1.5, -1.5))
    found = d_prime_effect(signal, noise)
    bias = criterion_effect(signal, noise)
    for w in range(3):
        counts = (signal[:, w].sum(), 120, noise[:, w].sum(), 120)
        assert found.by_wording[w] == pytest.approx(d_prime(*counts).value)
        assert bias.by_wording[w] == pytest.approx(criterion(*counts).value)
    assert found.these.value == found.like_these.value == pytest.approx(found.by_wording.mean())
    assert found.range == pytest.approx(np.ptp(found.by_wording))
    assert bias.sd > 0.2 and bias.true_sd == pytest.approx(0.5, abs=0.2)
    forced = d_prime_effect(signal, noise, scale=2**-0.5)
    assert forced.these.value == pytest.approx(found.these.value / math.sqrt(2))


def test_a_change_is_the_difference_of_two():
    rng = np.random.default_rng(3)
    x = [answers(rng, d, np.zeros(5), 90, rng.normal(size=90)) for d in (1, -1)]
    y = [answers(rng, d, np.zeros(5), 90, rng.normal(size=90)) for d in (2, -2)]
    change = d_prime_effect(*y, other=x)
    assert change.by_wording == pytest.approx(
        d_prime_effect(*y).by_wording - d_prime_effect(*x).by_wording
    )
    same = d_prime_effect(*y, other=y)
    assert same.like_these.value == 0 and same.like_these.low <= 0 <= same.like_these.high
    rate = rate_effect(y[0], other=x[0])
    assert rate.by_wording == pytest.approx(y[0].mean(0) - x[0].mean(0))


def test_constant_answers_do_not_look_certain():
    found = rate_effect(np.ones((50, 5)))
    assert found.these.value == found.these.high == 1 and found.these.low < 0.99
    perfect = d_prime_effect(np.ones((50, 5)), np.zeros((50, 5)))
    assert perfect.like_these.high - perfect.like_these.low > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("sd,w", [(0.0, 5), (0.5, 5), (0.5, 9)])
def test_intervals_that_include_the_wording_cover(sd, w):
    rng = np.random.default_rng(4)
    inside, fixed = [], []
    for _ in range(200):
        u, c = rng.normal(0, sd, (2, w)), rng.normal(0, sd, (2, w))
        common = rng.normal(size=(2, 100))
        blocks = [
            [answers(rng, s * (1 + k + u[k]), c[k], 100, common[i]) for i, s in enumerate((1, -1))]
            for k in (0, 1)
        ]
        found = d_prime_effect(*blocks[1], other=blocks[0])
        inside.append(found.like_these.low <= 1 <= found.like_these.high)
        fixed.append(found.these.low <= 1 + (u[1] - u[0]).mean() <= found.these.high)
    assert 0.91 <= np.mean(inside) <= 0.995
    assert 0.91 <= np.mean(fixed) <= 0.99


@pytest.mark.parametrize(
    "call,match",
    [
        (lambda: cochran_q([1, 0]), "not crossed"),
        (lambda: cochran_q([[1], [0]]), "2 or more"),
        (lambda: rate_effect([[1, 2], [0, 0]]), "0 or 1"),
        (lambda: rate_effect(np.ones((3, 2)), np.ones((4, 2))), "not the same questions"),
        (lambda: variance_shares([[0, 1]]), "2 or more"),
    ],
)
def test_what_is_not_crossed_is_refused(call, match):
    with pytest.raises(UserError, match=match):
        call()
