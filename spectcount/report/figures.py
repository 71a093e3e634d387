"""The figures of a run, each with the trials behind it.

Conventions: a figure's name is its file name, lower-case words with hyphens; `primary` figures
stand in the report, the others in the bundle only. Files of one figure: NAME.svg, NAME.png,
NAME.html (interactive), NAME.json (the spec and where it comes from), NAME.trials.csv and .jsonl.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spectcount.errors import UserError
from spectcount.figures import interactive, paper
from spectcount.figures.counts import accuracy_value, confusion_value
from spectcount.figures.maps import curves_value, difference_value, map_value
from spectcount.figures.spec import Line, Spec, lines_value
from spectcount.report.evidence import Evidence
from spectcount.report.rows import legend, trials_csv, trials_jsonl
from spectcount.trials import Trial

MEASURES = {"d_prime": "d-prime", "auc": "auc", "rate": "rate"}


@dataclass(frozen=True)
class RunFigure:
    """One figure of a run: its spec, and the trials from which it can be recomputed."""

    name: str
    heading: str
    spec: Spec = field(repr=False)
    trials: tuple[Trial, ...] = field(repr=False)
    primary: bool = True
    part: str = ""

    @functools.cached_property
    def svg(self) -> str:
        """The figure as an SVG document."""
        return paper.svg(self.spec)

    def files(self, evidence: Evidence) -> Iterator[tuple[str, str | bytes]]:
        """(file name, content) of the figure itself and of its data sheet, without the trials."""
        source = source_line(evidence)
        sheet = {
            "figure": self.name,
            "heading": self.heading,
            "spec": self.spec,
            "listeners": list(dict.fromkeys(t.listener for t in self.trials)),
            **legend(evidence.run, self.trials),
        }
        yield f"{self.name}.svg", self.svg
        yield f"{self.name}.png", paper.png(self.spec)
        yield f"{self.name}.html", interactive.html_file(self.spec, self.heading, source)
        yield f"{self.name}.json", json.dumps(sheet, indent=2, sort_keys=True) + "\n"


def figures_of(evidence: Evidence) -> list[RunFigure]:
    """Every figure of a run, the most telling first; none before the first answer."""
    if evidence.plan is None:
        return list(_curves_of_learning(evidence))
    return [_labelled(f, part.label) for part in evidence.parts for f in _of_part(part)]


def _of_part(part: Evidence) -> list[RunFigure]:
    if not part.trials:
        return []
    if part.counted:
        return list(_of_counts(part))
    if part.gridded:
        one = len(part.asked_plan.axes) == 1
        return list(_of_curves(part) if one else _of_maps(part))
    return []


def _labelled(figure: RunFigure, label: str) -> RunFigure:
    """The figure with the name of the part of the run that it belongs to."""
    if not label:
        return figure
    heading = f"{label.capitalize()}: {figure.heading}"
    return dataclasses.replace(
        figure, name=slug(f"{label} {figure.name}"), heading=heading, part=label
    )


def figure_called(evidence: Evidence, name: str) -> RunFigure:
    """The figure of that name; an unknown one is refused with those there are."""
    found = figures_of(evidence)
    for figure in found:
        if figure.name == name:
            return figure
    known = ", ".join(f.name for f in found) or "none yet: it has no answers"
    raise UserError(f"run {evidence.run.id} has no figure {name!r}; known: {known}")


def write_figure(evidence: Evidence, name: str, out: Path) -> list[Path]:
    """All files of one figure into the folder `out`, with the trials behind it."""
    figure = figure_called(evidence, name)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for file_name, content in [
        *figure.files(evidence),
        (f"{name}.trials.csv", trials_csv(figure.trials)),
        (f"{name}.trials.jsonl", trials_jsonl(figure.trials)),
    ]:
        path = out / file_name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        written.append(path)
    return written


def source_line(evidence: Evidence) -> str:
    """Where a figure comes from, in a line."""
    who = ", ".join(f"{name} ({mark})" for name, mark in evidence.fingerprints.items())
    return f"Run {evidence.run.id}, seed {evidence.seed}" + (f"; {who}" if who else "")


def slug(text: str) -> str:
    """Lower-case letters and digits with hyphens, 60 at most."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "figure"


def _measures(evidence: Evidence) -> list[str]:
    """What can be drawn of the plan's task, the measure to look at first."""
    return ["d_prime", "auc", "rate"] if evidence.asked_plan.asked.two_class else ["rate"]


def _of_maps(evidence: Evidence) -> Iterator[RunFigure]:
    for measure in _measures(evidence):
        for name, cells in evidence.cells.items():
            spec = map_value(cells, measure, evidence.regions[name], title=name)
            yield RunFigure(
                slug(f"map {MEASURES[measure]} {name}"),
                f"Map of {name}: {spec['z_label']}",
                spec,
                tuple(evidence.by_listener[name]),
                primary=measure == _measures(evidence)[0],
            )
    if evidence.difference is None:
        return
    for measure in _measures(evidence):
        if measure == "auc":
            continue
        spec = difference_value(evidence.difference, measure, title="tuned − base")
        yield RunFigure(
            slug(f"difference {MEASURES[measure]}"),
            f"Change from {evidence.names[0]} to {evidence.names[1]}: {spec['z_label']}",
            spec,
            evidence.trials,
            primary=measure == _measures(evidence)[0],
        )


def _of_curves(evidence: Evidence) -> Iterator[RunFigure]:
    for measure in _measures(evidence):
        spec = curves_value(evidence.cells, measure)
        words = spec["y_label"].partition(" (")[0]
        yield RunFigure(
            slug(f"curve {MEASURES[measure]}"),
            f"{words} against {spec['x_label']}",
            spec,
            evidence.trials,
            primary=measure != "rate" or len(_measures(evidence)) == 1,
        )


def _of_counts(evidence: Evidence) -> Iterator[RunFigure]:
    for name, table in evidence.confusions.items():
        yield RunFigure(
            slug(f"confusion {name}"),
            f"Counts of {name}: how many there were, how many were said",
            confusion_value(table, title=name),
            tuple(evidence.by_listener[name]),
        )
    spec = accuracy_value(evidence.confusions)
    yield RunFigure("accuracy", "Accuracy by the number of events", spec, evidence.trials)


def _curves_of_learning(evidence: Evidence) -> Iterator[RunFigure]:
    n = evidence.run.config.get("train", {}).get("held_out", "?")
    charts: tuple[tuple[str, str, dict[str, str], dict[str, Any]], ...] = (
        ("loss", "Training loss", {"loss": "loss"}, {"y_label": "loss (nats per answer token)"}),
        (
            "held-out-accuracy",
            "Held-out accuracy",
            {"weak_accuracy": "weak regions", "strong_accuracy": "outside them"},
            {"y_label": "accuracy", "y_range": (-0.02, 1.02), "note": f"n = {n} questions each"},
        ),
    )
    for name, heading, series, looks in charts:
        curves = {words: evidence.curve(metric) for metric, words in series.items()}
        lines = [
            Line(words, [step for step, _ in curve], [value for _, value in curve], colour=k)
            for k, (words, curve) in enumerate(curves.items())
            if curve
        ]
        if lines:
            spec = lines_value(lines, x_label="optimiser steps", key=name, **looks)
            yield RunFigure(name, heading, spec, ())
