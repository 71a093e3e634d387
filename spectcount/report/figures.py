"""The figures of a run: which there are, by kind of plan.

Conventions: the most telling figure comes first; maps and tracks are one per listener, curves and
functions of a curve hold all listeners. Names are unique within a run.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

from spectcount.configs import TuneConfig
from spectcount.errors import UserError
from spectcount.figures.counts import accuracy_value, confusion_value, shortcuts_value
from spectcount.figures.functions import functions_value
from spectcount.figures.maps import (
    by_wording_value,
    curves_value,
    difference_value,
    map_value,
    spread_value,
)
from spectcount.figures.roc import ROCS, roc_value
from spectcount.figures.spec import Line, lines_value
from spectcount.figures.tracks import (
    marginal_of,
    posterior_value,
    share_words,
    surface_value,
    tracks_value,
)
from spectcount.figures.where import ladder_value, patching_value, thresholds_value
from spectcount.probing.shortcuts import floor_lines
from spectcount.report.evidence import Evidence
from spectcount.report.rows import trials_csv, trials_jsonl
from spectcount.report.run_figure import RunFigure, slug
from spectcount.where.patching import Patching

WHERE = "where it is lost"
"""The part of the figures that are of the run as a whole: its stages."""
MEASURES = {"d_prime": "d-prime", "auc": "auc", "rate": "rate"}


def figures_of(evidence: Evidence) -> list[RunFigure]:
    """Every figure of a run; none before the first answer."""
    if evidence.plan is None:
        return list(_of_learning(evidence))
    parts = [_labelled(f, part.label) for part in evidence.parts for f in _of_part(part)]
    return _named_apart([*_of_wordings(evidence), *parts, *_of_stages(evidence)])


def figure_called(evidence: Evidence, name: str) -> RunFigure:
    """The figure of that name; an unknown one is refused with those there are."""
    figures = figures_of(evidence)
    for figure in figures:
        if figure.name == name:
            return figure
    known = ", ".join(f.name for f in figures) or "none yet: it has no answers"
    raise UserError(f"run {evidence.run.id} has no figure {name!r}; known: {known}")


def write_figure(evidence: Evidence, name: str, out: Path) -> list[Path]:
    """All files of one figure into the folder `out`, with the trials behind it (CSV, JSONL)."""
    figure = figure_called(evidence, name)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for file_name, content in [
        *figure.files(evidence),
        (f"{name}.trials.csv", trials_csv(figure.trials)),
        (f"{name}.trials.jsonl", trials_jsonl(figure.trials)),
    ]:
        path = out / file_name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                file.writelines([content] if isinstance(content, str) else content)
        written.append(path)
    return written


def _of_part(part: Evidence) -> list[RunFigure]:
    """Figures of one plan; those of a panel or of a run over wordings are in the bundle only."""
    if not part.trials:
        return []
    main = _of_counts
    if not part.counted:
        single = len(part.asked_plan.axes) == 1
        main = (_of_curves if single else _of_maps) if part.gridded else _of_tracks
    figures = [*main(part), *_of_rocs(part), *_of_shortcuts(part)]
    return [dataclasses.replace(f, primary=f.primary and not part.tabled) for f in figures]


def _of_rocs(part: Evidence) -> Iterator[RunFigure]:
    """ROC and z-ROC of all listeners whose scores are graded."""
    if not (part.gridded and part.asked_plan.asked.two_class):
        return
    rocs = {name: pooled.roc for name, pooled in part.pooled.items()}
    for name, axes in ROCS.items():
        spec = roc_value(rocs, axes)
        if spec is not None:
            yield RunFigure(slug(name), f"{name} of all trials", spec, part.trials)


def _of_shortcuts(part: Evidence) -> Iterator[RunFigure]:
    if part.shortcuts is not None:
        heading = "What one cue alone reaches on the same clips"
        yield RunFigure("shortcuts", heading, shortcuts_value(part.shortcuts), part.trials)


def _labelled(figure: RunFigure, label: str) -> RunFigure:
    """The figure with the name of the part of the run that it belongs to."""
    if not label:
        return figure
    heading = f"{label[:1].upper()}{label[1:]}: {figure.heading}"
    name = slug(f"{label} {figure.name}")
    return dataclasses.replace(figure, name=name, heading=heading, part=label)


def _named_apart(figures: Iterable[RunFigure]) -> list[RunFigure]:
    """Figures whose names would be the same get a number."""
    named: dict[str, RunFigure] = {}
    for figure in figures:
        name, k = figure.name, 2
        while name in named:
            name, k = f"{figure.name}-{k}", k + 1
        named[name] = dataclasses.replace(figure, name=name)
    return list(named.values())


def _measures(evidence: Evidence) -> list[str]:
    """Measures that can be drawn of the plan's task, the one to look at first."""
    return ["d_prime", "auc", "rate"] if evidence.asked_plan.asked.two_class else ["rate"]


