"""What to know before a threshold is believed: a rate or width at a bound, a poor or doubtful fit.

*Conventions*: a caution is a clause without a stop, to stand after "caution:"; none of them takes
the threshold away (`measurable` does).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spectcount.psychophysics.one_function import Break, break_words
from spectcount.psychophysics.sdt import Interval

POOR_FIT = 0.05
SLIPS = 0.1
"""A lapse rate from which on the best that a listener does is told beside its threshold."""
_AT_BOUND = 0.96
FALLS_UNTESTED = "whether the answers fall again at easy levels is not tested with two parameters"

UNTESTED = "whether the answers are those of one function is not tested on a surface"


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
