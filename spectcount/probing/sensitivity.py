"""Sensitivity and bias of signal and catch trials together, over all their cells and wordings.

*Conventions*: nothing is pooled over unlike cells or wordings (`psychophysics.stratified`). Which
measure leads is settled by the kind of answers, not by the result: d_a from graded scores where a
listener gives them, d' from the answers where not. The measures of a forced choice are over sqrt 2,
both. Where hits or false alarms lie so near 0 or all that the number of trials cannot resolve them,
intervals from answers are open on that side ("at least"). Intervals are for these cells and these
wordings.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spectcount.probing.base import Plan
from spectcount.psychophysics import sdt
from spectcount.psychophysics.changes import joined_change
from spectcount.psychophysics.roc import Roc, roc
from spectcount.psychophysics.sdt import Interval
from spectcount.psychophysics.stratified import (
    Areas,
    Labels,
    Probit,
    areas,
    numbered,
    probit,
)
from spectcount.trials import Trial

GRADED = 10
"""Different scores from which on they are graded, not a handful of ratings."""
UNRESOLVED = 3
"""Hits (or misses, false alarms, ...) up to which their rate is told by exact bounds only."""


@dataclass(frozen=True)
class Sensitivity:
    """`signal` and `catch` trials of one listener, or of two ([who][trial], the same questions in
    one order)."""

    plan: Plan
    signal: Sequence[Sequence[Trial]]
    catch: Sequence[Sequence[Trial]]

    @property
    def measurable(self) -> bool:
        """True where there are trials of both kinds of a task that has a d'."""
        return bool(self.plan.asked.two_class and self.signal[0] and self.catch[0])

    @property
    def scale(self) -> float:
        """Of z(H) - z(F), and of sqrt 2 z(AUC), to d'."""
        return self.plan.asked.scale

    @functools.cached_property
    def graded(self) -> bool:
        """True where every listener's scores are graded."""
        return all(
            len({round(t.yes_score, 6) for t in (*signal, *catch)})
            >= min(GRADED, (len(signal) + len(catch)) / 2)
            for signal, catch in zip(self.signal, self.catch, strict=True)
        )

    @functools.cached_property
    def areas(self) -> Areas:
        """AUC of each listener within cells and wordings."""
        scores = [
            [[t.yes_score for t in who] for who in part] for part in (self.signal, self.catch)
        ]
        return areas(scores[0], scores[1], self.labels)

    @functools.cached_property
    def probit(self) -> Probit:
        """d' and c, or their changes, from the answers."""
        answers = [[[_first(t) for t in who] for who in part] for part in (self.signal, self.catch)]
        return probit(answers[0], answers[1], self.labels)

    @functools.cached_property
    def labels(self) -> Labels:
        """Keys of what is alike: cells, words in their order, backgrounds."""
        signal, catch = self.signal[0], self.catch[0]
        words = numbered([t.prompt for t in signal], [t.prompt for t in catch])
        backs = numbered([self._back(t) for t in signal], [self._back(t) for t in catch])
        (cells,) = numbered([_cell(t) for t in signal])
        return Labels(cells, words[0], words[1], backs[0], backs[1])

    def _back(self, trial: Trial) -> tuple[int, ...]:
        """The background; the ideal observer knows which signal is absent, so its own cell."""
        cell = _cell(trial)
        if trial.fingerprint.startswith("ideal-"):
            return cell
        return tuple(cell[a] for a in self.plan.background_axes)

    # Of one listener

    def roc(self, level: float = 0.95) -> Roc | None:
        """ROC and z-ROC slope of the only listener; None where scores are not graded, or few."""
        if not (self.measurable and self.graded):
            return None
        signal, catch = ([t.yes_score for t in part[0]] for part in (self.signal, self.catch))
        return roc(signal, catch, self.labels, level)

    def auc(self, level: float = 0.95) -> Interval:
        """AUC of the only listener."""
        return self.areas.interval(0, level)

    def d_a(self, level: float = 0.95) -> Interval:
        """sqrt 2 z(AUC) on the scale of d'."""
        return self.areas.sensitivity(0, level).scaled(self.scale)

    def d_prime(self, level: float = 0.95) -> Interval:
        """d' from the answers, the mean over cells; of two listeners the change, one for all
        cells."""
        return self._widened(self.probit.interval("d_prime", level, self.scale), 0, level)

    def criterion(self, level: float = 0.95) -> Interval:
        """c from the answers, the mean over cells and wordings; of two listeners the change."""
        return self._widened(self.probit.interval("criterion", level), 1, level)

    # Of two

    def auc_change(self, level: float = 0.95) -> Interval:
        """Second minus first listener."""
        return self.areas.change(level)

    def d_a_change(self, level: float = 0.95) -> Interval:
        """The same of d_a."""
        return self.areas.sensitivity_change(level).scaled(self.scale)

    def main_change(self, level: float = 0.95) -> Interval:
        """Of the leading measure: d_a where scores are graded, else d'."""
        return self.d_a_change(level) if self.graded else self.d_prime(level)

    def main(self, level: float = 0.95) -> Interval:
        """The leading measure of the only listener."""
        return self.d_a(level) if self.graded else self.d_prime(level)

    def of(self, who: int) -> Sensitivity:
        """One listener alone."""
        return Sensitivity(self.plan, self.signal[who : who + 1], self.catch[who : who + 1])

    def _exact(self, measure: int, level: float) -> list[Interval]:
        """d' (0) or c (1) of each listener from exact bounds of pooled rates; none where no count
        lies near an end."""
        intervals, near = [], False
        for signal, catch in zip(self.signal, self.catch, strict=True):
            hits, alarms = (sum(map(_first, part)) for part in (signal, catch))
            n, n_catch = len(signal), len(catch)
            near |= min(hits, n - hits, alarms, n_catch - alarms) <= UNRESOLVED
            intervals.append(sdt.exact_sensitivity(hits, n, alarms, n_catch, level)[measure])
        return intervals if near else []

    def _widened(self, interval: Interval, measure: int, level: float) -> Interval:
        """An interval from answers that also holds what exact bounds leave open."""
        exact = self._exact(measure, level)
        if not exact:
            return interval
        whole = exact[0] if len(exact) == 1 else joined_change(exact[0], exact[1])
        if measure == 0:
            whole = whole.scaled(self.scale)
        return Interval(
            interval.value,
            min(interval.low, interval.value + whole.low - whole.value),
            max(interval.high, interval.value + whole.high - whole.value),
            level,
            f"{interval.rule}, exact bounds where rates are near 0 or 1",
        )


def for_wordings(trials: Iterable[Trial]) -> str:
    """The scope of intervals: the wordings that were used; their variation is not in them."""
    n = len({t.prompt for t in trials}) or 1
    return f"for {'this wording' if n == 1 else f'these {n} wordings'}"


def of_pairs(
    plan: Plan, signal: Sequence[tuple[Trial, Trial]], catch: Sequence[tuple[Trial, Trial]]
) -> Sensitivity:
    """Base and tuned on the same questions."""
    return Sensitivity(
        plan,
        [[pair[k] for pair in signal] for k in (0, 1)],
        [[pair[k] for pair in catch] for k in (0, 1)],
    )


def _first(trial: Trial) -> bool:
    return trial.answer == trial.answers[0]


def _cell(trial: Trial) -> tuple[int, int]:
    return int(trial.coords.get("x", 0)), int(trial.coords.get("y", 0))
