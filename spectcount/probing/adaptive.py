"""The plans that follow the answers: staircases, QUEST+, threshold surfaces.

Conventions: those of `procedure`. Everything is built from declared parameters; what is left empty
follows from the range of the levels and from whether their axis is logarithmic.

Sources: Levitt (1971) and Kaernbach (1991) for staircases, Watson (2017) for QUEST+; see
`psychophysics.adaptive` and `psychophysics.surface`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from spectcount.errors import UserError
from spectcount.params import param
from spectcount.probing.axes import Axis
from spectcount.probing.base import axis_name, limit, whole
from spectcount.probing.conditions import numbers
from spectcount.probing.procedure import Procedure
from spectcount.psychophysics.adaptive.base import Track
from spectcount.psychophysics.adaptive.quest_options import QuestPlusOptions, standard_options
from spectcount.psychophysics.adaptive.quest_plus import QuestPlus
from spectcount.psychophysics.adaptive.staircase import Staircase, StaircaseOptions
from spectcount.psychophysics.sdt import Interval
from spectcount.psychophysics.surface import SurfaceOptions, SurfaceTrack

NO_SECOND = "none"
_RULES = {"1-down": 1, "2-down": 2, "3-down": 3, "4-down": 4}
WEIGHTED = "weighted"
_STEPS = (6, 12, 24)
"""Steps where none are given: the range over these."""
_AIMS = {"threshold": ("threshold",), "threshold and width": ("threshold", "width"), "all": ()}


_ALWAYS_STORED = {"min_trials", "interval_width", "condition_values", "lapse", "conditions", "draw"}
"""What a plan that was stored names in any case, and a preset that people write never does."""


def _checks(default: int) -> Any:
    return whole(
        default,
        "After so many trials comes one at an easy level, where slips show, and answers that "
        "fall again; 0: never, as published.",
        (0, 50),
        "Trials per easy one",
        group="steps",
    )


class _Checked(Procedure):
    """A procedure in which some trials come at an easy level (`checks`)."""

    check_level: ClassVar[str] = ""
    """Where these trials lie, in words."""

    checks: int

    @property
    def check_words(self) -> str:
        if not self.checks:
            return ""
        return (
            f" One of every {self.checks} trials came {self.check_level} instead, to tell lapses."
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain data. A plan that was stored whole before there were checks has none, so
        that its run goes on as it began."""
        stored_before = "checks" not in values and values.keys() >= _ALWAYS_STORED
        return super().from_dict({**values, "checks": 0} if stored_before else values)

    def check_track(self) -> None:
        self._check_checks()
        super().check_track()

    def _check_checks(self) -> None:
        if self.checks == 1:
            raise UserError(
                "checks=1 leaves no trial to the procedure; give 2 or more, or 0 for none"
            )


