"""A benchmark's summary as HTML: the verdict first, then scores beside their floors, then the rest.

Conventions: pure functions of the summary that `docs/benchmarks.md` describes; rates are shown in
percent with their interval and their counts; a kind of verdict has a mark and a word, never a
colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from spectcount.benchmarks import words
from spectcount.ui.benchmark_tables import (
    details,
    line,
    percent,
    places_html,
    rated,
    share,
    strata_html,
    strata_of,
    table,
)
from spectcount.ui.verdicts import sentence_html

Summary = Mapping[str, Any]
MAX_LISTED = 200
SMALL_MASS = 0.5
"""Below this the options are not what a listener would say most of the time."""
NO_ANSWERS = (
    "The file holds no answers, so there is no score here: export the predictions and hand them in."
)


def result_html(summary: Summary, running: bool = False) -> str:
    """Everything that a benchmark run says; `running`: it is not at its end (HTML)."""
    parts = [
        _head(summary, running),
        _said(summary, running),
        _cautions([*summary["caveats"], *_masses(summary)]),
        scores_html(summary),
        _unheard(summary),
        *(strata_html(kind, rows, i == 0) for i, (kind, rows) in enumerate(strata_of(summary))),
        places_html(summary),
        _official(summary),
        _whole(summary),
    ]  # fmt: skip
    return f'<div class="findings verdicts benchmark">{"".join(parts)}</div>'


def _head(summary: Summary, running: bool) -> str:
    b = summary["benchmark"]
    asked = "replies in words" if b["mode"] == "reply" else "scores of the options"
    facts = [
        f"{b['n']} of {b['n_file']} items",
        f"prompt {summary['prompt']['name']}",
        asked,
        *(["every order of the options"] if b["rotate"] else []),
    ]
    found = summary["comparison"]
    pair = (
        f" From <b>{escape(found['base'])}</b> to <b>{escape(found['tuned'])}</b>." if found else ""
    )
    open_ = (
        f" So far {summary['done']} of {summary['total']} questions; every number below can still "
        "change." if running else ""
    )  # fmt: skip
    return f'<p class="about">{escape(b["title"])}: {escape(", ".join(facts))}.{pair}{open_}</p>'


def _said(summary: Summary, running: bool) -> str:
    """The verdict of two listeners, or the scores of one in a sentence."""
    if not summary["benchmark"]["answers_known"]:
        return f'<p class="said" role="status">{NO_ANSWERS}</p>'
    before = "So far: " if running else ""
    if not summary["verdicts"]:
        return f'<p class="said" role="status">{before}{escape(_sentence(summary))}</p>'
    first, *others = summary["verdicts"]
    kind = first["kind"].replace(" ", "-")
    also = "".join(f"<li>{_verdict(one)}</li>" for one in others)
    m = summary["comparison"]["mcnemar"]
    also += (
        f'<li class="about">Right only before {m["only_base_right"]}, only after '
        f"{m['only_tuned_right']} (McNemar's exact test, p = {m['p']:.2g})</li>"
    )
    return (
        f'<p class="said said-{kind}" role="status">{before}{_verdict(first)}</p>'
        f'<ul class="said-also">{also}</ul>'
    )


def _cautions(said: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(one)}</li>" for one in said)
    return f'<ul class="notice notice-hint" role="note">{items}</ul>' if said else ""


def _masses(summary: Summary) -> list[str]:
    """A caution for each listener that would mostly say something else than any option."""
    return [
        f"{name}: the options as a whole have a probability of {one['mean_mass']:.2g} on the mean; "
        "left to itself, it would say something else"
        for name, one in summary["listeners"].items()
        if one["mean_mass"] is not None and one["mean_mass"] < SMALL_MASS
    ]


def _verdict(found: Mapping[str, Any]) -> str:
    return sentence_html(found["kind"], found["sentence"])


def _sentence(summary: Summary) -> str:
    """One listener's strict score beside its floors."""
    name, one = next(iter(summary["listeners"].items()))
    strict, floors = one["strict"], summary["floors"]
    return (
        f"{name}: strict score {percent(strict['score'])}{_at(strict['score'])}, "
        f"{strict['right']} of {strict['n']} right; always the first option "
        f"{share(floors['first']['strict'])}, a blind guess {share(floors['chance'])}."
    )


