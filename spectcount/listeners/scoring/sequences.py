"""Token sequences around audio for training: prompts with their answers.

Conventions: left padding, so that every sequence ends at the same position; one clip per
sequence; all clips of a batch give the same number of audio tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from spectcount.listeners.families import Family

IGNORED = -100


@dataclass(frozen=True)
class Sequences:
    """`ids` [B, L], `mask` [B, L] (1 = real), `n_answer`: how many last positions may carry a
    label, `labels` [B, n_answer] with `IGNORED` where a prompt token stands."""

    ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    audio_token_id: int

    @property
    def n_answer(self) -> int:
        return self.labels.shape[1]

    def to(self, device: Any) -> Sequences:
        return Sequences(
            self.ids.to(device), self.mask.to(device), self.labels.to(device), self.audio_token_id
        )


def answer_batch(
    family: Family, processor: Any, prompts: Sequence[str], answers: Sequence[str], n_audio: int
) -> Sequences:
    """Prompts, answers and end of turn; labels on answer and end of turn only."""
    heads = [family.prompt_ids(p, n_audio, processor) for p in prompts]
    tails = [family.answer_ids(a, processor) for a in answers]
    rows = [p + t for p, t in zip(heads, tails, strict=True)]
    length, n_answer = max(map(len, rows)), max(map(len, tails))
    pad = family.pad_id(processor)
    return Sequences(
        torch.tensor([[pad] * (length - len(r)) + r for r in rows]),
        torch.tensor([[0] * (length - len(r)) + [1] * len(r) for r in rows]),
        torch.tensor([[IGNORED] * (n_answer - len(t)) + t for t in tails]),
        family.audio_token_id(processor),
    )


def embed(family: Family, model: Any, sequences: Sequences, audio: torch.Tensor) -> torch.Tensor:
    """Input embeddings [B, L, width] with `audio` [B, tokens, width] in the placeholders."""
    text = family.embed_tokens(model, sequences.ids)
    places = (sequences.ids == sequences.audio_token_id)[..., None]
    return text.masked_scatter(places, audio.to(text.dtype))


def answer_loss(
    family: Family, model: Any, sequences: Sequences, audio: torch.Tensor, n_labels: Any = None
) -> torch.Tensor:
    """Cross-entropy summed over the labelled tokens, divided by `n_labels` (default: their number
    here, which makes it the mean); logits at the answers' positions only."""
    family.check_length(model, sequences.ids.shape[1])
    positions = (sequences.mask.cumsum(-1) - 1).clamp(min=0)
    embeds = embed(family, model, sequences, audio)
    hidden = family.hidden(model, embeds, sequences.mask, positions)
    logits = family.logits(model, hidden[:, -sequences.n_answer - 1 : -1]).float()
    total = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), sequences.labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / ((sequences.labels != IGNORED).sum() if n_labels is None else n_labels)
