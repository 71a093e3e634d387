"""Preference for a place: scores that it cannot raise, and words where it may be all there is.

*Conventions*: the right answers of a benchmark do not lie evenly over the places (in MMAU test-mini
395 of 1000 lie first), so a listener that only comes to prefer another place changes its score. The
balanced score is over the items with the most common number of options m: the mean, over the m
places where the answer may lie, of the share right of the items whose answer lies there. Whoever
chooses by place alone, in whatever proportions, gets 1/m.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from spectcount.benchmarks.items import Item, position_of
from spectcount.psychophysics.sdt import Interval


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


def caveat(name: str, strict: Interval, balanced: Interval, floor: float, n_options: int) -> str:
    """A sentence where a score is not above what preference for a place alone may give, else ""."""
    if float(balanced.low) > 1 / n_options and float(strict.low) > floor:
        return ""
    below = "the balanced score" if float(strict.low) > floor else "the strict score"
    limit = 1 / n_options if float(strict.low) > floor else floor
    return (
        f"{name}: {below} is not shown to be above {100 * limit:.1f} %, which needs no ears; what "
        "looks like a change may be one of preference for a place"
    )
