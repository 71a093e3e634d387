"""Procedures: tracks that follow the answers, and runs that go on as if never interrupted."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from spectcount import actions
from spectcount.actions.listening import Session
from spectcount.errors import UserError
from spectcount.listeners import load
from spectcount.listeners.observers.observer import Human
from spectcount.listeners.observers.simulated import SimulatedThreshold
from spectcount.probing import maps, run
from spectcount.probing.plan import QuestPlan, StaircasePlan, SurfacePlan, plan_from_dict
from spectcount.probing.replay import track_state
from spectcount.settings import load_settings
from tests.probing.quick import without_analysis

SHORT = {"duration_s": 1.0}
DETECT = {"task": "detect", "parameter": "level_dbfs", "low": -80, "high": -20, "design": SHORT}
SPACING = {"task": "count", "parameter": "gap_ms", "low": 10, "high": 400}
TWO = {"condition": "event_duration_ms", "condition_values": "50, 200"}
SURFACE = {**DETECT, "second": "event_duration_ms", "second_low": 20, "second_high": 400}
HEARS = SimulatedThreshold("level_dbfs", -50, 15, 0.02)
PLANS = {
    "staircase": {"kind": "staircase", **DETECT, **TWO, "trials": 14},
    "width": {
        "kind": "staircase",
        **SPACING,
        "trials": 60,
        "reversals": 99,
        "interval_width": 110,
    },
    "quest": {"kind": "quest", **DETECT, "task": "interval", "trials": 10, "candidates": 9},
    "surface": {"kind": "surface", **SURFACE, "trials": 9, "nodes": 3},
    "interleaved": {
        "kind": "interleaved",
        "plans": [
            {"kind": "staircase", **DETECT, "trials": 12},
            {"kind": "curve", "trials": 2, "catch_trials": 4, "levels": 3, "design": SHORT},
        ],
    },
}


def ask(context, plan, listener=HEARS, seed=3, **options):
    """(context, summary) of one listener's run."""
    values = plan if isinstance(plan, dict) else plan.to_dict()
    ctx = context({"plan": values, "seed": seed}, **options)
    return ctx, run.execute(ctx, {"it": listener})


def asked(ctx):
    return [
        (t.key, json.dumps(t.coords, sort_keys=True), t.answer) for t in ctx.ledger.trials("run")
    ]


