"""The posterior of a psychometric function on a grid that closes in on where it lies.

*Conventions*: the axes of a grid are, in this order, threshold, log_width (natural logarithm of
the width), lapse, guess and eta (`NAMES`), all on the inner, rising axis of `fit_data`; a fixed
parameter is an axis of one node. Densities, and so the mode, are per unit of these parameters.

Priors, after Schuett, Harmeling, Macke & Wichmann (2016), Vision Res. 122:105: the threshold is
equally likely within the tested range and falls off, as a raised cosine, to nothing half a range
beyond it (of a staircase within its bounds: a listener that slips often keeps it from the hard
levels, so that the tested ones tell nothing about where the threshold may be); the width is
possible from the smallest spacing of levels (1 to 5 % of the range), fully so from twice that up to
the range, and falls off to nothing at three times the range; eta is Beta(1, 10). Different from
there, as the recovery of simulated listeners asks for (docs/recovery): the width is equally likely
per unit of its logarithm, not of itself, which would favour shallow functions where an adaptive
track leaves the width open; lapse is Beta(1, 20) for one half of the listeners, careful ones, and
equally likely up to a half for the others, models of which many reach 70 to 80 % at best, cut off
at its bound; and a free guess is equally likely anywhere in 0..0.95, since listeners that say yes
too often are the rule, not the exception. With overdispersion eta the successes at a level are
beta-binomial with psi (1 / eta^2 - 1) and (1 - psi) (1 / eta^2 - 1), eta = 0 being binomial.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln

from spectcount.psychophysics.fit_data import Counts
from spectcount.psychophysics.psychometric import shape

Bounds = dict[str, tuple[float, float]]
"""Ends of each parameter by its name."""
Values = float | np.ndarray
"""One parameter: a number, or an axis of a grid that broadcasts with the others."""
NAMES = ("threshold", "log_width", "lapse", "guess", "eta")
GUESS_MAX, ETA_MAX = 0.95, 0.9
_LAPSE_SHAPE, ETA_SHAPE = 20, 10
OPEN_SHARE, TRACK_OPEN_SHARE = 0.5, 0.25
"""Weight of the flat part of the lapse prior: half, so that intervals hold for listeners that lapse
in a third of the trials; a quarter for a track without trials at easy levels, where half draws the
thresholds of careful listeners down (by 0.14 of a slope unit; by 0.1)."""
LAPSE_MAX = 0.5
_LAPSE_LEAST_RANGE = 0.1
"""Share of 1 - guess that no lapse rate takes away."""
_COARSE = {"threshold": 33, "log_width": 21, "lapse": 8, "guess": 8, "eta": 6}
_FINE = {"threshold": 51, "log_width": 33, "lapse": 14, "guess": 16, "eta": 12}
_FINE_ALL = {"threshold": 41, "log_width": 25, "lapse": 10, "guess": 12, "eta": 8}
"""Nodes where all five parameters are free."""
_ALL = {"threshold": 21, "log_width": 8, "lapse": 6, "guess": 5, "eta": 1}
_NEAR = {"threshold": 11, "log_width": 6, "lapse": 3, "guess": 3, "eta": 1}
"""Nodes over the whole prior, and about so many more where the posterior lies (`listeners`)."""
_TAIL = 1e-3
_MAX_ZOOMS = 8
_TINY = 1e-10


@dataclass(frozen=True)
class Model:
    """The function that is fitted and, for each rate, its fixed value or None where free."""

    function: str
    guess: float | None
    lapse: float | None
    lapse_max: float
    overdispersion: bool
    open_share: float = OPEN_SHARE

    @property
    def lapse_bound(self) -> float:
        """Highest free lapse rate: `lapse_max`, or what a known guess rate leaves room for."""
        return min(self.lapse_max, (1 - _LAPSE_LEAST_RANGE) * (1 - (self.guess or 0.0)))

    def bounds(self, data: Counts) -> Bounds:
        """Where the prior of each parameter is above 0; equal ends where it is fixed."""
        half, (low, high) = data.spread / 2, data.likely
        return {
            "threshold": (low - half, high + half),
            "log_width": (math.log(data.spacing), math.log(3 * data.spread)),
            "lapse": (0.0, self.lapse_bound) if self.lapse is None else (self.lapse, self.lapse),
            "guess": (0.0, GUESS_MAX) if self.guess is None else (self.guess, self.guess),
            "eta": (0.0, ETA_MAX) if self.overdispersion else (0.0, 0.0),
        }


@dataclass(frozen=True)
class Posterior:
    """Nodes of each axis and the posterior mass of each cell (sum 1); `best` and `likeliest` are
    the parameters of the densest and of the likeliest node."""

    nodes: tuple[np.ndarray, ...]
    mass: np.ndarray
    best: np.ndarray
    likeliest: np.ndarray

    def marginal(self, axis: int) -> np.ndarray:
        """Mass at the nodes of one axis."""
        return self.mass.sum(axis=tuple(i for i in range(self.mass.ndim) if i != axis))

    def quantile(self, axis: int, p: Sequence[float]) -> np.ndarray:
        """Quantiles of one parameter, its density being linear between nodes."""
        nodes = self.nodes[axis]
        if len(nodes) == 1:
            return np.full(np.shape(p), nodes[0])
        density = self.marginal(axis) / cell_sizes(nodes)
        steps = np.diff(nodes) * (density[1:] + density[:-1]) / 2
        below = np.concatenate([[0.0], np.cumsum(steps)])
        return np.interp(p, below / below[-1], nodes)

    def mean(self) -> np.ndarray:
        """Posterior means [5]."""
        return np.array([float(self.marginal(i) @ v) for i, v in enumerate(self.nodes)])

    def draws(self, n: int) -> np.ndarray:
        """`n` parameter vectors [n, 5], evenly spread over the cumulated mass: no randomness but
        the place within the cell, which is seeded."""
        rng = np.random.default_rng(0)
        places = (np.arange(n) + 0.5) / n
        cells = np.searchsorted(np.cumsum(self.mass.ravel()), places * self.mass.sum())
        index = np.unravel_index(np.minimum(cells, self.mass.size - 1), self.mass.shape)
        return np.stack([_within(v, i, rng) for v, i in zip(self.nodes, index, strict=True)], -1)


def posterior(data: Counts, model: Model) -> Posterior:
    """The posterior on a fine grid over where it is not negligible."""
    whole = model.bounds(data)
    bounds = dict(whole)
    for _ in range(_MAX_ZOOMS):
        grid = _on_grid(data, model, whole, _nodes(bounds, _COARSE))
        closer = _support(grid)
        shrunk = any(np.ptp(closer[x]) < 0.4 * np.ptp(bounds[x]) for x in NAMES)
        bounds = closer
        if not shrunk:
            break
    all_free = all(low < high for low, high in whole.values())
    return _on_grid(data, model, whole, _nodes(bounds, _FINE_ALL if all_free else _FINE))


def log_likelihood(
    data: Counts,
    function: str,
    threshold: Values,
    log_width: Values,
    lapse: Values,
    guess: Values,
    eta: Values,
) -> np.ndarray:
    """Log likelihood of parameters that broadcast together."""
    cdf, width = shape(function).cdf, np.exp(log_width)
    caught, n_catch = data.catch
    total = _level_term(caught, n_catch, np.clip(guess, _TINY, 1 - _TINY), eta)
    for u, k, n in zip(data.u, data.k, data.n, strict=True):
        p = guess + (1 - guess - lapse) * cdf((u - threshold) / width)
        total = total + _level_term(k, n, np.clip(p, _TINY, 1 - _TINY), eta)
    return total


def log_prior(
    data: Counts,
    model: Model,
    threshold: Values,
    log_width: Values,
    lapse: Values,
    guess: Values,
    eta: Values,
) -> np.ndarray:
    """Log prior density up to a constant; -inf outside the bounds."""
    half, spacing, (low, high) = data.spread / 2, data.spacing, data.likely
    parts = [
        _plateau(threshold, low - half, low, high, high + half),
        _plateau(np.exp(log_width), spacing, 2 * spacing, data.spread, 3 * data.spread),
    ]
    if model.lapse is None:
        parts.append(lapse_prior(lapse, model.open_share))
    if model.overdispersion:
        parts.append((1 - np.asarray(eta)) ** (ETA_SHAPE - 1))
    with np.errstate(divide="ignore"):
        density = np.log(parts[0])
        for part in parts[1:]:
            density = density + np.log(part)
    return np.where(np.asarray(guess) + lapse < 1, density, -np.inf)


def lapse_prior(lapse: ArrayLike, open_share: float = OPEN_SHARE) -> np.ndarray:
    """Density of a free lapse rate: Beta(1, 20), and by `open_share` equally likely up to
    `LAPSE_MAX`."""
    lapse = np.asarray(lapse, float)
    careful = _LAPSE_SHAPE * (1 - lapse) ** (_LAPSE_SHAPE - 1)
    flat = (lapse <= LAPSE_MAX + 1e-12) / LAPSE_MAX
    return (1 - open_share) * careful + open_share * flat


def cell_sizes(nodes: np.ndarray) -> np.ndarray:
    """Weights of the trapezoidal rule; 1 for a single node."""
    if len(nodes) == 1:
        return np.ones(1)
    steps = np.diff(nodes)
    return (np.append(steps, 0) + np.append(0, steps)) / 2


def _level_term(k: float, n: float, p: np.ndarray, eta: Values) -> Any:
    """k log p + (n - k) log(1 - p), beta-binomial where eta > 0."""
    if np.ndim(eta) == 0 or np.size(eta) == 1:
        binomial = 0.0 if k == 0 else k * np.log(p)
        return binomial if k == n else binomial + (n - k) * np.log1p(-p)
    nu = 1 / np.maximum(eta, 1e-3) ** 2 - 1
    a, b = p * nu, (1 - p) * nu
    return betaln(k + a, n - k + b) - betaln(a, b)


def _on_grid(data: Counts, model: Model, whole: Bounds, nodes: tuple[np.ndarray, ...]) -> Posterior:
    mesh = np.meshgrid(*nodes, indexing="ij", sparse=True)
    likelihood = log_likelihood(data, model.function, *mesh)
    likelihood = np.broadcast_to(likelihood, tuple(map(len, nodes)))
    density = likelihood + log_prior(data, model, *mesh)
    sizes = np.ones(())
    for axis in nodes:
        sizes = np.multiply.outer(sizes, cell_sizes(axis))
    mass = np.exp(density - density.max()) * sizes
    return Posterior(
        nodes, mass / mass.sum(), _node_at(nodes, density), _node_at(nodes, likelihood)
    )


def _node_at(nodes: tuple[np.ndarray, ...], values: np.ndarray) -> np.ndarray:
    index = np.unravel_index(int(np.argmax(values)), values.shape)
    return np.array([v[i] for v, i in zip(nodes, index, strict=True)])


def _nodes(bounds: Bounds, sizes: dict[str, int]) -> tuple[np.ndarray, ...]:
    """Evenly spaced nodes; of the lapse rate evenly on its square root, since small ones matter
    most."""
    nodes = []
    for name in NAMES:
        low, high = bounds[name]
        if low == high:
            nodes.append(np.array([low]))
        elif name == "lapse":
            nodes.append(np.linspace(math.sqrt(low), math.sqrt(high), sizes[name]) ** 2)
        else:
            nodes.append(np.linspace(low, high, sizes[name]))
    return tuple(nodes)


def listeners(
    data: Counts, model: Model, grid: Posterior
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Listeners of all kinds that the prior allows, more of them near the posterior: parameters
    in the order of `NAMES`, [C] each, and their shares of the prior [C]."""
    sizes = zip(NAMES, _nodes(model.bounds(data), _ALL), grid.nodes, strict=True)
    nodes = [
        np.unique(np.concatenate([v, near[:: max(1, len(near) // _NEAR[name])]]))
        for name, v, near in sizes
    ]
    mesh = np.meshgrid(*nodes, indexing="ij", sparse=True)
    share = np.exp(log_prior(data, model, *mesh))
    for i, axis in enumerate(nodes):
        share = share * cell_sizes(axis).reshape([-1 if j == i else 1 for j in range(len(nodes))])
    cells = tuple(np.broadcast_to(axis, share.shape).ravel() for axis in mesh)
    used = share.ravel() > 0
    return tuple(axis[used] for axis in cells), share.ravel()[used]


def _support(grid: Posterior) -> Bounds:
    """The part of each axis outside which the marginal is negligible, one node to spare."""
    bounds = {}
    for i, (name, nodes) in enumerate(zip(NAMES, grid.nodes, strict=True)):
        density = grid.marginal(i) / cell_sizes(nodes)
        used = np.flatnonzero(density > _TAIL * density.max())
        low, high = max(used[0] - 1, 0), min(used[-1] + 1, len(nodes) - 1)
        bounds[name] = (float(nodes[low]), float(nodes[high]))
    return bounds


def _plateau(
    x: ArrayLike, zero_low: float, low: float, high: float, zero_high: float
) -> np.ndarray:
    """1 from `low` to `high`, raised cosines down to 0 at the outer ends."""
    up = np.clip((np.asarray(x) - zero_low) / (low - zero_low), 0, 1)
    down = np.clip((zero_high - np.asarray(x)) / (zero_high - high), 0, 1)
    return (1 - np.cos(np.pi * up)) * (1 - np.cos(np.pi * down)) / 4


def _within(nodes: np.ndarray, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A uniform place within the cell of each node."""
    if len(nodes) == 1:
        return np.full(len(index), nodes[0])
    edges = np.concatenate([nodes[:1], (nodes[1:] + nodes[:-1]) / 2, nodes[-1:]])
    return edges[index] + rng.random(len(index)) * (edges[index + 1] - edges[index])
