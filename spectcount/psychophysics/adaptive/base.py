"""Adaptive procedures: a next level, a place for the answer, a reason to stop.

*Conventions*: a level is a tuple with one number per varied parameter, in the parameter's own
unit. A success is a right answer (forced choice) or "yes" (yes/no). A catch trial holds no signal;
its "yes" answers tell the guess rate. A track has no randomness: the next level follows from the
options and the history alone, so that a track is resumed by giving the answers to a fresh one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spectcount.errors import UserError
from spectcount.psychophysics.sdt import Interval


@dataclass(frozen=True)
class Answer:
    """One trial of a track: the level `x` it was given at, and whether it was a success.
    A catch trial has no level: `x` is empty."""

    x: tuple[float, ...]
    success: bool

    @property
    def is_catch(self) -> bool:
        return not self.x


class Estimate(Protocol):
    """The threshold, nan in an unbounded interval where it is not measurable, and then why."""

    @property
    def threshold(self) -> Interval: ...

    @property
    def reason(self) -> str: ...


class Track(ABC):
    """An adaptive procedure over `n_parameters` stimulus parameters, and its history, checked as it
    comes: `answers` in order, `trials` without those to catch trials."""

    def __init__(self, n_parameters: int) -> None:
        self.n_parameters = n_parameters
        self.answers: list[Answer] = []
        self.trials: list[Answer] = []

    @abstractmethod
    def suggest(self) -> tuple[float, ...]:
        """The level of the next trial; the same until `update` is called."""

    @abstractmethod
    def update(self, x: tuple[float, ...], success: bool) -> None:
        """Take in an answer at level `x`, normally the one suggested."""

    def catch(self, yes: bool) -> None:
        """Take in the answer to a catch trial; it does not move the track."""
        self.answers.append(Answer((), _as_bool(yes)))

    @property
    @abstractmethod
    def reason(self) -> str:
        """Why the track stopped, in words; empty while it runs."""

    @abstractmethod
    def estimate(self, level: float = 0.95) -> Estimate:
        """The threshold with its interval, from all trials so far."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Plain data for a live plot: n, finished, reason, suggestion, levels, successes,
        reversals, bounds, estimate, and whatever else the procedure shows."""

    @property
    def finished(self) -> bool:
        return bool(self.reason)

    @property
    def n(self) -> int:
        """Trials so far, without catch trials."""
        return len(self.trials)

    @property
    def history(self) -> tuple[Answer, ...]:
        """Every answer in order, catch trials among them."""
        return tuple(self.answers)

    @property
    def catch_counts(self) -> tuple[int, int]:
        """ "Yes" answers to catch trials, and catch trials."""
        caught = [a.success for a in self.answers if a.is_catch]
        return sum(caught), len(caught)

    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """Levels [n, n_parameters] and successes [n] of the trials that were not catch trials."""
        levels = np.array([a.x for a in self.trials], float).reshape(self.n, self.n_parameters)
        return levels, np.array([a.success for a in self.trials], int)

    def _add(self, x: Iterable[float], success: bool) -> Answer:
        """Hold an answer; raises `UserError` for a level that is none."""
        x = tuple(float(v) for v in x)
        if len(x) != self.n_parameters or not all(map(math.isfinite, x)):
            raise UserError(
                f"{x} is no level of this track; give {self.n_parameters} finite number(s)"
            )
        answer = Answer(x, _as_bool(success))
        self.answers.append(answer)
        self.trials.append(answer)
        return answer


def simulate(
    track: Track,
    chance: Callable[..., float],
    rng: np.random.Generator,
    *,
    catch_every: int = 0,
    guess: float = 0.0,
) -> Track:
    """Run a track to its end on a listener whose chance of a success at (x1, ...) is known; after
    every `catch_every` trials (0: never) comes a catch trial, "yes" with chance `guess`."""
    while not track.finished:
        x = track.suggest()
        track.update(x, bool(rng.random() < chance(*x)))
        if catch_every and track.n % catch_every == 0:
            track.catch(bool(rng.random() < guess))
    return track


def in_words(n: int, what: str) -> str:
    """A count of trials or reversals: "1 trial", "64 trials"."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _as_bool(success: Any) -> bool:
    if isinstance(success, bool | np.bool_) or success in (0, 1):
        return bool(success)
    raise UserError(f"an answer of {success!r} is neither right nor wrong; give True or False")
