"""Held out: trained ranges from a lineage, parts with verdicts of their own, seeds that collide."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from spectcount.errors import UserError
from spectcount.listeners.observers.simulated import SimulatedObserver
from spectcount.probing.heldout import (
    NEVER,
    TRAINED,
    held_out_plans,
    seen_before,
    shared_questions,
    split,
)
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.trained import (
    Trained,
    overlapping,
    trained_of,
    union,
    union_words,
    values_of,
    without,
)
from spectcount.trials import make_trial

PRESETS = Path(__file__).resolve().parents[2] / "spectcount" / "presets"
EXAMPLE = json.loads(
    (PRESETS / "models" / "tiny-lalm-adapters" / "example" / "lineage.json").read_text()
)
GAPS = {
    "kind": "curve",
    "task": "count",
    "parameter": "gap_ms",
    "start": 0,
    "stop": 220,
    "levels": 12,
    "trials": 20,
    "catch_trials": 0,
    "count_low": 2,
    "count_high": 4,
}


def asked(plan, listener, name, seed=7):
    trials = []
    for batch in plan.ask(seed):
        for one in batch:
            scores = listener(one).score([one.question])
            trials.append(
                make_trial(
                    one.question,
                    scores.log_probs[0],
                    1.0,
                    fingerprint=name,
                    listener=name,
                    coords=one.coords,
                )
            )
    return trials


def test_ranges_of_the_shipped_adapter():
    trained = trained_of(EXAMPLE)
    assert trained.ranges["level_dbfs"] == ((-35.0, -3.0),)
    assert trained.ranges["gap_ms"] == ((60.0, math.inf),)
    assert trained.ranges["duration_s"] == ((1.2, math.inf),)
    assert trained.ranges["frequency_hz"] == ((105.2, 7177.3),)
    assert (trained.seed, trained.probe) == (3, EXAMPLE["lineage"]["probe"])
    assert trained.tasks == ("detect", "interval", "count")
    assert trained.words("gap_ms") == "gap 60 ms and more"
    assert Trained.from_dict(json.loads(json.dumps(trained.to_dict()))) == trained


def test_only_sources_that_are_drawn_from_count():
    """No replay, no paper: what was trained in frequency is the weak region alone."""
    curriculum = {**EXAMPLE["curriculum"], "weak_share": 1.0, "replay": 0.0, "long_share": 0.0}
    trained = trained_of({**EXAMPLE, "curriculum": curriculum})
    weak = sorted(tuple(r["ranges"]["frequency_hz"]) for r in EXAMPLE["regions"])
    assert trained.ranges["frequency_hz"] == tuple(weak)
    assert len(weak) == 2 and weak[0][0] == 105.2 and weak[1][1] == 7177.3
    assert trained.ranges["duration_s"] == ((1.2, 3.0),)
    no_weak = trained_of(
        {**EXAMPLE, "curriculum": {**curriculum, "weak_share": 0.0, "replay": 1.0}}
    )
    assert no_weak.ranges["frequency_hz"] == ((105.2, 7177.3),)
    early = {"ranges": {"onset_s": [0.0, 0.5]}, "probed": {}, "severity": 1}
    placed = trained_of({**EXAMPLE, "curriculum": curriculum, "regions": [early]})
    assert placed.ranges["onset_s"] == ((0.0, 0.5),)
    assert placed.ranges["frequency_hz"] == ((0.0, math.inf),)


def test_what_is_outside_is_named():
    trained = trained_of(EXAMPLE)
    plan = plan_from_dict(GAPS)
    close, wide = (plan.signal(1, (i, 0), 0) for i in (0, 11))
    assert trained.outside(close, "count") == ("gap_ms",)
    assert trained.outside(wide, "count") == ()
    assert trained.outside(wide.to_dict(), "count") == ()
    assert trained.outside(wide, "higher") == ("task",)
    soft = plan_from_dict({**GAPS, "design": {"level_dbfs": -50, "wave": "noise"}})
    assert trained.outside(soft.signal(1, (11, 0), 0), "count") == ("wave", "level_dbfs")
    assert values_of(close)["gap_ms"] == pytest.approx([0.0] * (len(close.events) - 1), abs=1e-6)


def test_the_ends_of_what_was_held_out_were_not_trained():
    curriculum = {
        **EXAMPLE["curriculum"],
        "held_out_name": "gap_ms",
        "held_out_low": 100,
        "held_out_high": 160,
    }
    trained = trained_of({**EXAMPLE, "curriculum": curriculum})
    plan = plan_from_dict(GAPS)
    never = [i for i in range(12) if trained.outside(plan.signal(1, (i, 0), 0), "count")]
    assert [20 * i for i in never] == [0, 20, 40, 100, 120, 140, 160]
    found = held_out_plans(trained, plan)
    assert [p.axes[0].edges for p in found.never] == [(0, 20, 40), (100, 120, 140, 160)]
    assert [p.axes[0].edges for p in found.trained] == [(60, 80), (180, 200, 220)]


def test_parts_have_their_own_verdicts():
    """A tuned listener that counts better only where gaps were trained: one part improved, the
    other not, though the whole would say improved."""
    plan, trained = plan_from_dict(GAPS), trained_of(EXAMPLE)
    poor, good = SimulatedObserver(0.7, 0, 1), SimulatedObserver(5, 0, 1)

    def tuned_as(one):
        return good if one.coords["x_value"] >= 60 else poor

    base, tuned = asked(plan, lambda one: poor, "base"), asked(plan, tuned_as, "tuned")
    inner, outer = split(plan, base, tuned, trained)
    assert (inner.name, outer.name) == (TRAINED, NEVER)
    assert inner.change.n + outer.change.n == 240
    assert inner.change.n == 20 * sum(20 * i >= 60 for i in range(12))
    assert inner.change.verdict.kind == "improved"
    assert outer.change.verdict.kind == "no change shown" and outer.change.gained == 0
    assert outer.outside == {"gap_ms": outer.change.n}
    assert outer.sentence.startswith("never trained (gap): no change shown: accuracy 0.00 [")
    assert inner.to_dict()["change"]["verdicts"][0]["kind"] == "improved"


def test_noise_alone_belongs_to_both_parts():
    """Catch trials of a detection map have no level: both parts have all of them."""
    plan = plan_from_dict(
        {
            "kind": "map",
            "x": "level_dbfs",
            "x_low": -65,
            "x_high": -5,
            "nx": 4,
            "ny": 2,
            "y_low": 10,
            "y_high": 90,
            "trials": 10,
            "catch_trials": 40,
        }
    )
    listener = SimulatedObserver(1, 0, 1)
    base, tuned = (asked(plan, lambda one: listener, name) for name in ("base", "tuned"))
    inner, outer = split(plan, base, tuned, trained_of(EXAMPLE))
    assert inner.change.n + outer.change.n == 80
    assert inner.change.n_catch == outer.change.n_catch == 40
    assert set(outer.outside) == {"level_dbfs"}


def test_catch_trials_with_events_belong_where_their_events_do():
    plan = plan_from_dict(
        {
            "kind": "map",
            "task": "interval",
            "x": "level_dbfs",
            "x_low": -65,
            "x_high": -5,
            "nx": 4,
            "ny": 2,
            "y_low": 10,
            "y_high": 90,
            "trials": 10,
            "catch_trials": 80,
        }
    )
    listener = SimulatedObserver(1, 0, 1)
    base, tuned = (asked(plan, lambda one: listener, name) for name in ("base", "tuned"))
    inner, outer = split(plan, base, tuned, trained_of(EXAMPLE))
    assert inner.change.n_catch + outer.change.n_catch == 80
    assert 20 < inner.change.n_catch < 60


def test_everything_trained_is_one_part():
    plan = plan_from_dict({**GAPS, "start": 80})
    listener = SimulatedObserver(1, 0, 1)
    base, tuned = (asked(plan, lambda one: listener, name) for name in ("base", "tuned"))
    assert [part.name for part in split(plan, base, tuned, trained_of(EXAMPLE))] == [TRAINED]
    assert split(plan, base, [], trained_of(EXAMPLE)) == []


def test_a_curve_is_cut_at_the_trained_range():
    found = held_out_plans(EXAMPLE, plan_from_dict(GAPS))
    (inner,), (outer,) = found.trained, found.never
    assert outer.axes[0].edges == (0, 20, 40)
    assert inner.axes[0].edges == tuple(float(g) for g in range(60, 240, 20))
    assert found.dropped == 0 and found.words == "trained: gap 60 ms and more"
    only = held_out_plans(EXAMPLE, plan_from_dict({**GAPS, "start": 50, "stop": 160}))
    assert only.never == () and only.dropped == 1


def test_a_map_is_cut_along_both_axes():
    plan = plan_from_dict(
        {
            "kind": "map",
            "x": "level_dbfs",
            "x_low": -65,
            "x_high": -5,
            "nx": 6,
            "y": "frequency",
            "y_low": 60,
            "y_high": 7400,
            "ny": 10,
            "trials": 2,
            "catch_trials": 2,
        }
    )
    found = held_out_plans(EXAMPLE, plan)
    (inner,) = found.trained
    trained = trained_of(EXAMPLE)
    assert inner.axes[0].edges == (-35.0, -25.0, -15.0, -5.0)
    for part, want in ((found.trained, False), (found.never, True)):
        for one in part:
            one.refuse_infeasible()
            for cell in one.cells:
                assert bool(trained.outside(one.signal(5, cell, 0), "detect")) == want
    cells = sum(len(one.cells) for one in (*found.trained, *found.never))
    assert cells + found.dropped == 60 and found.never


def test_a_plan_about_something_else_is_never_trained_as_a_whole():
    plan = plan_from_dict({**GAPS, "start": 80, "design": {"event_duration_ms": 400}})
    found = held_out_plans(EXAMPLE, plan)
    assert found.trained == () and len(found.never) == 1
    assert "event duration of this plan" in found.words
    with pytest.raises(UserError, match="has no cells to split"):
        held_out_plans(EXAMPLE, plan_from_dict({"kind": "confusion"}))


@pytest.mark.parametrize(
    "path", sorted((PRESETS / "training").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_training_preset_has_ranges(path):
    from spectcount.training.options import Curriculum

    curriculum = Curriculum.from_dict(yaml.safe_load(path.read_text())["curriculum"])
    trained = trained_of({"curriculum": curriculum.to_dict(), "regions": [], "seed": 0})
    assert all(trained.ranges[name] for name in trained.ranges)


def test_seeds_that_collide_are_told():
    trained = trained_of(EXAMPLE)
    assert seen_before(1000, trained, probe_seed=0) == []
    (probe,) = seen_before(0, trained, probe_seed=0, shared=868, total=868)
    assert probe.startswith("Not held out: seed 0 is that of probe-1127-225247-7dvs")
    assert "868 of 868" in probe
    tune, unknown = seen_before(3, trained)
    assert "seed of the fine-tune" in tune and "cannot be checked" in unknown


def test_questions_in_common_are_counted():
    plan = plan_from_dict({"kind": "map", "nx": 2, "ny": 2, "trials": 3, "catch_trials": 4})
    listener = SimulatedObserver(1, 0, 1)
    trials = asked(plan, lambda one: listener, "probe", seed=0)
    assert shared_questions(plan, 0, trials) == (16, 16)
    assert shared_questions(plan, 1, trials) == (0, 16)
    wider = plan_from_dict({"kind": "map", "nx": 2, "ny": 2, "trials": 6, "catch_trials": 4})
    catch_words = 1  # three places of words became four: the last catch trial has other words
    assert shared_questions(wider, 0, trials) == (16 - catch_words, 28)


def test_unions_of_ranges():
    assert union([(3, 5), (0, 1), (4, 8), (1, 2)]) == ((0.0, 2.0), (3.0, 8.0))
    assert [np.round(r, 9).tolist() for r in without([(0, 10), (20, 30)], (5, 22))] == [
        [0, 5],
        [22, 30],
    ]
    left = without([(0, 10)], (5, 6))
    sides = [overlapping((v, v), tuple(left)) for v in (5.5, 4.9, 6.1)]
    assert sides == ["outside", "inside", "inside"]
    assert without([(5, 6)], (0, 10)) == []
    assert overlapping((1, 2), ((0.0, 3.0),)) == "inside"
    assert overlapping((2, 4), ((0.0, 3.0),)) == "partly"
    assert overlapping((4, 5), ((0.0, 3.0),)) == "outside"
    assert union_words(((60.0, 400.0), (800.0, 900.0)), "ms") == "60 to 400 ms and 800 to 900 ms"
    assert union_words(()) == "never"


def test_data_that_is_no_lineage_is_refused():
    with pytest.raises(UserError, match="no lineage of a fine-tune"):
        trained_of({"base": "tiny-lalm"})
