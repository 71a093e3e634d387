"""Two sounds, one after the other, to be compared: the rules that the comparing families share.

*Conventions*: the drawn stimulus has the first sound higher, louder or longer; the counterpart is
the same with the two values exchanged, each place keeping its phase, its noise sample and whatever
else it has. The silence between the two is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from spectcount.designs import fields
from spectcount.errors import UserError
from spectcount.stimulus import Event, Stimulus


def spacing_ms(default: float, help: str) -> Any:
    """The field for the silence between the two."""
    return fields.spacing_ms(default, help + " Spacing: offset of one to onset of the next.")


def in_sequence(first: Event, second: Event, gap_ms: float) -> tuple[Event, Event]:
    """The two with the second `gap_ms` after the end of the first."""
    return first, replace(second, onset_s=first.offset_s + gap_ms / 1000)


def exchanged(stimulus: Stimulus, names: Sequence[str]) -> Stimulus:
    """`stimulus` with the values of `names` exchanged between its two events; the silence between
    them stays as long as it was."""
    first, second = stimulus.events
    gap_ms = 1000 * (second.onset_s - first.offset_s)
    in_front = replace(first, **{name: getattr(second, name) for name in names})
    behind = replace(second, **{name: getattr(first, name) for name in names})
    return replace(stimulus, events=in_sequence(in_front, behind, gap_ms))


def refuse_overrun(end_s: float, duration_s: float) -> None:
    """Raise `UserError` where the second sound ends after the clip."""
    if end_s > duration_s + 1e-9:
        raise UserError(
            f"the second sound ends at {end_s:.3f} s, the clip at {duration_s:g} s; lower onset_s, "
            "event_duration_ms or gap_ms, or raise duration_s"
        )
