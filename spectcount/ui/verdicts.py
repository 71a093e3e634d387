"""What a comparison says, as HTML: the verdict first, d' and c apart, cells, what was held out.

Conventions: a kind of verdict has a mark and a word, never a colour alone; every number stands with
its interval, its level and its trials; pure functions of configuration, lineage and trials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from spectcount.probing import comparison
from spectcount.probing.difference import Difference, change_over, difference, under
from spectcount.probing.heldout import Part
from spectcount.probing.plan import CountConfusion
from spectcount.probing.verdict import (
    CHANGED,
    EQUIVALENT,
    IMPROVED,
    NOT_MEASURABLE,
    NOT_SHOWN,
    WORSE,
    Verdict,
    signed,
)
from spectcount.trials import Trial

MARKS = {
    IMPROVED: "▲", WORSE: "▼", CHANGED: "◆", NOT_SHOWN: "○", EQUIVALENT: "≈", NOT_MEASURABLE: "?",
}  # fmt: skip
MAX_LISTED = 12
NO_PAIRS = "What may be said appears here once both have answered the same questions."
NOT_HELD_OUT = (
    "What the tuned listener was trained on is not known (it is no adapter with a lineage), so "
    "nothing here can be called held out."
)


def comparison_html(
    config: Mapping[str, Any], lineage: Mapping[str, Any], trials: Mapping[str, Sequence[Trial]]
) -> str:
    """Everything that the trials of a comparison say in words, the verdict first (HTML)."""
    found = comparison.verdicts(config, trials)
    if not found:
        return note_html(NO_PAIRS)
    cells = [
        under(change_over(plan, base, tuned), difference(plan, base, tuned))
        for plan, base, tuned in comparison.compared_plans(config, trials)
        if not plan.adaptive and not isinstance(plan, CountConfusion)
    ]
    base, tuned = config["listeners"][:2]
    head = f'<p class="about">From <b>{escape(base)}</b> to <b>{escape(tuned)}</b></p>'
    parts = comparison.parts_of(config, lineage, trials)
    return (
        f'<div class="findings verdicts">{head}{verdicts_html(found)}'
        f"{''.join(map(cells_html, cells))}{held_out_html(parts, lineage)}</div>"
    )


def verdicts_html(found: Sequence[Verdict]) -> str:
    """The first verdict large, the others in a list (HTML)."""
    first, *others = found
    items = "".join(f"<li>{verdict_html(one)}</li>" for one in others)
    return (
        f'<p class="said said-{_class(first.kind)}" role="status">{verdict_html(first)}</p>'
        + (f'<ul class="said-also">{items}</ul>' if items else "")
    )  # fmt: skip


def verdict_html(found: Verdict) -> str:
    """A verdict's sentence behind its mark (HTML)."""
    return sentence_html(found.kind, found.sentence)


def sentence_html(kind: str, sentence: str) -> str:
    """A sentence behind the mark of its kind, the kind in bold where it begins with it (HTML)."""
    text = escape(sentence)
    if sentence.startswith(kind):
        text = f"<b>{escape(kind)}</b>{escape(sentence[len(kind) :])}"
    return f'<span class="mark" aria-hidden="true">{MARKS.get(kind, "")}</span> {text}'


def cells_html(changed: Difference) -> str:
    """How many cells changed for sure, and those that are worse, the worst first (HTML)."""
    found = changed.verdict
    head = f"<h3>{found.noun.capitalize()} by {found.noun}</h3>"
    said = f"<p>{sentence_html(found.kind, found.sentence)}.</p>"
    return head + said + worse_html(changed)


def worse_html(changed: Difference) -> str:
    """The cells that are worse for sure (HTML); nothing where there is none."""
    measure = changed.rate if changed.d_prime is None else changed.d_prime
    name = "accuracy" if changed.d_prime is None else "d'"
    cells = [(int(j), int(i)) for j, i in zip(*changed.worse.nonzero(), strict=True)]
    if not cells:
        return ""
    cells.sort(key=lambda at: measure.at(at).value)
    items = "".join(
        f"<li>{escape(changed.plan.cell_text((i, j)))}: {name} {signed(measure.at((j, i)))}, "
        f"{changed.lost[j, i]} of {changed.n[j, i]} trials lost, {changed.gained[j, i]} gained</li>"
        for j, i in cells[:MAX_LISTED]
    )
    left = len(cells) - MAX_LISTED
    more = f"<p>and {left} more</p>" if left > 0 else ""
    return f'<p>Worse for sure:</p><ul class="regions">{items}</ul>{more}'


def held_out_html(parts: Iterable[Part], lineage: Mapping[str, Any]) -> str:
    """The trained and the never trained part with their verdicts, and what was seen before
    (HTML)."""
    if "trained" not in lineage:
        return f"<h3>Held out</h3>{note_html(NOT_HELD_OUT)}"
    said = "".join(f"<li>{_part_html(part)}</li>" for part in parts)
    seen = seen_html(lineage)
    fresh = "" if seen else "<p>The seed of these questions is none that the adapter saw.</p>"
    return f'<h3>Held out</h3><ul class="said-also">{said}</ul>{fresh}{seen}'


def seen_html(lineage: Mapping[str, Any]) -> str:
    """What the questions share with how the tuned listener was made (HTML)."""
    return "".join(map(note_html, lineage.get("seen", [])))


def note_html(text: str) -> str:
    """A sentence that is no result (HTML)."""
    return f'<p class="notice notice-hint" role="status">{escape(text)}</p>'


def _part_html(part: Part) -> str:
    found = part.change.verdict
    if found is None:
        return escape(part.sentence)
    return f"<b>{escape(part.title)}</b>: {verdict_html(found)}"


def _class(kind: str) -> str:
    return kind.replace(" ", "-")
