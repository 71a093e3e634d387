"""Plans: the same questions for everybody, balanced, reproducible, refused before they start."""

from __future__ import annotations

from collections import Counter

import pytest

from spectcount.errors import UserError
from spectcount.probing import maps
from spectcount.probing.plan import CountConfusion, Curve, DetectionMap, plan_from_dict
from spectcount.scales import mel_channel
from spectcount.stimulus import Event
from spectcount.tasks import DETECT

SMALL = DetectionMap(nx=3, ny=4, trials=14, catch_trials=28)


def test_questions_depend_on_the_seed_and_on_nothing_else():
    keys = [[p.question.key for p in SMALL.questions(seed)] for seed in (0, 0, 1)]
    assert keys[0] == keys[1]
    assert not set(keys[0]) & set(keys[2])
    assert len(set(keys[0])) == SMALL.n_trials


def test_more_trials_or_other_rows_extend_a_plan_without_new_stimuli():
    few, many = SMALL.questions(3), SMALL.replace(trials=20, catch_trials=40).questions(3)
    clips = [{p.question.clip_hash for p in asked} for asked in (few, many)]
    assert clips[0] <= clips[1]
    keys = [
        {p.question.key for p in asked if p.coords["role"] == "signal"} for asked in (few, many)
    ]
    assert keys[0] <= keys[1]


def test_probes_lie_within_their_cells():
    for planned in SMALL.questions(0):
        if planned.coords["role"] == "signal":
            (event,) = planned.question.stimulus.events
            low, high = SMALL.axes[0].bounds(planned.coords["x"])
            assert low <= event.onset_s <= high
            low, high = SMALL.axes[1].bounds(planned.coords["y"])
            assert low - 0.01 <= mel_channel(event.frequency_hz) <= high + 0.01


def _words(planned):
    return Counter((p.question.wording, p.question.reverse) for p in planned)


WORDED = {
    "one catch a cell": {"kind": "map", "nx": 2, "ny": 2, "trials": 8, "catch_trials": 4},
    "few catch": {"kind": "map", "nx": 2, "ny": 2, "trials": 20, "catch_trials": 6},
    "many catch": {"kind": "map", "nx": 2, "ny": 2, "trials": 8, "catch_trials": 100},
    "backgrounds": {
        "kind": "curve",
        "parameter": "noise_sigma",
        "start": 0.001,
        "stop": 0.1,
        "levels": 4,
        "trials": 20,
        "catch_trials": 40,
    },
    "forced choice": {
        "kind": "curve",
        "family": "frequency_discrimination",
        "task": "higher",
        "parameter": "difference",
        "start": 1,
        "stop": 10,
        "levels": 3,
        "trials": 10,
        "catch_trials": 30,
    },
}


@pytest.mark.parametrize("values", WORDED.values(), ids=WORDED)
def test_signal_and_catch_trials_of_a_level_take_the_same_words(values):
    """Catch trials in half of the wordings and orders: an order preference lowered d' unevenly."""
    plan = plan_from_dict(values)
    planned = plan.questions(0)
    for cell in plan.cells:
        back = maps.background_of(plan, cell)
        signal, catch = (
            _words(
                p
                for p in planned
                if p.coords["role"] == role
                and maps.background_of(plan, (p.coords["x"], p.coords["y"])) == back
                and (role == "catch" or (p.coords["x"], p.coords["y"]) == cell)
            )
            for role in ("signal", "catch")
        )
        assert set(signal) == set(catch)
        for used in (signal, catch):
            assert max(used.values()) - min(used.values()) <= 2
        n, n_catch = signal.total(), catch.total()
        assert all(abs(signal[w] / n - catch[w] / n_catch) <= 2 / min(n, n_catch) for w in signal)


@pytest.mark.parametrize("kind", ["staircase", "quest"])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_tracks_share_words_too(kind, share):
    plan = plan_from_dict(
        {"kind": kind, "parameter": "level_dbfs", "catch_share": share, "trials": 80, "high": -20}
    )
    planned = [plan.question(3, 0, k, (-30.0,)) for k in range(80)]
    signal, catch = (
        _words(p for p in planned if p.coords["role"] == role) for role in ("signal", "catch")
    )
    assert set(signal) == set(catch)
    for used in (signal, catch):
        assert max(used.values()) - min(used.values()) <= 1


def test_wordings_and_orders_are_balanced_in_every_cell():
    used = {}
    for planned in SMALL.questions(0):
        cell = (planned.coords["role"], planned.coords["x"], planned.coords["y"])
        cell = ("catch",) if cell[0] == "catch" else cell
        question = planned.question
        used.setdefault(cell, Counter())[question.wording, question.reverse] += 1
    n = 2 * len(DETECT.wordings)
    assert all(len(c) == n and len(set(c.values())) == 1 for c in used.values())