@dataclass(frozen=True)
class StaircasePlan(_Checked):
    """1-up n-down and weighted up-down staircases."""

    kind: ClassVar[str] = "staircase"
    title: ClassVar[str] = "Staircase"
    check_level: ClassVar[str] = "at the easiest level"

    rule: str = param(
        "2-down",
        "Successes in a row that make it harder (one failure makes it easier), or "
        "weighted: steps up and down of different size, towards a target.",
        choices=(*_RULES, WEIGHTED),
        label="Rule",
        group="steps",
    )
    target: float = param(
        0.75,
        "Share of successes at which a weighted staircase settles.",
        low=0.05,
        high=0.95,
        step=0.01,
        label="Target",
        group="steps",
    )
    start: float | None = limit("First level; empty: the easiest.", "Start", "steps")
    steps: str = param(
        "",
        "Step sizes in turn, the last one kept: 8, 4, 2. On a logarithmic axis they are "
        "factors: 2, 1.4, 1.2. Empty: a sixth, a twelfth and a 24th of the range.",
        label="Steps",
        group="steps",
    )
    reversals_per_step: int = whole(
        2, "Reversals before the next step size.", (1, 20), "Reversals per step", group="steps"
    )
    reversals: int = whole(
        12,
        "A track ends after this many reversals.",
        (2, 200),
        "Reversals at most",
        slider_high=40,
        group="stop",
    )
    checks: int = _checks(5)

    @property
    def step_sizes(self) -> tuple[float, ...]:
        """The steps given, or those that the range asks for."""
        given = numbers("steps", self.steps)
        if given:
            return given
        low, high = self.ends()
        if self.log:
            return tuple((high / low) ** (1 / n) for n in _STEPS)
        return tuple(self._step((high - low) / n) for n in _STEPS)

    @property
    def rule_words(self) -> str:
        steps = ", ".join(f"{s:.4g}" for s in self.step_sizes)
        kind = "factors" if self.log else "steps"
        if self.rule == WEIGHTED:
            return (
                f"A weighted up-down staircase (Kaernbach, 1991) aimed at {100 * self.target:g} % "
                f"successes, with {kind} of {steps}."
            )
        return f"A 1-up {self.rule} staircase (Levitt, 1971) took {kind} of {steps}."

    @property
    def stop_words(self) -> str:
        return f", or after {self.reversals} reversals"

    def _step(self, size: float) -> float:
        return float(max(1, round(size))) if self.levels[0].whole else size

    def make_track(self, index: int) -> Track:
        low, high = self.ends()
        start = self.start if self.start is not None else (low if self.falling else high)
        return Staircase(
            StaircaseOptions(
                start=start,
                low=low,
                high=high,
                steps=self.step_sizes,
                down=_RULES.get(self.rule, 1),
                target=self.target if self.rule == WEIGHTED else None,
                scale="multiplicative" if self.log else "additive",
                harder="up" if self.falling else "down",
                reversals_per_step=self.reversals_per_step,
                max_reversals=self.reversals,
                max_trials=self.trials,
                guess=self.guess_rate,
                lapse=self.lapse,
                function=self.function,
                log=self.log,
                check_every=self.checks,
            )
        )

    @property
    def interval_of(self) -> Callable[[Track], Interval]:
        return lambda track: track.estimate().threshold

    def check(self) -> None:
        super().check()
        if self.levels[0].whole and any(s != round(s) for s in self.step_sizes):
            raise UserError(
                f"steps={self.steps!r}: {self.parameter} holds whole numbers; give whole steps"
            )


@dataclass(frozen=True)
class _TwoParameters(Procedure):
    """A procedure that can follow a second parameter too."""

    second: str = axis_name(
        NO_SECOND,
        "A second parameter whose level follows the answers; the threshold of the first "
        "is sought as it depends on it.",
        "Second parameter",
        NO_SECOND,
    )
    second_low: float | None = limit(
        "Lowest level of the second; empty: as declared.", "Second from"
    )
    second_high: float | None = limit(
        "Highest level of the second; empty: as declared.", "Second to"
    )

    @property
    def tracked(self) -> tuple[str, ...]:
        return (self.parameter,) if self.second == NO_SECOND else (self.parameter, self.second)

    @functools.cached_property
    def levels(self) -> tuple[Axis, ...]:
        first = self._range(self.parameter, self.low, self.high)
        if self.second == NO_SECOND:
            return (first,)
        return first, self._range(self.second, self.second_low, self.second_high)

    def check(self) -> None:
        if self.parameter == self.second:
            raise UserError(
                f"parameter and second are both {self.parameter}; choose two different ones"
            )
        super().check()


