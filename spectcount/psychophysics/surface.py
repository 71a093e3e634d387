"""Threshold surfaces: the threshold of one parameter as a smooth function of another.

`SurfaceTrack` places its trials where they tell most about the whole surface and can be stopped
at any time; `fit_surface` fits trials from anywhere, a full grid for instance, in the same way.

*Conventions*: `x1` is the parameter whose threshold is sought (F = 0.5, see `psychometric`), `x2`
the one it depends on; a level is (x1, x2), in the parameters' own units. `falling`: more of x1 is
harder. `log1`, `log2`: that axis is log10. A success is a right answer or "yes"; `guess` is 1/m in
forced choice and None (free, best with catch trials) for yes/no. Everything has pointwise
intervals; a node whose threshold is not measurable is nan, says why and keeps the bounds it has.

Sources: `surface_model`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from spectcount.errors import UserError
from spectcount.psychophysics import cautions
from spectcount.psychophysics.adaptive.base import Answer, Recorder
from spectcount.psychophysics.measurable import UNMEASURABLE
from spectcount.psychophysics.plain import plain
from spectcount.psychophysics.psychometric import from_axis, to_axis
from spectcount.psychophysics.sdt import Interval
from spectcount.psychophysics.surface_model import Posterior, SurfaceData, draw, posterior
from spectcount.psychophysics.surface_next import next_place
from spectcount.psychophysics.surface_options import SurfaceOptions

RULE = "posterior mean and quantiles of a Gaussian-process threshold, roughness averaged"
SEARCHED = 0.6
"""How far from the middle of x1's range, in parts of it, a threshold or its interval may lie."""
N_DRAWS = 6000
STRIDE = 10


