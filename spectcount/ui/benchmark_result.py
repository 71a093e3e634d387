"""A benchmark's summary as HTML: the verdict first, then scores beside their floors, then the rest.

Conventions: pure functions of the summary that `docs/benchmarks.md` describes; rates are shown in
percent with their interval and their counts; a kind of verdict has a mark and a word, never a
colour alone; on a small screen each cell of a table stands behind the head of its column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from markupsafe import Markup

from spectcount.benchmarks import catalogue, words
from spectcount.ui.pieces import joined, render
from spectcount.ui.verdicts import sentence_html

Summary = Mapping[str, Any]
MAX_LISTED = 200
SMALL_MASS = 0.5
"""Below this the options are not what a listener would say most of the time."""
NO_ANSWERS = (
    "The file holds no answers, so there is no score here: export the predictions and hand them in."
)
_RULES = (
    "Intervals at 95 %. Strict: right of all items, one without sound or readable reply is wrong. "
    "Official: what the benchmark's own script prints."
)


def result_html(summary: Summary, running: bool = False) -> Markup:
    """Everything that a benchmark run says; `running`: it is not at its end (HTML)."""
    parts = [
        _head(summary, running),
        _headline(summary, running),
        render("benchmark.cautions", sentences=[*summary["caveats"], *_masses(summary)]),
        _scores(summary),
        _unheard(summary),
        *(_strata(kind, rows, i == 0) for i, (kind, rows) in enumerate(strata_of(summary))),
        _places(summary),
        _official(summary),
        _details(
            "The whole report as text",
            render("benchmark.report", text="\n".join(words.lines(cast(words.Summary, summary)))),
        ),
    ]
    return Markup('<div class="findings verdicts benchmark">{}</div>').format(joined(parts))


def strata_of(summary: Summary) -> list[tuple[str, Sequence[Summary]]]:
    """(kind, rows) in the order of the benchmark: a stored summary has lost it."""
    kinds = catalogue.get(summary["benchmark"]["name"]).strata
    return [(kind, summary["strata"][kind]) for kind in kinds if summary["strata"].get(kind)]


def _head(summary: Summary, running: bool) -> Markup:
    b = summary["benchmark"]
    facts = [
        f"{b['n']} of {b['n_file']} items",
        f"prompt {summary['prompt']['name']}",
        "replies in words" if b["mode"] == "reply" else "scores of the options",
        *(["every order of the options"] if b["rotate"] else []),
    ]
    return render(
        "benchmark.head",
        title=b["title"],
        facts=facts,
        pair=summary["comparison"],
        running=running,
        done=summary.get("done"),
        total=summary.get("total"),
    )


def _headline(summary: Summary, running: bool) -> Markup:
    """The verdict of two listeners, or the scores of one in a sentence."""
    known, verdicts = summary["benchmark"]["answers_known"], summary["verdicts"]
    kind, first, others, mcnemar = "", NO_ANSWERS, [], None
    if known and verdicts:
        kind, mcnemar = verdicts[0]["kind"], summary["comparison"]["mcnemar"]
        first, *others = (sentence_html(v["kind"], v["sentence"]) for v in verdicts)
    elif known:
        first = _sentence(summary)
    return render(
        "benchmark.headline",
        kind=kind,
        before="So far: " if running and known else "",
        first=first,
        others=others,
        mcnemar=mcnemar,
    )


def _masses(summary: Summary) -> list[str]:
    """A caution for each listener that would mostly say something else than any option."""
    return [
        f"{name}: the options as a whole have a mean probability of {result['mean_mass']:.2g}; "
        "left to itself, it would say something else"
        for name, result in summary["listeners"].items()
        if result["mean_mass"] is not None and result["mean_mass"] < SMALL_MASS
    ]


def _sentence(summary: Summary) -> str:
    """One listener's strict score beside its floors."""
    name, result = next(iter(summary["listeners"].items()))
    strict, floors = result["strict"], summary["floors"]
    return (
        f"{name}: strict score {_percent(strict['score'])}{_at(strict['score'])}, "
        f"{strict['right']} of {strict['n']} right; always the first option "
        f"{_share(floors['first']['strict'])}, a blind guess {_share(floors['chance'])}."
    )


