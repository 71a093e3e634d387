"""A chart of lines on paper: lines, points, interval bands, reference lines, n above each point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spectcount.figures import style
from spectcount.figures.spec import Spec
from spectcount.figures.style import SMALL, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE_IN = (5.6, 3.4)
COUNT_IN = 0.21
"""Points closer than this have no n written above them."""
_MARKS = {
    "circle": "o",
    "circle-open": "o",
    "x": "X",
    "cross-thin-open": "+",
    "diamond": "D",
    "square-open": "s",
}
_PT_PER_PX = 0.75
_DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


def size_in(spec: Spec) -> tuple[float, float]:
    """Width and height of the axes."""
    return SIZE_IN


def draw(figure: Figure, axes: Axes, spec: Spec) -> list[Any]:
    """Draw the lines; handles for the legend."""
    drawn = [_line(axes, line, k) for k, line in enumerate(spec["series"])]
    handles = [h for h, line in zip(drawn, spec["series"], strict=True) if line["named"]]
    for name in "xy":
        if spec[f"{name}_log"]:
            _logarithmic(axes, name)
    _range(axes, spec)
    if spec.get("x_ticks"):
        _named(axes, spec["x_ticks"])
    else:
        _whole_numbers(axes, spec)
    for level in spec["levels"]:
        axes.axhline(level["y"], color=style.FAINT, linewidth=0.9, linestyle=":", zorder=1)
        axes.annotate(
            words(level["label"]),
            (1, level["y"]),
            (-2, 2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=SMALL,
            color=style.FAINT,
            parse_math=False,
        )
    axes.grid(color=style.GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    _counts(axes, spec)
    return handles


def _line(axes: Axes, line: Spec, k: int) -> Any:
    """Draw one line of a chart; what stands for it in the legend."""
    colour = style.LINES[(k if line["colour"] is None else line["colour"]) % len(style.LINES)]
    x, y = _numbers(line["x"]), _numbers(line["y"])
    if line["low"] is not None and line["high"] is not None:
        low, high = _numbers(line["low"]), _numbers(line["high"])
        if line["bars"]:
            axes.vlines(x, low, high, color=colour, alpha=0.6, linewidth=1, zorder=2)
        else:
            axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0, zorder=2)
    mode = line["mode"] or "lines+markers"
    marked, hollow = "markers" in mode, line["symbol"].endswith("open")
    (drawn,) = axes.plot(
        x,
        y,
        color=colour,
        linewidth=0.9 * line["width"],
        zorder=3,
        label=words(line["name"]),
        linestyle=_DASHES.get(line["dash"], "-") if "lines" in mode else "",
        marker=_MARKS[line["symbol"]] if marked and not line["sizes"] else "",
        markersize=4.5,
        markerfacecolor="none" if hollow else colour,
    )
    if marked and line["sizes"]:
        area = (_PT_PER_PX * _numbers(line["sizes"])) ** 2
        return axes.scatter(
            x,
            y,
            s=area,
            marker=_MARKS[line["symbol"]],
            zorder=4,
            label=words(line["name"]),
            facecolors=colour if not hollow or line["symbol"].startswith("cross") else "none",
            edgecolors=None if line["symbol"].startswith("cross") else colour,
            linewidths=1.2 if hollow else 0,
        )
    return drawn


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], float)


def _logarithmic(axes: Axes, name: str) -> None:
    """A logarithmic axis whose ticks are plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set(**{f"{name}scale": "log"})
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def _range(axes: Axes, spec: Spec) -> None:
    """The ranges asked for; without one, up from zero at most, as on the page."""
    if spec["x_range"]:
        axes.set_xlim(*spec["x_range"])
    if spec["y_range"]:
        axes.set_ylim(*spec["y_range"])
        return
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.0), max(high, 0.0))


def _named(axes: Axes, names: Sequence[str]) -> None:
    """Words at the whole numbers of the axis across, slanted."""
    axes.set_xticks(range(len(names)), [words(name) for name in names], parse_math=False)
    for label in axes.get_xticklabels():
        label.set(rotation=30, ha="right", rotation_mode="anchor")


def _whole_numbers(axes: Axes, spec: Spec) -> None:
    """No tick between whole numbers where every point lies on one."""
    from matplotlib.ticker import MaxNLocator

    x = [v for s in spec["series"] for v in s["x"] if v is not None]
    if x and not spec["x_log"] and all(float(v).is_integer() for v in x):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _counts(axes: Axes, spec: Spec) -> None:
    """n above each point of the axis: "8", or "6–8" where the lines differ; nothing where there
    is no room."""
    known = [s for s in spec["series"] if s["n"] is not None]
    if not known or any(s["x"] != known[0]["x"] for s in known):
        return
    places = np.sort(axes.transData.transform([(x, 0) for x in known[0]["x"]])[:, 0])
    if len(places) > 1 and np.diff(places).min() < COUNT_IN * axes.figure.dpi:
        return
    for i, x in enumerate(known[0]["x"]):
        counts = [s["n"][i] for s in known]
        text = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)}–{max(counts)}"
        axes.annotate(
            f"n {text}" if i == 0 else text,
            (x, 1),
            (0, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=SMALL - 0.5,
            color=style.FAINT,
        )
