"""Token sequences around audio: prompts for scoring, prompts with answers for training.

Conventions: left padding, so that every sequence ends at the same position; one clip per
sequence; all clips of a batch give the same number of audio tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from spectcount.listeners import qwen2_audio

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


def prompt_batch(prompts: Sequence[str], n_audio: int, processor: Any) -> Sequences:
    """Prompts alone."""
    return _pad(
        [prompt_ids(p, n_audio, processor) for p in prompts], [[]] * len(prompts), processor
    )


def answer_batch(
    prompts: Sequence[str], answers: Sequence[str], n_audio: int, processor: Any
) -> Sequences:
    """Prompts, answers and end of turn; labels on answer and end of turn only."""
    tokenizer = processor.tokenizer
    tails = [
        [*tokenizer.encode(a, add_special_tokens=False), tokenizer.eos_token_id] for a in answers
    ]
    return _pad([prompt_ids(p, n_audio, processor) for p in prompts], tails, processor)


def prompt_ids(prompt: str, n_audio: int, processor: Any) -> list[int]:
    """Token ids of one question with its audio placeholders."""
    text = qwen2_audio.prompt_text(prompt, 1, processor)
    ids = processor.tokenizer.encode(text, add_special_tokens=False)
    at = ids.index(processor.audio_token_id)
    return ids[:at] + [processor.audio_token_id] * n_audio + ids[at + 1 :]


def embed(model: Any, sequences: Sequences, audio: torch.Tensor) -> torch.Tensor:
    """Input embeddings [B, L, width] with `audio` [B, tokens, width] in the placeholders."""
    text = model.get_input_embeddings()(sequences.ids)
    places = (sequences.ids == sequences.audio_token_id)[..., None]
    return text.masked_scatter(places, audio.to(text.dtype))


def answer_loss(
    model: Any, sequences: Sequences, audio: torch.Tensor, n_labels: Any = None
) -> torch.Tensor:
    """Cross-entropy summed over the labelled tokens, divided by `n_labels` (default: their number
    here, which makes it the mean); logits at the answers' positions only."""
    positions = (sequences.mask.cumsum(-1) - 1).clamp(min=0)
    hidden = model.model.language_model(
        inputs_embeds=embed(model, sequences, audio),
        attention_mask=sequences.mask,
        position_ids=positions,
        use_cache=False,
    ).last_hidden_state
    logits = model.lm_head(hidden[:, -sequences.n_answer - 1 : -1]).float()
    total = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), sequences.labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / ((sequences.labels != IGNORED).sum() if n_labels is None else n_labels)


def _pad(prompts: list[list[int]], tails: list[list[int]], processor: Any) -> Sequences:
    rows = [p + t for p, t in zip(prompts, tails, strict=True)]
    length, n_answer = max(map(len, rows)), max(map(len, tails))
    pad = processor.tokenizer.pad_token_id
    ids = [[pad] * (length - len(r)) + r for r in rows]
    mask = [[0] * (length - len(r)) + [1] * len(r) for r in rows]
    labels = [[IGNORED] * (n_answer - len(t)) + t for t in tails]
    return Sequences(
        torch.tensor(ids), torch.tensor(mask), torch.tensor(labels, dtype=torch.long),
        processor.audio_token_id,
    )  # fmt: skip