def _scores(summary: Summary) -> Markup:
    """A row per listener and per floor."""
    floors, listeners = summary["floors"], summary["listeners"]
    heads = ["Listener", "Unparsed", "First option chosen"]
    rows = [_row(_listener_cells(name, result)) for name, result in listeners.items()]
    note = "Intervals at 95 %."
    if floors is not None:
        heads[1:1] = ["Strict", "Official", "Balanced over places"]
        blind = _share(next(iter(listeners.values()))["strict"]["balanced"]["blind"])
        first, official = _share(floors["first"]["strict"]), _share(floors["first"]["official"])
        rows += [
            _row(["Always the first option", first, official, blind, "–", "100 %"], "floor"),
            _row(["A blind guess", _share(floors["chance"]), "–", blind, "–", "–"], "floor"),
        ]
        means = " Scores are means over tasks." if summary["benchmark"]["average_over"] else ""
        note = _RULES + means
    return _table(heads, rows) + Markup('<p class="about">{}</p>').format(note)


def _listener_cells(name: str, result: Summary) -> list[str]:
    positions, unparsed = result["positions"], result["unparsed"]
    n = sum(positions)
    chosen = Markup("{}<small>{} of {}</small>")
    last = [
        _rated(unparsed["rate"], f"{unparsed['n']} of {result['n_replied']}"),
        chosen.format(_share(positions[0] / n), positions[0], n) if n else "–",
    ]
    title = render("benchmark.listener", name=name, refused=len(result["refused"]))
    if result["strict"] is None:
        return [title, *last]
    strict, official = result["strict"], result["official"]
    even = strict["balanced"]
    left = f", {official['left_out']} left out" if official["left_out"] else ""
    return [
        title,
        _rated(strict["score"], f"{strict['right']} of {strict['n']}"),
        _rated(official["score"], f"{official['right']} of {official['counted']}{left}"),
        _rated(even["score"], f"n {even['n']}"),
        *last,
    ]


def _unheard(summary: Summary) -> Markup:
    """Every item that had no sound or was refused, with the reason."""
    kinds = [(f"Sound {kind}", items) for kind, items in summary["unheard"].items()]
    kinds += [
        (f"Refused by {name}", result["refused"]) for name, result in summary["listeners"].items()
    ]
    n = summary["benchmark"]["n"]
    return joined(
        _details(
            f"{title}: {len(items)} of {n} items",
            _listed(
                [(result["item"], result["why"]) for result in items[:MAX_LISTED]],
                len(items) - MAX_LISTED,
            ),
        )
        for title, items in kinds
        if items
    )


def _strata(kind: str, rows: Sequence[Summary], is_open: bool) -> Markup:
    """One table of categories, closed unless `is_open`."""
    names = list(rows[0]["listeners"]) if rows else []
    titles = dict(zip(names, ("Base", "Tuned"), strict=False)) if len(names) > 1 else {}
    heads = [kind.capitalize(), "Items"]
    for score in ("strict", "official"):
        heads += [f"{titles.get(name, '')} {score}".strip().capitalize() for name in names]
    heads += ["Change of the strict score"] if titles else []
    lines = [
        _row(
            [
                row["name"],
                str(row["n"]),
                *(_rated(row["listeners"][name]["strict"]) for name in names),
                *(_rated(row["listeners"][name]["official"]) for name in names),
                *([_change(row)] if titles else []),
            ]
        )
        for row in rows
    ]
    return _details(f"By {kind} ({len(rows)})", _table(heads, lines) + _level(rows), is_open)


