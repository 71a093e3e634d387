"""Trials of a graded score, checked and put on an axis; whether they hold a threshold at all.

*Conventions*: `u` runs from -0.5, the hardest tested level, to 0.5, the easiest. A threshold is
sought in the tested range and a tenth of it on both sides. It is not measurable where only one
level was tested, where all scores are equal, where the estimate lies outside the tested range, or
where its interval leaves the range that is searched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.errors import UserError
from spectcount.psychophysics.measurable import UNMEASURABLE
from spectcount.psychophysics.psychometric import from_axis, to_axis

SEARCHED = 0.6
"""How far from the middle of the tested range a threshold, or an end of its interval, may lie."""


@dataclass(frozen=True)
class Axis:
    """The tested range, and levels to `u` and back."""

    low: float
    high: float
    log: bool
    falling: bool

    def to_u(self, x) -> np.ndarray:
        ends = to_axis(np.array([self.low, self.high]), self.log)
        spread = ends[1] - ends[0] or 1.0
        u = (to_axis(x, self.log) - ends.mean()) / spread
        return -u if self.falling else u

    def to_level(self, u) -> Any:
        ends = to_axis(np.array([self.low, self.high]), self.log)
        u = -np.asarray(u) if self.falling else np.asarray(u)
        return from_axis(ends.mean() + u * (ends[1] - ends[0] or 1.0), self.log)

    @property
    def hardest(self) -> float:
        return self.high if self.falling else self.low

    @property
    def easiest(self) -> float:
        return self.low if self.falling else self.high


@dataclass(frozen=True)
class GradedTrials:
    """Signal trials at `u` with their scores, the scores of the catch trials, and what is sought:
    d' = `target`. `blocked`: why no threshold can be in such trials."""

    u: np.ndarray
    signal: np.ndarray
    catch: np.ndarray
    axis: Axis
    target: float
    level: float
    blocked: str = ""

    @property
    def tails(self) -> list[float]:
        return [(1 - self.level) / 2, (1 + self.level) / 2]

    def why_not(self, u: float, ends: tuple[float, float], d_at_ends: tuple[float, float]) -> str:
        """Why a threshold at `u` with an interval `ends` is none; empty where it is one.
        `d_at_ends`: d' at the hardest and the easiest tested level."""
        if self.blocked:
            return self.blocked
        axis = self.axis
        if u > 0.5:
            return (
                f"{UNMEASURABLE}: d' stays below {self.target:.3g} over the tested range (it comes "
                f"to {d_at_ends[1]:.2g} at {axis.easiest:g}); test easier levels"
            )
        if u < -0.5:
            return (
                f"{UNMEASURABLE}: d' is {d_at_ends[0]:.2g} at the hardest level tested, "
                f"{axis.hardest:g}, above {self.target:.3g}; test harder levels"
            )
        open_sides = [
            side for side, end in zip(("harder", "easier"), ends, strict=True) if math.isinf(end)
        ]
        if open_sides:
            return (
                f"{UNMEASURABLE}: the trials do not bound the level of d' = {self.target:.3g} on "
                f"the {' and the '.join(open_sides)} side; ask more trials or test a wider range"
            )
        return ""

    def to_levels(self, u: float, ends: tuple[float, float]) -> tuple[float, float, float]:
        """Value, low and high as levels; low below high also on a falling axis."""
        value, first, last = (float(self.axis.to_level(v)) for v in (u, *ends))
        return (value, last, first) if self.axis.falling else (value, first, last)


def graded_trials(
    levels, scores, is_signal, d_prime: float, level: float, log: bool, falling: bool
) -> GradedTrials:
    """Checked trials; arrays [n]. Raises `UserError` for what cannot be trials."""
    x, s, signal = np.asarray(levels, float), np.asarray(scores, float), np.asarray(is_signal)
    if x.ndim != 1 or x.shape != s.shape or x.shape != signal.shape:
        raise UserError(
            f"levels, scores and is_signal of shapes {x.shape}, {s.shape} and {signal.shape} do "
            "not pair; give three lists of one length"
        )
    if not np.isin(signal, (0, 1)).all():
        raise UserError("is_signal must hold True (signal trial) or False (catch trial) only")
    signal = signal.astype(bool)
    _refuse(x[signal], s, signal, log)
    if not (math.isfinite(d_prime) and d_prime > 0):
        raise UserError(f"d_prime={d_prime} is no target; give one above 0")
    if not 0 < level < 1:
        raise UserError(f"level={level} is no confidence level; give one between 0 and 1")
    axis = Axis(float(x[signal].min()), float(x[signal].max()), log, falling)
    blocked = _blocked(axis, s)
    return GradedTrials(axis.to_u(x[signal]), s[signal], s[~signal], axis, d_prime, level, blocked)


def _refuse(x: np.ndarray, s: np.ndarray, signal: np.ndarray, log: bool) -> None:
    for n, what in ((signal.sum(), "signal"), ((~signal).sum(), "catch")):
        if n == 0:
            raise UserError(
                f"0 {what} trials of {len(signal)}: d' compares signal with catch trials; give at "
                f"least 1 {what} trial"
            )
    if np.isnan(s).any():
        raise UserError(
            f"{np.isnan(s).sum()} of {len(s)} scores are nan; leave those trials out, and say so"
        )
    if not np.isfinite(x).all():
        raise UserError(f"a level of {x[~np.isfinite(x)][0]} is none; give finite levels")
    if log and x.min() <= 0:
        raise UserError(f"level {x.min():g} has no logarithm; give levels above 0, or log=False")


def _blocked(axis: Axis, scores: np.ndarray) -> str:
    if np.all(scores == scores[0]):
        return f"{UNMEASURABLE}: every trial has the score {scores[0]:g}; nothing tells them apart"
    if axis.low == axis.high:
        return f"{UNMEASURABLE}: only the level {axis.low:g} was tested; test 2 or more"
    return ""
