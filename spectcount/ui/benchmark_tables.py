"""Tables of a benchmark's result as HTML: categories, places of the options; their parts.

Conventions: rates in percent with interval and counts; on a small screen each cell stands behind
the head of its column. Cells are HTML, everything else is text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from spectcount.benchmarks import catalogue
from spectcount.ui.verdicts import sentence_html


def strata_of(summary: Mapping[str, Any]) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
    """(kind, rows) in the order of the benchmark: a stored summary has lost it."""
    kinds = catalogue.get(summary["benchmark"]["name"]).strata
    return [(kind, summary["strata"][kind]) for kind in kinds if summary["strata"].get(kind)]


def strata_html(kind: str, rows: Sequence[Mapping[str, Any]], shown: bool) -> str:
    """One table of categories, closed unless `shown` (HTML)."""
    names = list(rows[0]["listeners"]) if rows else []
    titles = dict(zip(names, ("Base", "Tuned"), strict=False)) if len(names) > 1 else {}
    heads = [kind.capitalize(), "Items", *(f"{titles.get(n, '')} strict".strip().capitalize()
             for n in names), *(f"{titles.get(n, '')} official".strip().capitalize()
             for n in names), *(["Change of the strict score"] if titles else [])]  # fmt: skip
    body = [
        line(heads, [
            escape(row["name"]), str(row["n"]),
            *(rated(row["listeners"][n]["strict"]) for n in names),
            *(rated(row["listeners"][n]["official"]) for n in names),
            *([_change(row)] if titles else []),
        ])
        for row in rows
    ]  # fmt: skip
    return details(f"By {kind} ({len(rows)})", table(heads, body) + _level(rows), shown)


def _change(row: Mapping[str, Any]) -> str:
    change, verdict = row["change"], row["verdict"]
    if not verdict or change["value"] is None:
        return "–"
    value, low, high = (f"{100 * change[key]:+.1f}" for key in ("value", "low", "high"))
    said = sentence_html(verdict["kind"], verdict["kind"])
    return f"{said}<small>{value} [{low}, {high}] points</small><small>n {verdict['n']}</small>"


def _level(rows: Sequence[Mapping[str, Any]]) -> str:
    levels = [row["change"]["level"] for row in rows if row["change"]]
    if not levels:
        return ""
    return (
        f'<p class="about">Changes at {100 * levels[0]:.4g} %, so that of those that exclude zero '
        "at most a twentieth is expected to be wrong.</p>"
    )


def places_html(summary: Mapping[str, Any]) -> str:
    """Where the answers lie, what was chosen by place, and what other orders change (HTML)."""
    counts = {name: one["positions"] for name, one in summary["listeners"].items()}
    if summary["floors"]:
        counts = {"The answers": summary["floors"]["answer_positions"], **counts}
    n = max((len(one) for one in counts.values()), default=0)
    heads = ["By place shown", *map(str, range(1, n + 1))]
    rows = [
        line(heads, [escape(name), *(str(one[k]) if k < len(one) else "0" for k in range(n))])
        for name, one in counts.items()
    ]
    turned = "".join(
        f"<li>{escape(_rotation(name, one['rotation']))}</li>"
        for name, one in summary["listeners"].items()
        if one["rotation"]
    )
    more = f'<ul class="regions">{turned}</ul>' if turned else ""
    return details("Places and orders of the options", table(heads, rows, "places") + more)


def _rotation(name: str, found: Mapping[str, Any]) -> str:
    said = f"{name}: the same option in every order {percent(found['consistent'])}, n {found['n']}"
    if found["mean_over_orders"] is None:
        return said
    every = found["right_in_every_order"]
    return (
        f"{said}; right in every order {percent(every)}, mean over orders "
        f"{share(found['mean_over_orders'])}"
    )


def table(heads: Sequence[str], rows: Iterable[str], kind: str = "") -> str:
    """A table of scores that scrolls within itself (HTML)."""
    cells = "".join(f"<th>{escape(head)}</th>" for head in heads)
    return (
        f'<div class="wide"><table class="answers scores {kind}"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def line(heads: Sequence[str], cells: Sequence[str], kind: str = "") -> str:
    """A row of a table; `kind` is its class (HTML)."""
    first, *rest = cells
    others = "".join(
        f'<td data-name="{escape(head)}">{cell}</td>'
        for head, cell in zip(heads[1:], rest, strict=True)
    )
    return f'<tr class="{kind}"><td>{first}</td>{others}</tr>'


def details(title: str, inside: str, shown: bool = False) -> str:
    """Something folded under a title (HTML)."""
    return (
        f"<details{' open' if shown else ''}><summary>{escape(title)}</summary>{inside}</details>"
    )


def rated(interval: Mapping[str, Any] | None, counts: str = "") -> str:
    """A rate over its interval and counts (HTML)."""
    if interval is None or interval["value"] is None:
        return "–"
    low, high = (f"{100 * interval[key]:.1f}" for key in ("low", "high"))
    under = f"<small>{escape(counts)}</small>" if counts else ""
    return f"{share(interval['value'])}<small>[{low}, {high}]</small>{under}"


def percent(interval: Mapping[str, Any] | None) -> str:
    """A rate and its interval in a line of text."""
    if interval is None or interval["value"] is None:
        return "–"
    low, high = (f"{100 * interval[key]:.1f}" for key in ("low", "high"))
    return f"{share(interval['value'])} [{low}, {high}]"


def share(value: float | None) -> str:
    """A share of 1 in percent; a dash where unknown."""
    return "–" if value is None else f"{100 * value:.1f} %"
