"""A person takes a plan: the same questions as any listener's, left and resumed without loss."""

import pytest

from spectcount.actions.listening import Session
from spectcount.errors import UserError
from spectcount.listeners.observers.observer import Human
from spectcount.probing.plan import plan_from_dict

PLAN = {
    "kind": "curve",
    "task": "detect",
    "parameter": "level_dbfs",
    "start": -50,
    "stop": -20,
    "levels": 3,
    "trials": 4,
    "catch_trials": 4,
    "design": {"duration_s": 1.0},
}


def session(answered=(), name="you"):
    return Session(plan_from_dict(PLAN), 3, Human(name, "run"), answered)


def take(one, n, answer="yes"):
    for _ in range(n):
        one.answer(answer, 1.25)
    return one


def test_the_questions_are_those_of_the_plan_in_its_order():
    one = session()
    asked = []
    while one.current is not None:
        asked.append(one.current.question.key)
        one.answer("no")
    assert asked == [p.question.key for p in plan_from_dict(PLAN).questions(3)]


def test_an_answer_is_a_trial_with_its_time_and_all_of_the_probability():
    trial = session().answer("yes", 0.5)
    assert (trial.answer, trial.mass, trial.reply, trial.coords["seconds"]) == (
        "yes",
        1,
        "yes",
        0.5,
    )
    assert trial.fingerprint == "human-1:you:run"
    assert trial.log_probs == (0.0, -1e9)


def test_a_session_that_was_left_goes_on_where_it_was():
    whole = take(session(), 16)
    left = take(session(), 7)
    resumed = take(session(left.trials), 9)
    assert [t.key for t in resumed.trials] == [t.key for t in whole.trials]
    assert resumed.current is None
    with pytest.raises(UserError, match="every question of this session is answered"):
        resumed.answer("yes")


def test_an_answer_outside_the_set_is_refused_and_nothing_is_lost():
    one = take(session(), 2)
    before = one.current
    with pytest.raises(UserError, match="answer 'maybe' is not allowed; choose one of yes, no"):
        one.answer("maybe")
    assert one.current == before and len(one.trials) == 2
