"""A terminal's lines, tables, bars and progress.

*Conventions*: results go to stdout, progress to stderr. On a terminal lines are folded at its
width and coloured (not where NO_COLOR is set); piped, they are as long as they are, in ASCII marks
and without colour, so that `grep` and `less -S` find whole sentences. rich is imported where
something is drawn.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.style import StyleType

UNFOLDED = 10_000
"""Columns of what is no terminal: no line is as long."""
SAY_EVERY_S = 10.0
"""Time between two lines of progress where they are piped."""
BARS = " ▁▂▃▄▅▆▇█"
Step = Callable[[int, int, str], None]
"""Hears how far long work is: (done, total, words)."""


def console(error: bool = False) -> Console:
    """The terminal that stdout (or stderr) is now."""
    from rich.console import Console

    file = sys.stderr if error else sys.stdout
    columns = None if file.isatty() else UNFOLDED
    return Console(file=file, width=columns, highlight=False, markup=False, emoji=False)


def plain() -> bool:
    """True where marks are ASCII: a pipe, no colours, or letters that the encoding lacks."""
    encoding = (getattr(sys.stdout, "encoding", "") or "").lower()
    return not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or "utf" not in encoding


def width() -> int:
    """Columns that a picture may take."""
    return min(console().width, 120) if sys.stdout.isatty() else 100


def say(*parts: RenderableType | tuple[str, StyleType]) -> None:
    """One line on stdout, of texts and (text, style) pairs."""
    from rich.text import Text

    line = Text()
    for part in parts:
        line = line.append(*part) if isinstance(part, tuple) else line.append(part)  # type: ignore[arg-type]
    console().print(line, soft_wrap=not sys.stdout.isatty())


def entry(head: str, words: str, style: StyleType = "bold", indent: int = 11) -> None:
    """A line with a head; on a terminal what is folded stands under the words, not the head."""
    from rich.table import Table
    from rich.text import Text

    if not sys.stdout.isatty():
        say(f"{head:<{indent}}", words)
        return
    grid = Table.grid(padding=0)
    grid.add_column(width=max(indent, len(head)), no_wrap=True)
    grid.add_column()
    grid.add_row(Text(head, style), Text(words, "dim" if style == "dim" else ""))
    console().print(grid)


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    right: Sequence[int] = (),
    fold: Sequence[int] = (-1,),
) -> None:
    """A table on stdout. `right`: columns of numbers; `fold`: columns that are folded where the
    terminal is narrow, the others keep their words whole as long as that is possible."""
    from rich.table import Table

    drawn = Table(
        box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold"
    )
    folded = {k % len(head) for k in fold}
    widest = [max(len(str(row[k])) for row in (head, *rows)) + 2 for k in range(len(head))]
    least = sum(10 if k in folded else wide for k, wide in enumerate(widest))
    for k, words in enumerate(head):
        drawn.add_column(
            words,
            justify="right" if k in right else "left",
            overflow="fold",
            no_wrap=k not in folded and (k == 0 or least <= console().width + 2),
        )
    for row in rows:
        drawn.add_row(*(cell if hasattr(cell, "plain") else str(cell) for cell in row))
    console().print(drawn)


def bars(shares: Sequence[float]) -> str:
    """A column for each of some shares (0 to 1), in ASCII a digit: tenths, `#` for all of it."""
    if plain():
        return "".join("#" if s >= 0.95 else "." if s < 0.05 else f"{10 * s:.0f}" for s in shares)
    return "".join(
        BARS[min(8, round(8 * share)) if share < 0.005 else max(1, round(8 * share))]
        for share in shares
    )


def percent(share: float) -> str:
    """A share in percent, with decimals where they tell something."""
    return f"{100 * share:.0f} %" if share in (0.0, 1.0) else f"{100 * share:.1f} %"


def program() -> str:
    """The words that this program was started by."""
    return "spectcount" if Path(sys.argv[0]).name == "spectcount" else "python -m spectcount"


def command(*words: object) -> str:
    """A command to type next."""
    return f"{program()} {shlex.join(map(str, words))}"


def say_next(*words: object, why: str = "") -> None:
    """Name the command that comes next in the work."""
    say(("next: ", "bold"), (command(*words), "cyan"), f"   ({why})" if why else "")


def duration(seconds: float) -> str:
    """A duration in words: "8 s", "3 min 20 s", "2 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def ago(seconds: float | None) -> str:
    """A moment, as the time of day where it was today, else as a date."""
    if seconds is None or not 0 <= seconds < 32_503_680_000:  # the year 3000
        return "-"
    then, now = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d %H:%M", then)


@contextmanager
def progress() -> Iterator[Step]:
    """Progress of long work on stderr: a bar with rate and time left on a terminal; elsewhere a
    line now and then."""
    with _bar() if sys.stderr.isatty() else _lines() as step:
        yield step


@contextmanager
def _bar() -> Iterator[Step]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.description}"),
    )
    pace = Pace()
    with Progress(*columns, console=console(error=True), transient=True) as drawn:
        work = drawn.add_task("", total=1)

        def step(done: int, total: int, words: str) -> None:
            described = "  ".join(filter(None, [words, pace.words(done, total)]))
            drawn.update(work, completed=done, total=max(total, 1), description=described)

        yield step


@contextmanager
def _lines() -> Iterator[Step]:
    pace = Pace()
    last_s = time.monotonic()

    def step(done: int, total: int, words: str) -> None:
        nonlocal last_s
        rate = pace.words(done, total)
        if time.monotonic() - last_s < SAY_EVERY_S:
            return
        last_s = time.monotonic()
        where = f"{done} of {total}" if total > 1 else ""
        typer.echo(", ".join(filter(None, [words, where, rate])), err=True)

    yield step


class Pace:
    """Rate of work and time left, from the first step that was seen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None

    def words(self, done: int, total: int) -> str:
        """ "85/s, 8 s left"; "" before anything is known."""
        now = self._clock()
        if self._first is None or done < self._first[1]:
            self._first = (now, done)
        began, before = self._first
        if done <= before or now <= began:
            return ""
        rate = (done - before) / (now - began)
        pace = f"{rate:.3g}/s" if rate >= 1 else f"{1 / rate:.3g} s each"
        return f"{pace}, {duration((total - done) / rate)} left"
