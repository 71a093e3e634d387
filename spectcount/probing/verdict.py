"""Statements about a change, in a sentence with its interval.

*Conventions*: a change is tuned minus base (thresholds on a log axis: log10 of the factor). The
word is a property of the interval and of nothing else: *improved* and *worse* only where zero lies
outside it, touching counts as inside. *Equivalent* exists only against a margin that was named
beforehand. Where the interval says nothing the word is *not measurable*. Measures without a better
direction, such as the criterion, *changed* or not.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.errors import UserError
from spectcount.probing.maps import plain
from spectcount.psychophysics.sdt import Interval, interval_text
from spectcount.tasks import Task

IMPROVED, WORSE, CHANGED = "improved", "worse", "changed"
NOT_SHOWN, EQUIVALENT, NOT_MEASURABLE = "no change shown", "equivalent", "not measurable"
MAX_DIGITS = 12


@dataclass(frozen=True)
class Measure:
    """The measure that changed: its `name` in a sentence, its `unit`, whether more is `better` (1),
    worse (-1) or neither (0), and for a measure without better the words for `up` and `down`. Where
    `factor`, changes are log10 of a factor, which is what the sentence shows."""

    name: str
    better: int = 1
    unit: str = ""
    up: str = ""
    down: str = ""
    factor: bool = False

    def __post_init__(self) -> None:
        if self.better not in (-1, 0, 1):
            raise UserError(f"better={self.better} is no direction; give 1, -1 or 0")


D_PRIME = Measure("d'")
D_A = Measure("d_a")
"""Sensitivity from graded scores, sqrt 2 z(AUC): d' where scores are Gaussian of equal spread."""
SENSITIVITIES = (D_PRIME, D_A)
RATE = Measure("hit rate")
HITS = Measure(
    "hit rate",
    better=0,
    up="more hits: d' says whether it hears better",
    down="fewer hits: d' says whether it hears worse",
)
ACCURACY = Measure("accuracy")
FIRST_ANSWERS = Measure(
    "rate of the first answer", better=0, up="said more often", down="said less often"
)
FALSE_ALARMS = Measure("false-alarm rate", better=-1)
ALARMS = Measure("false-alarm rate", better=0, up="more false alarms", down="fewer false alarms")
MEAN_ERROR = Measure("mean absolute error", better=-1, unit="events")
CRITERION = Measure(
    "criterion c",
    better=0,
    up="less inclined to the first answer",
    down="more inclined to the first answer",
)
COUNT_BIAS = Measure(
    "count bias",
    better=0,
    unit="events",
    up="counts higher than before",
    down="counts lower than before",
)


