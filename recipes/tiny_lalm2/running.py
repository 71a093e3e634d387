"""The language model's auxiliary objective: what can be said so far, at every audio token.

A linear read-out of the language model's states at the audio tokens, one layer before its last,
tells how many events have begun, and once the last sound is over the answer to every task that the
clip has an answer to. It needs no question to be understood, says at every token what a question
asks about once, and is thrown away. It sees the alignment diet only, as the answers do.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recipes.tiny_lalm2.diet import PAIR_TASKS
from spectcount.stimulus import Stimulus
from spectcount.tasks import MAX_COUNT, TASKS

TOKEN_S = 0.04
TWO_CLASS = tuple(task.name for task in TASKS.values() if task.two_class)
IGNORED = -100
EVERYWHERE = ("count", "detect", *PAIR_TASKS)
"""Tasks whose truth is used wherever a clip without a masker has one."""


@dataclass(frozen=True)
class Running:
    """`count` [B, tokens] how many events began, `answers` [B, tokens, tasks] 0 or 1 for the first
    or the second answer; -100 where nothing can be said."""

    count: torch.Tensor
    answers: torch.Tensor


def targets(clips: Sequence[tuple[Stimulus, Sequence[str]]], n_tokens: int) -> Running:
    """What can be said of each clip at every token; its own tasks stand beside it."""
    count = np.full((len(clips), n_tokens), IGNORED)
    answers = np.full((len(clips), n_tokens, len(TWO_CLASS)), IGNORED)
    # a token stands for its 40 ms: what began before its end can be said
    ends_s = (np.arange(n_tokens) + 1) * TOKEN_S
    for b, (stimulus, tasks) in enumerate(clips):
        asked = {*tasks, *(EVERYWHERE if not stimulus.background else ())}
        if "count" in asked and len(stimulus.events) <= MAX_COUNT and not _broken(stimulus):
            onsets_s = np.array([e.onset_s for e in stimulus.events])
            count[b] = (onsets_s[None] + 0.01 < ends_s[:, None]).sum(1)
        over_s = max((e.offset_s for e in stimulus.sounds), default=0.0)
        if "interval" in tasks:
            over_s = min(over_s, stimulus.duration_s)
        first = min(int(over_s / TOKEN_S), n_tokens - 1)
        for k, name in enumerate(TWO_CLASS):
            truth = TASKS[name].truth(stimulus) if name in asked else None
            if truth is not None:
                silent = name in ("detect", "cue") and truth == TASKS[name].answers[1]
                start = n_tokens - 1 if silent else first
                answers[b, start:, k] = TASKS[name].answers.index(truth)
    return Running(torch.from_numpy(count), torch.from_numpy(answers))


def _broken(stimulus: Stimulus) -> bool:
    """Whether events overlap, or one is interrupted, fluctuates or is noise, so that what is heard
    may be counted in several ways; the answers never count those either."""
    events = stimulus.events
    overlap = any(b.onset_s < a.offset_s for a, b in itertools.pairwise(events))
    return overlap or any(e.gap_ms > 0 or e.am_depth > 0 or e.broadband for e in events)


class Head(torch.nn.Module):
    """The linear read-out of the language model's states at the audio tokens."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = torch.nn.Linear(width, MAX_COUNT + 1 + len(TWO_CLASS))

    def loss(self, states: torch.Tensor, wanted: Running) -> torch.Tensor:
        """Cross-entropy of the counts and mean of the tasks' binary ones; 0 where none is known."""
        logits = self.linear(states).float()
        counts, answers = logits[..., : MAX_COUNT + 1], logits[..., MAX_COUNT + 1 :]
        known = wanted.count != IGNORED
        count = torch.nn.functional.cross_entropy(
            counts.flatten(0, 1), wanted.count.flatten(), ignore_index=IGNORED, reduction="sum"
        ) / known.sum().clamp(min=1)
        taught = wanted.answers != IGNORED
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            answers, wanted.answers.clamp(min=0).float(), reduction="none"
        )
        # every clip and task weighs the same, however many tokens are left behind the last sound
        weights = taught / taught.sum(1, keepdim=True).clamp(min=1)
        return count + (each * weights).sum() / weights.sum().clamp(min=1e-6)
