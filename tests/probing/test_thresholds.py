"""Thresholds from trials alone: known listeners are recovered, what is not there is not said."""

from __future__ import annotations

import dataclasses
import json
import math
import random

import numpy as np
import pytest

from spectcount.listeners import load
from spectcount.listeners.observers.simulated import SimulatedThreshold
from spectcount.probing import maps, run
from spectcount.probing.plan import DetectionMap, plan_from_dict
from spectcount.probing.replay import track_state
from spectcount.probing.thresholds import interval_words, thresholds
from spectcount.psychophysics.sdt import Interval
from spectcount.tasks import COUNTING, FORCED_CHOICE, YES_NO
from tests.probing.quick import without_analysis

SHORT = {"duration_s": 1.0}
LEVEL = {"parameter": "level_dbfs", "low": -80, "high": -20, "design": SHORT}
GAP = {"parameter": "gap_ms", "low": 10, "high": 500, "task": "count"}
HEARS = SimulatedThreshold("level_dbfs", -50, 15, 0.02, bias=0.2)
COUNTS = SimulatedThreshold("gap_ms", 120, 100, 0.02, guess=0.1)
CASES = {
    "staircase, yes/no": (
        {"kind": "staircase", "reversals": 90, "trials": 200, **LEVEL},
        dataclasses.replace(HEARS, seed=2),
        YES_NO,
    ),
    "staircase, count": ({"kind": "staircase", "reversals": 40, **GAP}, COUNTS, COUNTING),
    "quest, yes/no": (
        {"kind": "quest", "candidates": 21, **LEVEL},
        dataclasses.replace(HEARS, seed=2),
        YES_NO,
    ),
    "quest, forced": ({"kind": "quest", "task": "interval", **LEVEL}, HEARS, FORCED_CHOICE),
    "curve, yes/no": (
        {"kind": "curve", "start": -80, "stop": -20, "levels": 9, "trials": 12, "design": SHORT},
        HEARS,
        YES_NO,
    ),
    "curve, forced": (
        {
            "kind": "curve",
            "start": -80,
            "stop": -20,
            "levels": 9,
            "trials": 8,
            "design": SHORT,
            "task": "interval",
            "catch_trials": 72,
        },
        HEARS,
        FORCED_CHOICE,
    ),
}


