"""The Probe tab without a browser: its form, its figures, what it sends and what it keeps back."""

from __future__ import annotations

import pytest

from spectcount import actions, jobs
from spectcount.errors import UserError
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.run import execute
from spectcount.store import Store
from spectcount.ui import cell
from spectcount.ui.pieces import Box
from spectcount.ui.plan_form import clip_lines, read_clip
from spectcount.ui.probe import REGION_ACTS, ProbeView, listeners_of

SMALL_MAP = {"kind": "map", "nx": 2, "ny": 2, "trials": 4, "catch_trials": 8}
SIMULATED = ("sim:d=0,c=0,seed=1", "sim:d=4,c=0,seed=2")


class Context:
    """A run, executed in this process."""

    def __init__(self, store, run):
        self.run_id, self.config, self.folder, self.ledger = run.id, run.config, run.folder, store
        self.kind, self.lineage, self.store = run.kind, run.lineage, store

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


def test_map_shows_every_cell_with_n_and_interval(settings, probed, on_page):
    store, run = probed
    view = on_page(ProbeView, settings, store=store)
    new = view.poll(run.id, {}, None, "d_prime", None)
    heat, value = (new[part] for part in view.grid.heat.outputs)
    assert "40 of 40" not in new[view.progress] and "48 of 48" in new[view.progress]
    assert new[view.listener]["value"] == SIMULATED[0] and heat["visible"]
    assert all("of 4 signal trials right" in text for row in value["hover"] for text in row)
    assert all("at 95 %" in text for row in value["hover"] for text in row)
    findings = new[view.findings]
    assert 48 in new[view.sent]["figures"]
    assert "Suspected regions" in findings or "No cell" in findings


DEAF_MAP = {"kind": "map", "nx": 2, "ny": 2, "trials": 24, "catch_trials": 60}


class Click:
    """A click on a button with this value."""

    def __init__(self, value):
        self.value = value


def test_a_region_has_the_buttons_that_can_be_pressed(settings, monkeypatch, on_page):
    store, run = probe(settings, monkeypatch, DEAF_MAP)
    view = on_page(ProbeView, settings, store=store)
    words = view.poll(run.id, {}, SIMULATED[0], "d_prime", None)[view.findings]
    acts = [act for act in REGION_ACTS if f'data-act="{act}"' in words]
    assert acts == ["hear", "design", "confirm"], "nobody fine-tunes a simulated listener"
    assert "data-act" not in view.poll(run.id, {}, SIMULATED[1], "d_prime", None)[view.findings]

    view.confirm(run.id, SIMULATED[0])
    words = view.poll(run.id, {}, SIMULATED[0], "d_prime", None)[view.findings]
    assert 'data-act="confirm"' not in words, "a second confirmation would be a second chance"


def test_a_region_is_heard_where_it_was_got_wrong(settings, monkeypatch, on_page):
    store, run = probe(settings, monkeypatch, DEAF_MAP)
    view = on_page(ProbeView, settings, store=store)
    at = view.pick_region(run.id, None, SIMULATED[0], Click("0"))
    region = view.region_of(run, None, SIMULATED[0], "0")
    assert at["cells"] == [list(each) for each in region.cells]
    groups = cell.of_cell(view.feed.trials(run.id), at)
    rights = [next(t.correct for t in g if t.listener == SIMULATED[0]) for g in groups]
    signals = [
        right for right, g in zip(rights, groups, strict=True) if g[0].coords["role"] == "signal"
    ]
    assert False in signals and signals == sorted(signals) and rights[: len(signals)] == signals
    assert view.pick_region(run.id, None, SIMULATED[0], Click("9")) is None
    assert view.pick_region(run.id, None, SIMULATED[0], Click("x")) is None


def test_buttons_that_cannot_be_pressed_are_hidden(settings, probed, on_page):
    store, run = probed
    view = on_page(ProbeView, settings, store=store)
    stop, resume = view.buttons

    def visible():
        new = view.poll(run.id, {}, None, "d_prime", None)
        return new[stop]["visible"], new[resume]["visible"]

    assert visible() == (False, False)
    for state, expected in (
        ("running", (True, False)),
        ("stopping", (False, False)),
        ("stopped", (False, True)),
    ):
        store.update(run.id, state=state)
        assert visible() == expected, state
    assert view.panel.show(run.id, None)[view.panel.buttons]["visible"] is False


def test_poll_sends_nothing_twice(settings, probed, on_page):
    store, run = probed
    view = on_page(ProbeView, settings, store=store)
    sent = view.poll(run.id, {}, None, "rate", None)[view.sent]
    assert view.poll(run.id, sent, None, "rate", None) == {view.sent: sent}


def test_unknown_run_is_named(settings, probed, on_page):
    store, _ = probed
    view = on_page(ProbeView, settings, store=store)
    assert "probe-x" in view.poll("probe-x", {}, None, "rate", None)[view.progress]


