"""Staircases: 1-up n-down and weighted up-down.

*Conventions*: "harder" is where a success leads and "easier" where a failure leads; which way that
is on the parameter is `harder`. Steps are added to the level or, where `scale` is "multiplicative",
multiply and divide it (a step of 2 halves and doubles). A reversal is a trial after which the
track turns round; its level is the one it was given at. Levels never leave [low, high]; a move
that the bound cuts to nothing is a hit of the bound, and too many hits in a row end the track as
not measurable.

The mean of the reversals is shown because everybody looks at it. It is no estimate with an
interval: reversals depend on each other, their spread depends on the step size, and their mean is
biased by the start and by the bounds. `Staircase.estimate` therefore fits a psychometric function
to all trials, with lapses free, and takes threshold and interval from the posterior. A listener
whose best lies near the share of successes at which the staircase settles keeps it from the hard
levels: then the answers leave the threshold open over much of the range, and there is none.

Sources: Levitt (1971), J. Acoust. Soc. Am. 49:467, for 1-up n-down, which settles where a success
has the chance 0.5^(1/n): 50, 70.7, 79.4, 84.1 %; Kaernbach (1991), Percept. Psychophys. 49:227,
for the weighted rule: p times the step to the harder side = (1 - p) times that to the easier one.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.errors import UserError
from spectcount.psychophysics.adaptive.base import Track, in_words
from spectcount.psychophysics.fit import Fit, fit
from spectcount.psychophysics.fit_grid import OPEN_SHARE, TRACK_OPEN_SHARE
from spectcount.psychophysics.plain import plain

_MAX_DOWN = 4
_HEARS, _ROOM = 0.1, 0.15
"""A best at least so far above the guess rate, and not so far above the share of successes at which
a staircase settles, is named as the reason where there is no threshold."""


@dataclass(frozen=True)
class StaircaseOptions:
    """A staircase before its first trial.

    `start`: first level. `low`, `high`: bounds of the level. `steps`: step sizes in turn, the last
    one kept; each but the last is used for `reversals_per_step` reversals. `down`: successes in a
    row that make it harder. `target`: chance of a success at which a weighted staircase settles
    (then `down` is 1 and `steps` are those to the harder side). It ends after `max_reversals` or
    `max_trials`, or after `stuck_after` hits of a bound in a row. `guess` (None: free), `lapse`
    (None: free), `function` and `log` are those of the fit behind the estimate. `check_every`:
    after so many trials comes one at the easiest level, where lapses and answers that fall again
    show; it does not move the track. 0: never, as published.
    """

    start: float
    low: float
    high: float
    steps: tuple[float, ...] = (4.0, 2.0, 1.0)
    down: int = 2
    target: float | None = None
    scale: str = "additive"
    harder: str = "down"
    reversals_per_step: int = 2
    max_reversals: int = 12
    max_trials: int = 100
    stuck_after: int = 8
    guess: float | None = 0.5
    lapse: float | None = None
    function: str = "gaussian"
    log: bool | None = None
    check_every: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(float(s) for s in self.steps))
        if self.log is None:
            object.__setattr__(self, "log", self.scale == "multiplicative")
        self._check_words()
        self._check_levels()
        self._check_rule()

    def _check_words(self) -> None:
        for name, value, known in (
            ("scale", self.scale, ("additive", "multiplicative")),
            ("harder", self.harder, ("down", "up")),
        ):
            if value not in known:
                raise UserError(f"{name}={value!r} is not known; choose {' or '.join(known)}")

    def _check_levels(self) -> None:
        if not all(map(math.isfinite, (self.start, self.low, self.high))):
            raise UserError(
                f"start={self.start}, low={self.low}, high={self.high}: give finite numbers"
            )
        if not self.low < self.high:
            raise UserError(f"low={self.low} is not below high={self.high}; give low < high")
        if not self.low <= self.start <= self.high:
            raise UserError(
                f"start={self.start} is outside {self.low}..{self.high}; start within the bounds"
            )
        if (self.scale == "multiplicative" or self.log) and self.low <= 0:
            raise UserError(f"low={self.low} has no logarithm; give a lower bound above 0")

    def _check_rule(self) -> None:
        least = 1.0 if self.scale == "multiplicative" else 0.0
        if not self.steps or not all(math.isfinite(s) and s > least for s in self.steps):
            raise UserError(f"steps={self.steps} move nothing; give finite steps above {least:g}")
        if not 1 <= self.down <= _MAX_DOWN:
            raise UserError(f"down={self.down} is no rule; give 1 to {_MAX_DOWN}")
        if self.target is not None and not (0 < self.target < 1 and self.down == 1):
            raise UserError(
                f"target={self.target} with down={self.down}: a weighted staircase needs a target "
                "between 0 and 1 and down=1"
            )
        if self.check_every < 0 or self.check_every == 1:
            raise UserError(
                f"check_every={self.check_every} leaves no trial to the staircase; give 2 or more, "
                "or 0 for none"
            )
        limits = (self.max_reversals, self.max_trials, self.stuck_after, self.reversals_per_step)
        if min(limits) < 1:
            raise UserError(f"limits {limits} end a staircase before it starts; give 1 or more")

    @property
    def settles_at(self) -> float:
        """The chance of a success at which the staircase settles."""
        return self.target if self.target is not None else 0.5 ** (1 / self.down)

    @property
    def rule(self) -> str:
        """The rule in words."""
        if self.target is not None:
            return f"weighted up-down, {100 * self.target:.3g} % (Kaernbach 1991)"
        return f"1-up {self.down}-down, {100 * self.settles_at:.3g} % (Levitt 1971)"


def up_down(down: int, start: float, low: float, high: float, **options: Any) -> Staircase:
    """A 1-up n-down staircase (Levitt 1971)."""
    return Staircase(StaircaseOptions(start, low, high, down=down, **options))


class Staircase(Track):
    """A running staircase over one parameter; see `StaircaseOptions` and `base.Track`."""

    def __init__(self, options: StaircaseOptions) -> None:
        self.options = options
        self.reversals: list[int] = []
        """Indices of the trials, catch trials not counted, after which the track turned."""
        self.bound_hits = {"low": 0, "high": 0}
        super().__init__(1)
        self._level = options.start
        self._row = 0
        self._last_move = 0
        self._hits_in_a_row = 0

    def suggest(self) -> tuple[float, ...]:
        return (self._easiest if self._checks_next else self._level,)

    @property
    def _easiest(self) -> float:
        return self.options.low if self.options.harder == "up" else self.options.high

    @property
    def _checks_next(self) -> bool:
        every = self.options.check_every
        return every > 0 and self.n % every == every - 1

    def update(self, x: tuple[float, ...], success: bool) -> None:
        checks = self._checks_next and math.isclose(float(x[0]), self._easiest, rel_tol=1e-6)
        answer = self._add(x, success)
        if checks:
            return
        self._row = self._row + 1 if answer.success else 0
        if not answer.success:
            self._move(-1)
        elif self._row == self.options.down:
            self._row = 0
            self._move(+1)

    def _move(self, move: int) -> None:
        """One step to the harder (+1) or easier (-1) side."""
        if self._last_move and move != self._last_move:
            self.reversals.append(self.n - 1)
        self._last_move = move
        level = float(f"{self._stepped(move):.12g}")  # equal levels stay equal after many steps
        bounded = min(max(level, self.options.low), self.options.high)
        if bounded != self._level:
            self._hits_in_a_row = 0
        else:
            self._hits_in_a_row += 1
            self.bound_hits["low" if level < bounded else "high"] += 1
        self._level = bounded

    def _stepped(self, move: int) -> float:
        sign = move if self.options.harder == "up" else -move
        size = self._step_size(move)
        if self.options.scale == "additive":
            return self._level + sign * size
        return self._level * size**sign

    def _step_size(self, move: int) -> float:
        """Present step; to the easier side p / (1 - p) times as large where a target p is set."""
        options = self.options
        turn = len(self.reversals) // options.reversals_per_step
        step = options.steps[min(turn, len(options.steps) - 1)]
        if options.target is None or move > 0:
            return step
        ratio = options.target / (1 - options.target)
        return step**ratio if options.scale == "multiplicative" else step * ratio

    @property
    def stuck(self) -> bool:
        """True where the track asked for levels beyond a bound too often in a row."""
        return self._hits_in_a_row >= self.options.stuck_after

    @property
    def reason(self) -> str:
        if self.stuck:
            return f"not measurable: stuck at the bound {self._level:g}"
        if len(self.reversals) >= self.options.max_reversals:
            return in_words(len(self.reversals), "reversal")
        return in_words(self.n, "trial") if self.n >= self.options.max_trials else ""

    def reversal_mean(self) -> float:
        """Mean level of the reversals at the last step size, an even number of them (geometric
        where steps multiply); descriptive, see the module. nan without two of them."""
        first = (len(self.options.steps) - 1) * self.options.reversals_per_step
        used = self.reversals[first:]
        levels = self.columns()[0][used[len(used) % 2 :], 0]
        if not len(levels):
            return math.nan
        if self.options.scale == "multiplicative":
            return float(np.exp(np.mean(np.log(levels))))
        return float(np.mean(levels))

    def estimate(self, level: float = 0.95) -> Fit:
        """The fit to all trials: the threshold (F = 0.5) and its interval; `level_for` of it gives
        the level for any other performance, such as `options.settles_at`."""
        levels, successes = self.columns()
        return self.fitted(levels[:, 0], successes, self.catch_counts, level)

    def fitted(
        self, levels: np.ndarray, successes: np.ndarray, catch: tuple[int, int], level: float = 0.95
    ) -> Fit:
        """The fit to trials of this track in the order of their time: `levels` and `successes` [n],
        "yes" answers and trials without a signal."""
        options = self.options
        fitted = fit(
            levels,
            successes,
            function=options.function,
            guess=options.guess,
            lapse=options.lapse,
            level=level,
            log=bool(options.log),
            falling=options.harder == "up",
            open_share=OPEN_SHARE if options.check_every else TRACK_OPEN_SHARE,
            catch=catch,
            reach=(options.low, options.high),
        )
        return fitted.not_measurable(self.reason) if self.stuck else self._explained(fitted)

    def _explained(self, fitted: Fit) -> Fit:
        """Where slips may be why there is no threshold: that, and what to ask instead."""
        best, settles = 1 - fitted.lapse.value, self.options.settles_at
        if fitted.measurable or not fitted.guess.value + _HEARS < best < settles + _ROOM:
            return fitted
        return fitted.not_measurable(
            f"{fitted.reason}; the best is about {100 * best:.0f} % successes, too near the "
            f"{100 * settles:.0f} % where this staircase settles: ask constant levels or QUEST+"
        )

    def state(self) -> dict[str, Any]:
        levels, successes = self.columns()
        return plain(
            {
                "kind": "staircase",
                "rule": self.options.rule,
                "n": self.n,
                "finished": self.finished,
                "reason": self.reason,
                "suggestion": self.suggest(),
                "levels": levels[:, 0],
                "successes": successes,
                "reversals": self.reversals,
                "reversal_mean": self.reversal_mean(),
                "bounds": (self.options.low, self.options.high),
                "bound_hits": self.bound_hits,
                "catch": self.catch_counts,
                "estimate": self.estimate().threshold if self.n else None,
                "options": dataclasses.asdict(self.options),
            }
        )
