"""The method in words ready for a paper's methods section, generated from the plan and the trials.

Conventions: past tense, every number with its unit, every rule with its source; nothing is said
that the plan or the trials do not say.
"""

from __future__ import annotations

from spectcount.designs import FAMILIES
from spectcount.probing.axes import Axis
from spectcount.probing.base import Plan
from spectcount.probing.difference import (
    MCNEMAR,
    N_RESAMPLES,
    N_RESAMPLES_OVERALL,
)
from spectcount.probing.marks import SILENT_BELOW_DB
from spectcount.report.evidence import Evidence
from spectcount.report.facts import versions
from spectcount.report.html import plain
from spectcount.report.procedures import procedure_words, threshold_words
from spectcount.report.selection import Span
from spectcount.tasks import COUNTING, FORCED_CHOICE, SUBJECTIVE, Task

_KINDS = {
    "yes_no": "a yes/no task",
    FORCED_CHOICE: "a forced choice of two",
    COUNTING: "a counting task",
    SUBJECTIVE: "a question without a right answer",
}
_WORDINGS = {
    "training": "the wordings that training uses",
    "held-out": "held-out wordings, which training never uses",
    "all": "training and held-out wordings",
}


def method_words(evidence: Evidence) -> list[tuple[str, str]]:
    """(heading, paragraph) of a probe's or a comparison's method."""
    plan = evidence.asked_plan
    return [
        ("Stimuli", stimuli_words(evidence)),
        ("Task", task_words(plan, evidence)),
        ("Design", design_words(plan)),
        ("Randomisation", seeds_words(evidence)),
        ("Measures", measures_words(plan) if evidence.gridded else ""),
        ("Thresholds", threshold_words(plan) if evidence.thresholds else ""),
        ("Comparison", comparison_words(evidence)),
        ("Front end", front_end_words(evidence)),
    ]


def stimuli_words(evidence: Evidence) -> str:
    """The sounds that were played."""
    plan = evidence.asked_plan
    family = FAMILIES[plan.family]
    tally = evidence.trials.tally
    lengths, noise = _span(tally.clip_s, "s"), _span(tally.noise_sigma, "")
    return (
        f"Stimuli were synthesised as mono sound at 16 kHz from the family “{family.title}” "
        f"({plan.family}; parameters in the table). Clips lasted {lengths}; white Gaussian noise "
        f"had a standard deviation of {noise} (full scale 1.0). Levels are given in dB re a "
        "full-scale sine (dBFS); no clip was normalised. Every clip follows from stored data and "
        f"a seed, and can be made again to the bit. {tally.n_questions} different questions were "
        "asked."
    )


def task_words(plan: Plan, evidence: Evidence) -> str:
    """The question, its wordings, and the reading of an answer."""
    task = plan.asked
    options = ", ".join(task.answers)
    return (
        f"The task was “{task.title}” ({task.name}), {_KINDS[task.kind]}. In each trial a "
        f"listener heard one clip and one question. {_wording_words(plan, evidence)} The answer "
        f"set was closed ({options}). {_answer_words(evidence)}"
    )


def _wording_words(plan: Plan, evidence: Evidence) -> str:
    used = evidence.trials.tally.wordings
    n = len({wording for wording, _ in used})
    both = len({reverse for _, reverse in used}) > 1
    orders = ", each with its options named in both orders," if both else ","
    if evidence.tabled and not evidence.in_panel:
        return (
            f"Every clip was asked about in each of {n} wordings, held-out ones among them; the "
            "order of the options alternated over clips and wordings."
        )
    kinds = _WORDINGS.get(plan.wordings, plan.wordings)
    return (
        f"The question came in {n} wording{'s' if n != 1 else ''} ({kinds}){orders} in turn, so "
        "that wordings and orders are balanced and not drawn."
    )


def _answer_words(evidence: Evidence) -> str:
    if evidence.run.of_kind.by_person:
        return "The person answered by key, without time pressure."
    return (
        "A model's answer is the option to which it gave the highest probability; the "
        "log-probabilities of the options, normalised over the set, are kept as graded scores, "
        "and the probability of the set as a whole as mass."
    )


def design_words(plan: Plan) -> str:
    """Layout of the trials."""
    if plan.procedure is not None:
        return procedure_words(plan.procedure)
    axes = " × ".join(f"{axis.label}: {_axis_words(axis)}" for axis in plan.axes)
    within = (
        "at its exact level"
        if all(a.points for a in plan.axes)
        else "at a random place within its cell"
    )
    return (
        f"{plan.title} over {axes}; {len(plan.cells)} cells with {plan.trials} signal trials each, "
        f"{within}. Cells were visited in shuffled passes. {_catch_words(plan)}{_drawn_words(plan)}"
    )


