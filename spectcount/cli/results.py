"""Results of a run as a person reads it in a terminal: the verdict or the map first, then what may
be said, then the next command. All that is known stands behind --verbose and --json.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from spectcount.cli import terminal
from spectcount.configs import (
    BenchmarkConfig,
    CompareConfig,
    ConfirmConfig,
    Json,
    LadderConfig,
    ListenConfig,
    PanelConfig,
    PatchConfig,
    ProbeConfig,
    RunConfig,
    TuneConfig,
    WordingsConfig,
)
from spectcount.settings import Settings

if TYPE_CHECKING:
    from rich.text import Text

    from spectcount.probing.procedure import Procedure
    from spectcount.report.evidence import Evidence
    from spectcount.store import Run

STYLES = {"improved": "bold green", "worse": "bold red", "changed": "bold yellow"}
LONGEST_LINE = 260
"""Letters of a sentence on shortcuts that is printed whole."""
MOST_REGIONS = 8
"""Regions that are listed; the page and --verbose have all."""


def show_run(settings: Settings, run: Run) -> None:
    """A run: how it stands, and what it says as far as it has."""
    _head(run)
    show = _SHOWS.get(run.kind)
    if show is not None and run.summary and not run.damage:
        show(settings, run)
    elif run.ended:
        terminal.say_next("runs", "show", run.id, "--verbose")


def what(run: Run) -> str:
    """The preset that a run was made from, or its source; "" for a plan of one's own."""
    names = ("panel", "training", "probe", "source", "prompt")
    return next((Path(str(run.lineage[name])).name for name in names if run.lineage.get(name)), "")


def _head(run: Run) -> None:
    """One line: id, state, preset, progress, time; below it the reason where there is one."""
    style = {"done": "green", "failed": "red", "interrupted": "red"}.get(run.state, "yellow")
    seconds = run.worked_s + max(0.0, (run.ended_at or 0) - (run.started_at or run.ended_at or 0))
    took = f" in {terminal.duration(seconds)}" if run.ended and seconds >= 1 else ""
    unit = {TuneConfig.kind: "steps"}.get(run.kind, "trials")
    count = f"{run.done} {unit}" if run.done == run.total else f"{run.done} of {run.total} {unit}"
    name = run.lineage.get("name")
    seed = RunConfig.from_json(run.config).seed
    who = (" -> " if run.roles else ", ").join(run.listeners)
    terminal.say(
        (run.id, "bold"),
        f' "{name}"' if name else "",
        "  ",
        (run.state, style),
        "  ".join(["", *filter(None, [what(run), who]), f"seed {seed}", f"{count}{took}"]),
    )
    if run.reason:
        terminal.say(run.reason)


def _probe(settings: Settings, run: Run) -> None:
    """Overall, picture, regions and thresholds of each listener; what one cue reaches."""
    summary = run.summary or {}
    _pictures(settings, run)
    for name in run.listeners:
        for part in _parts(summary):
            _of_listener(part, name)
    for part in _parts(summary):
        _shortcuts(part)
    suspects = [name for name in run.listeners if summary.get("regions", {}).get(name)]
    if suspects:
        terminal.say_next("confirm", run.id, why="new seeds, with estimates")
    else:
        terminal.say_next("report", run.id, "--out", "report.html")


def _parts(summary: Json) -> list[Json]:
    """The summaries of interleaved plans, or the one that there is."""
    return list(summary.get("plans") or [summary])


def _of_listener(part: Json, name: str) -> None:
    overall = part.get("overall", {}).get(name, {})
    if overall.get("words"):
        terminal.say((name, "bold"), f"   {overall['words']}")
    for threshold in part.get("thresholds", {}).get(name, []):
        terminal.say(threshold["sentence"])
    regions = part.get("regions", {}).get(name, [])
    for k, region in enumerate(regions[:MOST_REGIONS]):
        terminal.entry(f"  {k + 1}", region["sentence"], indent=5)
    if len(regions) > MOST_REGIONS:
        terminal.say(f"  and {len(regions) - MOST_REGIONS} more, see --verbose")
    if not regions and not part.get("thresholds") and part.get("criterion") and overall:
        terminal.say(f"no cell is shown to have {part['criterion']}")


def _shortcuts(part: Json) -> None:
    """The line on what one cue alone reaches, with the best three of many."""
    audit = part.get("shortcuts")
    if not audit:
        return
    sentence, floors = str(audit["sentence"]), audit.get("floors", [])
    if len(sentence) > LONGEST_LINE and floors:
        best = ", ".join(f"{f['words']} {100 * f['rate']['value']:.0f} %" for f in floors[:3])
        chance = re.search(r"chance \d+ %", sentence)
        sentence = f"one cue alone answers: {best}" + (f" ({chance[0]})" if chance else "")
    terminal.entry("shortcuts", sentence)


