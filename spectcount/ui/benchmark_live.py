"""What a benchmark run says while it goes on, made from the trials that it has stored so far.

Conventions: the same plain data as the summary at the end (`docs/benchmarks.md`), over the items
dealt with: those answered, and those before the furthest answered one whose sound is missing. What
only the run itself knows (refusals, how fast it was) is told at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spectcount.benchmarks import summary
from spectcount.benchmarks.readings import place
from spectcount.benchmarks.sheet import Sheet
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
    total = len(sheet.units) * len(names)
    head = {"done": sum(map(len, mine.values())), "total": total, "stopped": False}
    return {**head, **summary.summarise(sheet, answers, missing_before(sheet, trials))}


def missing_before(sheet: Sheet, trials: Sequence[Trial]) -> dict[int, tuple[str, str]]:
    """Row -> (kind, why) of the items without a sound that the run has passed already."""
    answered = {place(t)[0] for t in trials}
    last = max((i for i, item in enumerate(sheet.items) if item.row in answered), default=-1)
    return {
        item.row: (summary.MISSING, f"there is no file {item.audio}")
        for item in sheet.items[: last + 1]
        if item.row not in answered and not item.audio.is_file()
    }
