"""Base against tuned, question by question: what changed, and where it changed for sure.

*Conventions*: differences are tuned minus base; arrays are [ny, nx]. Sensitivity and bias change
apart. Two tests per cell, each with Benjamini-Hochberg's control of the false-discovery rate over
the cells: exact McNemar on the answers to signal trials, and, for two-answer tasks, one of the
change of sensitivity against the cell's catch trials: by graded scores where both listeners have
them, else of d'. The first alone would call a listener better that says yes more often; a map's
verdict on a two-answer task rests on the second. Graded scores are compared within each listener
only (the area under its own ROC, within wordings and orders), so neither a shift nor a stretch of
the scores, such as a fine-tune makes, is a change. The smallest change that could have been marked
is one at which the expected result lies on the limit of Benjamini & Hochberg's procedure: it is
marked half the time.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from spectcount.probing.base import Plan
from spectcount.probing.maps import plain, signed_error
from spectcount.probing.pairing import Pair, Pairs, false_alarm_table, hit_table, pairs_of
from spectcount.probing.sensitivity import for_wordings, of_pairs
from spectcount.probing.shortfall import Numbers
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
from spectcount.psychophysics.below import Places, area_change_p, graded
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

BY_SCORES = "change of the area under the ROC of graded scores"
SHARE = 0.25
"""Of the cells, in the second of the two numbers that are said."""
_CORRELATION = 0.85
"""The correlation of two areas is a little less than that of the scores behind them."""
_STARTS, _STEPS = (
    grid.ravel() for grid in np.meshgrid(np.arange(0, 4.1, 0.5), np.arange(0.1, 6.05, 0.1))
)
"""Sensitivities before, and changes of them, that are tried."""


@dataclass(frozen=True)
class GradedCells:
    """Both listeners' cells, row by row."""

    before: Places
    after: Places
    correlation: float
    shape: tuple[int, int]

    @classmethod
    def of(cls, pairs: Pairs) -> GradedCells | None:
        """From pairs; None where either listener's scores tell no more than its answers."""
        plan = pairs.plan
        cells = [pairs.signal.get(cell, []) for cell in plan.cells]
        signal = [pair for listed in cells for pair in listed]
        catch = [pair for listed in pairs.catch.values() for pair in listed]
        place = np.repeat(np.arange(len(cells)), [len(listed) for listed in cells])
        if not (plan.asked.two_class and signal and catch):
            return None
        sides = []
        for who in (0, 1):
            listed, other = [pair[who] for pair in signal], [pair[who] for pair in catch]
            numbers = Numbers(plan, [*listed, *other])
            answers = numbers.said(listed, place), numbers.said(other, np.zeros(len(other), int))
            if not graded(answers[0].scores, answers[1].scores):
                return None
            sides.append(Places.of(*answers, len(cells), plan.asked.distance))
        return cls(sides[0], sides[1], _correlation(signal, place), (plan.n_rows, plan.n_columns))

    @property
    def p(self) -> np.ndarray:
        """Two-sided p of "the area did not change" [ny, nx]."""
        return area_change_p(self.before, self.after, self.correlation).reshape(self.shape)

    @property
    def change(self) -> np.ndarray:
        """Change of the area [ny, nx]; 0 without trials."""
        areas = [x.area / np.maximum(x.total, 1) for x in (self.before, self.after)]
        return np.asarray(areas[1] - areas[0]).reshape(self.shape)

    def smallest(self, limit: float) -> float | None:
        """Smallest change of d', wherever it starts, whose expected p is `limit`; None: no change
        is large enough."""
        cell, scale = int(np.argmax(self.before.total)), self.before.distance / np.sqrt(2)
        rows = len(_STARTS)
        n, m = np.repeat(self.before.n[[cell]], rows, axis=0), self.before.m
        blank = np.zeros(rows, int)

        def places(d_prime: np.ndarray) -> Places:
            area = ndtr(d_prime * scale) * n.sum(axis=1)
            return Places(n, area, blank, m, blank, True, self.before.distance)

        p = area_change_p(places(_STARTS), places(_STARTS + _STEPS), self.correlation)
        return _least(p <= limit)


