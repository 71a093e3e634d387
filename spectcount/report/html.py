"""Pieces of the report's HTML; every text is escaped here, and nowhere else.

Conventions: functions take plain text and return HTML (`Html`), which alone is put in as it is;
what is a plain `str` is a text and is escaped, whoever wrote it.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from spectcount.params import Declared
from spectcount.psychophysics.sdt import Interval, interval_text


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def esc(value: Any) -> Html:
    """A value as HTML: escaped, unless it is HTML already."""
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def tag(name: str, *inside: Any, **attributes: Any) -> Html:
    """`<name attributes>inside</name>`; attributes with a trailing underscore lose it, and their
    inner ones become hyphens; None and False leave an attribute out."""
    known = {k.rstrip("_").replace("_", "-"): v for k, v in attributes.items()}
    parts = [f' {k}="{esc(v)}"' for k, v in known.items() if v is not None and v is not False]
    return Html(f"<{name}{''.join(parts)}>{''.join(map(esc, inside))}</{name}>")


def prose(text: str) -> Html:
    """A text of this program's own, in which `so` marks code."""
    return Html(re.sub(r"`([^`]+)`", r"<code>\1</code>", esc(text)))


def paragraphs(texts: Iterable[Any]) -> Html:
    """One paragraph per text; empty texts are left out."""
    return Html("".join(tag("p", text) for text in texts if text))


def bullets(items: Iterable[Any]) -> Html:
    """A list."""
    return tag("ul", *(tag("li", item) for item in items))


def numbered(items: Iterable[Any]) -> Html:
    """A numbered list."""
    return tag("ol", *(tag("li", item) for item in items))


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], caption: str = "") -> Html:
    """A table in a box of its own that scrolls where the page is narrow. Cells that hold numbers
    are aligned as such."""
    top = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in head)))
    body = tag("tbody", *(tag("tr", *(_cell(cell) for cell in row)) for row in rows))
    name = tag("caption", caption) if caption else ""
    inner = tag("table", Html(name), top, body)
    return tag(
        "div", inner, class_="wide", tabindex="0", role="region", aria_label=caption or "table"
    )


def section(anchor: str, title: str, *body: Any) -> Html:
    """A section with its heading."""
    return tag("section", tag("h2", title), *body, id=anchor)


def details(title: str, *body: Any) -> Html:
    """A fold that only some readers open."""
    return tag("details", tag("summary", title), *body)


def code_block(text: str, anchor: str = "") -> Html:
    """Text as it is, in a box."""
    return tag("pre", tag("code", text), id=anchor or None, tabindex="0")


def figure(svg: str, heading: str, caption: str, number: int) -> Html:
    """An SVG document inside the page; its ids are made different from those of other figures."""
    drawing = re.sub(r"^.*?(?=<svg)", "", svg, flags=re.DOTALL)
    prefix = f"f{number}-"
    drawing = re.sub(r'\bid="', f'id="{prefix}', drawing)
    drawing = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", drawing)
    box = tag("div", Html(drawing), class_="drawing", role="img", aria_label=heading)
    ending = f" {caption}." if caption else ""
    words = tag("figcaption", tag("b", f"Figure {number}. {heading}."), ending)
    return tag("figure", box, words)


def interval(estimate: Interval | None, digits: int = 2) -> str:
    """ "1.20 [0.80, 1.60]", or what an open end leaves; a dash where there is nothing."""
    return "–" if estimate is None else interval_text(estimate, lambda x: number(x, digits))


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many digits; "∞" and "–" where it is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}f}".replace("-", "−")


def percent(value: float | None) -> str:
    """A share as a percentage."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def plain(value: Any) -> str:
    """A parameter's value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return " to ".join(plain(v) for v in value)
    return "–" if value is None else str(value)


def declared(item: Declared) -> Html:
    """Every parameter of a declared object with its value and help."""
    rows = [[p.title, plain(getattr(item, n)), p.help] for n, p in type(item).params().items()]
    return table(["Parameter", "Value", "Help"], rows)


def _cell(value: Any) -> Html:
    numeric = not isinstance(value, Html) and bool(re.match(r"^[+−-]?[\d∞–]", str(value)))
    return tag("td", value, class_="num" if numeric else None)
