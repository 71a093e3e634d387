"""Bayesian fits of psychometric functions, with intervals.

*Conventions*: a success is a right answer (forced choice, `guess` = 1/m fixed) or "yes" (yes/no,
`guess=None`: free, best with catch trials in `catch`). Thresholds are levels where F = 0.5 (see
`psychometric`), in the unit of the levels; widths count decades on a log axis. Estimates are
posterior medians; intervals are equal-tailed. A threshold that the data do not hold is nan in an
unbounded interval, `measurable` is False and `reason` says why (the rules: `measurable`). Where
there is one, `cautions` say what limits it.

Sources: Schuett, Harmeling, Macke & Wichmann (2016), Vision Res. 122:105; Wichmann & Hill (2001),
Percept. Psychophys. 63:1293.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from spectcount.errors import UserError
from spectcount.psychophysics import goodness
from spectcount.psychophysics.fit_data import MAX_LEVELS, Counts, counts
from spectcount.psychophysics.fit_grid import (
    GUESS_MAX,
    LAPSE_MAX,
    NAMES,
    OPEN_SHARE,
    Model,
    Posterior,
    listeners,
    log_likelihood,
    log_prior,
    posterior,
)
from spectcount.psychophysics.measurable import (
    UNMEASURABLE,
    break_caution,
    fit_caution,
    rate_cautions,
    why_not_measurable,
    width_caution,
)
from spectcount.psychophysics.one_function import Break, find_break
from spectcount.psychophysics.plain import plain
from spectcount.psychophysics.psychometric import Psychometric, shape, to_axis
from spectcount.psychophysics.sdt import Interval, tails
from spectcount.records import NOT_STORED

BAYES = "posterior median and equal-tailed interval (grid)"
FIXED = "fixed"
_N_DRAWS = 4000
_OVERDISPERSED_LEVELS = 40


@dataclass(frozen=True)
class Fit:
    """A fitted psychometric function.

    `function` is the curve of the estimates, `map` and `mean` those of the posterior mode and
    means. `slope` is d psi / dx at the threshold (per decade on a log axis). `tested` is the tested
    range. `broken` is the evidence for more than one function. `draws` [n, 5] are parameters of
    `fit_grid` drawn from the posterior.
    """

    STORED: ClassVar[tuple[str, ...]] = ("goodness_p",)

    threshold: Interval
    width: Interval
    guess: Interval
    lapse: Interval
    slope: Interval
    eta: Interval
    function: Psychometric
    map: Psychometric
    mean: Psychometric
    measurable: bool
    reason: str
    level: float
    n_trials: int
    n_levels: int
    tested: tuple[float, float]
    broken: Break = field(compare=False)
    lapse_bound: float
    counts: Counts = field(repr=False, compare=False)
    draws: np.ndarray = field(
        default_factory=lambda: np.empty((0, 5)), repr=False, compare=False, metadata=NOT_STORED
    )

    @functools.cached_property
    def deviance(self) -> float:
        """Of the densest curve; catch trials left out."""
        return float(goodness.deviance(self.counts.k, self.counts.n, self._chance))

    @functools.cached_property
    def goodness_p(self) -> float:
        """Chance of a larger deviance were the curve true (see `goodness`)."""
        return goodness.goodness_p(self.counts.k, self.counts.n, self._chance)

    @functools.cached_property
    def cautions(self) -> tuple[str, ...]:
        """Limits of the threshold, in clauses; none where there is no threshold."""
        if not self.measurable:
            return ()
        return (
            *break_caution(self.broken, self.counts.to_level),
            *fit_caution(self.goodness_p),
            *rate_cautions(self.guess, self.lapse, GUESS_MAX, self.lapse_bound),
            *width_caution(self.width, 2 * self.counts.spacing, self.counts.spread),
        )

    @property
    def _chance(self) -> np.ndarray:
        return np.asarray(self.map(self.counts.to_level(self.counts.u)))

    def level_for(self, pc: float) -> Interval:
        """The level where psi = `pc`; nan in an unbounded interval where the curve does not reach
        it, an unbounded end where a share of the posterior above that tail does not."""
        _, _, lapse, guess, _ = self.draws.T
        value = self.function.level_for(pc)
        if not self.measurable or math.isnan(value):
            return _unknown(self.level)
        return self._level_of((pc - guess) / (1 - guess - lapse), value)

    def _level_of(self, p: np.ndarray, value: float) -> Interval:
        """Interval of the level where F is the `p` [n] of each draw."""
        threshold, width = self.draws[:, 0], np.exp(self.draws[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            z = shape(self.function.function).quantile(np.clip(p, 0, 1))
        ends = np.quantile(threshold + width * z, tails(self.level), method="closest_observation")
        low, high = sorted(self.counts.to_level(ends))
        return Interval(float(value), float(low), float(high), self.level, self.threshold.rule)

    def not_measurable(self, reason: str) -> Fit:
        """This fit with its threshold, width and slope withdrawn."""
        unknown = _unknown(self.level)
        return dataclasses.replace(
            self, threshold=unknown, width=unknown, slope=unknown, measurable=False, reason=reason
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, without the draws; nan and infinities become None."""
        left_out = {"counts", "draws"}
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        data = {name: value for name, value in data.items() if name not in left_out}
        more = {name: getattr(self, name) for name in ("deviance", "goodness_p", "cautions")}
        return plain(data | more)


