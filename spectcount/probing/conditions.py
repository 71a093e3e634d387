"""Conditions of a procedure: each is a track of its own, and they are interleaved at random.

Conventions: a condition changes some parameters of the design for all trials of its track. They
are written as one parameter with its values ("250, 500, 1000"), or as a list of changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spectcount.designs import Design
from spectcount.errors import UserError
from spectcount.params import Param
from spectcount.probing.axes import Axis, declaration

NO_CONDITION = "none"
MAX_CONDITIONS = 40
TRACK = Param("track", int, 1, "Number of the track.", low=1, high=MAX_CONDITIONS, label="Track")


@dataclass(frozen=True)
class Condition:
    """The condition of track number `index` (from 0) and its name: "" where there is
    one track only."""

    index: int
    words: str
    changes: Mapping[str, Any]


def numbers(name: str, text: str) -> tuple[float, ...]:
    """The numbers of a text, parted by commas or blanks; `name` is for the error."""
    try:
        return tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise UserError(f"{name}={text!r} is no list of numbers; write 250, 500, 1000") from None


def condition_axis(name: str, text: str, n_listed: int, design: type[Design]) -> Axis:
    """The axis whose cells are the tracks: the values of parameter `name`, or their numbers."""
    if name == NO_CONDITION:
        return Axis(TRACK, tuple(range(1, max(n_listed, 1) + 1)), points=True)
    declared = declaration(name, design)
    values = [declared.validate(v) for v in numbers("condition_values", text)]
    if not values:
        raise UserError(
            f"condition={name} has no condition_values; write some, such as 250, 500, 1000"
        )
    return Axis(declared, tuple(values), points=True)


def conditions_of(axis: Axis, listed: Sequence[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """One condition for each cell of the axis: `listed` ones, values, or one that changes
    nothing."""
    if listed:
        return tuple(Condition(i, _words(c), dict(c)) for i, c in enumerate(listed))
    if axis.declared is TRACK:
        return (Condition(0, "", {}),)
    return tuple(
        Condition(i, axis.cell_text(i), axis.assign(i, value)) for i, value in enumerate(axis.edges)
    )


def check_conditions(
    name: str, text: str, listed: Sequence[Any], tracked: Sequence[str], design: type[Design]
) -> None:
    """Raises `UserError` for conditions that cannot be: two ways at once, parameters that the
    track itself varies, too many, or two that are the same."""
    if name != NO_CONDITION and listed:
        raise UserError(
            f"condition={name} and a list of conditions are both given; leave one of them out"
        )
    if name == NO_CONDITION and text.strip():
        raise UserError(f"condition_values={text!r} belong to no parameter; give condition=NAME")
    for condition in listed:
        if not isinstance(condition, Mapping) or not condition:
            raise UserError(f"condition {condition!r} changes nothing; write parameter: value")
        for key, value in condition.items():
            design.param(key).validate(value)
    axis = condition_axis(name, text, len(listed), design)
    conditions = conditions_of(axis, listed)
    if len(conditions) > MAX_CONDITIONS:
        raise UserError(
            f"{len(conditions)} conditions are above the limit {MAX_CONDITIONS}; drop some"
        )
    if len({repr(sorted(c.changes.items())) for c in conditions}) < len(conditions):
        raise UserError("two conditions are the same; give each once")
    taken = {key for t in tracked for key in _assigned(t, design)}
    clash = sorted(taken & {key for c in conditions for key in c.changes})
    if clash:
        raise UserError(
            f"the track itself varies {clash[0]}; choose another parameter for the conditions"
        )


def _assigned(name: str, design: type[Design]) -> set[str]:
    """Parameters of the design that axis `name` sets."""
    declared = declaration(name, design)
    return set(Axis(declared, (declared.default or 0,), points=True).assign(0, declared.default))


def _words(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in changes.items())