def _of_maps(evidence: Evidence) -> Iterator[RunFigure]:
    first = _measures(evidence)[0]
    for measure in _measures(evidence):
        for name, cells in evidence.cells.items():
            spec = map_value(cells, measure, evidence.regions[name], title=name)
            yield RunFigure(
                slug(f"map {MEASURES[measure]} {name}"),
                f"Map of {name}: {spec['z_label']}",
                spec,
                evidence.by_listener[name],
                primary=measure == first,
            )
    if evidence.difference is None:
        return
    for measure in (m for m in _measures(evidence) if m != "auc"):
        spec = difference_value(evidence.difference, measure, title="tuned − base")
        yield RunFigure(
            slug(f"difference {MEASURES[measure]}"),
            f"Change from {evidence.names[0]} to {evidence.names[1]}: {spec['z_label']}",
            spec,
            evidence.trials,
            primary=measure == first,
        )


def _of_curves(evidence: Evidence) -> Iterator[RunFigure]:
    for measure in _measures(evidence):
        spec = curves_value(evidence.cells, measure, floors=floor_lines(evidence.shortcuts))
        words = spec["y_label"].partition(" (")[0]
        yield RunFigure(
            slug(f"curve {MEASURES[measure]}"),
            f"{words} against {spec['x_label']}",
            spec,
            evidence.trials,
            primary=measure != "rate" or len(_measures(evidence)) == 1,
        )
    plan = evidence.asked_plan
    first = {name: listed[0] for name, listed in evidence.thresholds.items()}
    spec_or_none = functions_value(first, share_words(plan)) if plan.curve else None
    if spec_or_none:
        heading = "Psychometric functions and the answers they were fitted to"
        yield RunFigure("functions", heading, spec_or_none, evidence.trials)


def _of_tracks(evidence: Evidence) -> Iterator[RunFigure]:
    plan = evidence.asked_plan.procedure
    assert plan is not None
    for name, states in evidence.tracks.items():
        trials = evidence.by_listener[name]
        track = tracks_value(plan, states, title=name)
        yield RunFigure(slug(f"track {name}"), f"Levels asked of {name}", track, trials)
        surface = surface_value(plan, states, title=name)
        if surface:
            yield RunFigure(slug(f"surface {name}"), f"Thresholds of {name}", surface, trials)
        by_condition = {t.condition: t for t in evidence.thresholds.get(name, [])}
        functions = functions_value(by_condition, share_words(plan), title=name)
        if functions:
            heading = f"Psychometric function of {name}"
            yield RunFigure(slug(f"function {name}"), heading, functions, trials)
        if any(marginal_of(state, "threshold") for state in states.values()):
            posterior = posterior_value(states, title=name)
            heading = f"What the answers of {name} say about its threshold"
            yield RunFigure(slug(f"posterior {name}"), heading, posterior, trials, primary=False)


def _of_counts(evidence: Evidence) -> Iterator[RunFigure]:
    for name, table in evidence.confusions.items():
        yield RunFigure(
            slug(f"confusion {name}"),
            f"Counts of {name}: how many there were, how many were said",
            confusion_value(table, title=name),
            evidence.by_listener[name],
        )
    spec = accuracy_value(evidence.confusions, floor_lines(evidence.shortcuts))
    yield RunFigure("accuracy", "Accuracy by the number of events", spec, evidence.trials)


def _of_wordings(evidence: Evidence) -> Iterator[RunFigure]:
    if not evidence.worded:
        return
    spec = by_wording_value(evidence.worded)
    yield RunFigure("wordings", f"{spec['y_label']} by wording", spec, evidence.trials)
    for name, robustness in evidence.worded.items():
        heading = f"How far wordings differ in each cell, {name}"
        trials = evidence.by_listener[name]
        yield RunFigure(
            slug(f"spread {name}"), heading, spread_value(robustness, title=name), trials
        )


def _of_stages(evidence: Evidence) -> Iterator[RunFigure]:
    """Ladders and patchings of the run's clips."""
    for each in evidence.stages:
        if isinstance(each, Patching):
            heading = f"Where the states of a signal bring the answer back, {each.listener}"
            yield RunFigure("patching", heading, patching_value(each), evidence.trials, part=WHERE)
            continue
        heading = "What each stage tells, from the features to the answer"
        yield RunFigure("ladder", heading, ladder_value(each), evidence.trials, part=WHERE)
        levels = thresholds_value(each)
        if levels is not None:
            heading = "The threshold of each stage"
            yield RunFigure("ladder-thresholds", heading, levels, evidence.trials, part=WHERE)


def _of_learning(evidence: Evidence) -> Iterator[RunFigure]:
    n = TuneConfig.from_json(evidence.run.config).train.get("held_out", "?")
    loss = functools.partial(lines_value, y_label="loss (nats per answer token)")
    accuracy = functools.partial(
        lines_value, y_label="accuracy", y_range=(-0.02, 1.02), note=f"n = {n} questions each"
    )
    groups = {"weak_accuracy": "weak regions", "strong_accuracy": "outside them"}
    charts = (
        ("loss", "Training loss", {"loss": "loss"}, loss),
        ("held-out-accuracy", "Held-out accuracy", groups, accuracy),
    )
    for name, heading, series, drawn in charts:
        curves = {words: evidence.curve(metric) for metric, words in series.items()}
        lines = [
            Line(words, [step for step, _ in curve], [value for _, value in curve], colour=k)
            for k, (words, curve) in enumerate(curves.items())
            if curve
        ]
        if lines:
            spec = drawn(lines, x_label="optimiser steps", key=name)
            yield RunFigure(name, heading, spec, evidence.trials)
