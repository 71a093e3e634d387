"""Trials -> thresholds: pure functions of the trials of one listener, for procedures and curves.

Conventions: a threshold is the level where F = 0.5 (see `psychophysics.psychometric`), halfway
between guessing and the best that the listener does; `d_prime_1` is the level where d' = 1, the
same for the answers alone, for the graded scores and for the ideal observer. A result that is not
measurable says why. Each track (condition) has its own; a curve is one track of its own.

- `fit`: Bayesian fit of a psychometric function to all answers.
- `posterior`: QUEST+'s own, which is then the threshold.
- `answers`: d' = 1 from yes/no answers with a criterion; in forced choice where the fit reaches
  the share of right answers that d' = 1 stands for, Phi(1 / sqrt 2).
- `scores`, `area`: d' = 1 (AUC 0.76) from log p(yes) - log p(no), yes/no tasks only.
- `surface`: thresholds along a second parameter.

Of a yes/no task the catch trials stand apart in a fit, whatever their level; in forced choice every
trial moves the track, whichever of its two sounds was right. Trials stand in the order in which
they were answered: a listener may change on the way.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtr

from spectcount.params import Param
from spectcount.probing.base import Plan
from spectcount.probing.ideal_level import efficiency_at, ideal_d_prime, ideal_threshold
from spectcount.probing.maps import plain
from spectcount.probing.plan import Curve
from spectcount.probing.procedure import Procedure
from spectcount.probing.repeats import counted, left_out_words
from spectcount.probing.replay import level_of, presentations, replayed
from spectcount.probing.sensitivity import for_wordings
from spectcount.probing.tracks import CATCH, SIGNAL, succeeded
from spectcount.psychophysics.adaptive.quest_plus import QuestPlusEstimate
from spectcount.psychophysics.adaptive.staircase import Staircase
from spectcount.psychophysics.efficiency import Efficiency
from spectcount.psychophysics.fit import Fit, fit
from spectcount.psychophysics.graded import ScoreFit, auc_threshold, fit_answers, fit_scores
from spectcount.psychophysics.measurable import UNMEASURABLE
from spectcount.psychophysics.one_function import NO_BREAK, break_reason
from spectcount.psychophysics.sdt import Interval, interval_text
from spectcount.psychophysics.surface import Surface
from spectcount.records import NOT_STORED
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
    listed = sorted(trials, key=lambda t: (t.at, t.key))
    catch = tuple(t for t in listed if plan.asked.has_alarms and t.coords["role"] == CATCH)
    roles = (SIGNAL, CATCH) if plan.asked.forced_choice else (SIGNAL,)
    moving = tuple(t for t in listed if t.coords["role"] in roles)
    levels = np.array([float(t.coords["x_value"]) for t in moving])
    success = np.array([succeeded(plan.asked, t) for t in moving])
    log = declared.log and bool(np.all(levels > 0))
    falling = _falls(levels, success) if plan.harder == "auto" else plan.harder == "high"
    return Series(declared, levels, success, moving, catch, log, falling)


def _falls(levels: np.ndarray, success: np.ndarray) -> bool:
    """True where successes become rarer with the level."""
    if len(levels) < 2:
        return False
    return float(np.mean((levels - levels.mean()) * (success - success.mean()))) < 0


PC_AT_D_PRIME_1 = float(ndtr(1 / math.sqrt(2)))
"""Share of right answers of an unbiased listener of d' = 1 in forced choice: 0.760."""
IDEAL_DRAWS = 2
"""Draws over which the ideal observer's d' at a level is averaged."""


