"""Colours, type and frame of every figure; the page's scripts and style sheets get the colours from
here (`script`, `css`). All are safe for colour-blind readers.

Sequential, for rates: cividis (Nunez, Anderton & Renslow 2018). Diverging, for differences: orange
below zero, blue above. Lines: Okabe & Ito (2008). Spectrograms: magma. Sizes of type are
in points.
"""

from __future__ import annotations

import json
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
DARK_LINES = ("#56b4e9", "#e69f00", "#2fc39b", "#e79ac4", "#f0e442", "#b7c2cc")
MAGMA = "#000004 #180f3d #440f76 #721f81 #9e2f7f #cd4071 #f1605d #fd9668 #fcfdbf".split()
_DARK_MIDDLE = (0.5, "#20272f")
PALETTE: dict[str, dict[str, Any]] = {
    "light": {
        "text": TEXT,
        "faint": FAINT,
        "grid": GRID,
        "panel": "#ffffff",
        "accent": ACCENT,
        "mark": MARK,
        "lines": LINES,
        "diverging": DIVERGING,
    },
    "dark": {
        "text": "#dbe3ea",
        "faint": "#8b99a7",
        "grid": "#2a333d",
        "panel": "#151b22",
        "accent": "#7dbccb",
        "mark": "#ffffff",
        "lines": DARK_LINES,
        "diverging": (*DIVERGING[:2], _DARK_MIDDLE, *DIVERGING[3:]),
    },
}
STATES = {
    "blue": ("#0072b2", "#0072b2"),
    "orange": ("#d55e00", "#d55e00"),
    "amber": ("#e69f00", "#e69f00"),
    "green": ("#009e73", "#009e73"),
    "olive": ("#8a7a00", "#8a7a00"),
    "good": ("#00795a", "#2fc39b"),
    "bad": ("#c2410c", "#fb923c"),
    "bar": ("#8fa3b3", "#5b6b7a"),
    "away": ("#fbe3d2", "#4a2812"),
    "away-text": (TEXT, "#f4e7dd"),
    "clip": (MAGMA[3], MAGMA[3]),
    "magma": (", ".join(MAGMA), ", ".join(MAGMA)),
}
"""What the style sheets call `--NAME`, in light and in dark."""
SMALL, NORMAL, TITLE = 7.0, 8.5, 10.0
TITLE_CHARACTERS = 70


def script() -> str:
    """The start of the page's scripts: what they share, with all colours in it."""
    palette = {**PALETTE, "sequential": SEQUENTIAL, "magma": MAGMA}
    return f"window.SpectCount = {{ palette: {json.dumps(palette)} }};"


def css() -> str:
    """The colours as variables of the style sheets."""
    names = ("text", "faint", "panel")
    light, dark = (
        {**{f"figure-{n}": PALETTE[mode][n] for n in names}, **{n: c[i] for n, c in STATES.items()}}
        for i, mode in enumerate(("light", "dark"))
    )
    sheets = ((":root", light), (".dark", dark))
    return "".join(
        f"{place} {{ {' '.join(f'--{n}: {c};' for n, c in values.items())} }}\n"
        for place, values in sheets
    )


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
