"""The colours of every figure, safe for colour-blind readers: those of the page's `page.js`.

Sequential, for rates: cividis (Nunez, Anderton & Renslow 2018). Diverging, for differences: orange
below zero, blue above. Lines: Okabe & Ito (2008). A test holds them equal to the page's.
"""

from __future__ import annotations

SEQUENTIAL = (
    (0.0, "#00224e"), (0.125, "#123570"), (0.25, "#3b496c"), (0.375, "#575d6d"), (0.5, "#707173"),
    (0.625, "#8a8678"), (0.75, "#a59c74"), (0.875, "#c3b369"), (1.0, "#fee838"),
)  # fmt: skip
DIVERGING = (
    (0.0, "#b35806"), (0.25, "#e6a15c"), (0.5, "#f4f5f6"), (0.75, "#6aa5cf"), (1.0, "#145a94"),
)  # fmt: skip
LINES = ("#0072b2", "#d55e00", "#009e73", "#b2538d", "#8a7a00", "#5b6670")
TEXT, FAINT, GRID, ACCENT = "#1f2933", "#66737f", "#d9e0e7", "#1f687c"
MARK = "#111820"
UNMEASURED = "#ffffff"
