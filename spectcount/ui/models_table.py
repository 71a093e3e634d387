"""The list of models as HTML: what each is, its licence, what it needs, whether it fits here.

Conventions: GB are 10^9 bytes; what fits is marked by a sign and a word, never by a colour alone;
on a small screen each cell stands behind the head of its column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from spectcount.actions.models import ModelRow

HEADS = ("Model", "Parameters", "Needs", "Fits", "On this disk", "Licence")


def models_html(rows: Sequence[ModelRow], chosen: str, device: str) -> str:
    """The table, what is here and fits first; a row's name is a button (HTML)."""
    ordered = sorted(rows, key=lambda r: (not r.here, not r.usable, not r.fits, not r.fits_as,
                                          r.needs_gb))  # fmt: skip
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    body = "".join(_row(row, row.name == chosen.partition("+")[0]) for row in ordered)
    return (
        f'<table class="models" aria-label="Models"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
        f'<p class="about">Needs: memory to score a clip of 30 s on {escape(device)}.</p>'
    )


def _row(row: ModelRow, chosen: bool) -> str:
    cells = (
        parameters_text(row.parameters_b),
        gb_text(row.needs_gb) if row.usable else "–",
        fits_html(row),
        "✔ yes" if row.here else f"no, {gb_text(row.disk_gb)} to get",
        licence_html(row),
    )
    rest = "".join(
        f'<td data-name="{head}">{cell}</td>' for head, cell in zip(HEADS[1:], cells, strict=True)
    )
    return (
        f'<tr><td><button type="button" class="model-name" data-run="{escape(row.name)}" '
        f'aria-pressed="{str(chosen).lower()}">{escape(row.full_name)}</button>'
        f"<small>{escape(row.name)}</small></td>{rest}</tr>"
    )


def fits_html(row: ModelRow) -> str:
    """Whether it fits what is free now, as such or with an option (HTML)."""
    if not row.usable:
        return "<span>✖ cannot be used</span>"
    if row.fits:
        return "<span>✔ yes</span>"
    if row.fits_as:
        return f"<span>◐ as +{escape(row.fits_as)}</span>"
    return "<span>✖ no</span>"


def licence_html(row: ModelRow) -> str:
    """The licence, linked to the model's page, and whether it has to be accepted (HTML)."""
    words = escape(row.licence) or "–"
    if row.link:
        words = f'<a href="{escape(row.link)}" target="_blank" rel="noreferrer">{words}</a>'
    return words + ("" if row.licence_open else "<small>to be accepted on the hub first</small>")


def facts_html(facts: Mapping[str, Any], forecast: Mapping[str, Any] | None) -> str:
    """What is known of the chosen model (HTML)."""
    rows = {
        "About": facts["about"],
        "Family": facts["family"] + ("" if facts["usable"] else ", which is not here yet"),
        "Licence": facts["licence"],
        "Commit": facts.get("revision") or facts.get("unpinned") or "",
        "Needs besides": facts.get("requires") or "",
        "Lies in": facts.get("folder") or "",
        "Get by hand": "" if facts["here"] else facts.get("download") or "",
        "Memory": _memory(forecast) if forecast else "",
        "Source": facts.get("source") or "",
    }
    shown = "".join(
        f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in rows.items() if value
    )
    return f'<dl class="run-facts">{shown}</dl>'


def _memory(forecast: Mapping[str, Any]) -> str:
    """The forecast by part, and what would fit in its place."""
    parts = {**forecast["weights_gb"], "activations": forecast["activations_gb"],
             "reserve": forecast["reserve_gb"]}  # fmt: skip
    named = ", ".join(f"{name} {gb_text(gb)}" for name, gb in parts.items() if gb >= 0.01)
    said = (
        f"{gb_text(forecast['total_gb'])} in {forecast['workload']['dtype']}"
        + (f" ({named})" if named else "")
        + f"; {gb_text(forecast['free_gb'])} are free on {forecast['device']}"
    )
    fitting = [f"{one['change']} {gb_text(one['total_gb'])}" for one in forecast["instead"]
               if one["fits"]]  # fmt: skip
    return said + ("" if forecast["fits"] or not fitting else f"; what fits: {fitting[0]}")


def memory_html(rows: Sequence[Mapping[str, Any]], device: str, free_gb: float) -> str:
    """The models in this app's memory, and what is free (HTML)."""
    inside = ", ".join(
        f"{row['name']} ({gb_text(row['gb'])}, {row['dtype']}, {row['path']} path)" for row in rows
    )
    return (
        f'<p class="about">In memory: {escape(inside or "no model")}. Free on {escape(device)}: '
        f"{gb_text(free_gb)}.</p>"
    )


def gb_text(gb: float) -> str:
    """A size: 5 MB, 4.7 GB, 33 GB."""
    if gb < 0.1:
        return f"{1000 * gb:.0f} MB" if gb >= 0.001 else "little"
    return f"{gb:.1f} GB" if gb < 10 else f"{gb:.0f} GB"


def parameters_text(billions: float) -> str:
    """A number of parameters: 1.2 M, 8.3 B."""
    if not billions:
        return "–"
    return f"{1000 * billions:.1f} M" if billions < 0.1 else f"{billions:.1f} B"
