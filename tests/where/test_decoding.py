"""The decoder against a plain refit, against labels that mean nothing, and where it may look."""

import numpy as np
import pytest

from spectcount.psychophysics import decoding, ladder


def clips(seed, n=40, width=30, d=1.5, size=2):
    rng = np.random.default_rng(seed)
    labels = np.tile([1.0, -1.0], (n, 1)) if size == 2 else rng.choice([1.0, -1.0], (n, 1))
    features = rng.standard_normal((n, size, width)) + rng.standard_normal((n, 1, width))
    features[:, :, 3] += d * labels
    return features, labels, np.arange(n) % 4, rng


@pytest.mark.parametrize("width", [5, 200])
def test_the_read_out_is_a_plain_ridge_regression_on_the_training_folds(monkeypatch, width):
    from sklearn.linear_model import Ridge

    monkeypatch.setattr(decoding, "PENALTIES", np.array([0.01]))
    features, labels, conditions, rng = clips(1, width=width)
    folds = decoding.deal_folds(conditions, rng)
    scores = decoding.out_of_fold(features, labels[:, :, None], folds)[:, :, 0]
    for fold in range(decoding.FOLDS):
        test = folds == fold
        train = features[~test].reshape(-1, width)
        mean, sd = train.mean(axis=0), train.std(axis=0)
        z = [(x.reshape(-1, width) - mean) / sd / np.sqrt(width) for x in (train, features[test])]
        plain = Ridge(alpha=0.01 * len(train)).fit(z[0], labels[~test].ravel()).predict(z[1])
        expected = (plain - plain.mean()) / plain.std()
        np.testing.assert_allclose(scores[test].ravel(), expected, atol=1e-6)


@pytest.mark.parametrize(("width", "size"), [(5, 2), (90, 2), (90, 1)])
def test_the_penalty_is_the_best_for_pairs_left_out(width, size):
    """Closed form against leaving out each pair in turn and solving anew."""
    features, labels, _, _ = clips(2, n=24, width=width, size=size)
    z = features.reshape(-1, width)
    z = (z - z.mean(axis=0)) / z.std(axis=0) / np.sqrt(width)
    y = labels.reshape(-1, 1) - labels.mean()
    errors = []
    for penalty in decoding.PENALTIES * len(z):
        error = 0.0
        for k in range(24):
            out = np.zeros(len(z), bool)
            out[size * k : size * (k + 1)] = True
            kernel = z[~out] @ z[~out].T + penalty * np.eye((~out).sum())
            error += np.square(y[out] - z[out] @ z[~out].T @ np.linalg.solve(kernel, y[~out])).sum()
        errors.append(error)
    best = decoding.PENALTIES[int(np.argmin(errors))] * len(z)
    expected = np.linalg.solve(z @ z.T + best * np.eye(len(z)), y)
    np.testing.assert_allclose(
        z.T @ decoding._weights(z, y, size), z.T @ expected, rtol=1e-5, atol=1e-8
    )


def test_pairs_stay_together_and_conditions_are_spread_over_the_folds():
    conditions = np.repeat(np.arange(6), 11)
    folds = decoding.deal_folds(conditions, np.random.default_rng(0))
    table = np.zeros((6, decoding.FOLDS), int)
    np.add.at(table, (conditions, folds), 1)
    assert table.min() >= 2
    assert table.max() <= 3
    assert np.ptp(np.bincount(folds)) <= 1


def test_the_labels_of_a_clip_have_no_part_in_its_own_score():
    features, labels, conditions, rng = clips(3)
    folds = decoding.deal_folds(conditions, rng)
    turned = np.where((folds == 0)[:, None], -labels, labels)
    scores = [decoding.out_of_fold(features, y[:, :, None], folds) for y in (labels, turned)]
    np.testing.assert_array_equal(scores[0][folds == 0], scores[1][folds == 0])
    assert not np.allclose(scores[0][folds == 1], scores[1][folds == 1])


