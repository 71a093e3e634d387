"""Changes from a base to a tuned listener beyond rates and d': counting errors, thresholds.

*Conventions*: x is the base, y the tuned listener, element i of both the same question; a change
is y - x. An interval of a difference of two estimates joins their own intervals by square-and-add
(Newcombe's method, Zou & Donner's MOVER), with the correlation that the shared questions give:

    low = d - sqrt(a^2 - 2 r a b + b^2), a = y - low(y), b = high(x) - x; high likewise.

So it keeps the asymmetry of the two intervals and never shrinks to nothing where both listeners
are perfect.

Sources: Newcombe (1998), Stat. Med. 17:2635, and Zou & Donner (2008), Stat. Med. 27:1693, for
square-and-add; Huber (1967) for the covariance of two fits from the scores of their trials.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from spectcount.errors import UserError
from spectcount.psychophysics.fit import Fit
from spectcount.psychophysics.psychometric import Psychometric, from_axis, to_axis
from spectcount.psychophysics.sdt import Interval, tails

SQUARE_AND_ADD = "square-and-add of the two intervals, correlation of the shared questions"
PAIRED_T = "paired t, half an event more and less added"
_STEP = 1e-4


def joined_change(before: Interval, after: Interval, correlation: float = 0.0) -> Interval:
    """after - before of two estimates with their intervals (numbers, one level), by
    square-and-add; nan in an unbounded interval where either is nan."""
    if before.level != after.level:
        raise UserError(
            f"intervals at {before.level:g} and {after.level:g} cannot be joined; give one level"
        )
    if math.isnan(before.value) or math.isnan(after.value):
        return Interval(math.nan, -math.inf, math.inf, after.level, SQUARE_AND_ADD)
    down = _joined(after.value - after.low, before.high - before.value, correlation)
    up = _joined(after.high - after.value, before.value - before.low, correlation)
    change = after.value - before.value
    return Interval(change, change - down, change + up, after.level, SQUARE_AND_ADD)


def mean_change(x: ArrayLike, y: ArrayLike, level: float = 0.95) -> Interval:
    """Change of a mean of whole numbers that are asked in pairs, say of signed or absolute
    counting errors [n].

    Student's interval of the differences, whose variance gets one more pair, half of it a
    difference of +1 and half of -1, so that answers which are all alike do not look certain.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2:
        raise UserError(
            f"paired numbers of shapes {x.shape} and {y.shape} cannot be compared; give two lists "
            "of one length, 2 or more"
        )
    d = y - x
    n, value = len(d), float(np.mean(d))
    error = math.sqrt((float(np.sum((d - value) ** 2)) + 1) / n / n)
    half = float(student.ppf(tails(level)[1], n - 1)) * error
    return Interval(value, value - half, value + half, level, PAIRED_T)


def threshold_change(
    before: Interval, after: Interval, correlation: float = 0.0, log: bool = False
) -> Interval:
    """Change of a threshold: after - before in the levels' unit, or log10(after / before) on a
    `log` axis. `correlation`: `fit_correlation` for the same questions, 0 where each listener got
    its own. nan and unbounded where one of the two is not measurable."""
    return joined_change(_on_axis(before, log), _on_axis(after, log), correlation)


def fit_correlation(
    before: Fit,
    after: Fit,
    levels: ArrayLike,
    success_x: ArrayLike,
    success_y: ArrayLike,
    signal: ArrayLike | None = None,
) -> float:
    """Correlation of two threshold estimates that one set of questions gives: of the scores of
    the trials at the fitted curves, each turned into its pull on the threshold.

    `levels` [n], `success_x` and `success_y` [n] (0 or 1) per question; `signal` [n] is False for
    catch trials, whose chance is the guess rate. 0 where either threshold is not measurable.
    """
    if not (before.measurable and after.measurable):
        return 0.0
    x = np.asarray(levels, float)
    signal = np.ones(len(x), bool) if signal is None else np.asarray(signal, bool)
    pulls = [
        _pulls(fit, x, np.asarray(k, float), signal)
        for fit, k in ((before, success_x), (after, success_y))
    ]
    norm = math.sqrt(float(np.sum(pulls[0] ** 2) * np.sum(pulls[1] ** 2)))
    return float(np.clip(np.sum(pulls[0] * pulls[1]) / norm, -1, 1)) if norm > 0 else 0.0


def _joined(a: float, b: float, correlation: float) -> float:
    if math.isinf(a) or math.isinf(b):
        return math.inf
    return math.sqrt(max(a * a - 2 * correlation * a * b + b * b, 0.0))


def _on_axis(threshold: Interval, log: bool) -> Interval:
    """The threshold on the axis of the fit; an end at 0 of a log axis is unbounded."""
    if not log or math.isnan(threshold.value):
        return threshold
    ends = [max(v, 0.0) for v in (threshold.value, threshold.low, threshold.high)]
    value, low, high = (float(v) for v in to_axis(ends, True))
    return dataclasses.replace(threshold, value=value, low=low, high=high)


def _pulls(fit: Fit, x: np.ndarray, k: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Pull of each trial on the threshold, [n]: its score times the inverse information."""
    free = [
        name
        for name in ("threshold", "width", "guess", "lapse")
        if getattr(fit, name).low < getattr(fit, name).high
    ]
    chance = _chances(fit.function, x, signal, {})
    p = np.clip(chance, 1e-6, 1 - 1e-6)
    slopes = np.stack([_slope(fit, name, x, signal) for name in free])
    score = slopes * (k - p) / (p * (1 - p))
    information = (slopes / (p * (1 - p))) @ slopes.T
    return np.asarray((np.linalg.pinv(information, rcond=1e-6, hermitian=True) @ score)[0])


def _slope(fit: Fit, name: str, x: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """d psi / d parameter per trial, in units of the parameter's interval."""
    curve = fit.function
    at = _axis_value(curve, name)
    ends = getattr(fit, name)
    spread = max(abs(_axis_span(ends, curve, name)), 1e-9)
    step = _STEP * spread
    up, down = (_chances(curve, x, signal, {name: at + s}) for s in (step, -step))
    return (up - down) / (2 * _STEP)


def _axis_value(curve: Psychometric, name: str) -> float:
    value = float(getattr(curve, name))
    return math.log10(value) if name == "threshold" and curve.log else value


def _axis_span(ends: Interval, curve: Psychometric, name: str) -> float:
    if name == "threshold" and curve.log:
        return math.log10(ends.high) - math.log10(max(ends.low, 1e-300))
    return float(ends.high - ends.low)


def _chances(
    curve: Psychometric, x: np.ndarray, signal: np.ndarray, changed: dict[str, float]
) -> np.ndarray:
    """psi per trial, the guess rate on catch trials; parameters on the fit's axis may differ."""
    values: Any = {k: max(v, 0.0) if k in ("guess", "lapse") else v for k, v in changed.items()}
    if "threshold" in values:
        values["threshold"] = from_axis(values["threshold"], curve.log)
    used = dataclasses.replace(curve, **values)
    return np.where(signal, used(np.where(signal, x, curve.threshold)), used.guess)
