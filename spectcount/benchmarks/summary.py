"""A benchmark run's summary: plain data that the page, the command line and a report show.

*Conventions*: rates are shares of 1 with their interval {value, low, high, level, rule}. Score and
tables are of the file's own order of options (rotation 0); what rotations add is under `rotation`.
The strict score is over every item that was dealt with: an item that has no sound, that the
listener refused or whose reply names no single option counts as wrong. The official score is the
number that the official script prints for the exported file. `docs/benchmarks.md` lists the keys.

Of two listeners the first is the base, the second the tuned one; changes are tuned minus base.
Strict marks are compared over the items that both dealt with, official marks over those that both
replied to. Intervals over the strata of one kind are at one level, chosen so that of those that
exclude zero a twentieth at most is expected to be wrong (`paired.selected_intervals`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from spectcount.benchmarks import averages
from spectcount.benchmarks.items import Item, position_of
from spectcount.benchmarks.official import Official
from spectcount.benchmarks.questions import Place, Reading, Sheet, in_form, read_all
from spectcount.benchmarks.result import (
    Balanced,
    Comparison,
    Floors,
    Head,
    ListenerPart,
    Missing,
    OfficialScore,
    Orders,
    Rate,
    ScoredBy,
    Stratum,
    StratumScores,
    StrictScore,
    Summary,
    Verdict,
)
from spectcount.probing.maps import plain
from spectcount.probing.verdict import Measure, verdict
from spectcount.psychophysics.paired import mcnemar, pair_table, rate_change, selected_intervals
from spectcount.psychophysics.sdt import Interval, wilson
from spectcount.trials import Trial

Unheard = Mapping[int, tuple[str, str]]
"""Row of an item -> (missing or unreadable, why)."""
MISSING, UNREADABLE = "missing", "unreadable"


@dataclass(frozen=True)
class Answers:
    """All that one listener left: trials by place, refusals by row (words,
    seconds of sound), how many were asked, known."""

    fingerprint: str
    trials: Mapping[Place, Trial]
    refused: Mapping[int, tuple[str, float]]
    n_asked: int
    n_known: int
    clips_per_s: float | None
    scored_by: ScoredBy = field(default_factory=ScoredBy)


@dataclass(frozen=True)
class Marked:
    """One listener's readings and marks. `strict` goes with `items`, those dealt with; `official`
    with `replied`, those of them with a reply, both in the file's order."""

    items: tuple[Item, ...]
    readings: Mapping[Place, Reading]
    replied: tuple[Item, ...]
    official: Official
    strict: tuple[bool, ...]

    @property
    def official_by_row(self) -> dict[int, bool | None]:
        return {i.row: m for i, m in zip(self.replied, self.official.marks, strict=True)}

    @property
    def strict_by_row(self) -> dict[int, bool]:
        return {i.row: m for i, m in zip(self.items, self.strict, strict=True)}


def summarise(sheet: Sheet, answers: Mapping[str, Answers], unheard: Unheard) -> Summary:
    """Everything that a run says, as plain data; see the module."""
    marked = {name: mark(sheet, marks_of, unheard) for name, marks_of in answers.items()}
    known = any(item.answer is not None for item in sheet.items)
    floors = _floors(sheet) if known else None
    listeners = {
        name: _listener(sheet, answers[name], marks_of, known) for name, marks_of in marked.items()
    }
    comparison = compare(sheet, marked) if known and len(marked) == 2 else None
    return {
        "verdicts": comparison["verdicts"] if comparison else [],
        "caveats": _caveats(sheet, floors, listeners) if floors else [],
        "benchmark": _head(sheet, known),
        "prompt": sheet.prompt.to_dict(),
        "unheard": {kind: _unheard(sheet, unheard, kind) for kind in (MISSING, UNREADABLE)},
        "floors": floors,
        "listeners": listeners,
        "strata": strata(sheet, marked) if known else {},
        "comparison": comparison,
    }


def mark(sheet: Sheet, answers: Answers, unheard: Unheard) -> Marked:
    """One listener's readings and both kinds of marks."""
    readings = read_all(sheet.benchmark, sheet.items, answers.trials)
    items = tuple(
        item
        for item in sheet.items
        if (item.row, 0) in readings or item.row in unheard or item.row in answers.refused
    )
    replied = tuple(item for item in items if (item.row, 0) in readings)
    official = sheet.benchmark.script([(i, readings[i.row, 0].reply) for i in replied])
    strict = tuple((i.row, 0) in readings and readings[i.row, 0].right for i in items)
    return Marked(items, readings, replied, official, strict)


