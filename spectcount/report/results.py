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

MAX_ROWS = 400
"""Rows of a table on the page; a longer one stands as CSV."""
MAX_REGIONS = 12


def headline_html(evidence: Evidence) -> Html:
    """All trials of each listener together: a row per measure, a column per listener."""
    asked = evidence.asked_plan.asked
    if not evidence.gridded:
        return Html("")
    if evidence.counted or asked.name == "count":
        columns = {name: _count_numbers(table) for name, table in evidence.confusions.items()}
    else:
        columns = {name: _numbers(pooled, asked) for name, pooled in evidence.pooled.items()}
    rows = [
        [measure, *(numbers[measure] for numbers in columns.values())]
        for measure in next(iter(columns.values()), {})
    ]
    caption = "All trials of each listener together, intervals at 95 % for these cells and wordings"
    said = [f"{name}: {pooled.words}." for name, pooled in evidence.pooled.items()]
    return Html(table(["", *columns], rows, caption) + bullets(said))


def _numbers(found: Pooled, asked: Task) -> dict[str, str]:
    if not asked.two_class:
        return {
            found.name: interval(found.rate),
            "n": str(found.n),
            "mean mass": number(found.mass, 3),
        }
    return {
        "d_a, from graded scores": interval(found.d_a),
        "d′, from answers": interval(found.d_prime),
        "slope of the z-ROC": _slope(found),
        "criterion c": interval(found.criterion),
        "AUC": interval(found.auc),
        "hit rate": f"{interval(found.rate)}, n = {found.n}",
        "false-alarm rate": f"{interval(found.false_alarm_rate)}, n = {found.n_catch}",
        "ideal observer's d′": number(found.ideal, 1),
        "mean mass": number(found.mass, 3),
    }


def _slope(found: Pooled) -> str:
    if found.roc is None:
        return "–"
    return found.caution or (interval(found.roc.slope) if found.roc.measurable else found.roc.words)


def _count_numbers(found: Confusion) -> dict[str, str]:
    return {
        "accuracy": f"{interval(found.overall)}, n = {int(found.matrix.sum())}",
        "left out": left_out_words(found.repeated) or "–",
        "bias (said − there, events)": number(found.mean_bias),
        "mean absolute error (events)": number(found.mean_error),
        "unparsed replies": f"{found.unparsed} of {found.n_replies}",
        "trials with mass below ½": percent(found.low_mass),
    }


def thresholds_table(evidence: Evidence) -> Html:
    """Thresholds of all listeners with intervals, and a sentence for each."""
    if not evidence.thresholds:
        return Html("")
    said = [f"{name}: {t.sentence}." for name, mine in evidence.thresholds.items() for t in mine]
    return Html(tag("h3", "Thresholds") + bullets(said) + thresholds_html(evidence.thresholds))


def shortcuts_html(evidence: Evidence) -> Html:
    """What one cue alone reaches on the same clips, beside the listeners."""
    found = evidence.shortcuts
    if found is None:
        return Html("")
    rows = [[name, percent(share), ""] for name, share in found.own.items()]
    rows += [
        [f"{floor.words} alone", interval(floor.rate), _shortcut_words(found, floor)]
        for floor in found.floors
    ]
    caption = (
        f"Floors: one cue with the best fixed mapping, cross-validated, on {found.n} of the clips; "
        f"mean share right over the answers, chance {percent(found.chance)}, intervals at 95 %"
    )
    words = found.sentence[:1].upper() + found.sentence[1:] + "."
    return Html(
        tag("h3", "What one cue alone reaches")
        + paragraphs([words])
        + details(caption, table(["", "Right", "Note"], rows, caption))
    )


def _shortcut_words(found: Audit, floor: Floor) -> str:
    if floor not in found.above:
        return ""
    return f"a shortcut, above {percent(found.limit)}" + (
        f"; {floor.theory}" if floor.theory else "; rove it"
    )


def panel_html(evidence: Evidence) -> Html:
    """The table of a forgetting panel."""
    found = evidence.panel
    if found is None:
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
        for row in found.rows
    ]
    head = ["What was asked", "Measure", *evidence.names, "Change", "Fine before"]
    caption = (
        "Each listener's interval is at 95 %; those of the changes are wider, so that of the "
        f"changes found at most {100 * found.q:g} % are expected to be wrong"
    )
    return table(head, rows, caption)


def wordings_html(evidence: Evidence) -> Html:
    """Each wording's numbers, by listener."""
    parts = []
    for name, found in evidence.worded.items():
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
            for k, w in enumerate(found.by_wording)
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


def _level_rows(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """Of a procedure: trials and successes at each level of each track, and its catch trials."""
    asked = evidence.asked_plan.asked
    for name, states in evidence.tracks.items():
        for k, (condition, state) in enumerate(states.items()):
            found: dict[tuple[Any, ...], list[bool]] = {}
            for p in state["presentations"]:
                caught = asked.has_alarms and p["role"] == CATCH
                levels = ("catch",) if caught else tuple(f"{v:.6g}" for v in p["level"])
                found.setdefault(levels, []).append(p["success"])
            for levels, successes in sorted(found.items(), key=_by_level):
                track = condition or str(k + 1)
                first, *rest = levels
                row = {"Listener": name, "Track": track, state["label"]: first}
                row |= {"Second": rest[0]} if rest else {}
                said = "Said first answer" if asked.has_alarms else "Right"
                yield row | {"n": len(successes), said: sum(successes)}


def _by_level(item: tuple[tuple[Any, ...], Any]) -> tuple[float, ...]:
    """Levels rising, catch trials last."""
    return tuple(np.inf if v == "catch" else float(v) for v in item[0])


def _confusion_rows(evidence: Evidence) -> Iterator[dict[str, Any]]:
    for name, found in evidence.confusions.items():
        for row, truth in enumerate(found.truths):
            said = {
                f"said {a}": int(n) for a, n in zip(found.answers, found.matrix[row], strict=True)
            }
            yield {"Listener": name, "There were": truth, **said}
