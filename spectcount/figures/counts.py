"""Answers -> figures: confusion matrices, accuracy by number, and what one cue alone reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spectcount.figures.spec import Line, Spec, heatmap_value, lines_value
from spectcount.figures.words import level_text, span_text
from spectcount.probing.maps import Confusion
from spectcount.probing.repeats import left_out_words
from spectcount.probing.shortcuts import Audit


def confusion_value(confusion: Confusion, title: str = "") -> Spec:
    """Numbers that there were (up) against those answered (across), as shares of each row."""
    totals = confusion.matrix.sum(axis=1, keepdims=True)
    shares = np.divide(
        confusion.matrix, totals, out=np.full(confusion.matrix.shape, np.nan), where=totals > 0
    )
    hover = [
        [f"{n} of {int(total)} trials" for n in row]
        for row, total in zip(confusion.matrix.tolist(), totals[:, 0], strict=True)
    ]
    diagonal = [(r, confusion.answers.index(t)) for r, t in enumerate(confusion.truths)]
    return heatmap_value(
        shares,
        confusion.answers,
        confusion.truths,
        x_label="number answered",
        y_label="number presented",
        z_label="share",
        hover=hover,
        n=confusion.matrix,
        marks={"right": diagonal},
        symbols={"right": "square-open"},
        title=title,
        note="; ".join(
            filter(
                None,
                [
                    f"shares of each row; n = {span_text(totals)} trials per row",
                    left_out_words(confusion.repeated),
                ],
            )
        ),
        key=f"confusion {len(confusion.truths)}",
    )


def accuracy_value(
    tables: Mapping[str, Confusion], floors: Sequence[tuple[float, str]] = ()
) -> Spec:
    """Accuracy by the number of events, one line per listener; `floors` are what one cue alone
    reaches over all numbers."""
    lines = [
        Line(
            name,
            [int(t) for t in table.truths],
            table.accuracy.value,
            table.accuracy.low,
            table.accuracy.high,
            [f"n {int(n)}" for n in table.matrix.sum(axis=1)],
            colour=k,
            n=table.matrix.sum(axis=1),
        )
        for k, (name, table) in enumerate(tables.items())
    ]
    first = next(iter(tables.values()))
    level = level_text(first.accuracy)
    totals = first.matrix.sum(axis=1)
    return lines_value(
        lines,
        x_label="events",
        y_label=f"accuracy (intervals at {level})",
        y_range=(-0.02, 1.02),
        levels=floors,
        note=f"n = {span_text(totals)} trials per number; {first.accuracy.rule}; intervals at "
        f"{level}",
        key="accuracy",
    )


def shortcuts_value(audit: Audit) -> Spec:
    """Share right of every listener and of every cue alone, with chance and the limit of what
    counts as a shortcut."""
    shares = sorted(audit.listeners.items(), key=lambda item: -item[1])
    lines = [
        Line(
            name,
            [k + 1],
            [share],
            hover=[f"{name}: {100 * share:.0f} %"],
            colour=k,
            mode="markers",
            symbol="diamond",
        )
        for k, (name, share) in enumerate(shares)
    ]
    for k, floor in enumerate(audit.floors, len(shares)):
        rate = floor.rate
        words = f"{floor.words} alone: {100 * rate.value:.0f} %"
        lines.append(
            Line(
                words,
                [k + 1],
                [rate.value],
                [rate.low],
                [rate.high],
                [f"{words}. {floor.theory}".strip()],
                colour=k,
                mode="markers",
                bars=True,
            )
        )
    return lines_value(
        lines,
        x_label="listeners, then cues, best first",
        y_label="share right (intervals at 95 %)",
        x_range=(0.5, len(lines) + 0.5),
        y_range=(-0.02, 1.02),
        levels=[(audit.chance, "chance"), (audit.limit, "limit of a shortcut")],
        note=f"n = {audit.n} clips; best fixed mapping, cross-validated; mean over the answers",
        key="shortcuts",
    )
