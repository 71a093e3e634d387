"""The ideal observer's threshold, and a listener's efficiency at its own.

Conventions: the ideal observer knows the signal exactly, its d' at a level is the mean over a few
draws of the plan's own stimuli. Both are compared where d' = 1. An efficiency is the share of the
ideal's energy, told in dB: at the listener's threshold the ideal observer has a d' of its own, and
20 log10 of that d' is how many dB the listener needs more.

Source: Tanner & Birdsall (1958), J. Acoust. Soc. Am. 30:922.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from spectcount.errors import UserError
from spectcount.listeners.observers.ideal import d_prime_ideal, pair_d_prime
from spectcount.params import Param
from spectcount.psychophysics.efficiency import Efficiency, threshold_efficiency
from spectcount.psychophysics.sdt import Interval
from spectcount.stimulus import Stimulus
from spectcount.tasks import Task

Sensitivity = Callable[[float], float]
"""d' of the ideal observer at a level; raises `UserError` where there can be no such stimulus."""
_PLACES = 13
_CLOSE = 1e-4
_NOTHING_DB = -400.0
"""Stands for the dB of a d' of 0."""


def ideal_d_prime(signal: Stimulus, of_task: Task) -> float:
    """d' of the ideal observer for a signal and its counterpart: their distance over sigma, over
    sqrt 2 in forced choice, as its d' is defined; inf without noise, nan where nothing tells."""
    if "pair" not in signal.meta:
        return d_prime_ideal(signal)
    return pair_d_prime(signal, of_task.name) / of_task.distance


def ideal_threshold(d_prime_at: Sensitivity, declared: Param) -> float:
    """The level where the ideal observer's d' is 1; nan where it is nowhere in what the parameter
    allows, or where there is no noise."""
    for n in (2, _PLACES):  # the ends first; the places between where one of them cannot be
        places = _places(declared, n)
        levels_db = [_db(d_prime_at, declared, u) for u in places]
        for i, (x, y) in enumerate(itertools.pairwise(levels_db)):
            if math.isfinite(x) and math.isfinite(y) and min(x, y) <= 0 <= max(x, y) and x != y:
                return _crossing(d_prime_at, declared, *places[i : i + 2])
    return math.nan


def _crossing(d_prime_at: Sensitivity, declared: Param, a: float, b: float) -> float:
    """The level between two places where d' is 1."""
    from scipy.optimize import brentq

    close = _CLOSE * abs(b - a)
    place = brentq(lambda u: _db(d_prime_at, declared, u), a, b, xtol=close, rtol=1e-4)
    return float(_level(declared, place))


def efficiency_at(
    d_prime_at: Sensitivity, declared: Param, threshold: Interval
) -> Efficiency | None:
    """The efficiency of a listener whose d' is 1 at `threshold`; None where the ideal observer
    knows no answer there: no threshold, no noise."""
    if math.isnan(threshold.value):
        return None
    value = _db(d_prime_at, declared, _place(declared, threshold.value))
    if not math.isfinite(value):
        return None
    ends = [_end(d_prime_at, declared, end) for end in (threshold.low, threshold.high)]
    if any(math.isnan(end) for end in ends):
        ends = [-math.inf, math.inf]
    low, high = min(*ends, value), max(*ends, value)
    return threshold_efficiency(Interval(value, low, high, threshold.level), 0.0)


def _end(d_prime_at: Sensitivity, declared: Param, level: float) -> float:
    """dB at one end of an interval, held within what the parameter allows."""
    low, high = _limits(declared)
    return _db(d_prime_at, declared, _place(declared, min(max(level, low), high)))


def _db(d_prime_at: Sensitivity, declared: Param, place: float) -> float:
    """20 log10 d' at a place of the parameter's axis; nan where there can be no such stimulus."""
    try:
        d_prime = d_prime_at(float(_level(declared, place)))
    except UserError:
        return math.nan  # beyond what the clip can hold: no stimulus, no sensitivity
    if math.isnan(d_prime):
        return math.nan
    return 20 * math.log10(d_prime) if d_prime > 0 else _NOTHING_DB


def _places(declared: Param, n: int) -> list[float]:
    low, high = (_place(declared, end) for end in _limits(declared))
    return [float(u) for u in np.linspace(low, high, n)]


def _limits(declared: Param) -> tuple[float, float]:
    assert declared.low is not None and declared.high is not None
    return float(declared.low), float(declared.high)


def _logarithmic(declared: Param) -> bool:
    return declared.log and bool(declared.low) and _limits(declared)[0] > 0


def _place(declared: Param, level: float) -> float:
    return math.log(level) if _logarithmic(declared) else level


def _level(declared: Param, place: float) -> float:
    return math.exp(place) if _logarithmic(declared) else place
