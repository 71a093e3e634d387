"""What one cue alone reaches on a run's clips, beside the listeners that answered them.

Conventions: a row of points, best first; listeners before cues; the share right is the mean over
the answers.
"""

from __future__ import annotations

from spectcount.figures.spec import Line, Spec, lines_value
from spectcount.probing.shortcuts import Audit


def shortcuts_value(found: Audit, title: str = "") -> Spec:
    """Share right of every listener and of every cue alone, with chance and the limit of what
    counts as a shortcut."""
    own = sorted(found.own.items(), key=lambda item: -item[1])
    lines = [
        Line(name, [k + 1], [share], hover=[f"{name}: {100 * share:.0f} %"], colour=k,
             mode="markers", symbol="diamond")
        for k, (name, share) in enumerate(own)
    ]  # fmt: skip
    for k, floor in enumerate(found.floors, len(own)):
        rate = floor.rate
        words = f"{floor.words} alone: {100 * rate.value:.0f} %"
        lines.append(
            Line(words, [k + 1], [rate.value], [rate.low], [rate.high],
                 [f"{words}. {floor.theory}".strip()], colour=k, mode="markers", bars=True)
        )  # fmt: skip
    return lines_value(
        lines,
        x_label="listeners, then cues, the best first",
        y_label="share right (intervals at 95 %)",
        x_range=(0.5, len(lines) + 0.5),
        y_range=(-0.02, 1.02),
        levels=[(found.chance, "chance"), (found.limit, "limit of a shortcut")],
        title=title,
        note=f"n = {found.n} clips; best fixed mapping, cross-validated; mean over the answers",
        key="shortcuts",
    )
