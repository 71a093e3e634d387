"""A benchmark's summary in sentences and lines: what a terminal and a report print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Summary = Mapping[str, Any]
_SHOWN = 5


def lines(summary: Summary, strata: bool = True) -> list[str]:
    """The whole report, a line each: head, listeners, floors, what changed, strata, gotchas."""
    return [
        *_head(summary),
        *[line for name, one in summary["listeners"].items() for line in _listener(name, one)],
        *_floors(summary),
        *[f"caution: {said}" for said in summary["caveats"]],
        *_comparison(summary),
        *(_strata(summary) if strata else []),
        *[f"official rule: {said}" for said in summary["benchmark"]["gotchas"]],
    ]


def percent(interval: Mapping[str, Any] | None) -> str:
    """A rate and its interval in percent; a dash where there is none."""
    if interval is None or interval["value"] is None:
        return "–"
    value, low, high = (100 * interval[k] for k in ("value", "low", "high"))
    return f"{value:.2f} % [{low:.2f}, {high:.2f}]"


def _head(summary: Summary) -> list[str]:
    b, unheard = summary["benchmark"], summary["unheard"]
    order = ", every rotation of the options" if b["rotate"] else ""
    said = [
        f"{b['title']}: {b['n']} of {b['n_file']} items, prompt {summary['prompt']['name']}, "
        f"{b['mode']}{order}"
    ]
    if not b["answers_known"]:
        said.append("the file holds no answers: there is no score, only predictions to hand in")
    for kind, items in unheard.items():
        if items:
            said.append(f"sound {kind}: {_named(items, b['n'])}")
    return said


def _listener(name: str, one: Mapping[str, Any]) -> list[str]:
    official, strict = one["official"], one["strict"]
    said = [f"{name}: {one['n_replied']} replies to {one['n_items']} items"]
    if official is not None and strict is not None:
        said += [
            f"  official {percent(official['score'])}, {official['right']} right of "
            f"{official['counted']} counted, {official['left_out']} left out by the script",
            f"  strict {percent(strict['score'])}, {strict['right']} right of {strict['n']}",
        ]
        even = strict["balanced"]
        said.append(
            f"  strict, balanced over the places of the answer: {percent(even['score'])} of "
            f"{even['n']} items with {even['n_options']} options"
        )
        said += [f"  official: {gotcha}" for gotcha in official["gotchas"]]
        if official["script_stops"]:
            said.append(f"  the official script stops with an error: {official['script_stops']}")
    said.append(f"  unparsed {percent(one['unparsed']['rate'])}, {one['unparsed']['n']} replies")
    said.append(f"  chosen by place shown: {_counts(one['positions'])}")
    if one["mean_mass"] is not None:
        said.append(f"  mean probability of the options as a whole: {one['mean_mass']:.3g}")
    if one["rotation"] is not None:
        said += _rotation(one["rotation"])
    if one["refused"]:
        said.append(f"  refused by the listener: {_named(one['refused'], one['n_items'])}")
    if one["n_lowered"]:
        said.append(f"  {one['n_lowered']} sounds were lowered to full scale after decoding")
    if one.get("n_single_channel"):
        said.append(
            f"  {one['n_single_channel']} sounds have channels that cancel in their mix: one "
            "channel of each was heard"
        )
    if one["n_not_asked_yet"]:
        said.append(f"  {one['n_not_asked_yet']} items are not asked yet and in no number above")
    return said


def _rotation(found: Mapping[str, Any]) -> list[str]:
    said = [f"  one option in every order: {percent(found['consistent'])} of {found['n']} items"]
    if found["mean_over_orders"] is not None:
        said.append(
            f"  right in every order: {percent(found['right_in_every_order'])}; mean over orders "
            f"{100 * found['mean_over_orders']:.2f} %"
        )
    said.append(f"  chosen by place, all orders: {_counts(found['positions'])}")
    return said


def _floors(summary: Summary) -> list[str]:
    floors = summary["floors"]
    if floors is None:
        return []
    first = floors["first"]
    return [
        f"floor, always the first option: official {100 * first['official']:.2f} %, strict "
        f"{100 * first['strict']:.2f} %; a blind guess {100 * floors['chance']:.2f} %",
        f"answers by place: {_counts(floors['answer_positions'])}",
    ]


def _comparison(summary: Summary) -> list[str]:
    found = summary["comparison"]
    if found is None:
        return []
    m = found["mcnemar"]
    return [
        f"{found['tuned']} against {found['base']}:",
        *[f"  {verdict['sentence']}" for verdict in found["verdicts"]],
        f"  right only before {m['only_base_right']}, only after {m['only_tuned_right']}, "
        f"McNemar exact p = {m['p']:.3g}",
    ]


def _strata(summary: Summary) -> list[str]:
    said = []
    for kind, rows in summary["strata"].items():
        said.append(f"by {kind}:")
        for row in rows:
            scores = "; ".join(
                f"{who} official {percent(s['official'])}, strict {percent(s['strict'])}"
                for who, s in row["listeners"].items()
            )
            change = f"; {row['verdict']['sentence']}" if row["verdict"] else ""
            said.append(f"  {row['name']} ({row['n']}): {scores}{change}")
    return said


def _counts(histogram: list[int]) -> str:
    return ", ".join(map(str, histogram)) or "none"


def _named(items: list[Mapping[str, str]], n: int) -> str:
    """How many of how many, the first few with their reasons."""
    shown = "; ".join(f"{one['item']} ({one['why']})" for one in items[:_SHOWN])
    more = f"; and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{len(items)} of {n} items: {shown}{more}"
