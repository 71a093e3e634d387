"""The report's results: headline numbers, thresholds, tables, weak regions, counts per cell.

Conventions: every estimate stands with its interval at 95 % and its n; the counts per cell are
those from which d', c and every rate can be recomputed by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spectcount.figures.threshold_table import thresholds_html
from spectcount.figures.words import axis_ticks
from spectcount.probing.maps import Cells, Confusion, Pooled
from spectcount.probing.marks import front_end_marks
from spectcount.probing.repeats import left_out_words
from spectcount.probing.shortcuts import Audit, Floor
from spectcount.probing.shortfall import Criterion
from spectcount.probing.tracks import CATCH
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

Row = dict[str, str | int]
"""Cells of a table by the headings of their columns."""
MAX_ROWS = 400
"""Rows of a table on the page; a longer one stands as CSV."""
MAX_REGIONS = 12


def headline_html(evidence: Evidence) -> Html:
    """All trials of each listener together: a row per measure, a column per listener."""
    task = evidence.asked_plan.asked
    if not evidence.gridded:
        return Html("")
    if evidence.counted or task.name == "count":
        columns = {name: _count_numbers(table) for name, table in evidence.confusions.items()}
    else:
        columns = {name: _numbers(pooled, task) for name, pooled in evidence.pooled.items()}
    rows = [
        [measure, *(numbers[measure] for numbers in columns.values())]
        for measure in next(iter(columns.values()), {})
    ]
    caption = "All trials of each listener together, intervals at 95 % for these cells and wordings"
    words = [f"{name}: {pooled.words}." for name, pooled in evidence.pooled.items()]
    return Html(table(["", *columns], rows, caption) + bullets(words))


def _numbers(pooled: Pooled, task: Task) -> dict[str, str]:
    if not task.two_class:
        return {
            pooled.name: interval(pooled.rate),
            "n": str(pooled.n),
            "mean mass": number(pooled.mass, 3),
        }
    return {
        "d_a, from graded scores": interval(pooled.d_a),
        "d′, from answers": interval(pooled.d_prime),
        "slope of the z-ROC": _slope(pooled),
        "criterion c": interval(pooled.criterion),
        "AUC": interval(pooled.auc),
        "hit rate": f"{interval(pooled.rate)}, n = {pooled.n}",
        "false-alarm rate": f"{interval(pooled.false_alarm_rate)}, n = {pooled.n_catch}",
        "ideal observer's d′": number(pooled.ideal, 1),
        "mean mass": number(pooled.mass, 3),
    }


def _slope(pooled: Pooled) -> str:
    if pooled.roc is None:
        return "–"
    return pooled.caution or (
        interval(pooled.roc.slope) if pooled.roc.measurable else pooled.roc.words
    )


def _count_numbers(confusion: Confusion) -> dict[str, str]:
    return {
        "accuracy": f"{interval(confusion.overall)}, n = {int(confusion.matrix.sum())}",
        "left out": left_out_words(confusion.repeated) or "–",
        "bias (said − there, events)": number(confusion.mean_bias),
        "mean absolute error (events)": number(confusion.mean_error),
        "unparsed replies": f"{confusion.unparsed} of {confusion.n_replies}",
        "trials with mass below ½": percent(confusion.low_mass),
    }


def thresholds_table(evidence: Evidence) -> Html:
    """Thresholds of all listeners with intervals, and a sentence for each."""
    if not evidence.thresholds:
        return Html("")
    lines = [
        f"{name}: {t.sentence}." for name, listed in evidence.thresholds.items() for t in listed
    ]
    return Html(tag("h3", "Thresholds") + bullets(lines) + thresholds_html(evidence.thresholds))


def shortcuts_html(evidence: Evidence) -> Html:
    """Scores of single cues on the same clips, beside the listeners."""
    audit = evidence.shortcuts
    if audit is None:
        return Html("")
    rows = [[name, percent(share), ""] for name, share in audit.listeners.items()]
    rows += [
        [f"{floor.words} alone", interval(floor.rate), _shortcut_words(audit, floor)]
        for floor in audit.floors
    ]
    caption = (
        f"Floors: one cue with the best fixed mapping, cross-validated, on {audit.n} of the clips; "
        f"mean share right over the answers, chance {percent(audit.chance)}, intervals at 95 %"
    )
    words = audit.sentence[:1].upper() + audit.sentence[1:] + "."
    return Html(
        tag("h3", "What one cue alone reaches")
        + paragraphs([words])
        + details(caption, table(["", "Right", "Note"], rows, caption))
    )


def _shortcut_words(audit: Audit, floor: Floor) -> str:
    if floor not in audit.above:
        return ""
    return f"a shortcut, above {percent(audit.limit)}" + (
        f"; {floor.theory}" if floor.theory else "; rove it"
    )


def panel_html(evidence: Evidence) -> Html:
    """The table of a forgetting panel."""
    panel = evidence.panel
    if panel is None:
        return Html("")
    rows = [
        [
            row.name,
            row.verdict.measure.name,
            interval(row.base),
            interval(row.tuned),
            row.verdict.sentence,
            "yes" if row.fine_before else "no",
        ]
        for row in panel.rows
    ]
    head = ["What was asked", "Measure", *evidence.names, "Change", "Fine before"]
    caption = (
        "Each listener's interval is at 95 %; those of the changes are wider, so that of the "
        f"changes found at most {100 * panel.q:g} % are expected to be wrong"
    )
    return table(head, rows, caption)


def wordings_html(evidence: Evidence) -> Html:
    """Each wording's numbers, by listener."""
    parts = []
    for name, robustness in evidence.worded.items():
        rows = [
            [
                k + 1,
                w.words,
                "held out" if w.held_out else "training",
                interval(w.rate),
                interval(w.d_prime),
                interval(w.criterion),
                w.n,
                w.n_catch,
            ]
            for k, w in enumerate(robustness.by_wording)
        ]
        head = ["", "Wording", "Used in", "Rate", "d′", "c", "n", "n catch"]
        parts.append(table(head, rows, f"{name}, each wording; intervals at 95 %"))
    return Html("".join(parts))