def fit(
    levels: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike | None = None,
    *,
    function: str = "gaussian",
    guess: float | None = 0.5,
    lapse: float | None = None,
    level: float = 0.95,
    log: bool = False,
    falling: bool = False,
    overdispersion: bool = False,
    lapse_max: float = LAPSE_MAX,
    open_share: float = OPEN_SHARE,
    catch: tuple[int, int] = (0, 0),
    reach: tuple[float, float] | None = None,
) -> Fit:
    """Fit psi = guess + (1 - guess - lapse) F to counts.

    `levels`, `successes` and `trials` are lists of one length, [n]; without `trials` each row is
    one trial, and the rows stand in the order of their time. Equal levels are pooled. `guess` and
    `lapse`: a fixed rate, or None for a free one (lapse within 0..`lapse_max`, `open_share` of its
    prior flat). `catch`: "yes" answers and trials without a signal. `reach`: lowest and highest
    level that might have been given, where the answers chose the levels. `overdispersion` widens
    the intervals where the counts vary more than binomials (levels are then pooled beyond 40).
    Raises `UserError`.
    """
    model = Model(function, guess, lapse, lapse_max, overdispersion, open_share)
    _check(model, level)
    data = counts(
        levels,
        successes,
        trials,
        log=log,
        falling=falling,
        catch=catch,
        reach=reach,
        max_levels=_OVERDISPERSED_LEVELS if overdispersion else MAX_LEVELS,
    )
    grid = posterior(data, model)
    best = _densest(data, model, grid.best)
    broken = _broken(data, model, grid, levels, successes, trials)
    fitted = _assemble(data, model, level, grid, best, broken)
    threshold = grid.quantile(0, [0.5, *tails(level)])
    why = why_not_measurable(data, model, threshold, (grid.likeliest, best), broken)
    return fitted.not_measurable(why) if why else fitted


def _broken(
    data: Counts,
    model: Model,
    grid: Posterior,
    levels: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike | None,
) -> Break:
    """The evidence that the rows are not of one function; their order tells only where each is one
    trial. Nothing is said where counts may vary more than binomials."""
    if model.overdispersion:
        return Break()
    ordered = trials is None or bool(np.all(np.asarray(trials) == 1))
    if ordered:
        u = to_axis(np.asarray(levels, float), data.log) * (-1 if data.falling else 1)
        places = data.u[np.abs(u[:, None] - data.u).argmin(axis=1)]
        right = np.asarray(successes, float)
    else:
        places = np.repeat(data.u, data.n.astype(int))
        right = np.concatenate(
            [np.arange(n) < k for k, n in zip(data.k, data.n, strict=True)]
        ).astype(float)
    (threshold, log_width, lapse, guess, _), share = listeners(data, model, grid)

    def chance_at(u: np.ndarray) -> np.ndarray:
        f = shape(model.function).cdf((u - threshold) / np.exp(log_width))
        return guess + (1 - guess - lapse) * f

    return find_break(places, right, chance_at, share, ordered)


