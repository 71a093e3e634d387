"""What may lie between two ways of computing the same, and what a model that hears must show.

Conventions: shares are of the logits' spread (their standard deviation), so that a model with
larger logits is held to no stricter a standard.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

GATE_TOLERANCE = 1e-3
"""Least change of an answer's logits, in nats, between silence and a loud tone."""


@dataclass(frozen=True)
class Limit:
    """`rms_share`: of the difference of all logits; `answers_share`: the largest difference of an
    answer's log-probability."""

    rms_share: float
    answers_share: float


LIMITS = {
    torch.float32: Limit(1e-4, 1e-3),
    torch.float16: Limit(0.005, 0.04),
    torch.bfloat16: Limit(0.03, 0.2),
}
"""By number format, twice what rounding makes at the depth of an 8 B model (32 + 28 layers:
bfloat16 .015, float16 .0017 of the spread); a dropped layer, a missing scale or a shifted mask is
several times a limit."""