@pytest.fixture
def probe(context):
    """(plan, trials) of one listener asked a plan."""

    def ask(values, listener, seed=1):
        ctx = context({"plan": values, "seed": seed})
        run.execute(ctx, {"it": listener})
        return plan_from_dict(values), ctx.ledger.trials("run")

    return ask


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Runs without their summary; each test finds its thresholds itself."""
    without_analysis(monkeypatch)


def holds(found, value):
    return found.low <= value <= found.high


@pytest.mark.parametrize("name", CASES)
def test_a_simulated_listener_is_recovered(probe, name):
    values, listener, kind = CASES[name]
    truth = listener.truth(kind)
    plan, trials = probe({"trials": 120, **values}, listener)
    (found,) = thresholds(plan, trials, level=0.99)
    assert found.measurable and holds(found.threshold, truth.threshold)
    assert found.threshold.high - found.threshold.low < 0.5 * (60 if kind != COUNTING else 490)
    assert found.n == len(trials) and holds(found.fit.guess, truth.guess)
    assert f"{interval_words(found.threshold, found.unit)}, {found.n} trials" in found.sentence
    measured = [found.d_prime_1]
    if kind == YES_NO:
        measured += [found.scores.threshold, found.area.threshold]
    if kind != COUNTING:
        assert all(holds(each, truth.d_prime_1) for each in measured)
    assert (found.posterior is not None) == name.startswith("quest")
    assert math.isnan(found.reversal_mean) != name.startswith("staircase")
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_scores_bound_the_threshold_closer_than_answers(probe):
    plan, trials = probe(
        {"kind": "staircase", "reversals": 60, "trials": 150, **LEVEL},
        dataclasses.replace(HEARS, seed=1),
    )
    (found,) = thresholds(plan, trials)
    by_scores, by_answers = found.scores.threshold, found.answers.threshold
    assert by_scores.high - by_scores.low < by_answers.high - by_answers.low


@pytest.mark.parametrize("name", ["staircase, yes/no", "quest, forced", "curve, yes/no"])
def test_thresholds_are_a_pure_function_of_the_trials(probe, name):
    values, listener, _ = CASES[name]
    plan, trials = probe({**values, "trials": 20}, listener)
    mixed = random.Random(0).sample(trials, len(trials))
    assert [t.to_dict() for t in thresholds(plan, mixed)] == [
        t.to_dict() for t in thresholds(plan, trials)
    ]


@pytest.mark.parametrize("kind", ["staircase", "quest"])
def test_a_listener_that_hears_nothing_has_no_threshold_and_words_say_why(probe, kind):
    deaf = SimulatedThreshold("level_dbfs", 200, 1)
    plan, trials = probe({"kind": kind, "trials": 40, **LEVEL}, deaf)
    (found,) = thresholds(plan, trials)
    assert not found.measurable and math.isnan(found.threshold.value)
    assert found.sentence.startswith("level_dbfs: not measurable: ")
    assert " trials, for these " in found.sentence and found.sentence.endswith(" wordings")
    assert found.sentence.count("not measurable") == 1
    assert found.d_prime_1 is None and found.efficiency is None
    assert found.to_dict()["threshold"]["value"] is None


def test_no_trials_and_plans_without_thresholds():
    (found,) = thresholds(plan_from_dict({"kind": "staircase", **LEVEL}), [])
    assert found.sentence == "level_dbfs: not measurable: no trials yet, 0 trials"
    assert thresholds(DetectionMap(), []) == []


def test_each_condition_has_its_own_threshold(probe):
    sees = SimulatedThreshold(
        "level_dbfs", -50, 10, second="event_duration_ms", gradient=-0.1, reference=100
    )
    values = {
        "kind": "quest",
        "task": "interval",
        "trials": 100,
        **LEVEL,
        "condition": "event_duration_ms",
        "condition_values": "50, 250",
    }
    plan, trials = probe(values, sees)
    short, long = thresholds(plan, trials, level=0.99)
    assert (short.condition, long.condition) == (
        "event_duration_ms=50 ms",
        "event_duration_ms=250 ms",
    )
    assert holds(short.threshold, -45) and holds(long.threshold, -65)
    assert short.threshold.low > long.threshold.high


def test_a_curve_finds_out_which_end_is_harder(probe):
    values = {
        "kind": "curve",
        "parameter": "noise_sigma",
        "start": 0.001,
        "stop": 0.15,
        "levels": 8,
        "trials": 25,
        "catch_trials": 40,
        "design": SHORT,
    }
    plan, trials = probe(values, SimulatedThreshold("noise_sigma", 0.08, 0.08, falling=True))
    (found,) = thresholds(plan, trials, level=0.99)
    assert found.falling and holds(found.threshold, 0.08)
    (forced,) = thresholds(plan.replace(harder="low"), trials)
    assert not forced.measurable


def test_the_ideal_observer_has_the_threshold_of_theory_and_loses_nothing(probe):
    """d' = sqrt(2E/N0) in the interval task: 1 at E/N0 = -3.01 dB."""
    values = {
        "kind": "quest",
        "task": "interval",
        "family": "tone_in_noise",
        "parameter": "e_n0_db",
        "low": -10,
        "high": 15,
        "trials": 120,
        "guess": 0.5,
        "design": {"duration_s": 1.0, "onset_s": 0.1, "noise_sigma": 0.03},
    }
    plan, trials = probe(values, load("ideal", None))
    (found,) = thresholds(plan, trials)
    assert found.ideal == pytest.approx(10 * math.log10(0.5), abs=0.15)
    assert holds(found.d_prime_1, found.ideal)
    assert found.efficiency.loss_db.low < 0.3 and found.efficiency.loss_db.high > -0.3
    assert abs(found.efficiency.loss_db.value) < 2


def test_efficiency_tells_how_much_more_energy_a_listener_needs(probe):
    plan, trials = probe({"kind": "quest", "trials": 80, **LEVEL}, HEARS)
    (found,) = thresholds(plan, trials)
    lost = found.d_prime_1.value - found.ideal
    assert found.efficiency.loss_db.value == pytest.approx(lost, abs=0.3)
    assert "dB" in found.sentence.split(";")[1] and "above the ideal observer" in found.sentence


