"""Figures of procedures: they say what the trials say, and what is not known yet."""

from __future__ import annotations

import functools
import json

import pytest

from spectcount.figures import paper
from spectcount.figures.functions import counts_of, functions_value
from spectcount.figures.threshold_table import sentences_html, thresholds_html
from spectcount.figures.tracks import (
    UNMEASURED,
    marginal_of,
    posterior_value,
    share_words,
    surface_value,
    tracks_value,
)
from spectcount.listeners.observers.simulated import SimulatedThreshold
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.replay import track_state
from spectcount.probing.run import execute
from spectcount.probing.thresholds import thresholds
from tests.ledger import Context

LEVELS = {
    "parameter": "level_dbfs",
    "low": -70,
    "high": -20,
    "task": "detect",
    "design": {"duration_s": 1.0},
}
PLANS = {
    "staircase": {"kind": "staircase", "rule": "2-down", "trials": 50, **LEVELS},
    "quest": {
        "kind": "quest",
        "aim": "threshold and width",
        "trials": 50,
        "candidates": 11,
        **LEVELS,
    },
    "surface": {
        "kind": "surface",
        "second": "event_duration_ms",
        "second_low": 20,
        "second_high": 300,
        "nodes": 4,
        "trials": 20,
        **LEVELS,
    },
}
HEARS = SimulatedThreshold("level_dbfs", -50, 10, 0.02)


@functools.cache
def answered(kind):
    context = Context({"plan": PLANS[kind], "seed": 3})
    execute(context, {"it": HEARS})
    return context.ledger.trials("run")


def asked(kind, n=None):
    """(plan, the first `n` of its trials)."""
    return plan_from_dict(PLANS[kind]), answered(kind)[:n]


def states(kind, n=None):
    plan, trials = asked(kind, n)
    return plan, {"": track_state(plan, trials)[0]}


def by_name(spec):
    return {line["name"]: line for line in spec["series"]}


@pytest.mark.parametrize("kind", PLANS)
def test_every_presentation_is_one_mark_that_can_be_picked(kind):
    plan, found = states(kind)
    spec = tracks_value(plan, found, part=2)
    picks = [p for line in spec["series"] for p in line["picks"] or ()]
    assert sorted(picks, key=lambda p: int(p.split(".")[2])) == [
        f"2.0.{p['k']}" for p in found[""]["presentations"]
    ]
    right, wrong = by_name(spec)["right"], by_name(spec)["wrong"]
    assert right["symbol"] != wrong["symbol"] and right["colour"] != wrong["colour"]
    assert len(right["x"]) == sum(
        p["success"] for p in found[""]["presentations"] if p["role"] == "signal"
    )
    assert "n = " in spec["note"] and "dBFS" in spec["y_label"]


def test_reversals_stand_on_the_trials_where_the_track_turned():
    plan, found = states("staircase")
    line = by_name(tracks_value(plan, found))["reversal"]
    path = [p for p in found[""]["presentations"] if p["role"] == "signal"]
    assert line["x"] == [path[i]["k"] + 1 for i in found[""]["reversals"]] and line["x"]
    assert line["y"] == [path[i]["level"][0] for i in found[""]["reversals"]]


def test_the_running_estimate_has_its_interval_within_the_figure():
    plan, found = states("quest")
    spec = tracks_value(plan, found)
    line = by_name(spec)["running estimate with its 95 % interval"]
    low, high = spec["y_range"]
    assert all(
        low <= a <= v <= b <= high
        for a, v, b in zip(line["low"], line["y"], line["high"], strict=True)
    )


def test_posteriors_of_threshold_and_of_a_free_width():
    _, found = states("quest")
    for of in ("threshold", "width"):
        spec = posterior_value(found, of)
        assert sum(spec["series"][0]["y"]) == pytest.approx(1)
        assert spec["series"][0]["x"] == list(marginal_of(found[""], of)["grid"])
    assert marginal_of(states("staircase")[1][""], "width") == {}


@pytest.mark.parametrize("kind", ["staircase", "quest"])
def test_a_function_shows_all_counts_the_threshold_and_its_interval(kind):
    plan, trials = asked(kind)
    found = thresholds(plan, trials)[0]
    spec = functions_value({"": found}, share_words(plan))
    points = by_name(spec)["answers"]
    assert sum(points["n"]) == found.n - found.n_catch
    assert sum(points["n"]) == int(counts_of(found.fit)[2].sum())
    assert all(
        a <= v <= b for a, v, b in zip(points["low"], points["y"], points["high"], strict=True)
    )
    (line,) = [v for k, v in by_name(spec).items() if k.startswith("threshold ")]
    own = found.threshold
    assert line["x"] == [own.low, own.value, own.high] and "at 95 %" in line["name"]
    assert [words["label"].split()[0] for words in spec["levels"]] == ["guess", "1"]


def test_without_a_threshold_there_are_points_and_a_reason_and_no_curve():
    plan, trials = asked("staircase", 6)
    found = thresholds(plan, trials)[0]
    assert not found.measurable
    spec = functions_value({"": found}, share_words(plan))
    assert list(by_name(spec)) == ["answers"] and found.reason in spec["note"]


def test_a_surface_marks_the_places_that_are_not_measurable():
    plan, found = states("surface", 6)
    spec = surface_value(plan, found)
    missing = [bool(reason) for reason in found[""]["estimate"]["reasons"]]
    assert any(missing)
    assert len(by_name(spec)[UNMEASURED]["x"]) == sum(missing)
    line = by_name(spec)["threshold"]
    assert [v is None for v in line["y"]] == missing
    assert "ms" in spec["x_label"] and "95 %" in spec["note"]


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("n", [0, 1, None])
def test_figures_and_words_exist_at_every_moment(kind, n):
    plan, found = states(kind, n)
    own = thresholds(plan, asked(kind, n)[1])
    specs = [
        tracks_value(plan, found),
        posterior_value(found),
        surface_value(plan, found),
        functions_value({"": own[0]}, "share"),
    ]
    for spec in filter(None, specs):
        json.dumps(spec, allow_nan=False)
        assert n is not None or paper.svg(spec).startswith("<?xml")
    assert "n" in thresholds_html({"me": own}) and sentences_html("me", own)


def test_the_table_gives_trials_and_numbers_the_reasons():
    plan, trials = asked("quest")
    found = thresholds(plan, trials)
    html = thresholds_html({"<me>": found})
    assert "&lt;me&gt;" in html and "<me>" not in html
    assert f"{found[0].n}, {found[0].n_catch} catch" in html and "at 95 %" in html
    nothing = thresholds_html({"me": thresholds(plan, trials[:3])})
    assert "not measurable (1)" in nothing and "<ol><li>not measurable: " in nothing
