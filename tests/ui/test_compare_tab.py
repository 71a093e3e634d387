"""The Compare tab without a browser: difference, what was forgotten, refusals."""

from __future__ import annotations

import pytest

from spectcount.errors import UserError
from spectcount.listeners.simulated import SimulatedObserver
from spectcount.probing.difference import difference
from spectcount.probing.plan import plan_from_dict
from spectcount.trials import make_trial
from spectcount.ui.compare import Pair, compared, figures, forgotten_html

PLAN = plan_from_dict({"kind": "map", "nx": 2, "ny": 2, "trials": 24, "catch_trials": 24})


def answers(name, d_prime, deaf=()):
    """What a simulated listener answers, not hearing anything in the `deaf` cells."""
    planned = PLAN.questions(7)
    good, bad = SimulatedObserver(d_prime, 0.0, 1), SimulatedObserver(0.0, 2.0, 2)
    trials = []
    for one in planned:
        where = (one.coords["x"], one.coords["y"])
        who = bad if where in deaf and one.coords["role"] == "signal" else good
        scores = who.score([one.question])
        trials.append(
            make_trial(
                one.question, scores.log_probs[0], float(scores.mass[0]), fingerprint=name,
                listener=name, coords=one.coords,
            )
        )  # fmt: skip
    return trials


@pytest.fixture(scope="module")
def pair():
    return Pair(PLAN, ("base", "tuned"), answers("base", 4), answers("tuned", 4, deaf={(1, 1)}))


def test_the_forgotten_cell_is_named_and_marked(pair):
    words, _, base, tuned, _, change, *_ = figures(pair, "rate")
    assert base["z"][0][0] > 0.7 and tuned["z"][1][1] < 0.4
    assert change["diverging"] and change["z_range"] == [-1.0, 1.0]
    assert list(change["marks"].values()) == [[[1, 1]]]
    assert "cell (1, 1)" in words and "1 worse" in words and "at 95 %" in words


def test_nothing_forgotten_is_said():
    same = answers("a", 3)
    found = difference(PLAN, same, same)
    assert "Nothing for sure" in forgotten_html(found, found.changed)


def test_base_alone_is_refused():
    assert compared("m", "a") == ("m", "m@a")
    with pytest.raises(UserError, match="no tuned adapter"):
        compared("m", "none")
