"""Signal and counterpart: the two sounds that a two-answer task must tell apart.

*Conventions*: of a pair, the first answer of the task is true of the signal and the second of the
counterpart; both come from one draw and differ in nothing else. Each carries in `meta` its design
and seed, from which `pair_of` finds the other again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spectcount.designs import Design, draw, family
from spectcount.errors import UserError
from spectcount.stimulus import Stimulus
from spectcount.tasks import task

Pair = tuple[Stimulus, Stimulus]


def draw_pair(design: Design, seed: int, task_name: str) -> Pair:
    """(signal, counterpart) of `design` at `seed`. Raises `UserError` where the design has no
    such pair for the task."""
    asked = task(task_name)
    if not asked.two_class or task_name not in design.tasks:
        raise UserError(
            f"{design.family} has no signal and counterpart for the task {task_name!r}; choose one "
            "of " + ", ".join(name for name in design.tasks if task(name).two_class)
        )
    drawn = draw(design, seed)
    other = design.counterpart(drawn, task_name)
    truths = (asked.truth(drawn), asked.truth(other))
    if truths not in (asked.answers, asked.answers[::-1]):
        raise UserError(
            f"{design.family}: the answers to {task_name!r} would be {truths[0]} and {truths[1]}; "
            f"change the design so that they are {asked.answers[0]} and {asked.answers[1]}"
        )
    signal, counterpart = (drawn, other) if truths == asked.answers else (other, drawn)
    return _marked(signal, counterpart)


def pair_of(stimulus: Stimulus, task_name: str) -> Pair | None:
    """The pair that `stimulus` is one of, drawn again from its provenance; None where that does
    not tell (a stimulus from elsewhere, or one that was changed)."""
    meta: Mapping[str, Any] = stimulus.meta
    try:
        design = family(meta["family"]).from_dict(meta["params"])
        pair = draw_pair(design, int(meta["seed"]), task_name)
    except (KeyError, TypeError, ValueError, UserError):
        return None
    return pair if stimulus.hash in (pair[0].hash, pair[1].hash) else None


def _marked(signal: Stimulus, counterpart: Stimulus) -> Pair:
    """Both with the other's hash in `meta`. A counterpart that merely lacks the events holds them
    as `template` instead: it may be the counterpart of many signals, told apart by what is
    missing."""
    if counterpart.hash == signal.without_events().hash:
        template = [event.to_dict() for event in signal.events]
        return signal, replace(
            counterpart, meta={**signal.meta, "catch": True, "template": template}
        )
    return (
        replace(signal, meta={**signal.meta, "pair": counterpart.hash}),
        replace(counterpart, meta={**signal.meta, "catch": True, "pair": signal.hash}),
    )
