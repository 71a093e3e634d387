"""Colours, type and frame of every figure; the colours are those of the page's `page.js`, safe for
colour-blind readers.

Sequential, for rates: cividis (Nunez, Anderton & Renslow 2018). Diverging, for differences: orange
below zero, blue above. Lines: Okabe & Ito (2008). A test holds them equal to the page's. Sizes
of type are in points.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from spectcount.figures.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEQUENTIAL = (
    (0.0, "#00224e"),
    (0.125, "#123570"),
    (0.25, "#3b496c"),
    (0.375, "#575d6d"),
    (0.5, "#707173"),
    (0.625, "#8a8678"),
    (0.75, "#a59c74"),
    (0.875, "#c3b369"),
    (1.0, "#fee838"),
)
DIVERGING = (
    (0.0, "#b35806"),
    (0.25, "#e6a15c"),
    (0.5, "#f4f5f6"),
    (0.75, "#6aa5cf"),
    (1.0, "#145a94"),
)
LINES = ("#0072b2", "#d55e00", "#009e73", "#b2538d", "#8a7a00", "#5b6670")
TEXT, FAINT, GRID, ACCENT = "#1f2933", "#66737f", "#d9e0e7", "#1f687c"
MARK = "#111820"
UNMEASURED = "#ffffff"
SMALL, NORMAL, TITLE = 7.0, 8.5, 10.0
TITLE_CHARACTERS = 70


def words(text: Any) -> str:
    """Text that any drawing can hold: no control characters."""
    return re.sub(r"[^\S ]+|[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]", " ", str(text))


def styled(axes: Axes, spec: Spec) -> None:
    """Labels, title and frame, as on the page."""
    axes.set_xlabel(words(spec["x_label"]), fontsize=NORMAL, parse_math=False, color=TEXT)
    axes.set_ylabel(words(spec["y_label"]), fontsize=NORMAL, parse_math=False, color=TEXT)
    axes.tick_params(labelsize=NORMAL, color=GRID, labelcolor=TEXT)
    for side in axes.spines.values():
        side.set_color(GRID)
    if spec["title"]:
        title = textwrap.fill(words(spec["title"]), TITLE_CHARACTERS)
        axes.set_title(title, loc="left", fontsize=TITLE, pad=12, parse_math=False, color=TEXT)
