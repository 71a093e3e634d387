"""A person's results beside the models' that were asked the same plan at the same seed.

*Conventions*: a run belongs beside a session when its plan and its seed are the session's; what is
shown is a pure function of the trials of both.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from spectcount.probing.base import Plan
from spectcount.probing.maps import measure_map, of_listener, pool
from spectcount.probing.plan import plan_from_dict
from spectcount.store import ACTIVE, Run, Store
from spectcount.trials import Trial
from spectcount.ui.figures import line_chart
from spectcount.ui.polling import Feed, duration_text, notice

N_OUTPUTS = 3
ANSWER_S = 2.0
"""Time that a person is assumed to take for an answer."""
JUST_NOW_S = 10.0
_EMPTY = "Your curve appears here after the first answers of a plan over one parameter."


@dataclass(frozen=True)
class Chart:
    """The figure's box and the figure."""

    box: gr.Column
    figure: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.box, self.figure]


def build(where: str) -> Chart:
    """The figure below a session."""
    with gr.Column(visible=False) as box:
        figure = line_chart("You and the models", empty=_EMPTY, elem_id=f"{where}-chart")
    return Chart(box, figure)


def minutes(plan: Plan) -> str:
    """How long a person will take, in words."""
    clip_s = float(getattr(plan, "base", plan).to_dict().get("duration_s", 4.0))
    return duration_text(plan.n_trials * (clip_s + ANSWER_S))


def show(run: Run | None, store: Store, feed: Feed) -> tuple[Any, ...]:
    """Updates of the table and of the chart."""
    if run is None:
        return notice("No session yet."), gr.update(visible=False), gr.skip()
    plan = plan_from_dict(run.config["plan"])
    found = answered(run, store, feed)
    if not any(found.values()):
        return notice("No answer yet."), gr.update(visible=False), gr.skip()
    return table_html(plan, found), *_chart(plan, found)


def growing(run: Run, store: Store) -> bool:
    """Whether models are being asked the same right now, or were in the last seconds."""
    since = time.time() - JUST_NOW_S
    return any(
        other.state in (*ACTIVE, "queued") or (other.ended_at or 0) > since
        for other in _same(run, store)
    )


def answered(run: Run, store: Store, feed: Feed) -> dict[str, list[Trial]]:
    """Trials by listener: the person's own, then those of every run of the same plan and seed."""
    found = {run.config["listeners"][0]: list(feed.trials(run.id))}
    for other in _same(run, store):
        trials = feed.trials(other.id)
        for name in other.config["listeners"]:
            found.setdefault(name, of_listener(trials, name))
    return found


def table_html(plan: Plan, found: Mapping[str, list[Trial]]) -> str:
    """One row per listener: trials, right answers, d', criterion, threshold (HTML)."""
    rows = "".join(_row(plan, name, trials) for name, trials in found.items() if trials)
    heads = ("Listener", "Trials", "Right", "Rate", "d′", "Criterion c")
    head = "".join(f'<th scope="col">{h}</th>' for h in heads)
    note = "<p>Intervals at 95 %. Rate: hits, or right answers of a counting plan.</p>"
    return (
        f'<div class="findings you-wide"><table class="you-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{note}</div>"
    )


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


def _chart(plan: Plan, found: Mapping[str, list[Trial]]) -> tuple[Any, Any]:
    from spectcount.figures.maps import curves_value

    if len(plan.axes) != 1:
        return gr.update(visible=False), gr.skip()
    maps = {name: measure_map(plan, trials) for name, trials in found.items() if trials}
    return gr.update(visible=True), curves_value(maps, "rate")


def _same(run: Run, store: Store) -> list[Run]:
    config = run.config
    runs = store.runs("probe")
    return [
        r for r in runs
        if r.config.get("plan") == config["plan"] and r.config.get("seed") == config["seed"]
    ]  # fmt: skip
