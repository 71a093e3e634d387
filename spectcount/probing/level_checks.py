"""Whether the levels of a procedure can be followed at all: does anything change, and which way?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from spectcount.errors import UserError
from spectcount.probing.base import refuse_idle
from spectcount.probing.ideal_level import ideal_d_prime

if TYPE_CHECKING:
    from spectcount.probing.procedure import Procedure

WRONG_WAY = 2.0
"""How many times the ideal observer's d' may be larger at the end that is said to be harder."""


def check_levels(plan: Procedure) -> None:
    """Raises `UserError` for tracked parameters that have no level, that something else changes,
    that change nothing, or whose harder end is clearly the other one."""
    for index, name in enumerate(plan.tracked):
        if name == "mel_channel":
            raise UserError(
                "mel_channel is drawn anew for each event and has no level; follow frequency"
            )
        if name in plan.draw:
            raise UserError(f"draw {name} would undo the track; draw another parameter")
        pairs = {tuple(one.hash for one in plan.at(0, ends)) for ends in _ends(plan, index)}
        if len(pairs) == 1:
            refuse_idle(name)
    _refuse_wrong_way(plan)


def _ends(plan: Procedure, index: int) -> list[tuple[float, ...]]:
    """The lowest and the highest level of one parameter, the others at their highest."""
    level = [axis.edges[1] for axis in plan.levels]
    return [(*level[:index], end, *level[index + 1 :]) for end in plan.ends(index)]


def _refuse_wrong_way(plan: Procedure) -> None:
    """The ideal observer's word on which end is harder, where it has one."""
    if not plan.asked.two_class:
        return
    low, high = (ideal_d_prime(plan.at(0, end)[0], plan.asked) for end in _ends(plan, 0))
    hard, easy = (high, low) if plan.falling else (low, high)
    if math.isfinite(hard) and math.isfinite(easy) and hard > WRONG_WAY * max(easy, 1e-9):
        other = "low" if plan.falling else "high"
        raise UserError(
            f"harder={plan.harder}, but the ideal observer finds {plan.parameter} harder at its "
            f"{other} end (d' {easy:.3g} there, {hard:.3g} at the other); set harder={other}"
        )
