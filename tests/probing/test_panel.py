"""The forgetting panel: rows, what was fine before, what is forgotten, intervals at one level."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from spectcount.configs import PanelConfig
from spectcount.errors import UserError
from spectcount.listeners.base import Scores
from spectcount.listeners.observers.simulated import SimulatedObserver
from spectcount.probing import run
from spectcount.probing.analysis import RunningPanel
from spectcount.probing.panel import Panel, panel_result

PRESETS = sorted(
    (Path(__file__).resolve().parents[2] / "spectcount" / "presets" / "panels").glob("*.yaml")
)
DETECT = {"kind": "map", "nx": 1, "ny": 2, "trials": 24, "catch_trials": 48}
COUNT = {
    "kind": "map",
    "task": "count",
    "x": "level_dbfs",
    "x_low": -30,
    "x_high": -5,
    "nx": 1,
    "y": "mel_channel",
    "ny": 8,
    "trials": 12,
    "catch_trials": 0,
    "count_low": 1,
    "count_high": 4,
}
LENGTHS = {
    "kind": "curve",
    "task": "count",
    "parameter": "duration_s",
    "start": 1,
    "stop": 3,
    "levels": 2,
    "trials": 24,
    "catch_trials": 0,
    "count_low": 1,
    "count_high": 4,
    "design": {"event_duration_ms": 50},
}
PARTS = [
    {"name": "Detecting", "plan": DETECT},
    {"name": "Counting", "rows": "regions", "plan": COUNT},
    {"name": "Lengths", "rows": "cells", "plan": LENGTHS},
    {
        "name": "Silence",
        "measure": "false_alarms",
        "plan": {**DETECT, "trials": 1, "catch_trials": 80},
    },
]
HIGH = {"ranges": {"frequency_hz": [3000.0, 8000.0]}}


class Mixed:
    """A listener per task and place; `name` is its fingerprint too."""

    def __init__(self, name, detect, count, weak=None, seed=1):
        self.name = self.fingerprint = name
        self.who = {"detect": SimulatedObserver(*detect, seed)}
        self.strong = SimulatedObserver(count, 0, seed)
        self.weak = SimulatedObserver(count if weak is None else weak, 0, seed)

    def score(self, questions):
        (name,) = {q.task_name for q in questions}
        if name == "detect":
            return self.who["detect"].score(questions)
        rows = [
            (self.weak if q.stimulus.events[0].frequency_hz >= 3000 else self.strong).score([q])
            for q in questions
        ]
        return Scores(np.concatenate([r.log_probs for r in rows]), np.ones(len(rows)))


def asked(context, base, tuned, parts=PARTS, **more):
    panel = Panel.from_list(parts)
    config = {
        "plan": panel.plan.to_dict(),
        "parts": panel.to_list(),
        "seed": 1000,
        "listeners": ["base", "tuned"],
        **more,
    }
    ctx = context(config)
    base.name, tuned.name = "base", "tuned"
    run.execute(ctx, {"base": base, "tuned": tuned})
    trials = ctx.ledger.trials("run")
    config = PanelConfig.from_json(config)
    return config, {n: [t for t in trials if t.listener == n] for n in ("base", "tuned")}


def test_a_loss_is_found_where_it_is_and_repair_is_no_loss(context):
    """Base: good at all but weak regions; tuned: counts well everywhere, but hears worse."""
    base = Mixed("base", (4, 0), 5, weak=0.3)
    tuned = Mixed("tuned", (0.8, 0), 5, weak=5)
    config, trials = asked(context, base, tuned, regions=[HIGH])
    found = RunningPanel(config, {}, trials).panel
    rows = {row.name: row for row in found.rows}
    assert list(rows) == [
        "Detecting",
        "Counting, outside the weak regions",
        "Counting, inside the weak regions",
        "Lengths: clip 1 s",
        "Lengths: clip 3 s",
        "Silence",
    ]
    assert rows["Detecting"].forgotten and rows["Detecting"].verdict.kind == "worse"
    weak = rows["Counting, inside the weak regions"]
    assert weak.weak and weak.verdict.kind == "improved" and not weak.fine_before
    assert not rows["Counting, outside the weak regions"].forgotten
    assert found.sentence.startswith("Forgotten: ")
    assert "Detecting (d_a at most -" in found.sentence
    assert "Improved where it was to be repaired: Counting, inside" in found.sentence
    n = [rows[f"Counting, {side} the weak regions"].verdict.n for side in ("outside", "inside")]
    assert sum(n) == 96 and min(n) > 20


def test_nothing_forgotten_is_said_with_the_largest_loss(context):
    config, trials = asked(
        context, Mixed("base", (3, 0), 4), Mixed("tuned", (3, 0), 4, seed=2), margin=4.0
    )
    found = RunningPanel(config, {}, trials).panel
    assert found.sentence.startswith("Nothing forgotten shown in ")
    assert "the largest loss is " in found.sentence and " at 99 %, picked from 5" in found.sentence
    assert "A loss of d' of 4 or more is excluded in 1 of 1." in found.sentence
    assert found.to_dict()["forgotten"] == []


def test_all_rows_have_intervals_at_one_level(context):
    """6 rows, 1 of them changed: 1 - 1 x 0.05 / 6; more changes, a lower level."""
    base, poor = Mixed("base", (4, 0), 5), Mixed("tuned", (0.5, 0), 0.2)
    config, trials = asked(context, base, poor)
    found = RunningPanel(config, {}, trials).panel
    levels = {row.verdict.interval.level for row in found.rows}
    assert len(levels) == 1
    changed = sum(row.verdict.kind in ("improved", "worse") for row in found.rows)
    assert levels.pop() == pytest.approx(1 - changed * 0.05 / len(found.rows))
    assert changed >= 4


def test_what_was_not_fine_before_cannot_be_forgotten(context):
    deaf = Mixed("base", (0.2, 0), 0.1)
    config, trials = asked(context, deaf, Mixed("tuned", (0.1, 0), 0.1, seed=3))
    found = RunningPanel(config, {}, trials).panel
    assert all(not row.fine_before for row in found.rows if row.name != "Silence")
    assert found.sentence == "Nothing can be said: no row of the panel was fine before."
    config, trials = asked(context, Mixed("b", (3, 0), 0.1), Mixed("t", (3, 0), 0.1, seed=3))
    found = RunningPanel(config, {}, trials).panel
    assert "Not fine before, so not counted: Counting; Lengths: clip 1 s;" in found.sentence
    assert panel_result(Panel.from_list(PARTS), [], []).rows == ()


def test_more_false_alarms_are_a_loss(context):
    config, trials = asked(context, Mixed("base", (3, 0), 4), Mixed("tuned", (3, -1.6), 4))
    found = RunningPanel(config, {}, trials).panel
    row = found.rows[-1]
    assert row.name == "Silence" and row.verdict.kind == "worse" and row.forgotten
    assert row.verdict.measure.name == "false-alarm rate" and row.verdict.n == 80


def test_a_stopped_panel_goes_on_where_it_was(context):
    panel = Panel.from_list(PARTS[:2])
    config = {
        "plan": panel.plan.to_dict(),
        "parts": panel.to_list(),
        "seed": 1,
        "listeners": ["base", "tuned"],
    }
    who = {"base": Mixed("base", (3, 0), 4), "tuned": Mixed("tuned", (3, 0), 4, seed=2)}
    first = context(config, stop_after=100)
    assert run.execute(first, who)["stopped"]
    half = {n: [t for t in first.ledger.trials("run") if t.listener == n] for n in who}
    assert 0 < len(half["base"]) < panel.plan.n_trials
    assert RunningPanel(PanelConfig.from_json(config), {}, half).panel.rows
    again = context(config, ledger=first.ledger)
    summary = run.execute(again, who)
    assert summary["done"] == 2 * panel.plan.n_trials
    trials = {n: [t for t in again.ledger.trials("run") if t.listener == n] for n in who}
    assert len(trials["base"]) == len({t.key for t in trials["base"]}) == panel.plan.n_trials


@pytest.mark.parametrize("path", PRESETS, ids=lambda p: p.stem)
def test_every_panel_preset_can_be_asked(path, settings, context):
    from spectcount import presets

    loaded = presets.load("panels", path.stem, settings)
    assert json.loads(json.dumps(loaded.body)) == loaded.body
    panel = Panel.from_list(loaded.body["parts"])
    panel.plan.refuse_infeasible()
    assert panel.plan.n_trials <= 1500
    small = [
        {
            **part,
            "plan": {
                **part["plan"],
                "trials": 2,
                "catch_trials": 4 * bool(part["plan"]["catch_trials"]),
            },
        }
        for part in yaml.safe_load(path.read_text())["parts"]
    ]
    ideal = {n: SimulatedObserver(3, 0, s) for s, n in enumerate(("base", "tuned"))}
    made = Panel.from_list(small)
    ctx = context({"plan": made.plan.to_dict(), "parts": small, "listeners": ["base", "tuned"]})
    run.execute(ctx, ideal)
    trials = ctx.ledger.trials("run")
    by_name = {n: [t for t in trials if t.listener == n] for n in ("base", "tuned")}
    found = RunningPanel(PanelConfig.from_json(ctx.config), {}, by_name).panel
    assert len(found.rows) >= len(small)


@pytest.mark.parametrize(
    "parts,match",
    [
        ([], "without parts"),
        ([{"name": "", "plan": DETECT}], "part 1: a part of a panel has no name"),
        ([{"name": "x", "plan": {**DETECT, "trails": 3}}], "part 1: .*trails"),
        ([{"name": "x", "plans": DETECT}], "plans"),
        ([{"name": "x", "plan": {"kind": "staircase", "high": -10}}], "each listener its own"),
        ([{"name": "x", "measure": "false_alarms", "plan": COUNT}], "no false alarms"),
    ],
)
def test_what_is_no_panel_is_refused(parts, match):
    with pytest.raises(UserError, match=match):
        Panel.from_list(parts)
