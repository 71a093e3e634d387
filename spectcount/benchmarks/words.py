"""A benchmark's summary in sentences and lines: what a terminal and a report print."""

from __future__ import annotations

from collections.abc import Sequence

from spectcount.benchmarks.result import ListenerPart, Missing, Orders, Rate, Summary

_SHOWN = 5


def lines(summary: Summary) -> list[str]:
    """The whole report, a line each: head, listeners, floors, what changed, strata, gotchas."""
    return [
        *_head(summary),
        *[
            line
            for name, listener in summary["listeners"].items()
            for line in _listener(name, listener)
        ],
        *_floors(summary),
        *[f"caution: {sentence}" for sentence in summary["caveats"]],
        *_comparison(summary),
        *_strata(summary),
        *[f"official rule: {sentence}" for sentence in summary["benchmark"]["gotchas"]],
    ]


def percent(interval: Rate | None) -> str:
    """A rate and its interval in percent; a dash where there is none."""
    if interval is None:
        return "–"
    value, low, high = interval["value"], interval["low"], interval["high"]
    if value is None or low is None or high is None:
        return "–"
    return f"{100 * value:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"


def share(value: float | None) -> str:
    """A rate in percent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.2f} %"


def _head(summary: Summary) -> list[str]:
    b, unheard = summary["benchmark"], summary["unheard"]
    order = ", every rotation of the options" if b["rotate"] else ""
    lines = [
        f"{b['title']}: {b['n']} of {b['n_file']} items, prompt {summary['prompt']['name']}, "
        f"{b['mode']}{order}"
    ]
    if not b["answers_known"]:
        lines.append("the file holds no answers: there is no score, only predictions to submit")
    for kind, items in unheard.items():
        if items:
            lines.append(f"sound {kind}: {_named(items, b['n'])}")
    return lines


def _listener(name: str, answers: ListenerPart) -> list[str]:
    official, strict = answers["official"], answers["strict"]
    lines = [f"{name}: {answers['n_replied']} replies to {answers['n_items']} items"]
    if official is not None and strict is not None:
        lines += [
            f"  official {percent(official['score'])}, {official['right']} right of "
            f"{official['counted']} counted, {official['left_out']} left out by the script",
            f"  strict {percent(strict['score'])}, {strict['right']} right of {strict['n']}",
        ]
        even = strict["balanced"]
        lines.append(
            f"  strict, balanced over the places of the answer: {percent(even['score'])} of "
            f"{even['n']} items with {even['n_options']} options"
        )
        lines += [f"  official: {gotcha}" for gotcha in official["gotchas"]]
        if official["script_stops"]:
            lines.append(f"  the official script stops with an error: {official['script_stops']}")
    lines.append(
        f"  unparsed {percent(answers['unparsed']['rate'])}, {answers['unparsed']['n']} replies"
    )
    lines.append(f"  options chosen, by the place shown: {_counts(answers['positions'])}")
    if answers["mean_mass"] is not None:
        lines.append(f"  mean total probability of the options: {answers['mean_mass']:.3g}")
    if answers["rotation"] is not None:
        lines += _rotation(answers["rotation"])
    if answers["refused"]:
        lines.append(f"  refused by the listener: {_named(answers['refused'], answers['n_items'])}")
    if answers["n_lowered"]:
        lines.append(
            f"  {answers['n_lowered']} sounds exceeded full scale after decoding and were "
            "lowered to it"
        )
    if answers.get("n_single_channel"):
        lines.append(
            f"  {answers['n_single_channel']} sounds have channels that cancel in their mix: one "
            "channel of each was heard"
        )
    if answers["n_not_asked_yet"]:
        lines.append(
            f"  {answers['n_not_asked_yet']} items have not been asked yet and are in none of "
            "the numbers above"
        )
    return lines


def _rotation(orders: Orders) -> list[str]:
    lines = [f"  one option in every order: {percent(orders['consistent'])} of {orders['n']} items"]
    if orders["mean_over_orders"] is not None:
        lines.append(
            f"  right in every order: {percent(orders['right_in_every_order'])}; mean over orders "
            f"{share(orders['mean_over_orders'])}"
        )
    lines.append(f"  options chosen in all orders, by place: {_counts(orders['positions'])}")
    return lines


def _floors(summary: Summary) -> list[str]:
    floors = summary["floors"]
    if floors is None:
        return []
    first = floors["first"]
    return [
        f"floor, always the first option: official {share(first['official'])}, strict "
        f"{share(first['strict'])}; a blind guess {share(floors['chance'])}",
        f"correct answers by place: {_counts(floors['answer_positions'])}",
    ]


def _comparison(summary: Summary) -> list[str]:
    comparison = summary["comparison"]
    if comparison is None:
        return []
    m = comparison["mcnemar"]
    return [
        f"{comparison['tuned']} against {comparison['base']}:",
        *[f"  {verdict['sentence']}" for verdict in comparison["verdicts"]],
        f"  right only before {m['only_base_right']}, only after {m['only_tuned_right']}, "
        f"McNemar exact p = {m['p']:.3g}",
    ]


def _strata(summary: Summary) -> list[str]:
    lines = []
    for kind, rows in summary["strata"].items():
        lines.append(f"by {kind}:")
        for row in rows:
            scores = "; ".join(
                f"{who} official {percent(s['official'])}, strict {percent(s['strict'])}"
                for who, s in row["listeners"].items()
            )
            change = f"; {row['verdict']['sentence']}" if row["verdict"] else ""
            lines.append(f"  {row['name']} ({row['n']}): {scores}{change}")
    return lines


def _counts(histogram: list[int]) -> str:
    return ", ".join(map(str, histogram)) or "none"


def _named(items: Sequence[Missing], n: int) -> str:
    """Counts of items, the first few with their reasons."""
    first = "; ".join(f"{item['item']} ({item['why']})" for item in items[:_SHOWN])
    more = f"; and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{len(items)} of {n} items: {first}{more}"
