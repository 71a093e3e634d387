"""Change of thresholds: curves are paired, procedures are not; direction and axis as declared."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spectcount.listeners.base import Scores
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.threshold_changes import changes_of, threshold_changes
from spectcount.trials import make_trial, normalise

CURVE = {
    "kind": "curve",
    "parameter": "level_dbfs",
    "start": -70,
    "stop": -20,
    "levels": 9,
    "trials": 25,
    "catch_trials": 80,
    "design": {"noise_sigma": 0.003},
}
STAIRS = {
    "kind": "staircase",
    "parameter": "level_dbfs",
    "low": -80,
    "high": -10,
    "trials": 240,
    "reversals": 150,
    "catch_share": 0.4,
    "design": {"noise_sigma": 0.003},
}


class Hears:
    """Says yes with a chance that rises with the level (falls where `width` is negative) around
    `threshold`; a share of its noise belongs to the question, the same for every listener."""

    def __init__(self, threshold, width, seed, shared=0.8, criterion=1.5):
        self.threshold, self.width, self.seed, self.shared = threshold, width, seed, shared
        self.criterion = criterion

    def answer(self, one):
        own = np.random.default_rng([self.seed, int(one.question.key[:12], 16)])
        common = np.random.default_rng([99, int(one.question.key[:12], 16)])
        noise = math.sqrt(self.shared) * common.normal() + math.sqrt(1 - self.shared) * own.normal()
        if one.coords["role"] == "catch" or not one.question.stimulus.events:
            return noise > self.criterion
        x = one.question.stimulus.events[0].level_dbfs
        return (x - self.threshold) / self.width + noise > 0


def asked(plan, listener, name, seed=3):
    trials, asking = [], plan.ask(seed)
    batch = next(asking)
    while batch is not None:
        answered = []
        for one in batch:
            yes = listener.answer(one)
            scores = Scores(normalise(np.array([[0.0, -4.0] if yes else [-4.0, 0.0]])), np.ones(1))
            answered.append(
                make_trial(
                    one.question,
                    scores.log_probs[0],
                    1.0,
                    fingerprint=name,
                    listener=name,
                    coords=one.coords,
                )
            )
        trials += answered
        try:
            batch = asking.send(answered)
        except StopIteration:
            batch = None
    return trials


def test_a_curve_is_compared_in_pairs():
    plan = plan_from_dict(CURVE)
    base, tuned = (asked(plan, Hears(t, 6, s), n) for t, s, n in ((-42, 1, "b"), (-48, 2, "t")))
    (found,) = threshold_changes(plan, base, tuned)
    assert found.paired and found.n == 9 * 25 + 80
    assert found.change.low <= -6 <= found.change.high and found.change.high < 0
    assert found.verdict.kind == "improved"
    assert found.sentence.startswith("improved: level of level_dbfs where d' = 1 -")
    assert "dBFS at 95 %, 305 paired trials" in found.sentence
    width = found.change.high - found.change.low
    fits = [one.answers.threshold for one in (found.before, found.after)]
    own = [one.high - one.low for one in fits]
    assert width < math.hypot(*own)
    (same,) = threshold_changes(plan, base, base)
    assert same.change.value == 0 and same.verdict.kind == "no change shown"


def test_questions_that_one_has_not_answered_take_no_part():
    plan = plan_from_dict(CURVE)
    base, tuned = (asked(plan, Hears(-45, 6, s), str(s)) for s in (1, 2))
    (found,) = threshold_changes(plan, base[:200], tuned)
    assert found.n == 200
    assert threshold_changes(plan, base[:1], tuned) == []


def test_a_deaf_listener_has_no_threshold_to_change():
    plan = plan_from_dict(CURVE)
    base, deaf = (asked(plan, Hears(t, 6, 1), n) for t, n in ((-45, "b"), (300, "t")))
    (found,) = threshold_changes(plan, base, deaf)
    assert found.verdict.kind == "not measurable"
    assert "tuned: not measurable" in found.sentence and "base:" not in found.sentence


def test_a_procedure_is_not_paired():
    plan = plan_from_dict(STAIRS)
    base, tuned = (
        asked(plan, Hears(t, 6, s, criterion=0.7), n) for t, s, n in ((-40, 1, "b"), (-55, 2, "t"))
    )
    (found,) = threshold_changes(plan, base, tuned)
    least = min(len(base), len(tuned))
    assert not found.paired and f"at least {least} trials of each" in found.sentence
    assert found.change.low <= -15 <= found.change.high and found.verdict.kind == "improved"
    assert found.to_dict()["kind"] == "improved"


def test_a_strict_listener_is_compared_where_its_track_was():
    """It seldom says yes, so that its staircase never comes as low as d' = 1: "not measurable" was
    said of every change."""
    plan = plan_from_dict(STAIRS)
    base, tuned = (asked(plan, Hears(t, 6, s, criterion=2.6), s) for t, s in ((-35, 1), (-50, 2)))
    (found,) = threshold_changes(plan, base, tuned)
    assert found.d_prime > 1 and found.verdict.kind == "improved"
    assert f"where d' = {found.d_prime:g} " in found.sentence
    wanted = plan.replace(compare_at=1.0)
    (strict,) = threshold_changes(wanted, base, tuned)
    assert strict.d_prime == 1 and strict.verdict.kind == "not measurable"


def test_plans_without_thresholds_have_no_change():
    plan = plan_from_dict({"kind": "map", "nx": 1, "ny": 1, "trials": 4, "catch_trials": 4})
    trials = asked(plan, Hears(-40, 6, 1), "b")
    assert threshold_changes(plan, trials, trials) == []


@pytest.mark.parametrize("harder,kind", [("low", "improved"), ("high", "worse")])
def test_the_plan_says_which_way_is_better(harder, kind):
    """A threshold that went down: better where low levels are hard, worse where high ones are."""
    plan = plan_from_dict({**CURVE, "harder": harder})
    if harder == "high":
        base, tuned = (asked(plan, Hears(t, -6, 1), str(t)) for t in (-42, -52))
    else:
        base, tuned = (asked(plan, Hears(t, 6, 1), str(t)) for t in (-42, -52))
    (found,) = threshold_changes(plan, base, tuned)
    assert found.change.high < 0 and found.verdict.kind == kind


def test_a_moved_criterion_moves_no_yes_no_threshold_and_verdicts_agree():
    """Criterion 2 -> 0: the level of half the "yes" falls, that of d' = 1 does not; "improved" was
    said of it in 91 %, "worse" of the run's d' in 95 %."""

    class Moved(Hears):
        def __init__(self, criterion, seed):
            super().__init__(-40, 6, seed, criterion=criterion)

        def answer(self, one):
            rng = np.random.default_rng([self.seed, int(one.question.key[:12], 16)])
            level = (
                one.question.stimulus.events[0].level_dbfs if one.question.stimulus.events else -99
            )
            signal = one.coords["role"] == "signal"
            return (
                3.5 / (1 + math.exp(-(level + 40) / 6)) if signal else 0
            ) + rng.normal() > self.criterion

    plan, kinds = plan_from_dict(CURVE), []
    for seed in range(4):
        base, tuned = (asked(plan, Moved(c, 10 * seed + c), f"{c}") for c in (2, 0))
        found, whole = changes_of(plan, base, tuned)
        said = [found[0].verdict.kind, whole.verdict.kind]
        assert not {"improved", "worse"} <= set(said)
        kinds += said
        assert whole.verdicts()[1].kind == "changed"
    assert sum(kind in ("improved", "worse") for kind in kinds) <= 1
