"""The Listener protocol: whatever answers questions about clips.

Audio language models, the ideal observer, a DSP observer, "always first", a simulated observer and
a person all answer through it, so every map, curve and comparison works for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spectcount.trials import Question, Trial, make_trial

LEAST_MASS = 0.1
"""Least mean probability of a closed set whose graded scores are worth a map."""
Report = Callable[[str, int, int], None]
"""Takes how far a piece of work is: in words, done, of how many."""


@dataclass(frozen=True)
class Scores:
    """`log_probs` [B, A]: normalised over each closed set; `mass` [B]: probability of the set."""

    log_probs: np.ndarray
    mass: np.ndarray

    def trial(
        self,
        row: int,
        question: Question,
        *,
        fingerprint: str,
        listener: str,
        coords: dict[str, Any] | None = None,
    ) -> Trial:
        """The trial of a row, which is the question's. Raises `UserError` for scores that are no
        numbers."""
        return make_trial(
            question,
            self.log_probs[row],
            float(self.mass[row]),
            fingerprint=fingerprint,
            listener=listener,
            coords=coords,
        )


@dataclass(frozen=True)
class Resident:
    """A model in memory. `bytes` counts weights and adapters; `used_at` is in seconds since the
    epoch; `why_stock` says why it does not take the staged path ("": it does)."""

    name: str
    family: str
    device: str
    dtype: str
    path: str
    bytes: int
    adapters: int
    used_at: float
    longest_s: float = 30.0
    window_s: float = 30.0
    why_stock: str = ""


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
