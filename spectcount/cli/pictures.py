"""Figures of a run in the cells of a terminal, from the same specs as page and report.

*Conventions*: row 0 of a map is its lowest line; a cell shows its value, rates as percent without
the sign. Between the cells, `[` and `]` are the ends of a weak region in that row, `*` stands after
a cell that changed for sure. Colours as on the page: cividis for rates, orange to blue for changes.
A map that is too wide for its numbers has a digit (tenths of the scale) for each cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spectcount.cli import terminal

if TYPE_CHECKING:
    from rich.text import Text

Spec = Mapping[str, Any]
CELL = 4
"""Columns of a cell with its number, the mark before it included."""
CANVAS_ROWS = 10
MOST_POINTS = 40
"""Points of a line that are listed; one with more is drawn."""
_CIVIDIS = ((0, 34, 78), (65, 77, 107), (124, 123, 120), (186, 174, 108), (254, 232, 56))
_DIVERGING = ((179, 88, 6), (241, 163, 64), (247, 247, 247), (103, 169, 207), (33, 102, 172))


def show_figure(spec: Spec) -> None:
    """A figure's spec on stdout: a grid for a map, a table or a chart for lines."""
    for line in _grid(spec) if "z" in spec else _chart(spec):
        terminal.console().print(line, soft_wrap=True)


def _grid(spec: Spec) -> Iterator[Text | str]:
    """A map: head, rows from the top, words of the columns."""
    z, x_ticks = spec["z"], spec["x_ticks"] or [f"{x:g}" for x in spec["x"]]
    y_ticks = [str(tick) for tick in spec["y_ticks"] or spec["y"]]
    margin = max(map(len, y_ticks), default=0)
    columns = len(z[0])
    numbers = margin + 2 + columns * CELL + 1 <= terminal.width()
    yield f"{spec['z_label']}{_scale(spec)}" + (f"   up: {spec['y_label']}" if margin else "")
    for r in reversed(range(len(z))):
        yield _row(spec, r, f"{y_ticks[r]:>{margin}} ", numbers)
    yield " " * (margin + 1) + _ticks(x_ticks, CELL if numbers else 1)
    yield f"{' ' * (margin + 1)}{spec['x_label']}"


def _scale(spec: Spec) -> str:
    """The unit of the numbers in the cells."""
    return ", %" if _in_percent(spec) else ""


def _in_percent(spec: Spec) -> bool:
    return max(map(abs, spec["z_range"])) <= 1.0


def _row(spec: Spec, r: int, head: str, numbers: bool) -> Text:
    from rich.text import Text

    values = spec["z"][r]
    line, marks = Text(head), _marks(spec, r, len(values))
    for c, value in enumerate(values):
        if numbers:
            line.append(marks[c], style="bold")
            line.append(f"{_words(spec, value):>{CELL - 1}}", style=_style(spec, value))
        else:
            line.append(_digit(spec, value), style=_style(spec, value))
    return line.append(marks[-1], style="bold") if numbers else line


def _marks(spec: Spec, r: int, columns: int) -> list[str]:
    """Marks before each cell of a row, and after the last."""
    marks = [" "] * (columns + 1)
    for box in spec["regions"]:
        low, high = box["rows"]
        if low <= r <= high:
            first, last = box["columns"]
            marks[last + 1] = "]" if marks[last + 1] == " " else "|"
            marks[first] = "[" if marks[first] == " " else "|"
    for name, cells in spec["marks"].items():
        if spec["symbols"].get(name) == "changed":
            for row, c in cells:
                if row == r:
                    marks[c + 1] = "*"
    return marks


def _words(spec: Spec, value: float | None) -> str:
    if value is None:
        return "-"
    sign = "+" if spec["diverging"] and value > 0 else ""
    if _in_percent(spec):
        return f"{sign}{100 * value:.0f}"
    return f"{value:{sign}.1f}"[: CELL - 1]


def _place(spec: Spec, value: float) -> float:
    """A value on the scale of its colours, 0 to 1."""
    low, high = spec["z_range"]
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _digit(spec: Spec, value: float | None) -> str:
    return " " if value is None else str(min(9, int(10 * _place(spec, value))))


def _style(spec: Spec, value: float | None) -> str:
    """Colours of a cell; none where marks are ASCII."""
    if value is None or terminal.plain():
        return ""
    colours = _DIVERGING if spec["diverging"] else _CIVIDIS
    at = _place(spec, value) * (len(colours) - 1)
    k = min(int(at), len(colours) - 2)
    ends = zip(colours[k], colours[k + 1], strict=True)
    red, green, blue = (round(a + (at - k) * (b - a)) for a, b in ends)
    ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 120 else "white"
    return f"{ink} on rgb({red},{green},{blue})"


def _ticks(words: Sequence[str], cell: int) -> str:
    """Words under some columns, as many as there is room for."""
    line = ""
    for c, word in enumerate(words):
        start = c * cell + (1 if cell > 1 else 0)
        if start >= len(line) + (1 if line else 0):
            line = f"{line:<{start}}{word}"
    return line


