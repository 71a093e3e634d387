"""Whether the data of a fit hold a threshold at all: "not measurable" is a result.

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
"""

from __future__ import annotations

import numpy as np

from spectcount.psychophysics.fit_data import Counts
from spectcount.psychophysics.fit_grid import Model, log_likelihood
from spectcount.psychophysics.one_function import Break, break_reason

UNMEASURABLE = "not measurable"
_FLAT = 3.84
_SLACK = 0.25
_BACKWARDS = -1.96
_MANY_SLIPS = 0.1
"""A lapse rate that may be all that a flat function differs from a perfect one by."""


def why_not_measurable(data: Counts, model: Model, threshold, likely, broken: Break) -> str:
    """The reason in words, empty where the threshold is measurable.

    `threshold`: its value, low and high; `likely`: parameters [5] near the greatest likelihood;
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


def _is_flat(data: Counts, model: Model, likely) -> bool:
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
    """Which side of the criterion performance stays on."""
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
