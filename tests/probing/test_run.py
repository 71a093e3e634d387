"""Runs: paired listeners, nothing asked twice, a killed sweep goes on where it was."""

from __future__ import annotations

import re
import types
from pathlib import Path

import numpy as np
import pytest
import yaml

from spectcount.errors import UserError
from spectcount.listeners.base import Scores
from spectcount.listeners.observers.simulated import SimulatedObserver
from spectcount.probing import maps, run
from spectcount.probing.plan import parts_of, plan_from_dict

PLAN = {"kind": "map", "nx": 3, "ny": 4, "trials": 6, "catch_trials": 20}
PRESETS = sorted(
    (Path(__file__).resolve().parents[2] / "spectcount" / "presets" / "probes").glob("*.yaml")
)


def test_listeners_get_the_same_questions_in_turn(context, deaf):
    ctx, a, b = context({"plan": PLAN, "seed": 5}), deaf(2000), deaf(4000)
    summary = run.execute(ctx, {"a": a, "b": b})
    assert a.asked == b.asked and len(a.asked) == len(set(a.asked)) == 92
    assert summary["done"] == summary["total"] == ctx.done[-1] == 184
    turns = [t.listener for t in ctx.ledger.trials("run")]
    assert turns[:64] == ["a"] * 32 + ["b"] * 32


def test_a_second_run_links_what_is_known(context, deaf):
    first = context({"plan": PLAN, "seed": 5})
    run.execute(first, {"a": deaf(2000)})
    again = context({"plan": PLAN, "seed": 5}, ledger=first.ledger, run_id="second")
    listener = deaf(2000)
    summary = run.execute(again, {"renamed": listener})
    assert listener.asked == [] and summary["listeners"]["renamed"]["known"] == 92
    linked = again.ledger.trials("second")
    assert {t.listener for t in linked} == {"renamed"} and len(linked) == 92


def test_a_stopped_run_goes_on_where_it_was(context, deaf):
    listener, whole = deaf(2000), deaf(2000)
    stopped = context({"plan": PLAN, "seed": 1}, stop_after=40)
    assert run.execute(stopped, {"a": listener})["stopped"]
    assert 40 <= len(listener.asked) < 92
    resumed = context({"plan": PLAN, "seed": 1}, ledger=stopped.ledger)
    summary = run.execute(resumed, {"a": listener})
    assert len(listener.asked) == len(set(listener.asked)) == 92 and not summary["stopped"]
    uncut = run.execute(context({"plan": PLAN, "seed": 1}), {"a": whole})
    assert summary["overall"] == uncut["overall"] and summary["regions"] == uncut["regions"]
    assert len(resumed.ledger.trials("run")) == 92


def test_a_run_killed_inside_a_batch_asks_nothing_twice_that_was_kept(context, deaf):
    class Dies(deaf):
        def score(self, questions):
            if len(self.asked) >= 64:
                raise RuntimeError("out of memory")
            return super().score(questions)

    broken = context({"plan": PLAN, "seed": 1})
    with pytest.raises(RuntimeError, match="out of memory"):
        run.execute(broken, {"a": Dies(2000)})
    kept = {t.key for t in broken.ledger.trials("run")}
    listener = deaf(2000)
    run.execute(context({"plan": PLAN, "seed": 1}, ledger=broken.ledger), {"a": listener})
    assert len(kept) == 64 and not kept & set(listener.asked) and len(listener.asked) == 28


def test_clips_of_one_length_are_asked_together(context, deaf):
    plan = {"kind": "curve", "parameter": "duration_s", "start": 1, "stop": 2, "levels": 2}
    listener = deaf()
    run.execute(context({"plan": plan | {"trials": 5, "catch_trials": 4}}), {"a": listener})
    assert len(listener.asked) == 14


def test_base_and_tuned_must_differ(context, deaf):
    with pytest.raises(UserError, match="the same listener"):
        run.execute(context({"plan": PLAN}), {"a": deaf(9), "b": deaf(9)})