@pytest.mark.parametrize("name", PLANS)
def test_a_run_interrupted_anywhere_ends_like_one_that_was_not(context, name, monkeypatch):
    listener = HEARS if name != "width" else SimulatedThreshold("gap_ms", 80, 60)
    whole, summary = ask(context, PLANS[name], listener)
    expected = asked(whole)

    def cut_after(n):
        left = context(whole.config)
        left.ledger.add_trials("run", whole.ledger.trials("run")[:n])
        return ask(context, PLANS[name], listener, ledger=left.ledger)

    resumed, again = cut_after(len(expected) // 2)
    kept = [k for k in summary if k != "listeners"]
    assert {k: again[k] for k in kept} == {k: summary[k] for k in kept}
    without_analysis(monkeypatch)
    for n in range(1, len(expected), 1 if name == "staircase" else 5):
        resumed, _ = cut_after(n)
        assert asked(resumed) == expected


def test_a_batch_that_died_is_asked_again(context):
    class Dies:
        name = fingerprint = "dies"

        def __init__(self, after):
            self.left = after

        def score(self, questions):
            if self.left <= 0:
                raise RuntimeError("killed")
            self.left -= len(questions)
            return HEARS.score(questions)

    whole, _ = ask(context, PLANS["staircase"], Dies(10**6))
    broken = context(whole.config)
    with pytest.raises(RuntimeError, match="killed"):
        run.execute(broken, {"it": Dies(9)})
    resumed, _ = ask(context, PLANS["staircase"], Dies(10**6), ledger=broken.ledger)
    assert asked(resumed) == asked(whole)


def test_a_presentation_depends_on_seed_track_number_and_level_alone(context):
    plan = plan_from_dict(PLANS["staircase"])
    ctx, _ = ask(context, plan)
    one_track = plan.replace(condition_values="50")
    for t in ctx.ledger.trials("run"):
        level, k = (t.coords["level"],), t.coords["trial"]
        for each in (plan, one_track) if t.coords["x"] == 0 else (plan,):
            assert each.question(3, t.coords["x"], k, level).question.key == t.key
    assert plan.question(3, 0, 0, (-40.0,)).question.key != plan.question(4, 0, 0, (-40.0,))


def test_tracks_are_interleaved_at_random_one_question_of_each_in_a_batch(context):
    plan = StaircasePlan(**DETECT, **TWO | {"condition_values": "50, 100, 200"}, trials=12)
    batch_sizes, firsts = [], []
    asking = plan.ask(0)
    batch = next(asking)
    for _ in range(11):
        batch_sizes.append(len({p.coords["x"] for p in batch}))
        firsts.append(batch[0].coords["x"])
        fixed = load("first", None)
        trials = [_trial(fixed, p) for p in batch]
        batch = asking.send(trials)
    assert set(batch_sizes) == {3} and len(set(firsts)) == 3


def _trial(listener, planned):
    from spectcount.trials import make_trial

    scores = listener.score([planned.question])
    return make_trial(
        planned.question,
        scores.log_probs[0],
        1.0,
        fingerprint="x",
        listener="x",
        coords=planned.coords,
    )


def test_roles_keep_their_share_in_every_block():
    yes_no = StaircasePlan(**DETECT, catch_share=0.3)
    forced = StaircasePlan(**DETECT | {"task": "interval"})
    counting = StaircasePlan(**SPACING)
    for plan, share in ((yes_no, 3), (forced, 5), (counting, 0)):
        for block in range(4):
            roles = Counter(plan.role(7, 0, 10 * block + i) for i in range(10))
            assert roles["catch"] == share
    orders = [[forced.role(7, 0, 10 * b + i) for i in range(10)] for b in range(4)]
    assert len({tuple(o) for o in orders}) > 1


@pytest.mark.parametrize("kind", ["staircase", "quest"])
def test_tracks_settle_where_a_sharp_listener_stops_hearing(context, kind):
    sharp = SimulatedThreshold("level_dbfs", -47, 0.5, guess=0.001)
    ctx, summary = ask(context, {"kind": kind, **DETECT, "trials": 60, "checks": 0}, sharp)
    levels = [t.coords["level"] for t in ctx.ledger.trials("run") if t.coords["role"] == "signal"]
    assert all(-80 <= x <= -20 for x in levels)
    assert max(abs(x + 47) for x in levels[-6:]) < 6
    found = summary["thresholds"]["it"][0]["threshold"]
    assert found["low"] <= -47 <= found["high"]


def test_rules_and_steps_are_those_asked_for():
    weighted = StaircasePlan(**DETECT, rule="weighted", target=0.8, steps="6 3")
    options = weighted.make_track(0).options
    assert (options.down, options.target, options.steps) == (1, 0.8, (6.0, 3.0))
    assert (options.start, options.harder, options.guess) == (-20, "down", None)
    octaves = (
        StaircasePlan(task="count", parameter="event_duration_ms", low=20, high=320, rule="3-down")
        .make_track(0)
        .options
    )
    assert octaves.scale == "multiplicative" and octaves.log and octaves.down == 3
    assert octaves.steps[0] == pytest.approx(16 ** (1 / 6))
    noisy = (
        StaircasePlan(task="detect", parameter="noise_sigma", low=0.001, high=0.1, harder="high")
        .make_track(0)
        .options
    )
    assert noisy.harder == "up" and noisy.start == 0.001


def test_whole_numbers_stay_whole(context):
    plan = StaircasePlan(
        task="count",
        parameter="n_events",
        low=1,
        high=9,
        harder="high",
        trials=30,
        design={"duration_s": 4.0},
    )
    ctx, _ = ask(context, plan, SimulatedThreshold("n_events", 5, 3, falling=True))
    levels = {t.coords["level"] for t in ctx.ledger.trials("run")}
    assert levels <= set(map(float, range(1, 10))) and len(levels) > 2
    assert all(len(t.stimulus["events"]) == t.coords["level"] for t in ctx.ledger.trials("run"))


def test_a_track_ends_once_its_interval_is_narrow(context):
    ctx, summary = ask(context, PLANS["width"], SimulatedThreshold("gap_ms", 80, 60, seed=1))
    (state,) = track_state(plan_from_dict(PLANS["width"]), ctx.ledger.trials("run"))
    assert state["ended"].startswith("interval of the threshold is")
    assert summary["done"] == summary["total"] < 60 and ctx.done[-1] == summary["done"]


def test_subjective_tasks_count_first_answers_as_successes(context):
    plan = {
        "kind": "staircase",
        "task": "streams",
        "family": "streaming",
        "harder": "high",
        "parameter": "separation_semitones",
        "low": 0,
        "high": 18,
        "trials": 30,
        "rule": "1-down",
    }
    hears_one = SimulatedThreshold("separation_semitones", 6, 4, falling=True, guess=0.02)
    ctx, summary = ask(context, plan, hears_one)
    assert {t.truth for t in ctx.ledger.trials("run")} == {None}
    found = summary["thresholds"]["it"][0]["threshold"]
    assert found["low"] <= 6 <= found["high"] and found["high"] - found["low"] < 8


def test_conditions_may_be_any_changes_of_the_design(context):
    plan = StaircasePlan(
        **DETECT,
        trials=6,
        conditions=({"wave": "white", "n_events": 1}, {"wave": "harmonic", "n_harmonics": 2}),
    )
    assert plan_from_dict(plan.to_dict()) == plan and plan.n_trials == 12
    ctx, summary = ask(context, plan)
    waves = {
        (t.coords["x"], e["wave"]) for t in ctx.ledger.trials("run") for e in t.stimulus["events"]
    }
    assert waves == {(0, "white"), (1, "harmonic")}
    said = [entry["condition"] for entry in summary["thresholds"]["it"]]
    assert said == ["wave=white, n_events=1", "wave=harmonic, n_harmonics=2"]


def test_a_person_takes_a_procedure_and_goes_on_where_they_left():
    plan = plan_from_dict(PLANS["staircase"])
    whole = Session(plan, 3, Human("you", "s"))
    while (planned := whole.current) is not None:
        whole.answer(planned.question.truth)
    left = whole.trials[: len(whole.trials) // 2]
    resumed = Session(plan, 3, Human("you", "s"), left)
    while (planned := resumed.current) is not None:
        resumed.answer(planned.question.truth)
    assert [t.key for t in resumed.trials] == [t.key for t in whole.trials]


def test_base_and_tuned_each_follow_their_own_answers(context):
    plan = {"kind": "staircase", **DETECT, "task": "interval", "trials": 30}
    ctx = context({"plan": plan, "seed": 0})
    tuned = SimulatedThreshold("level_dbfs", -70, 15)
    summary = run.execute(ctx, {"base": HEARS, "tuned": tuned})
    first = {
        name: [t.key for t in maps.of_listener(ctx.ledger.trials("run"), name)][:2]
        for name in ("base", "tuned")
    }
    assert first["base"] == first["tuned"]
    assert len(summary["threshold_change"]) == 1 and "change" not in summary
    assert summary["regions"] == {"base": [], "tuned": []}


@pytest.mark.parametrize("name", [n for n in PLANS if n != "interleaved"])
def test_procedures_make_a_round_trip_and_say_what_they_cost_at_most(name):
    plan = plan_from_dict(PLANS[name])
    assert plan_from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    assert plan.cost(2, 10).n_trials == 2 * PLANS[name]["trials"] * len(plan.tracks)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"harder": "high"}, "finds level_dbfs harder at its low end .* set harder=low"),
        ({"parameter": "noise_sigma", "low": 0.001, "high": 0.1}, "set harder=high"),
        ({"parameter": "gap_ms", "low": 10, "high": 90}, "axis gap_ms changes nothing"),
        ({"parameter": "mel_channel", "low": 1, "high": 90}, "follow frequency"),
        ({"low": -20, "high": -80}, "runs backwards"),
        ({"draw": {"level_dbfs": [-30, -20]}}, "would undo the track"),
        ({"start": 0.0}, "start=0.0 is outside"),
        ({"steps": "big"}, "'big' is no list of numbers"),
        ({"guess": 0.9, "lapse": 0.2}, "leave nothing|reach 1|sum"),
        ({"condition": "level_dbfs", "condition_values": "-30"}, "track itself varies level_dbfs"),
        ({"condition": "e_n0_db"}, "has no condition_values"),
        ({"condition_values": "3"}, "belong to no parameter"),
        ({"condition": "attack_ms", "condition_values": "3, 3"}, "two conditions are the same"),
        (
            {"condition": "attack_ms", "condition_values": "3", "conditions": [{"attack_ms": 4}]},
            "both given",
        ),
        ({"conditions": [{}]}, "changes nothing; write parameter: value"),
        ({"conditions": [{"atack_ms": 4}]}, "did you mean attack_ms"),
        ({"catch_trials": 3}, "no parameter 'catch_trials'"),
    ],
)
def test_procedures_that_cannot_be_are_refused(values, message):
    with pytest.raises(UserError, match=message):
        plan = plan_from_dict({"kind": "staircase", **DETECT, **values})
        plan.make_track(0).estimate()


