"""Scoring through the model's own forward: slow, and right by construction.

Each answer is appended to the stock processor's prompt and read off the stock logits. It is the
reference that the staged path is held against, and the path for families that have no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from spectcount.listeners.families import Family

Asked = tuple[str, tuple[str, ...]]
"""A prompt and its closed set of answers."""


def prompt_logits(
    family: Family, model: Any, processor: Any, prompts: Sequence[str], waveforms: np.ndarray
) -> torch.Tensor:
    """Logits [B, V] behind each prompt; waveforms [B, T]."""
    inputs = inputs_on(family, model, processor, prompts, waveforms)
    return model(**inputs, use_cache=False).logits[:, -1]


def answer_log_probs(
    family: Family,
    model: Any,
    processor: Any,
    prompts: Sequence[str],
    waveforms: np.ndarray,
    answers: Sequence[str],
) -> torch.Tensor:
    """log p of each answer, end of turn included, [B, A]: one forward per answer."""
    family.check_words(answers, processor)
    inputs = inputs_on(family, model, processor, prompts, waveforms)
    n = inputs["input_ids"].shape[1]
    columns = []
    for answer in answers:
        tokens = torch.tensor([family.answer_ids(answer, processor)], device=model.device)
        logits = model(**_appended(inputs, tokens), use_cache=False).logits
        log_p = torch.log_softmax(logits[:, n - 1 : -1].float(), dim=-1)
        taken = log_p.gather(-1, tokens.expand(len(prompts), -1)[..., None])
        columns.append(taken.sum(dim=(1, 2)))
    return torch.stack(columns, dim=1)


def nested_log_probs(
    family: Family,
    model: Any,
    processor: Any,
    asked: Sequence[Sequence[Asked]],
    waveforms: np.ndarray,
) -> list[list[list[float]]]:
    """As `staged.answer_log_probs`: [clip][question][answer]; questions that share a closed set
    share its forwards."""
    sets: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for b, questions in enumerate(asked):
        for k, (_, answers) in enumerate(questions):
            sets[answers].append((b, k))
    found: list[list[list[float]]] = [[[] for _ in questions] for questions in asked]
    for answers, members in sets.items():
        prompts = [asked[b][k][0] for b, k in members]
        clips = waveforms[[b for b, _ in members]]
        values = answer_log_probs(family, model, processor, prompts, clips, answers).tolist()
        for (b, k), row in zip(members, values, strict=True):
            found[b][k] = row
    return found


def inputs_on(
    family: Family, model: Any, processor: Any, prompts: Sequence[str], waveforms: Any
) -> dict[str, Any]:
    """The stock batch on the model's device, floats in the model's type. Raises `UserError` for
    prompts with a mark of the model's own format in them, or too long ones."""
    family.check_words(prompts, processor)
    batch = family.stock_inputs(prompts, list(waveforms), processor)
    family.check_length(model, batch["input_ids"].shape[1])
    return {
        name: value.to(model.device, model.dtype if value.is_floating_point() else value.dtype)
        for name, value in batch.items()
        if isinstance(value, torch.Tensor)
    }


def _appended(inputs: dict[str, Any], tokens: torch.Tensor) -> dict[str, Any]:
    """The batch with `tokens` [1, K] behind every prompt."""
    tails = tokens.expand(len(inputs["input_ids"]), -1)
    fills = {
        "input_ids": tails,
        "attention_mask": torch.ones_like(tails),
        "token_type_ids": torch.zeros_like(tails),
        "mm_token_type_ids": torch.zeros_like(tails),
    }
    longer = {
        name: torch.cat([inputs[name], fill.to(inputs[name].dtype)], dim=1)
        for name, fill in fills.items()
        if name in inputs
    }
    return {**inputs, **longer}
