"""Base against tuned, question by question: what changed, and where it changed for sure.

*Conventions*: differences are tuned minus base; arrays are [ny, nx]. Sensitivity and bias change
apart. Two tests per cell, each with Benjamini-Hochberg's control of the false-discovery rate over
the cells: exact McNemar on the answers to signal trials, and, for two-answer tasks, one of the
change of sensitivity against the cell's catch trials: by graded scores where both listeners have
them, else of d'. The first alone would call a listener better that says yes more often; a map's
verdict on a two-answer task rests on the second.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.probing.base import Plan
from spectcount.probing.cell_changes import BY_SCORES, GradedCells, smallest_words
from spectcount.probing.maps import plain, signed_error
from spectcount.probing.pairing import Pair, false_alarm_table, hit_table, pairs_of
from spectcount.probing.sensitivity import for_wordings, of_pairs
from spectcount.probing.verdict import (
    ALARMS,
    COUNT_BIAS,
    CRITERION,
    D_A,
    D_PRIME,
    HITS,
    MEAN_ERROR,
    MapVerdict,
    Verdict,
    first_named,
    whole_rate,
)
from spectcount.psychophysics.changes import mean_change
from spectcount.psychophysics.paired import (
    benjamini_hochberg,
    mcnemar,
    rate_change,
    sdt_change_p,
    sdt_changes,
)
from spectcount.psychophysics.sdt import Interval
from spectcount.trials import Trial

N_RESAMPLES = 1000
N_RESAMPLES_OVERALL = 4000
MCNEMAR = "exact McNemar"
CHANGE_OF_D_PRIME = "change of d', delta method"


@dataclass(frozen=True)
class Difference:
    """`gained` and `lost`: pairs that turned right, wrong; `p`: McNemar, nan without pairs;
    `changed`: discoveries at false-discovery rate `q`; `rate`, `d_prime`, `criterion`: changes
    with paired bootstrap intervals. The last two, `p_d_prime` and its discoveries
    `changed_d_prime` are None where the task has no d'; `area_change`: of the area under the
    ROC, where they rest on graded scores;
    `smallest`: the smallest change that could have been marked, in words; `headline`: the kind of
    the verdict over all trials, if that is told too."""

    plan: Plan
    n: np.ndarray
    gained: np.ndarray
    lost: np.ndarray
    p: np.ndarray
    changed: np.ndarray
    q: float
    rate: Interval
    d_prime: Interval | None = None
    criterion: Interval | None = None
    p_d_prime: np.ndarray | None = None
    changed_d_prime: np.ndarray | None = None
    area_change: np.ndarray | None = None
    smallest: str = ""
    headline: str = ""

    def sure(self, measure: str = "d_prime") -> np.ndarray:
        """Cells whose `measure` changed for sure: d_prime where the task has one, else the
        answers."""
        if measure == "d_prime" and self.changed_d_prime is not None:
            return self.changed_d_prime
        return self.changed

    @property
    def better(self) -> np.ndarray:
        """Cells that are better for sure, by d' where the task has one."""
        return self.sure() & (self._direction > 0)

    @property
    def worse(self) -> np.ndarray:
        """Cells that are worse for sure."""
        return self.sure() & (self._direction < 0)

    @property
    def verdict(self) -> MapVerdict:
        """How many cells are better, worse, neither."""
        better, worse = int(self.better.sum()), int(self.worse.sum())
        p = self.p if self.p_d_prime is None else self.p_d_prime
        asked = int(np.sum(~np.isnan(p)))
        return MapVerdict(
            better,
            worse,
            asked - better - worse,
            p.size - asked,
            self.q,
            self.test(),
            "level" if len(self.plan.axes) == 1 else "cell",
            self.smallest,
            self.headline,
        )

    def test(self, measure: str = "d_prime") -> str:
        """Name of the test behind `sure`."""
        if measure != "d_prime" or self.p_d_prime is None:
            return MCNEMAR
        return CHANGE_OF_D_PRIME if self.area_change is None else BY_SCORES

    @property
    def _direction(self) -> np.ndarray:
        if self.area_change is not None:
            return self.area_change
        if self.d_prime is not None:
            return np.nan_to_num(np.asarray(self.d_prime.value))
        return self.gained - self.lost

    def to_dict(self) -> dict[str, Any]:
        """Plain data with the verdict; nan and infinities become None."""
        kept = {k: plain(v) for k, v in vars(self).items() if k != "plan" and v is not None}
        return {**kept, "verdict": self.verdict.to_dict()}