def _assemble(
    data: Counts, model: Model, level: float, grid: Posterior, best: np.ndarray, broken: Break
) -> Fit:
    """A fit from the posterior on the inner axis and its densest parameters [5]."""
    rule, mean, draws = BAYES, grid.mean(), grid.draws(_N_DRAWS)
    table = np.stack([grid.quantile(i, [0.5, *tails(level)]) for i in range(len(NAMES))])
    by_name = dict(zip(NAMES, table, strict=True))
    curve = functools.partial(_curve, data, model)
    function, densest = curve(table[:, 0]), curve(best)
    rates = {
        name: Interval(fixed, fixed, fixed, level, FIXED)
        if fixed is not None
        else _interval(by_name[name], level, rule)
        for name, fixed in (("guess", model.guess), ("lapse", model.lapse))
    }
    if model.overdispersion:
        eta = _interval(by_name["eta"], level, rule)
    else:
        eta = goodness.overdispersion(data.k, data.n, densest(data.to_level(data.u)), level)
    value, *ends = (float(data.to_level(u)) for u in by_name["threshold"])
    return Fit(
        threshold=Interval(value, min(ends), max(ends), level, rule),
        width=_interval(np.exp(by_name["log_width"]), level, rule),
        slope=_slope(function, draws, level, rule),
        eta=eta,
        function=function,
        map=densest,
        mean=curve(mean),
        measurable=True,
        reason="",
        level=level,
        broken=broken,
        lapse_bound=model.lapse_bound,
        n_trials=int(data.n.sum()) + data.catch[1],
        n_levels=len(data.u),
        tested=data.tested(),
        counts=data,
        draws=draws,
        **rates,
    )


def _curve(data: Counts, model: Model, values: np.ndarray) -> Psychometric:
    threshold, log_width, lapse, guess, _ = map(float, values)
    level, width = float(data.to_level(threshold)), math.exp(log_width)
    return Psychometric(model.function, level, width, guess, lapse, data.falling, data.log)


def _slope(function: Psychometric, draws: np.ndarray, level: float, rule: str) -> Interval:
    _, log_width, lapse, guess, _ = draws.T
    steepest = float(shape(function.function).density(0.0))
    slopes = (-1 if function.falling else 1) * (1 - guess - lapse) * steepest / np.exp(log_width)
    low, high = np.quantile(slopes, tails(level))
    return Interval(function.slope, float(low), float(high), level, rule)


def _densest(data: Counts, model: Model, start: np.ndarray) -> np.ndarray:
    """The posterior mode [5], climbing from the densest node of the grid."""
    bounds = [model.bounds(data)[name] for name in NAMES]
    free = [i for i, (low, high) in enumerate(bounds) if low < high]
    scale = np.array([data.spread, 1.0, 0.1, 0.1, 0.1])[free]

    def loss(x: np.ndarray) -> float:
        values = start.copy()
        values[free] = x * scale
        density = log_likelihood(data, model.function, *values) + log_prior(data, model, *values)
        return -float(np.clip(density, -1e12, None))

    limits = [(bounds[i][0] / s, bounds[i][1] / s) for i, s in zip(free, scale, strict=True)]
    climb = minimize(loss, start[free] / scale, bounds=limits, method="L-BFGS-B")
    best = start.copy()
    if climb.fun <= loss(start[free] / scale):
        best[free] = climb.x * scale
    return best


def _check(model: Model, level: float) -> None:
    shape(model.function)
    tails(level)
    for name, rate in (("guess", model.guess), ("lapse", model.lapse)):
        if rate is not None and not 0 <= rate < 1:
            raise UserError(f"{name}={rate} is no rate; give 0 <= {name} < 1, or None for free")
    if not 0 < model.lapse_max < 1:
        raise UserError(f"lapse_max={model.lapse_max} bounds nothing; give 0 < lapse_max < 1")
    lapse = model.lapse_bound if model.lapse is None else model.lapse
    if (model.guess or 0.0) + lapse >= 1:
        raise UserError(
            f"guess={model.guess} and lapse={lapse} reach 1; give rates that sum below 1"
        )


def _interval(row: np.ndarray, level: float, rule: str) -> Interval:
    value, low, high = map(float, row)
    return Interval(value, low, high, level, rule)


def _unknown(level: float) -> Interval:
    return Interval(math.nan, -math.inf, math.inf, level, UNMEASURABLE)