def test_held_out_wordings_only_where_asked_for():
    held = SMALL.replace(wordings="held-out").questions(0)
    assert {p.question.wording for p in held} == {7, 8}


def test_catch_trials_are_noise_alone_and_remember_the_absent_signal():
    catch = [p for p in SMALL.questions(0) if p.coords["role"] == "catch"]
    assert len(catch) == 28
    for planned in catch:
        stimulus = planned.question.stimulus
        assert stimulus.events == () and stimulus.noise_sigma == 0.001
        (template,) = stimulus.meta["template"]
        assert Event(**template).duration_s == 0.1


def test_the_map_fills_evenly():
    half = SMALL.questions(0)[: SMALL.n_trials // 2]
    cells = Counter((p.coords["x"], p.coords["y"]) for p in half if p.coords["role"] == "signal")
    assert max(cells.values()) - min(cells.values()) <= 1 and len(cells) == 12
    assert sum(p.coords["role"] == "catch" for p in half) == pytest.approx(14, abs=1)


def test_counting_cells_hold_every_number_equally_often():
    plan = DetectionMap(task="count", nx=2, ny=2, trials=10, x="level_dbfs", x_low=-50, x_high=-20)
    truths = Counter(
        (p.coords["x"], p.coords["y"], p.question.truth)
        for p in plan.questions(0)
        if p.coords["role"] == "signal"
    )
    assert set(truths.values()) == {2} and len(truths) == 4 * 5


def test_catch_trials_share_their_background_with_the_cells():
    plan = Curve(parameter="noise_sigma", start=0.001, stop=0.1, levels=4, catch_trials=8)
    catch = [p for p in plan.questions(0) if p.coords["role"] == "catch"]
    assert Counter(p.coords["x"] for p in catch) == {0: 2, 1: 2, 2: 2, 3: 2}
    sigmas = {p.coords["x"]: p.question.stimulus.noise_sigma for p in catch}
    assert sigmas == dict(enumerate(plan.axes[0].edges))


@pytest.mark.parametrize("plan", [SMALL, Curve(), CountConfusion(draw={"level_dbfs": [-30, -10]})])
def test_plans_make_a_round_trip(plan):
    assert plan_from_dict(plan.to_dict()) == plan


def test_cost_is_trials_and_minutes():
    cost = SMALL.cost(n_listeners=2, clips_per_s=10)
    assert cost.n_trials == 2 * (12 * 14 + 28)
    assert cost.minutes == pytest.approx(cost.n_trials / 600)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"kind": "nap"}, "choose one of map, curve, confusion"),
        ({"kind": "map", "nz": 3}, "no parameter 'nz'"),
        ({"kind": "map", "x": "loudness"}, "not known; choose one of time"),
        ({"kind": "map", "x": "time", "y": "time"}, "two different axes"),
        ({"kind": "map", "x": "frequency"}, "the same thing"),
        ({"kind": "map", "ny": 128, "y_high": 20}, "at most 21 cells"),
        ({"kind": "map", "x_low": 3, "x_high": 1}, "backwards"),
        ({"kind": "map", "catch_trials": 0}, "give at least 1"),
        ({"kind": "map", "design": {"gap": 3}}, "no parameter 'gap'"),
        ({"kind": "map", "design": {"level_dbfs": 3}}, "above the limit 0 dBFS"),
        ({"kind": "map", "draw": {"level_dbfs": [-3]}}, r"write \[low, high\]"),
        ({"kind": "map", "design": {"n_events": 0}}, "would be no and no"),
        ({"kind": "map", "task": "gap"}, "task 'gap' makes no sense of pulses; choose one of"),
        ({"kind": "curve", "parameter": "level_dbfs", "start": -20, "stop": 9}, "above the limit"),
        ({"kind": "curve", "parameter": "gap_ms", "start": 0, "stop": 9}, "changes nothing"),
        ({"kind": "confusion", "count_low": 7, "count_high": 3}, "swap them"),
    ],
)
def test_bad_plans_are_refused_when_built(plan, message):
    with pytest.raises(UserError, match=message):
        plan_from_dict(plan)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"kind": "map", "x_high": 4}, r"cell \(7, 11\), time=3.5..4 s.*lower"),
        (
            {"kind": "curve", "start": -20, "stop": 0, "design": {"noise_sigma": 0.1}},
            r"level_dbfs=.*would peak at",
        ),
    ],
)
def test_cells_that_cannot_be_are_refused_by_name(plan, message):
    with pytest.raises(UserError, match=message):
        plan_from_dict(plan).refuse_infeasible()