@dataclass(frozen=True)
class QuestPlan(_TwoParameters, _Checked):
    """QUEST+ on one or two parameters."""

    kind: ClassVar[str] = "quest"
    title: ClassVar[str] = "QUEST+"
    check_level: ClassVar[str] = "at an easy level"
    estimate_of: ClassVar[str] = "posterior"

    candidates: int | None = param(
        None,
        "Levels to choose from, over the range; empty: 33, or 17 where there is a second "
        "parameter.",
        kind=int,
        low=5,
        high=200,
        label="Candidate levels",
        group="steps",
    )
    aim: str = param(
        "threshold",
        "What each trial is to tell about: the threshold, the width of the function "
        "too, or everything, slips and guesses included (as published).",
        choices=tuple(_AIMS),
        label="Aim",
        group="steps",
    )
    checks: int = _checks(4)

    @property
    def rule_words(self) -> str:
        return (
            f"QUEST+ (Watson, 2017) chose among {self.candidates} levels the one that promised to "
            f"tell most about the {self.aim}."
        )

    def make_track(self, index: int) -> Track:
        return QuestPlus(self.options)

    def check_track(self) -> None:
        self._check_checks()
        self.options  # noqa: B018 - raises; the track itself takes a while to make

    @functools.cached_property
    def options(self) -> QuestPlusOptions:
        """Grids and stopping rules."""
        two = self.second != NO_SECOND
        aim = (*_AIMS[self.aim], "gradient") if two and self.aim != "all" else _AIMS[self.aim]
        usual = standard_options(
            *self.ends(),
            second=self.ends(1) if two else None,
            guess=self.guess_rate,
            log=self.log,
            falling=self.falling,
            function=self.function,
            n_levels=self.candidates,
            focus=aim,
            check_every=self.checks,
            min_trials=min(self.min_trials, self.trials),
            max_trials=self.trials,
            stop_width=self.interval_width,
        )
        if self.lapse is None:
            return usual
        prior = {name: weights for name, weights in usual.prior.items() if name != "lapse"}
        return dataclasses.replace(
            usual, parameters={**usual.parameters, "lapse": (self.lapse,)}, prior=prior
        )


@dataclass(frozen=True)
class SurfacePlan(_TwoParameters):
    """The threshold of one parameter as a smooth function of another."""

    kind: ClassVar[str] = "surface"
    title: ClassVar[str] = "Threshold surface"
    estimate_of: ClassVar[str] = "surface"

    trials: int = whole(
        200,
        "At most this many trials in each track, catch trials among them.",
        (5, 2000),
        "Trials per track",
        slider_high=600,
    )
    parameter: str = axis_name("gap_ms", "The parameter whose threshold is sought.", "Parameter")
    second: str = axis_name(
        "frequency", "The parameter that the threshold depends on.", "Second parameter"
    )
    nodes: int = whole(
        10,
        "Places along the second parameter where the threshold is reported.",
        (2, 40),
        "Places",
        group="steps",
    )
    precision: float | None = param(
        None,
        "The track ends once the mean half-width of the 95 % intervals is below this part of "
        "the first parameter's range; empty: never.",
        kind=float,
        low=0.005,
        high=0.5,
        step=0.005,
        label="Precision",
        group="stop",
    )

    @property
    def rule_words(self) -> str:
        return (
            f"The threshold of {self.parameter} was followed at {self.nodes} places along "
            f"{self.second} under a smoothness prior; each trial was placed where it promised to "
            "lower the summed variance of the thresholds most."
        )

    @property
    def stop_words(self) -> str:
        if self.precision is None:
            return super().stop_words
        return (
            f", or once the mean half-width of its intervals was {100 * self.precision:g} % of "
            "the range"
        )

    def make_track(self, index: int) -> Track:
        return cast(Track, SurfaceTrack(self.options(index)))  # estimates a surface, not a number

    def options(self, index: int) -> SurfaceOptions:
        """Ranges, rates and stopping rules of a track."""
        return SurfaceOptions(
            x1=self.ends(0),
            x2=self.ends(1),
            nodes=self.nodes,
            guess=self.guess_rate,
            lapse=self.lapse,
            log1=self.is_log(0),
            log2=self.is_log(1),
            falling=self.falling,
            function=self.function,
            max_trials=self.trials,
            half_width=self.precision,
            seed=index,
        )
