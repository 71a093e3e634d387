"""A comparison's words as HTML: the verdict first, d' and c apart, cells, what was held out.

Conventions: a kind of verdict has a mark and a word, never a colour alone; every number stands with
its interval, its level and its trials; pure functions of configuration, lineage and result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from spectcount.configs import CompareConfig
from spectcount.probing import analysis
from spectcount.probing.analysis import Result
from spectcount.probing.difference import Difference
from spectcount.probing.heldout import Part
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
from spectcount.probing.words import place_of
from spectcount.ui.pieces import joined, notice, render

MARKS = {
    IMPROVED: "▲",
    WORSE: "▼",
    CHANGED: "◆",
    NOT_SHOWN: "○",
    EQUIVALENT: "≈",
    NOT_MEASURABLE: "?",
}
MAX_LISTED = 12
NO_PAIRS = "What may be said appears here once both have answered the same questions."


def headline_html(config: CompareConfig, result: Result) -> Markup:
    """The verdicts of a comparison, the first one large (HTML)."""
    verdicts = analysis.verdicts(result, config.margin)
    if not verdicts:
        return notice(NO_PAIRS)
    base, tuned = config.listeners[:2]
    words = verdicts_html(verdicts)
    return render("verdicts.comparison", base=base, tuned=tuned, verdicts=words)


def parts_html(config: CompareConfig, lineage: Mapping[str, Any], result: Result) -> Markup:
    """The verdicts on cells and on what was held out (HTML); nothing before both answered."""
    if not analysis.verdicts(result, config.margin):
        return Markup()
    cells = [
        part.difference
        for part in result.parts
        if part.difference is not None and not part.plan.matrix
    ]
    parts = result.held_out if "trained" in lineage else None
    return render(
        "verdicts.parts",
        cells=joined(map(cells_html, cells)),
        parts=None if parts is None else list(map(_part, parts)),
        seen=seen_html(lineage),
    )


def verdicts_html(verdicts: Sequence[Verdict]) -> Markup:
    """The first verdict large, the others in a list (HTML)."""
    first, *others = verdicts
    return render(
        "verdicts.headline",
        kind=first.kind,
        first=verdict_html(first),
        others=list(map(verdict_html, others)),
    )


def verdict_html(verdict: Verdict) -> Markup:
    """A verdict's sentence behind its mark (HTML)."""
    return sentence_html(verdict.kind, verdict.sentence)


def sentence_html(kind: str, sentence: str) -> Markup:
    """A sentence behind the mark of its kind, the kind in bold where it begins with it (HTML)."""
    return render("verdicts.sentence", mark=MARKS.get(kind, ""), kind=kind, text=sentence)


def cells_html(changed: Difference) -> Markup:
    """Count cells that changed for sure, and list those that are worse, the worst first (HTML)."""
    v = changed.verdict
    sentence = sentence_html(v.kind, v.sentence)
    return render("verdicts.cells", noun=v.noun, sentence=sentence, worse=worse_html(changed))


def worse_html(changed: Difference) -> Markup:
    """The cells that are worse for sure (HTML); nothing where there is none."""
    measure = changed.rate if changed.d_prime is None else changed.d_prime
    name = "accuracy" if changed.d_prime is None else "d'"
    cells = [(int(j), int(i)) for j, i in zip(*changed.worse.nonzero(), strict=True)]
    if not cells:
        return Markup()
    cells.sort(key=lambda at: measure.at(at).value)
    words = [
        f"{place_of(changed.plan.axes, (i, j))}: {name} {signed(measure.at((j, i)))}, "
        f"{changed.lost[j, i]} of {changed.n[j, i]} trials lost, {changed.gained[j, i]} gained"
        for j, i in cells[:MAX_LISTED]
    ]
    return render("verdicts.worse", cells=words, left=len(cells) - MAX_LISTED)


def seen_html(lineage: Mapping[str, Any]) -> Markup:
    """Say what the questions share with how the tuned listener was made (HTML)."""
    return joined(map(notice, lineage.get("seen", [])))


def _part(part: Part) -> tuple[str, str]:
    verdict = part.change.verdict
    return ("", part.sentence) if verdict is None else (part.title, verdict_html(verdict))
