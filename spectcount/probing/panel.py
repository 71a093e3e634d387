"""A forgetting panel: tasks and ranges that were fine before, each a plan, all in one run.

*Conventions*: a part gives one row of the table (`panel_table`), or one for each of its cells, or
two, outside and inside the weak regions that the adapter was made from. The plans are interleaved,
so base and tuned get the same questions in the same order.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spectcount.errors import UserError
from spectcount.params import Declared, param
from spectcount.probing.grid import GridPlan
from spectcount.probing.plan import Interleaved, plan_from_dict

WHOLE, CELLS, REGIONS = "whole", "cells", "regions"


@dataclass(frozen=True)
class Part(Declared):
    """A plan of the panel, as plain data, and how it becomes rows."""

    name: str = param("", "What is asked, in a few words.", label="Name")
    rows: str = param(
        WHOLE,
        "One row; one for each cell; or two, outside and inside the weak regions.",
        choices=(WHOLE, CELLS, REGIONS),
        label="Rows",
    )
    measure: str = param(
        "auto",
        "auto: d' where the task has one, else accuracy; false_alarms: yes to nothing.",
        choices=("auto", "false_alarms"),
        label="Measure",
    )
    plan: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def check(self) -> None:
        if not self.name.strip():
            raise UserError("a part of a panel has no name; say in a few words what it asks")
        made = self.made
        if not isinstance(made, GridPlan):
            raise UserError(
                f"{self.name}: a plan of kind {made.kind} asks each listener its own questions; "
                "give a map, a curve or a confusion"
            )
        if not made.asked.has_truth:
            raise UserError(f"{self.name}: {made.task} has no right answer that could be forgotten")
        if self.measure == "false_alarms" and not made.asked.has_alarms:
            raise UserError(f"{self.name}: {made.task} has no false alarms; give a yes/no task")

    @functools.cached_property
    def made(self) -> Any:
        """The plan itself."""
        return plan_from_dict(self.plan)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Part:
        """From plain data; unknown keys are refused."""
        for name in values:
            if name != "plan":
                cls.param(name)
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the plan completed."""
        return {**super().to_dict(), "plan": self.made.to_dict()}


@dataclass(frozen=True)
class Panel:
    """Its parts, in the order of the table."""

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise UserError("a panel without parts asks nothing; give one plan or more")

    @classmethod
    def from_list(cls, parts: Iterable[Mapping[str, Any]]) -> Panel:
        """From plain data; raises `UserError` naming the part that is none."""
        made = []
        for i, values in enumerate(parts):
            try:
                made.append(Part.from_dict(values))
            except UserError as error:
                raise UserError(f"part {i + 1}: {error}") from None
        return cls(tuple(made))

    def to_list(self) -> list[dict[str, Any]]:
        """Plain data."""
        return [part.to_dict() for part in self.parts]

    @property
    def plan(self) -> Interleaved:
        """All parts in one run."""
        return Interleaved(tuple(part.made.to_dict() for part in self.parts))
