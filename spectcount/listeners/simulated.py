"""A listener whose truth is known: equal-variance Gaussian, settable d' and criterion.

Every statistic of the project is tested on whether it recovers this listener's parameters.
Source: Green & Swets (1966), Signal Detection Theory and Psychophysics, chapter 3.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

from spectcount.errors import UserError
from spectcount.listeners.observer import Observer
from spectcount.tasks import FORCED_CHOICE
from spectcount.trials import Question


class SimulatedObserver(Observer):
    """Draws one internal value per question, the same whenever that question is asked.

    - yes/no: x ~ N(+d'/2, 1) on signal trials, N(-d'/2, 1) on catch trials; the first answer
      where x > c.
    - forced choice: the difference of two such values, over sqrt 2; "first" where it exceeds c.
    - count: one event more moves the value by d'; the answer nearest to value - c wins.

    The score is the log-likelihood ratio at the criterion, d' (x - c); x - c where d' = 0. The
    truth is read from the stimulus, so uploaded clips are refused.
    """

    def __init__(self, d_prime: float = 1.0, criterion: float = 0.0, seed: int = 0):
        for name, value in (("d_prime", d_prime), ("criterion", criterion)):
            if not math.isfinite(value):
                raise UserError(f"{name}={value} is not finite; give a number, e.g. sim:d=1,c=0")
        self.d_prime, self.criterion, self.seed = float(d_prime), float(criterion), int(seed)
        self.name = f"sim:d={self.d_prime:g},c={self.criterion:g},seed={self.seed}"

    @property
    def fingerprint(self) -> str:
        return f"sim-1:d={self.d_prime!r},c={self.criterion!r},seed={self.seed}"

    def log_odds(self, question: Question) -> np.ndarray:
        """Log-probabilities up to a constant [A]; raises `UserError` where no truth is known."""
        truth = question.truth
        if truth is None:
            raise UserError(
                f"a simulated observer must know the truth, and this {question.task_name} question "
                "has none; ask about a designed stimulus with one right answer"
            )
        deviate = self._deviate(question.key)
        if question.task_name == "count":
            value = self.d_prime * int(truth) + deviate - self.criterion
            return -((value - self.d_prime * np.array([int(a) for a in question.answers])) ** 2) / 2
        side = 1 if truth == question.answers[0] else -1
        scale = math.sqrt(2) if question.task.kind == FORCED_CHOICE else 2
        value = side * self.d_prime / scale + deviate
        gain = abs(self.d_prime) or 1.0
        return np.array([gain * (value - self.criterion), 0.0])

    def _deviate(self, key: str) -> float:
        digest = hashlib.sha256(f"{self.seed}:{key}".encode()).digest()
        return float(np.random.default_rng(int.from_bytes(digest[:8], "little")).standard_normal())
