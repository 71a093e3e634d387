"""Base against tuned on the same items, as a whole and in every stratum.

*Conventions*: the first listener is the base, the second the tuned one; changes are tuned minus
base. Strict marks are compared over the items that both dealt with, official marks over those that
both replied to. Intervals over the strata of one kind are at one level, chosen so that of those
that exclude zero a twentieth at most is expected to be wrong (`paired.selected_intervals`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spectcount.benchmarks import averages, places
from spectcount.benchmarks.items import Item
from spectcount.probing.verdict import Measure, verdict
from spectcount.psychophysics.paired import mcnemar, pair_table, rate_change, selected_intervals
from spectcount.psychophysics.sdt import Interval, wilson

if TYPE_CHECKING:
    from spectcount.benchmarks.sheet import Sheet
    from spectcount.benchmarks.summary import Marked


_FIRST_PLACE = Measure(
    "share of replies that choose the first place", better=0, up="chosen more often",
    down="chosen less often",
)  # fmt: skip


def compare(sheet: Sheet, marked: Mapping[str, Marked]) -> dict[str, Any]:
    """Both scores of two listeners in pairs: verdicts (strict first), and McNemar's exact test on
    the strict marks."""
    base, tuned = marked.values()
    shared = _shared(sheet, base.strict_by_row, tuned.strict_by_row)
    x, y = ([m.strict_by_row[item.row] for item in shared] for m in (base, tuned))
    _, only_base, only_tuned, _ = map(int, pair_table(x, y))
    strict = averages.change(x, y, _groups(sheet, shared), sheet.seed)
    both = _shared(sheet, base.official_by_row, tuned.official_by_row)
    u, v = ([m.official_by_row[item.row] for item in both] for m in (base, tuned))
    official = averages.change(u, v, _groups(sheet, both), sheet.seed)
    even, n_even = _balanced(sheet, shared, x, y)
    first, n_first = _first_place(both, base, tuned)
    title = sheet.benchmark.title
    return {
        "base": next(iter(marked)), "tuned": list(marked)[1], "n": len(shared),
        "mcnemar": {"only_base_right": only_base, "only_tuned_right": only_tuned,
                    "p": mcnemar(only_base, only_tuned)},
        "strict": strict, "official": official,
        "balanced": even, "first_place": first,
        "verdicts": [
            _said(strict, f"strict score on {title}", len(shared)),
            _said(official, f"official score on {title}", len(both)),
            _said(even, f"strict score balanced over the places of the answer on {title}", n_even),
            _said(first, _FIRST_PLACE, n_first),
        ],
    }  # fmt: skip


def strata(sheet: Sheet, marked: Mapping[str, Marked]) -> dict[str, list[dict[str, Any]]]:
    """Rows of every kind of stratum: name, n, both scores of each listener, the change."""
    return {kind: _rows(sheet, kind, marked) for kind in sheet.benchmark.strata}


def _rows(sheet: Sheet, kind: str, marked: Mapping[str, Marked]) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(item.stratum(kind) for item in sheet.items))
    members = {name: [i for i in sheet.items if i.stratum(kind) == name] for name in names}
    rows = [
        {
            "name": name, "n": len(members[name]),
            "listeners": {who: _scores(one, members[name]) for who, one in marked.items()},
            "change": None, "verdict": None,
        }
        for name in sorted(names)
    ]  # fmt: skip
    if len(marked) == 2:
        _add_changes(sheet, kind, rows, members, marked)
    return rows


def _scores(one: Marked, members: list[Item]) -> dict[str, Any]:
    """Strict and official rate of one listener in one stratum."""
    rows = {item.row for item in members}
    strict = [m for row, m in one.strict_by_row.items() if row in rows]
    marks = [m for row, m in one.official_by_row.items() if row in rows and m is not None]
    unparsed = sum(r in rows and k == 0 and x.unparsed for (r, k), x in one.readings.items())
    return {
        "strict": wilson(sum(strict), len(strict)), "right": sum(strict), "n": len(strict),
        "official": wilson(sum(marks), len(marks)), "counted": len(marks), "unparsed": unparsed,
    }  # fmt: skip


def _add_changes(
    sheet: Sheet, kind: str, rows: list[dict[str, Any]], members: Mapping[str, list[Item]],
    marked: Mapping[str, Marked],
) -> None:  # fmt: skip
    """The strict change of each row, all rows of the kind at one level."""
    base, tuned = (one.strict_by_row for one in marked.values())
    tables = []
    for row in rows:
        shared = [i.row for i in members[row["name"]] if i.row in base and i.row in tuned]
        tables.append(pair_table([base[r] for r in shared], [tuned[r] for r in shared]))
    changes = [functools.partial(_rate_change, table, sheet.seed) for table in tables]
    for row, table, change in zip(rows, tables, selected_intervals(changes), strict=True):
        row["change"] = change
        row["verdict"] = _said(change, f"strict score in {kind} {row['name']}", int(table.sum()))


def _rate_change(table: np.ndarray, seed: int, level: float) -> Interval:
    """The change at a level; the same draws at every level, so that intervals are nested."""
    return rate_change(table, np.random.default_rng(seed), level=level)


def _balanced(
    sheet: Sheet, shared: list[Item], x: list[bool], y: list[bool]
) -> tuple[Interval, int]:
    """The change of the score that preference for a place cannot raise, and of how many items."""
    groups = places.balanced_groups(shared, places.common_number(sheet.items))
    kept = [(a, b, g) for a, b, g in zip(x, y, groups, strict=True) if g is not None]
    marks_x, marks_y = [a for a, _, _ in kept], [b for _, b, _ in kept]
    return averages.change(marks_x, marks_y, [g for _, _, g in kept], sheet.seed), len(kept)


def _first_place(both: list[Item], base: Marked, tuned: Marked) -> tuple[Interval, int]:
    """The change of the share of replies that choose the first place, unparsed ones left out."""
    pairs = [[one.readings[item.row, 0].position for one in (base, tuned)] for item in both]
    kept = [(a == 0, b == 0) for a, b in pairs if a is not None and b is not None]
    x, y = [a for a, _ in kept], [b for _, b in kept]
    return averages.change(x, y, ["all"] * len(kept)), len(kept)


def _said(change: Interval, measure: str | Measure, n: int) -> dict[str, Any]:
    found = verdict(change, Measure(measure) if isinstance(measure, str) else measure, n)
    return {**found.to_dict(), "sentence": found.sentence.replace("paired trials", "paired items")}


def _shared(sheet: Sheet, x: Mapping[int, Any], y: Mapping[int, Any]) -> list[Item]:
    return [item for item in sheet.items if item.row in x and item.row in y]


def _groups(sheet: Sheet, items: list[Item]) -> list[str]:
    kind = sheet.benchmark.average_over
    return [item.stratum(kind) if kind else "all" for item in items]
