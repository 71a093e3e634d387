"""Links that reproduce an exact clip: what the page's address says after the question mark.

`design` holds, as JSON, the parameters that differ from their defaults, `seed` the draw, and
`clip` the content hash of what the link's author heard; a page that draws anything else says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from spectcount.designs import Design, Pulses, draw
from spectcount.errors import UserError
from spectcount.params import Param
from spectcount.stimulus import Stimulus

_SEED = Param("seed", int, 0, "Which draw of the design.", low=0, high=2**31 - 1, step=1)


def check_seed(value: object) -> int:
    """A seed, or a `UserError` naming the limits."""
    return _SEED.validate(value)


def query(design: Design, seed: int, stimulus: Stimulus) -> str:
    """The part of the address after "?"."""
    changed = {
        name: getattr(design, name)
        for name, spec in design.params().items()
        if getattr(design, name) != spec.default
    }
    return urlencode({"design": json.dumps(changed), "seed": seed, "clip": stimulus.hash})


def read_query(parameters: Mapping[str, str]) -> tuple[Pulses, int, str]:
    """(design, seed, note) of an address; the note is empty unless the clip is another than the
    link's author heard. Raises `UserError` for an address that was damaged."""
    try:
        changed = json.loads(parameters.get("design") or "{}")
    except json.JSONDecodeError as error:
        raise UserError(f"design= in the link is no JSON ({error}); copy the link again") from None
    if not isinstance(changed, dict):
        raise UserError("design= in the link is no JSON object; copy the link again")
    design, seed = Pulses.from_dict(changed), check_seed(parameters.get("seed") or 0)
    heard = parameters.get("clip")
    if heard and draw(design, seed).hash != heard:
        return (
            design,
            seed,
            (
                f"This link was made for clip {heard}, but this version draws another one from it; "
                "ask its author for stimulus.json."
            ),
        )
    return design, seed, ""
