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


def roc_value(rocs: Mapping[str, Roc | None], axes: str = "roc") -> Spec | None:
    """The chart of all listeners that have an ROC, on the axes "roc" or "z_roc"; None where none
    has."""
    known = {name: roc for name, roc in rocs.items() if roc is not None}
    if not known:
        return None
    on_z = axes == "z_roc"
    lines = [
        line for k, (name, roc) in enumerate(known.items()) for line in _lines(k, name, roc, on_z)
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
        note=_note(known),
        key=axes,
    )


def _lines(k: int, name: str, roc: Roc, on_z: bool) -> list[Line]:
    colour, inside = track_colour(k), (roc.hits > 0) & (roc.hits < 1)
    inside &= (roc.false_alarms > 0) & (roc.false_alarms < 1)
    x, y = roc.false_alarms, roc.hits
    if on_z:
        x, y = ndtri(x[inside]), ndtri(y[inside])
    hover = [
        f"hit rate {h:.2f}, false-alarm rate {f:.2f}"
        for h, f in zip(roc.hits, roc.false_alarms, strict=True)
    ]
    if on_z:
        hover = [words for words, finite in zip(hover, inside, strict=True) if finite]
    lines = [Line(name, x.tolist(), y.tolist(), hover=hover, colour=colour, mode="markers")]
    if roc.measurable:
        lines.append(_fit(f"{name}: fit", roc, on_z, colour, True))
        if roc.n_cells > 1:
            lines.append(_fit(f"{name}: all cells", roc, on_z, colour, False))
    return lines


def _fit(name: str, roc: Roc, on_z: bool, colour: int, one_cell: bool) -> Line:
    z = np.linspace(-_LARGEST_Z, _LARGEST_Z, N_CURVE)
    x, y = z, roc.z_hit_rate(z, one_cell)
    if not on_z:
        x, y = ndtr(z), ndtr(y)
    return Line(
        name,
        x.tolist(),
        y.tolist(),
        colour=colour,
        mode="lines",
        dash="solid" if one_cell else "dot",
        named=one_cell,
    )


def _note(rocs: Mapping[str, Roc]) -> str:
    slopes = "; ".join(f"{name}: {roc.words}" for name, roc in rocs.items())
    first = next(iter(rocs.values()))
    return (
        f"n = {first.n_signal} signal and {first.n_catch} catch trials; {slopes}; points: hits "
        f"averaged over {first.n_cells} cells; lines: {first.slope.rule}"
    )