def groups_of(sheet: Sheet, items: Sequence[Item]) -> list[str]:
    """The group of each item over whose rates the score is averaged."""
    kind = sheet.benchmark.average_over
    return [item.stratum(kind) if kind else "all" for item in items]


def _rate(interval: Interval) -> Rate:
    return cast(Rate, plain(interval))


def _unheard(sheet: Sheet, unheard: Unheard, kind: str) -> list[Missing]:
    """Items whose sound is missing, or unreadable."""
    return [
        {"item": item.id, "why": unheard[item.row][1]}
        for item in sheet.items
        if unheard.get(item.row, ("",))[0] == kind
    ]


def _head(sheet: Sheet, known: bool) -> Head:
    benchmark = sheet.benchmark
    return {
        "name": benchmark.name,
        "title": benchmark.title,
        "path": str(sheet.path),
        "digest": sheet.digest,
        "n_file": sheet.n_file,
        "n_unanswered": sheet.n_unanswered,
        "n": len(sheet.items),
        "limit": sheet.limit,
        "seed": sheet.seed,
        "mode": sheet.mode,
        "rotate": sheet.rotate,
        "answers_known": known,
        "average_over": benchmark.average_over,
        "gotchas": list(benchmark.gotchas),
        "says": benchmark.says,
    }


def _floors(sheet: Sheet) -> Floors:
    """Scores that need no ears: always the first option, a blind guess, where the answers lie."""
    replies = [
        (item, in_form(sheet.benchmark, item.options, item.choices[0])) for item in sheet.items
    ]
    marks = sheet.benchmark.script(replies).marks
    groups = groups_of(sheet, sheet.items)
    first = [item.choices[0] == item.right for item in sheet.items]
    places = [position_of(item.options, item.right) for item in sheet.items]
    return {
        "first": {
            "official": plain(averages.score(marks, groups)),
            "strict": plain(averages.score(first, groups)),
        },
        "chance": plain(_mean_over(groups, [1 / len(item.choices) for item in sheet.items])),
        "answer_positions": _histogram(places),
        "answers_not_among_options": sum(place is None for place in places),
    }


def _listener(sheet: Sheet, answers: Answers, marked: Marked, known: bool) -> ListenerPart:
    """The part of the summary that is about one listener."""
    first = [marked.readings[item.row, 0] for item in marked.replied]
    unparsed = sum(reading.unparsed for reading in first)
    names = {item.row: item.id for item in sheet.items}
    masses = [r.mass for r in marked.readings.values() if r.mass is not None]
    lowered, single = (
        {t.coords["row"] for t in answers.trials.values() if name in t.coords}
        for name in ("lowered_db", "channel")
    )
    return {
        "fingerprint": answers.fingerprint,
        "asked": answers.n_asked,
        "known": answers.n_known,
        "clips_per_s": answers.clips_per_s,
        **answers.scored_by,
        "n_items": len(marked.items),
        "n_replied": len(first),
        "n_not_asked_yet": len(sheet.items) - len(marked.items),
        "refused": [
            {"item": names[row], "why": why, "duration_s": seconds}
            for row, (why, seconds) in answers.refused.items()
        ],
        "official": _official(sheet, marked) if known else None,
        "strict": _strict(sheet, marked) if known else None,
        "unparsed": {"n": unparsed, "rate": _rate(wilson(unparsed, len(first)))},
        "positions": _histogram([reading.position for reading in first]),
        "rotation": rotation(marked, known) if sheet.rotate else None,
        "mean_mass": sum(masses) / len(masses) if masses else None,
        "n_lowered": len(lowered),
        "n_single_channel": len(single),
    }


def _official(sheet: Sheet, marked: Marked) -> OfficialScore:
    marks, groups = marked.official.marks, groups_of(sheet, marked.replied)
    counted = [mark for mark in marks if mark is not None]
    sets = [item.stratum("set") for item in marked.replied]
    return {
        "score": _rate(averages.interval(marks, groups, sheet.seed)),
        "right": sum(counted),
        "counted": len(counted),
        "left_out": len(marks) - len(counted),
        "gotchas": list(marked.official.gotchas),
        "script_stops": marked.official.stops,
        "mean_over_sets": plain(averages.score(marks, sets)) if any(sets) else None,
    }


def _strict(sheet: Sheet, marked: Marked) -> StrictScore:
    marks = marked.strict
    return {
        "score": _rate(averages.interval(marks, groups_of(sheet, marked.items), sheet.seed)),
        "right": sum(marks),
        "n": len(marks),
        "accuracy": _rate(wilson(sum(marks), len(marks))),
        "balanced": balanced(sheet, marked),
    }


