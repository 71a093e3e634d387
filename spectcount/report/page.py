"""The report: one HTML file that a reviewer reads without the program and without a network.

Question, stimuli, listeners, method, results, caveats, how to repeat it, rules and versions. The
file holds everything (figures as SVG, an example as PNG and WAV) and no script; its own policy
forbids scripts and every request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from spectcount.configs import TuneConfig
from spectcount.report import sentences
from spectcount.report.caveats import caveats
from spectcount.report.evidence import Evidence
from spectcount.report.facts import RULES, digest, versions
from spectcount.report.figures import WHERE
from spectcount.report.html import (
    Html,
    bullets,
    code_block,
    declared,
    details,
    esc,
    figure,
    paragraphs,
    prose,
    section,
    table,
    tag,
)
from spectcount.report.listeners import listeners_html
from spectcount.report.method import method_words, software_words
from spectcount.report.reproduce import how_exact, input_file, needs, shell_block
from spectcount.report.results import (
    counts_html,
    headline_html,
    panel_html,
    regions_html,
    shortcuts_html,
    thresholds_table,
    wordings_html,
)
from spectcount.report.run_figure import RunFigure
from spectcount.report.stimuli import question_words, stimuli_html
from spectcount.report.training import learning_html, training_html
from spectcount.report.where import where_html

STYLE = Path(__file__).with_name("style.css")
Numbered = Sequence[tuple[int, RunFigure]]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


def report_html(evidence: Evidence, figures: Sequence[RunFigure]) -> str:
    """The report of a run as one HTML document."""
    title = f"{_subject(evidence)}: report of {evidence.run.id}"
    body = _tune_body if evidence.plan is None else _probe_body
    primary = list(enumerate((f for f in figures if f.primary), 1))
    parts = [_head(evidence), *body(evidence, primary)]
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
    middle = (
        [("training", "Training")]
        if tune
        else [("stimuli", "Stimuli"), ("listeners", "Listeners"), ("method", "Method")]
    )
    ends = [("results", "Results"), ("caveats", "Caveats"), ("repeat", "How to repeat it")]
    return [("question", "Question"), *middle, *ends, ("rules", "Rules and versions")]


def _probe_body(evidence: Evidence, figures: Numbered) -> list[Html]:
    several = len(evidence.parts) > 1

    def of_parts(body: Callable[[Evidence], Html]) -> Html:
        return Html(
            "".join((_titled(part) if several else "") + body(part) for part in evidence.parts)
        )

    return [
        section("question", "Question", of_parts(lambda part: paragraphs([question_words(part)]))),
        section("stimuli", "Stimuli", of_parts(stimuli_html)),
        section("listeners", "Listeners", listeners_html(evidence)),
        section("method", "Method", of_parts(_method), _named("Software", software_words())),
        section("results", "Results", *_results(evidence, figures)),
        *_ends(evidence),
    ]


def _titled(part: Evidence) -> Html:
    """A heading above what belongs to one of several plans."""
    name = part.label[:1].upper() + part.label[1:]
    words = f"{name}: {part.asked_plan.title}, “{part.asked_plan.asked.title}”"
    return tag("h3", words) if part.label else Html("")


def _tune_body(evidence: Evidence, figures: Numbered) -> list[Html]:
    base = TuneConfig.from_json(evidence.run.config).base
    question = (
        f"Does a short fine-tune of {base} on synthetic sounds raise its counting accuracy, in the "
        "regions where it was weak and outside them?"
    )
    return [
        section("question", "Question", paragraphs([question])),
        section("training", "Training", training_html(evidence)),
        section("results", "Results", learning_html(evidence), _figures(figures)),
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
        return f"Fine-tune of {TuneConfig.from_json(evidence.run.config).base}"
    who = " and ".join(evidence.names) or "nobody yet"
    tasks = dict.fromkeys(part.asked_plan.asked.title for part in evidence.parts)
    titles = ", ".join(f"“{title}”" for title in tasks)
    what = {"panel": "Forgetting panel", "wordings": f"{evidence.plan.title} over wordings"}
    return f"{what.get(evidence.run.kind, evidence.plan.title)}, {titles}: {who}"


def _in_short(evidence: Evidence) -> list[Html]:
    """The result in a few lines, above everything."""
    if evidence.plan is None:
        return [learning_html(evidence)]
    if not evidence.trials:
        return [tag("p", "No trial is answered yet; there is no result.")]
    whole = sentences.of_whole(evidence)
    pair = f"From {evidence.names[0]} to {evidence.names[1]}:" if evidence.compared else ""
    return [
        paragraphs([pair]),
        bullets(whole) if whole else Html(""),
        *(piece for part in evidence.parts for piece in _in_short_of(part)),
    ]


def _in_short_of(part: Evidence) -> list[Html]:
    lines = sentences.in_short(part)
    if lines:
        return [_titled(part), bullets(lines)]
    return [] if part.tabled else [_titled(part), headline_html(part)]


def _method(part: Evidence) -> Html:
    pieces = [_named(heading, text) for heading, text in method_words(part) if text]
    return Html("".join(pieces) + details("All parameters of the plan", declared(part.asked_plan)))


def _named(heading: str, text: str) -> Html:
    return tag("p", tag("b", f"{heading}."), " ", text)


def _results(evidence: Evidence, figures: Numbered) -> list[Html]:
    """Results of the run as a whole, then of each of its plans."""
    whole = sentences.of_whole(evidence)
    apart = sentences.held_out(evidence)
    return [
        bullets(whole) if whole else Html(""),
        panel_html(evidence),
        wordings_html(evidence),
        *(_results_of(part, figures, len(evidence.parts) > 1) for part in evidence.parts),
        Html(tag("h3", "Trained and never trained") + bullets(apart)) if apart else Html(""),
        where_html(evidence.stages, [(k, f) for k, f in figures if f.part == WHERE]),
    ]


def _results_of(part: Evidence, figures: Numbered, titled: bool) -> Html:
    if not part.trials:
        return Html(_titled(part) + tag("p", "No trial is answered yet."))
    verdicts = sentences.verdicts(part)
    numbered = [(k, f) for k, f in figures if f.part == part.label]
    return Html(
        (_titled(part) if titled else "")
        + headline_html(part)
        + (tag("h3", "What changed") + bullets(verdicts) if verdicts else "")
        + thresholds_table(part)
        + shortcuts_html(part)
        + _figures(numbered)
        + (regions_html(part) if not part.in_panel else "")
        + counts_html(part)
    )


def _figures(figures: Numbered) -> Html:
    return Html("".join(figure(f.svg, f.heading, f.spec["note"], k) for k, f in figures))


def _repeat(evidence: Evidence) -> Html:
    run = evidence.run
    name, text = input_file(run)
    before = needs(evidence)
    intro = paragraphs(
        [
            f"Paste this into a shell with SpectCount {versions()['spectcount']} installed. It "
            f"writes {name} and starts the run:",
        ]
    )
    return Html(
        intro
        + code_block(shell_block(run), "command")
        + (paragraphs(["Before, these must be there:"]) + bullets(before) if before else "")
        + paragraphs([how_exact(run)])
        + details(f"{name} alone", code_block(text, "input-file"))
    )


def _rules(evidence: Evidence) -> Html:
    rules = table(["Number", "Rule"], list(RULES.items()))
    software = table(["Made with", "Version"], list(versions().items()))
    marks = [["configuration", tag("code", digest(evidence.run.config))]]
    if evidence.trials:
        marks.append(["evidence (all questions and scores)", evidence.trials.digest])
    same = paragraphs(["A run that repeats this one exactly has the same evidence digest."])
    return Html(rules + software + table(["Digest of the", "SHA-256, 16 digits"], marks) + same)
