"""Answers to one question, as a few lines: who, what, right or wrong, how probable.

*Conventions*: one column of the bars for each answer of the closed set, in its order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spectcount.cli import terminal

if TYPE_CHECKING:
    from spectcount.actions import AskResult

MOST_BARS = 24
"""Answers that are drawn as bars; a larger set has its likeliest in words only."""
LEAST_SHARE = 0.005
"""Probability below which an answer is not listed."""


def show_answers(results: Sequence[AskResult], clip: str) -> None:
    """The question with its truth and the hash of its clip, a line for each listener, cautions."""
    first = results[0].trial
    truth = "truth unknown" if first.truth is None else f"truth {first.truth}"
    terminal.say((f'"{first.prompt}"', "bold"), f"   {truth}   clip {clip[:8]}")
    drawn = len(first.answers) <= MOST_BARS
    head = ["listener", "answer", "", *(["bars"] if drawn else []), "probability", "says"]
    rows = [_row(result, drawn) for result in results]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    terminal.table(head, rows, fold=(len(head) - 1, len(head) - 2))
    if drawn:
        terminal.say((f"bars: {', '.join(first.answers)}", "dim"))
    for result in results:
        if result.caution:
            terminal.say(("caution: ", "yellow"), result.caution)


def _row(result: AskResult, drawn: bool) -> list[Any]:
    from rich.text import Text

    right = result.trial.correct
    word = "-" if right is None else "right" if right else "wrong"
    style = "" if right is None else "green" if right else "red"
    shares = [math.exp(p) for p in result.log_probs]
    ranked = sorted(zip(shares, result.answers, strict=True), reverse=True)[:3]
    listed = "  ".join(
        f"{answer}: {terminal.percent(share)}" for share, answer in ranked if share >= LEAST_SHARE
    )
    return [
        result.trial.listener,
        Text(result.answer, style="bold"),
        Text(word, style=style),
        *([Text(terminal.bars(shares), style="cyan")] if drawn else []),
        listed,
        "" if result.reply is None else _reply(result),
    ]


def _reply(result: AskResult) -> str:
    """The answer in the listener's words, cut; that it names no answer of the set."""
    words = " ".join((result.reply or "").split())
    shortened = f"{words[:60]}..." if len(words) > 60 else words
    return f'"{shortened}"' + (" (no answer of the set)" if result.unparsed else "")
