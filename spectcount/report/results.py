"""The report's results: headline numbers, verdicts, weak regions, counts per cell.

Conventions: every estimate stands with its interval at 95 % and its n; the counts per cell are
those from which d', c and every rate can be recomputed by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spectcount.figures.words import axis_ticks
from spectcount.probing.maps import Cells, Confusion, Pooled
from spectcount.probing.marks import front_end_marks
from spectcount.probing.verdict import RATE
from spectcount.probing.weakness import Criterion
from spectcount.report.evidence import Evidence
from spectcount.report.html import (
    Html,
    bullets,
    code_block,
    details,
    interval,
    number,
    numbered,
    paragraphs,
    percent,
    table,
    tag,
)
from spectcount.report.rows import csv_text
from spectcount.tasks import Task

MAX_ROWS = 400
"""Rows of a table on the page; a longer one stands as CSV."""
MAX_REGIONS = 12


def verdicts(evidence: Evidence) -> list[str]:
    """What may be said of the change from the first listener to the second, a sentence each: the
    main measure first. Hits or rates alone are no verdict where the task tells bias apart."""
    changed, whole = evidence.difference, evidence.change
    if changed is None or whole is None:
        return []
    found = [v for v in whole.verdicts() if whole.d_prime is None or v.measure is not RATE]
    said = [_sentence(v.sentence) for v in found]
    return [*said, _sentence(changed.verdict.sentence)] if changed.n.size > 1 else said


def headline_html(evidence: Evidence) -> Html:
    """All trials of each listener together: a row per measure, a column per listener."""
    asked = evidence.asked_plan.asked
    if evidence.counted or asked.name == "count":
        columns = {name: _count_numbers(table) for name, table in evidence.confusions.items()}
    else:
        columns = {name: _numbers(pooled, asked) for name, pooled in evidence.pooled.items()}
    rows = [
        [measure, *(numbers[measure] for numbers in columns.values())]
        for measure in next(iter(columns.values()), {})
    ]
    return table(["", *columns], rows, "All trials of each listener together, intervals at 95 %")


def _numbers(found: Pooled, asked: Task) -> dict[str, str]:
    if not asked.two_class:
        return {
            f"share of “{asked.answers[0]}”": interval(found.rate),
            "n": str(found.n),
            "mean mass": number(found.mass, 3),
        }
    return {
        "d′": interval(found.d_prime),
        "criterion c": interval(found.criterion),
        "AUC": interval(found.auc),
        "hit rate": f"{interval(found.rate)}, n = {found.n}",
        "false-alarm rate": f"{interval(found.false_alarm_rate)}, n = {found.n_catch}",
        "ideal observer's d′": number(found.ideal, 1),
        "mean mass": number(found.mass, 3),
    }


def _count_numbers(found: Confusion) -> dict[str, str]:
    return {
        "accuracy": f"{interval(found.overall)}, n = {int(found.matrix.sum())}",
        "bias (said − there, events)": number(found.mean_bias),
        "mean absolute error (events)": number(found.mean_error),
        "unparsed replies": f"{found.unparsed} of {found.n_replies}",
        "trials with mass below ½": percent(found.low_mass),
    }


def regions_html(evidence: Evidence) -> Html:
    """Each listener's weak regions in words, worst first."""
    if not evidence.gridded or evidence.counted:
        return Html("")
    parts = []
    for name, regions in evidence.regions.items():
        parts.append(tag("h3", f"Where {name} falls short"))
        items = [region.sentence for region in regions[:MAX_REGIONS]]
        left = len(regions) - len(items)
        parts.append(numbered(items) if items else tag("p", "No cell is reliably weak."))
        parts.append(paragraphs([f"and {left} smaller regions" if left > 0 else ""]))
    rule = Criterion().words(evidence.asked_plan.task)
    words = f"A cell is called weak where it is {rule}; touching weak cells form a region."
    return Html("".join([*parts, paragraphs([words])]))


