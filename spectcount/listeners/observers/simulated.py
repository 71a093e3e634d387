"""Listeners whose truth is known: a fixed sensitivity, or a psychometric function of a parameter.

Every statistic of the project is tested on whether it recovers their parameters. They answer each
question in the same way whenever it is asked, and read truth and level from the stimulus, so
uploaded clips are refused.

*Sources*: Green & Swets (1966), Signal Detection Theory and Psychophysics, chapter 3; Wichmann &
Hill (2001), Percept. Psychophys. 63:1293, for lapses.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from spectcount.errors import UserError
from spectcount.listeners.observers.observer import Observer
from spectcount.psychophysics.psychometric import Psychometric, from_axis, to_axis
from spectcount.tasks import COUNTING, FORCED_CHOICE, SUBJECTIVE, YES_NO
from spectcount.trials import Question


class SimulatedObserver(Observer):
    """Equal-variance Gaussian of fixed d'; draws one internal value per question.

    - yes/no: x ~ N(+d'/2, 1) on signal trials, N(-d'/2, 1) on catch trials; the first answer
      where x > c.
    - forced choice: the difference of two such values, over sqrt 2; "first" where it exceeds c.
    - count: one event more moves the value by d'; the answer nearest to value - c wins.

    The score is the log-likelihood ratio at the criterion, d' (x - c); x - c where d' = 0.
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
        deviate = float(_rng(self.seed, question).standard_normal())
        if question.task.counts:
            value = self.d_prime * int(truth) + deviate - self.criterion
            return -((value - self.d_prime * np.array([int(a) for a in question.answers])) ** 2) / 2
        side = 1 if truth == question.answers[0] else -1
        scale = question.task.distance if question.task.forced_choice else 2
        value = side * self.d_prime / scale + deviate
        gain = abs(self.d_prime) or 1.0
        return np.array([gain * (value - self.criterion), 0.0])


_ALIASES = {"time": "onset_s", "frequency": "frequency_low_hz"}
"""Axes that are no parameter by name, and the parameter that holds their value."""


@dataclass(frozen=True)
class Truth:
    """The right result of a procedure: psi = guess + (1 - guess - lapse) F, `threshold` where
    F = 0.5 (`exact`: F has the very form that was asked for), and `d_prime_1`, the level where
    z(H) - z(F) (over sqrt 2 in forced choice) is 1; nan where it never is, or for counting."""

    threshold: float
    guess: float
    lapse: float
    d_prime_1: float
    exact: bool


