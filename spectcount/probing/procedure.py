"""Plans that follow the answers: a track for each condition, interleaved at random.

Conventions: presentation k of track t depends only on (seed, t, k) and its level, so that a run
that was stopped or killed goes on, from its trials, exactly as it would have gone. Each round asks
one question of every track that still runs, in random order. Yes/no: the track follows the signal
trials, catch trials come in between at the share asked for, and the false-alarm rate is free in
the fit. Forced choice: signal or counterpart at random, equally often. Roles are balanced in
blocks of ten. Coords of a trial: `x` track, `level` (and `second`), `role`, `trial` = k.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spectcount.errors import UserError
from spectcount.params import param
from spectcount.probing.axes import Axis, declaration, level_axis
from spectcount.probing.base import (
    Plan,
    axis_name,
    compare_at,
    fitted_function,
    limit,
    refuse_idle,
    whole,
)
from spectcount.probing.conditions import (
    NO_CONDITION,
    Condition,
    check_conditions,
    condition_axis,
    conditions_of,
)
from spectcount.probing.draws import Cell, PlannedQuestion, seed_of, words_shared
from spectcount.probing.ideal_level import ideal_d_prime
from spectcount.probing.tracks import CATCH, RunningTrack, Stopping, catch_before, role_of
from spectcount.psychophysics.adaptive.base import Track
from spectcount.psychophysics.sdt import Interval
from spectcount.stimulus import Stimulus
from spectcount.trials import Trial

LOW, HIGH = "low", "high"
WRONG_WAY = 2.0
"""How many times the ideal observer's d' may be larger at the end that is said to be harder."""
Level = tuple[float, ...]


@dataclass(frozen=True)
class Procedure(Plan):
    """Base of the plans that follow the answers; see the module."""

    adaptive: ClassVar[bool] = True
    fitted: ClassVar[bool] = True
    title: ClassVar[str] = ""
    estimate_of: ClassVar[str] = ""
    """The part of a threshold that a track estimates by itself."""
    undeclared: ClassVar[tuple[str, ...]] = ("design", "draw", "conditions")

    trials: int = whole(
        80,
        "At most this many trials in each track, catch trials among them.",
        (5, 1000),
        "Trials per track",
        slider_high=300,
    )
    catch_share: float = param(
        0.2,
        "Share of catch trials where the task is yes or no: they tell the false-alarm rate.",
        low=0.05,
        high=0.8,
        step=0.05,
        label="Catch share",
        group="task",
    )
    parameter: str = axis_name(
        "level_dbfs", "The parameter whose threshold is sought.", "Parameter"
    )
    low: float | None = limit("Lowest level; empty: as declared.", "From")
    high: float | None = limit("Highest level; empty: as declared.", "To")
    harder: str = param(
        LOW,
        "At which end of the parameter the task is harder. Refused where the ideal observer "
        "finds it clearly the other way round.",
        choices=(LOW, HIGH),
        label="Harder end",
        group="axes",
    )
    condition: str = axis_name(
        NO_CONDITION,
        "A parameter that has a track for each of its values, all interleaved.",
        "Condition",
        NO_CONDITION,
    )
    condition_values: str = param(
        "",
        "Values of the condition, such as 250, 500, 1000.",
        label="Condition values",
        group="axes",
    )
    function: str = fitted_function()
    guess: float | None = param(
        None,
        "Rate of successes by guessing; empty: 1/2 in forced choice, else free.",
        kind=float,
        low=0,
        high=0.9,
        step=0.01,
        label="Guess rate",
        group="fit",
    )
    lapse: float | None = param(
        None,
        "Rate of slips however easy the trial; empty: free.",
        kind=float,
        low=0,
        high=0.5,
        step=0.01,
        label="Lapse rate",
        group="fit",
    )
    compare_at: float | None = compare_at()
    min_trials: int = whole(
        20,
        "Trials without catch trials before the interval may end a track.",
        (1, 1000),
        "Trials at least",
        slider_high=100,
        group="stop",
    )
    interval_width: float | None = param(
        None,
        "A track ends once the 95 % interval of its threshold is this wide or less (decades "
        "where the parameter has a log axis); empty: never.",
        kind=float,
        low=0,
        high=1e6,
        label="Interval width",
        group="stop",
    )
    conditions: tuple[Mapping[str, Any], ...] = ()

    @property
    def procedure(self) -> Procedure:
        return self

    def make_track(self, index: int) -> Track:
        """A fresh track for condition number `index`."""
        raise NotImplementedError(type(self).__name__)

    @property
    def rule_words(self) -> str:
        """The rule by which the level follows the answers, in a sentence for a methods section."""
        return f"Levels followed the rule of {self.title}."

    @property
    def check_words(self) -> str:
        """Where trials that tell lapses come in between, in a sentence."""
        return ""

    @property
    def stop_words(self) -> str:
        """When a track ends before its last trial, in a clause."""
        if self.interval_width is None:
            return ""
        return f", or once the interval of its threshold was {self.interval_width:g} wide"

    def check_track(self) -> None:
        """Raises `UserError` for parameters from which no track can be made."""
        self.make_track(0)

    @property
    def interval_of(self) -> Callable[[Track], Interval] | None:
        """The function that finds the interval whose width may end a track; None where the track
        sees to that itself."""
        return None

    @property
    def tracked(self) -> tuple[str, ...]:
        """Names of the parameters whose level follows the answers."""
        return (self.parameter,)

    def check(self) -> None:
        super().check()
        object.__setattr__(self, "conditions", tuple(self.conditions))
        check_conditions(
            self.condition, self.condition_values, self.conditions, self.tracked, self._family
        )
        check_levels(self)
        self.check_track()

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "conditions": [dict(c) for c in self.conditions]}

    # Where the levels and the tracks lie

    @functools.cached_property
    def levels(self) -> tuple[Axis, ...]:
        """Range of each tracked parameter: an axis of two levels, lowest and highest."""
        return (self._range(self.parameter, self.low, self.high),)

    def _range(self, name: str, low: float | None, high: float | None) -> Axis:
        return level_axis(declaration(name, self._family), low, high, 2)

    def ends(self, index: int = 0) -> tuple[float, float]:
        """Lowest and highest level of tracked parameter number `index`."""
        low, high = self.levels[index].edges
        return low, high

    @property
    def log(self) -> bool:
        """True where the tracked parameter is on a logarithmic axis, as declared."""
        return self.is_log(0)

    def is_log(self, index: int) -> bool:
        """The same of tracked parameter number `index`."""
        axis = self.levels[index]
        return axis.declared.log and axis.edges[0] > 0

    @property
    def falling(self) -> bool:
        """True where higher levels are harder."""
        return self.harder == HIGH

    @property
    def guess_rate(self) -> float | None:
        """The guess rate that is known, None where it is free."""
        return self.asked.guess_rate if self.guess is None else self.guess

    @functools.cached_property
    def axes(self) -> tuple[Axis, ...]:
        """One axis, whose cells are the tracks."""
        return (
            condition_axis(
                self.condition, self.condition_values, len(self.conditions), self._family
            ),
        )

    @property
    def axis_names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    @functools.cached_property
    def tracks(self) -> tuple[Condition, ...]:
        """The condition of each track."""
        return conditions_of(self.axes[0], self.conditions)

    @property
    def background_axes(self) -> tuple[int, ...]:
        return (0,)  # each track has catch trials of its own

    @property
    def _varied(self) -> tuple[str, ...]:
        listed = [key for condition in self.conditions for key in condition]
        return (*self.tracked, self.condition, *listed)

    @property
    def n_trials(self) -> int:
        return self.trials * len(self.tracks)

    @property
    def catch_trials(self) -> int:
        """Catch trials of all tracks, about: at most `trials` presentations hold that share."""
        return round(self._catch_share * self.n_trials)

    # Asking

    def ask(self, seed: int) -> Generator[list[PlannedQuestion], list[Trial], None]:
        """Rounds of one question for each track that still runs."""
        running = [self.running(i) for i in range(len(self.tracks))]
        n_rounds = 0
        while left := [i for i, track in enumerate(running) if not track.finished]:
            order = np.random.default_rng(seed_of(seed, "round", n_rounds)).permutation(len(left))
            planned_next = [(left[int(i)], *self._next(seed, left[int(i)], running)) for i in order]
            answered = yield [planned for _, planned, _ in planned_next]
            for (index, planned, level), trial in zip(planned_next, answered, strict=True):
                running[index].take(planned.coords["role"], level, trial)
            n_rounds += 1

    def running(self, index: int) -> RunningTrack:
        """Track number `index` before its first trial, with its rules for stopping."""
        stopping = Stopping(self.trials, self.min_trials, self.interval_width, self.log)
        watch = self.interval_of if self.interval_width is not None else None
        return RunningTrack(self.make_track(index), self.asked, stopping, watch)

    def role(self, seed: int, index: int, k: int) -> str:
        """Signal or catch: what presentation `k` of a track is."""
        return role_of(self._catch_share, seed, index, k)

    def _next(
        self, seed: int, index: int, running: list[RunningTrack]
    ) -> tuple[PlannedQuestion, Level]:
        """The next question of a track and the level it is asked at."""
        track = running[index]
        level = self.level_asked(track.track.suggest())
        return self.question(seed, index, track.k, level), level

    def level_asked(self, suggested: Level) -> Level:
        """A level that a stimulus can have: within the range, whole where the parameter is."""
        levels = []
        for axis, value in zip(self.levels, suggested, strict=True):
            low, high = axis.edges
            bounded = min(max(float(value), low), high)
            levels.append(float(round(bounded)) if axis.whole else float(f"{bounded:.9g}"))
        return tuple(levels)

    def question(self, seed: int, index: int, k: int, level: Level) -> PlannedQuestion:
        """Presentation `k` of track number `index` at a level."""
        role = self.role(seed, index, k)
        trial_seed = seed_of(seed, "track", index, k)
        rng = np.random.default_rng([trial_seed, 1])
        drawn = self._drawn(seed, "track", (index,), k, rng)
        pair = self._pair_at(index, level, drawn, trial_seed)
        coords: dict[str, Any] = {"x": index, "y": 0, "role": role, "trial": k, "level": level[0]}
        if len(level) > 1:
            coords["second"] = level[1]
        if self.condition != NO_CONDITION:
            coords["x_value"] = self.axes[0].edges[index]
        where = self._where(index, level)
        return self._planned(pair[role == CATCH], self._words(seed, index, k), coords, where)

    def _words(self, seed: int, index: int, k: int) -> int:
        """Place in the cycle of words of presentation `k`: signal and catch trials of a track go
        through the same places equally often, in random order so that no track falls into step."""
        n_catch = catch_before(self._catch_share, seed, index, self.trials)
        n = words_shared(self.task, self.wordings, self.trials - n_catch, n_catch)
        role = self.role(seed, index, k)
        before = catch_before(self._catch_share, seed, index, k)
        turn, place = divmod(before if role == CATCH else k - before, n)
        order = np.random.default_rng(seed_of(seed, "words", index, role, turn)).permutation(n)
        return int(order[place])

    @property
    def _catch_share(self) -> float:
        if self.asked.forced_choice:
            return 0.5
        return self.catch_share if self.asked.has_alarms else 0.0

    # Stimuli

    def at(self, index: int, level: Level, seed: int = 0) -> tuple[Stimulus, Stimulus]:
        """Signal and counterpart of a track at a level."""
        return self._pair_at(index, level, self._most, seed)

    def middle_stimulus(self, cell: Cell, seed: int = 0) -> Stimulus:
        values = [axis.middle(0) for axis in self._middles]
        return self.at(cell[0], self.level_asked(tuple(values)), seed)[0]

    def refuse_infeasible(self) -> None:
        """Try every track at the ends of its levels; raises `UserError` naming the first that
        cannot be."""
        for condition in self.tracks:
            for corner in self._corners():
                self.at(condition.index, corner)

    @property
    def _middles(self) -> list[Axis]:
        """One wide cell over the range of each tracked parameter."""
        return [Axis(axis.declared, axis.edges) for axis in self.levels]

    def _corners(self) -> Iterator[Level]:
        corners: list[Level] = [()]
        for axis in self.levels:
            corners = [(*c, v) for c in corners for v in axis.edges]
        yield from corners

    def _pair_at(
        self, index: int, level: Level, drawn: Mapping[str, Any], seed: int
    ) -> tuple[Stimulus, Stimulus]:
        changes = {**drawn, **self.tracks[index].changes}
        for axis, value in zip(self.levels, level, strict=True):
            changes.update(axis.assign(0, int(value) if axis.whole else value))
        return self._pair(changes, seed, self._where(index, level))

    def _where(self, index: int, level: Level) -> str:
        levels = ", ".join(
            f"{axis.name}={value:g}" for axis, value in zip(self.levels, level, strict=True)
        )
        words = self.tracks[index].words
        return f"track {index + 1}" + (f" ({words})" if words else "") + f" at {levels}"


def check_levels(plan: Procedure) -> None:
    """Raises `UserError` for tracked parameters that have no level, that something else changes,
    that change nothing, or whose harder end is clearly the other one."""
    for index, name in enumerate(plan.tracked):
        if name == "mel_channel":
            raise UserError(
                "mel_channel is drawn anew for each event and has no level; follow frequency"
            )
        if name in plan.draw:
            raise UserError(f"draw {name} would undo the track; draw another parameter")
        pairs = {tuple(sound.hash for sound in plan.at(0, ends)) for ends in _ends(plan, index)}
        if len(pairs) == 1:
            refuse_idle(name)
    _refuse_wrong_way(plan)


def _ends(plan: Procedure, index: int) -> list[tuple[float, ...]]:
    """The lowest and the highest level of one parameter, the others at their highest."""
    level = [axis.edges[1] for axis in plan.levels]
    return [(*level[:index], end, *level[index + 1 :]) for end in plan.ends(index)]


def _refuse_wrong_way(plan: Procedure) -> None:
    """The ideal observer's word on which end is harder, where it has one."""
    if not plan.asked.two_class:
        return
    low, high = (ideal_d_prime(plan.at(0, end)[0], plan.asked) for end in _ends(plan, 0))
    hard, easy = (high, low) if plan.falling else (low, high)
    if math.isfinite(hard) and math.isfinite(easy) and hard > WRONG_WAY * max(easy, 1e-9):
        other = "low" if plan.falling else "high"
        raise UserError(
            f"harder={plan.harder}, but the ideal observer finds {plan.parameter} harder at its "
            f"{other} end (d' {easy:.3g} there, {hard:.3g} at the other); set harder={other}"
        )