@dataclass(frozen=True)
class Threshold:
    """The result of one track; see the module. `n` counts all trials, `n_catch` those without a
    signal, `repeated` those left out as repeats of one waveform; `wordings` says what the
    intervals are for; `ended` says why the track ended; `ideal` is the ideal observer's
    `d_prime_1`, nan where not known; `series` the trials, None where
    they are not of one function."""

    track: int
    condition: str
    parameter: str
    label: str
    unit: str
    log: bool
    falling: bool
    n: int
    n_catch: int
    ended: str = ""
    fit: Fit | None = None
    reversal_mean: float = math.nan
    posterior: QuestPlusEstimate | None = None
    answers: ScoreFit | Interval | None = None
    scores: ScoreFit | None = None
    area: ScoreFit | None = None
    surface: Surface | None = None
    ideal: float = math.nan
    efficiency: Efficiency | None = None
    series: Series | None = field(default=None, repr=False, compare=False, metadata=NOT_STORED)
    repeated: int = 0
    wordings: str = ""

    @property
    def threshold(self) -> Interval:
        """The threshold by the procedure's own rule; nan and unbounded where not measurable."""
        estimate = self.posterior or self.fit
        return estimate.threshold if estimate else Interval(math.nan, -math.inf, math.inf)

    @property
    def measurable(self) -> bool:
        return not self.reason

    @property
    def reason(self) -> str:
        """Why there is no threshold, in words; empty where there is one."""
        if self.surface is not None:
            return "" if bool(np.any(self.surface.measurable)) else self.surface.reason
        estimate = self.posterior or self.fit
        return estimate.reason if estimate else f"{UNMEASURABLE}: no trials yet"

    @property
    def cautions(self) -> tuple[str, ...]:
        """The limits of the threshold, in clauses: of the procedure's own estimate and of the fit
        to all answers, which may find the fault that the other does not."""
        if self.reason:
            return ()
        if self.surface is not None:
            return self.surface.cautions
        cautions = self.posterior.cautions if self.posterior else ()
        if self.posterior and self.fit:
            return cautions + _more_of(self.fit)
        return cautions or (self.fit.cautions if self.fit else ())

    @property
    def d_prime_1(self) -> Interval | None:
        """The level where d' = 1 by the answers; None where the task has no d' or none is
        measurable."""
        interval = self.answers.threshold if isinstance(self.answers, ScoreFit) else self.answers
        return None if interval is None or math.isnan(interval.value) else interval

    @property
    def sentence(self) -> str:
        """All of it in words, cautions last."""
        where = f"{self.parameter}, {self.condition}" if self.condition else self.parameter
        words = f"{self._found_words()}, {self._trial_words()}{self._efficiency_words()}"
        limits = f"; caution: {'; '.join(self.cautions)}" if self.cautions else ""
        return f"{where}: {words}{limits}"

    def _found_words(self) -> str:
        if self.reason:
            return self.reason
        if self.surface is not None:
            return _surface_words(self.surface, self.unit)
        words = f"threshold {interval_words(self.threshold, self.unit)}"
        if self.posterior and "gradient" in self.posterior.intervals:
            gradient = self.posterior.intervals["gradient"]
            words += f" in the middle of the second parameter, gradient {interval_words(gradient)}"
        return words

    def _trial_words(self) -> str:
        catch = f", {self.n_catch} of them catch trials" if self.n_catch else ""
        all_trials = f"{self.n + self.repeated} trials"
        known = not self.ended or self.ended in (self.reason, all_trials)
        words = f"{self.n} trials{catch}" + ("" if known else f" ({self.ended})")
        return ", ".join(filter(None, [words, left_out_words(self.repeated), self.wordings]))

    def _efficiency_words(self) -> str:
        if self.efficiency is None or not math.isfinite(self.efficiency.loss_db.value):
            return ""
        loss = self.efficiency.loss_db
        return f"; {interval_words(loss, 'dB')} above the ideal observer at d' = 1"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with `sentence`, `threshold`, `measurable` and `reason`; nan and infinities
        become None."""
        names = [f.name for f in dataclasses.fields(self) if f.name != "series"]
        values = {name: getattr(self, name) for name in names}
        parts = {k: _part(v) for k, v in values.items() if v is not None}
        derived = ("sentence", "threshold", "measurable", "reason", "cautions", "d_prime_1")
        return {**{k: plain(getattr(self, k)) for k in derived}, **parts}


def thresholds(plan: Plan, trials: Iterable[Trial], level: float = 0.95) -> list[Threshold]:
    """The thresholds of one listener: one for each track of a procedure, one for a curve, none for
    other plans. Pure: the same trials give the same result, whatever their order."""
    listed = list(trials)
    procedure, curve = plan.procedure, plan.curve
    if procedure is not None:
        return [_of_track(procedure, i, listed, level) for i in range(len(procedure.tracks))]
    if curve is not None:
        n = len(listed)
        listed = counted(curve, listed)
        threshold = _of_curve(curve, listed, level)
        return [dataclasses.replace(threshold, repeated=n - len(listed))]
    return []


def interval_words(interval: Interval, unit: str = "") -> str:
    """An interval to read: "42 ms [37, 48] at 95 %"; digits follow its width."""
    digits = _digits(interval)
    words = interval_text(interval, lambda x: _number(x, digits), unit)
    return f"{words} at {100 * interval.level:.4g} %"


def _of_track(plan: Procedure, index: int, trials: Sequence[Trial], level: float) -> Threshold:
    presented = presentations(trials, index)
    track = replayed(plan, index, presented)
    used = counted(None, presented)
    estimated = track if len(used) == len(presented) else replayed(plan, index, used)
    declared = plan.levels[0].declared
    yes_no = plan.asked.has_alarms
    catch = tuple(t for t in used if yes_no and t.coords["role"] == CATCH)
    head = Threshold(
        track=index,
        condition=plan.tracks[index].words,
        parameter=declared.name,
        label=declared.axis_label,
        unit=declared.unit,
        log=plan.log,
        falling=plan.falling,
        n=len(used),
        n_catch=len(catch),
        ended=track.reason,
        repeated=len(presented) - len(used),
        wordings=for_wordings(used) if used else "",
    )
    moving = tuple(t for t in used if not (yes_no and t.coords["role"] == CATCH))
    if not moving:
        return head
    estimates: dict[str, Any] = {}
    if plan.estimate_of:
        estimates[plan.estimate_of] = estimated.track.estimate(level)
        if len(plan.tracked) > 1:
            return dataclasses.replace(head, **estimates)
    if isinstance(track.track, Staircase):
        estimates["reversal_mean"] = track.track.reversal_mean()
    series = Series(
        declared,
        np.array([level_of(t)[0] for t in moving]),
        np.array([succeeded(plan.asked, t) for t in moving]),
        moving,
        catch,
        plan.log,
        plan.falling,
    )
    if isinstance(track.track, Staircase):
        fitted = track.track.fitted(series.levels, series.success, series.catch_counts, level)
    else:
        fitted = fit(
            series.levels,
            series.success,
            function=plan.function,
            guess=plan.guess_rate,
            lapse=plan.lapse,
            level=level,
            log=plan.log,
            falling=plan.falling,
            catch=series.catch_counts,
        )
    estimates |= _by_d_prime(plan, series, fitted, level)
    head = dataclasses.replace(head, fit=fitted, series=series, **estimates)
    head = _of_one_function(head)
    return _against_ideal(head, plan, declared, lambda x, s: plan.at(index, (x,), s)[0])


def _of_curve(plan: Curve, trials: Sequence[Trial], level: float) -> Threshold:
    series = series_of(plan, trials)
    declared = series.declared
    head = Threshold(
        track=0,
        condition="",
        parameter=declared.name,
        label=declared.axis_label,
        unit=declared.unit,
        log=series.log,
        falling=series.falling,
        n=len(series.trials) + len(series.catch),
        n_catch=len(series.catch),
        wordings=for_wordings(trials) if trials else "",
    )
    if not series.trials:
        return head
    fitted = fit(
        series.levels,
        series.success,
        function=plan.function,
        guess=plan.asked.guess_rate,
        level=level,
        log=series.log,
        falling=series.falling,
        catch=series.catch_counts,
    )
    estimates = _by_d_prime(plan, series, fitted, level)
    head = dataclasses.replace(head, fit=fitted, series=series, **estimates)
    head = _of_one_function(head)
    if declared.name == "mel_channel":
        return head  # a level of it is a band to draw from, no stimulus
    return _against_ideal(head, plan, declared, lambda x, s: plan.at([x], s)[0])


def _by_d_prime(plan: Plan, series: Series, fitted: Fit, level: float) -> dict[str, Any]:
    """Levels where d' = 1: `answers`, `scores`, `area`, as far as the task has them."""
    if plan.asked.forced_choice:
        return {"answers": fitted.level_for(PC_AT_D_PRIME_1)}
    if not (plan.asked.has_alarms and series.catch):
        return {}
    return {
        "answers": _answers_at(series, 1.0, level),
        "scores": fit_scores(*_scores(series), level=level, log=series.log, falling=series.falling),
        "area": _area_at(series, 1.0, level),
    }


