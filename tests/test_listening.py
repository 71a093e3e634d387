"""You as the listener, through the functions that page and terminal share."""

import sys

import pytest

from spectcount import actions, cli, jobs
from spectcount.actions import listening
from spectcount.errors import UserError
from spectcount.store import Store

PLAN = {
    "kind": "curve",
    "task": "detect",
    "parameter": "level_dbfs",
    "start": -40,
    "stop": -20,
    "levels": 2,
    "trials": 2,
    "catch_trials": 2,
    "design": {"duration_s": 1.0},
}


def answer_all(settings, run_id, n=None):
    given = 0
    while n is None or given < n:
        asked = actions.next_question(settings, run_id, practised=99)
        if asked.question is None:
            return asked.run
        actions.give_answer(settings, run_id, asked.question.key, asked.question.truth, 1.0)
        given += 1
    return None


def test_a_session_waits_for_a_person_and_no_worker_takes_it(settings):
    run = actions.start_listening(settings, PLAN)
    store = Store(settings.database)
    jobs.tend(store, settings)
    assert store.run(run.id).state == "open"


def test_every_answer_is_kept_at_once_and_the_end_is_summed_up(settings):
    run = actions.start_listening(settings, PLAN, seed=4)
    answer_all(settings, run.id, 3)
    assert len(Store(settings.database).trials(run.id)) == 3
    listening._sessions.clear()  # another process
    ended = answer_all(settings, run.id)
    assert (ended.state, ended.done) == ("done", 6)
    assert ended.summary["overall"]["you"]["rate"]["value"] == 1.0


def test_practice_comes_first_and_leaves_no_trace(settings):
    run = actions.start_listening(settings, PLAN, options={"practice": 2})
    first, second, third = (actions.next_question(settings, run.id, n) for n in range(3))
    assert [first.practice, second.practice, third.practice] == [True, True, False]
    test_keys = {first.question.key, second.question.key}
    answer_all(settings, run.id)
    assert not test_keys & {t.key for t in Store(settings.database).trials(run.id)}


def test_a_second_tab_cannot_answer_another_question(settings):
    run = actions.start_listening(settings, PLAN)
    asked = actions.next_question(settings, run.id, 99)
    actions.give_answer(settings, run.id, asked.question.key, "yes")
    with pytest.raises(UserError, match="answered already"):
        actions.give_answer(settings, run.id, asked.question.key, "yes")


def test_a_break_is_offered_after_so_many_answers(settings):
    run = actions.start_listening(settings, PLAN, options={"break_every": 2})
    pauses = []
    for _ in range(6):
        asked = actions.next_question(settings, run.id, 99)
        pauses.append(asked.pause)
        actions.give_answer(settings, run.id, asked.question.key, "no")
    assert pauses == [False, False, True, False, True, False]


def test_a_session_can_be_ended_early_and_then_takes_no_answer(settings):
    run = actions.start_listening(settings, PLAN)
    answer_all(settings, run.id, 2)
    ended = actions.stop_listening(settings, run.id)
    assert (ended.state, ended.done) == ("stopped", 2)
    assert "after 2 answers" in ended.reason
    with pytest.raises(UserError, match="was ended; start another one"):
        actions.next_question(settings, run.id)
    other = actions.start_listening(settings, PLAN)
    assert actions.cancel(settings, other.id).state == "stopped"


def test_bad_input_is_refused(settings):
    with pytest.raises(UserError, match="practice=99 is above the limit 50"):
        actions.start_listening(settings, PLAN, options={"practice": 99})
    with pytest.raises(UserError, match="is not usable"):
        actions.start_listening(settings, PLAN, name="a@b")
    with pytest.raises(UserError, match="there is no run"):
        actions.next_question(settings, "listen-nothing")


def test_the_terminal_takes_a_session(settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SPECTCOUNT_HOME", str(settings.home))
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "title: T\nabout: A.\nplan: {kind: curve, task: detect, start: -40, stop: -20, levels: 2, "
        "trials: 1, catch_trials: 1, design: {duration_s: 1.0}}\n"
    )
    answers = iter(["maybe", "yes", "no", "yes"])
    monkeypatch.setattr("typer.prompt", lambda *a, **k: next(answers))
    out = tmp_path / "clip.wav"
    command = ["spectcount", "listen", str(plan), "--practice", "0", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as end:
        cli.main()
    printed = capsys.readouterr()
    assert end.value.code == 0 and out.stat().st_size > 1000
    assert "'maybe' is none of yes, no" in printed.err
    assert "  done  " in printed.out


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0, 1e9, "x", True, [1]])
def test_a_time_that_is_none_is_refused(settings, seconds):
    run = actions.start_listening(settings, "listen-level", options={"practice": 0})
    question = actions.next_question(settings, run.id).question
    with pytest.raises(UserError, match="is no time of an answer"):
        actions.give_answer(settings, run.id, question.key, question.answers[0], seconds)