def _change(row: Summary) -> str:
    change, verdict = row["change"], row["verdict"]
    if not verdict or change["value"] is None:
        return "–"
    points = {key: f"{100 * change[key]:+.1f}" for key in ("value", "low", "high")}
    kind = sentence_html(verdict["kind"], verdict["kind"])
    return render("benchmark.change", verdict=kind, n=verdict["n"], **points)


def _level(rows: Sequence[Summary]) -> Markup:
    levels = [row["change"]["level"] for row in rows if row["change"]]
    if not levels:
        return Markup()
    return Markup('<p class="about">{}</p>').format(
        f"Changes at {100 * levels[0]:.4g} %, so that of those that exclude zero at most a "
        "twentieth is expected to be wrong."
    )


def _places(summary: Summary) -> Markup:
    """Where the answers lie, what was chosen by place, and what other orders change."""
    counts = {name: result["positions"] for name, result in summary["listeners"].items()}
    if summary["floors"]:
        counts = {"The answers": summary["floors"]["answer_positions"], **counts}
    n = max((len(each) for each in counts.values()), default=0)
    heads = ["By place shown", *map(str, range(1, n + 1))]
    rows = [
        _row([name, *(str(each[k]) if k < len(each) else "0" for k in range(n))])
        for name, each in counts.items()
    ]
    turned = [
        ("", _rotation(name, result["rotation"]))
        for name, result in summary["listeners"].items()
        if result["rotation"]
    ]
    more = _listed(turned) if turned else ""
    return _details("Places and orders of the options", _table(heads, rows, "places") + more)


def _rotation(name: str, rotation: Summary) -> str:
    same = _percent(rotation["consistent"])
    words = f"{name}: the same option in every order {same}, n {rotation['n']}"
    if rotation["mean_over_orders"] is None:
        return words
    return (
        f"{words}; right in every order {_percent(rotation['right_in_every_order'])}, mean over "
        f"orders {_share(rotation['mean_over_orders'])}"
    )


def _official(summary: Summary) -> Markup:
    """List what the official script does, and what it did here."""
    lines = [("", words) for words in summary["benchmark"]["gotchas"]]
    for name, result in summary["listeners"].items():
        official = result["official"] or {"gotchas": [], "script_stops": ""}
        lines += [("", f"{name}: {words}") for words in official["gotchas"]]
        if official["script_stops"]:
            stops = f"{name}: the official script stops with an error: {official['script_stops']}"
            lines.append(("", stops))
    return _details("What the official script does", _listed(lines))


def _table(heads: Sequence[str], rows: Sequence[Summary], kind: str = "") -> Markup:
    """A table of scores that scrolls within itself."""
    return render("benchmark.table", heads=heads, rows=rows, kind=kind)


def _row(cells: Sequence[str], kind: str = "") -> dict[str, Any]:
    return {"cells": cells, "kind": kind}


def _details(title: str, inside: str, is_open: bool = False) -> Markup:
    """Something folded under a title."""
    return render("benchmark.details", title=title, inside=inside, shown=is_open)


def _listed(items: Sequence[tuple[str, str]], left: int = 0) -> Markup:
    return render("benchmark.listed", items=items, left=left)


def _rated(interval: Summary | None, counts: str = "") -> Markup:
    """A rate over its interval and counts."""
    return render("benchmark.rated", interval=interval, counts=counts)


def _percent(interval: Summary | None) -> str:
    """A rate and its interval in a line of text."""
    if interval is None or interval["value"] is None:
        return "–"
    low, high = (f"{100 * interval[key]:.1f}" for key in ("low", "high"))
    return f"{_share(interval['value'])} [{low}, {high}]"


def _share(value: float | None) -> str:
    """A share of 1 in percent; a dash where unknown."""
    return "–" if value is None else f"{100 * value:.1f} %"


def _at(interval: Summary | None) -> str:
    known = interval is not None and interval["value"] is not None
    return f" at {100 * interval['level']:.4g} %" if interval and known else ""
