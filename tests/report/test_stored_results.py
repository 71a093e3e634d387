"""What a run says is computed once, when it ends: page and report read it, and compute nothing."""

from __future__ import annotations

import importlib.resources
import inspect
import shutil
import sys
from types import SimpleNamespace

import gradio as gr
import pytest

import spectcount
from spectcount import actions
from spectcount.configs import CompareConfig
from spectcount.figures.roc import ROCS
from spectcount.jobs import results
from spectcount.probing import analysis
from spectcount.probing.panel import Panel
from spectcount.psychophysics import (
    below,
    changes,
    crossed,
    fit,
    fit_grid,
    goodness,
    graded,
    one_function,
    ordinal,
    paired,
    placements,
    roc,
    stratified,
    surface_model,
)
from spectcount.store import Store
from spectcount.ui import beside, curriculum_form
from spectcount.ui.compare import Pair, PairFigures, pair_words
from spectcount.ui.header import Header
from spectcount.ui.panel_view import result_html
from spectcount.ui.polling import Feed
from spectcount.ui.probe import ProbeView
from spectcount.ui.probe_figures import pick_cell

FITS = (
    below,
    changes,
    crossed,
    fit,
    fit_grid,
    goodness,
    graded,
    one_function,
    ordinal,
    paired,
    placements,
    roc,
    stratified,
    surface_model,
)
"""Modules whose public functions are fits, bootstraps and tests, or steps of one."""
WORDS = ("lapse_prior", "break_words", "break_reason")
"""Functions of these modules that are of text, or of a grid alone."""
SHOWN = ("d_prime", "auc", "rate", *ROCS.values())


@pytest.fixture
def calls(monkeypatch):
    """Names of the functions of `FITS` that were called, wherever they were imported to."""
    called: list[str] = []

    def counted(function):
        def call(*args, **kwargs):
            called.append(f"{function.__module__}.{function.__name__}")
            return function(*args, **kwargs)

        return call

    known = {
        function
        for module in FITS
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and name[:1] != "_" and name not in WORDS
    }
    wrapped = {function: counted(function) for function in known}
    for module in [m for name, m in sys.modules.items() if name.startswith("spectcount")]:
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and value in wrapped:
                monkeypatch.setattr(module, name, wrapped[value])
    return called


def on_page(view, settings, store):
    """A view on a page that nobody sees."""
    with gr.Blocks():
        tuned = gr.Dropdown(["none"], value="none")
        return view(settings, store, Header(gr.Dropdown(["tiny-lalm"]), tuned))


def look(settings, run, listeners):
    """Everything that a page opened afresh shows of a run, in all measures, and the report."""
    store = Store(settings.database)
    if run.kind == "probe":
        for who in listeners:
            for measure in SHOWN:
                view = on_page(ProbeView, settings, store)
                view.figures(run, who, measure, None)
            view.thresholds(run, who, None)
    if run.kind == "compare":
        with gr.Blocks():
            figures = PairFigures()
        for measure in SHOWN:
            result = Feed(store).result(run)
            pair = Pair(CompareConfig.from_json(run.config), run.lineage, result)
            figures.show(pair, measure)
            pair_words(pair)
    if run.kind == "panel":
        result_html(run, Feed(store))
    return actions.write_report(settings, run.id, settings.home / "out").read_text()


