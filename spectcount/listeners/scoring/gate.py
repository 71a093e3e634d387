"""What a model must show at load: that the fast path equals its own forward, and that it hears.

Audio that never reaches the language model is a known failure of this field: the answers are
fluent and the same for every clip. So silence and a loud tone are asked about at every load.

Conventions: log-probabilities in nats; a canary is one question about silence and about a tone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from spectcount.errors import UserError

if TYPE_CHECKING:
    from spectcount.listeners.loaded import LoadedModel

CANARY = "Is there a beep? Answer yes or no."
GATE_TOLERANCE = 1e-3
PARITY_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.25, torch.float16: 0.1}
"""Largest difference of log-probabilities between the paths, in nats, per weight type."""
LIKELY_NATS = 20.0
"""Tokens further below the likeliest are not compared: they carry no probability."""


def canary_logits(loaded: LoadedModel, path: str = "") -> torch.Tensor:
    """Logits behind a question, for silence and for a loud 1 kHz tone, [2, V], by the path in use
    or the one named."""
    rate = loaded.family.sample_rate(loaded.processor)
    tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)).astype(np.float32)
    clips = np.stack([np.zeros_like(tone), tone])
    with torch.inference_mode():
        return loaded.prompt_logits([CANARY] * 2, clips, path)


def choose_path(loaded: LoadedModel) -> tuple[str, str]:
    """("staged", "") where its logits equal the stock forward's, else ("stock", why)."""
    if not loaded.family.staged:
        return "stock", f"{loaded.family.name} has no staged path"
    try:
        fast = torch.log_softmax(canary_logits(loaded, "staged").float(), dim=-1)
    except (RuntimeError, ValueError, AttributeError, TypeError) as error:
        return "stock", f"the staged path failed: {str(error)[:200]}"
    slow = torch.log_softmax(canary_logits(loaded, "stock").float(), dim=-1)
    likely = slow > slow.max(dim=-1, keepdim=True).values - LIKELY_NATS
    difference = (fast - slow)[likely].abs().max().item()
    limit = PARITY_TOLERANCE[loaded.dtype]
    if difference <= limit:
        return "staged", ""
    return (
        "stock",
        f"staged and stock log-probabilities differ by {difference:.2g} (limit {limit})",
    )


def refuse_deaf(name: str, canary: torch.Tensor) -> None:
    """Silence against a loud tone must change the answer, or no map may be drawn."""
    change = (canary[0] - canary[1]).abs().max().item()
    if not np.isfinite(change) or change < GATE_TOLERANCE:
        raise UserError(
            f"{name} does not hear: a loud tone and silence move its answers by {change:.2g} (at "
            f"least {GATE_TOLERANCE:g} is needed); the audio does not reach the language model, "
            "choose another checkpoint"
        )