@dataclass(frozen=True)
class Change:
    """All pairs of a run or of some cells together: `n` signal and `n_catch` catch trials. What
    the task has not is None: d', c and AUC belong to two-answer tasks, false alarms to yes/no,
    `bias` and `error` (mean signed and absolute) to counting. `d_a` is there where both give graded
    scores, and then says whether it hears better; d' from the answers stands beside it."""

    plan: Plan
    n: int
    n_catch: int
    gained: int
    lost: int
    p: float
    rate: Interval | None = None
    d_prime: Interval | None = None
    criterion: Interval | None = None
    auc: Interval | None = None
    false_alarm_rate: Interval | None = None
    bias: Interval | None = None
    error: Interval | None = None
    d_a: Interval | None = None
    words: str = ""
    mixed: bool = False

    def verdicts(self, margin: float | None = None) -> list[Verdict]:
        """What may be said, the main measure first: d_a or d' (or accuracy), then bias, then what
        only describes: of better and worse hearing the first alone speaks.
        `margin` is for the main measure."""
        rate = whole_rate(self.plan.asked, HITS)
        both = f"paired signal and {self.n_catch} catch trials, {self.words}"
        main = (self.d_prime, D_PRIME) if self.d_a is None else (self.d_a, D_A)
        listed = [
            (*main, self.n, both),
            (self.criterion, CRITERION, self.n, both),
            (self.rate, rate, self.n, f"paired signal trials, {self.words}"),
            (self.false_alarm_rate, ALARMS, self.n_catch, f"paired catch trials, {self.words}"),
            (self.error, MEAN_ERROR, self.n + self.n_catch, "paired trials"),
            (self.bias, COUNT_BIAS, self.n + self.n_catch, "paired trials"),
        ]
        found = [
            Verdict(change, measure, n, None, what)
            for change, measure, n, what in listed
            if change is not None
        ]
        first = [dataclasses.replace(v, margin=margin, mixed=self.mixed) for v in found[:1]]
        return first_named([*first, *found[1:]])

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on the main measure; None where no question was answered by both."""
        return next(iter(self.verdicts()), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data with the verdicts; nan and infinities become None."""
        kept = {k: plain(v) for k, v in vars(self).items() if k != "plan" and v is not None}
        return {**kept, "verdicts": [v.to_dict() for v in self.verdicts()]}


def difference(
    plan: Plan,
    base: Iterable[Trial],
    tuned: Iterable[Trial],
    q: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """What changed from `base` to `tuned` in each cell; only questions that both have answered
    count. `seed` is that of the bootstrap."""
    pairs = pairs_of(plan, base, tuned)
    signal = pairs.signal_tables()
    n, gained, lost = signal.sum(axis=-1), signal[..., 2], signal[..., 1]
    rng = np.random.default_rng(seed)
    p = np.where(n > 0, mcnemar(lost, gained), np.nan)
    rate = rate_change(signal, rng, N_RESAMPLES, level)
    parts: dict[str, Any] = {}
    scored, catch = None, None
    if plan.asked.two_class:
        catch = pairs.catch_tables()
        d_prime, criterion = sdt_changes(signal, catch, rng, N_RESAMPLES, level)
        scored = GradedCells.of(pairs)
        p_d_prime = np.asarray(sdt_change_p(signal, catch)) if scored is None else scored.p
        parts = {
            "d_prime": _scaled(plan, d_prime),
            "criterion": criterion,
            "p_d_prime": p_d_prime,
            "changed_d_prime": benjamini_hochberg(p_d_prime, q),
            "area_change": None if scored is None else scored.change,
        }
    parts["smallest"] = smallest_words(scored, signal, catch, q)
    return Difference(plan, n, gained, lost, p, benjamini_hochberg(p, q), q, rate, **parts)


def under(whole: Change | None, cells: Difference) -> Difference:
    """The cells beside the change over all of them, whose verdict theirs never contradicts."""
    first = None if whole is None else whole.verdict
    return cells if first is None else dataclasses.replace(cells, headline=first.kind)


def change_over(
    plan: Plan,
    base: Iterable[Trial],
    tuned: Iterable[Trial],
    cells: Iterable[tuple[int, ...]] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Change:
    """The change over some cells (x, y) together (None: all), with the catch trials of their
    backgrounds."""
    signal, catch = pairs_of(plan, base, tuned).of_cells(cells)
    return change_of(plan, signal, catch, level, seed)


def change_of(
    plan: Plan, signal: Sequence[Pair], catch: Sequence[Pair], level: float = 0.95, seed: int = 0
) -> Change:
    """The change over these pairs of signal and of catch trials."""
    rng = np.random.default_rng(seed)
    hits, alarms = hit_table(signal), false_alarm_table(catch)
    gained, lost = int(hits[2]), int(hits[1])
    parts: dict[str, Any] = {}
    if signal:
        parts["rate"] = rate_change(hits, rng, N_RESAMPLES_OVERALL, level)
    if plan.asked.has_alarms and catch:
        parts["false_alarm_rate"] = rate_change(alarms, rng, N_RESAMPLES_OVERALL, level)
    if plan.asked.two_class and catch and signal:
        both = of_pairs(plan, signal, catch)
        parts |= {"d_prime": both.d_prime(level), "criterion": both.criterion(level)}
        parts["auc"] = both.auc_change(level)
        if both.graded:
            parts["d_a"] = both.d_a_change(level)
    counted = [*signal, *catch]
    parts["words"] = for_wordings(x for x, _ in counted)
    if plan.asked.counts and len(counted) >= 2:
        x, y = (np.array([signed_error(pair[who]) for pair in counted]) for who in (0, 1))
        parts["bias"] = mean_change(x, y, level)
        parts["error"] = mean_change(np.abs(x), np.abs(y), level)
    p = mcnemar(lost, gained) if signal else float("nan")
    return Change(plan, len(signal), len(catch), gained, lost, p, **parts)


def _scaled(plan: Plan, d_prime: Interval) -> Interval:
    return d_prime.scaled(plan.asked.scale)
