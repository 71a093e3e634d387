"""The Probe tab without a browser: its form, its figures, what it sends and what it keeps back."""

from __future__ import annotations

import gradio as gr
import pytest

from spectcount import actions, jobs
from spectcount.errors import UserError
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.run import execute
from spectcount.store import Store
from spectcount.ui import cell
from spectcount.ui.plan_form import clip_lines, read_clip
from spectcount.ui.probe import ProbeView, listeners_of

SMALL_MAP = {"kind": "map", "nx": 2, "ny": 2, "trials": 4, "catch_trials": 8}
SIMULATED = ("sim:d=0,c=0,seed=1", "sim:d=4,c=0,seed=2")


class Context:
    """A run, executed in this process."""

    def __init__(self, store, run):
        self.run_id, self.config, self.folder, self.ledger = run.id, run.config, run.folder, store
        self.store = store

    def progress(self, done, total):
        self.store.update(self.run_id, done=done, total=total)

    def should_stop(self):
        return False

    def log(self, message):
        self.store.add_event(self.run_id, message)


@pytest.fixture
def probed(settings, monkeypatch):
    """(store, run) of a finished probe of two simulated listeners."""
    return probe(settings, monkeypatch, SMALL_MAP)


def probe(settings, monkeypatch, plan):
    from spectcount import listeners

    monkeypatch.setattr(jobs, "tend", lambda *_: None)
    run = actions.start_probe(settings, plan, list(SIMULATED), 3)
    store = Store(settings.database)
    summary = execute(Context(store, run), {s: listeners.load(s, settings) for s in SIMULATED})
    store.update(run.id, state="done", summary=summary)
    return store, store.run(run.id)


def test_map_shows_every_cell_with_n_and_interval(settings, probed):
    store, run = probed
    view = ProbeView(settings, store)
    _, progress, chooser, box, value, _, _, _, findings, sent = view.poll(
        run.id, None, "d_prime", {}
    )
    assert "40 of 40" not in progress and "48 of 48" in progress
    assert chooser["value"] == SIMULATED[0] and box["visible"]
    assert all("of 4 signal trials right" in text for row in value["hover"] for text in row)
    assert all("at 95 %" in text for row in value["hover"] for text in row)
    assert sent["figures"][1] == 48
    assert "Weak regions" in findings or "No cell" in findings


def test_poll_sends_nothing_twice(settings, probed):
    store, run = probed
    view = ProbeView(settings, store)
    *_, sent = view.poll(run.id, None, "rate", {})
    *again, _ = view.poll(run.id, None, "rate", sent)
    assert all(update == gr.skip() for update in again)


def test_unknown_run_is_named(settings, probed):
    store, _ = probed
    progress = ProbeView(settings, store).poll("probe-x", None, "rate", {})[1]
    assert "probe-x" in progress


def test_cell_shows_the_clip_and_both_answers(settings, probed):
    store, run = probed
    view = ProbeView(settings, store)
    groups = cell.of_cell(view.feed.trials(run.id), {"cell": [1, 0]})
    assert groups[0][0].coords["role"] == "signal"
    html = cell.answers_html(groups[0])
    assert all(name in html for name in SIMULATED)


def test_curve_and_confusion_have_their_figures(settings, monkeypatch):
    curve = {"kind": "curve", "parameter": "level_dbfs", "start": -60, "stop": -20, "levels": 3,
             "trials": 3, "catch_trials": 4}  # fmt: skip
    store, run = probe(settings, monkeypatch, curve)
    _, _, _, heat, _, chart, value, level, _, _ = ProbeView(settings, store).poll(
        run.id, None, "d_prime", {}
    )
    assert not heat["visible"] and chart["visible"]
    assert [line["name"] for line in value["series"]] == list(SIMULATED)
    assert len(level["choices"]) == 3


def test_listeners_follow_the_header():
    assert listeners_of(["base", "tuned", "ideal"], "m", "a") == ["m", "m@a", "ideal"]
    with pytest.raises(UserError, match="no adapter is selected"):
        listeners_of(["tuned"], "m", "none")
    with pytest.raises(UserError, match="nobody is chosen"):
        listeners_of([], "m", "none")


def test_clip_lines_make_a_round_trip():
    plan = plan_from_dict(
        {**SMALL_MAP, "design": {"level_dbfs": -30.0}, "draw": {"event_duration_ms": [50.0, 80.0]}}
    ).to_dict()
    assert read_clip(clip_lines(plan), "pulses") == (plan["design"], plan["draw"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("level_dbfs -3", "no '='"),
        ("levle_dbfs = 3", "did you mean"),
        ("gap_ms = x", "not a number"),
    ],
)
def test_bad_clip_lines_are_refused(line, words):
    with pytest.raises(UserError, match=words):
        read_clip(line, "pulses")