def scores_html(summary: Summary) -> str:
    """A row per listener and per floor (HTML)."""
    floors = summary["floors"]
    heads = ["Listener", "Strict", "Official", "Balanced over places", "Unparsed",
             "First option chosen"]  # fmt: skip
    if floors is None:
        heads = ["Listener", "Unparsed", "First option chosen"]
    rows = [_listener_row(name, one, heads) for name, one in summary["listeners"].items()]
    if floors is not None:
        blind = next(iter(summary["listeners"].values()))["strict"]["balanced"]["blind"]
        rows += [
            line(heads, ["Always the first option", share(floors["first"]["strict"]),
                         share(floors["first"]["official"]), share(blind), "–", "100 %"], "floor"),
            line(heads, ["A blind guess", share(floors["chance"]), "–", share(blind), "–", "–"],
                 "floor"),
        ]  # fmt: skip
    note = "Intervals at 95 %." if floors is None else (
        "Intervals at 95 %. Strict: right of all items, one without sound or readable reply is "
        "wrong. Official: what the benchmark's own script prints."
        + (" Scores are means over tasks." if summary["benchmark"]["average_over"] else "")
    )  # fmt: skip
    return table(heads, rows) + f'<p class="about">{note}</p>'


def _listener_row(name: str, one: Mapping[str, Any], heads: Sequence[str]) -> str:
    positions, unparsed = one["positions"], one["unparsed"]
    n = sum(positions)
    last = [
        rated(unparsed["rate"], f"{unparsed['n']} of {one['n_replied']}"),
        f"{share(positions[0] / n)}<small>{positions[0]} of {n}</small>" if n else "–",
    ]
    title = escape(name)
    if one["refused"]:
        title += f"<small>refused {len(one['refused'])}</small>"
    if one["strict"] is None:
        return line(heads, [title, *last])
    strict, official = one["strict"], one["official"]
    even = strict["balanced"]
    left = f", {official['left_out']} left out" if official["left_out"] else ""
    return line(heads, [
        title,
        rated(strict["score"], f"{strict['right']} of {strict['n']}"),
        rated(official["score"], f"{official['right']} of {official['counted']}{left}"),
        rated(even["score"], f"n {even['n']}"),
        *last,
    ])  # fmt: skip


def _unheard(summary: Summary) -> str:
    """Every item that had no sound or was refused, with the reason (HTML)."""
    kinds = [(f"Sound {kind}", items) for kind, items in summary["unheard"].items()]
    kinds += [(f"Refused by {name}", one["refused"]) for name, one in summary["listeners"].items()]
    return "".join(
        details(f"{title}: {len(items)} of {summary['benchmark']['n']} items", _listed(items))
        for title, items in kinds
        if items
    )


def _listed(items: Sequence[Mapping[str, str]]) -> str:
    lines = [f"<li><b>{escape(one['item'])}</b>: {escape(one['why'])}</li>"
             for one in items[:MAX_LISTED]]  # fmt: skip
    left = len(items) - MAX_LISTED
    more = f"<p>and {left} more, all in the run's summary</p>" if left > 0 else ""
    return f'<ul class="regions">{"".join(lines)}</ul>{more}'


def _official(summary: Summary) -> str:
    """What the official script does, and what it did here (HTML)."""
    said = [f"<li>{escape(one)}</li>" for one in summary["benchmark"]["gotchas"]]
    for name, one in summary["listeners"].items():
        found = one["official"] or {"gotchas": [], "script_stops": ""}
        said += [f"<li>{escape(name)}: {escape(g)}</li>" for g in found["gotchas"]]
        if found["script_stops"]:
            said.append(
                f"<li>{escape(name)}: the official script stops with an error: "
                f"{escape(found['script_stops'])}</li>"
            )
    return details("What the official script does", f'<ul class="regions">{"".join(said)}</ul>')


def _whole(summary: Summary) -> str:
    text = "\n".join(words.lines(summary))
    block = (
        '<section class="run-block"><pre tabindex="0" aria-label="Report">'
        f"{escape(text)}</pre></section>"
    )
    return details("The whole report as text", block)


def _at(interval: Mapping[str, Any] | None) -> str:
    known = interval is not None and interval["value"] is not None
    return f" at {100 * interval['level']:.4g} %" if interval and known else ""
