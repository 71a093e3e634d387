"""Answers that follow a slider, and strips of them, from this process and from the scorer."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from spectcount import actions, listeners, rates, visitors
from spectcount.actions import Superseded, ask_live, ask_strip, drop_live
from spectcount.errors import UserError
from spectcount.listeners.scorer import live
from spectcount.settings import load_settings
from spectcount.trials import Question

BOTH = ("tiny-lalm", "tiny-lalm@example")


@pytest.fixture(scope="module", params=["in this process", "from the scorer"])
def served(request, tmp_path_factory):
    environ = {"SPECTCOUNT_SCORER_IDLE_S": "60" if "scorer" in request.param else "0"}
    home = tmp_path_factory.mktemp("live") / "home"
    settings = load_settings(mode="local", home=home, device="cpu", environ=environ)
    yield settings
    listeners.end_scorer(settings)


def drawn(settings, n):
    sounds = [actions.preset_stimulus(settings, "wide", {}, seed) for seed in range(n)]
    return [Question(sound, "count") for sound in sounds]


@pytest.mark.slow
def test_live_answers_are_those_of_ask(served):
    (question,) = drawn(served, 1)
    specs = [*BOTH, "ideal", "dsp", "silence:tiny-lalm"]
    answers = ask_live(served, specs, question, page="p")
    assert [answer.spec for answer in answers] == specs
    for answer in answers:
        same = actions.ask(served, answer.spec, question, with_reply=False)
        assert answer.result.fingerprint == same.fingerprint
        assert answer.result.log_probs == same.log_probs and answer.result.mass == same.mass
        assert answer.trial.key == question.key and answer.trial.listener == answer.spec


@pytest.mark.slow
def test_a_listener_that_declines_does_not_take_the_others_with_it(served):
    (question,) = drawn(served, 1)
    long = Question(None, "count", waveform=np.zeros(12 * 16_000, np.float32))
    base, unknown, ideal = ask_live(served, ["tiny-lalm", "tiny-lalm@none", "ideal"], question)
    assert base.trial.answer and ideal.trial.answer
    assert unknown.result is None and "adapter 'none' of tiny-lalm is not known" in unknown.refusal
    both = ask_live(served, BOTH, long)
    assert all("tiny-lalm hears 0.10 to 10 s" in answer.refusal for answer in both)
    assert all(answer.trial is None for answer in both)


@pytest.mark.slow
def test_a_strip_answers_every_point_once_and_in_order(served):
    questions = drawn(served, 20)
    answers = [*ask_strip(served, [*BOTH, "ideal"], questions, page="p:strip")]
    for spec in (*BOTH, "ideal"):
        mine = [answer for answer in answers if answer.spec == spec]
        assert [answer.index for answer in mine] == [*range(20)]
        assert [answer.trial.key for answer in mine] == [q.key for q in questions]
    alone = [*ask_strip(served, BOTH[1:], questions)]
    tuned = [answer for answer in answers if answer.spec == BOTH[1]]
    assert [a.trial.log_probs for a in alone] == [a.trial.log_probs for a in tuned]


@pytest.mark.slow
def test_a_newer_strip_of_the_page_ends_the_older(served):
    questions = drawn(served, 20)
    older = ask_strip(served, BOTH, questions, page="p:gap_ms")
    assert next(older).index == 0
    newer = ask_strip(served, BOTH, questions[:2], page="p:gap_ms")
    assert len([*newer]) == 4
    with pytest.raises(Superseded):
        assert len([*older]) < 2 * 20
    third = ask_strip(served, BOTH, questions, page="p:gap_ms")
    next(third)
    drop_live(served, "p:gap_ms")
    with pytest.raises(Superseded):
        assert len([*third]) < 2 * 20


@pytest.mark.slow
def test_a_slider_does_not_wait_for_a_strip(served):
    questions = drawn(served, 40)
    answers, started = [], threading.Event()

    def strip():
        for answer in ask_strip(served, BOTH, questions, page="s"):
            answers.append(answer)
            started.set()

    thread = threading.Thread(target=strip)
    thread.start()
    assert started.wait(60)
    (live_answer,) = ask_live(served, BOTH[:1], questions[0], page="slider")
    assert live_answer.trial is not None and len(answers) < 80
    thread.join()
    assert len(answers) == 80


def test_allowances_of_the_demo_are_spent_before_anything_is_asked(settings, monkeypatch):
    def refuse(settings, asking, questions):
        raise AssertionError("a model was asked")

    monkeypatch.setattr(live, "parts", refuse)
    (question,) = drawn(settings, 1)
    rates.PUBLIC.forget()
    with visitors.acting_for("visitor"), pytest.raises(UserError, match="answers of response str"):
        ask_strip(settings, BOTH, [question] * 500)
    rates.PUBLIC.forget()
    with visitors.acting_for("visitor"), pytest.raises(UserError, match="questions to a model"):
        for _ in range(40):
            ask_live(settings, ["tiny-lalm@none"], question)
    rates.PUBLIC.forget()


def test_pages_of_two_visitors_do_not_drop_each_other(settings, monkeypatch):
    pages = []
    monkeypatch.setattr(live, "drop", lambda settings, page: pages.append(page))
    for visitor in ("a", "b", None):
        with visitors.acting_for(visitor):
            drop_live(settings, "p")
    assert len({*pages}) == 3