def test_cell_shows_the_clip_and_both_answers(settings, probed, on_page):
    store, run = probed
    view = on_page(ProbeView, settings, store=store)
    groups = cell.of_cell(view.feed.trials(run.id), {"cells": [[1, 0]]})
    assert groups[0][0].coords["role"] == "signal"
    html = cell.answers_html(groups[0])
    assert all(name in html for name in SIMULATED)


def test_curve_and_confusion_have_their_figures(settings, monkeypatch, on_page):
    curve = {
        "kind": "curve",
        "parameter": "level_dbfs",
        "start": -60,
        "stop": -20,
        "levels": 3,
        "trials": 3,
        "catch_trials": 4,
    }
    store, run = probe(settings, monkeypatch, curve)
    view = on_page(ProbeView, settings, store=store)
    new = view.poll(run.id, {}, SIMULATED[1], "d_prime", None)
    assert visible(new, view.grid) == [view.grid.chart]
    assert [line["name"] for line in new[view.grid.chart.figure]["series"]] == list(SIMULATED)
    assert len(new[view.grid.level]["choices"]) == 3
    assert visible(new, view.tracks) == [view.tracks.function]
    assert "<td>13, 4 catch</td>" in new[view.tracks.words]


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


LEVELS = {"parameter": "level_dbfs", "low": -70, "high": -20, "design": {"duration_s": 1.0}}
TRACKS = {
    "kind": "staircase",
    **LEVELS,
    "trials": 12,
    "condition": "event_duration_ms",
    "condition_values": "50, 200",
}
TOGETHER = {"kind": "interleaved", "plans": [SMALL_MAP, {"kind": "quest", **LEVELS, "trials": 10}]}


def visible(new, figures):
    """The boxes among `figures` that are shown."""
    boxes = [box for box in vars(figures).values() if isinstance(box, Box)]
    return [box for box in boxes if new[box.column]["visible"]]


def test_tracks_are_drawn_one_and_all_and_every_trial_can_be_heard(settings, monkeypatch, on_page):
    store, run = probe(settings, monkeypatch, TRACKS)
    view = on_page(ProbeView, settings, store=store)
    new = view.poll(run.id, {}, SIMULATED[1], "d_prime", None)
    assert visible(new, view.grid) == [], "no map, no curve"
    assert new[view.part]["choices"][0][0] == "All tracks" and new[view.part]["visible"]
    tracks = view.tracks
    assert visible(new, tracks) == [tracks.tracks, tracks.function, tracks.threshold]
    listed = [pick for _, pick in new[tracks.trial]["choices"]]
    drawn = [p for line in new[tracks.tracks.figure]["series"] for p in line["picks"] or ()]
    assert sorted(listed) == sorted(drawn) and len(listed) == 24

    new = view.poll(run.id, {}, SIMULATED[1], "d_prime", "0.1")
    assert len(new[tracks.trial]["choices"]) == 12

    at = view.pick_trial(listed[3], SIMULATED[1])
    new = view.panel.show(run.id, at)
    assert new[view.panel.view] and SIMULATED[1] in new[view.panel.answers]
    assert new[view.panel.buttons]["visible"]
    assert new[view.panel.at]["key"] == cell.of_cell(view.feed.trials(run.id), at or {})[0][0].key
    assert view.pick_trial("nonsense", None) is None


def test_thresholds_of_all_listeners_are_told_once(settings, monkeypatch, on_page):
    store, run = probe(settings, monkeypatch, TRACKS)
    view = on_page(ProbeView, settings, store=store)
    new = view.poll(run.id, {}, None, "d_prime", None)
    words = new[view.tracks.words]
    assert all(words.count(f"{name} · ") == 2 for name in SIMULATED)
    assert "not measurable (1)" in words, "nobody hears with d' = 0"
    again = view.poll(run.id, new[view.sent], None, "d_prime", None)
    assert view.tracks.words not in again


def test_a_map_and_a_track_in_one_run(settings, monkeypatch, on_page):
    store, run = probe(settings, monkeypatch, TOGETHER)
    view = on_page(ProbeView, settings, store=store)
    first = view.poll(run.id, {}, None, "d_prime", None)
    assert visible(first, view.grid) == [view.grid.heat] and visible(first, view.tracks) == []
    assert [choice for _, choice in first[view.part]["choices"]] == ["0", "1"]
    second = view.poll(run.id, {}, None, "d_prime", "1")
    assert visible(second, view.grid) == [] and view.tracks.tracks in visible(second, view.tracks)
    groups = cell.of_cell(view.feed.trials(run.id), {"plan": 0, "cells": [[0, 0]]})
    assert {t.coords["plan"] for group in groups for t in group} == {0}
    at = view.pick_trial("1.0.4", SIMULATED[0])
    (head, *_), *_ = cell.of_cell(view.feed.trials(run.id), at or {})
    assert (head.coords["plan"], head.coords["trial"], head.listener) == (1, 4, SIMULATED[0])