@dataclass(frozen=True)
class Surface:
    """Threshold of x1 at `x2` [nodes], with pointwise intervals, `measurable` and `reasons` per
    node. `best_guess` is the posterior mean of every node, for pictures: where the threshold is not
    measurable it is a guess, not a result. `width` is the 5 to 95 % width of F, decades where
    log1."""

    x2: np.ndarray
    threshold: Interval
    best_guess: np.ndarray
    measurable: np.ndarray
    reasons: tuple[str, ...]
    width: Interval
    guess: Interval
    lapse: Interval
    n: int
    n_catch: int
    options: SurfaceOptions

    @property
    def reason(self) -> str:
        """What is not measurable, in one sentence; empty where everything is."""
        missing = int(np.sum(~self.measurable))
        if not missing:
            return ""
        first = next(reason for reason in self.reasons if reason)
        return f"{missing} of {len(self.x2)} places are not measurable; the first: {first}"

    @property
    def cautions(self) -> tuple[str, ...]:
        """What limits the thresholds, in clauses; none where there is no threshold."""
        if not np.any(self.measurable):
            return ()
        return (*cautions.rate_cautions(self.guess, self.lapse, 1.0, 1.0), cautions.UNTESTED)

    def threshold_at(self, x2) -> np.ndarray:
        """Threshold at `x2` by straight lines on the axes between nodes; nan where a neighbouring
        node is not measurable, and outside the range."""
        options = self.options
        places = to_axis(x2, options.log2)
        axis = to_axis(self.threshold.value, options.log1)
        found = np.interp(places, to_axis(self.x2, options.log2), axis, np.nan, np.nan)
        return np.asarray(from_axis(found, options.log1))

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the surface, its intervals, its cautions and the options."""
        return {**plain(self), "cautions": list(self.cautions)}


def fit_surface(
    x1, x2, successes, n=None, *, options: SurfaceOptions, catch: tuple[int, int] = (0, 0),
    level: float = 0.95,
) -> Surface:  # fmt: skip
    """The surface of given trials: levels and `successes` [N] out of `n` [N] (None: 1 each).

    `catch`: "yes" answers and number of catch trials, which tell a free guess rate. Raises
    `UserError` for trials that cannot be.
    """
    x1, x2, k = (np.asarray(values, float) for values in (x1, x2, successes))
    n = np.ones_like(k) if n is None else np.asarray(n, float)
    if x1.ndim != 1 or not x1.shape == x2.shape == k.shape == n.shape or not len(x1):
        raise UserError(
            f"x1, x2, successes and n of shapes {x1.shape}, {x2.shape}, {k.shape} and {n.shape} do "
            "not pair; give lists of one length, 1 or more"
        )
    if not (np.isfinite(x1).all() and np.isfinite(x2).all()):
        raise UserError("a level is nan or infinite; give finite levels")
    if not np.all((k >= 0) & (k <= n)):
        bad = np.flatnonzero(~((k >= 0) & (k <= n)))[0]
        raise UserError(f"{k[bad]:g} successes in {n[bad]:g} trials cannot be; give 0..n")
    data = _data(options, x1, x2, k, n, catch)
    return _surface(options, data, posterior(options.model, data), level)


class SurfaceTrack:
    """A running measurement over two parameters; see `SurfaceOptions` and `adaptive.base.Track`.

    The next level is the candidate that is expected to lower the summed variance of the threshold
    at the nodes most; every fifth looks elsewhere instead, x2 going evenly through its range, so
    that no feature is missed for long (see `surface_next`). Candidates have a seeded jitter: the
    track follows from its options and its history alone.
    """

    def __init__(self, options: SurfaceOptions) -> None:
        self.options = options
        self._record = Recorder(2)
        self._steps: list[Posterior] = []
        self._present: tuple[int, Posterior] | None = None
        self._next: tuple[float, float] | None = None

    def suggest(self) -> tuple[float, ...]:
        if self._next is None:
            v, z = next_place(self.options, self._now(), self.n)
            x1, x2 = self.options.x1_of(v), self.options.x2_of(z)
            self._next = float(f"{x1:.9g}"), float(f"{x2:.9g}")
        return self._next

    def update(self, x: tuple[float, ...], success: bool) -> None:
        if len(x) == 2:
            self.options.to_inner(*np.asarray(x, float))  # refuses what a log axis cannot hold
        self._record.add(x, success)
        self._next = None

    def catch(self, yes: bool) -> None:
        self._record.add_catch(yes)
        self._next = None

    @property
    def finished(self) -> bool:
        return bool(self.reason)

    @property
    def reason(self) -> str:
        options = self.options
        if self.n >= options.max_trials:
            return f"{self.n} trials"
        if options.half_width is None or self.n < options.nodes:
            return ""
        if np.mean(2 * self._now().sd()[: options.nodes]) > options.half_width:
            return ""  # Laplace is too sure of itself: where it is not, nothing else will be
        low, high = _draws(options, self._data, self._now(), 0.95)[1:]
        half = float(np.mean((high - low)[: options.nodes]) / 2)
        if half > options.half_width:
            return ""
        return f"intervals of ±{half:.3g} of x1's range, {self.n} trials"

    @property
    def n(self) -> int:
        return len(self._record.trials)

    @property
    def history(self) -> tuple[Answer, ...]:
        return tuple(self._record.answers)

    def estimate(self, level: float = 0.95) -> Surface:
        """The surface from all trials so far."""
        return _surface(self.options, self._data, self._now(), level)

    def state(self) -> dict[str, Any]:
        levels, successes = self._record.columns()
        found = self.estimate()
        return plain({
            "kind": "surface",
            "n": self.n,
            "finished": self.finished,
            "reason": self.reason,
            "suggestion": self.suggest(),
            "levels": levels,
            "successes": successes,
            "catch": self._record.catch_counts,
            "nodes": found.x2,
            "threshold": found.threshold.value,
            "low": found.threshold.low,
            "high": found.threshold.high,
            "measurable": found.measurable,
            "bounds": (self.options.x1, self.options.x2),
            "estimate": found,
            "options": dataclasses.asdict(self.options),
        })  # fmt: skip

    @property
    def _data(self) -> SurfaceData:
        return self._data_of(len(self._record.answers))

    def _data_of(self, n_answers: int) -> SurfaceData:
        """The first answers as data."""
        answers = self._record.answers[:n_answers]
        caught = [answer.success for answer in answers if answer.is_catch]
        trials = [answer for answer in answers if not answer.is_catch]
        levels = np.array([answer.x for answer in trials], float).reshape(len(trials), 2)
        successes = np.array([answer.success for answer in trials], float)
        catch = sum(caught), len(caught)
        return _data(
            self.options, levels[:, 0], levels[:, 1], successes, np.ones(len(trials)), catch
        )

    def _now(self) -> Posterior:
        """The mixture of all answers so far. It starts from the mixture at the last multiple of
        `STRIDE` answers, so that it depends on the history but not on when it was asked for."""
        answered, model = len(self._record.answers), self.options.model
        if self._present is None or self._present[0] != answered:
            while len(self._steps) < answered // STRIDE:
                data = self._data_of((len(self._steps) + 1) * STRIDE)
                start = self._steps[-1] if self._steps else None
                self._steps.append(posterior(model, data, start))
            now = self._steps[-1] if self._steps else None
            if now is None or answered % STRIDE:
                now = posterior(model, self._data, now)
            self._present = answered, now
        return self._present[1]


def _data(options: SurfaceOptions, x1, x2, successes, n, catch) -> SurfaceData:
    v, z = options.to_inner(x1, x2)
    return SurfaceData(v, options.model.interpolation(z), successes, n, catch)


def _draws(options: SurfaceOptions, data: SurfaceData, found: Posterior, level: float):
    """Mean, low and high of every parameter [P]."""
    drawn = draw(options.model, data, found, np.random.default_rng(options.seed), N_DRAWS)
    tails = (1 - level) / 2, (1 + level) / 2
    return drawn.weight @ drawn.theta, drawn.quantile(tails[0]), drawn.quantile(tails[1])


def _surface(options: SurfaceOptions, data: SurfaceData, found: Posterior, level: float) -> Surface:
    if not 0 < level < 1:
        raise UserError(f"level={level} is no confidence level; give one between 0 and 1")
    k = options.nodes
    mean, low, high = _draws(options, data, found, level)
    nodes = zip(mean[:k], low[:k], high[:k], strict=True)
    reasons = tuple(_why_not(options, *node) for node in nodes)
    measurable = np.array([not reason for reason in reasons])
    spread = np.diff(to_axis(np.array(options.x1), options.log1))[0]
    widths = [float(np.exp(x[k]) * spread) for x in (mean, low, high)]
    guess, lapse = _rates(options, mean, low, high, level)
    return Surface(
        x2=np.asarray(options.x2_of(options.model.z_nodes)),
        threshold=_threshold(options, measurable, mean[:k], low[:k], high[:k], level),
        best_guess=np.asarray(options.x1_of(mean[:k])), measurable=measurable, reasons=reasons,
        width=Interval(widths[0], widths[1], widths[2], level, RULE), guess=guess, lapse=lapse,
        n=int(data.n.sum()), n_catch=data.catch[1], options=options,
    )  # fmt: skip


def _threshold(options: SurfaceOptions, measurable, mean, low, high, level: float) -> Interval:
    """In the unit of x1: nan where not measurable, ends infinite beyond the range searched."""
    value = np.where(measurable, options.x1_of(mean), np.nan)
    ends = [
        np.asarray(options.x1_of(np.where(np.abs(v) > SEARCHED, np.copysign(np.inf, v), v)))
        for v in (low, high)
    ]
    ends = ends[::-1] if options.falling else ends
    return Interval(value, ends[0], ends[1], level, RULE)


def _rates(options: SurfaceOptions, mean, low, high, level: float) -> tuple[Interval, Interval]:
    found, place = [], options.nodes + 1
    for rate in (options.guess, options.lapse):
        if rate is not None:
            found.append(Interval(rate, rate, rate, level, "fixed"))
            continue
        ends = [float(expit(x[place])) for x in (mean, low, high)]
        found.append(Interval(ends[0], ends[1], ends[2], level, RULE))
        place += 1
    return found[0], found[1]


def _why_not(options: SurfaceOptions, value: float, low: float, high: float) -> str:
    """Why the threshold of one node is none; empty where it is one."""
    hard, easy = options.x1[::-1] if options.falling else options.x1
    if value > 0.5:
        return f"{UNMEASURABLE}: below threshold up to the easiest level, {easy:g}"
    if value < -0.5:
        return f"{UNMEASURABLE}: above threshold down to the hardest level, {hard:g}"
    sides = [
        side for side, out in (("harder", low < -SEARCHED), ("easier", high > SEARCHED)) if out
    ]
    if sides:
        return f"{UNMEASURABLE}: not bounded on the {' and the '.join(sides)} side; ask more trials"
    return ""


__all__ = ["Surface", "SurfaceOptions", "SurfaceTrack", "fit_surface"]
