"""The list of models as HTML: what each is, its licence, what it needs, whether it fits here.

Conventions: GB are 10^9 bytes; what fits is marked by a sign and a word, never by a colour alone;
on a small screen each cell stands behind the head of its column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from spectcount.actions.models import ModelRow
from spectcount.listeners.spec import ListenerSpec
from spectcount.ui.pieces import render

HEADS = ("Model", "Parameters", "Needs", "Fits", "On this disk", "Licence")


def models_html(rows: Sequence[ModelRow], chosen: str, device: str) -> Markup:
    """The table, what is here and fits first; a row's name is a button (HTML)."""

    def order(row: ModelRow) -> tuple[Any, ...]:
        return not row.here, not row.usable, not row.fits, not row.fits_as, row.needs_gb

    return render(
        "models.table",
        heads=HEADS,
        rows=[(row, _cells(row)) for row in sorted(rows, key=order)],
        chosen=ListenerSpec.parse(chosen).model,
        device=device,
    )


def _cells(row: ModelRow) -> list[tuple[str, str]]:
    """(head, words) of a row's cells but for its name and its licence."""
    words = (
        parameters_text(row.parameters_b),
        gb_text(row.needs_gb) if row.usable else "–",
        fits_text(row),
        "✔ yes" if row.here else f"no, {gb_text(row.disk_gb)} to get",
    )
    return list(zip(HEADS[1:-1], words, strict=True))


def fits_text(row: ModelRow) -> str:
    """Whether it fits what is free now, as such or with an option."""
    if not row.usable:
        return "✖ cannot be used"
    if row.fits:
        return "✔ yes"
    return f"◐ as +{row.fits_as}" if row.fits_as else "✖ no"


def facts_html(facts: Mapping[str, Any], forecast: Mapping[str, Any] | None) -> Markup:
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
    return render("runs.definitions", facts={name: v for name, v in rows.items() if v})


def _memory(forecast: Mapping[str, Any]) -> str:
    """The forecast by part, and what would fit in its place."""
    parts = {
        **forecast["weights_gb"],
        "activations": forecast["activations_gb"],
        "reserve": forecast["reserve_gb"],
    }
    named = ", ".join(f"{name} {gb_text(gb)}" for name, gb in parts.items() if gb >= 0.01)
    said = (
        f"{gb_text(forecast['total_gb'])} in {forecast['workload']['dtype']}"
        + (f" ({named})" if named else "")
        + f"; {gb_text(forecast['free_gb'])} are free on {forecast['device']}"
    )
    fitting = [
        f"{one['change']} {gb_text(one['total_gb'])}" for one in forecast["instead"] if one["fits"]
    ]
    return said + ("" if forecast["fits"] or not fitting else f"; what fits: {fitting[0]}")


def memory_html(rows: Sequence[Mapping[str, Any]], device: str, free_gb: float) -> Markup:
    """The models in this app's memory, and what is free (HTML)."""
    inside = ", ".join(
        f"{row['name']} ({gb_text(row['gb'])}, {row['dtype']}, {row['path']} path)" for row in rows
    )
    words = f"In memory: {inside or 'no model'}. Free on {device}: {gb_text(free_gb)}."
    return Markup('<p class="about">{}</p>').format(words)


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
