"""The one error a user is meant to read.

A `UserError` names the value that was refused, the limit it met and the remedy, in one
sentence that the page, the command line and the API show unchanged. Everything else that is
raised is a defect.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def choice(name: object, known: Iterable[str], others: str = "choose one of") -> str:
    """The remedy for an unknown name: the nearest of the `known`, or all of them after `others`."""
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    return f"did you mean {near[0]}?" if near else f"{others} {', '.join(names)}"


class UserError(ValueError):
    """Refused input: the message names value, limit and remedy."""
