"""The Listener protocol: whatever answers questions about clips.

Audio language models, the ideal observer, a DSP observer, "always first", a simulated observer and
a person all answer through it, so every map, curve and comparison works for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spectcount.trials import Question


@dataclass(frozen=True)
class Scores:
    """`log_probs` [B, A]: normalised over each closed set; `mass` [B]: probability of the set."""

    log_probs: np.ndarray
    mass: np.ndarray


class Listener(Protocol):
    """Answers questions. `name` is what a user types (`tiny-lalm@run-7`, `ideal`); `fingerprint`
    changes whenever the answers could (weights, adapter, dtype, engine version)."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def score(self, questions: Sequence[Question]) -> Scores:
        """Score the closed answer set of each question; all questions share one task.
        Raises `UserError` for a clip that this listener cannot hear (too long, say)."""

    def reply(self, question: Question) -> Iterator[str]:
        """The answer in words, in growing prefixes."""
