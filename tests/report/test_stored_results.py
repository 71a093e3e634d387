"""What a run says is computed once, when it ends: page and report read it, and compute nothing."""

from __future__ import annotations

import inspect
import sys

import gradio as gr
import pytest

from spectcount import actions
from spectcount.configs import CompareConfig
from spectcount.figures.roc import ROCS
from spectcount.jobs import results
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
from spectcount.ui.compare import Pair, PairFigures, pair_words
from spectcount.ui.header import Header
from spectcount.ui.panel_view import result_html
from spectcount.ui.polling import Feed
from spectcount.ui.probe import ProbeView

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


def test_a_resumed_run_is_analysed_anew(settings, make_run, plans):
    evidence = make_run(plans.map, [plans.sim])
    store, run = Store(settings.database), evidence.run

    def analysis():
        return results.analysis_of(store, run, lambda: store.trials(run.id))

    before = analysis()
    moved = [t.changed(key=f"{k:016x}") for k, t in enumerate(evidence.trials)]
    store.add_trials(run.id, moved)
    after = analysis()
    assert after.n_trials == 2 * before.n_trials
    assert after.parts[0].cells[plans.sim].n.sum() == 2 * before.parts[0].cells[plans.sim].n.sum()