def test_an_infeasible_cell_is_refused_before_the_first_question(context, deaf):
    listener = deaf()
    with pytest.raises(UserError, match=r"cell \(2, \d\)"):
        run.execute(context({"plan": PLAN | {"x_high": 4}}), {"a": listener})
    assert listener.asked == []


@pytest.mark.parametrize("d", [0.0, 1.0, 2.0])
def test_the_sensitivity_of_a_simulated_observer_is_recovered(context, d):
    plan = {"kind": "map", "nx": 2, "ny": 2, "trials": 100, "catch_trials": 400}
    listener = SimulatedObserver(d_prime=d, criterion=0.3, seed=1)
    ctx = context({"plan": plan, "seed": 2})
    run.execute(ctx, {"sim": listener})
    found = maps.pool(plan_from_dict(plan), ctx.ledger.trials("run"), level=0.999)
    assert found.d_prime.low <= d <= found.d_prime.high
    assert found.criterion.low <= 0.3 <= found.criterion.high


def small(plan):
    """The same plan with as few cells and trials as it can have."""
    if plan.kind == "interleaved":
        parts = [small(part).to_dict() for part in plan.parts]
        return plan_from_dict({"kind": plan.kind, "plans": parts})
    if plan.adaptive:
        return plan.replace(trials=8)
    cells = {name: 2 for name in ("nx", "ny", "levels") if name in plan.params()}
    plan = plan.replace(**cells, trials=1)
    return plan.replace(catch_trials=min(plan.catch_trials, 4))


@pytest.mark.parametrize("path", PRESETS, ids=lambda p: p.stem)
def test_every_probe_preset_runs(path, context, deaf):
    preset = yaml.safe_load(path.read_text())
    plan = plan_from_dict(preset["plan"])
    plan.refuse_infeasible()
    few = small(plan)
    ctx = context({"plan": few.to_dict(), "seed": 0})
    summary = run.execute(ctx, {"a": deaf()})
    trials = ctx.ledger.trials("run")
    assert summary["done"] == len(trials) == few.n_trials
    for part, mine in parts_of(few, trials):
        cells = maps.measure_map(part, mine)
        assert cells.n.sum() > 0 and cells.to_dict()["axes"][0]["label"]
        if not part.adaptive:
            assert cells.n.min() >= part.trials and maps.pool(part, mine).rate.value == 1


def test_presets_that_are_named_elsewhere_are_shipped():
    expected = {"count-confusion", "count-map", "gap-curve", "map", "overlap-curve", "quick-map"}
    assert expected <= {p.stem for p in PRESETS}


class Mumbler(SimulatedObserver):
    """Ranks the closed set well, and would say something else."""

    facts = types.MappingProxyType({"path": "staged"})

    def score(self, questions):
        scores = super().score(questions)
        return Scores(scores.log_probs, np.full(len(questions), 0.05))


@pytest.mark.parametrize("plan", [PLAN, {"kind": "interleaved", "plans": [PLAN]}])
def test_a_model_that_would_say_something_else_gets_no_map(context, plan):
    with pytest.raises(UserError, match=r"a gives the closed answers .* 0.05 of its probability"):
        run.execute(context({"plan": plan}), {"a": Mumbler(2.0)})


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("tiny-lalm", "take tiny-lalm+prefix, which"),
        ("big+4bit@RUN", "take big+4bit+prefix@RUN, which"),
        ("big+prefix@RUN", "with `ask`; go on even so (low_mass: true"),
    ],
)
def test_a_refusal_for_low_mass_names_what_to_type(context, name, remedy):
    with pytest.raises(UserError, match=re.escape(remedy)):
        run.execute(context({"plan": PLAN}), {name: Mumbler(2.0)})


def test_low_mass_is_taken_where_it_is_asked_for(context):
    allowed = {**PLAN, "low_mass": True}
    summary = run.execute(context({"plan": allowed}), {"a": Mumbler(2.0)})
    assert summary["done"] == 92


def test_an_observer_without_words_is_not_weighed(context):
    mute = SimulatedObserver(2.0)
    assert run.execute(context({"plan": PLAN}), {"a": mute})["done"] == 92
