"""Curriculum -> questions by index: synthesised on the fly, nothing stored.

Conventions: item i of the dataset is question i = f(seed, i), so that any process may make any of
them. `batch` of consecutive questions have clips of one length.
"""

from __future__ import annotations

from torch.utils.data import Dataset

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
