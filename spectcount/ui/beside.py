"""A person's results beside the models' that were asked the same plan at the same seed.

*Conventions*: a run belongs beside a session when its plan and its seed are the session's; what is
shown is a pure function of the trials of both. While a session without feedback is open nothing is
shown but how many questions were answered: results would be feedback.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from spectcount.figures.functions import functions_value
from spectcount.figures.maps import curves_value
from spectcount.figures.threshold_table import thresholds_html
from spectcount.figures.tracks import share_words, tracks_value
from spectcount.probing.base import Plan
from spectcount.probing.maps import measure_map, of_listener, pool
from spectcount.probing.plan import AnyPlan, Curve, Interleaved, plan_from_dict
from spectcount.probing.procedure import Procedure
from spectcount.store import ACTIVE, Run, Store
from spectcount.trials import Trial
from spectcount.ui import parts
from spectcount.ui.figures import line_chart
from spectcount.ui.parts import Part
from spectcount.ui.polling import Feed, duration_text, notice
from spectcount.ui.procedures import HIDDEN, Box, box, shown, states_of, thresholds_of

Answers = Mapping[str, list[Trial]]
"""Trials by listener, the person first."""
ANSWER_S = 2.0
"""Time that a person is assumed to take for an answer."""
_EMPTY = "Your curve appears here after the first answers of a plan over one parameter."


@dataclass(frozen=True)
class Charts:
    """Rates of a curve, the tracks, and psychometric functions, each in a box."""

    curve: Box
    tracks: Box
    function: Box

    @property
    def outputs(self) -> list[Any]:
        return [c for each in (self.curve, self.tracks, self.function) for c in each.outputs]


_NO_CHARTS = HIDDEN * 3


def build(where: str) -> Charts:
    """The figures below a session."""
    with gr.Column(visible=False) as column:
        figure = line_chart("You and the models", empty=_EMPTY, elem_id=f"{where}-chart")
    return Charts(
        Box(column, figure),
        box("Your track", f"{where}-tracks", 340),
        box("Psychometric functions", f"{where}-function", 360),
    )


def minutes(plan: AnyPlan) -> str:
    """How long a person will take, in words."""
    clips = [part.plan.n_trials * (_clip_s(part.plan) + ANSWER_S) for part in parts.plans_of(plan)]
    return duration_text(sum(clips))


def show(run: Run | None, store: Store, feed: Feed) -> tuple[Any, ...]:
    """Updates of the table and of the charts."""
    if run is None:
        return notice("No session yet."), *_NO_CHARTS
    plan = plan_from_dict(run.config["plan"])
    found = answered(run, store, feed)
    if not any(found.values()):
        return notice("No answer yet."), *_NO_CHARTS
    if run.state == "open" and not run.config.get("feedback"):
        n = len(next(iter(found.values())))
        return notice(
            f"{n} answered. Results appear when the session is over, so that they give nothing "
            "away; they would appear at once with feedback."
        ), *_NO_CHARTS
    split = [
        (part, {name: part.mine(trials) for name, trials in found.items()})
        for part in parts.plans_of(plan)
    ]
    tables = "".join(_tables(part, mine, isinstance(plan, Interleaved)) for part, mine in split)
    return tables, *_charts(*split[0])


def progress(run: Run, store: Store) -> tuple[object, bool]:
    """How far the models are that are asked the same, and whether any still is."""
    others = _same(run, store)
    far = [(other.id, other.state, other.done) for other in others]
    return far, any(other.state in (*ACTIVE, "queued") for other in others)


def answered(run: Run, store: Store, feed: Feed) -> dict[str, list[Trial]]:
    """Trials by listener: the person's own, then those of every run of the same plan and seed."""
    found = {run.config["listeners"][0]: list(feed.trials(run.id))}
    for other in _same(run, store):
        trials = feed.trials(other.id)
        for name in other.config["listeners"]:
            found.setdefault(name, of_listener(trials, name))
    return found


def table_html(plan: Plan, found: Answers) -> str:
    """One row per listener: trials, right answers, d', criterion (HTML)."""
    rows = "".join(_row(plan, name, trials) for name, trials in found.items() if trials)
    heads = ("Listener", "Trials", "Right", "Rate", "d′", "Criterion c")
    head = "".join(f'<th scope="col">{h}</th>' for h in heads)
    note = "<p>Intervals at 95 %. Rate: hits, or right answers of a counting plan.</p>"
    return (
        f'<div class="findings you-wide"><table class="you-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{note}</div>"
    )


def _tables(part: Part, found: Answers, several: bool) -> str:
    """Rates and thresholds of one plan (HTML)."""
    head = f"<h3>Plan {(part.number or 0) + 1}, {part.plan.kind}</h3>" if several else ""
    fitted = {n: thresholds_of(part.plan, trials) for n, trials in found.items() if trials}
    return head + table_html(part.plan, found) + thresholds_html(fitted)


def _row(plan: Plan, name: str, trials: list[Trial]) -> str:
    pooled = pool(plan, trials)
    known = [t for t in trials if t.correct is not None]
    right = f"{sum(bool(t.correct) for t in known)} of {len(known)}" if known else "no truth"
    cells = [
        str(len(trials)), right, str(pooled.rate), str(pooled.d_prime or "–"),
        str(pooled.criterion or "–"),
    ]  # fmt: skip
    return (
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{c}</td>" for c in cells)
        + "</tr>"
    )


def _charts(part: Part, found: Answers) -> tuple[Any, ...]:
    """Updates of `Charts.outputs`: the tracks are the person's own."""
    plan = part.plan
    mine = {name: trials for name, trials in found.items() if trials}
    if isinstance(plan, Procedure):
        who, own = next(iter(found.items()))
        tracks = tracks_value(plan, states_of(part, own), title=who, part=part.number)
        return *HIDDEN, *shown(tracks if own else None), *shown(_functions(plan, mine))
    if len(plan.axes) != 1:
        return _NO_CHARTS
    curves = curves_value({name: measure_map(plan, t) for name, t in mine.items()}, "rate")
    return *shown(curves), *HIDDEN, *shown(_functions(plan, mine))


def _functions(plan: Plan, found: Answers) -> Any:
    """The psychometric functions of all listeners, by track where there are several."""
    if not isinstance(plan, Procedure | Curve):
        return None
    named = {
        " · ".join(filter(None, (name, t.condition))): t
        for name, trials in found.items()
        for t in thresholds_of(plan, trials)
    }
    return functions_value(named, share_words(plan))


def _clip_s(plan: Plan) -> float:
    return float(plan.base.to_dict().get("duration_s", 4.0))


def _same(run: Run, store: Store) -> list[Run]:
    config = run.config
    runs = store.runs("probe")
    return [
        r for r in runs
        if r.config.get("plan") == config["plan"] and r.config.get("seed") == config["seed"]
    ]  # fmt: skip
