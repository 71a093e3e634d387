"""A criterion that moves, between wordings or between listeners, is no change of sensitivity."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from spectcount.psychophysics.stratified import Labels, areas, numbered, probit

WORDS = 8
THIRD_DEAF = np.where(np.arange(48) % 3 == 0, 0.0, 3.0)
ALIKE = np.full(48, 1.5)


def answered(rng, d, criteria, n=8, n_catch=100, words_sd=0.0, shared=0.5):
    """Internal values less the criterion [L, n_signal], [L, n_catch] and labels of Gaussian
    listeners: `d` [L, cells], `criteria` [L]; criteria of wordings scatter by `words_sd`."""
    cells = np.repeat(np.arange(len(d[0])), n)
    words, catch_words = np.tile(np.arange(n) % WORDS, len(d[0])), np.arange(n_catch) % WORDS
    none = np.zeros(n_catch, int)
    labels = Labels(cells, words, catch_words, np.zeros_like(cells), none)
    of_clips = rng.standard_normal(len(cells)), rng.standard_normal(n_catch)
    found = []
    for own, c in zip(d, criteria, strict=True):
        of_words = c + words_sd * rng.standard_normal(WORDS)
        noise = [
            np.sqrt(shared) * x + np.sqrt(1 - shared) * rng.standard_normal(len(x))
            for x in of_clips
        ]
        found.append((own[cells] + noise[0] - of_words[words], noise[1] - of_words[catch_words]))
    return np.array([x for x, _ in found]), np.array([x for _, x in found]), labels


def d_a_of(cells):
    return np.sqrt(2) * ndtri(ndtr(np.asarray(cells) / np.sqrt(2)).mean())


@pytest.mark.parametrize(
    ("d", "criteria", "words_sd"),
    [
        (THIRD_DEAF, (1.0, 2.0), 0.0),
        (THIRD_DEAF, (2.3, 0.8), 0.0),
        (ALIKE, (2.0, 0.0), 0.0),
        (ALIKE, (0.75, 0.75), 1.0),
    ],
)
def test_a_moved_criterion_is_no_change_of_sensitivity(d, criteria, words_sd):
    rng, runs, said = np.random.default_rng(5), 40, np.zeros(2)
    for _ in range(runs):
        signal, catch, labels = answered(rng, (d, d), criteria, words_sd=words_sd)
        changes = (
            areas(signal, catch, labels).sensitivity_change(),
            probit(signal > 0, catch > 0, labels).interval("d_prime"),
        )
        said += [not one.low <= 0 <= one.high for one in changes]
    assert (said <= 6).all()  # 6 or more of 40 at 5 %: p = .014; before: 35 and more


def test_a_true_change_is_found_by_both_measures():
    rng, hits = np.random.default_rng(6), np.zeros(2)
    for _ in range(10):
        signal, catch, labels = answered(rng, (ALIKE, ALIKE + 1), (0.7, 0.7))
        area = areas(signal, catch, labels).sensitivity_change()
        answers = probit(signal > 0, catch > 0, labels)
        change, bias = answers.interval("d_prime"), answers.interval("criterion")
        hits += [area.low > 0, change.low > 0]
        assert bias.low <= -0.5 <= bias.high or abs(bias.value + 0.5) < 0.3
    assert (hits >= 9).all()


def test_wordings_with_criteria_of_their_own_do_not_lower_sensitivity():
    """Pooled over them, the interval of d' held the truth in 18 %."""
    rng, inside = np.random.default_rng(7), np.zeros(2)
    for _ in range(40):
        signal, catch, labels = answered(rng, (ALIKE,), (0.75,), words_sd=1.0)
        found = (
            areas(signal, catch, labels).sensitivity(0),
            probit(signal > 0, catch > 0, labels).interval("d_prime"),
        )
        inside += [one.low <= 1.5 <= one.high for one in found]
    assert (inside >= 34).all()


def test_unlike_cells_have_the_d_a_of_their_mean_area():
    rng, values = np.random.default_rng(8), []
    for _ in range(20):
        signal, catch, labels = answered(rng, (THIRD_DEAF,), (1.0,), n_catch=200)
        values.append(areas(signal, catch, labels).sensitivity(0).value)
    assert np.mean(values) == pytest.approx(d_a_of(THIRD_DEAF), abs=0.06)


def test_one_cell_and_one_wording_give_the_log_linear_estimate():
    from spectcount.psychophysics import sdt

    (cells,) = numbered(["one"] * 25)
    labels = Labels(cells, cells, cells, cells, cells)
    found = probit(np.arange(25) < 20, np.arange(25) < 10, labels)
    assert found.d_prime[0] == pytest.approx(sdt.d_prime(20, 25, 10, 25).value, abs=1e-3)
    assert found.criterion[0] == pytest.approx(sdt.criterion(20, 25, 10, 25).value, abs=1e-3)


def test_a_listener_that_never_errs_is_at_least_so_good():
    rng = np.random.default_rng(9)
    signal, catch, labels = answered(rng, (np.full(4, 20.0),), (10.0,))
    found = areas(signal, catch, labels).sensitivity(0)
    assert np.isinf(found.high) and found.low > 2