def smallest_words(
    graded_cells: GradedCells | None, signal: np.ndarray, catch: np.ndarray | None, q: float
) -> str:
    """The smallest change that could have been marked in tables of pairs [ny, nx, 4]; `catch` is
    None where answers alone are compared."""
    n = signal.sum(axis=-1)
    cells = int(np.sum(n > 0))
    if not cells:
        return ""
    limits = (q / cells, q * max(1, math.ceil(SHARE * cells)) / cells)
    if graded_cells is not None:
        smallest = [graded_cells.smallest(limit) for limit in limits]
    elif catch is not None:
        smallest = [_by_answers(signal, catch, limit) for limit in limits]
    else:
        smallest = [_flips(int(n.max()), limit) for limit in limits]
    what = "accuracy" if graded_cells is None and catch is None else "d'"
    single, many = ("none, however large" if x is None else f"{x:.2g}" for x in smallest)
    if cells == 1:
        return f"smallest change of {what} that would be marked half the time: {single}"
    return (
        f"smallest change of {what} that would be marked half the time: {single} in a single cell; "
        f"{many} if a quarter of the cells changed"
    )


def _by_answers(signal: np.ndarray, catch: np.ndarray, limit: float) -> float | None:
    """The same by answers: expected tables of pairs, both listeners with the base's false alarms,
    their answers independent."""
    other = catch.reshape(-1, 4)
    alarms = other[int(np.argmax(other.sum(axis=1)))]
    n, m = int(signal.sum(axis=-1).max()), int(alarms.sum())
    if not m:
        return None
    false = (alarms[0] + alarms[1] + 0.5) / (m + 1)
    rates = (ndtr(ndtri(false) + d_prime) for d_prime in (_STARTS, _STARTS + _STEPS))
    tables = _expected(n, *rates), _expected(m, np.full(len(_STARTS), false), false)
    return _least(sdt_change_p(*tables) <= limit)


def _expected(n: int, before: np.ndarray, after: np.ndarray | float) -> np.ndarray:
    """Tables of pairs [k, 4] of `n` questions with these chances of yes."""
    x, y = np.rint(n * before), np.rint(n * after) * np.ones(len(before))
    both = np.minimum(np.maximum(np.rint(n * before * after), x + y - n), np.minimum(x, y))
    return np.stack([both, x - both, y - both, n - x - y + both], axis=1).astype(int)


def _least(marked: np.ndarray) -> float | None:
    return float(_STEPS[marked].min()) if marked.any() else None


def _flips(n: int, limit: float) -> float | None:
    """Share of a cell's answers that must flip, all in one direction, for McNemar's p."""
    flips = math.ceil(math.log2(2 / limit))
    return flips / n if flips <= n else None


def _correlation(signal: list[Pair], place: np.ndarray) -> float:
    """The correlation of two listeners' scores of the same trials, within cells."""
    ranks = [rankdata([pair[who].yes_score for pair in signal]) for who in (0, 1)]
    counts = np.maximum(np.bincount(place), 1)
    x, y = (r - (np.bincount(place, r) / counts)[place] for r in ranks)
    spread = math.sqrt(float(np.sum(x**2) * np.sum(y**2)))
    return float(np.clip(_CORRELATION * np.sum(x * y) / spread, 0, 0.9)) if spread > 0 else 0.0


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
        """Numbers of cells that are better, worse, neither."""
        better, worse = int(self.better.sum()), int(self.worse.sum())
        p = self.p if self.p_d_prime is None else self.p_d_prime
        tested = int(np.sum(~np.isnan(p)))
        return MapVerdict(
            better,
            worse,
            tested - better - worse,
            p.size - tested,
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
        fields = {k: plain(v) for k, v in vars(self).items() if k != "plan" and v is not None}
        return {**fields, "verdict": self.verdict.to_dict()}


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
        """The verdicts, the main measure first: d_a or d' (or accuracy), then bias, then what
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
        verdicts = [
            Verdict(change, measure, n, None, what)
            for change, measure, n, what in listed
            if change is not None
        ]
        first = [dataclasses.replace(v, margin=margin, mixed=self.mixed) for v in verdicts[:1]]
        return first_named([*first, *verdicts[1:]])

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on the main measure; None where no question was answered by both."""
        return next(iter(self.verdicts()), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data with the verdicts; nan and infinities become None."""
        fields = {k: plain(v) for k, v in vars(self).items() if k != "plan" and v is not None}
        return {**fields, "verdicts": [v.to_dict() for v in self.verdicts()]}


def difference(
    plan: Plan,
    base: Iterable[Trial],
    tuned: Iterable[Trial],
    q: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """The changes from `base` to `tuned` in each cell; only questions that both have answered
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
