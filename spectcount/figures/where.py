"""The sensitivity ladder as a chart, and patching as a map over the clip.

Conventions: stages from left to right, one line a listener with its interval; the control of
permuted labels and the ideal observer stand beside them; answers are a point behind the readout.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from spectcount.figures.spec import Line, Spec, heatmap_value, lines_value
from spectcount.figures.tracks import track_colour
from spectcount.psychophysics.sdt import Interval
from spectcount.where.ladder import ANSWERS, Ladder, ListenerLadder
from spectcount.where.patching import Patching


def ladder_value(ladder: Ladder, title: str = "") -> Spec:
    """d_a of every stage, base and tuned, the ideal above and the control at zero."""
    ticks = [*ladder.stages, *([] if ladder.counted else [ANSWERS])]
    lines = [
        line
        for k, (name, each) in enumerate(ladder.listeners.items())
        for line in _lines(k, name, each, len(ladder.stages))
    ]
    levels = [(0.0, "chance")]
    if ladder.ideal is not None:
        words = "ideal observer" + (", or more" if math.isinf(ladder.ideal.high) else "")
        levels.append((float(ladder.ideal.value), words))
    return lines_value(
        lines,
        x_label="stage",
        y_label="d_a, linearly readable (answers: d′)",
        x_ticks=ticks,
        x_range=(-0.4, len(ticks) - 0.6),
        y_range=_range(lines, [height for height, _ in levels]),
        levels=levels,
        title=title,
        note=f"{ladder.words}; lost behind a stage: its d_a less the best of any later stage",
        key="ladder",
    )


def thresholds_value(ladder: Ladder, title: str = "") -> Spec | None:
    """The level where d_a = 1 at every stage; None where the run has no levels."""
    if ladder.levels is None:
        return None
    ticks = [*ladder.stages, ANSWERS]
    lines = []
    for k, (name, each) in enumerate(ladder.listeners.items()):
        fits = [*(rung.threshold for rung in each.rungs), each.answered]
        known = [(x, f.threshold) for x, f in enumerate(fits) if f is not None and f.measurable]
        lines.append(_line(name, [x for x, _ in known], [t for _, t in known], k))
    if not any(line.x for line in lines):
        return None
    unit = f" ({ladder.levels.unit})" if ladder.levels.unit else ""
    return lines_value(
        lines,
        x_label="stage",
        y_label=f"{ladder.levels.name}{unit} where d′ = 1",
        x_ticks=ticks,
        x_range=(-0.4, len(ticks) - 0.6),
        y_range=_log_range(lines) if ladder.levels.log else None,
        y_log=ladder.levels.log,
        title=title,
        note="stages without a point have no measurable threshold; intervals at 95 %",
        key="ladder-thresholds",
    )


def patching_value(patching: Patching, title: str = "") -> Spec:
    """Shares of the difference that come back, layers up, stretches of the clip across."""
    shares = patching.shares
    hover = [
        [
            f"[{low:.2f}, {high:.2f}] at 95 %" if np.isfinite(low) else "not there"
            for low, high in zip(*ends, strict=True)
        ]
        for ends in zip(patching.low, patching.high, strict=True)
    ]
    return heatmap_value(
        shares,
        [*range(len(patching.columns))],
        [*range(len(patching.layers))],
        x_label="stretch of the clip, or part of the prompt",
        y_label="layer",
        z_label="share of the difference that comes back",
        x_ticks=patching.columns,
        y_ticks=patching.layers,
        hover=hover,
        title=title,
        note=(
            f"{patching.n_pairs} pairs; log odds {patching.log_odds[0]:.1f} for signals, "
            f"{patching.log_odds[1]:.1f} for counterparts; 1: the whole difference"
        ),
        key="patching",
    )


def _range(lines: list[Line], levels: list[float]) -> tuple[float, float]:
    """Everything that is drawn, with room for the words above."""
    low = min([*levels, *(v for line in lines for v in (line.low or line.y))])
    high = max([*levels, *(v for line in lines for v in (line.high or line.y))])
    return low - 0.2, high + 0.4


def _log_range(lines: list[Line]) -> tuple[float, float]:
    """A fifth beyond all intervals, where they are above 0."""
    known = [v for line in lines for v in (*line.y, *(line.low or ()), *(line.high or ())) if v > 0]
    return min(known) / 1.2, max(known) * 1.2


def _lines(k: int, name: str, each: ListenerLadder, n: int) -> Iterator[Line]:
    yield _line(name, list(range(n)), [rung.d_a for rung in each.rungs], k)
    if each.d_prime is not None:
        yield _line(f"{name}: {ANSWERS}", [n], [each.d_prime], k, named=False)
    control = [rung.control_mean for rung in each.rungs if rung.control]
    yield Line(
        f"{name}: permuted labels",
        list(range(len(control))),
        control,
        hover=[f"largest {rung.control_largest:+.2f}" for rung in each.rungs if rung.control],
        colour=track_colour(k),
        dash="dot",
        symbol="x",
        width=1.0,
    )


def _line(name: str, x: list[int], values: list[Interval], k: int, named: bool = True) -> Line:
    tops = [v.high if math.isfinite(v.high) else v.value for v in values]
    return Line(
        name,
        x,
        [float(v.value) for v in values],
        low=[float(v.low) for v in values],
        high=[float(top) for top in tops],
        hover=[str(v) for v in values],
        colour=track_colour(k),
        bars=True,
        named=named,
    )