def test_what_only_one_kind_refuses():
    with pytest.raises(UserError, match="choose two different ones"):
        QuestPlan(**DETECT, second="level_dbfs")
    with pytest.raises(UserError, match="whole steps"):
        StaircasePlan(task="count", parameter="n_events", harder="high", low=1, high=9, steps="1.5")
    with pytest.raises(UserError, match="axis gap_ms changes nothing"):
        SurfacePlan(**SURFACE | {"second": "gap_ms"})
    with pytest.raises(UserError, match=r"track 2 \(event_duration_ms=2000 ms\) at level_dbfs=-80"):
        plan = StaircasePlan(**DETECT, **TWO | {"condition_values": "50, 2000"})
        plan.refuse_infeasible()


def test_actions_take_procedures_override_them_and_hold_the_caps(tmp_path):
    settings = load_settings("demo", tmp_path, environ={})
    plan = actions.probe_plan(settings, "level-staircase", {"rule": "2-down", "n_harmonics": "3"})
    assert plan["rule"] == "2-down" and plan["design"]["n_harmonics"] == 3
    both = actions.probe_plan(settings, "two-procedures", {"trials": "40", "candidates": "9"})
    assert [p["trials"] for p in both["plans"]] == [40, 40] and both["plans"][1]["candidates"] == 9
    with pytest.raises(UserError, match="has an unknown key 'trails'; did you mean trials"):
        actions.probe_plan(settings, "two-procedures", {"trails": "40"})
    many = {"trials": 900, "condition": "attack_ms", "condition_values": "2, 3, 4"}
    with pytest.raises(UserError, match="2700 trials are above the limit 2000 of demo mode"):
        actions.start_probe(settings, "level-staircase", "sim:d=1,c=0", params=many)


@pytest.mark.parametrize("kind,standard", [("staircase", 5), ("quest", 4)])
def test_a_plan_stored_before_there_were_checks_has_none(kind, standard):
    """Its run goes on as it began; what people write gets the standard ones."""
    plan = plan_from_dict({"kind": kind, **DETECT})
    stored = {name: value for name, value in plan.to_dict().items() if name != "checks"}
    assert plan.checks == standard and plan_from_dict(stored).checks == 0
    assert plan_from_dict(plan.to_dict()).checks == standard
    with pytest.raises(UserError, match="checks=1 leaves no trial"):
        plan_from_dict({"kind": kind, **DETECT, "checks": 1})