def balanced(sheet: Sheet, marked: Marked) -> Balanced:
    """The strict score that preference for a place cannot raise; see `averages`."""
    n_options = averages.common_number(sheet.items)
    groups = averages.balanced_groups(marked.items, n_options)
    pairs = [(m, g) for m, g in zip(marked.strict, groups, strict=True) if g is not None]
    score = averages.interval([m for m, _ in pairs], [g for _, g in pairs], sheet.seed)
    return {"score": _rate(score), "n": len(pairs), "n_options": n_options, "blind": 1 / n_options}


def _caveats(sheet: Sheet, floors: Floors, listeners: Mapping[str, ListenerPart]) -> list[str]:
    """Cautions to read before the scores."""
    sentences = []
    n = floors["answers_not_among_options"]
    if n:
        sentences.append(
            f"{n} {'answer is' if n == 1 else 'answers are'} none of the options of "
            f"{'its' if n == 1 else 'their'} item{'' if n == 1 else 's'}: whatever is replied is "
            "wrong there in the strict score"
        )
    n = sheet.n_unanswered
    if n:
        sentences.append(
            f"{n} {'item has' if n == 1 else 'items have'} no answer in the file and "
            f"{'is' if n == 1 else 'are'} not asked"
        )
    floor = floors["first"]["strict"]
    for name, listener in listeners.items():
        strict = listener["strict"]
        if strict is not None and strict["n"] and floor is not None:
            even = strict["balanced"]
            lows = (strict["score"]["low"] or 0.0, even["score"]["low"] or 0.0)
            sentences.append(averages.caveat(name, *lows, floor, even["n_options"]))
    return [sentence for sentence in sentences if sentence]


def rotation(marked: Marked, known: bool) -> Orders:
    """Results of asking in every order: consistency, right in every order, mean over orders."""
    whole = [
        [marked.readings[item.row, r] for r in range(item.n_rotations)]
        for item in marked.replied
        if all((item.row, r) in marked.readings for r in range(item.n_rotations))
    ]
    same = sum(len({r.text for r in orders}) == 1 and not orders[0].unparsed for orders in whole)
    every = sum(all(r.right for r in orders) for orders in whole)
    shares = [sum(r.right for r in orders) / len(orders) for orders in whole]
    readings = [r for orders in whole for r in orders]
    return {
        "n": len(whole),
        "consistent": _rate(wilson(same, len(whole))),
        "right_in_every_order": _rate(wilson(every, len(whole))) if known else None,
        "mean_over_orders": sum(shares) / len(shares) if shares and known else None,
        "positions": _histogram([r.position for r in readings]),
        "unparsed": sum(r.unparsed for r in readings),
    }


def _histogram(places: Sequence[int | None]) -> list[int]:
    """Counts of each place, from the first shown; replies without one are not counted."""
    known = [place for place in places if place is not None]
    return [known.count(place) for place in range(max(known, default=-1) + 1)]


