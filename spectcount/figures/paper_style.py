"""Type, labels and frame that all figures on paper share; sizes in points."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from spectcount.figures import colours
from spectcount.figures.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL, NORMAL, TITLE = 7.0, 8.5, 10.0
TITLE_CHARACTERS = 70


def words(text: Any) -> str:
    """Text that any drawing can hold: no control characters."""
    return re.sub(r"[^\S ]+|[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]", " ", str(text))


def styled(axes: Axes, spec: Spec) -> None:
    """Labels, title and frame, as on the page."""
    plain: dict[str, Any] = {"parse_math": False, "color": colours.TEXT}
    axes.set_xlabel(words(spec["x_label"]), fontsize=NORMAL, **plain)
    axes.set_ylabel(words(spec["y_label"]), fontsize=NORMAL, **plain)
    axes.tick_params(labelsize=NORMAL, color=colours.GRID, labelcolor=colours.TEXT)
    for side in axes.spines.values():
        side.set_color(colours.GRID)
    if spec["title"]:
        title = textwrap.fill(words(spec["title"]), TITLE_CHARACTERS)
        axes.set_title(title, loc="left", fontsize=TITLE, pad=12, **plain)