def seeds_words(evidence: Evidence) -> str:
    """Where randomness comes from."""
    paired = (
        " All listeners were asked the same clips in the same words and orders, so that they are "
        "paired question by question."
        if len(evidence.names) > 1
        else ""
    )
    return (
        f"The seed was {evidence.seed}. The seed of every clip is a hash (SHA-256) of that seed, "
        f"the trial's role and its place in the plan.{paired}"
    )


def measures_words(plan: Plan) -> str:
    """Measures computed from the answers, with sources."""
    task = plan.asked
    wilson = "Proportions have Wilson score intervals (Wilson, 1927). All intervals are at 95 %."
    if task.two_class:
        return f"{_detection_words(task)} {wilson}"
    if task.counts:
        return (
            "An answer is right where the number said equals the number of events. Bias is the "
            "mean of said minus there, error the mean of its absolute value. " + wilson
        )
    return "There is no right answer; the share of the first answer is shown. " + wilson


def comparison_words(evidence: Evidence) -> str:
    """Comparison of two listeners; nothing for one."""
    if evidence.difference is None:
        return ""
    two = evidence.asked_plan.asked.two_class
    apart = (
        "Sensitivity and criterion are compared apart: a change of the criterion alone is none of "
        "hearing. "
        if two
        else ""
    )
    test = f"the {evidence.difference.test()}," if two else f"{MCNEMAR}'s test (McNemar, 1947)"
    return (
        f"Differences are those of {evidence.names[1]} minus {evidence.names[0]}, paired by "
        f"question. Their intervals: {evidence.difference.rate.rule} ({N_RESAMPLES} resamples per "
        f"cell, {N_RESAMPLES_OVERALL} over all; Efron & Tibshirani, 1993). {apart}A cell counts as "
        f"changed where {test} is significant at a false-discovery rate of "
        f"{100 * evidence.difference.q:g} % over all cells (Benjamini & Hochberg, 1995)."
    )


def front_end_words(evidence: Evidence) -> str:
    """Meaning of the marks on a map; nothing where there is none."""
    if not evidence.gridded or evidence.counted:
        return ""
    return (
        "A cell is marked where the probe changes no channel of a Whisper-type log-mel front end "
        f"by {SILENT_BELOW_DB:g} dB or more, and where it shares all its bins of the Fourier "
        "transform with a neighbour, so that the two are not independent."
    )


def software_words() -> str:
    """Who computed it."""
    packages = versions()
    rest = ", ".join(
        f"{k} {v}" for k, v in packages.items() if k not in ("spectcount", "synthesis")
    )
    return (
        f"SpectCount {packages['spectcount']} (synthesis version {packages['synthesis']}), {rest}."
    )


def _detection_words(task: Task) -> str:
    root = " divided by √2" if task.forced_choice else ""
    first = f"“{task.answers[0]}”"
    return (
        f"A hit is {first} on a signal trial, a false alarm {first} on a catch trial. Rates follow "
        "the log-linear rule, H = (h + ½)/(n + 1), F likewise (Hautus, 1995), whatever the counts. "
        f"Sensitivity is d′ = z(H) − z(F){root}, the criterion c = −(z(H) + z(F))/2; their "
        "intervals use the variance of Gourevitch & Galanter (1967). The AUC is that of the graded "
        f"score log p({task.answers[0]}) − log p({task.answers[1]}), with Newcombe's (2006, "
        "method 5) interval."
    )


def _drawn_words(plan: Plan) -> str:
    titles = {name: FAMILIES[plan.family].param(name).title for name in plan.draw}
    words = "".join(
        f" {titles[name]} was drawn anew for every trial, from {plain(ends)}."
        for name, ends in plan.draw.items()
    )
    if plan.draws_count:
        words += (
            f" The number of events was drawn anew for every trial, {plan.count_low} to "
            f"{plan.count_high}."
        )
    return words


def _catch_words(plan: Plan) -> str:
    n = getattr(plan, "catch_trials", 0)
    if not n:
        return "There were no catch trials."
    what = (
        "the counterpart of a signal trial: the same draw, all else equal, with the other answer "
        "true"
        if plan.asked.two_class
        else "a clip without any event"
    )
    shared = " and shared by all cells with the same background" if plan.asked.two_class else ""
    return f"{n} catch trials were spread evenly among them, each {what}{shared}."


def _axis_words(axis: Axis) -> str:
    if axis.points:
        return f"{axis.n} levels ({', '.join(f'{m:.4g}' for m in axis.middles)})"
    low, high = axis.bounds(0)[0], axis.bounds(axis.n - 1)[1]
    return f"{axis.n} cells from {low:.4g} to {high:.4g}"


def _span(ends: Span, unit: str) -> str:
    """ "4 s", or "2 to 4 s"; "unknown" of no value."""
    if ends[0] > ends[1]:
        return "unknown"
    low, high = (f"{end:g}" for end in ends)
    return f"{low if low == high else f'{low} to {high}'} {unit}".strip()