def test_without_noise_nothing_is_compared_with_an_observer_that_never_errs(probe):
    values = {"kind": "staircase", "trials": 40, **LEVEL}
    values["design"] = SHORT | {"noise_sigma": 0}
    (found,) = thresholds(*probe(values, HEARS))
    assert math.isnan(found.ideal) and found.efficiency is None


def test_two_parameters_at_once_give_a_gradient(probe):
    values = {
        "kind": "quest",
        "task": "interval",
        "trials": 60,
        **LEVEL,
        "second": "event_duration_ms",
        "second_low": 20,
        "second_high": 420,
    }
    sees = SimulatedThreshold(
        "level_dbfs", -50, 12, second="event_duration_ms", gradient=-0.05, reference=220
    )
    (found,) = thresholds(*probe(values, sees, seed=2))
    assert holds(found.threshold, -50) and "gradient" in found.sentence
    gradient = found.posterior.intervals["gradient"]
    assert holds(gradient, -0.05) and gradient.high < 0


def test_a_surface_has_a_threshold_at_every_place(probe):
    values = {
        "kind": "surface",
        "task": "interval",
        "trials": 90,
        "nodes": 3,
        **LEVEL,
        "second": "event_duration_ms",
        "second_low": 20,
        "second_high": 500,
    }
    sees = SimulatedThreshold(
        "level_dbfs", -50, 10, 0.02, second="event_duration_ms", gradient=-0.03, reference=260
    )
    (found,) = thresholds(*probe(values, sees))
    assert found.surface.measurable.all() and "3 of 3 places measurable" in found.sentence
    for place, value in zip(found.surface.x2, found.surface.threshold.value, strict=True):
        assert value == pytest.approx(sees.threshold_at(place), abs=7)
    assert json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("kind", ["staircase", "quest"])
def test_the_state_of_a_track_follows_from_its_trials(probe, kind):
    plan, trials = probe({"kind": kind, "trials": 40, **LEVEL}, HEARS)
    (state,) = track_state(plan, random.Random(1).sample(trials, len(trials)))
    said = [(p["role"], p["level"][0], p["success"]) for p in state["presentations"]]
    assert said == [
        (t.coords["role"], t.coords["level"], t.answer == "yes")
        for t in sorted(trials, key=lambda t: t.coords["trial"])
    ]
    assert len(state["running"]) == len(trials) and state["ended"]
    assert state["n"] + state["catch"][1] == len(trials)
    grid, mass = (np.array(state["posterior"][k]) for k in ("grid", "mass"))
    assert mass.sum() == pytest.approx(1) and np.all(np.diff(grid) > 0)
    (found,) = thresholds(plan, trials)
    middle = float(grid @ mass)
    assert found.threshold.low < middle < found.threshold.high
    if kind == "quest":
        last = state["running"][-1]
        assert last["value"] == pytest.approx(found.threshold.value)
    else:
        assert state["reversals"] and state["running"][-1]["value"] == state["reversal_mean"]
    assert json.dumps(state, allow_nan=False)


def test_a_track_is_shown_up_to_the_first_missing_trial(probe):
    plan, trials = probe({"kind": "staircase", "trials": 30, **LEVEL}, HEARS)
    missing = [t for t in trials if t.coords["trial"] != 12]
    (state,) = track_state(plan, missing)
    assert len(state["presentations"]) == 12 and state["ended"] == ""
    (nothing,) = track_state(plan, [])
    assert nothing["presentations"] == [] and nothing["posterior"] == {}


def test_tracks_are_cells_of_a_map_too(probe):
    plan, trials = probe({"kind": "staircase", "trials": 40, **LEVEL}, HEARS)
    cells = maps.measure_map(plan, trials)
    assert cells.n.sum() + cells.n_catch.sum() == len(trials)
    assert maps.pool(plan, trials).n_catch == plan.catch_trials


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Interval(42.04, 37.2, 48.1), "42 ms [37, 48] at 95 %"),
        (Interval(0.1234, 0.1111, 0.15, 0.9), "0.123 ms [0.111, 0.150] at 90 %"),
        (Interval(-0.001, -0.4, 0.6), "0.0 ms [-0.4, 0.6] at 95 %"),
        (Interval(4210.0, 3000.0, math.inf), "at least 3000 ms at 95 %"),
    ],
)
def test_intervals_are_told_with_as_many_digits_as_they_bear(found, words):
    assert interval_words(found, "ms") == words
