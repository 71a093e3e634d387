"""Options and model of `surface`: a threshold that varies smoothly along a second parameter.

psi(v, z) = guess + (1 - guess - lapse) F((v - t(z)) / width), t(z) linear between nodes.

*Conventions*: `v` is the first parameter on its axis, scaled to -0.5..0.5 over its range, larger
is easier; `z` the second, 0..1. Parameters are [t at the nodes, log width, logit guess, logit
lapse], the last two only where they are free. The prior of t is a Gaussian process around the
middle of the range with a Matern-3/2 kernel. Its roughness and the place of the width are not
chosen but averaged over `ROUGHNESS` x `WIDTHS`: the posterior is a mixture with one Laplace
approximation for each, weighed by its evidence, so that intervals include not knowing them. All of
them are found together, as rows [H]. Laplace's intervals are too narrow here (coverage near 80 %
instead of 95 %): what is reported comes from `draw`, importance sampling of the exact posterior
with the mixture, made wider, as the proposal.

Sources: Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, chapters 3 to 5, for
Laplace's approximation and evidence; Song, Garnett & Barbour (2017), J. Acoust. Soc. Am. 141:2513,
for audiograms by Gaussian processes and active sampling.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from spectcount.errors import UserError
from spectcount.psychophysics.psychometric import Shape, from_axis, shape, to_axis

ROUGHNESS = tuple(itertools.product((0.2, 0.6, 2.0), (0.1, 0.3)))
"""Length scale in z, and standard deviation of t along z in v."""
WIDTHS = (0.08, 0.16, 0.32, 0.64)
WIDTH_SPREAD = 0.35
"""Middles of the width under each prior, and its spread around them in log units: together they
cover 0.05 to 1 evenly."""
WIDTH_PRIOR = (math.log(0.25), 0.8)
LEVEL_SD = 0.6
"""Prior standard deviation of the threshold as a whole, in v."""
GUESS_PRIOR = (float(logit(0.1)), 1.0)
LAPSE_PRIOR = (float(logit(0.04)), 1.4)
"""Middle and spread of the logit: 0.3 to 40 % in 95 of 100 listeners."""
_STEPS = 20
_TOLERANCE = 1e-3
_EDGE = 1e-12
_WIDER, _FREEDOM = 1.7, 8.0
_AT_ONCE = 400_000
_MAX_NODES = 40


@dataclass(frozen=True)
class SurfaceModel:
    """The fixed part: the nodes in z, the form of F, and guess and lapse where they are known."""

    nodes: int
    function: str = "logistic"
    guess: float | None = 0.5
    lapse: float | None = 0.02

    @property
    def shape(self) -> Shape:
        return shape(self.function)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.nodes + 1 + (self.guess is None) + (self.lapse is None)

    @functools.cached_property
    def z_nodes(self) -> np.ndarray:
        return np.linspace(0, 1, self.nodes) if self.nodes > 1 else np.array([0.5])

    def interpolation(self, z: np.ndarray) -> np.ndarray:
        """Weights [n, nodes] that make t(z) of t at the nodes."""
        if self.nodes == 1:
            return np.ones((len(z), 1))
        place = np.clip(z, 0, 1) * (self.nodes - 1)
        return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(self.nodes)))

    def rates(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Guess and lapse [H, 1] of parameters [H, P]."""
        free = iter(theta[:, self.nodes + 1 :].T)
        fixed = np.ones(len(theta))
        guess = expit(next(free)) if self.guess is None else fixed * self.guess
        lapse = expit(next(free)) if self.lapse is None else fixed * self.lapse
        return guess[:, None], lapse[:, None]

    @functools.cached_property
    def priors(self) -> Priors:
        free = [GUESS_PRIOR] if self.guess is None else []
        free += [LAPSE_PRIOR] if self.lapse is None else []
        from scipy.stats import norm

        roughness = ROUGHNESS if self.nodes > 1 else ROUGHNESS[:1]
        means, covariances, shares = [], [], []
        for (length, sd), width in itertools.product(roughness, WIDTHS):
            others = [(math.log(width), WIDTH_SPREAD), *free]
            far = math.sqrt(3) * np.abs(self.z_nodes[:, None] - self.z_nodes) / length
            covariance = np.diag(np.concatenate([np.ones(self.nodes), [s**2 for _, s in others]]))
            covariance[: self.nodes, : self.nodes] = (
                LEVEL_SD**2 + sd**2 * (1 + far) * np.exp(-far) + 1e-8 * np.eye(self.nodes)
            )
            means.append(np.concatenate([np.zeros(self.nodes), [m for m, _ in others]]))
            covariances.append(covariance)
            shares.append(norm.logpdf(math.log(width), *WIDTH_PRIOR))
        precisions = np.linalg.inv(covariances)
        return Priors(
            np.array(means), precisions, np.linalg.slogdet(precisions)[1] / 2 + np.array(shares)
        )


