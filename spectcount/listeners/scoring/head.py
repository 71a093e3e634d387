"""The output layer in float32, and only where its logits are read.

In bfloat16 the logits themselves are rounded: near 16 to steps of 0.06 to 0.12, which a batch of
another size rounds otherwise. The hidden states keep their format; their products with the output
weights are summed and left in float32, for the few rows that are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

WORDS_AT_ONCE = 16_384
"""Rows of the output weights in float32 at a time: a whole table would be 2 GB."""


@contextmanager
def in_float32(model: Any, last: int | None = None) -> Iterator[None]:
    """While open, `model`'s output layer gives float32 logits, of the `last` positions only where
    a number is given (callers still slice: a layer that an adapter wraps gives all). A quantised
    layer stays as it is."""
    outer = model.get_output_embeddings()
    layer = outer.get_base_layer() if hasattr(outer, "get_base_layer") else outer
    if type(layer) is not torch.nn.Linear:
        yield
        return
    if outer is not layer:
        last = None

    def forward(hidden: torch.Tensor) -> torch.Tensor:
        return _logits(layer, hidden if last is None else hidden[:, -last:])

    # Where accelerate spreads a model it keeps the layer's own forward under another name.
    name = "_old_forward" if hasattr(layer, "_old_forward") else "forward"
    before = layer.__dict__.get(name)
    setattr(layer, name, forward)
    try:
        yield
    finally:
        if before is None:
            delattr(layer, name)
        else:
            setattr(layer, name, before)


def _logits(layer: torch.nn.Linear, hidden: torch.Tensor) -> torch.Tensor:
    """Logits [..., V], float32."""
    weight, bias = layer.weight, layer.bias
    if weight.dtype == torch.float32:
        return torch.nn.functional.linear(hidden.float(), weight, bias)
    flat = hidden.reshape(-1, hidden.shape[-1])
    logits = _product(flat, weight)
    if bias is not None:
        logits = logits + bias.float()
    return logits.unflatten(0, hidden.shape[:-1])


def _product(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """rows [N, W] x weight [V, W] -> float32 [N, V]. CUDA sums 16-bit products in float32 and can
    leave them so; elsewhere the weights are widened piece by piece."""
    if rows.is_cuda and rows.dtype == weight.dtype:
        try:
            return torch.mm(rows, weight.T, out_dtype=torch.float32)
        except (RuntimeError, TypeError):
            pass
    wide = rows.float()
    return torch.cat([wide @ piece.float().T for piece in weight.split(WORDS_AT_ONCE)], dim=1)