def regions_html(evidence: Evidence) -> Html:
    """Each listener's weak regions in words, worst first."""
    if not evidence.gridded or evidence.counted:
        return Html("")
    parts = []
    for name, regions in evidence.regions.items():
        parts.append(tag("h3", f"Where {name} falls short"))
        items = [region.sentence for region in regions[:MAX_REGIONS]]
        left = len(regions) - len(items)
        parts.append(numbered(items) if items else tag("p", "No cell is shown to be weak."))
        parts.append(paragraphs([f"and {left} smaller regions" if left > 0 else ""]))
    rule = Criterion().words(evidence.asked_plan.task)
    words = (
        f"A cell is suspected where it is {rule} at a false-discovery rate of 5 % over the cells "
        "and squares of cells; touching ones form a region. The map chose them for being low, so "
        "it gives no estimate of how low; a region is confirmed by new questions at seeds of their "
        "own, one exact test each, Holm's correction over the regions, and the estimates are those "
        "of the new questions."
    )
    return Html("".join([*parts, paragraphs([words])]))


def counts_html(evidence: Evidence) -> Html:
    """The counts of every cell, for recomputing."""
    if evidence.counted:
        rows = list(_confusion_rows(evidence))
    elif evidence.gridded:
        rows = list(_cell_rows(evidence))
    else:
        rows = list(_level_rows(evidence))
    where = "cell" if evidence.gridded else "level"
    caption = f"Counts per {where}, from which every rate, d′ and c can be recomputed"
    if len(rows) > MAX_ROWS:
        return details(f"{caption} ({len(rows)} rows, CSV)", code_block(csv_text(rows)))
    head = list(rows[0]) if rows else []
    return details(
        f"{caption} ({len(rows)} rows)", table(head, [list(row.values()) for row in rows], caption)
    )


def _cell_rows(evidence: Evidence) -> Iterator[Row]:
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


def _counts(cells: Cells, i: int, j: int) -> Row:
    row: Row = {"n": int(cells.n[j, i]), "Right": int(cells.hits[j, i])}
    if cells.d_prime is None:
        return row | {"Rate": interval(cells.rate.at((j, i)))}
    row |= {"n catch": int(cells.n_catch[j, i]), "False alarms": int(cells.false_alarms[j, i])}
    measures = {"d′": cells.d_prime, "c": cells.criterion, "AUC": cells.auc}
    row |= {k: interval(v.at((j, i))) for k, v in measures.items() if v is not None}
    return row | {"Ideal d′": number(float(cells.ideal[j, i]), 1)}


def _marks(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    marks = front_end_marks(evidence.asked_plan)
    return marks.silent, marks.merged


def _level_rows(evidence: Evidence) -> Iterator[Row]:
    """Of a procedure: trials and successes at each level of each track, and its catch trials."""
    task = evidence.asked_plan.asked
    for name, states in evidence.tracks.items():
        for k, (condition, state) in enumerate(states.items()):
            by_level: dict[tuple[Any, ...], list[bool]] = {}
            for p in state["presentations"]:
                caught = task.has_alarms and p["role"] == CATCH
                levels = ("catch",) if caught else tuple(f"{v:.6g}" for v in p["level"])
                by_level.setdefault(levels, []).append(p["success"])
            for levels, successes in sorted(by_level.items(), key=_by_level):
                track = condition or str(k + 1)
                first, *rest = levels
                row = {"Listener": name, "Track": track, state["label"]: first}
                row |= {"Second": rest[0]} if rest else {}
                column = "Said first answer" if task.has_alarms else "Right"
                yield row | {"n": len(successes), column: sum(successes)}


def _by_level(item: tuple[tuple[Any, ...], Any]) -> tuple[float, ...]:
    """Levels rising, catch trials last."""
    return tuple(np.inf if v == "catch" else float(v) for v in item[0])


def _confusion_rows(evidence: Evidence) -> Iterator[Row]:
    for name, confusion in evidence.confusions.items():
        for row, truth in enumerate(confusion.truths):
            counts = {
                f"said {a}": int(n)
                for a, n in zip(confusion.answers, confusion.matrix[row], strict=True)
            }
            yield {"Listener": name, "There were": truth, **counts}