def d_a_of(seed, **how):
    features, labels, conditions, rng = clips(seed, **how)
    folds = decoding.deal_folds(conditions, rng)
    shuffled = decoding.permuted(labels, rng, 20)
    targets = np.concatenate([labels[:, :, None], shuffled], axis=2)
    scores = decoding.out_of_fold(features, targets, folds).reshape(-1, 21)
    unit = np.repeat(np.arange(len(labels)), labels.shape[1])
    found = []
    for k in range(21):
        side = targets[:, :, k].ravel() > 0
        units = ladder.Units(np.flatnonzero(side), np.flatnonzero(~side), unit)
        found.append(ladder.d_a(scores[:, k], units, np.ones((1, len(labels))))[0])
    return found


@pytest.mark.parametrize("size", [1, 2])
def test_permuted_labels_give_zero_and_true_ones_do_not(size):
    runs = [d_a_of(seed, size=size, n=40 if size == 2 else 120) for seed in range(12)]
    controls = [np.mean(run[1:]) for run in runs]
    error = np.std(controls) / np.sqrt(len(controls))
    assert abs(np.mean(controls)) < max(3 * error, 0.05)
    assert min(run[0] for run in runs) > 0.5


def test_words_that_move_all_clips_cost_nothing():
    """Clips asked in other words are moved by as much as the signal moves them."""
    features, labels, conditions, rng = clips(4, d=0.7)
    words = np.arange(len(labels)) % 3
    moved = features + 8.0 * words[:, None, None]
    folds = decoding.deal_folds(conditions, rng)
    same = [
        decoding.out_of_fold(decoding.centred(x, words), labels[:, :, None], folds)
        for x in (features, moved)
    ]
    np.testing.assert_allclose(*same, atol=1e-6)


def test_states_that_never_move_tell_nothing():
    features = np.ones((30, 2, 6))
    labels = np.tile([1.0, -1.0], (30, 1))
    assert not decoding.out_of_fold(features, labels[:, :, None], np.arange(30) % 5).any()


def pairs(n):
    return ladder.Units(2 * np.arange(n), 2 * np.arange(n) + 1, np.repeat(np.arange(n), 2))


def test_d_a_is_that_of_the_scores():
    rng = np.random.default_rng(5)
    scores = (rng.standard_normal((4000, 2)) + np.array([1.2, 0.0])).ravel()
    found = ladder.d_a(scores, pairs(4000), np.ones((1, 4000)))
    assert found[0] == pytest.approx(1.2, abs=0.06)


def test_a_perfect_stage_is_at_the_ceiling_and_open_above():
    units, rng = pairs(50), np.random.default_rng(0)
    values = ladder.d_a(np.tile([1.0, 0.0], 50), units, ladder.draws_of(50, rng, 50))
    found = ladder.alone(values, top=ladder.ceiling(units))
    assert found.value == pytest.approx(ladder.ceiling(units))
    assert found.open == "at least"


def test_a_dip_that_comes_back_is_no_loss():
    values = np.array([[3.0], [0.5], [2.9], [1.0]])
    np.testing.assert_allclose(ladder.losses(values)[:, 0], [0.1, -2.4, 1.9])


def test_intervals_of_single_stages_cover():
    """d_a 1 of Gaussian scores whose pairs share half of their noise."""
    inside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((60, 2)) + rng.standard_normal((60, 1))
        scores = (noise / np.sqrt(2) + [1.0, 0.0]).ravel()
        found = ladder.alone(ladder.d_a(scores, pairs(60), ladder.draws_of(60, rng, 300)))
        inside += found.low <= 1 <= found.high
    assert 0.9 <= inside / 200 <= 0.99


def test_what_rounding_would_drown_is_not_read():
    """A difference of a millionth beside states of size 1, and the same a thousand times larger."""
    features, labels, conditions, rng = clips(6, d=0.0)
    states = 1.0 + 0.0 * features
    folds = decoding.deal_folds(conditions, rng)
    for size, heard in ((1e-6, False), (1e-2, True)):
        states[:, :, 3] = 1.0 + size * labels
        floor = decoding.rounding(states)
        assert decoding.out_of_fold(states, labels[:, :, None], folds, floor).any() == heard
