"""The report's question and its stimuli: what was asked about which sounds."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from spectcount.designs import FAMILIES
from spectcount.probing.axes import Axis
from spectcount.probing.base import Plan
from spectcount.report.evidence import Evidence
from spectcount.report.html import Html, details, paragraphs, plain, prose, table
from spectcount.report.sounds import example_html


def question_words(part: Evidence) -> str:
    """The question of a plan, in a sentence or two."""
    plan = part.asked_plan
    title, about = plan.asked.title, FAMILIES[plan.family].title.lower()
    joint = " and " if part.gridded else " along "
    over = joint.join(axis.label for axis in (plan.axes if part.gridded else _levels(plan)))
    if not part.gridded:
        first = f"Where is the threshold of {over} for “{title}”, asked about {about}?"
    else:
        first = f"How well is “{title}” answered about {about} over {over}?"
    more = {
        "wordings": "And how much does the wording of the question matter?",
        "compare": f"And what changes from {' to '.join(part.names)}?",
        "panel": f"And is it still so with {(part.names or ['the tuned listener'])[-1]}?",
    }.get(part.run.kind, "")
    return f"{first} {more}".strip()


def _levels(plan: Plan) -> tuple[Axis, ...]:
    """Axes that a procedure follows; none of other plans."""
    return () if plan.procedure is None else plan.procedure.levels


def stimuli_html(part: Evidence) -> Html:
    """The family, what changed between trials, what did not, and an example."""
    plan = part.asked_plan
    varied = table(["What changed between trials", "Values"], list(_varied(plan)))
    names = {axis.name for axis in (*plan.axes, *_levels(plan))} | set(plan.draw)
    if plan.draws_count:
        names.add("n_events")
    rows = [
        [p.title, plain(getattr(plan.base, n)), p.help]
        for n, p in FAMILIES[plan.family].params().items()
        if n not in names
    ]
    about = paragraphs([prose(_about_family(plan.family))])
    same = details(
        "Parameters that were the same in all trials", table(["Parameter", "Value", "Help"], rows)
    )
    return Html(about + varied + same + example_html(part))


def _varied(plan: Plan) -> Iterator[list[str]]:
    for axis in _levels(plan):
        low, high = axis.edges[0], axis.edges[-1]
        yield [axis.label, f"{low:.4g} to {high:.4g}, as the answers told"]
    for axis in plan.axes:
        low, high = axis.bounds(0)[0], axis.bounds(axis.n - 1)[1]
        levels = ", ".join(f"{m:.4g}" for m in axis.middles)
        if not plan.adaptive or axis.n > 1:
            how = levels if axis.points else f"{low:.4g} to {high:.4g} in {axis.n} cells"
            yield [axis.label, how]
    for name, ends in plan.draw.items():
        title = FAMILIES[plan.family].param(name).title
        yield [title, f"drawn anew in each trial, {plain(ends)}"]
    if plan.draws_count:
        title = FAMILIES[plan.family].param("n_events").title
        yield [title, f"drawn anew in each trial, {plan.count_low} to {plan.count_high}"]


def _about_family(name: str) -> str:
    """Description and sources of a family, as its file says."""
    words = inspect.getdoc(inspect.getmodule(FAMILIES[name])) or ""
    return " ".join(re.split(r"\n\s*\*?Conventions", words)[0].split())
