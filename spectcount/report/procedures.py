"""Procedures and thresholds in words ready for a paper's methods section."""

from __future__ import annotations

from spectcount.probing.adaptive import QuestPlan, StaircasePlan, SurfacePlan
from spectcount.probing.base import Plan
from spectcount.probing.plan import Curve
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
        f"{_rule_words(plan)}{_check_words(plan)} {_roles_words(plan)}{many} "
        f"A track ended after {plan.trials} trials at the latest{_stop_words(plan)}."
    )


def threshold_words(plan: Plan) -> str:
    """Definition of a threshold, and its estimation."""
    if not isinstance(plan, Procedure | Curve):
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
    return (
        f"The psychometric function is {_NAMES.get(plan.function, plan.function)}; its threshold "
        "lies where F = 0.5, halfway between guessing and the best that the listener does. It was "
        "fitted to all answers on a Bayesian grid (Schütt, Harmeling, Macke & Wichmann, 2016); "
        "intervals are equal-tailed at 95 %. " + guess + " A threshold is called not measurable "
        "where the answers do not depend on the level, never cross the criterion in the tested "
        "range, leave its interval outside, or are not those of one function: where they fall "
        "again at easy levels, or the listener changed on the way, more likely than not. "
        f"Lapses may reach one half. {levels}"
    ).strip()


def _rule_words(plan: Procedure) -> str:
    if isinstance(plan, StaircasePlan):
        steps = ", ".join(f"{s:.4g}" for s in plan.step_sizes)
        kind = "factors" if plan.log else "steps"
        if plan.rule == "weighted":
            return (
                f"A weighted up-down staircase (Kaernbach, 1991) aimed at {100 * plan.target:g} % "
                f"successes, with {kind} of {steps}."
            )
        return f"A 1-up {plan.rule} staircase (Levitt, 1971) took {kind} of {steps}."
    if isinstance(plan, QuestPlan):
        return (
            f"QUEST+ (Watson, 2017) chose among {plan.candidates} levels the one that promised to "
            f"tell most about the {plan.aim}."
        )
    if isinstance(plan, SurfacePlan):
        return (
            f"The threshold of {plan.parameter} was followed at {plan.nodes} places along "
            f"{plan.second} under a smoothness prior; each trial was placed where it promised to "
            "lower the summed variance of the thresholds most."
        )
    return f"Levels followed the rule of {plan.title}."


def _check_words(plan: Procedure) -> str:
    if not isinstance(plan, StaircasePlan | QuestPlan) or not plan.checks:
        return ""
    where = "at the easiest level" if isinstance(plan, StaircasePlan) else "at an easy level"
    return f" One of every {plan.checks} trials came {where} instead, to tell lapses."


def _roles_words(plan: Procedure) -> str:
    if plan.asked.has_alarms:
        return f"Catch trials came in between at random, {100 * plan.catch_share:g} % of all."
    if plan.asked.forced_choice:
        return "Either order of the pair came equally often, at random."
    return ""


def _stop_words(plan: Procedure) -> str:
    if isinstance(plan, StaircasePlan):
        return f", or after {plan.reversals} reversals"
    if isinstance(plan, SurfacePlan) and plan.precision is not None:
        return (
            f", or once the mean half-width of its intervals was {100 * plan.precision:g} % of "
            "the range"
        )
    if plan.interval_width is not None:
        return f", or once the interval of its threshold was {plan.interval_width:g} wide"
    return ""
