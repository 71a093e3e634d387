"""A benchmark run's summary: plain data that the page, the command line and a report show.

*Conventions*: rates are shares of 1 with their interval {value, low, high, level, rule}. Score and
tables are of the file's own order of options (rotation 0); what rotations add is under `rotation`.
The strict score is over every item that was dealt with: an item that has no sound, that the
listener refused or whose reply names no single option counts as wrong. The official score is the
number that the official script prints for the exported file. `docs/benchmarks.md` lists the keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spectcount.benchmarks import averages, comparison, places
from spectcount.benchmarks.items import Item, position_of
from spectcount.benchmarks.official import Official
from spectcount.benchmarks.readings import Place, Reading, in_form, read_all
from spectcount.benchmarks.sheet import Sheet
from spectcount.probing.maps import plain
from spectcount.psychophysics.sdt import wilson
from spectcount.trials import Trial

Unheard = Mapping[int, tuple[str, str]]
"""Row of an item -> (missing or unreadable, why)."""
MISSING, UNREADABLE = "missing", "unreadable"


@dataclass(frozen=True)
class Answers:
    """What one listener left: trials by place, refusals by row (words,
    seconds of sound), how many were asked, known."""

    fingerprint: str
    trials: Mapping[Place, Trial]
    refused: Mapping[int, tuple[str, float]]
    asked: int
    known: int
    clips_per_s: float | None
    scored_by: Mapping[str, str] = field(default_factory=dict)


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


def summarise(sheet: Sheet, answers: Mapping[str, Answers], unheard: Unheard) -> dict[str, Any]:
    """Everything that a run says, as plain data; see the module."""
    marked = {name: mark(sheet, one, unheard) for name, one in answers.items()}
    known = any(item.answer is not None for item in sheet.items)
    found: dict[str, Any] = {
        "benchmark": _head(sheet, known),
        "prompt": sheet.prompt.to_dict(),
        "unheard": {
            kind: [
                {"item": item.id, "why": unheard[item.row][1]}
                for item in sheet.items
                if unheard.get(item.row, ("",))[0] == kind
            ]
            for kind in (MISSING, UNREADABLE)
        },
        "floors": _floors(sheet) if known else None,
        "listeners": {
            name: _listener(sheet, answers[name], one, known) for name, one in marked.items()
        },
        "strata": comparison.strata(sheet, marked) if known else {},
        "comparison": comparison.compare(sheet, marked) if known and len(marked) == 2 else None,
    }
    said = (found["comparison"] or {}).get("verdicts", [])
    return plain_tree({"verdicts": said, "caveats": _caveats(found) if known else [], **found})


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


def plain_tree(value: Any) -> Any:
    """`maps.plain` through mappings: intervals and numbers as JSON-ready data."""
    if isinstance(value, Mapping):
        return {key: plain_tree(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_tree(one) for one in value]
    return plain(value)


def _head(sheet: Sheet, known: bool) -> dict[str, Any]:
    benchmark = sheet.benchmark
    return {
        "name": benchmark.name, "title": benchmark.title, "path": str(sheet.path),
        "digest": sheet.digest, "n_file": sheet.n_file,
        "n_unanswered": sheet.n_unanswered, "n": len(sheet.items),
        "limit": sheet.limit, "seed": sheet.seed, "mode": sheet.mode, "rotate": sheet.rotate,
        "answers_known": known, "average_over": benchmark.average_over,
        "gotchas": list(benchmark.gotchas), "says": benchmark.says,
    }  # fmt: skip


def _floors(sheet: Sheet) -> dict[str, Any]:
    """What needs no ears: always the first option, a blind guess, where the answers lie."""
    replies = [
        (item, in_form(sheet.benchmark, item.options, item.choices[0])) for item in sheet.items
    ]
    marks = sheet.benchmark.script(replies).marks
    groups = groups_of(sheet, sheet.items)
    first = [item.choices[0] == item.right for item in sheet.items]
    places = [position_of(item.options, item.right) for item in sheet.items]
    return {
        "first": {
            "official": averages.score(marks, groups),
            "strict": averages.score(first, groups),
        },
        "chance": _mean_over(groups, [1 / len(item.choices) for item in sheet.items]),
        "answer_positions": _histogram(places),
        "answers_not_among_options": sum(place is None for place in places),
    }


def _listener(sheet: Sheet, answers: Answers, marked: Marked, known: bool) -> dict[str, Any]:
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
        "asked": answers.asked, "known": answers.known, "clips_per_s": answers.clips_per_s,
        **answers.scored_by,
        "n_items": len(marked.items), "n_replied": len(first),
        "n_not_asked_yet": len(sheet.items) - len(marked.items),
        "refused": [
            {"item": names[row], "why": why, "duration_s": seconds}
            for row, (why, seconds) in answers.refused.items()
        ],
        "official": _official(sheet, marked) if known else None,
        "strict": _strict(sheet, marked) if known else None,
        "unparsed": {"n": unparsed, "rate": wilson(unparsed, len(first))},
        "positions": _histogram([reading.position for reading in first]),
        "rotation": rotation(sheet, marked, known) if sheet.rotate else None,
        "mean_mass": sum(masses) / len(masses) if masses else None,
        "n_lowered": len(lowered),
        "n_single_channel": len(single),
    }  # fmt: skip


def _official(sheet: Sheet, marked: Marked) -> dict[str, Any]:
    marks, groups = marked.official.marks, groups_of(sheet, marked.replied)
    counted = [mark for mark in marks if mark is not None]
    sets = [item.stratum("set") for item in marked.replied]
    return {
        "score": averages.interval(marks, groups, sheet.seed),
        "right": sum(counted), "counted": len(counted), "left_out": len(marks) - len(counted),
        "gotchas": list(marked.official.gotchas), "script_stops": marked.official.stops,
        "mean_over_sets": averages.score(marks, sets) if any(sets) else None,
    }  # fmt: skip


def _strict(sheet: Sheet, marked: Marked) -> dict[str, Any]:
    marks = marked.strict
    return {
        "score": averages.interval(marks, groups_of(sheet, marked.items), sheet.seed),
        "right": sum(marks), "n": len(marks), "accuracy": wilson(sum(marks), len(marks)),
        "balanced": balanced(sheet, marked),
    }  # fmt: skip


def balanced(sheet: Sheet, marked: Marked) -> dict[str, Any]:
    """The strict score that preference for a place cannot raise; see `places`."""
    n_options = places.common_number(sheet.items)
    groups = places.balanced_groups(marked.items, n_options)
    kept = [(m, g) for m, g in zip(marked.strict, groups, strict=True) if g is not None]
    score = averages.interval([m for m, _ in kept], [g for _, g in kept], sheet.seed)
    return {"score": score, "n": len(kept), "n_options": n_options, "blind": 1 / n_options}


def _caveats(found: Mapping[str, Any]) -> list[str]:
    """What a reader of the scores should know before believing them."""
    said = []
    n = found["floors"]["answers_not_among_options"]
    if n:
        said.append(
            f"{n} {'answer is' if n == 1 else 'answers are'} none of the options of "
            f"{'its' if n == 1 else 'their'} item{'' if n == 1 else 's'}: whatever is replied is "
            "wrong there in the strict score"
        )
    n = found["benchmark"]["n_unanswered"]
    if n:
        said.append(
            f"{n} {'item has' if n == 1 else 'items have'} no answer in the file and "
            f"{'is' if n == 1 else 'are'} not asked"
        )
    for name, one in found["listeners"].items():
        strict, even = one["strict"]["score"], one["strict"]["balanced"]
        floor = found["floors"]["first"]["strict"]
        if one["strict"]["n"]:
            said.append(places.caveat(name, strict, even["score"], floor, even["n_options"]))
    return [sentence for sentence in said if sentence]


def rotation(sheet: Sheet, marked: Marked, known: bool) -> dict[str, Any]:
    """What asking in every order shows: consistency, right in every order, mean over orders."""
    whole = [
        [marked.readings[item.row, r] for r in range(item.n_rotations)]
        for item in marked.replied
        if all((item.row, r) in marked.readings for r in range(item.n_rotations))
    ]
    same = sum(len({r.text for r in one}) == 1 and not one[0].unparsed for one in whole)
    every = sum(all(r.right for r in one) for one in whole)
    shares = [sum(r.right for r in one) / len(one) for one in whole]
    readings = [r for one in whole for r in one]
    return {
        "n": len(whole),
        "consistent": wilson(same, len(whole)),
        "right_in_every_order": wilson(every, len(whole)) if known else None,
        "mean_over_orders": sum(shares) / len(shares) if shares and known else None,
        "positions": _histogram([r.position for r in readings]),
        "unparsed": sum(r.unparsed for r in readings),
    }


def _histogram(places: Sequence[int | None]) -> list[int]:
    """How often each place, from the first shown; what has none is not in it."""
    found = [place for place in places if place is not None]
    return [found.count(place) for place in range(max(found, default=-1) + 1)]


def _mean_over(groups: Sequence[str], values: Sequence[float]) -> float:
    """The mean over groups of the group means."""
    found: dict[str, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        found.setdefault(group, []).append(value)
    return sum(math.fsum(v) / len(v) for v in found.values()) / len(found) if found else math.nan
