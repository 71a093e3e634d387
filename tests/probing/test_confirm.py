"""Suspected regions asked about again: new clips, one exact test each, estimates that hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.sentence_rows.simulate import sheet
from spectcount.configs import ConfirmConfig
from spectcount.probing import run
from spectcount.probing.confirm import Confirmation, confirmed_regions, holm, summary, targets_of
from spectcount.probing.plan import DetectionMap, Interleaved
from spectcount.probing.shortfall import Criterion
from spectcount.probing.weakness import (
    CONFIRMED,
    NOT_CONFIRMED,
    SUSPECTED,
    Confirmed,
    Region,
    find_weakness,
)

PLAN = DetectionMap(nx=4, ny=6, trials=16, catch_trials=60)


def asked_again(context, plan, listener, trials=40, map_seed=0, seed=2000):
    """(targets, regions after new questions, the new trials) of a listener."""
    first = context({"plan": plan.to_dict(), "seed": map_seed})
    run.execute(first, {"it": listener})
    targets = targets_of(plan, first.ledger.trials("run"), map_seed)
    config = {
        "plan": plan.to_dict(),
        "targets": [t.to_dict() for t in targets],
        "trials": trials,
        "criterion": Criterion().to_dict(),
        "seed": seed,
    }
    second = context(config)
    confirmation = Confirmation.from_config(ConfirmConfig.from_json(config))
    _, answered = run.ask_all(second, confirmation, {"it": listener})
    said = summary(ConfirmConfig.from_json(config), answered, "again")
    return first, targets, [Region.from_dict(r) for r in said["regions"]["it"]], answered["it"]


@pytest.mark.parametrize("task", ["detect", "count"])
def test_true_deafness_is_confirmed_on_new_clips(context, deaf, task):
    plan = PLAN.replace(task=task, x_high=2.0)
    first, targets, (region,), new = asked_again(context, plan, deaf(plan.axes[1].span(0, 3)[1][1]))
    assert targets[0].region.status == SUSPECTED and region.status == CONFIRMED
    assert region.cells == targets[0].region.cells
    old_clips = {str(t.stimulus) for t in first.ledger.trials("run")}
    assert not old_clips & {str(t.stimulus) for t in new}
    assert {(t.coords["x"], t.coords["y"]) for t in new} <= set(map(tuple, region.cells))
    roles = [t.coords["role"] for t in new]
    assert roles.count("signal") == 40
    assert roles.count("catch") == (40 if task == "detect" else 0)
    assert region.confirmed.rate.value == 0 and region.confirmed.p < 1e-6
    words = "accuracy 0 % [0, 9]" if task == "count" else "hit rate 0 % [0, 9]"
    assert f"confirmed, {words}" in region.sentence and "on new seeds" in region.sentence


def test_signal_and_catch_trials_take_the_same_words(context, deaf):
    _, _, _, new = asked_again(context, PLAN, deaf(PLAN.axes[1].span(0, 3)[1][1]))
    words = {
        role: sorted((t.wording, t.reverse) for t in new if t.coords["role"] == role)
        for role in ("signal", "catch")
    }
    assert words["signal"] == words["catch"] and len(set(words["signal"])) > 2


def test_a_region_that_was_luck_is_not_confirmed(context, deaf):
    good = sheet(PLAN).gaussian(np.random.default_rng(0), 3.0)
    deaf_once = [
        dataclasses.replace(t, log_probs=(-3.0 + t.log_probs[0] / 9, -0.1))
        if t.coords["role"] == "signal" and t.coords["y"] == 2
        else t
        for t in good
    ]
    (target,) = targets_of(PLAN, deaf_once, 0)
    config = {
        "plan": PLAN.to_dict(),
        "targets": [target.to_dict()],
        "trials": 40,
        "criterion": Criterion().to_dict(),
        "seed": 5,
    }
    ctx = context(config)
    _, answered = run.ask_all(
        ctx, Confirmation.from_config(ConfirmConfig.from_json(config)), {"it": deaf()}
    )
    (region,) = confirmed_regions(
        Confirmation.from_config(ConfirmConfig.from_json(config)), answered["it"]
    )
    assert region.status == NOT_CONFIRMED and "not shown to be below 1" in region.sentence


def test_interleaved_maps_keep_their_regions_apart(context, deaf):
    edge_hz = PLAN.axes[1].span(0, 3)[1][1]
    both = Interleaved((PLAN.to_dict(), PLAN.replace(task="count").to_dict()))
    _, targets, regions, new = asked_again(context, both, deaf(edge_hz), trials=20)
    assert [t.region.part for t in targets] == [0, 1]
    assert [r.status for r in regions] == [CONFIRMED, CONFIRMED]
    assert {t.coords["plan"] for t in new if t.task == "count"} == {1}


def test_holm_steps_down():
    assert holm([0.01, 0.04, 0.03, np.nan]) == pytest.approx(
        [0.03, 0.06, 0.06, np.nan], nan_ok=True
    )
    assert holm([]).size == 0


def test_plain_data_keeps_open_ends():
    plan = PLAN.replace(trials=4)
    trials = sheet(plan).scored(np.where(sheet(plan).signal, 9.0, -9.0))
    assert find_weakness(plan, trials) == []
    open_end = Confirmed(0.01, True, *_intervals(), 10, 10, "r")
    assert Confirmed.from_dict(open_end.to_dict()) == open_end


def _intervals():
    from spectcount.psychophysics.sdt import Interval

    return Interval(0.2, 0.1, 0.3, 0.95, "w"), Interval(-np.inf, -np.inf, 0.4, 0.95, "a")