@dataclass(frozen=True)
class SurfaceOptions:
    """A surface before its first trial.

    `x1`, `x2`: ranges (low, high). `nodes`: places along x2 where the threshold is reported, equal
    steps on its axis, straight lines between. `guess`, `lapse`: known rates, None where free.
    `candidates`: places tried for the next trial, along x1 and x2. The track ends after
    `max_trials`, or when the mean half-width of the intervals is below `half_width` parts of x1's
    range. `seed`: of the candidates' jitter.
    """

    x1: tuple[float, float]
    x2: tuple[float, float]
    nodes: int = 10
    guess: float | None = 0.5
    lapse: float | None = 0.02
    log1: bool = False
    log2: bool = False
    falling: bool = False
    function: str = "logistic"
    candidates: tuple[int, int] = (24, 16)
    max_trials: int = 300
    half_width: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, ends, log in (("x1", self.x1, self.log1), ("x2", self.x2, self.log2)):
            low, high = (float(end) for end in ends)
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise UserError(f"{name}={low:g}..{high:g} is no range; give low below high")
            if log and low <= 0:
                raise UserError(f"{name} from {low:g} has no logarithm; start above 0, or log off")
            object.__setattr__(self, name, (low, high))
        if not 1 <= self.nodes <= _MAX_NODES:
            raise UserError(f"nodes={self.nodes} is outside 1..{_MAX_NODES}; give one inside")
        for name, rate in (("guess", self.guess), ("lapse", self.lapse)):
            if rate is not None and not 0 <= rate < 1:
                raise UserError(f"{name}={rate} is no rate; give 0..1, or None to fit it")
        if (self.guess or 0) + (self.lapse or 0) >= 1:
            raise UserError(
                f"guess={self.guess} and lapse={self.lapse} leave nothing to measure; lower one"
            )
        if min(*self.candidates, self.max_trials) < 1:
            raise UserError("candidates and max_trials count from 1; give 1 or more")
        if self.half_width is not None and not self.half_width > 0:
            raise UserError(f"half_width={self.half_width} is never reached; give one above 0")
        self.model.shape  # noqa: B018 - raises for an unknown function

    @functools.cached_property
    def model(self) -> SurfaceModel:
        return SurfaceModel(self.nodes, self.function, self.guess, self.lapse)

    def to_inner(self, x1: ArrayLike, x2: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Levels as (v, z) of `surface_model`; raises `UserError` for 0 or less on a log axis."""
        for name, x, log in (("x1", x1, self.log1), ("x2", x2, self.log2)):
            if log and np.any(np.asarray(x) <= 0):
                raise UserError(f"{name}={np.min(x):g} has no logarithm; give levels above 0")
        v, z = _scaled(x1, self.x1, self.log1) - 0.5, _scaled(x2, self.x2, self.log2)
        return (-v if self.falling else v), z

    def x1_of(self, v: Any) -> Any:
        return _unscaled((-v if self.falling else v) + 0.5, self.x1, self.log1)

    def x2_of(self, z: ArrayLike) -> Any:
        return _unscaled(z, self.x2, self.log2)


def _scaled(x: ArrayLike, ends: tuple[float, float], log: bool) -> np.ndarray:
    low, high = to_axis(np.array(ends), log)
    return (to_axis(x, log) - low) / (high - low)


def _unscaled(share: ArrayLike, ends: tuple[float, float], log: bool) -> Any:
    low, high = to_axis(np.array(ends), log)
    return from_axis(low + np.asarray(share) * (high - low), log)


@dataclass(frozen=True)
class Priors:
    """`means` [H, P], `precisions` [H, P, P], and what they add to the evidence [H]."""

    means: np.ndarray
    precisions: np.ndarray
    evidence: np.ndarray


@dataclass(frozen=True)
class SurfaceData:
    """Trials as rows: `v`, interpolation weights of z, successes and trials; catch trials as "yes"
    and number."""

    v: np.ndarray
    weights: np.ndarray
    successes: np.ndarray
    n: np.ndarray
    catch: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Posterior:
    """A mixture of Gaussians: `share` [H], `means` [H, P], `covariances` [H, P, P]."""

    share: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        return self.share @ self.means

    @functools.cached_property
    def sds(self) -> np.ndarray:
        """Standard deviations within each component, [H, P]."""
        return np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2))

    def sd(self) -> np.ndarray:
        """Standard deviation of each parameter."""
        return np.sqrt(self.share @ (self.sds**2 + (self.means - self.mean) ** 2))


@dataclass(frozen=True)
class Draws:
    """Weighed draws from the exact posterior: `theta` [N, P] and `weight` [N], which sums to 1."""

    theta: np.ndarray
    weight: np.ndarray

    def quantile(self, p: float) -> np.ndarray:
        """Quantile of each parameter, [P]."""
        order = np.argsort(self.theta, axis=0)
        below = np.cumsum(self.weight[order], axis=0)
        first = np.argmax(below >= p, axis=0)
        return np.take_along_axis(self.theta, order, axis=0)[first, np.arange(self.theta.shape[1])]


def posterior(model: SurfaceModel, data: SurfaceData, start: Posterior | None = None) -> Posterior:
    """Laplace's approximation under every prior, from `start` where there is one."""
    theta = model.priors.means if start is None else start.means
    theta, value, curvature = _modes(model, data, theta)
    evidence = value + model.priors.evidence - np.linalg.slogdet(curvature)[1] / 2
    share = np.exp(evidence - evidence.max())
    return Posterior(share / share.sum(), theta, np.linalg.inv(curvature))


def draw(
    model: SurfaceModel, data: SurfaceData, mixture: Posterior, rng: np.random.Generator, n: int
) -> Draws:
    """`n` draws of the exact posterior, from t distributions around the mixture's components."""
    size, share = model.size, 0.9 * mixture.share + 0.1 / len(mixture.share)
    component = np.sort(rng.choice(len(share), n, p=share))
    roots = np.linalg.cholesky(mixture.covariances * _WIDER)[component]
    spread = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, n))
    normal = rng.normal(size=(n, size)) * spread[:, None]
    theta = mixture.means[component] + np.einsum("npq,nq->np", roots, normal)
    density = np.log(share[component]) - np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(1)
    density -= (_FREEDOM + size) / 2 * np.log1p(np.sum(normal**2, axis=1) / _FREEDOM)
    away = theta - model.priors.means[component]
    pull = np.einsum("np,npq,nq->n", away, model.priors.precisions[component], away)
    log_weight = model.priors.evidence[component] - pull / 2 - density
    for part in np.array_split(np.arange(n), max(1, n * len(data.v) // _AT_ONCE)):
        log_weight[part] += _log_likelihood(model, data, theta[part])
    weight = np.exp(log_weight - log_weight.max())
    return Draws(theta, weight / weight.sum())


def _log_likelihood(model: SurfaceModel, data: SurfaceData, theta: np.ndarray) -> np.ndarray:
    p = chances(model, theta, data.v, data.weights)[0]
    value = np.log(p) @ data.successes + np.log1p(-p) @ (data.n - data.successes)
    yes, n_catch = data.catch
    if model.guess is None and n_catch:
        rate = model.rates(theta)[0][:, 0]
        value += yes * np.log(rate) + (n_catch - yes) * np.log1p(-rate)
    return value


def chances(
    model: SurfaceModel, theta: np.ndarray, v: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """psi, its slope in F's argument, the argument, and 1/width; [H, n] and [H, 1]."""
    scale = np.exp(-theta[:, model.nodes])[:, None]
    guess, lapse = model.rates(theta)
    argument = scale * (v - theta[:, : model.nodes] @ weights.T)
    span = 1 - guess - lapse
    p = np.clip(guess + span * model.shape.cdf(argument), _EDGE, 1 - _EDGE)
    return p, span * model.shape.density(argument), argument, scale


def _modes(
    model: SurfaceModel, data: SurfaceData, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Most probable parameters under every prior [H, P], log posterior there (without constants)
    and curvature. Rows that have settled are left out of further steps."""
    rows = np.arange(len(theta))
    theta, scale = theta.copy(), np.ones(len(theta))
    value, gradient, curvature = _log_posterior(model, data, theta, rows)
    for _ in range(_STEPS):
        step = np.linalg.solve(curvature[rows], gradient[rows][..., None])[..., 0]
        left = np.einsum("hp,hp->h", gradient[rows], step) > _TOLERANCE
        rows, step = rows[left], step[left]
        if not len(rows):
            break
        step *= np.minimum(1, 1.5 / np.abs(step).max(1))[:, None]
        trial = theta[rows] + scale[rows, None] * step
        new = _log_posterior(model, data, trial, rows)
        better = new[0] > value[rows]
        scale[rows] = np.where(better, np.minimum(1, 3 * scale[rows]), scale[rows] / 3)
        chosen = rows[better]
        theta[chosen], value[chosen] = trial[better], new[0][better]
        gradient[chosen], curvature[chosen] = new[1][better], new[2][better]
        rows = rows[scale[rows] > 1e-4]
    return theta, value, curvature


def _log_posterior(
    model: SurfaceModel, data: SurfaceData, theta: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value [H], gradient [H, P], and expected information plus prior precision [H, P, P]."""
    k = model.nodes
    p, slope, argument, scale = chances(model, theta, data.v, data.weights)
    slopes = np.empty((*p.shape, model.size))
    slopes[..., :k] = -(scale * slope)[..., None] * data.weights
    slopes[..., k] = -slope * argument
    guess, lapse = model.rates(theta)
    cdf, column = model.shape.cdf(argument), k + 1
    if model.guess is None:
        slopes[..., column] = (1 - cdf) * guess * (1 - guess)
        column += 1
    if model.lapse is None:
        slopes[..., column] = -cdf * lapse * (1 - lapse)
    away = theta - model.priors.means[rows]
    pull = np.einsum("hpq,hq->hp", model.priors.precisions[rows], away)
    wrong = data.n - data.successes
    value = np.log(p) @ data.successes + np.log1p(-p) @ wrong - np.sum(away * pull, axis=1) / 2
    pushed = (data.successes - data.n * p) / (p * (1 - p))
    gradient = np.einsum("hn,hnp->hp", pushed, slopes) - pull
    weighed = slopes * (data.n / (p * (1 - p)))[..., None]
    curvature = weighed.transpose(0, 2, 1) @ slopes + model.priors.precisions[rows]
    yes, n_catch = data.catch
    if model.guess is None and n_catch:
        rate = guess[:, 0]
        value += yes * np.log(rate) + (n_catch - yes) * np.log1p(-rate)
        gradient[:, k + 1] += yes - n_catch * rate
        curvature[:, k + 1, k + 1] += n_catch * rate * (1 - rate)
    return value, gradient, curvature