def _pictures(settings: Settings, run: Run) -> None:
    """The figures of a run; none where it has no answer yet."""
    from spectcount.cli.pictures import show_figure
    from spectcount.report.evidence import load
    from spectcount.store import Store

    for part in load(run, Store(settings.database)).parts:
        for spec in _specs(part) if part.trials else ():
            terminal.say()
            if spec["title"]:
                terminal.say((spec["title"], "bold"))
            show_figure(spec)
    terminal.say()


def _specs(part: Evidence) -> Iterator[Json]:
    """The figures of one plan that a terminal draws: the most telling of each listener."""
    from spectcount.figures.counts import confusion_value
    from spectcount.figures.maps import curves_value, difference_value, map_value
    from spectcount.figures.tracks import surface_value, tracks_value

    plan = part.asked_plan
    measure = "d_prime" if plan.asked.two_class else "rate"
    if part.counted:
        yield from (confusion_value(table, title=name) for name, table in part.confusions.items())
    elif not part.gridded:
        procedure = cast("Procedure", plan)
        for name, states in part.tracks.items():
            surface = surface_value(procedure, states, title=name)
            yield surface or tracks_value(procedure, states, title=name)
    elif len(plan.axes) == 1:
        yield curves_value(part.cells, measure)
    elif part.difference is not None:
        yield difference_value(part.difference, measure, title="tuned minus base")
    else:
        for name, cells in part.cells.items():
            yield map_value(cells, measure, part.regions[name], title=name, marked=False)


def _compare(settings: Settings, run: Run) -> None:
    """The verdict, the cells that changed, trained and never trained, what was seen before."""
    summary = run.summary or {}
    _verdicts(run, summary)
    for part in _parts(summary):
        area = (part.get("change") or {}).get("map")
        if area:
            terminal.entry("cells", _cells(area))
    held_out = summary.get("held_out", {})
    for part in held_out.get("parts", []):
        terminal.entry("held out", part["sentence"])
    for sentence in held_out.get("seen", []):
        terminal.entry("note", sentence)
    _pictures(settings, run)
    terminal.say_next("report", run.id, "--out", "report.html")


def _verdicts(run: Run, summary: Json) -> None:
    """The verdict that was named beforehand, then the descriptive ones, dim."""
    overall = [summary.get("overall", {}).get(name, {}) for name in run.listeners]
    for verdict in summary.get("verdicts", []):
        kind, _, words = str(verdict["sentence"]).partition(": ")
        if verdict.get("descriptive"):
            terminal.entry("also", f"{kind}: {words}", "dim")
        else:
            changed = _change(verdict, overall) or words
            terminal.entry(f"{kind.upper()}  ", changed, STYLES.get(kind, "bold"))


def _change(verdict: Json, overall: Sequence[Json]) -> str:
    """ "accuracy 63 % -> 91 %, +28 points [+25, +31] at 95 %, ..."; "" for other measures."""
    interval = verdict["interval"]
    ends = [interval.get(name) for name in ("value", "low", "high")]
    rates = [(each.get("rate") or {}).get("value") for each in overall]
    numbers = [v for v in (*ends, *rates) if isinstance(v, int | float)]
    if verdict.get("measure") not in ("accuracy", "hit rate") or len(numbers) != 5:
        return ""
    value, low, high = (f"{100 * end:+.0f}" for end in numbers[:3])
    rest = str(verdict["sentence"]).partition("] ")[2]
    before, after = (f"{100 * rate:.0f} %" for rate in numbers[3:])
    return f"{verdict['measure']} {before} -> {after}, {value} points [{low}, {high}] {rest}"


def _cells(area: Json) -> str:
    """ "20 better, 0 worse, 40 no change shown (...)"; of what has no cells, the whole sentence."""
    head, _, rest = str(area["sentence"]).partition(", ")
    return rest if re.fullmatch(r"of \d+ \w+", head) else str(area["sentence"])


def _confirm(settings: Settings, run: Run) -> None:
    """Each region with its estimate, and how many were confirmed."""
    summary = run.summary or {}
    for name, sentence in summary.get("confirmation", {}).items():
        terminal.say((name, "bold"), f"   {sentence}")
        for k, region in enumerate(summary.get("regions", {}).get(name, [])):
            style = "green" if region.get("status") == "confirmed" else "yellow"
            terminal.entry(f"  {k + 1}", region["sentence"], style, indent=5)
    confirmed = [
        region
        for regions in summary.get("regions", {}).values()
        for region in regions
        if region.get("status") == "confirmed"
    ]
    if confirmed and run.lineage.get("source"):
        terminal.say_next(
            "tune", "laptop", "--listener", run.listeners[0], "--weakness", run.lineage["source"]
        )