def _mean_over(groups: Sequence[str], values: Sequence[float]) -> float:
    """The mean over groups of the group means."""
    pools: dict[str, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        pools.setdefault(group, []).append(value)
    return sum(math.fsum(v) / len(v) for v in pools.values()) / len(pools) if pools else math.nan


_FIRST_PLACE = Measure(
    "share of replies that choose the first place",
    better=0,
    up="chosen more often",
    down="chosen less often",
)


def compare(sheet: Sheet, marked: Mapping[str, Marked]) -> Comparison:
    """Both scores of two listeners in pairs: verdicts (strict first), and McNemar's exact test on
    the strict marks."""
    base, tuned = marked.values()
    shared = _shared(sheet, base.strict_by_row, tuned.strict_by_row)
    x, y = ([m.strict_by_row[item.row] for item in shared] for m in (base, tuned))
    _, only_base, only_tuned, _ = map(int, pair_table(x, y))
    strict = averages.change(x, y, groups_of(sheet, shared), sheet.seed)
    both = _shared(sheet, base.official_by_row, tuned.official_by_row)
    u, v = ([m.official_by_row[item.row] for item in both] for m in (base, tuned))
    official = averages.change(u, v, groups_of(sheet, both), sheet.seed)
    even, n_even = _balanced(sheet, shared, x, y)
    first, n_first = _first_place(both, base, tuned)
    title = sheet.benchmark.title
    return {
        "base": next(iter(marked)),
        "tuned": list(marked)[1],
        "n": len(shared),
        "mcnemar": {
            "only_base_right": only_base,
            "only_tuned_right": only_tuned,
            "p": mcnemar(only_base, only_tuned),
        },
        "strict": _rate(strict),
        "official": _rate(official),
        "balanced": _rate(even),
        "first_place": _rate(first),
        "verdicts": [
            _judged(strict, f"strict score on {title}", len(shared)),
            _judged(official, f"official score on {title}", len(both)),
            _judged(
                even, f"strict score balanced over the places of the answer on {title}", n_even
            ),
            _judged(first, _FIRST_PLACE, n_first),
        ],
    }


def strata(sheet: Sheet, marked: Mapping[str, Marked]) -> dict[str, list[Stratum]]:
    """Rows of every kind of stratum: name, n, both scores of each listener, the change."""
    return {kind: _rows(sheet, kind, marked) for kind in sheet.benchmark.strata}


def _rows(sheet: Sheet, kind: str, marked: Mapping[str, Marked]) -> list[Stratum]:
    names = list(dict.fromkeys(item.stratum(kind) for item in sheet.items))
    members = {name: [i for i in sheet.items if i.stratum(kind) == name] for name in names}
    rows: list[Stratum] = [
        {
            "name": name,
            "n": len(members[name]),
            "listeners": {who: _scores(marks, members[name]) for who, marks in marked.items()},
            "change": None,
            "verdict": None,
        }
        for name in sorted(names)
    ]
    if len(marked) == 2:
        _add_changes(sheet, kind, rows, members, marked)
    return rows


def _scores(listener: Marked, members: list[Item]) -> StratumScores:
    """Strict and official rate of one listener in one stratum."""
    rows = {item.row for item in members}
    strict = [m for row, m in listener.strict_by_row.items() if row in rows]
    marks = [m for row, m in listener.official_by_row.items() if row in rows and m is not None]
    unparsed = sum(r in rows and k == 0 and x.unparsed for (r, k), x in listener.readings.items())
    return {
        "strict": _rate(wilson(sum(strict), len(strict))),
        "right": sum(strict),
        "n": len(strict),
        "official": _rate(wilson(sum(marks), len(marks))),
        "counted": len(marks),
        "unparsed": unparsed,
    }


def _add_changes(
    sheet: Sheet,
    kind: str,
    rows: list[Stratum],
    members: Mapping[str, list[Item]],
    marked: Mapping[str, Marked],
) -> None:
    """The strict change of each row, all rows of the kind at one level."""
    base, tuned = (listener.strict_by_row for listener in marked.values())
    tables = []
    for row in rows:
        shared = [i.row for i in members[row["name"]] if i.row in base and i.row in tuned]
        tables.append(pair_table([base[r] for r in shared], [tuned[r] for r in shared]))
    changes = [functools.partial(_rate_change, table, sheet.seed) for table in tables]
    for row, table, change in zip(rows, tables, selected_intervals(changes), strict=True):
        row["change"] = _rate(change)
        row["verdict"] = _judged(change, f"strict score in {kind} {row['name']}", int(table.sum()))


def _rate_change(table: np.ndarray, seed: int, level: float) -> Interval:
    """The change at a level; the same draws at every level, so that intervals are nested."""
    return rate_change(table, np.random.default_rng(seed), level=level)


def _balanced(
    sheet: Sheet, shared: list[Item], x: list[bool], y: list[bool]
) -> tuple[Interval, int]:
    """The change of the score that preference for a place cannot raise, and of how many items."""
    groups = averages.balanced_groups(shared, averages.common_number(sheet.items))
    pairs = [(a, b, g) for a, b, g in zip(x, y, groups, strict=True) if g is not None]
    marks_x, marks_y = [a for a, _, _ in pairs], [b for _, b, _ in pairs]
    return averages.change(marks_x, marks_y, [g for _, _, g in pairs], sheet.seed), len(pairs)


def _first_place(both: list[Item], base: Marked, tuned: Marked) -> tuple[Interval, int]:
    """The change of the share of replies that choose the first place, unparsed ones left out."""
    pairs = [[m.readings[item.row, 0].position for m in (base, tuned)] for item in both]
    firsts = [(a == 0, b == 0) for a, b in pairs if a is not None and b is not None]
    x, y = [a for a, _ in firsts], [b for _, b in firsts]
    return averages.change(x, y, ["all"] * len(firsts)), len(firsts)


def _judged(change: Interval, measure: str | Measure, n: int) -> Verdict:
    judged = verdict(change, Measure(measure) if isinstance(measure, str) else measure, n)
    data = cast(Verdict, judged.to_dict())
    data["sentence"] = judged.sentence.replace("paired trials", "paired items")
    return data


def _shared(sheet: Sheet, x: Mapping[int, Any], y: Mapping[int, Any]) -> list[Item]:
    return [item for item in sheet.items if item.row in x and item.row in y]
