"""Linear read-out of states: out-of-fold scores that say how well a stage tells two sounds apart.

The decoder is Fisher's discriminant with a ridge (Hastie, Buja & Tibshirani 1995, Ann. Stat.
23:73): features are standardised, labels regressed on them, and the score is the regression's
value. The penalty is the one of `PENALTIES` with the smallest error at pairs left out of the
training folds, in closed form. All penalties and all label permutations share one decomposition
of a fold, so that the control costs little more than the read-out itself.

*Conventions*: clips come in groups that are never apart (signal and counterpart of one draw; a
group of one where there is no counterpart): features [G, g, p], targets [G, g, t], folds [G].
Means and spreads come from the training folds alone. Scores of each fold have mean 0 and sd 1.
"""

from __future__ import annotations

import numpy as np

FOLDS = 5
PENALTIES = np.logspace(-5, 1, 13)
"""Shares of the number of training clips, which is the trace of the kernel."""
STEP = 2.0**-10
SMALLEST_SPREAD = 1e-7


def deal_folds(
    conditions: np.ndarray, rng: np.random.Generator, n_folds: int = FOLDS
) -> np.ndarray:
    """Fold [G] of each group, the groups of every condition [G] spread over the folds as evenly as
    they go."""
    order = rng.permutation(len(conditions))
    order = order[np.argsort(conditions[order], kind="stable")]
    folds = np.empty(len(conditions), int)
    folds[order] = np.arange(len(conditions)) % n_folds
    return folds


def centred(features: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Features [G, g, p] less the mean of all clips that were asked in the same words [G]; both
    answers are equally often true of them, so that nothing of the answer is lost."""
    moved = np.array(features, float)
    for word in np.unique(words):
        same = words == word
        moved[same] -= moved[same].mean(axis=(0, 1))
    return moved


def rounding(vectors: np.ndarray) -> float:
    """Half precision's step at the usual size of a stage's states: what moves less between clips
    would drown in the rounding of the model itself, and is no feature."""
    return float(STEP * np.median(np.abs(vectors.astype(float))))


def out_of_fold(
    features: np.ndarray, targets: np.ndarray, folds: np.ndarray, floor: float = 0.0
) -> np.ndarray:
    """Scores [G, g, t] of every clip by a decoder that was fitted to the other folds; features
    whose sd is not above `floor` are left out."""
    scores = np.zeros(targets.shape)
    for fold in np.unique(folds):
        test = folds == fold
        raw = _read(features[~test], targets[~test], features[test], floor)
        spread = raw.std(axis=(0, 1))
        scores[test] = (raw - raw.mean(axis=(0, 1))) / np.where(spread > 0, spread, 1.0)
    return scores


def permuted(labels: np.ndarray, rng: np.random.Generator, n: int) -> np.ndarray:
    """Labels [G, g] -> [G, g, n] permutations: within the groups, or over groups of one."""
    if labels.shape[1] == 1:
        return np.stack([rng.permutation(labels) for _ in range(n)], axis=2)
    swapped = rng.random((len(labels), n)) < 0.5
    return np.where(swapped[:, None], labels[:, ::-1, None], labels[:, :, None])


def _read(train: np.ndarray, targets: np.ndarray, test: np.ndarray, floor: float) -> np.ndarray:
    """Values [H, g, t] at test clips of the ridge regression of targets on training clips."""
    size, width, n_targets = train.shape[1], train.shape[2], targets.shape[2]
    flat = train.reshape(-1, width)
    mean, spread = flat.mean(axis=0), flat.std(axis=0)
    usable = spread > max(floor, SMALLEST_SPREAD * spread.max(initial=0.0))
    if not usable.any():
        return np.zeros((*test.shape[:2], n_targets))
    mean, scale = mean[usable], spread[usable] * np.sqrt(usable.sum())
    z = (flat[:, usable] - mean) / scale
    y = targets.reshape(len(flat), n_targets)
    weights = _weights(z, y - y.mean(axis=0), size)
    seen = (test.reshape(-1, width)[:, usable] - mean) / scale
    return np.asarray(seen @ (z.T @ weights)).reshape(len(test), size, n_targets)


def _weights(z: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    """Dual weights [n, t] of each target at its best penalty. With A = (Z Z' + l I)^-1 they are
    A y, and what a group of clips g would miss if it were left out is A_gg^-1 (A y)_g."""
    values, left = _left(z)
    shares = left.T @ y
    groups = left.reshape(-1, size, left.shape[1])
    error = np.empty((len(PENALTIES), y.shape[1]))
    candidates = np.empty((len(PENALTIES), *y.shape))
    for k, penalty in enumerate(PENALTIES * len(z)):
        shrunk = 1 / (values + penalty) - 1 / penalty
        candidates[k] = y / penalty + left @ (shrunk[:, None] * shares)
        inverse = np.eye(size) / penalty + (groups * shrunk) @ groups.transpose(0, 2, 1)
        missed = np.linalg.solve(inverse, candidates[k].reshape(len(groups), size, -1))
        error[k] = np.square(missed).sum(axis=(0, 1))
    best = error.argmin(axis=0)
    return candidates[best, :, np.arange(y.shape[1])].T


def _left(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared singular values [r] and left singular vectors [n, r] of z [n, p], by the smaller of
    its two products."""
    n, width = z.shape
    values, vectors = np.linalg.eigh(z @ z.T if n <= width else z.T @ z)
    real = values > values.max() * 1e-10
    values, vectors = values[real], vectors[:, real]
    return values, vectors if n <= width else (z @ vectors) / np.sqrt(values)
