"""What a benchmark run says while it goes on, made from the trials that it has stored so far.

Conventions: the same plain data as the summary at the end (`docs/benchmarks.md`), over the items
dealt with: those answered, and those before the furthest answered one whose sound is missing. What
only the run itself knows (refusals, how fast it was) is told at its end, and so are the changes in
each category: their bootstraps take seconds, and would be looked at too often.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from spectcount.benchmarks import summary
from spectcount.benchmarks.questions import Sheet, place
from spectcount.store import Run
from spectcount.trials import Trial


def so_far(run: Run, sheet: Sheet, trials: Sequence[Trial]) -> dict[str, Any] | None:
    """The summary of what is stored; None until every listener has answered something."""
    names = run.config["listeners"]
    mine = {name: [t for t in trials if t.listener == name] for name in names}
    if not all(mine.values()):
        return None
    answers = {
        name: summary.Answers(own[0].fingerprint, {place(t): t for t in own}, {}, len(own), 0, None)
        for name, own in mine.items()
    }
    missing = missing_before(sheet, trials)
    whole = dataclasses.replace(sheet, benchmark=dataclasses.replace(sheet.benchmark, strata=()))
    total = len(sheet.units) * len(names)
    head = {"done": sum(map(len, mine.values())), "total": total, "stopped": False}
    found = summary.summarise(whole, answers, missing)
    known = found["benchmark"]["answers_known"]
    return {**head, **found, "strata": _strata(sheet, answers, missing) if known else {}}


def _strata(
    sheet: Sheet, answers: Mapping[str, summary.Answers], missing: summary.Unheard
) -> dict[str, Any]:
    """The rows of every kind of category without changes: each listener's own, side by side."""
    alone = [
        summary.strata(sheet, {name: summary.mark(sheet, one, missing)})
        for name, one in answers.items()
    ]
    merged = {
        kind: [
            {**rows[0], "listeners": {k: v for row in rows for k, v in row["listeners"].items()}}
            for rows in zip(*(one[kind] for one in alone), strict=True)
        ]
        for kind in sheet.benchmark.strata
    }
    return merged


def missing_before(sheet: Sheet, trials: Sequence[Trial]) -> dict[int, tuple[str, str]]:
    """Row -> (kind, why) of the items without a sound that the run has passed already."""
    answered = {place(t)[0] for t in trials}
    last = max((i for i, item in enumerate(sheet.items) if item.row in answered), default=-1)
    return {
        item.row: (summary.MISSING, f"there is no file {item.audio}")
        for item in sheet.items[: last + 1]
        if item.row not in answered and not item.audio.is_file()
    }
