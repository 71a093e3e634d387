"""The sound that the Design page shows, and the link that reproduces exactly it.

A link holds the `family`, as JSON the parameters that differ from their defaults (`design`), the
draw (`seed`), the `task` where it is not the family's usual one, the `side` where it is the
counterpart, and the content hash of what the link's author heard (`clip`); a page that draws
anything else says so. Links without a family are older and mean pulses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from spectcount import documents
from spectcount.actions.sounds import sound_of
from spectcount.designs import FAMILIES, Pulses, family
from spectcount.errors import UserError
from spectcount.pairs import COUNTERPART, SIGNAL, Drawing, pair_of, pair_tasks, usual_task
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.tasks import task
from spectcount.ui import clip

FIRST = Drawing(seed=21)
"""What an address that names no sound shows: the shipped model is wrong and its fine-tune right."""
CARRIER = "carrier"
"""A text parameter of this name holds the hash of a recording."""


def takes_recording(family: str) -> bool:
    """True for a family that plays a recording."""
    return CARRIER in FAMILIES[family].params()


def stimulus_of(drawing: Drawing, settings: Settings) -> Stimulus:
    """The sound of a drawing; raises `UserError` for one that cannot be drawn, and in the page's
    own words where the recording is still missing."""
    name = drawing.design.family
    if takes_recording(name) and not getattr(drawing.design, CARRIER):
        raise UserError(
            f"{drawing.design.title} plays a recording, and none is chosen yet; open or record a "
            "sound above the sliders"
        )
    return sound_of(drawing, settings)


def drawing_value(drawing: Drawing, stimulus: Stimulus, note: str = "") -> str:
    """The clip's value for a drawing, with its link."""
    query_text = query(drawing, stimulus)
    return clip.stimulus_value(stimulus, query=query_text, note=note or _no_pair(drawing, stimulus))


def _no_pair(drawing: Drawing, stimulus: Stimulus) -> str:
    """Words for a clip of which no answer to a two-answer task is true."""
    wanted = task(drawing.task)
    if not wanted.two_class or wanted.truth(stimulus) is not None:
        return ""
    return f"To “{wanted.title}” no answer is true of this clip, and it has no counterpart."


def drawing_of(stimulus: Stimulus) -> Drawing | None:
    """The drawing that a stimulus' own provenance tells, where it draws exactly this stimulus."""
    try:
        design = family(stimulus.meta["family"]).from_dict(stimulus.meta["params"])
        drawing = Drawing(design, stimulus.meta["seed"])
        if drawing.stimulus().hash == stimulus.hash:
            return drawing
        for name in pair_tasks(design.family):
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
    parts = {"family": design.family, "design": json.dumps(changed)}
    if drawing.task in design.tasks[1:]:
        parts["task"] = drawing.task
    if drawing.side != SIGNAL:
        parts["side"] = drawing.side
    return urlencode({**parts, "seed": drawing.seed, "clip": stimulus.hash})


def read_query(parameters: Mapping[str, str]) -> tuple[Drawing, str]:
    """(drawing, hash that the link's author heard, "" where it does not say) of an address.
    Raises `UserError` for an address that was damaged."""
    if not parameters.keys() & {"family", "design", "seed", "task", "side", "clip"}:
        return FIRST, ""
    try:
        text = parameters.get("design") or "{}"
        changed = documents.mapping_from_json(text, "design= in the link")
    except UserError as error:
        raise UserError(f"{error}; copy the link again") from None
    name = parameters.get("family") or Pulses.family
    data = {
        "family": name,
        "params": changed,
        "seed": parameters.get("seed") or 0,
        "task": usual_task(name, parameters.get("task", "")),
        "side": parameters.get("side") or SIGNAL,
    }
    return Drawing.from_dict(data), parameters.get("clip", "")


def other_clip(heard: str, stimulus: Stimulus) -> str:
    """Words for a link that was made for another clip than it gives now; "" where it was not."""
    if not heard or heard == stimulus.hash:
        return ""
    return (
        f"This link was made for clip {heard}, but this version draws another one from it; "
        "ask its author for stimulus.json."
    )
