"""How far a forward lies from itself when nothing but its rounding changes.

In 16-bit formats every layer rounds its output, and deep, wide layers carry what that changes on
to the logits: by how much depends on the weights, not on the format alone. So it is measured on
the model itself, by stochastic arithmetic (CESTAC: Vignes, 1993, Mathematics and Computers in
Simulation 35, 233): the same forward with each layer's output moved at random within half a unit
in the last place and rounded again. Batches of other shapes would not do: a device may take one
kernel for all of them (differences of nothing), and padding is among the faults to be found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

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
