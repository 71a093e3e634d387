"""Which sound the Design page shows, and the link that reproduces exactly it.

A link holds the `family`, as JSON the parameters that differ from their defaults (`design`), the
draw (`seed`), the `task` where it is not the family's usual one, the `side` where it is the
counterpart, and the content hash of what the link's author heard (`clip`); a page that draws
anything else says so. Links without a family are older and mean pulses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

from spectcount import actions, documents
from spectcount.actions import COUNTERPART, SIDES, SIGNAL
from spectcount.designs import Design, Pulses, family
from spectcount.errors import UserError
from spectcount.pairs import pair_of
from spectcount.params import Param
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.tasks import task

_SEED = Param("seed", int, 0, "Which draw of the design.", low=0, high=2**31 - 1, step=1)


def check_seed(value: object) -> int:
    """A seed, or a `UserError` naming the limits."""
    return _SEED.validate(value)


@dataclass(frozen=True)
class Drawing:
    """One sound: draw `seed` of a design, and which side of which task it is."""

    design: Design = field(default_factory=Pulses)
    seed: int = 0
    task: str = ""
    side: str = SIGNAL

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_seed(self.seed))
        object.__setattr__(self, "task", self.task or actions.usual_task(self.design.family))
        task(self.task)
        if self.side not in SIDES:
            raise UserError(f"side={self.side!r} is not known; choose one of {', '.join(SIDES)}")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From {family, params, seed, task, side}; raises `UserError` for what cannot be."""
        missing = [n for n in ("family", "params", "seed", "task", "side") if n not in data]
        if missing:
            raise UserError(f"the sound lacks its {', '.join(missing)}; reload the page")
        design = family(data["family"]).from_dict(data["params"])
        return cls(design, data["seed"], data["task"], data["side"])

    def to_dict(self) -> dict[str, Any]:
        """The inverse of `from_dict`: JSON ready."""
        return {
            "family": self.design.family,
            "params": self.design.to_dict(),
            "seed": self.seed,
            "task": self.task,
            "side": self.side,
        }

    def stimulus(self, settings: Settings | None = None) -> Stimulus:
        """The sound; raises `UserError` for one that cannot be drawn."""
        return actions.draw_stimulus(
            self.design.family, self.design.to_dict(), self.seed, settings, task_name=self.task,
            side=self.side,
        )  # fmt: skip


def drawing_of(stimulus: Stimulus) -> Drawing | None:
    """The drawing that a stimulus' own provenance tells, where it draws exactly this stimulus."""
    try:
        design = family(stimulus.meta["family"]).from_dict(stimulus.meta["params"])
        drawing = Drawing(design, stimulus.meta["seed"])
        if drawing.stimulus().hash == stimulus.hash:
            return drawing
        for name in actions.pair_tasks(design.family):
            pair = pair_of(stimulus, name)
            if pair is not None:
                side = SIGNAL if stimulus.hash == pair[0].hash else COUNTERPART
                return Drawing(design, drawing.seed, name, side)
    except (KeyError, TypeError, UserError):
        return None
    return None


def query(drawing: Drawing, stimulus: Stimulus) -> str:
    """The part of the address after "?" for a drawing and the stimulus that it gave."""
    design = drawing.design
    changed = {
        name: getattr(design, name)
        for name, spec in design.params().items()
        if getattr(design, name) != spec.default
    }
    said = {"family": design.family, "design": json.dumps(changed)}
    if drawing.task in design.tasks[1:]:
        said["task"] = drawing.task
    if drawing.side != SIGNAL:
        said["side"] = drawing.side
    return urlencode({**said, "seed": drawing.seed, "clip": stimulus.hash})


def read_query(parameters: Mapping[str, str]) -> tuple[Drawing, str]:
    """(drawing, hash that the link's author heard, "" where it does not say) of an address.
    Raises `UserError` for an address that was damaged."""
    try:
        text = parameters.get("design") or "{}"
        changed = documents.mapping_from_json(text, "design= in the link")
    except UserError as error:
        raise UserError(f"{error}; copy the link again") from None
    design = family(parameters.get("family") or Pulses.family).from_dict(changed)
    drawing = Drawing(
        design,
        check_seed(parameters.get("seed") or 0),
        actions.usual_task(design.family, parameters.get("task", "")),
        parameters.get("side") or SIGNAL,
    )
    return drawing, parameters.get("clip", "")


def other_clip(heard: str, stimulus: Stimulus) -> str:
    """Words for a link that was made for another clip than it gives now; "" where it was not."""
    if not heard or heard == stimulus.hash:
        return ""
    return (
        f"This link was made for clip {heard}, but this version draws another one from it; "
        "ask its author for stimulus.json."
    )
