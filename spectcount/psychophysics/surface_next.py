"""Where the next trial of a threshold surface should be.

*Conventions*: `v` and `z` as in `surface_model`; rows [H] are the components of the mixture. All
randomness is seeded by the options and the number of trials so far.
"""

from __future__ import annotations

import numpy as np

from spectcount.psychophysics.surface_model import Posterior, SurfaceModel, chances
from spectcount.psychophysics.surface_options import SurfaceOptions

EXPLORE = 5
"""Every so many trials one looks where nothing says that it should."""


def next_place(options: SurfaceOptions, now: Posterior, n: int) -> tuple[float, float]:
    """(v, z) of trial number `n`, counted from 0."""
    place = _explore if n % EXPLORE == EXPLORE - 1 else _exploit
    return place(options, now, n)


def _exploit(options: SurfaceOptions, now: Posterior, n: int) -> tuple[float, float]:
    """(v, z) of the best of a jittered grid, a new one for every trial `n`."""
    n1, n2 = options.candidates
    rng = np.random.default_rng([options.seed, n])
    i, j = np.meshgrid(np.arange(n1), np.arange(n2), indexing="ij")
    v = ((i + rng.random(i.shape)) / n1 - 0.5).ravel()
    z = np.clip((j + rng.uniform(-0.2, 1.2, j.shape)) / n2, 0, 1).ravel()
    best = variance_after(options.model, now, v, z).argmin()
    return float(v[best]), float(z[best])


def _explore(options: SurfaceOptions, now: Posterior, n: int) -> tuple[float, float]:
    """(v, z) at the next of evenly spread z, at the best v of a surface drawn at random."""
    rng = np.random.default_rng([options.seed, n])
    shift = np.random.default_rng(options.seed).random()
    z = (_van_der_corput(n // EXPLORE) + shift) % 1.0
    component = rng.choice(len(now.share), p=now.share)
    theta = rng.multivariate_normal(now.means[component], now.covariances[component])
    v = (np.arange(2 * options.candidates[0]) + rng.random()) / (2 * options.candidates[0]) - 0.5
    best = information_at(options.model, theta, v, np.full(len(v), z)).argmax()
    return float(v[best]), float(z)


def _van_der_corput(n: int) -> float:
    """The bits of `n` mirrored at the point: 0, 1/2, 1/4, 3/4, 1/8, ..."""
    return int(f"{n:b}"[::-1], 2) / 2 ** len(f"{n:b}")


def variance_after(model: SurfaceModel, now: Posterior, v: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Expected summed variance of t at the nodes after one trial at each (v, z) [n].

    For either answer every component moves by a rank-one update and changes its share by how well
    it foretold the answer; the variance is that of the whole mixture.
    """
    kept = np.flatnonzero(now.share > 0.01 * now.share.max())
    theta, covariance = now.means[kept], now.covariances[kept]
    share = now.share[kept] / now.share[kept].sum()
    k = model.nodes
    weights = model.interpolation(z)
    p, slope, argument, scale = chances(model, theta, v, weights)
    towards = np.concatenate(
        [-scale[..., None] * weights, -argument[..., None]], axis=2
    )  # of F's argument in t and log width, [H, n, k + 1]
    reach = towards @ covariance[:, : k + 1, : k + 1]
    variance = np.einsum("hnp,hnp->hn", reach, towards)
    information = slope**2 / (p * (1 - p))
    kept_share = 1 / (1 + information * variance)
    fall = information * kept_share * np.sum(reach[..., :k] ** 2, axis=2)
    within = np.trace(covariance[:, :k, :k], axis1=1, axis2=2)[:, None] - fall
    expected = np.zeros(len(v))
    for chance, score in ((p, slope / p), (1 - p, -slope / (1 - p))):
        joint = share[:, None] * chance
        moved = theta[:, None, :k] + reach[..., :k] * (score * kept_share)[..., None]
        mean = np.einsum("hn,hnk->nk", joint, moved) / joint.sum(0)[:, None]
        expected += np.sum(joint * within, axis=0)
        expected += np.einsum("hn,hnk->n", joint, (moved - mean) ** 2)
    return expected


def information_at(
    model: SurfaceModel, theta: np.ndarray, v: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """Fisher information about t(z) of one trial at each (v, z) [n], if `theta` [P] were true."""
    p, slope, _, scale = chances(model, theta[None], v, model.interpolation(z))
    return ((scale * slope) ** 2 / (p * (1 - p)))[0]
