"""Figures on paper: a spec drawn by matplotlib, as SVG or PNG.

The same picture as on the page: colours, marks, regions, interval bands, labels with units. What
the page says on hover stands in the cells where there is room, and in the note under the axes.

Conventions: sizes in inches, type in points; pyplot is not used; text stays text in an SVG and is
never read as mathematics; the same spec gives the same bytes.
"""

from __future__ import annotations

import io
import textwrap
import threading
from typing import TYPE_CHECKING, Any

from spectcount.figures import paper_heatmap, paper_lines, style
from spectcount.figures.spec import Spec
from spectcount.figures.style import NORMAL, SMALL, styled, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

PNG_DPI = 200
_GAP = 0.09
_MARGIN = 0.14
_CHARACTERS_PER_IN = 19.0
"""Of small type, for wrapping the note."""
_RC: Any = {"svg.fonttype": "none", "svg.hashsalt": "spectcount"}
_lock = threading.Lock()
"""matplotlib's settings are global; they are changed and restored while this is held."""


def svg(spec: Spec) -> str:
    """The figure as one SVG document."""
    return _save(spec, "svg").decode()


def png(spec: Spec, dpi: int = PNG_DPI) -> bytes:
    """The figure as a PNG, `dpi` dots per inch."""
    return _save(spec, "png", dpi)


def _save(spec: Spec, kind: str, dpi: int = PNG_DPI) -> bytes:
    import matplotlib

    out = io.BytesIO()
    with _lock, matplotlib.rc_context(_RC):
        figure = _draw(spec)
        figure.savefig(
            out,
            format=kind,
            dpi=dpi,
            bbox_inches=_extent(figure).padded(_MARGIN),
            facecolor="white",
            metadata={"Date": None} if kind == "svg" else None,
        )
    return out.getvalue()


def _draw(spec: Spec) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kind = paper_heatmap if "z" in spec else paper_lines
    width, height = kind.size_in(spec)
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    styled(axes, spec)
    handles = kind.draw(figure, axes, spec)
    _below(figure, handles, spec["note"])
    return figure


def _below(figure: Figure, handles: list[Any], note: str) -> None:
    """Legend and note under everything drawn so far."""
    width, height = figure.get_size_inches()
    if handles:
        legend = figure.legend(
            handles=handles,
            loc="upper left",
            frameon=False,
            fontsize=NORMAL,
            borderaxespad=0,
            bbox_to_anchor=(0, (_bottom_in(figure) - _GAP) / height),
            labelcolor=style.TEXT,
            ncols=2 if len(handles) > 3 else 1,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    if note:
        lines = textwrap.fill(words(note), int(width * _CHARACTERS_PER_IN))
        figure.text(
            0,
            (_bottom_in(figure) - _GAP) / height,
            lines,
            fontsize=SMALL,
            color=style.FAINT,
            ha="left",
            va="top",
            parse_math=False,
        )


def _bottom_in(figure: Figure) -> float:
    """Lowest point of what is drawn, inches from the figure's lower edge."""
    return float(_extent(figure).y0)


def _extent(figure: Figure) -> Bbox:
    """Where something is drawn, inches. What lies inside the axes was left out of the layout, so
    that a map of many cells is measured quickly."""
    return figure.get_tightbbox(figure.canvas.get_renderer())  # type: ignore[attr-defined]