def fit_at_d_prime(threshold: Threshold, d_prime: float, graded: bool) -> ScoreFit | None:
    """The level of a d' in a yes/no task, by graded scores or by answers; None where there are no
    catch trials, or, but for d' = 1, where the answers are not of one function."""
    known = threshold.area if graded else threshold.answers
    if d_prime == 1.0 or threshold.series is None or not isinstance(known, ScoreFit):
        return known if isinstance(known, ScoreFit) else None
    return (_area_at if graded else _answers_at)(threshold.series, d_prime, known.threshold.level)


def _answers_at(series: Series, d_prime: float, level: float) -> ScoreFit:
    x, _, is_signal = _scores(series)
    answers = np.array([t.answer == t.answers[0] for t in (*series.trials, *series.catch)])
    return fit_answers(
        x, answers, is_signal, d_prime=d_prime, level=level, log=series.log, falling=series.falling
    )


def _area_at(series: Series, d_prime: float, level: float) -> ScoreFit:
    auc = float(ndtr(d_prime / math.sqrt(2)))
    return auc_threshold(
        *_scores(series), auc=auc, level=level, log=series.log, falling=series.falling
    )


def _scores(series: Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels, graded scores and whether there was a signal, [n] each, catch trials last."""
    both = (*series.trials, *series.catch)
    x = np.concatenate([series.levels, np.full(len(series.catch), series.levels[0])])
    return x, np.array([t.yes_score for t in both]), np.arange(len(both)) < len(series.trials)


def _of_one_function(head: Threshold) -> Threshold:
    """The same without levels of d' = 1 where the track's own answers are not of one function."""
    broken = head.posterior.broken if head.posterior else head.fit.broken if head.fit else NO_BREAK
    if not (broken.forbids and head.fit):
        return head
    why = f"{UNMEASURABLE}: {break_reason(broken, head.fit.counts.to_level)}"
    unknown = Interval(math.nan, -math.inf, math.inf, head.fit.level, UNMEASURABLE)
    withdrawn: dict[str, Any] = {}
    for name in ("answers", "scores", "area"):
        estimate = getattr(head, name)
        if isinstance(estimate, ScoreFit):
            withdrawn[name] = dataclasses.replace(
                estimate, threshold=unknown, measurable=False, reason=why
            )
        elif estimate is not None:
            withdrawn[name] = unknown
    return dataclasses.replace(head, series=None, **withdrawn)


def _against_ideal(head: Threshold, plan: Plan, declared: Param, draw: Any) -> Threshold:
    """The same with the ideal observer's threshold and the efficiency, where it has a d'."""
    if not plan.asked.two_class or declared.low is None or declared.high is None:
        return head

    @functools.cache
    def d_prime_at(x: float) -> float:
        whole = declared.kind is int
        drawn = [draw(round(x) if whole else x, seed) for seed in range(IDEAL_DRAWS)]
        return float(np.mean([ideal_d_prime(signal, plan.asked) for signal in drawn]))

    interval = head.d_prime_1
    return dataclasses.replace(
        head,
        ideal=ideal_threshold(d_prime_at, declared),
        efficiency=efficiency_at(d_prime_at, declared, interval) if interval else None,
    )


def _surface_words(surface: Surface, unit: str) -> str:
    known = np.flatnonzero(surface.measurable)
    ends = [(surface.threshold.at(i), surface.x2[i]) for i in (known[0], known[-1])]
    words = [f"{interval_words(value, unit)} at {x2:.4g}" for value, x2 in ends]
    places = f"{len(known)} of {len(surface.x2)} places measurable"
    return f"threshold {' to '.join(dict.fromkeys(words))}, {places}"


def _more_of(fit: Fit) -> tuple[str, ...]:
    """The caution of the fit that QUEST+'s estimate cannot have: that it finds no threshold."""
    if fit.measurable:
        return ()
    return (f"a fit to the same answers has no threshold ({fit.reason})",)


def _part(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else plain(value)


def _digits(interval: Interval) -> int:
    """Decimals that show the interval's width to two figures."""
    width = abs(float(interval.high) - float(interval.low))
    if not (math.isfinite(width) and width > 0):
        width = abs(float(interval.value)) or 1.0
    return int(np.clip(1 - math.floor(math.log10(width)), 0, 6))


def _number(x: float, digits: int) -> str:
    return f"{round(float(x), digits) + 0.0:.{digits}f}" if math.isfinite(x) else f"{x:g}"
