"""The report's section about the stages of a model: ladders and patchings of the run's clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spectcount.jobs.ladders import Made
from spectcount.report.html import (
    Html,
    bullets,
    details,
    figure,
    interval,
    number,
    paragraphs,
    table,
    tag,
)
from spectcount.report.run_figure import RunFigure
from spectcount.where.ladder import ANSWERS, Ladder
from spectcount.where.patching import Patching


def where_html(stages: Sequence[Made], figures: Iterable[tuple[int, RunFigure]]) -> Html:
    """Sentences, figures and tables; nothing where no ladder or patching was made."""
    if not stages:
        return Html("")
    words = [text for each in stages for text in _sentences(each)]
    drawn = "".join(figure(f.svg, f.heading, f.spec["note"], k) for k, f in figures)
    tables = "".join(_ladder(each) for each in stages if isinstance(each, Ladder))
    return Html(tag("h3", "Where it is lost") + bullets(words) + drawn + tables)


def _sentences(each: Made) -> list[str]:
    return [each.sentence] if isinstance(each, Patching) else each.sentences


def _ladder(ladder: Ladder) -> Html:
    """All numbers of a ladder."""
    rows = []
    for name, each in ladder.listeners.items():
        for rung in each.rungs:
            control = (number(rung.control_mean), number(rung.control_largest))
            rows.append(
                [name, rung.stage, interval(rung.d_a), interval(rung.lost), *control]
                + ([interval(rung.rank)] if ladder.counted else [])
            )
        if each.d_prime is not None:
            rows.append([name, f"{ANSWERS} (d′)", interval(each.d_prime), "–", "–", "–"])
    head = ["Listener", "Stage", "d_a", "Lost behind it", "Control, mean", "Control, largest"]
    head += ["Rank correlation"] if ladder.counted else []
    caption = "Every stage, with the control of permuted labels; intervals at 95 %"
    return Html(paragraphs([ladder.words + "."]) + details(caption, table(head, rows, caption)))
