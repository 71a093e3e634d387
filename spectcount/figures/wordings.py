"""Runs over wordings -> figures: each wording's number, and how far they differ in each cell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spectcount.figures.maps import plan_key
from spectcount.figures.spec import Line, Spec, heatmap_value, lines_value
from spectcount.figures.words import axis_ticks, level_text
from spectcount.probing.wording_table import Robustness, Worded
from spectcount.psychophysics.sdt import Interval

SPREAD_TOP = 0.5
"""The largest sd of rates that there can be is near it: half the wordings at 0, half at 1."""


def by_wording_value(found: Mapping[str, Robustness], title: str = "") -> Spec:
    """One line per listener over the wordings, in the order of the table, with intervals."""
    lines = []
    for k, (name, one) in enumerate(found.items()):
        values = [_main(worded) for worded in one.by_wording]
        hover = [
            f"{worded.words}{' (held out)' if worded.held_out else ''} · {value}"
            for worded, value in zip(one.by_wording, values, strict=True)
        ]
        n = [worded.n for worded in one.by_wording]
        x = list(range(1, len(values) + 1))
        value, low, high = (
            [float(np.clip(getattr(v, end), -6, 8)) for v in values]
            for end in ("value", "low", "high")
        )
        lines.append(Line(name, x, value, low, high, hover, colour=k, n=n))
    first = next(iter(found.values()))
    level = level_text(_main(first.by_wording[0]))
    return lines_value(
        lines,
        x_label="wording (number in the table)",
        y_label=f"{first.measure} (intervals at {level})",
        y_range=None if first.bias is not None else (-0.02, 1.02),
        title=title,
        note=f"n = {first.n} signal stimuli and {first.n_catch} catch trials in every wording; "
        f"intervals at {level}",
        key=f"wordings {len(first.by_wording)}",
    )


def spread_value(found: Robustness, title: str = "") -> Spec:
    """The sd over wordings of the rate of right answers to signal trials, cell by cell."""
    plan = found.plan
    across, *rest = plan.axes
    up = rest[0] if rest else None
    return heatmap_value(
        found.spread,
        across.middles,
        up.middles if up else [0],
        x_label=across.label,
        y_label=up.label if up else "",
        x_ticks=axis_ticks(across),
        y_ticks=axis_ticks(up) if up else [""],
        z_label="sd over wordings",
        z_range=(0.0, SPREAD_TOP),
        hover=[[_cell_words(v, found) for v in row] for row in found.spread.tolist()],
        title=title,
        note=f"sd over {len(found.by_wording)} wordings of the rate in each cell; "
        f"{found.n} signal stimuli in all",
        key=f"spread {plan_key(plan)}",
    )


def _cell_words(spread: float, found: Robustness) -> str:
    if np.isnan(spread):
        return "not measured yet"
    return f"rates of {len(found.by_wording)} wordings: sd {spread:.2f}"


def _main(worded: Worded) -> Interval:
    return worded.d_prime if worded.d_prime is not None else worded.rate
