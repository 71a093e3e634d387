"""One track of a procedure as it goes: what was presented, what that does to it, when it ends.

Conventions: presentations of a track count from 0, catch trials among them; a presentation's level
is a tuple, one number per tracked parameter. A success is "yes" to a signal trial (yes/no), the
right answer (forced choice, counting), or the first answer (subjective tasks). A track is a pure
function of its presentations and answers, so that it can be replayed from a table of trials.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spectcount.probing.draws import seed_of
from spectcount.psychophysics.adaptive.base import Track
from spectcount.psychophysics.psychometric import to_axis
from spectcount.psychophysics.sdt import Interval
from spectcount.tasks import Task
from spectcount.trials import Trial

SIGNAL, CATCH = "signal", "catch"
BLOCK = 10
"""Presentations within which the share of catch trials (or of each order) is kept."""
CHECK_EVERY = 8
"""Signal trials from one look at the interval to the next, where a track may end by it."""


@dataclass(frozen=True)
class Stopping:
    """When a track ends, whatever its procedure says: after `trials` presentations, or, from
    `min_trials` on, once the interval of its threshold is `interval_width` or less wide (decades
    where `log`)."""

    trials: int
    min_trials: int = 1
    interval_width: float | None = None
    log: bool = False


@dataclass(frozen=True)
class Presented:
    """One presentation: number, role, level and what came of it (a success; of a catch trial,
    whether the answer was yes)."""

    k: int
    role: str
    level: tuple[float, ...]
    success: bool


class RunningTrack:
    """A procedure together with the presentations that it was given."""

    def __init__(
        self,
        track: Track,
        task: Task,
        stopping: Stopping,
        threshold: Callable[[Track], Interval] | None = None,
    ) -> None:
        self.track = track
        self.asked = task
        self.stopping = stopping
        self.presented: list[Presented] = []
        self._threshold = threshold
        self._narrow = ""

    @property
    def k(self) -> int:
        """Number of the next presentation."""
        return len(self.presented)

    @property
    def finished(self) -> bool:
        return bool(self.reason)

    @property
    def reason(self) -> str:
        """Why it ended, in words; empty while it runs."""
        if self._narrow or self.track.finished:
            return self._narrow or self.track.reason
        return f"{self.k} trials" if self.k >= self.stopping.trials else ""

    def take(self, role: str, level: tuple[float, ...], trial: Trial) -> None:
        """Take in the answer to the next presentation."""
        success = succeeded(self.asked, trial)
        self.presented.append(Presented(self.k, role, level, success))
        if role == CATCH and not self.asked.forced_choice:
            self.track.catch(success)
            return
        self.track.update(level, success)
        n = self.track.n
        if self._threshold is not None and n >= self.stopping.min_trials and n % CHECK_EVERY == 0:
            self._narrow = self._why_narrow(self._threshold(self.track))

    def _why_narrow(self, interval: Interval) -> str:
        width = self.stopping.interval_width
        if width is None or math.isnan(interval.value):
            return ""
        low, high = (
            float(to_axis(end, self.stopping.log)) for end in (interval.low, interval.high)
        )
        if not high - low <= width:
            return ""
        unit = " decades" if self.stopping.log else ""
        return f"interval of the threshold is {high - low:.3g}{unit} wide"


def succeeded(of_task: Task, trial: Trial) -> bool:
    """True where an answer is a success; see the module."""
    if of_task.forced_choice or of_task.counts:
        return bool(trial.correct)
    return trial.answer == trial.answers[0]


def role_of(catch_share: float, seed: int, index: int, k: int) -> str:
    """The kind of presentation `k` of track number `index`: signal or catch, in random order within
    each block, as many of each as the share asks for."""
    before, after = (catch_before(catch_share, seed, index, n) for n in (k, k + 1))
    return CATCH if after > before else SIGNAL


def catch_before(catch_share: float, seed: int, index: int, k: int) -> int:
    """The number of catch trials among the first `k` presentations of a track."""
    block, place = divmod(k, BLOCK)
    due = [math.floor(catch_share * BLOCK * b + 0.5) for b in (block, block + 1)]
    order = np.random.default_rng(seed_of(seed, "roles", index, block)).permutation(BLOCK)
    return due[0] + int(np.sum(order[:place] < due[1] - due[0]))