@pytest.mark.parametrize(
    "kind,plan,listeners",
    [
        ("probe", "map", ("sim", "other")),
        ("probe", "curve", ("keen",)),
        ("probe", "staircase", ("keen",)),
        ("probe", "quest", ("dull",)),
        ("compare", "map", ("sim", "other")),
        ("compare", "curve", ("dull", "keen")),
        ("panel", "panel", ("sim", "other")),
    ],
)
def test_an_ended_run_is_read_and_not_computed(
    settings, make_run, plans, calls, kind, plan, listeners
):
    who = [getattr(plans, name) for name in listeners]
    more: dict = {"margin": None}
    body = getattr(plans, plan, None)
    if kind == "panel":
        table = Panel.from_list([{"name": "soft beeps", "plan": plans.curve}])
        body, more = table.plan.to_dict(), {"parts": table.to_list(), "regions": []}
    run = make_run(body, who, kind, **more).run
    assert calls, "the counters count"
    calls.clear()
    first = look(settings, run, who)
    assert calls == []
    (run.folder / results.FILE).write_text('{"$": "Analysis", "version": "0/0"}')
    again = look(settings, run, who)
    assert calls, "another version of the analysis is made anew"
    assert first == again
    calls.clear()
    assert look(settings, run, who) == first
    assert calls == []


def test_you_beside_the_models_cells_and_regions_are_read_too(settings, make_run, plans, calls):
    maps = make_run(plans.map, ["sim:d=0.2,seed=1"]).run
    tracks = make_run(plans.staircase, [plans.keen]).run
    counts = make_run(plans.confusion, [plans.sim, plans.other]).run
    store = Store(settings.database)
    session = store.create_run("listen", {**tracks.config, "listeners": ["you"]})
    store.add_trials(session.id, [t.changed(listener="you") for t in store.trials(tracks.id)])
    store.update(session.id, state="done", ended_at=1.0)
    with gr.Blocks():
        results_beside = beside.Results("you")

    def looks():
        feed = Feed(store)
        you = store.run(session.id)
        new = results_beside.show(you, store, feed)
        regions = curriculum_form.regions_of(feed, store.run(maps.id), maps.config["listeners"][0])
        event = SimpleNamespace(index=(1, 2))
        place = pick_cell(store.run(counts.id), feed, event, plans.other)
        return new[results_beside.words], regions, place

    first = looks()
    assert plans.keen in first[0] and "you" in first[0] and "Thresholds" in first[0]
    assert first[1] and first[1] == maps.summary["regions"][maps.config["listeners"][0]]
    table = Feed(store).result(counts).parts[0].confusions[plans.other]
    assert first[2] == {"truth": table.truths[1], "answer": table.answers[2]}
    calls.clear()
    assert looks() == first
    assert calls == []


def test_the_version_of_an_analysis_follows_the_code(tmp_path):
    release, digest = analysis.version().split("/")
    package = importlib.resources.files(spectcount)
    assert release == spectcount.__version__
    assert digest == analysis.digest_of(package, analysis.SOURCES)
    for name in analysis.SOURCES:
        target = tmp_path / name
        if package.joinpath(name).is_dir():
            shutil.copytree(str(package / name), target)
        else:
            shutil.copy(str(package / name), target)
    assert analysis.digest_of(tmp_path, analysis.SOURCES) == digest
    for path in ("psychophysics/fit.py", "probing/maps.py", "psychophysics/adaptive/staircase.py"):
        before = (tmp_path / path).read_bytes()
        (tmp_path / path).write_bytes(before.replace(b"\n", b"\r\n"))
        assert analysis.digest_of(tmp_path, analysis.SOURCES) == digest, "ends of lines say nothing"
        (tmp_path / path).write_bytes(before + b"X = 1\n")
        assert analysis.digest_of(tmp_path, analysis.SOURCES) != digest
        (tmp_path / path).write_bytes(before)


def test_a_resumed_run_is_analysed_anew(settings, make_run, plans):
    evidence = make_run(plans.map, [plans.sim])
    store, run = Store(settings.database), evidence.run

    def analysed():
        return results.analysis_of(store, run, lambda: store.trials(run.id))

    before = analysed()
    moved = [t.changed(key=f"{k:016x}") for k, t in enumerate(evidence.trials)]
    store.add_trials(run.id, moved)
    after = analysed()
    assert after.n_trials == 2 * before.n_trials
    assert after.parts[0].cells[plans.sim].n.sum() == 2 * before.parts[0].cells[plans.sim].n.sum()
