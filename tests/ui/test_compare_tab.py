"""The Compare tab without a browser: the verdict first, worse cells, held-out parts, refusals."""

from __future__ import annotations

import json
import math

import gradio as gr
import pytest

from spectcount.configs import CompareConfig
from spectcount.errors import UserError
from spectcount.listeners.observers.simulated import SimulatedObserver
from spectcount.probing.analysis import RunningComparison
from spectcount.probing.difference import difference
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.trained import trained_of
from spectcount.probing.verdict import CRITERION, verdict
from spectcount.probing.words import place_of
from spectcount.psychophysics.sdt import Interval
from spectcount.trials import make_trial
from spectcount.ui.compare import Pair, PairFigures, compared, pair_parts, pair_words
from spectcount.ui.verdicts import (
    MARKS,
    headline_html,
    parts_html,
    sentence_html,
    verdicts_html,
    worse_html,
)

BODY = {"kind": "map", "nx": 2, "ny": 2, "trials": 24, "catch_trials": 48}
CONFIG = {"plan": BODY, "listeners": ["base", "tuned"], "seed": 7, "margin": None}
PLAN = plan_from_dict(BODY)
CURVE = {"kind": "curve", "levels": 3, "trials": 8, "catch_trials": 12}
STAIRCASE = {"kind": "staircase", "high": -12, "trials": 20, "min_trials": 10}
TOGETHER = {"kind": "interleaved", "plans": [BODY, {**BODY, "task": "count"}]}
BOXES = ("maps", "change", "chart")


def answers(name, d_prime, deaf=(), plan=PLAN):
    """What a simulated listener answers, not hearing anything in the `deaf` cells."""
    good, bad = SimulatedObserver(d_prime, 0.0, 1), SimulatedObserver(0.0, 2.0, 2)
    trials, asking = [], plan.ask(7)
    batch = next(asking)
    while batch is not None:
        answered = []
        for one in batch:
            where = (one.coords["x"], one.coords.get("y", 0))
            who = bad if where in deaf and one.coords["role"] == "signal" else good
            scores = who.score([one.question])
            answered.append(
                make_trial(
                    one.question,
                    scores.log_probs[0],
                    float(scores.mass[0]),
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


def pair_of(base, tuned, plan=PLAN, lineage=None, **config):
    config, lineage = {**CONFIG, "plan": plan.to_dict(), **config}, lineage or {}
    trials = {"base": base, "tuned": tuned}
    made = CompareConfig.from_json(config)
    return Pair(made, lineage, RunningComparison(made, lineage, trials))


def words_of(config, lineage, base, tuned):
    """The page's words on a comparison."""
    trials = {"base": base, "tuned": tuned}
    made = CompareConfig.from_json(config)
    result = RunningComparison(made, lineage, trials)
    return headline_html(made, result) + parts_html(made, lineage, result)


@pytest.fixture(scope="module")
def lineage(root):
    path = (
        root
        / "spectcount"
        / "presets"
        / "models"
        / "tiny-lalm-adapters"
        / "example"
        / "lineage.json"
    )
    return {"trained": trained_of(json.loads(path.read_text())).to_dict(), "seen": []}


@pytest.fixture(scope="module")
def figures():
    with gr.Blocks():
        return PairFigures()


def test_the_verdict_comes_first_and_the_worse_cell_is_named(figures):
    pair = pair_of(answers("base", 4), answers("tuned", 4, deaf={(1, 1)}))
    words, new = pair_words(pair) + pair_parts(pair), figures.show(pair, "rate")
    base, tuned, change = (new[f] for f in (*figures.maps.figures, figures.change.figure))
    assert base["z"][0][0] > 0.7 and tuned["z"][1][1] < 0.4
    assert change["diverging"] and list(change["marks"].values()) == [[[1, 1]]]
    first = words.index('class="said said-')
    assert first < words.index("criterion c") < words.index("Cell by cell")
    assert "</b>: d_a -" in words and "at 95 %" in words
    assert "of 4 cells, 0 better, 1 worse, 3 no change shown" in words
    assert "Worse for sure:" in words and place_of(PLAN.axes, (1, 1)) in words


def test_no_change_is_never_called_unchanged():
    same = answers("a", 3)
    words = words_of(CONFIG, {}, same, same)
    assert "<b>no change shown</b>: d_a 0.00 [-" in words and "unchanged" not in words
    assert worse_html(difference(PLAN, same, same)) == ""
    margin = words_of({**CONFIG, "margin": 2.5}, {}, same, same)
    assert "<b>equivalent</b> within ±2.5" in margin


def test_held_out_parts_stand_apart(lineage):
    plan = plan_from_dict(
        {**BODY, "x": "level_dbfs", "x_low": -65, "x_high": -5, "y_low": 10, "y_high": 90}
    )
    base, tuned = answers("base", 2, plan=plan), answers("tuned", 2, plan=plan)
    words = words_of({**CONFIG, "plan": plan.to_dict()}, lineage, base, tuned)
    assert "<b>trained</b>: " in words and "<b>never trained (level)</b>: " in words
    assert "none that the adapter saw" in words
    seen = {**lineage, "seen": ["Not held out: seed 7 is that of probe-1"]}
    words = words_of({**CONFIG, "plan": plan.to_dict()}, seen, base, tuned)
    assert "Not held out: seed 7" in words and "none that the adapter saw" not in words
    unknown = words_of(CONFIG, {}, answers("base", 2), answers("tuned", 3))
    assert "nothing here can be called held out" in unknown


@pytest.mark.parametrize(
    "body,shown,boxes",
    [
        (CURVE, "level of level", [False, False, True]),
        ({"kind": "confusion", "trials": 4, "count_high": 3}, "accuracy", [True, False, True]),
        (STAIRCASE, "level of level", [False] * 3),
        (TOGETHER, "mean absolute", [False] * 3),
    ],
)
def test_every_kind_of_plan_has_its_words_and_boxes(body, shown, boxes, figures):
    plan = plan_from_dict(body)
    pair = pair_of(answers("base", 2, plan=plan), answers("tuned", 3, plan=plan), plan)
    new = figures.show(pair, "d_prime")
    assert shown in pair_words(pair) + pair_parts(pair)
    assert [new[getattr(figures, name).column]["visible"] for name in BOXES] == boxes
    assert figures.show(pair_of([], [], plan), "d_prime") == {}


def test_a_kind_has_a_mark_and_a_word():
    assert len(set(MARKS.values())) == len(MARKS)
    found = verdicts_html(
        [verdict(Interval(1, 0.5, 1.5), n=9), verdict(Interval(0, -1, 1), CRITERION)]
    )
    assert found.startswith('<p class="said said-improved" role="status">')
    assert '<ul class="said-also"><li><span class="mark" aria-hidden="true">○</span>' in found
    nothing = verdicts_html([verdict(Interval(math.nan, -math.inf, math.inf))])
    assert 'class="said said-not-measurable"' in nothing
    assert sentence_html("worse", "a < b") == (
        '<span class="mark" aria-hidden="true">▼</span> a &lt; b'
    )


def test_base_alone_is_refused():
    assert compared("m", "a") == ("m", "m@a")
    with pytest.raises(UserError, match="no tuned adapter"):
        compared("m", "none")
