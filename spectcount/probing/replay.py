"""Trials -> tracks: what a procedure has done so far, found again from the table of trials alone.

Conventions: the trials of one listener and one plan go in, in any order and as incomplete as they
are; a track ends at the first presentation that is missing. Nothing is shown that does not follow
from the trials.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spectcount.probing.procedure import Procedure
from spectcount.probing.tracks import RunningTrack
from spectcount.psychophysics.adaptive import marginal
from spectcount.psychophysics.adaptive.quest_plus import QuestPlus
from spectcount.psychophysics.adaptive.staircase import Staircase
from spectcount.psychophysics.fit import Fit
from spectcount.psychophysics.plain import plain
from spectcount.psychophysics.psychometric import from_axis, to_axis
from spectcount.trials import Trial

N_BINS = 60
"""Bins of the posterior of a fit."""
_ENDS = (0.025, 0.5, 0.975)


@dataclass(frozen=True)
class _Seen:
    """A track's trials; equal where plan, track and answers are."""

    identity: tuple[Any, ...]
    plan: Procedure = field(compare=False)
    index: int = field(compare=False)
    trials: tuple[Trial, ...] = field(compare=False)


def track_state(plan: Procedure, trials: Iterable[Trial]) -> list[dict[str, Any]]:
    """One listener's tracks for a live plot, plain data, one entry for each condition:

    - `track` (from 0), `condition` in words, `parameter`, `second`, `unit`, `log`, `falling`;
    - `presentations`: k, role, level and success of each, catch trials among them;
    - `running`: value, low and high of the estimate after each presentation (None where there is
      none yet; a staircase has the mean of its reversals, without an interval; a surface none);
    - `posterior`: grid and mass of the threshold, {} where there is none (yet, or a surface);
    - `ended`: why the track ended, "" while it runs;
    - and the procedure's own state (levels, successes, reversals, estimate, marginals, ...).

    `trials` are those of one listener and of this plan (`plan.parts_of` parts interleaved ones).
    """
    listed, about = list(trials), json.dumps(plan.to_dict(), sort_keys=True)
    seen = []
    for i in range(len(plan.tracks)):
        of_track = presentations(listed, i)
        answers = tuple((t.key, t.answer) for t in of_track)
        seen.append(_Seen((about, i, answers), plan, i, tuple(of_track)))
    return [_state_of(track) for track in seen]


def presentations(trials: Iterable[Trial], index: int) -> list[Trial]:
    """The trials of track number `index` in their order, up to the first that is missing."""
    by_place = {int(t.coords["trial"]): t for t in trials if int(t.coords["x"]) == index}
    return [by_place[k] for k in itertools.takewhile(by_place.__contains__, itertools.count())]


def replayed(plan: Procedure, index: int, trials: Sequence[Trial]) -> RunningTrack:
    """Track number `index` after these trials, all its own and in their order."""
    track = plan.running(index)
    for trial in trials:
        track.take(trial.coords["role"], level_of(trial), trial)
    return track


def level_of(trial: Trial) -> tuple[float, ...]:
    """The level that a procedure's trial was asked at."""
    names = ("level", "second") if "second" in trial.coords else ("level",)
    return tuple(float(trial.coords[name]) for name in names)


@functools.lru_cache(maxsize=128)
def _state_of(seen: _Seen) -> dict[str, Any]:
    """The state of one track; what was found for the same answers is kept."""
    plan, running = seen.plan, []
    track = plan.running(seen.index)
    for trial in seen.trials:
        track.take(trial.coords["role"], level_of(trial), trial)
        running.append(_estimate_now(track))
    declared = plan.levels[0].declared
    return plain(
        {
            **(track.track.state() if seen.trials else {}),
            "track": seen.index,
            "condition": plan.tracks[seen.index].words,
            "parameter": declared.name,
            "label": declared.axis_label,
            "second": plan.tracked[1] if len(plan.tracked) > 1 else "",
            "unit": declared.unit,
            "log": plan.log,
            "falling": plan.falling,
            "range": [plan.ends(i) for i in range(len(plan.levels))],
            "presentations": [
                {"k": p.k, "role": p.role, "level": p.level, "success": p.success}
                for p in track.presented
            ],
            "running": running,
            "posterior": _posterior(track),
            "ended": track.reason,
        }
    )


def _estimate_now(track: RunningTrack) -> dict[str, float | None]:
    """Value, low and high of the estimate that costs nothing to have after every trial."""
    procedure = track.track
    if isinstance(procedure, Staircase):
        return {"value": procedure.reversal_mean(), "low": None, "high": None}
    if isinstance(procedure, QuestPlus) and procedure.n:
        options = procedure.options
        quantiles = marginal.quantile(
            options.axis(options.of), procedure.marginal(options.of), _ENDS
        )
        low, value, high = (float(from_axis(u, options.log)) for u in quantiles)
        return {"value": value, "low": low, "high": high}
    return {"value": None, "low": None, "high": None}


def _posterior(track: RunningTrack) -> dict[str, Any]:
    """Grid and mass of the threshold's posterior: QUEST+ has one, of a staircase the fit's."""
    procedure = track.track
    if isinstance(procedure, QuestPlus):
        of = procedure.options.of
        return {"grid": procedure.options.parameters[of], "mass": procedure.marginal(of)}
    if isinstance(procedure, Staircase) and procedure.n:
        return fit_posterior(procedure.estimate())
    return {}


def fit_posterior(fit: Fit) -> dict[str, Any]:
    """Grid and mass of the threshold's posterior in a fit, from its draws."""
    levels = np.sort(fit.counts.to_level(fit.draws[:, 0]))
    mass, edges = np.histogram(to_axis(levels, fit.function.log), bins=N_BINS)
    middles = from_axis((edges[1:] + edges[:-1]) / 2, fit.function.log)
    return {"grid": middles, "mass": mass / mass.sum()}
