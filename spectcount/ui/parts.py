"""The part of a run that is looked at: which of its plans, and which track of a procedure.

Conventions: the choice is a text, "part" or "part.track", both from 0; every run has part 0. What
is not chosen, or does not exist in this run, is the first part as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spectcount.probing.base import Plan
from spectcount.probing.plan import AnyPlan, trials_of_part
from spectcount.trials import Trial


@dataclass(frozen=True)
class Part:
    """One plan that is asked: its number among interleaved plans (None: it is the only one), and
    the track that is looked at (None: all of them)."""

    plan: Plan
    number: int | None = None
    track: int | None = None

    def mine(self, trials: Sequence[Trial]) -> list[Trial]:
        """The trials that belong to it."""
        return list(trials) if self.number is None else trials_of_part(trials, self.number)

    @property
    def choice(self) -> str:
        """The text that chooses it."""
        head = str(self.number or 0)
        return head if self.track is None else f"{head}.{self.track}"


def plans_of(plan: AnyPlan) -> list[Part]:
    """Every plan of a run as a whole."""
    return [Part(each, i if plan.interleaved else None) for i, each in enumerate(plan.parts)]


def choices(plan: AnyPlan) -> list[tuple[str, str]]:
    """(words, choice) of all that can be looked at."""
    return [
        (words or "All tracks", choice)
        for part in plans_of(plan)
        for words, choice in _choices(part)
    ]


def chosen(plan: AnyPlan, choice: Any) -> Part:
    """The part that a choice means; see the module."""
    known = plans_of(plan)
    head, _, track = str(choice or "0").partition(".")
    part = known[int(head)] if head.isdigit() and int(head) < len(known) else known[0]
    procedure = part.plan.procedure
    if procedure is None or not track.isdigit():
        return part
    index = int(track)
    return Part(part.plan, part.number, index if index < len(procedure.tracks) else None)


def _choices(part: Part) -> list[tuple[str, str]]:
    head = "" if part.number is None else f"Plan {part.number + 1}, {part.plan.kind}"
    tracks = () if part.plan.procedure is None else part.plan.procedure.tracks
    if len(tracks) < 2:
        return [(head, part.choice)]
    colon = f"{head}: " if head else ""
    return [
        (f"{colon}all tracks".capitalize(), part.choice),
        *((f"{colon}{t.words}", f"{part.choice}.{t.index}") for t in tracks),
    ]
