"""The trials of one track as a fit needs them: levels, successes, catch trials.

Conventions: of a yes/no task the catch trials stand apart, whatever their level; in forced choice
every trial moves the track, whichever of its two sounds was right. Trials stand in the order in
which they were answered: a listener may change on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spectcount.params import Param
from spectcount.probing.plan import Curve
from spectcount.probing.tracks import CATCH, SIGNAL, succeeded
from spectcount.trials import Trial


@dataclass(frozen=True)
class Series:
    """The trials of one track: `levels` [n] of the trials that move it, their `success`, and for
    yes/no the catch trials."""

    declared: Param
    levels: np.ndarray
    success: np.ndarray
    trials: tuple[Trial, ...]
    catch: tuple[Trial, ...]
    log: bool
    falling: bool

    @property
    def catch_counts(self) -> tuple[int, int]:
        """ "Yes" answers to catch trials, and catch trials."""
        return sum(t.answer == t.answers[0] for t in self.catch), len(self.catch)


def series_of(plan: Curve, trials: Iterable[Trial]) -> Series:
    """A curve over exact levels as one track; which end is harder, the answers say where the plan
    does not."""
    declared = plan.axes[0].declared
    kept = sorted(trials, key=lambda t: (t.at, t.key))
    catch = tuple(t for t in kept if plan.asked.has_alarms and t.coords["role"] == CATCH)
    roles = (SIGNAL, CATCH) if plan.asked.forced_choice else (SIGNAL,)
    moving = tuple(t for t in kept if t.coords["role"] in roles)
    levels = np.array([float(t.coords["x_value"]) for t in moving])
    success = np.array([succeeded(plan.asked, t) for t in moving])
    log = declared.log and bool(np.all(levels > 0))
    falling = _falls(levels, success) if plan.harder == "auto" else plan.harder == "high"
    return Series(declared, levels, success, moving, catch, log, falling)


def _falls(levels: np.ndarray, success: np.ndarray) -> bool:
    """Whether successes become rarer with the level."""
    if len(levels) < 2:
        return False
    return float(np.mean((levels - levels.mean()) * (success - success.mean()))) < 0
