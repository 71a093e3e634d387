"""A map on paper: cells with their numbers, marks, regions, colour bar.

Conventions: axes count cells, as on the page, tick labels carry the values; hatched cells were not
measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectcount.figures import style
from spectcount.figures.spec import Spec
from spectcount.figures.style import NORMAL, SMALL, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL_IN = (0.52, 0.36)
SMALLEST_IN, LARGEST_IN = (2.6, 0.7), (5.6, 6.6)
TEXT_CELL_IN = (0.32, 0.17)
"""A cell at least this large holds its number; one twice as high its n as well."""
MOST_TICKS = 16
MOST_VECTOR_CELLS = 4000
_SYMBOLS = {
    "changed": "o",
    "confounded": "x",
    "weak": "s",
    "circle-open": "o",
    "x-thin-open": "x",
    "square-open": "s",
    "diamond-open": "D",
}
_BAR_IN = (0.14, 0.14)
"""Distance and width of the colour bar."""


def size_in(spec: Spec) -> tuple[float, float]:
    """Width and height of the axes."""
    counts = len(spec["x"]), len(spec["y"])
    width, height = (
        min(max(n * cell, low), high)
        for n, cell, low, high in zip(counts, CELL_IN, SMALLEST_IN, LARGEST_IN, strict=True)
    )
    return width, height


def draw(figure: Figure, axes: Axes, spec: Spec) -> list[Any]:
    """Draw the map; handles for the legend."""
    z = np.array(spec["z"], float)
    mesh = _cells(axes, z, spec)
    _ticks(axes, spec)
    written = _numbers(axes, z, mesh, spec)
    _regions(axes, spec)
    _colour_bar(figure, mesh, spec)
    return [*_marks(axes, spec, written), *_unmeasured(axes, z)]


def _cells(axes: Axes, z: np.ndarray, spec: Spec) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    keys = style.DIVERGING if spec["diverging"] else style.SEQUENTIAL
    rows, columns = z.shape
    low, high = spec["z_range"]
    return axes.pcolormesh(
        np.arange(columns + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        np.ma.masked_invalid(z),
        cmap=LinearSegmentedColormap.from_list("spectcount", keys),
        vmin=low,
        vmax=high,
        edgecolors="white",
        linewidth=0.6 if z.size <= MOST_VECTOR_CELLS else 0,
        rasterized=z.size > MOST_VECTOR_CELLS,
    )


def _ticks(axes: Axes, spec: Spec) -> None:
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        values, labels = spec[name], spec[f"{name}_ticks"] or spec[name]
        every = max(1, -(-len(values) // MOST_TICKS))
        at = list(range(0, len(values), every))
        axis.set_ticks(at, [words(labels[i]) for i in at], parse_math=False)
    if _longest(spec["x_ticks"] or spec["x"]) * min(len(spec["x"]), MOST_TICKS) > 60:
        axes.tick_params(axis="x", labelrotation=45)


def _longest(labels: Any) -> int:
    return max((len(str(label)) for label in labels), default=0)


def _numbers(axes: Axes, z: np.ndarray, mesh: Any, spec: Spec) -> bool:
    """Each cell's value, and its n where n differs between cells; whether there was room."""
    width, height = size_in(spec)
    cell_in = width / z.shape[1], height / z.shape[0]
    if cell_in[0] < TEXT_CELL_IN[0] or cell_in[1] < TEXT_CELL_IN[1]:
        return False
    n = spec["n"]
    with_n = n is not None and np.unique(n).size > 1 and cell_in[1] >= 2 * TEXT_CELL_IN[1]
    for (row, column), value in np.ndenumerate(z):
        if np.isnan(value) or (n is not None and n[row][column] == 0):
            continue
        text = f"{value:.2f}".replace("-", "−") + (f"\nn {n[row][column]}" if with_n else "")
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=SMALL - 0.5,
            linespacing=1.1,
            color=_ink(mesh.cmap(mesh.norm(value))),
            in_layout=False,
        )
    return True


def _ink(rgba: tuple[float, ...]) -> str:
    """Black or white, whichever is read more easily on this colour (relative luminance)."""
    linear = [(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in rgba[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if luminance < 0.18 else style.MARK


def _marks(axes: Axes, spec: Spec, written: bool) -> list[Any]:
    """Marks with a white halo, in the cells' corners where numbers stand in their middles."""
    dx, dy = (0.36, 0.3) if written else (0.0, 0.0)
    handles = []
    for name, cells in spec["marks"].items():
        if not cells:
            continue
        shape = _SYMBOLS.get(spec["symbols"].get(name, name), "o")
        at = np.array(cells, float)
        for size, colour in ((2.6, "white"), (1.1, style.MARK)):
            drawn = axes.plot(
                at[:, 1] + dx,
                at[:, 0] + dy,
                linestyle="",
                marker=shape,
                fillstyle="none",
                markersize=4.2 if written else 5.5,
                markeredgewidth=size,
                color=colour,
                label=words(name),
                zorder=4,
                in_layout=False,
            )
        handles += drawn
    return handles


def _regions(axes: Axes, spec: Spec) -> None:
    from matplotlib.patches import Rectangle

    for k, region in enumerate(spec["regions"]):
        (bottom, top), (left, right) = region["rows"], region["columns"]
        corner, width, height = (left - 0.5, bottom - 0.5), right - left + 1, top - bottom + 1
        dashes = (0, (4, 2)) if region["dashed"] else "-"
        for line, colour in ((3.4, "white"), (1.8, style.ACCENT)):
            box = Rectangle(
                corner, width, height, fill=False, lw=line, ls=dashes, edgecolor=colour, zorder=3
            )
            axes.add_patch(box).set_in_layout(False)
        axes.annotate(
            words(region.get("label") or k + 1),
            (left - 0.5, top + 0.5),
            (2, -2),
            textcoords="offset points",
            ha="left",
            va="top",
            fontsize=SMALL - 0.5,
            color="white",
            parse_math=False,
            zorder=5,
            in_layout=False,
            bbox={"boxstyle": "square,pad=0.15", "fc": style.MARK, "lw": 0},
        )


def _unmeasured(axes: Axes, z: np.ndarray) -> list[Any]:
    from matplotlib.patches import Patch

    axes.set_facecolor(style.UNMEASURED)
    if not np.isnan(z).any():
        return []
    axes.patch.set(edgecolor="#b7c2cc", hatch="////")
    sample = Patch(facecolor=style.UNMEASURED, edgecolor="#b7c2cc", hatch="////")
    sample.set_label("not measured")
    return [sample]


def _colour_bar(figure: Figure, mesh: Any, spec: Spec) -> None:
    width, height = size_in(spec)
    side = figure.add_axes((1 + _BAR_IN[0] / width, 0, _BAR_IN[1] / width, 1))
    bar = figure.colorbar(mesh, cax=side)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=NORMAL, color=style.GRID, labelcolor=style.TEXT)
    bar.set_label(words(spec["z_label"]), fontsize=NORMAL, color=style.TEXT)
    side.yaxis.label.set_parse_math(False)
    if height < 1.2:
        bar.set_ticks(spec["z_range"])