def counts_html(evidence: Evidence) -> Html:
    """The counts of every cell, for recomputing."""
    if evidence.counted:
        rows = list(_confusion_rows(evidence))
    elif evidence.gridded:
        rows = list(_cell_rows(evidence))
    else:
        return Html("")
    caption = "Counts per cell, from which every rate, d′ and c can be recomputed"
    if len(rows) > MAX_ROWS:
        return details(f"{caption} ({len(rows)} rows, CSV)", code_block(csv_text(rows)))
    head = list(rows[0]) if rows else []
    return details(
        f"{caption} ({len(rows)} rows)", table(head, [list(row.values()) for row in rows], caption)
    )


def learning_html(evidence: Evidence) -> Html:
    """What a fine-tune reached on held-out draws."""
    summary = evidence.run.summary or {}
    before, after = (summary.get(f"held_out_{when}", {}) for when in ("before", "after"))
    words = {"weak": "in the weak regions", "strong": "outside them"}
    rows = [
        [words[k], percent(before.get(k)), percent(after.get(k))]
        for k in words if k in before or k in after
    ]  # fmt: skip
    n = evidence.run.config.get("train", {}).get("held_out", "?")
    done = f"{summary.get('steps', '–')} of {summary.get('of_steps', '–')} optimiser steps."
    loss = summary.get("final_loss")
    told = paragraphs([f"{done} Final loss: {number(loss, 4)} nats per answer token."])
    if not rows:
        return told
    head = ["Counting accuracy", "Before", "After"]
    return Html(told + table(head, rows, f"Held-out draws, n = {n} each; no interval is claimed"))


def trained_regions_html(evidence: Evidence) -> Html:
    """The weak regions that a fine-tune was given."""
    regions = evidence.run.config.get("regions") or []
    items = [str(r.get("sentence") or r.get("ranges")) for r in regions]
    title = tag("h3", "Weak regions trained on")
    return Html(title + (bullets(items) if items else tag("p", "None: the counting mix alone.")))


def _cell_rows(evidence: Evidence) -> Iterator[dict[str, Any]]:
    plan = evidence.asked_plan
    silent, merged = _marks(evidence)
    ticks = [axis_ticks(axis) for axis in plan.axes]
    labels = [axis.label for axis in plan.axes]
    for name, cells in evidence.cells.items():
        for i, j in plan.cells:
            place = dict(zip(labels, (ticks[a][c] for a, c in _places(ticks, i, j)), strict=True))
            row = {"Listener": name, "Cell": f"({i}, {j})", **place, **_counts(cells, i, j)}
            marks = ["silent"] * bool(silent[j, i]) + ["merged"] * bool(merged[j, i])
            yield row | {"Mass": number(cells.mass[j, i]), "Marks": ", ".join(marks)}


def _places(ticks: list[list[str]], i: int, j: int) -> list[tuple[int, int]]:
    return list(enumerate((i, j)[: len(ticks)]))


def _counts(cells: Cells, i: int, j: int) -> dict[str, Any]:
    row: dict[str, Any] = {"n": int(cells.n[j, i]), "Right": int(cells.hits[j, i])}
    if cells.d_prime is None:
        return row | {"Rate": interval(cells.rate.at((j, i)))}
    row |= {"n catch": int(cells.n_catch[j, i]), "False alarms": int(cells.false_alarms[j, i])}
    found = {"d′": cells.d_prime, "c": cells.criterion, "AUC": cells.auc}
    row |= {k: interval(v.at((j, i))) for k, v in found.items() if v is not None}
    return row | {"Ideal d′": number(float(cells.ideal[j, i]), 1)}


def _marks(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    found = front_end_marks(evidence.asked_plan)
    return found.silent, found.merged


def _confusion_rows(evidence: Evidence) -> Iterator[dict[str, Any]]:
    for name, found in evidence.confusions.items():
        for row, truth in enumerate(found.truths):
            said = {
                f"said {a}": int(n) for a, n in zip(found.answers, found.matrix[row], strict=True)
            }
            yield {"Listener": name, "There were": truth, **said}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