@dataclass(frozen=True)
class Verdict:
    """A change and what may be said of it; see the module. It rests on `n` (or at `least` so many)
    of `what`; `margin`: changes smaller than it do not matter, if that was said beforehand;
    `mixed`: another verdict of the same plan points in the other direction, so that neither says
    better or worse; `descriptive`: not the one verdict of its run that was named beforehand, nor
    corrected for being one of several."""

    interval: Interval
    measure: Measure = D_PRIME
    n: int = 0
    margin: float | None = None
    what: str = "paired trials"
    least: bool = False
    mixed: bool = False
    descriptive: bool = False

    def __post_init__(self) -> None:
        ends = [float(x) for x in (self.interval.value, self.interval.low, self.interval.high)]
        if ends[1] > ends[2]:
            raise UserError(f"an interval from {ends[1]:g} to {ends[2]:g} runs backwards; swap it")
        if self.margin is not None and not (math.isfinite(self.margin) and self.margin > 0):
            raise UserError(f"margin={self.margin} excludes no change; give a number above 0")

    @property
    def kind(self) -> str:
        """One of `KINDS`, from the interval (and the margin) alone."""
        side = _side(self.interval)
        if side is None:
            return NOT_MEASURABLE
        if side == 0:
            return EQUIVALENT if self.within_margin else NOT_SHOWN
        if self.measure.better == 0 or self.mixed:
            return CHANGED
        return IMPROVED if side == self.measure.better else WORSE

    @property
    def within_margin(self) -> bool:
        """True where a margin was named and the whole interval lies inside it."""
        m = self.margin
        return m is not None and -m < self.interval.low and self.interval.high < m

    @property
    def sentence(self) -> str:
        """The verdict in words, with the interval, its level and the number of trials."""
        if self.kind == NOT_MEASURABLE:
            return f"not measurable: the change of {self.measure.name} has no interval, {self.tail}"
        return f"{self.head}: {self.measure.name} {self.numbers} {self.tail}{self.aside}"

    @property
    def head(self) -> str:
        """The word, with the margin where that is what it rests on."""
        if self.kind == EQUIVALENT:
            return f"{EQUIVALENT} within ±{self.margin:g}"
        return self.kind

    @property
    def numbers(self) -> str:
        """The change with its sign and interval: "+0.3 [-0.1, +0.7]"."""
        if self.measure.factor:
            return factor_words(self.interval)
        unit = f" {self.measure.unit}" if self.measure.unit else ""
        return signed(self.interval) + unit

    @property
    def tail(self) -> str:
        """At which level, from how many trials."""
        least = "at least " if self.least else ""
        return f"at {100 * self.interval.level:.4g} %, {least}{self.n} {self.what}"

    @property
    def aside(self) -> str:
        """The further message of the interval: which way a bias went, or how small the change
        is."""
        words = ""
        if self.mixed:
            better = _side(self.interval) == self.measure.better
            words = f"{'better' if better else 'worse'} by this measure, the opposite by another"
        elif self.kind == CHANGED:
            words = self.measure.up if self.interval.low > 0 else self.measure.down
        if self.kind in (IMPROVED, WORSE, CHANGED) and self.within_margin:
            words = f"{words}; " if words else ""
            words += f"smaller than the margin of {self.margin:g}"
        if self.kind in (IMPROVED, WORSE, CHANGED) and self.descriptive:
            words = f"{words}; " if words else ""
            words += "descriptive: one of several, not the verdict named beforehand"
        return f" ({words})" if words else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data: kind, sentence, interval, measure, n, margin, descriptive."""
        return {
            "kind": self.kind,
            "sentence": self.sentence,
            "interval": plain(self.interval),
            "measure": self.measure.name,
            "n": self.n,
            "margin": self.margin,
            "descriptive": self.descriptive,
        }


def verdict(
    change: Interval, measure: Measure = D_PRIME, n: int = 0, margin: float | None = None
) -> Verdict:
    """The verdict on one change (tuned - base) with its interval."""
    return Verdict(change, measure, n, margin)


@dataclass(frozen=True)
class MapVerdict:
    """The number of cells of a map that changed for sure, at false-discovery rate `q`; `headline`:
    the kind of the verdict over all trials, which the cells never contradict."""

    better: int
    worse: int
    not_shown: int
    unmeasured: int
    q: float
    test: str
    noun: str = "cell"
    smallest: str = ""
    headline: str = ""

    @property
    def of(self) -> int:
        """Cells that could have changed: all that were asked in pairs."""
        return self.better + self.worse + self.not_shown

    @property
    def kind(self) -> str:
        """improved, worse or changed (some cells each way, or against the headline), no change
        shown, not measurable."""
        if not self.of:
            return NOT_MEASURABLE
        if (self.better and self.worse) or self.against:
            return CHANGED
        return IMPROVED if self.better else WORSE if self.worse else NOT_SHOWN

    @property
    def against(self) -> bool:
        """True where some cells changed for sure in the direction opposite to the headline's."""
        opposite = {IMPROVED: self.worse, WORSE: self.better}
        return bool(opposite.get(self.headline, 0))

    @property
    def sentence(self) -> str:
        """All counts in a sentence."""
        if not self.of:
            return f"not measurable: no {self.noun} was asked in pairs"
        missing = f" ({self.unmeasured} more not asked yet)" if self.unmeasured else ""
        smallest = f"; {self.smallest}" if self.smallest else ""
        against = f"; all trials together say {self.headline}" if self.against else ""
        return (
            f"of {self.of} {self.noun}s, {self.better} better, {self.worse} worse, "
            f"{self.not_shown} no change shown{missing} ({self.test}, false-discovery rate "
            f"{100 * self.q:g} %{smallest}){against}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with kind and sentence."""
        return {**dataclasses.asdict(self), "kind": self.kind, "sentence": self.sentence}


def signed(change: Interval) -> str:
    """A change with its sign and interval, with so many digits that an end never looks like, or
    beyond, zero when it is not; "at least" or "at most" where the other end is open."""
    ends = (float(change.low), float(change.high))
    digits = next(
        (k for k in range(2, MAX_DIGITS) if all(_keeps_side(x, k) for x in ends)), MAX_DIGITS
    )
    return interval_text(change, lambda x: _signed(x, digits))


def factor_words(change: Interval) -> str:
    """A change in log10 as a factor: "×0.71 [0.60, 0.85]"; an end never looks like 1 when it is
    not."""
    ends = [float(x) for x in (change.value, change.low, change.high)]
    with np.errstate(over="ignore"):
        value, low, high = (float(np.power(10.0, x)) for x in ends)
    digits = next(
        (k for k in range(2, MAX_DIGITS) if all(_keeps_side(x - 1, k) for x in (low, high))),
        MAX_DIGITS,
    )
    factor = Interval(value, low if low > 0 else -math.inf, high)
    return re.sub(r"(\d)", r"×\1", interval_text(factor, lambda x: f"{x:.{digits}f}"), count=1)


def whole_rate(of_task: Task, of_two: Measure) -> Measure:
    """The rate of a task's first or right answers: `of_two` where it has a signal and a
    counterpart."""
    if of_task.counts:
        return ACCURACY
    return of_two if of_task.has_truth else FIRST_ANSWERS


def first_named(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts of one run: the first was named beforehand, the others describe."""
    others = [dataclasses.replace(v, descriptive=True) for v in verdicts[1:]]
    return [*verdicts[:1], *others]


def opposed(verdicts: Iterable[Verdict]) -> bool:
    """True where some say improved and some worse."""
    return {IMPROVED, WORSE} <= {v.kind for v in verdicts}


def worst(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The measurable verdict whose change is the largest loss; None where there is none."""
    known = [v for v in verdicts if v.kind != NOT_MEASURABLE and v.measure.better]
    return min(known, key=lambda v: v.measure.better * v.interval.value, default=None)


def _side(interval: Interval) -> int | None:
    """1 above zero, -1 below, 0 holding it; None where the interval says nothing."""
    value, low, high = (float(x) for x in (interval.value, interval.low, interval.high))
    if any(map(math.isnan, (value, low, high))) or (math.isinf(low) and math.isinf(high)):
        return None
    return 1 if low > 0 else -1 if high < 0 else 0


def _keeps_side(x: float, digits: int) -> bool:
    return not math.isfinite(x) or x == 0 or float(f"{x:.{digits}f}") != 0


def _signed(x: float, digits: int) -> str:
    if not math.isfinite(x):
        return f"{x:+}"
    rounded = float(f"{x:.{digits}f}")
    if rounded == 0:
        return f"{x:+.1e}" if x != 0 and digits == MAX_DIGITS else f"{0:.{digits}f}"
    return f"{rounded:+.{digits}f}"
