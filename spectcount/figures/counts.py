"""Counting trials -> figures: confusion matrices, accuracy by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spectcount.figures.spec import Line, Spec, heatmap_value, lines_value
from spectcount.figures.words import level_text, span_text
from spectcount.probing.maps import Confusion
from spectcount.probing.repeats import left_out_words


def confusion_value(found: Confusion, title: str = "") -> Spec:
    """How many there were (up) against how many were said (across), as shares of each row."""
    totals = found.matrix.sum(axis=1, keepdims=True)
    shares = np.divide(
        found.matrix, totals, out=np.full(found.matrix.shape, np.nan), where=totals > 0
    )
    hover = [
        [f"{n} of {int(total)} trials" for n in row]
        for row, total in zip(found.matrix.tolist(), totals[:, 0], strict=True)
    ]
    diagonal = [(r, found.answers.index(t)) for r, t in enumerate(found.truths)]
    return heatmap_value(
        shares,
        found.answers,
        found.truths,
        x_label="said",
        y_label="there were",
        z_label="share",
        hover=hover,
        n=found.matrix,
        marks={"right": diagonal},
        symbols={"right": "square-open"},
        title=title,
        note="; ".join(
            filter(
                None,
                [
                    f"shares of each row; n = {span_text(totals)} trials per row",
                    left_out_words(found.repeated),
                ],
            )
        ),
        key=f"confusion {len(found.truths)}",
    )


def accuracy_value(
    found: Mapping[str, Confusion], floors: Sequence[tuple[float, str]] = ()
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
        for k, (name, table) in enumerate(found.items())
    ]
    first = next(iter(found.values()))
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
