"""The four checks that a model outside the list has to pass before it may answer.

Conventions: a question about silence and one, longer, about a loud 1 kHz tone of 1 s.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners.families.base import Family
from spectcount.listeners.scoring.limits import (
    CEILINGS,
    DRAWS,
    GATE_TOLERANCE,
    LIMITS,
    Limit,
    shaken,
    widened,
)

PROMPTS = ("Is there a beep?", "Is there a beep in this sound? Answer yes or no.")
FAILURES = (RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError)
"""What code that nobody tried here may raise."""


def run(family: Family, name: str, model: Any, processor: Any) -> None:
    """Put the model `name` to them; raises `UserError` with the one that failed and what to do."""
    silence, tone = clips(family.sample_rate(processor))
    quiet = family.stock_inputs(PROMPTS, [silence, silence], processor)
    heard = family.stock_inputs(PROMPTS, [silence, tone], processor)
    _clip_is_there(name, quiet, heard)
    _padded_left(name, heard)
    with torch.inference_mode():
        together = _logits(name, model, heard)
        alone = [
            _logits(name, model, family.stock_inputs([prompt], [clip], processor))
            for prompt, clip in zip(PROMPTS, (silence, tone), strict=True)
        ]
        without = _logits(name, model, quiet)
        difference = _rms(together - torch.cat(alone)) / torch.cat(alone).std().item()
        limit = LIMITS[model.dtype]
        if difference > limit.rms_share:
            floor = _rounding(name, model, heard) if model.dtype in CEILINGS else 0.0
            limit = widened(model.dtype, Limit(floor, 0.0, floor))
    _refuse_other_batch(name, difference, limit)
    _answers_move(name, together, without)


def clips(rate_hz: int) -> tuple[np.ndarray, np.ndarray]:
    """Silence and a loud tone, 1 s each."""
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz)
    return np.zeros(rate_hz, np.float32), tone.astype(np.float32)


def _clip_is_there(name: str, quiet: Any, heard: Any) -> None:
    changed = [
        key
        for key, value in heard.items()
        if isinstance(value, torch.Tensor)
        and value.is_floating_point()
        and not torch.equal(value, quiet[key])
    ]
    if not changed:
        raise UserError(
            f"{name} failed the check of its batch: a loud tone and silence give the same features "
            f"({', '.join(heard)}); its processor or chat template drops the clip: choose another "
            "checkpoint or put a chat template with an audio part into the folder"
        )


def _padded_left(name: str, heard: Any) -> None:
    mask = heard.get("attention_mask")
    if mask is None or mask[0, 0] != 0 or not bool(mask[:, -1].all()):
        raise UserError(
            f"{name} failed the check of padding: of two prompts the shorter is not filled on the "
            'left; set "padding_side": "left" in its tokenizer_config.json'
        )


def _logits(name: str, model: Any, batch: Any) -> torch.Tensor:
    """Log-probabilities [B, V] behind each prompt."""
    inputs = {
        key: value.to(model.device, model.dtype if value.is_floating_point() else value.dtype)
        for key, value in batch.items()
        if isinstance(value, torch.Tensor)
    }
    try:
        logits = model(**inputs, use_cache=False).logits[:, -1]
    except FAILURES as error:
        raise UserError(
            f"{name} failed the check of its forward ({type(error).__name__}: "
            f"{str(error)[:200]}); its class takes other inputs than its processor gives: update "
            "transformers or choose another checkpoint"
        ) from error
    return torch.log_softmax(logits.float(), dim=-1)


def _rms(values: torch.Tensor) -> float:
    return values.square().mean().sqrt().item()


def _rounding(name: str, model: Any, batch: Any) -> float:
    """rms that rounding alone makes of a batch's log-probabilities, share of their spread."""
    plain, moved = _logits(name, model, batch), []
    for seed in range(DRAWS):
        with shaken(model, seed):
            moved.append(_logits(name, model, batch) - plain)
    return _rms(torch.stack(moved)) / plain.std().item()


def _refuse_other_batch(name: str, difference: float, limit: Limit) -> None:
    if not difference <= limit.rms_share:
        raise UserError(
            f"{name} failed the check of batches: a question alone and in a batch differ by "
            f"rms {difference:.2g} of the logits' spread (limit {limit.rms_share:.2g}"
            f"{limit.words}); its code does not mask padding: update transformers or choose "
            "another checkpoint"
        )


def _answers_move(name: str, heard: torch.Tensor, quiet: torch.Tensor) -> None:
    change = (heard[1] - quiet[1]).abs().max().item()
    if not change >= GATE_TOLERANCE:
        raise UserError(
            f"{name} failed the check of hearing: a loud tone and silence move its answers by "
            f"{change:.2g} (at least {GATE_TOLERANCE:g} is needed); it does not hear: choose "
            "another checkpoint"
        )
