"""Tasks: truth, wordings, and a parser that says "unparsed" rather than guess."""

import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.stimulus import Event, Stimulus
from spectcount.tasks import TASKS, task


def tone(onset_s):
    return Event(onset_s, 0.1, 1000.0, -20.0)


@pytest.mark.parametrize("n", [0, 1, 10])
def test_truth_of_count_and_detect(n):
    stimulus = draw(Pulses(n_events=n), 0)
    assert task("count").truth(stimulus) == str(n)
    assert task("detect").truth(stimulus) == ("yes" if n else "no")


def test_counts_beyond_the_closed_set_have_no_truth():
    assert task("count").truth(draw(Pulses(n_events=11, duration_s=8), 0)) is None


@pytest.mark.parametrize(
    "onsets,truth",
    [((0.1,), "first"), ((0.6,), "second"), ((0.1, 0.3), "first"), ((0.1, 0.6), None), ((), None)],
)
def test_truth_of_the_interval(onsets, truth):
    stimulus = Stimulus(1.0, tuple(tone(t) for t in onsets))
    assert task("interval").truth(stimulus) == truth


@pytest.mark.parametrize("name", TASKS)
def test_wordings_are_distinct_and_held_out_ones_apart(name):
    t = TASKS[name]
    prompts = [t.prompt(i, reverse) for i in range(len(t.all_wordings)) for reverse in (0, 1)]
    assert len(set(prompts)) == len(t.all_wordings) * (2 if t.reversible else 1)
    assert not set(t.wordings) & set(t.held_out) and len(t.held_out) >= 2
    assert not any("{" in p for p in prompts)


def test_options_are_swapped_and_nothing_else():
    detect = task("detect")
    assert "yes or no" in detect.prompt(0) and "no or yes" in detect.prompt(0, reverse=True)
    assert detect.prompt(0).replace("yes or no", "no or yes") == detect.prompt(0, reverse=True)
    assert not task("count").reversible


def test_every_answer_parses_as_itself():
    for t in TASKS.values():
        assert [t.parse(a) for a in t.answers] == list(t.answers)


@pytest.mark.parametrize(
    "name,reply,answer",
    [
        ("detect", "Yes.", "yes"),
        ("detect", "No, there is nothing", "no"),
        ("detect", "yes or no", None),
        ("detect", "I know nothing", None),
        ("detect", "", None),
        ("count", "There are 3 beeps.", "3"),
        ("count", "three", "3"),
        ("count", "3 (three)", "3"),
        ("count", "Ten!", "10"),
        ("count", "007", "7"),
        ("count", "3 or 4", None),
        ("count", "11", None),
        ("count", "2.5", None),
        ("count", "-3", None),
        ("count", "many", None),
        ("interval", "The SECOND one", "second"),
        ("interval", "first, then second", None),
    ],
)
def test_replies(name, reply, answer):
    assert task(name).parse(reply) == answer


def test_unknown_names_and_wordings_are_refused():
    with pytest.raises(UserError, match="task 'tally' is not known; choose one of detect"):
        task("tally")
    with pytest.raises(UserError, match=r"wording=99 is not known; count has 0\.\."):
        task("count").prompt(99)
