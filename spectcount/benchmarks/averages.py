"""Scores as averages over groups, scores that preference for a place cannot raise, and what changed
between two listeners.

*Conventions*: a mark is True, False or None (not in the denominator); element i of two listeners'
marks is the same item. A score is the mean, over the groups that have a denominator, of the share
right in each; one group for a plain rate. Intervals are percentile intervals of a bootstrap that
resamples items within their group, a trial added to each group as in `psychophysics.paired`.

The right answers of a benchmark do not lie evenly over the places (in MMAU test-mini 395 of 1000
lie first), so a listener that only comes to prefer another place changes its score. The balanced
score is over the items with the most common number of options m: the mean, over the m places where
the answer may lie, of the share right of the items whose answer lies there. Whoever chooses by
place alone, in whatever proportions, gets 1/m.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from spectcount.benchmarks.items import Item, position_of
from spectcount.psychophysics.paired import N_RESAMPLES, SMOOTHED
from spectcount.psychophysics.sdt import Interval, tails, wilson

Marks = Sequence[bool | None]
LEVEL = 0.95
BY_GROUP = "bootstrap of items within their task, a trial added"
_STATES = ((1, 1), (1, 0), (0, 1), (0, 0), (1, -1), (0, -1), (-1, 1), (-1, 0))
_ADDED = np.array([0.25] * 4 + [0.0] * 4)


def score(marks: Marks, groups: Sequence[str]) -> float:
    """The mean over groups of the share right; nan where nothing has a denominator."""
    right, n = _counts(marks, groups)
    return float(np.mean(right / n)) if len(n) else math.nan


def interval(marks: Marks, groups: Sequence[str], seed: int = 0) -> Interval:
    """The score with its interval: Wilson's for one group, a bootstrap for a mean over several."""
    right, n = _counts(marks, groups)
    if len(n) <= 1:
        return wilson(int(right.sum()), int(n.sum()))
    rng = np.random.default_rng(seed)
    drawn = rng.binomial(n, (right + 0.5) / (n + 1), size=(N_RESAMPLES, len(n))) / n
    low, high = np.quantile(drawn.mean(axis=1), tails(LEVEL))
    return Interval(float(np.mean(right / n)), float(low), float(high), LEVEL, BY_GROUP)


def change(x: Marks, y: Marks, groups: Sequence[str], seed: int = 0) -> Interval:
    """score(y) - score(x), items resampled in pairs; each listener keeps its own denominator, and
    groups without one are in neither mean. nan and unbounded where there is no group."""
    tables = _pair_tables(x, y, groups)
    if not len(tables):
        return Interval(math.nan, -math.inf, math.inf, LEVEL, SMOOTHED)
    n = tables.sum(axis=-1)
    share = (tables + _ADDED) / (n + 1)[:, None]
    drawn = np.random.default_rng(seed).multinomial(n, share, size=(N_RESAMPLES, len(n)))
    low, high = np.nanquantile(_means(drawn), tails(LEVEL))
    return Interval(float(_means(tables)), float(low), float(high), LEVEL, SMOOTHED)


def _means(tables: np.ndarray) -> np.ndarray:
    """The change of the mean over groups in tables [..., groups, states]."""
    difference = np.zeros(tables.shape[:-1])
    for listener, sign in ((1, 1), (0, -1)):
        state = np.array([pair[listener] for pair in _STATES])
        right, counted = (tables[..., state == 1].sum(-1), tables[..., state >= 0].sum(-1))
        with np.errstate(invalid="ignore"):
            difference = difference + sign * right / counted
    known = ~np.isnan(difference)
    with np.errstate(invalid="ignore"):
        return np.where(known, difference, 0).sum(-1) / known.sum(-1)


def _pair_tables(x: Marks, y: Marks, groups: Sequence[str]) -> np.ndarray:
    """Counts [groups, states] of pairs, groups without a denominator in x or y left out."""
    both = set(groups)
    for marks in (x, y):
        both &= {g for mark, g in zip(marks, groups, strict=True) if mark is not None}
    names = {name: i for i, name in enumerate(sorted(both))}
    tables = np.zeros((len(names), len(_STATES)), int)
    for a, b, group in zip(x, y, groups, strict=True):
        pair = tuple(-1 if mark is None else int(mark) for mark in (a, b))
        if group in names and pair in _STATES:
            tables[names[group], _STATES.index(pair)] += 1
    return tables


def _counts(marks: Marks, groups: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(right, n) of every group that has a denominator."""
    counts: dict[str, list[int]] = {}
    for mark, group in zip(marks, groups, strict=True):
        if mark is not None:
            count = counts.setdefault(group, [0, 0])
            count[0] += bool(mark)
            count[1] += 1
    table = np.array(list(counts.values()), int).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def common_number(items: Sequence[Item]) -> int:
    """The most common number of options, the larger of two equally common."""
    counts = Counter(len(item.choices) for item in items)
    return max(counts, key=lambda n: (counts[n], n), default=0)


def balanced_groups(items: Sequence[Item], n_options: int) -> list[str | None]:
    """The place of each item's answer as a group; None for items with another number of options,
    or whose answer is none of them."""
    groups: list[str | None] = []
    for item in items:
        place = position_of(item.options, item.right)
        fits = len(item.choices) == n_options and place is not None
        groups.append(str(place) if fits else None)
    return groups


def caveat(name: str, strict_low: float, even_low: float, floor: float, n_options: int) -> str:
    """A sentence where a score, whose interval begins at `strict_low` or `even_low` (balanced), is
    not above what preference for a place alone may give, else ""."""
    if even_low > 1 / n_options and strict_low > floor:
        return ""
    below = "the balanced score" if strict_low > floor else "the strict score"
    limit = 1 / n_options if strict_low > floor else floor
    return (
        f"{name}: {below} is not shown to be above {100 * limit:.1f} %, which takes no listening; "
        "what looks like a change may be a change of preference for a place"
    )