def _chart(spec: Spec) -> Iterator[Text | str]:
    """Lines: a table where each has few points with intervals, else a picture."""
    series = [each for each in spec["series"] if len(each["x"]) > 0]
    listed = [each for each in series if each["low"] and len(each["x"]) <= MOST_POINTS]
    yield from _points(spec, listed) if listed and listed == series else _canvas(spec, series)


def _points(spec: Spec, series: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each point with its interval in numbers and as a strip."""
    low, high = _ends(spec, series)
    room = max(16, min(40, terminal.width() - 46))
    for each in series:
        yield f"{each['name']}   {spec['y_label']} against {spec['x_label']}"
        strip = f"{low:.3g}".ljust(room - 4) + f"{high:.3g}".rjust(4)
        yield f"{'':>10} {'n':>5}  {'':<20} {strip}"
        values = zip(each["x"], each["y"], each["low"], each["high"], each["n"] or [], strict=False)
        for x, y, down, up, n in values:
            if y is None:
                yield f"{x:>10.4g} {n:>5}  not measured"
                continue
            ends = (low if down is None else down, high if up is None else up)
            words = f"{y:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]"
            yield f"{x:>10.4g} {n:>5}  {words:<20} {_strip(y, ends, (low, high), room)}".rstrip()


def _ends(spec: Spec, series: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    if spec["y_range"]:
        return max(0.0, spec["y_range"][0]), min(1.0, spec["y_range"][1])
    names = ("y", "low", "high")
    known = [v for each in series for name in names for v in each[name] or () if v is not None]
    return min([0.0, *known]), max([1.0, *known])


def _strip(value: float, ends: tuple[float, float], span: tuple[float, float], room: int) -> str:
    """An interval and its value in `room` columns that stand for `span`."""
    dash, dot = ("-", "o") if terminal.plain() else ("─", "●")

    def place(at: float) -> int:
        share = (at - span[0]) / (span[1] - span[0] or 1.0)
        return round(min(1.0, max(0.0, share)) * (room - 1))

    cells = [" "] * room
    for k in range(place(ends[0]), place(ends[1]) + 1):
        cells[k] = dash
    cells[place(value)] = dot
    return "".join(cells)


_SYMBOLS = {"circle": ("o", "●"), "x": ("x", "×")}
_HEIGHT, _LINE = "-", "·"


def _canvas(spec: Spec, series: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Points on a grid of characters; lines without marks first, marks on top."""
    points = [
        (x, y, each)
        for each in sorted(series, key=lambda each: "markers" in each["mode"])
        for x, y in zip(each["x"], each["y"], strict=True)
        if x is not None and y is not None and (y > 0 or not spec["y_log"])
    ]
    if not points:
        return
    room = max(20, min(72, terminal.width() - 14))
    across = _span([x for x, _, _ in points], spec["x_log"], spec["x_range"])
    up = _span([y for _, y, _ in points], spec["y_log"], spec["y_range"])
    rows = [[" "] * room for _ in range(CANVAS_ROWS)]
    for x, y, each in points:
        column = round(_share(x, across, spec["x_log"]) * (room - 1))
        row = round(_share(y, up, spec["y_log"]) * (CANVAS_ROWS - 1))
        rows[row][column] = _mark(each)
    yield spec["y_label"]
    for r in reversed(range(CANVAS_ROWS)):
        words = {0: f"{up[0]:.3g}", CANVAS_ROWS - 1: f"{up[1]:.3g}"}.get(r, "")
        yield f"{words:>9} |{''.join(rows[r])}".rstrip()
    yield f"{'':>9} +{'-' * room}"
    yield f"{'':>11}{across[0]:<8.3g}{f'{across[1]:.3g}':>{room - 8}}   {spec['x_label']}"
    yield f"{'':>11}{'   '.join(_legend(series))}"


def _mark(series: Mapping[str, Any]) -> str:
    if "markers" not in series["mode"]:
        return _LINE if not terminal.plain() else "."
    symbol = str(series["symbol"]).removesuffix("-open").removesuffix("-thin")
    ascii_mark, mark = _SYMBOLS.get(symbol, ("+", "+"))
    return ascii_mark if terminal.plain() else mark


def _legend(series: Sequence[Mapping[str, Any]]) -> list[str]:
    named = {each["name"]: _mark(each) for each in series if each["named"]}
    return [f"{mark} {name}" for name, mark in named.items()]


def _span(values: Sequence[float], log: bool, given: Sequence[float] | None) -> tuple[float, float]:
    usable = [v for v in values if v > 0 or not log]
    low, high = given or (min(usable), max(usable))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _share(value: float, span: tuple[float, float], log: bool) -> float:
    """Place of a value between the ends of an axis, 0 to 1."""
    low, high = span
    if log and low > 0:
        value, low, high = math.log(max(value, low)), math.log(low), math.log(high)
    return min(1.0, max(0.0, (value - low) / (high - low)))
