"""Thresholds that data hold, or do not ("not measurable" is a result), and what limits them.

*Conventions*: places are on the inner, rising axis of `fit_data`. A threshold is not measurable
where

- only one level was tested;
- the answers do not depend on the level: the psychometric function is not likelier than one rate
  at all levels by a likelihood ratio of 3.84 (5 % of chi-square with 1 degree of freedom), or the
  successes become rarer where they should become more frequent (trend of z < -1.96);
- performance never crosses the criterion in the tested range: the estimate lies outside it;
- the answers are not those of one function (`one_function`): they fall again, or the listener
  changed; or too few trials at the easy end tell whether they fall again;
- the interval of the threshold leaves the tested range by more than a quarter of its length.

A caution is a clause without a stop, to stand after "caution:": a rate or width at a bound, a poor
or doubtful fit; none of them takes the threshold away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from spectcount.psychophysics.fit_data import Counts
from spectcount.psychophysics.fit_grid import Model, log_likelihood
from spectcount.psychophysics.one_function import Break, break_reason, break_words
from spectcount.psychophysics.sdt import Interval

UNMEASURABLE = "not measurable"
_FLAT = 3.84
_SLACK = 0.25
_BACKWARDS = -1.96
_MANY_SLIPS = 0.1
"""A lapse rate that may be all that a flat function differs from a perfect one by."""
POOR_FIT = 0.05
SLIPS = 0.1
"""A lapse rate from which on the best that a listener does is told beside its threshold."""
_AT_BOUND = 0.96
FALLS_UNTESTED = "whether the answers fall again at easy levels is not tested with two parameters"

UNTESTED = "whether the answers are those of one function is not tested on a surface"


def why_not_measurable(
    data: Counts, model: Model, threshold: np.ndarray, likely: tuple[np.ndarray, ...], broken: Break
) -> str:
    """The reason in words, empty where the threshold is measurable.

    `threshold` [3]: its value, low and high; `likely`: parameters [5] near the greatest likelihood;
    `broken`: the evidence for more than one function.
    """
    value, low, high = threshold
    if len(data.u) == 1:
        return f"{UNMEASURABLE}: only the level {data.to_level(data.u[0]):g} was tested"
    if _trend(data) < _BACKWARDS:
        return (
            f"{UNMEASURABLE}: successes become rarer over {_span(data)} where they should become "
            "more frequent; is the harder side the right one?"
        )
    slack = _SLACK * data.spread
    outside = not data.low <= value <= data.high
    slips = likely[-1][2] >= _MANY_SLIPS
    if _is_flat(data, model, likely):
        return (
            f"{UNMEASURABLE}: {_side(data, likely[-1]) if outside and not slips else _flat(data)}"
        )
    if outside:
        return f"{UNMEASURABLE}: {_side(data, likely[-1])}"
    if broken.forbids:
        return f"{UNMEASURABLE}: {break_reason(broken, data.to_level)}"
    if low < data.low - slack or high > data.high + slack:
        ends = sorted(float(data.to_level(u)) for u in (low, high))
        return (
            f"{UNMEASURABLE}: the interval of the threshold, {ends[0]:.4g} to {ends[1]:.4g}, "
            f"leaves the tested range {_span(data)} by more than a quarter of it"
        )
    return ""


def _is_flat(data: Counts, model: Model, likely: tuple[np.ndarray, ...]) -> bool:
    best = max(float(log_likelihood(data, model.function, *values)) for values in likely)
    return 2 * (best - data.flat_log_likelihood()) < _FLAT


def _trend(data: Counts) -> float:
    """z of a linear trend of the success rate over the levels (Cochran-Armitage)."""
    rate = data.k.sum() / data.n.sum()
    place = data.u - np.average(data.u, weights=data.n)
    sd = np.sqrt(rate * (1 - rate) * np.sum(data.n * place**2))
    return float(np.sum(place * (data.k - data.n * rate)) / sd) if sd > 0 else 0.0


def _flat(data: Counts) -> str:
    rate = data.k.sum() / data.n.sum()
    return (
        f"the answers do not change with the level ({100 * rate:.3g} % successes over "
        f"{_span(data)}, {data.n.sum():.0f} trials)"
    )


def _side(data: Counts, values: np.ndarray) -> str:
    """The side of the criterion on which performance stays."""
    _, _, lapse, guess, _ = values
    criterion = guess + (1 - guess - lapse) / 2
    side = "below" if values[0] > (data.low + data.high) / 2 else "above"
    return (
        f"performance stays {side} {100 * criterion:.3g} % successes over the tested range "
        f"{_span(data)}"
    )


def _span(data: Counts) -> str:
    low, high = data.tested()
    return f"{low:g}..{high:g}"


def rate_cautions(
    guess: Interval, lapse: Interval, guess_max: float, lapse_max: float
) -> list[str]:
    """Rates that press on the end of what they may be, and a best far below 1; fixed rates, whose
    intervals have no length, say nothing."""
    words = []
    for name, rate, bound in (("guess", guess, guess_max), ("lapse", lapse, lapse_max)):
        if rate.low < rate.high and rate.high >= _AT_BOUND * bound:
            words.append(f"the {name} rate may press on its bound of {bound:.2g}")
    best = 1 - lapse.value
    if lapse.low < lapse.high and lapse.value >= SLIPS:
        middle = (guess.value + best) / 2
        words.append(
            f"the best is about {100 * best:.0f} % successes (lapse {lapse.value:.2g}), so that "
            f"the threshold stands at {100 * middle:.0f} %"
        )
    return words


def width_caution(width: Interval, least: float, most: float) -> list[str]:
    """A width that presses on what can be told apart (`least`) or on the range (`most`)."""
    if width.value >= most * _AT_BOUND:
        return ["the function may be wider than the range of levels"]
    if width.value <= least / _AT_BOUND:
        return ["the function is steeper than its levels can tell"]
    return []


def fit_caution(goodness_p: float) -> list[str]:
    """A function that describes the answers poorly."""
    return [f"the function fits poorly (p = {goodness_p:.2g})"] if goodness_p < POOR_FIT else []


def break_caution(broken: Break, to_level: Callable[[float], Any]) -> list[str]:
    """A break that is nearly as likely as none."""
    if not broken.doubtful:
        return []
    return [f"perhaps not one function: {break_words(broken, to_level)}"]