@dataclass(frozen=True)
class SimulatedThreshold(Observer):
    """A listener with a psychometric function of one parameter of the design.

    `threshold` (F = 0.5) and `width` (5 to 95 %; decades where `log`) are those of
    `psychophysics.psychometric`; `falling`: higher levels are harder. With `second`, the threshold
    (its log10 where `log`) moves by `gradient` per unit of that parameter from `reference` on.

    - yes/no: an internal value x ~ N(d', 1) on signal trials, N(0, 1) on catch trials, "yes" where
      x exceeds the criterion -z(guess) - bias. d' = z(guess + (1 - guess) F) - z(guess), so that
      without bias psi = guess + (1 - guess) F exactly. `bias` shifts the criterion and leaves d' as
      it is: false alarms become Phi(z(guess) + bias), and the level where F = 0.5 moves: `truth`
      says where to. `guess` is 0.159 (criterion 1) unless given.
    - forced choice: x ~ N(+-z(1/2 + F/2), 1), the first answer where x > -bias; without bias
      psi = 1/2 + F/2. d' is sqrt 2 z(1/2 + F/2).
    - counting: the right number with the chance guess + (1 - guess) F (guess is 0 unless given),
      else one more (chance Phi(bias)) or one fewer.
    - subjective: as the signal trials of yes/no, the first answer being "yes".

    A slip answers as if F were 0; it happens so often that psi ends at 1 - `lapse`. The score of a
    two-answer task is x minus the criterion: Gaussian, of equal variance but for slips.
    """

    parameter: str
    threshold: float
    width: float
    lapse: float = 0.0
    bias: float = 0.0
    guess: float | None = None
    function: str = "gaussian"
    log: bool = False
    falling: bool = False
    second: str = ""
    gradient: float = 0.0
    reference: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        self._function(self.threshold)  # raises for what is no psychometric function
        for name in ("bias", "gradient", "reference"):
            if not math.isfinite(getattr(self, name)):
                raise UserError(f"{name}={getattr(self, name)} is not finite; give a number")
        for guess in (self._guess(YES_NO), self._guess(COUNTING), 0.5):
            if not (0 <= guess < 1 and 0 <= self.lapse < 1 - guess):
                raise UserError(
                    f"guess={guess:g} and lapse={self.lapse:g} leave nothing to measure; give "
                    "rates of 0 or more whose sum is below 1 (1/2 in forced choice)"
                )
        if self.guess == 0 and self.bias:
            raise UserError("guess=0 is no criterion that a bias could move; give guess above 0")

    @property
    def name(self) -> str:  # type: ignore[override]
        options = {k: _short(v) for k, v in vars(self).items() if v not in (None, "", 0.0, False)}
        options = {**options, "seed": str(self.seed)}
        return "sim:" + ",".join(f"{k}={v}" for k, v in options.items())

    @property
    def fingerprint(self) -> str:
        return "sim-threshold-1:" + ",".join(f"{k}={v!r}" for k, v in vars(self).items())

    def log_odds(self, question: Question) -> np.ndarray:
        """Log-probabilities up to a constant [A]; raises `UserError` where the stimulus does not
        say the level."""
        rng, kind = _rng(self.seed, question), question.task.kind
        f = 0.0 if self._is_catch(question) else self.heard(question)
        if rng.random() < self.lapse / (1 - self._guess(kind)):
            f = 0.0
        if kind == COUNTING:
            return self._count(question, f, rng)
        deviate = float(rng.standard_normal())
        if kind == FORCED_CHOICE:
            side = 1 if question.truth == question.answers[0] else -1
            return np.array([side * _z(0.5 + f / 2) + deviate + self.bias, 0.0])
        guess = self._guess(kind)
        return np.array([_z(guess + (1 - guess) * f) + deviate + self.bias, 0.0])

    def heard(self, question: Question) -> float:
        """F at the level of a question's stimulus."""
        params = question.stimulus.meta.get("params", {}) if question.stimulus else {}
        names = [name for name in (self.parameter, self.second) if name]
        levels: list[Any] = [params.get(_ALIASES.get(name, name)) for name in names]
        if any(not isinstance(level, int | float) for level in levels):
            raise UserError(
                f"this {question.task_name} question says no {' and '.join(names)}: it is about a "
                "clip from elsewhere, or a family without; ask about a stimulus that has it"
            )
        return float(self._function(self.threshold_at(*levels[1:])).unscaled(levels[0]))

    def threshold_at(self, second: float | None = None) -> float:
        """The threshold where the second parameter is `second`."""
        if second is None or not self.gradient:
            return self.threshold
        moved = float(to_axis(self.threshold, self.log)) + self.gradient * (second - self.reference)
        return float(from_axis(moved, self.log))

    def truth(self, kind: str = YES_NO, second: float | None = None) -> Truth:
        """The right result for a kind of task, bias and slips included."""
        guess = self._guess(kind)
        slip = self.lapse / (1 - guess)
        low, high = (self._chance(kind, f, slip) for f in (0.0, 1.0))
        rate = self._rate(lambda f: (self._chance(kind, f, slip) - low) / (high - low) - 0.5)
        function = self._function(self.threshold_at(second))
        return Truth(
            threshold=float(function.at(rate)),
            guess=low,
            lapse=1 - high,
            d_prime_1=float(function.at(self._rate(lambda f: self._d_prime(kind, f, slip) - 1))),
            exact=not self.bias or kind == COUNTING,
        )

    def _chance(self, kind: str, f: float, slip: float) -> float:
        """psi where the function is `f`, both orders of a forced choice equally often."""
        guess = self._guess(kind)
        if kind == COUNTING:
            return guess + (1 - guess) * (1 - slip) * f
        if kind == FORCED_CHOICE:
            s = float(ndtri(0.5 + f / 2))
            heard, missed = (np.mean(ndtr([x + self.bias, x - self.bias])) for x in (s, 0.0))
        else:
            heard, missed = (ndtr(_z(guess + (1 - guess) * x) + self.bias) for x in (f, 0.0))
        return float((1 - slip) * heard + slip * missed)

    def _d_prime(self, kind: str, f: float, slip: float) -> float:
        """z(H) - z(F), over sqrt 2 in forced choice."""
        if kind in (COUNTING, SUBJECTIVE):
            return -math.inf
        if kind == YES_NO:
            return _z(self._chance(kind, f, slip)) - _z(self._chance(kind, 0.0, slip))
        s = float(ndtri(0.5 + f / 2))
        first, second = (  # chance of "first" in either order
            (1 - slip) * ndtr(x + self.bias) + slip * ndtr(self.bias) for x in (s, -s)
        )
        return (_z(first) - _z(second)) / math.sqrt(2)

    def _rate(self, excess: Any) -> float:
        """F where `excess` is 0; nan where it is nowhere."""
        ends = (1e-9, 1 - 1e-9)
        if not excess(ends[0]) < 0 < excess(ends[1]):
            return math.nan
        return float(brentq(excess, *ends, xtol=1e-12))

    def _count(self, question: Question, f: float, rng: np.random.Generator) -> np.ndarray:
        answers = [int(a) for a in question.answers]
        there = int(question.truth or 0)
        guess, more = self._guess(COUNTING), float(ndtr(self.bias))
        answer = there
        if rng.random() >= guess + (1 - guess) * f:
            answer += 1 if rng.random() < more else -1
            answer = answer if answer in answers else 2 * there - answer
        return -2.0 * np.abs(np.array(answers) - answer)

    def _is_catch(self, question: Question) -> bool:
        return question.task.has_alarms and question.truth == question.answers[1]

    def _guess(self, kind: str) -> float:
        if kind == FORCED_CHOICE:
            return 0.5
        if self.guess is not None:
            return self.guess
        return 0.0 if kind == COUNTING else float(ndtr(-1))

    def _function(self, threshold: float) -> Psychometric:
        return Psychometric(
            self.function, threshold, self.width, guess=0.0, falling=self.falling, log=self.log
        )


def _rng(seed: int, question: Question) -> np.random.Generator:
    """Random numbers that depend on the listener's seed and the question alone."""
    digest = hashlib.sha256(f"{seed}:{question.key}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def _z(p: float) -> float:
    return float(ndtri(min(max(p, 1e-12), 1 - 1e-12)))


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:g}" if isinstance(value, float) else str(value)
