"""Maps, curves and confusion matrices of a run: what the Probe tab shows of plans with cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import gradio as gr

from spectcount.figures.counts import accuracy_value, confusion_value
from spectcount.figures.maps import curves_value, map_value
from spectcount.figures.roc import ROCS, roc_value
from spectcount.figures.words import MEASURES, regions_html
from spectcount.probing.base import Plan
from spectcount.probing.maps import Confusion, confusion, measure_map, pool
from spectcount.probing.plan import AnyPlan, CountConfusion, plan_from_dict
from spectcount.probing.procedure import Procedure
from spectcount.probing.repeats import left_out_words
from spectcount.probing.shortfall import Criterion
from spectcount.probing.weakness import Region, find_weakness, percent
from spectcount.psychophysics.sdt import interval_of
from spectcount.store import Run
from spectcount.trials import Trial
from spectcount.ui.parts import Part
from spectcount.ui.polling import Feed, notice

Trials = Mapping[str, list[Trial]]
HIDDEN = (gr.update(visible=False), gr.skip())
NO_LEVEL = gr.update(visible=False)


def grid_figures(
    plan: Plan, by_name: Trials, mine: str, measure: str, ended: bool,
    again: Sequence[Region] | None = None, marked: bool = True,
) -> tuple:  # fmt: skip
    """Updates of map and curve with their boxes, of the level to hear, and the findings. `again`:
    the regions as their confirmation left them, None before; `marked`: with the marks of the front
    end."""
    if isinstance(plan, Procedure):
        return *HIDDEN, *HIDDEN, NO_LEVEL, ""
    if isinstance(plan, CountConfusion):
        return _confusion_figures(by_name, mine)
    criterion = Criterion()
    regions = find_weakness(plan, by_name[mine], criterion) if again is None else again
    words = regions_html(regions, criterion.words(plan.task), ended)
    found = {name: measure_map(plan, asked) for name, asked in by_name.items()}
    colour = "d_prime" if measure in ROCS.values() else measure
    rocs = roc_figure(plan, by_name, measure)
    if len(plan.axes) == 1:
        levels = gr.update(choices=_levels(plan), visible=True)
        return *HIDDEN, *_shown(rocs or curves_value(found, colour)), levels, words
    value = map_value(found[mine], colour, regions, title=mine, marked=marked)
    chart = _shown(rocs) if rocs else HIDDEN
    return *_shown(value), *chart, NO_LEVEL, words


def roc_figure(plan: Plan, by_name: Trials, measure: str) -> Any:
    """The chart of all listeners' ROCs where `measure` is one of `ROCS`; None where it is not, or
    nobody's scores are graded."""
    if measure not in ROCS.values():
        return None
    return roc_value({name: pool(plan, asked).roc for name, asked in by_name.items()}, measure)


def measure_update(plan: AnyPlan, visible: bool = True) -> dict[str, Any]:
    """The choice of a measure: those that the plan's task has. Counting has its accuracy alone."""
    if isinstance(plan, Plan) and not plan.asked.two_class:
        return gr.update(choices=[("Accuracy", "rate")], value="rate", visible=visible)
    return gr.update(choices=[*MEASURES.items(), *ROCS.items()], visible=visible)


def has_marks(plan: Plan) -> bool:
    """Whether a plan's picture shows marks of the front end: maps do."""
    return len(plan.axes) == 2 and not isinstance(plan, Procedure | CountConfusion)


def pick_cell(
    run: Run | None, feed: Feed, event: gr.SelectData, part: Part | None = None
) -> dict[str, Any] | None:
    """What the cell panel shows for a click on a map, or on a confusion matrix; of `part` where
    the run has several."""
    if run is None:
        return None
    row, column = event.index
    plan = part.plan if part else plan_from_dict(run.config["plan"])
    among = {"plan": part.number} if part and part.number is not None else {}
    if isinstance(plan, CountConfusion):
        trials = feed.trials(run.id)
        table = confusion(part.mine(trials) if part else trials)
        return {"truth": table.truths[row], "answer": table.answers[column], **among}
    return {"cell": [int(column), int(row)], **among}


def confusion_words(found: Confusion) -> str:
    """A confusion matrix in a sentence."""
    right = found.overall
    words = (
        f"{100 * right.value:.0f} % right [{100 * right.low:.0f}, {100 * right.high:.0f}] at 95 %, "
        f"n = {int(found.matrix.sum())}, mean error {found.mean_bias:+.2f} events"
    )
    return "; ".join(filter(None, [words, left_out_words(found.repeated)]))


def _confusion_figures(by_name: Trials, mine: str) -> tuple:
    """Matrix of one listener, accuracy of all, nothing to choose, the sums in words."""
    tables = {name: confusion(asked) for name, asked in by_name.items() if asked}
    if mine not in tables:
        return *_shown(None), *HIDDEN, NO_LEVEL, notice("No trial answered yet.")
    words = notice(" ".join(f"{name}: {confusion_words(t)}." for name, t in tables.items()))
    matrix = confusion_value(tables[mine], title=mine)
    return *_shown(matrix), *_shown(accuracy_value(tables)), NO_LEVEL, words


def summary_notices(run: Run, part: Part) -> str:
    """Of an ended run the headline of each listener, and what one cue alone reaches on its clips;
    nothing before."""
    summary = run.summary or {}
    plans = summary.get("plans", [])
    of_part = plans[part.number] if plans and part.number is not None else summary
    if not run.ended:
        return ""
    heads = [
        f"{name}: {one['words']}." for name, one in of_part.get("overall", {}).items()
        if "words" in one
    ]  # fmt: skip
    if "shortcuts" in of_part:
        heads.append(f"Floors: {of_part['shortcuts']['sentence']}.")
    return "".join(map(notice, heads))


def audit_html(audit: Mapping[str, Any]) -> str:
    """An audit of clips beforehand: its sentence, and what every cue reaches (HTML)."""
    rows = "".join(
        f"<li>{escape(floor['words'])}: {percent(interval_of(floor['rate']))}</li>"
        for floor in audit["floors"]
    )
    listed = f"<details><summary>Every cue, 95 %</summary><ul>{rows}</ul></details>"
    return notice(f"{audit['sentence']}.") + listed


def _levels(plan: Plan) -> list[tuple[str, str]]:
    axis = plan.axes[0]
    unit = f" {axis.declared.unit}" if axis.declared.unit else ""
    return [(f"{middle:g}{unit}", str(i)) for i, middle in enumerate(axis.middles)]


def _shown(value: Any) -> tuple[Any, Any]:
    """Updates of a figure's box and of the figure."""
    return gr.update(visible=True), value
