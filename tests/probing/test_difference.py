"""Base against tuned: pairs, changes apart, cells by d', verdicts; against computations by hand."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from scipy.special import ndtri

from benchmarks.sentence_rows.simulate import sheet
from spectcount.listeners.observers.simulated import SimulatedObserver
from spectcount.probing.difference import change_over, difference
from spectcount.probing.pairing import pairs_of
from spectcount.probing.plan import DetectionMap, plan_from_dict
from spectcount.probing.verdict import CHANGED, IMPROVED, NOT_SHOWN
from spectcount.psychophysics import sdt
from spectcount.psychophysics.paired import pair_table, sdt_changes
from spectcount.trials import make_trial

MAP = {"kind": "map", "nx": 2, "ny": 2, "trials": 60, "catch_trials": 120}


def asked(plan, listener, name, seed=7):
    trials = []
    for one in plan.questions(seed):
        scores = listener.score([one.question])
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


def both(plan, d, c=(0.0, 0.0), seeds=(1, 1)):
    return [
        asked(plan, SimulatedObserver(d[i], c[i], seeds[i]), name)
        for i, name in enumerate(("base", "tuned"))
    ]


def test_both_get_the_same_stimuli_wordings_and_orders():
    plan = plan_from_dict(MAP)
    base, tuned = both(plan, (1, 2))
    pairs = pairs_of(plan, base, tuned)
    assert len(pairs.all) == plan.n_trials == 360
    for x, y in pairs.all:
        assert (x.stimulus, x.prompt, x.wording, x.reverse) == (
            y.stimulus,
            y.prompt,
            y.wording,
            y.reverse,
        )
    used = {(x.wording, x.reverse) for x, _ in pairs.all}
    assert len(used) == 2 * len(plan.asked.wordings)


def test_a_question_that_only_one_has_answered_does_not_count():
    plan = plan_from_dict(MAP)
    base, tuned = both(plan, (1, 2))
    signal = [t for t in tuned if t.coords["role"] == "signal"]
    found = change_over(plan, base, [t for t in tuned if t not in signal[:40]])
    assert (found.n, found.n_catch) == (200, 120)
    assert pairs_of(plan, base, []).all == ()


def z_of(trials, role, plan):
    mine = [t for t in trials if t.coords["role"] == role]
    yes = sum(t.answer == plan.asked.answers[0] for t in mine)
    return ndtri((yes + 0.5) / (len(mine) + 1))


def d_a_change(base, tuned):
    """From all scores together; cells and wordings of these listeners are alike."""
    ends = []
    for who in (base, tuned):
        signal, catch = (
            [t.yes_score for t in who if t.coords["role"] == role] for role in ("signal", "catch")
        )
        scale = 1 if who[0].task == "detect" else 2**-0.5
        ends.append(scale * math.sqrt(2) * ndtri(sdt.auc(signal, catch).value))
    return ends[1] - ends[0]


@pytest.mark.parametrize("task,scale", [("detect", 1.0), ("interval", 2**-0.5)])
def test_values_are_the_differences_of_the_listeners_own(task, scale):
    plan = plan_from_dict({**MAP, "task": task})
    base, tuned = both(plan, (1, 2), (0.3, -0.2))
    found = change_over(plan, base, tuned)
    h, f = ([z_of(t, role, plan) for t in (base, tuned)] for role in ("signal", "catch"))
    assert found.d_prime.value == pytest.approx(scale * ((h[1] - f[1]) - (h[0] - f[0])), abs=0.1)
    assert found.criterion.value == pytest.approx(-(h[1] + f[1] - h[0] - f[0]) / 2, abs=0.05)
    by_scores = d_a_change(base, tuned)
    assert found.d_a is not None and found.d_a.value == pytest.approx(by_scores, abs=0.1)
    assert found.d_a.low <= by_scores <= found.d_a.high
    assert found.d_prime.low <= 1 <= found.d_prime.high
    assert found.criterion.low <= -0.5 <= found.criterion.high
    assert found.auc is not None and found.auc.low > 0
    assert (found.false_alarm_rate is None) == (task == "interval")


def test_a_listener_that_only_says_yes_more_often_is_not_better():
    """Its hits rise in every cell by McNemar; by d' no cell changed, and the verdict says so."""
    plan = plan_from_dict(MAP)
    base, tuned = both(plan, (1, 1), (0.8, -0.8))
    found = difference(plan, base, tuned)
    assert found.changed.all() and (found.gained > found.lost).all()
    assert not found.changed_d_prime.any() and not found.better.any()
    assert found.verdict.kind == NOT_SHOWN and "change of d'" in found.verdict.sentence
    assert found.sure("rate").all() and not found.sure().any()
    first, second, *_ = change_over(plan, base, tuned).verdicts()
    assert first.kind == NOT_SHOWN and "d_a" in first.sentence
    assert second.kind == "changed" and "more inclined to the first answer" in second.sentence


