"""Curriculum -> batches: synthesised on the fly, nothing stored.

Conventions: item i of the dataset is question i; a batch is a dict of tensors, `waveforms` [B, T]
and the token sequences of `spectcount.listeners.sequences`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from spectcount.listeners.families import Family
from spectcount.listeners.sequences import Sequences, answer_batch
from spectcount.training.curriculum import Sampler
from spectcount.trials import Question


class Questions(Dataset):
    """The first `n` questions of a sampler."""

    def __init__(self, sampler: Sampler, n: int):
        self.sampler = sampler
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Question:
        return self.sampler.question(i)


class Collate:
    """Questions of one clip length -> tensors, labels on answers and end of turn only."""

    def __init__(self, family: Family, processor: Any):
        self.family = family
        self.processor = processor

    def __call__(self, questions: Sequence[Question]) -> dict[str, torch.Tensor]:
        waveforms = np.stack([q.audio() for q in questions])
        n_audio = self.family.n_audio_tokens(waveforms.shape[1], self.processor)
        truths = [q.truth for q in questions]
        if None in truths:
            raise ValueError("a training question has no true answer")
        batch = answer_batch(
            self.family, self.processor, [q.prompt for q in questions], truths, n_audio
        )
        return {
            "waveforms": torch.from_numpy(waveforms),
            "ids": batch.ids,
            "mask": batch.mask,
            "labels": batch.labels,
        }


def sequences_of(family: Family, processor: Any, batch: dict[str, torch.Tensor]) -> Sequences:
    """The token sequences inside a batch."""
    return Sequences(batch["ids"], batch["mask"], batch["labels"], family.audio_token_id(processor))
