"""The report of a fine-tune: what it was trained on, with what, and what it reached."""

from __future__ import annotations

from spectcount.configs import TuneConfig
from spectcount.params import Declared
from spectcount.report.evidence import Evidence
from spectcount.report.html import (
    Html,
    bullets,
    declared,
    details,
    number,
    paragraphs,
    percent,
    table,
    tag,
)


def training_html(evidence: Evidence) -> Html:
    """The section on the training."""
    from spectcount.training import OPTIONS

    config = TuneConfig.from_json(evidence.run.config)
    parts = []
    options: dict[str, type[Declared]] = OPTIONS
    for name, kind in options.items():
        values = kind.from_dict(getattr(config, name))
        parts.append(details(kind.title or name.capitalize(), declared(values)))
    words = (
        f"Low-rank adaptation of {config.base} by cross-entropy on the answer. Every "
        "clip is synthesised on the fly from the seed; its answer is known by construction. No "
        "recorded audio and no annotation is used (method: Kim et al., 2026, arXiv 2606.06907)."
    )
    return Html(paragraphs([words]) + _regions_html(evidence) + "".join(parts))


def learning_html(evidence: Evidence) -> Html:
    """Results of a fine-tune on held-out draws."""
    summary = evidence.run.summary or {}
    before, after = (summary.get(f"held_out_{when}", {}) for when in ("before", "after"))
    words = {"weak": "in the weak regions", "strong": "outside them"}
    rows = [
        [words[k], percent(before.get(k)), percent(after.get(k))]
        for k in words
        if k in before or k in after
    ]
    n = TuneConfig.from_json(evidence.run.config).train.get("held_out", "?")
    done = f"{summary.get('steps', '–')} of {summary.get('of_steps', '–')} optimiser steps."
    loss = summary.get("final_loss")
    reached = paragraphs([f"{done} Final loss: {number(loss, 4)} nats per answer token."])
    if not rows:
        return reached
    head = ["Counting accuracy", "Before", "After"]
    return Html(
        reached + table(head, rows, f"Held-out draws, n = {n} each; no interval is claimed")
    )


def _regions_html(evidence: Evidence) -> Html:
    """The weak regions that a fine-tune was given."""
    regions = TuneConfig.from_json(evidence.run.config).regions
    items = [str(r.get("sentence") or r.get("ranges")) for r in regions]
    title = tag("h3", "Weak regions trained on")
    return Html(title + (bullets(items) if items else tag("p", "None: the counting mix alone.")))
