"""What may lie between two ways of computing the same, and what a model that hears must show.

Conventions: shares are of the logits' spread (their standard deviation), so that a model with
larger logits is held to no stricter a standard.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

GATE_TOLERANCE = 1e-3
"""Least change of an answer's logits, in nats, between silence and a loud tone."""


@dataclass(frozen=True)
class Limit:
    """`rms_share`: of the difference of all logits; `answers_share`: the largest difference of an
    answer's log-probability; `floor`: rms that rounding alone makes of this model, nan where it
    was not measured."""

    rms_share: float
    answers_share: float
    floor: float = math.nan

    @property
    def words(self) -> str:
        """Where the limit is from."""
        if math.isnan(self.floor):
            return ""
        return (
            f"; rounding alone moves this model's stock forward by rms {self.floor:.2g}, of which "
            f"{FLOOR_FACTOR:g} times are allowed"
        )


LIMITS = {
    torch.float32: Limit(1e-4, 1e-3),
    torch.float16: Limit(0.005, 0.04),
    torch.bfloat16: Limit(0.03, 0.2),
}
"""By number format, twice what rounding makes at the depth of an 8 B model (32 + 28 layers:
bfloat16 .015, float16 .0017 of the spread) whose layers are narrow; a dropped layer, a missing
scale or a shifted mask is several times a limit."""
CEILINGS = {torch.float16: Limit(0.02, 0.08), torch.bfloat16: Limit(0.12, 0.4)}
"""At the full width rounding makes more (bfloat16 .057 with random weights). What lies between
limit and ceiling is held against the model's own rounding; above, nothing passes."""
FLOOR_FACTOR = 1.25
"""Two roundings of a forward that know nothing of each other are as far apart as 1.1 times the
measured floor; see tests for what faults make."""


def widened(dtype: torch.dtype, floor: Limit) -> Limit:
    """The limit for a model that rounding alone moves by `floor`."""
    least, most = LIMITS[dtype], CEILINGS.get(dtype)
    if most is None:
        return least

    def between(low: float, measured: float, high: float) -> float:
        return min(max(low, FLOOR_FACTOR * measured), high)

    return Limit(
        between(least.rms_share, floor.rms_share, most.rms_share),
        between(least.answers_share, floor.answers_share, most.answers_share),
        floor.rms_share,
    )
