"""The ROC of one or several listeners, on axes of rates or of their z.

Conventions: points are the empirical ROC within wordings, hits averaged over the cells; the solid
line is the fitted ROC of a cell of mean d', straight on z axes: its slope is the one in words;
where cells differ the dotted line is the fit of all cells together, through the points.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtr, ndtri

from spectcount.figures.spec import Line, Spec, lines_value
from spectcount.figures.tracks import track_colour
from spectcount.psychophysics.roc import Roc

ROCS = {"ROC": "roc", "z-ROC": "z_roc"}
"""What the page calls the two kinds of axes."""
N_CURVE = 101
_LARGEST_Z = 3.0


def roc_value(found: Mapping[str, Roc | None], axes: str = "roc", title: str = "") -> Spec | None:
    """The chart of all listeners that have an ROC, on the axes "roc" or "z_roc"; None where none
    has."""
    known = {name: one for name, one in found.items() if one is not None}
    if not known:
        return None
    on_z = axes == "z_roc"
    lines = [
        line for k, (name, one) in enumerate(known.items()) for line in _lines(k, name, one, on_z)
    ]
    ends = np.array([-_LARGEST_Z, _LARGEST_Z] if on_z else [0.0, 1.0])
    lines.append(Line("chance", ends.tolist(), ends.tolist(), dash="dash", mode="lines", width=1.0))
    pad = (-_LARGEST_Z, _LARGEST_Z) if on_z else (-0.02, 1.02)
    return lines_value(
        lines,
        x_label="z(false-alarm rate)" if on_z else "false-alarm rate",
        y_label="z(hit rate)" if on_z else "hit rate",
        x_range=pad,
        y_range=pad,
        title=title,
        note=_note(known),
        key=axes,
    )


def _lines(k: int, name: str, found: Roc, on_z: bool) -> list[Line]:
    colour, inside = track_colour(k), (found.hits > 0) & (found.hits < 1)
    inside &= (found.false_alarms > 0) & (found.false_alarms < 1)
    x, y = found.false_alarms, found.hits
    if on_z:
        x, y = ndtri(x[inside]), ndtri(y[inside])
    hover = [
        f"hit rate {h:.2f}, false-alarm rate {f:.2f}"
        for h, f in zip(found.hits, found.false_alarms, strict=True)
    ]
    if on_z:
        hover = [words for words, shown in zip(hover, inside, strict=True) if shown]
    lines = [Line(name, x.tolist(), y.tolist(), hover=hover, colour=colour, mode="markers")]
    if found.measurable:
        lines.append(_fit(f"{name}: fit", found, on_z, colour, True))
        if found.n_cells > 1:
            lines.append(_fit(f"{name}: all cells", found, on_z, colour, False))
    return lines


def _fit(name: str, found: Roc, on_z: bool, colour: int, one_cell: bool) -> Line:
    z = np.linspace(-_LARGEST_Z, _LARGEST_Z, N_CURVE)
    x, y = z, found.z_hit_rate(z, one_cell)
    if not on_z:
        x, y = ndtr(z), ndtr(y)
    return Line(name, x.tolist(), y.tolist(), colour=colour, mode="lines",
                dash="solid" if one_cell else "dot", named=one_cell)  # fmt: skip


def _note(found: Mapping[str, Roc]) -> str:
    told = "; ".join(f"{name}: {one.words}" for name, one in found.items())
    first = next(iter(found.values()))
    return (
        f"n = {first.n_signal} signal and {first.n_catch} catch trials; {told}; points: hits "
        f"averaged over {first.n_cells} cells; lines: {first.slope.rule}"
    )
