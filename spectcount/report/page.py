"""The report: one HTML file that a reviewer reads without the program and without a network.

Question, stimuli, listeners, method, results, caveats, how to repeat it, rules and versions. The
file holds everything (figures as SVG, an example as PNG and WAV) and no script; its own policy
forbids scripts and every request.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spectcount.designs import FAMILIES
from spectcount.params import Declared
from spectcount.report.caveats import caveats
from spectcount.report.evidence import Evidence
from spectcount.report.facts import RULES, digest, evidence_digest, versions
from spectcount.report.figures import RunFigure
from spectcount.report.html import (
    Html,
    bullets,
    code_block,
    details,
    esc,
    figure,
    paragraphs,
    plain,
    prose,
    section,
    table,
    tag,
)
from spectcount.report.listeners import listeners_html
from spectcount.report.method import method_words
from spectcount.report.reproduce import how_exact, input_file, needs, shell_block
from spectcount.report.results import (
    counts_html,
    headline_html,
    learning_html,
    regions_html,
    trained_regions_html,
    verdicts,
)
from spectcount.report.sounds import example_html

STYLE = Path(__file__).with_name("style.css")
Numbered = Sequence[tuple[int, RunFigure]]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


def report_html(evidence: Evidence, figures: Sequence[RunFigure]) -> str:
    """The report of a run as one HTML document."""
    title = f"{_subject(evidence)}: report of {evidence.run.id}"
    body = _tune_body if evidence.plan is None else _probe_body
    shown = list(enumerate((f for f in figures if f.primary), 1))
    parts = [_head(evidence), *body(evidence, shown)]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{esc(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{esc(title)}</title>
<style>{STYLE.read_text(encoding="utf-8")}</style>
</head><body><main>
{"".join(parts)}
</main></body></html>
"""


def _head(evidence: Evidence) -> Html:
    run = evidence.run
    done = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.ended_at or run.created_at))
    under = f"Run {run.id} · {run.kind} · {run.state} · {done} · seed {evidence.seed}"
    links = [tag("a", title, href=f"#{anchor}") for anchor, title in _sections(evidence)]
    return Html(
        tag("h1", _subject(evidence))
        + tag("p", under, class_="under")
        + tag("div", *_in_short(evidence), class_="short")
        + tag("nav", *links, aria_label="Sections")
    )


def _sections(evidence: Evidence) -> list[tuple[str, str]]:
    tune = evidence.plan is None
    middle = [("training", "Training")] if tune else [
        ("stimuli", "Stimuli"), ("listeners", "Listeners"), ("method", "Method")
    ]  # fmt: skip
    ends = [("results", "Results"), ("caveats", "Caveats"), ("repeat", "How to repeat it")]
    return [("question", "Question"), *middle, *ends, ("rules", "Rules and versions")]


def _probe_body(evidence: Evidence, figures: Numbered) -> list[Html]:
    def of_parts(body: Callable[[Evidence], Html]) -> Html:
        return Html("".join(_titled(part) + body(part) for part in evidence.parts))

    return [
        section("question", "Question", of_parts(lambda part: paragraphs(_question(part)))),
        section("stimuli", "Stimuli", of_parts(_stimuli)),
        section("listeners", "Listeners", listeners_html(evidence)),
        section("method", "Method", of_parts(_method)),
        section("results", "Results", of_parts(lambda part: _results(part, figures))),
        *_ends(evidence),
    ]


def _titled(part: Evidence) -> Html:
    """A heading above what belongs to one of several plans."""
    words = f"{part.label.capitalize()}: {part.asked_plan.title}, “{part.asked_plan.asked.title}”"
    return tag("h3", words) if part.label else Html("")


def _tune_body(evidence: Evidence, figures: Numbered) -> list[Html]:
    run = evidence.run
    base = run.config.get("base", "")
    asked = (
        f"Does a short fine-tune of {base} on synthetic sounds raise its counting accuracy, in the "
        "regions where it was weak and outside them?"
    )
    results = Html(learning_html(evidence) + _figures(figures))
    return [
        section("question", "Question", paragraphs([asked])),
        section("training", "Training", _training(evidence)),
        section("results", "Results", results),
        *_ends(evidence),
    ]


def _ends(evidence: Evidence) -> list[Html]:
    warnings = tag("div", bullets(map(prose, caveats(evidence))), class_="caveats")
    return [
        section("caveats", "Caveats", warnings),
        section("repeat", "How to repeat it", _repeat(evidence)),
        section("rules", "Rules and versions", _rules(evidence)),
    ]


def _subject(evidence: Evidence) -> str:
    if evidence.plan is None:
        return f"Fine-tune of {evidence.run.config.get('base', '')}"
    who = " and ".join(evidence.names) or "nobody yet"
    tasks = dict.fromkeys(part.asked_plan.asked.title for part in evidence.parts)
    asked = ", ".join(f"“{title}”" for title in tasks)
    return f"{evidence.plan.title}, {asked}: {who}"


def _in_short(evidence: Evidence) -> list[Html]:
    """The result in a few lines, above everything."""
    if evidence.plan is None:
        return [learning_html(evidence)]
    if not evidence.trials:
        return [tag("p", "No trial is answered yet; there is no result.")]
    return [piece for part in evidence.parts for piece in (_titled(part), *_in_short_of(part))]


