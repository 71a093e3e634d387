"""Procedures and thresholds in words ready for a paper's methods section."""

from __future__ import annotations

from spectcount.probing.base import Plan
from spectcount.probing.procedure import Procedure
from spectcount.probing.thresholds import PC_AT_D_PRIME_1

_NAMES = {
    "gaussian": "a cumulative Gaussian",
    "logistic": "a logistic function",
    "weibull": "a Weibull function",
}


def procedure_words(plan: Procedure) -> str:
    """Choice of the levels, and the end of a track."""
    followed = " and ".join(axis.label for axis in plan.levels)
    ends = "; ".join(f"{a.label} from {a.edges[0]:.4g} to {a.edges[-1]:.4g}" for a in plan.levels)
    n = len(plan.tracks)
    many = f" {n} tracks, one for each condition, were interleaved at random." if n > 1 else ""
    return (
        f"The level of each trial ({followed}; {ends}) followed the answers before it. "
        f"{plan.rule_words}{plan.check_words} {_roles_words(plan)}{many} "
        f"A track ended after {plan.trials} trials at the latest{plan.stop_words}."
    )


def threshold_words(plan: Plan) -> str:
    """Definition of a threshold, and its estimation."""
    fitted = plan.curve or plan.procedure
    if fitted is None:
        return ""
    yes_no = plan.asked.has_alarms
    guess = (
        "The guess rate is the false-alarm rate and free; catch trials take part in the fit."
        if yes_no
        else "The guess rate is fixed at the chance level."
        if plan.asked.forced_choice
        else "Guess and lapse rates are free where not given."
    )
    levels = (
        "The level at which d′ = 1 is given besides, from the answers and from the graded scores "
        f"(AUC {PC_AT_D_PRIME_1:.2f}), and for the ideal observer."
        if yes_no
        else ""
    )
    function = _NAMES.get(fitted.function, fitted.function)
    return (
        f"The psychometric function is {function}; its threshold lies where F = 0.5, halfway "
        "between guessing and the best that the listener does. It was "
        "fitted to all answers on a Bayesian grid (Schütt, Harmeling, Macke & Wichmann, 2016); "
        "intervals are equal-tailed at 95 %. " + guess + " A threshold is called not measurable "
        "where the answers do not depend on the level, never cross the criterion in the tested "
        "range, leave its interval outside, or are not those of one function: where they fall "
        "again at easy levels, or the listener changed on the way, more likely than not. "
        f"Lapses may reach one half. {levels}"
    ).strip()


def _roles_words(plan: Procedure) -> str:
    if plan.asked.has_alarms:
        return f"Catch trials came in between at random, {100 * plan.catch_share:g} % of all."
    if plan.asked.forced_choice:
        return "Either order of the pair came equally often, at random."
    return ""