def test_cells_that_hear_better_are_found():
    plan = plan_from_dict(MAP)
    base, tuned = both(plan, (0.5, 0.5), seeds=(1, 1))
    better = {t.key: t for t in asked(plan, SimulatedObserver(3, 0, 1), "tuned")}
    tuned = [
        better[t.key] if (t.coords["x"], t.coords["y"]) == (1, 0) else t
        for t in tuned
        if t.coords["role"] == "signal"
    ] + [t for t in tuned if t.coords["role"] == "catch"]
    found = difference(plan, base, tuned)
    assert found.better.tolist() == [[False, True], [False, False]]
    assert found.verdict.sentence.startswith("of 4 cells, 1 better, 0 worse, 3 no change shown")
    only = change_over(plan, base, tuned, cells=[(1, 0)])
    assert only.n == 60 and only.verdict.kind == IMPROVED
    rest = change_over(plan, base, tuned, cells=[(0, 0), (0, 1), (1, 1)])
    assert rest.n == 180 and rest.verdict.kind == NOT_SHOWN


def test_counting_changes_by_hand():
    plan = plan_from_dict({**MAP, "task": "count", "catch_trials": 20, "trials": 30})
    base, tuned = both(plan, (0.6, 3.0), (0.5, 0.0))
    found = change_over(plan, base, tuned)
    errors = [np.array([int(t.answer) - int(t.truth) for t in who]) for who in (base, tuned)]
    assert found.bias.value == pytest.approx(errors[1].mean() - errors[0].mean())
    assert found.error.value == pytest.approx(np.abs(errors[1]).mean() - np.abs(errors[0]).mean())
    assert found.error.high < 0 and found.d_prime is None and found.auc is None
    kinds = {v.measure.name: v.kind for v in found.verdicts()}
    assert kinds["accuracy"] == kinds["mean absolute error"] == IMPROVED
    assert difference(plan, base, tuned).verdict.test == "exact McNemar"


def test_catch_trials_of_other_backgrounds_do_not_take_part():
    plan = plan_from_dict(
        {**MAP, "x": "noise_sigma", "x_low": 0.001, "x_high": 0.01, "y": "mel_channel"}
    )
    base, tuned = both(plan, (1, 1))
    assert change_over(plan, base, tuned, cells=[(0, 0)]).n_catch == 60
    assert change_over(plan, base, tuned).n_catch == 120


def test_an_equivalence_margin_is_for_the_main_measure():
    plan = plan_from_dict({**MAP, "trials": 60, "catch_trials": 120})
    found = change_over(plan, *both(plan, (1, 1)))
    main, *others = found.verdicts(margin=0.9)
    assert main.kind == "equivalent" and all(v.margin is None for v in others)
    assert found.verdict.kind == NOT_SHOWN


def test_nothing_in_common_is_not_measurable():
    plan = plan_from_dict(MAP)
    base, tuned = both(plan, (1, 1))
    found = difference(plan, base, [])
    assert found.verdict.kind == "not measurable" and np.isnan(found.p).all()
    whole = change_over(plan, base, [])
    assert whole.verdict is None and math.isnan(whole.p) and whole.to_dict()["verdicts"] == []
    one_sided = [t for t in tuned if t.coords["role"] == "signal"]
    assert change_over(plan, base, one_sided).d_prime is None


def test_plain_data_holds_the_verdicts():
    plan = plan_from_dict(MAP)
    base, tuned = both(plan, (1, 3))
    data = change_over(plan, base, tuned).to_dict()
    assert data["verdicts"][0]["kind"] == IMPROVED and "plan" not in data
    cells = difference(plan, base, tuned).to_dict()
    assert cells["verdict"]["better"] == 4 and "of 4 cells" in cells["verdict"]["sentence"]


