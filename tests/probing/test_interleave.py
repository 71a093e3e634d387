"""Interleaved plans: each goes its own way, all are shuffled together and end about together."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest

from spectcount.errors import UserError
from spectcount.listeners.observers.simulated import SimulatedThreshold
from spectcount.probing import run
from spectcount.probing.draws import seed_of
from spectcount.probing.plan import Interleaved, Part, parts_of, plan_from_dict, shuffled_together

SHORT = {"duration_s": 1.0}
LEVEL = {"parameter": "level_dbfs", "low": -80, "high": -20, "design": SHORT}
STAIRCASE = {"kind": "staircase", "trials": 24, "reversals": 99, **LEVEL}
MAP = {
    "kind": "map",
    "x": "level_dbfs",
    "x_high": -10,
    "nx": 4,
    "y": "frequency",
    "ny": 2,
    "trials": 6,
    "catch_trials": 16,
    "design": SHORT,
}
PLAN = {"kind": "interleaved", "plans": [STAIRCASE, MAP, {**STAIRCASE, "task": "interval"}]}
HEARS = SimulatedThreshold("level_dbfs", -50, 15)


@pytest.fixture
def done(context):
    """(plan, trials, summary) of one listener's run."""
    ctx = context({"plan": PLAN, "seed": 5})
    summary = run.execute(ctx, {"it": HEARS})
    return plan_from_dict(PLAN), ctx.ledger.trials("run"), summary


def test_every_plan_asks_all_of_its_questions(done):
    plan, trials, summary = done
    assert len(trials) == summary["done"] == plan.n_trials == 24 + 64 + 24
    assert [len(mine) for _, mine in parts_of(plan, trials)] == [24, 64, 24]
    assert len({(t.key, json.dumps(t.coords, sort_keys=True)) for t in trials}) == len(trials)


def test_the_plans_are_shuffled_together_and_end_together(done):
    _, trials, _ = done
    order = [t.coords["plan"] for t in trials]
    longest = max(len(list(same)) for _, same in itertools.groupby(order))
    assert longest <= 8
    for quarter in range(4):
        share = order[quarter * 28 : (quarter + 1) * 28]
        assert [share.count(i) for i in range(3)] == pytest.approx([6, 16, 6], abs=3)


def test_a_part_asks_what_it_would_ask_alone(done, context):
    plan, trials, summary = done
    for i, part in enumerate(plan.parts):
        alone = context({"plan": part.to_dict(), "seed": seed_of(5, "plan", i)})
        own = run.execute(alone, {"it": HEARS})
        mine = [t.key for t in trials if t.coords["plan"] == i]
        assert sorted(mine) == sorted(t.key for t in alone.ledger.trials("run"))
        kept = ("overall", "regions", "criterion", *(["thresholds"] if part.adaptive else []))
        assert {k: summary["plans"][i][k] for k in kept} == {k: own[k] for k in kept}


def test_the_summary_holds_that_of_each_plan(done):
    _, _, summary = done
    assert [p["kind"] for p in summary["plans"]] == ["staircase", "map", "staircase"]
    assert summary["overall"] == {"it": {"n": 112}}
    assert summary["regions"]["it"] == summary["plans"][1]["regions"]["it"]
    assert "sentence" in summary["plans"][2]["thresholds"]["it"][0]
    assert json.dumps(summary, allow_nan=False)


def test_plans_that_end_early_do_not_hold_up_the_others(context):
    early = {**STAIRCASE, "trials": 90, "reversals": 4, "steps": "20"}
    values = {"kind": "interleaved", "plans": [early, {**MAP, "trials": 10}]}
    ctx = context({"plan": values, "seed": 1})
    summary = run.execute(ctx, {"it": HEARS})
    parts = parts_of(plan_from_dict(values), ctx.ledger.trials("run"))
    assert len(parts[0][1]) < 40 and len(parts[1][1]) == 96
    assert summary["done"] == summary["total"] == len(ctx.ledger.trials("run"))


@dataclasses.dataclass(frozen=True)
class Fixed:
    """Stands for a planned question."""

    coords: dict


def test_a_part_waits_for_all_answers_of_a_batch_before_the_next():
    def batches(sizes, got):
        for b, size in enumerate(sizes):
            got.append((yield [Fixed({"batch": b, "place": i}) for i in range(size)]))

    got: list = [[], []]
    parts = [Part(0, batches([5, 5], got[0]), 10), Part(1, batches([1] * 6, got[1]), 6)]
    together = shuffled_together(parts, 6, seed=0)
    batch = next(together)
    n = 0
    with pytest.raises(StopIteration):
        while True:
            n += 1
            batch = together.send([one.coords for one in batch])
    assert [[c["place"] for c in b] for b in got[0]] == [[0, 1, 2, 3, 4]] * 2
    assert [len(b) for b in got[1]] == [1] * 6
    assert {c["plan"] for b in got[0] for c in b} == {0} and n <= 8


def test_interleaved_plans_make_a_round_trip():
    plan = plan_from_dict(PLAN)
    assert plan_from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    assert plan.cost(2, 10).n_trials == 224 and plan.adaptive
    assert parts_of(plan.parts[1], [])[0][0] == plan.parts[1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "holds no plan; give a list of plans"),
        ({"plans": [PLAN]}, "plan 1 is interleaved itself"),
        ({"plans": [STAIRCASE, {"kind": "nap"}]}, "plan 2: kind='nap' is no plan"),
        ({"plans": [{**MAP, "nz": 2}]}, "plan 1: DetectionMap has no parameter 'nz'"),
        ({"plans": [STAIRCASE], "trials": 3}, "an interleaved plan has no .trials."),
    ],
)
def test_what_cannot_be_interleaved_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        plan_from_dict({"kind": "interleaved", **values})


def test_a_place_that_cannot_be_is_named_with_its_plan():
    plan = Interleaved(
        plans=(
            STAIRCASE,
            {**STAIRCASE, "condition": "event_duration_ms", "condition_values": "50, 2000"},
        )
    )
    with pytest.raises(UserError, match=r"plan 2: track 2 \(event_duration_ms=2000 ms\)"):
        plan.refuse_infeasible()
