"""Wordings: crossed and balanced questions, what each gives, changes that hold for all of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from spectcount.configs import WordingsConfig
from spectcount.errors import UserError
from spectcount.listeners.base import Scores
from spectcount.listeners.observers.simulated import SimulatedObserver
from spectcount.probing import run
from spectcount.probing.analysis import RunningWordings, crossed_plan
from spectcount.probing.kinds import wordings_summary
from spectcount.probing.wordings import (
    Crossed,
    by_stimulus,
    chosen_wordings,
    robustness,
    worded_change,
)
from spectcount.psychophysics import sdt
from spectcount.tasks import TASKS

MAP = {"kind": "map", "nx": 2, "ny": 2, "trials": 12, "catch_trials": 30}
WORDINGS = (0, 1, 2, 7, 8)


class Worded:
    """A simulated listener whose criterion (or d') is another in each wording, half of whose
    noise belongs to the clip."""

    def __init__(self, name, d, c, seed=1):
        self.name = self.fingerprint = name
        self.d, self.c, self.seed = d, c, seed

    def score(self, questions):
        rows = np.array([self._row(q) for q in questions])
        return Scores(np.stack([rows, np.zeros(len(rows))], axis=1), np.ones(len(rows)))

    def _row(self, q):
        own = np.random.default_rng([self.seed, int(q.key[:12], 16)]).normal()
        clip = np.random.default_rng([7, int(q.clip_hash[:12], 16), len(q.stimulus.events)])
        side = 1 if q.truth == q.answers[0] else -1
        value = side * self.d(q.wording) / 2 + np.sqrt(0.5) * (own + clip.normal())
        return value - self.c(q.wording)


def asked(context, listeners, plan=MAP, wordings=WORDINGS, **kwargs):
    config = {"plan": plan, "wordings": list(wordings), "seed": 5, "listeners": list(listeners)}
    ctx = context(config, **kwargs)
    config = WordingsConfig.from_json(config)
    _, trials = run.ask_all(ctx, crossed_plan(config), listeners)
    return ctx, config, trials


def test_every_stimulus_is_asked_in_every_wording_and_orders_are_balanced():
    crossed = Crossed.from_config(MAP, WORDINGS)
    questions = [q for batch in crossed.ask(5) for q in batch]
    assert len(questions) == crossed.n_trials == 5 * 78
    assert len({q.question.key for q in questions}) == 5 * 78
    by_clip = {}
    for q in questions:
        by_clip.setdefault(q.coords["stimulus"], []).append(q)
    for same in by_clip.values():
        assert [q.question.wording for q in same] == list(WORDINGS)
        assert len({q.question.clip_hash for q in same}) == 1
    groups = Counter(
        (
            q.question.wording,
            q.question.reverse,
            q.coords["role"],
            (q.coords["x"], q.coords["y"]) if q.coords["role"] == "signal" else None,
        )
        for q in questions
    )
    assert set(groups.values()) == {6, 15}
    plain = Crossed.from_config(MAP, WORDINGS).plan.questions(5)
    assert [q.question.clip_hash for q in questions[::5]] == [q.question.clip_hash for q in plain]


def test_held_out_wordings_are_among_those_chosen():
    detect = TASKS["detect"]
    assert chosen_wordings(detect, 5) == (0, 1, 2, 7, 8)
    assert chosen_wordings(detect, 9) == tuple(range(9))
    assert chosen_wordings(detect, 2) == (7, 8)
    for task in TASKS.values():
        assert len(set(chosen_wordings(task, 5))) == 5
    with pytest.raises(UserError, match="give 2 to 9"):
        chosen_wordings(detect, 10)


def test_each_wording_has_its_own_numbers_and_the_spread_is_found(context):
    shift = dict(zip(WORDINGS, (-0.8, -0.4, 0.0, 0.4, 0.8), strict=True))
    listener = Worded("w", lambda w: 1.5, shift.get)
    _, config, trials = asked(context, {"w": listener}, {**MAP, "trials": 30, "catch_trials": 120})
    found = robustness(crossed_plan(config), trials["w"])
    for worded in found.by_wording:
        mine = [t for t in trials["w"] if t.wording == worded.wording]
        hits, n, alarms, m = (
            sum(t.correct == (role == "signal") and t.coords["role"] == role for t in mine)
            if what == "hits"
            else sum(t.coords["role"] == role for t in mine)
            for role, what in (
                ("signal", "hits"),
                ("signal", "n"),
                ("catch", "hits"),
                ("catch", "n"),
            )
        )
        assert worded.d_prime.value == pytest.approx(sdt.d_prime(hits, n, alarms, m).value)
        assert worded.criterion.low <= shift[worded.wording] + 0.25
        assert worded.held_out == (worded.wording >= 7)
    assert found.q.p < 1e-6 and found.shares.wording < 0.05
    assert found.bias.sd == pytest.approx(0.63, abs=0.25) and found.main.true_sd < 0.35
    assert found.main.like_these.low <= 1.5 <= found.main.like_these.high
    assert found.spread.shape == (2, 2) and (found.spread > 0.05).all()
    assert "Answers depend on the wording (Cochran's Q" in found.sentence
    assert "over 5 wordings" in found.sentence


def test_wordings_that_do_not_matter_are_not_said_to(context):
    listener = Worded("w", lambda w: 1.5, lambda w: 0.0)
    _, config, trials = asked(context, {"w": listener})
    found = robustness(crossed_plan(config), trials["w"])
    assert found.q.p > 0.001 and found.main.true_sd < 0.4
    fixed = robustness(
        crossed_plan(config), asked(context, {"i": SimulatedObserver(9, 0, 1)})[2]["i"]
    )
    assert "does not matter here" in fixed.sentence and fixed.main.sd == 0


def test_a_change_that_rests_on_one_wording_is_not_shown(context):
    """Tuned improves by 3 in one wording and in no other: significant over these stimuli, not over
    wordings. An equal gain in all wordings is shown."""
    base = Worded("base", lambda w: 1.0, lambda w: 0.0)
    one = Worded("tuned", lambda w: 4.0 if w == 0 else 1.0, lambda w: 0.0)
    all_of = Worded("tuned", lambda w: 1.8, lambda w: 0.0)
    _, config, trials = asked(context, {"base": base, "tuned": one}, {**MAP, "trials": 40})
    crossed = crossed_plan(config)
    found = worded_change(crossed, trials["base"], trials["tuned"])
    assert found.main.these.low > 0 > found.main.like_these.low
    assert found.verdicts()[0].kind == "no change shown"
    assert "paired stimuli in each of 5 wordings" in found.verdicts()[0].sentence
    _, config, trials = asked(context, {"base": base, "tuned": all_of}, {**MAP, "trials": 40})
    found = worded_change(crossed, trials["base"], trials["tuned"])
    main, bias = found.verdicts()
    assert main.kind == "improved" and bias.kind == "no change shown"


def test_counting_and_forced_choice(context):
    plan = {**MAP, "task": "count", "catch_trials": 0, "count_high": 4}
    _, config, trials = asked(context, {"s": SimulatedObserver(3, 0, 1)}, plan)
    found = robustness(crossed_plan(config), trials["s"])
    assert (
        found.measure == "accuracy" and found.bias is None and found.by_wording[0].d_prime is None
    )
    right = [t.correct for t in trials["s"]]
    assert found.main.these.value == pytest.approx(np.mean(right))
    plan = {**MAP, "task": "interval", "trials": 30, "catch_trials": 120}
    _, config, trials = asked(context, {"s": SimulatedObserver(1.2, 0, 1)}, plan, (0, 1, 2, 6, 7))
    found = robustness(crossed_plan(config), trials["s"])
    assert found.main.like_these.low <= 1.2 <= found.main.like_these.high


def test_a_stopped_run_goes_on_and_says_nothing_too_early(context):
    listener = SimulatedObserver(1, 0, 1)
    config = {"plan": MAP, "wordings": list(WORDINGS), "seed": 5, "listeners": ["s"]}
    first, stored = context(config, stop_after=40), config
    config = WordingsConfig.from_json(stored)
    report, trials = run.ask_all(first, crossed_plan(config), {"s": listener})
    assert report["stopped"] and 40 <= len(trials["s"]) < 390
    assert len(by_stimulus(trials["s"], WORDINGS, "signal")) < 12
    early = RunningWordings(config, {}, {"s": trials["s"][:6]})
    assert wordings_summary(early)["wordings"] == {"s": None}
    again = context(stored, ledger=first.ledger)
    report, trials = run.ask_all(again, crossed_plan(config), {"s": listener})
    assert len(trials["s"]) == report["done"] == 390


@pytest.mark.parametrize(
    "make,match",
    [
        (lambda: Crossed.from_config(MAP, [1]), "two different ones"),
        (lambda: Crossed.from_config(MAP, [1, 1]), "two different ones"),
        (lambda: Crossed.from_config(MAP, [1, 9]), "wording=9 is not known; detect has 0..8"),
        (lambda: Crossed.from_config({"kind": "staircase", "high": -10}, [0, 1]), "follows the"),
    ],
)
def test_what_cannot_be_crossed_is_refused(make, match):
    with pytest.raises(UserError, match=match):
        make()
