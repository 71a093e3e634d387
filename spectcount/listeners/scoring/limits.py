"""Limits of the distance between two ways of computing the same, and the floor of rounding.

In 16-bit formats every layer rounds its output, and deep, wide layers carry what that changes on
to the logits: by how much depends on the weights, not on the format alone. So it is measured on
the model itself, by stochastic arithmetic (CESTAC: Vignes, 1993, Mathematics and Computers in
Simulation 35, 233): the same forward with each layer's output moved at random within half a unit
in the last place and rounded again. Batches of other shapes would not do: a device may take one
kernel for all of them (differences of nothing), and padding is among the faults to be found.

Conventions: shares are of the logits' spread (their standard deviation), so that a model with
larger logits is held to no stricter a standard.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

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
        """The source of the limit."""
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


HALF_FORMATS = (torch.bfloat16, torch.float16)
DRAWS = 4
EXACT = (nn.Embedding, nn.Identity, nn.Dropout)
"""Layers that pass on what they get: nothing is rounded there."""


@contextmanager
def shaken(model: Any, seed: int) -> Iterator[None]:
    """While open, every layer's output in a 16-bit format is rounded at random."""
    generators: dict[torch.device, torch.Generator] = {}

    def again(layer: nn.Module, given: Any, out: Any) -> Any:
        if not isinstance(out, torch.Tensor) or out.dtype not in HALF_FORMATS:
            return out
        if out.device not in generators:
            generators[out.device] = torch.Generator(out.device).manual_seed(seed)
        chance = torch.rand(out.shape, generator=generators[out.device], device=out.device)
        half_unit = torch.finfo(out.dtype).eps / 2
        return (out.float() * (1 + half_unit * (2 * chance - 1))).to(out.dtype)

    with ExitStack() as stack:
        for layer in model.modules():
            if not isinstance(layer, EXACT) and not any(layer.children()):
                stack.callback(layer.register_forward_hook(again).remove)
        yield