def _in_short_of(part: Evidence) -> list[Html]:
    said = verdicts(part)
    if said:
        change = f"From {part.names[0]} to {part.names[1]}:"
        return [tag("p", change), bullets(said)]
    return [headline_html(part)]


def _question(evidence: Evidence) -> list[str]:
    plan = evidence.asked_plan
    family = FAMILIES[plan.family]
    over = " and ".join(axis.label for axis in plan.axes) if evidence.gridded else ""
    where = f" over {over}" if over else ""
    first = f"How well is “{plan.asked.title}” answered about {family.title.lower()}{where}?"
    two = (
        f"And what changes from {evidence.names[0]} to {evidence.names[1]}?"
        if evidence.difference is not None else ""
    )  # fmt: skip
    return [f"{first} {two}".strip()]


def _stimuli(evidence: Evidence) -> Html:
    plan = evidence.asked_plan
    varied = table(["What changed between trials", "Values"], list(_varied(evidence)))
    names = {axis.name for axis in plan.axes} | set(plan.draw)
    rows = [
        [p.title, plain(getattr(plan.base, n)), p.help]
        for n, p in FAMILIES[plan.family].params().items() if n not in names
    ]  # fmt: skip
    about = paragraphs([prose(_about_family(plan.family))])
    same = details(
        "Parameters that were the same in all trials", table(["Parameter", "Value", "Help"], rows)
    )
    return Html(about + varied + same + example_html(evidence))


def _about_family(name: str) -> str:
    """What a family is and where it comes from, as its file says."""
    words = inspect.getdoc(inspect.getmodule(FAMILIES[name])) or ""
    return " ".join(re.split(r"\n\s*\*?Conventions", words)[0].split())


def _varied(evidence: Evidence) -> list[list[str]]:
    plan = evidence.asked_plan
    rows = []
    for axis in plan.axes:
        ends = axis.bounds(0)[0], axis.bounds(axis.n - 1)[1]
        how = (
            ", ".join(f"{m:.4g}" for m in axis.middles) if axis.points
            else f"{ends[0]:.4g} to {ends[1]:.4g} in {axis.n} cells"
        )  # fmt: skip
        rows.append([axis.label, how])
    for name, ends in plan.draw.items():
        title = FAMILIES[plan.family].param(name).title
        rows.append([title, f"drawn anew in each trial, {plain(ends)}"])
    return rows


def _method(evidence: Evidence) -> Html:
    said = [
        tag("p", tag("b", f"{heading}."), " ", text)
        for heading, text in method_words(evidence) if text
    ]  # fmt: skip
    return Html("".join(said) + details("All parameters of the plan", _declared(evidence.plan)))


def _declared(declared: Any) -> Html:
    rows = [
        [p.title, plain(getattr(declared, n)), p.help] for n, p in type(declared).params().items()
    ]
    return table(["Parameter", "Value", "Help"], rows)


def _results(evidence: Evidence, figures: Numbered) -> Html:
    if not evidence.trials:
        return tag("p", "No trial is answered yet.")
    said = verdicts(evidence)
    change = Html(tag("h3", "What changed") + bullets(said)) if said else Html("")
    return Html(
        headline_html(evidence)
        + change
        + _figures([(k, f) for k, f in figures if f.part == evidence.label])
        + regions_html(evidence)
        + counts_html(evidence)
    )


def _figures(figures: Numbered) -> Html:
    return Html("".join(figure(f.svg, f.heading, f.spec["note"], k) for k, f in figures))


def _training(evidence: Evidence) -> Html:
    from spectcount.training import OPTIONS

    config = evidence.run.config
    parts = []
    options: dict[str, type[Declared]] = OPTIONS
    for name, declared in options.items():
        made = declared.from_dict(config.get(name, {}))
        parts.append(details(declared.title or name.capitalize(), _declared(made)))
    words = (
        f"Low-rank adaptation of {config.get('base', '')} by cross-entropy on the answer. Every "
        "clip is synthesised on the fly from the seed; its answer is known by construction. No "
        "recorded audio and no annotation is used (method: Kim et al., 2026, arXiv 2606.06907)."
    )
    return Html(paragraphs([words]) + trained_regions_html(evidence) + "".join(parts))


def _repeat(evidence: Evidence) -> Html:
    run = evidence.run
    name, text = input_file(run)
    before = needs(evidence)
    told = paragraphs(
        [
            f"Paste this into a shell with SpectCount {versions()['spectcount']} installed. It "
            f"writes {name} and starts the run:",
        ]
    )
    return Html(
        told
        + code_block(shell_block(run), "command")
        + (paragraphs(["Before, these must be there:"]) + bullets(before) if before else "")
        + paragraphs([how_exact(run)])
        + details(f"{name} alone", code_block(text, "input-file"))
    )


def _rules(evidence: Evidence) -> Html:
    rules = table(["Number", "Rule"], list(RULES.items()))
    made = table(["Made with", "Version"], list(versions().items()))
    marks = [["configuration", tag("code", digest(evidence.run.config))]]
    if evidence.trials:
        marks.append(["evidence (all questions and scores)", evidence_digest(evidence.trials)])
    same = paragraphs(["A run that repeats this one exactly has the same evidence digest."])
    return Html(rules + made + table(["Digest of the", "SHA-256, 16 digits"], marks) + same)