def _panel(settings: Settings, run: Run) -> None:
    """Tasks that were forgotten, then the table of the parts."""
    from spectcount.psychophysics.sdt import interval_of

    panel = (run.summary or {}).get("panel")
    if not panel:
        return
    terminal.say((panel["sentence"], "bold"))
    rows = [
        (
            row["name"],
            *(interval_of(row[name]) for name in ("base", "tuned")),
            _styled(row["verdict"]["kind"], "" if row["fine_before"] else ", was weak"),
        )
        for row in panel["rows"]
    ]
    terminal.table(("part", "base", "tuned", "verdict"), rows, fold=(0,))
    terminal.say_next("report", run.id, "--out", "report.html")


def _styled(kind: str, more: str = "") -> Text:
    """A verdict's word in its colour."""
    from rich.text import Text

    return Text(kind, style=STYLES.get(kind, "")).append(more, style="dim")


def _wordings(settings: Settings, run: Run) -> None:
    """The weight of the wording, then a line for each wording."""
    from spectcount.psychophysics.sdt import interval_of

    summary = run.summary or {}
    for verdict in (summary.get("change") or {}).get("verdicts", []):
        kind, _, words = str(verdict["sentence"]).partition(": ")
        terminal.entry(f"{kind.upper()}  ", words, STYLES.get(kind, "bold"))
    for name, worded in summary.get("wordings", {}).items():
        if not worded:
            continue
        terminal.say((name, "bold"), f"   {worded['sentence']}")
        rows = [
            (
                interval_of(each["d_prime"] or each["rate"]),
                "held out" if each["held_out"] else "",
                each["words"],
            )
            for each in worded["by_wording"]
        ]
        measure = "d'" if any(each["d_prime"] for each in worded["by_wording"]) else "rate"
        terminal.table((measure, "", "wording"), rows)
    terminal.say_next("report", run.id, "--out", "report.html")


def _tune(settings: Settings, run: Run) -> None:
    """The adapter, and accuracy on held-out clips before and after."""
    summary = run.summary or {}
    name = summary.get("name", run.id)
    terminal.say("adapter ", (str(name), "bold"))
    before, after = summary.get("held_out_before") or {}, summary.get("held_out_after") or {}
    places = {"weak": "weak regions", "strong": "outside them"}
    rows = [
        (places.get(place, place), _share(before.get(place)), _share(after.get(place)))
        for place in dict.fromkeys([*before, *after])
    ]
    if rows:
        terminal.table(("held-out accuracy", "before", "after"), rows, right=(1, 2))
    loss = summary.get("final_loss")
    steps = f"{summary.get('steps')} of {summary.get('of_steps')} steps"
    terminal.say(steps + (f", loss {loss:.3g} nats per answer token" if loss is not None else ""))
    base = run.config.get("base", "")
    terminal.say_next(
        *("compare", _mapped(settings, run), "--base", base, "--tuned", name, "--seed", 1000)
    )


def _mapped(settings: Settings, run: Run) -> str:
    """The preset of the map that a fine-tune came from, to compare with."""
    from spectcount.store import Store

    source = str(run.lineage.get("probe"))
    maps = {r.id: r.lineage.get("probe") for r in Store(settings.database).runs()}
    return str(maps.get(source) or "count-map")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def _where(settings: Settings, run: Run) -> None:
    """The stage at which a model loses the sound, or the states that carry it."""
    from spectcount import actions

    for line in actions.where_lines(settings, run.id):
        terminal.say(line)


def _benchmark(settings: Settings, run: Run) -> None:
    """The report of a benchmark in words."""
    from spectcount import actions

    if (run.summary or {}).get("listeners"):
        for line in actions.benchmark_lines(settings, run.id):
            terminal.say(line)


_SHOWS: Mapping[str, Callable[[Settings, Run], None]] = {
    ProbeConfig.kind: _probe,
    ListenConfig.kind: _probe,
    CompareConfig.kind: _compare,
    ConfirmConfig.kind: _confirm,
    PanelConfig.kind: _panel,
    WordingsConfig.kind: _wordings,
    TuneConfig.kind: _tune,
    LadderConfig.kind: _where,
    PatchConfig.kind: _where,
    BenchmarkConfig.kind: _benchmark,
}