@pytest.mark.slow
def test_intervals_cover_over_many_pairs_of_listeners():
    """300 pairs of simulated listeners, one plan: 92 to 98 % of the intervals hold the truth."""
    plan = plan_from_dict({**MAP, "trials": 20, "catch_trials": 60})
    planned = plan.questions(3)
    questions = [one.question for one in planned]
    signal = np.array([one.coords["role"] == "signal" for one in planned])
    tables = []
    for k in range(1000, 1300):
        yes = [
            SimulatedObserver(d, c, 2 * k + i).score(questions).log_probs.argmax(axis=1) == 0
            for i, (d, c) in enumerate(((1.0, 0.2), (2.0, -0.2)))
        ]
        tables.append([pair_table(yes[0][who], yes[1][who]) for who in (signal, ~signal)])
    hits, alarms = np.array(tables).transpose(1, 0, 2)
    found = sdt_changes(hits, alarms, np.random.default_rng(0))
    for one, true in zip(found, (1.0, -0.4), strict=True):
        assert 0.92 <= np.mean((one.low <= true) & (true <= one.high)) <= 0.98


def test_one_verdict_of_a_run_is_named_beforehand_and_the_others_describe():
    asked_of, rng = sheet(QUICK_ALL), np.random.default_rng(1)
    found = change_over(
        QUICK_ALL, asked_of.gaussian(rng, 1.5), asked_of.gaussian(rng, 1.5, 1.5)
    ).verdicts()
    assert [v.descriptive for v in found] == [False, *[True] * (len(found) - 1)]
    assert found[0].kind == NOT_SHOWN
    moved = [v for v in found if v.kind == CHANGED]
    assert moved and all("descriptive: one of several" in v.sentence for v in moved)


QUICK_ALL = DetectionMap(nx=2, ny=2, trials=40, catch_trials=160)
QUICK = DetectionMap(nx=8, ny=6, trials=8, catch_trials=100)


def graded_pair(before, after, criterion=0.0, seed=0):
    """Base and tuned with these d' per cell and graded scores; `criterion` is the tuned's."""
    asked, rng = sheet(QUICK), np.random.default_rng(seed)
    return asked.gaussian(rng, before), asked.gaussian(rng, after, criterion)


def test_graded_scores_find_cells_that_answers_cannot():
    deaf = np.full((6, 8), 3.0)
    deaf[4:, :6] = 0.5
    asked, by_scores, by_answers = sheet(QUICK), [], []
    for seed in range(3):
        graded = graded_pair(deaf, 3.0, seed=seed)
        plain = [asked.chosen(np.array([t.answers.index(t.answer) for t in x])) for x in graded]
        by_scores.append(difference(QUICK, *graded))
        by_answers.append(difference(QUICK, *plain))
    assert all(found.better[4:, :6].sum() >= 5 for found in by_scores)
    assert sum(int(found.better[:4].sum()) for found in by_scores) == 0
    assert all(found.area_change is None for found in by_answers)
    counts = [sum(int(one.better.sum()) for one in found) for found in (by_scores, by_answers)]
    assert counts[0] > 1.3 * counts[1]


def test_a_moved_criterion_changes_no_cell():
    found = [difference(QUICK, *graded_pair(1.5, 1.5, 1.5, seed)) for seed in range(8)]
    assert sum(bool(one.better.any() or one.worse.any()) for one in found) <= 1


def test_a_map_says_the_smallest_change_that_it_could_have_marked():
    said = difference(QUICK, *graded_pair(2.5, 2.5)).verdict.sentence
    numbers = re.search(r"half the time: ([\d.]+) in a single cell; ([\d.]+) if a quarter", said)
    one, many = map(float, numbers.groups())
    assert 1 < many < one < 6
    count = DetectionMap(nx=2, ny=2, trials=4, catch_trials=0, task="count")
    asked, rng = sheet(count), np.random.default_rng(0)
    told = difference(count, asked.counting(rng, 0.1), asked.counting(rng, 0.9)).verdict.sentence
    assert "of accuracy that would be marked half the time: none, however large" in told
