"""The two rules for one reply, and what the official scripts add up from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectcount.benchmarks import official
from spectcount.benchmarks.items import Item

DIRECTIONS = ("From near to far", "From far to near", "Not moving")


def item(answer, *options, row=0, **strata):
    return Item(row, f"i{row}", Path("x.wav"), "What?", options, answer, tuple(strata.items()))


def letters(*replies, answer="b", options=("a", "b", "c", "d"), task="t"):
    return [
        (item(answer, *options, row=i, task=task, set=task), reply)
        for i, reply in enumerate(replies)
    ]


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("Grand piano", True),
        ("piano, grand!", True),
        ("The answer is: a GRAND piano.", True),
        ("piano", False),
        ("Grand piano and violin", False),
        ("", False),
        ("...", False),
        ("B", False),
    ],
)
def test_a_reply_needs_every_word_of_the_answer_and_none_of_a_wrong_option_only(reply, right):
    assert official.says(reply, "Grand piano", ("Violin", "Grand piano", "Drums")) is right


def test_a_word_that_the_answer_shares_with_a_wrong_option_does_no_harm():
    assert official.says("a minor", "A minor", ("A minor", "A major", "B minor"))
    assert not official.says("a minor, a major", "A minor", ("A minor", "A major"))


def test_options_of_the_same_words_cannot_be_told_apart_by_the_rule_of_words():
    said = "From far to near, they say"
    assert official.says(said, DIRECTIONS[0], DIRECTIONS) and official.says(
        said, DIRECTIONS[1], DIRECTIONS
    )
    assert official.option_said(said, DIRECTIONS) is None
    assert official.option_said("from far to near.", DIRECTIONS) == 1


def test_of_options_with_one_text_the_first_stands_for_all():
    assert official.option_said("fourteen", ("four", "fourteen", "nine", "fourteen")) == 1


def test_a_letter_that_is_a_word_of_a_wrong_option_makes_a_right_reply_wrong():
    found = official.by_words([(item("The cat", "A dog", "The cat"), "(A) The cat")])
    assert found.marks == (False,)
    assert found.gotchas == (
        "1 reply: counted wrong only because the option's letter is a word of a wrong option",
    )


def test_words_counted_right_for_another_option_are_named():
    found = official.by_words([(item(DIRECTIONS[0], *DIRECTIONS), "It goes from far to near.")])
    assert found.marks == (True,)
    assert "same words in another order" in found.gotchas[0]


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"),
        (" B. because", "B"),
        ("The answer is C.", "C"),
        ("(D)", "D"),
        ("Answer: C", "A"),
        ("Because it is D", "B"),
        ("the answer is C", None),
        ("I cannot\nsay", None),
        ("x", None),
        ("E", None),
        ("", None),
        ("None", None),
        ("\n\n", None),
        ("b", None),
    ],
)
def test_a_letter_is_read_first_or_last_but_one(reply, letter):
    assert official.letter_said(reply) == letter


def test_a_letter_without_an_option_names_nothing():
    assert official.slot_of_letter("C", ("yes", "no")) is None
    assert official.slot_of_letter("A", (None, "male", None, "female")) is None
    assert official.slot_of_letter("D", (None, "male", None, "female")) == 3


def test_mmsu_drops_what_it_cannot_read_and_reuses_the_letter_for_an_empty_reply():
    found = official.mmsu(letters("B", "", "no idea", "None", "A", " ", "Bass"))
    assert found.marks == (True, True, None, True, False, False, True)
    assert found.stops == ""
    assert found.gotchas == (
        "1 reply: could not be read and left the denominator",
        "3 replies: empty, scored with the letter of an earlier reply",
        "1 reply: begin with a word whose first letter was taken for the answer",
    )


def test_an_empty_first_reply_stops_the_script_of_mmsu():
    found = official.mmsu(letters("", "B"))
    assert found.stops and found.marks == (None, True)


def test_mmsu_accepts_either_of_two_options_with_the_answers_text():
    found = official.mmsu(letters("A", "C", "B", answer="x", options=("x", "y", "x", "z")))
    assert found.marks == (True, True, False)


def test_air_bench_wants_the_first_of_two_options_with_the_answers_text():
    found = official.air_bench(letters("A", "C", answer="x", options=("x", "y", "x", "z")))
    assert found.marks == (True, False)
    assert "later place" in found.gotchas[0]


def test_air_bench_drops_empty_and_unreadable_replies():
    found = official.air_bench(letters("B", "", "None", "dunno", "A.", "The answer is B."))
    assert found.marks == (True, None, None, None, False, True)
    assert found.gotchas[0].startswith("3 replies: could not be read")


def test_a_set_without_a_readable_reply_stops_the_script_of_air_bench():
    replies = letters("B") + letters("dunno", task="u")
    assert official.air_bench(replies).stops == "no reply of u could be read"


def test_an_answer_that_is_no_option_stops_the_script_of_air_bench():
    assert "none of its options" in official.air_bench(letters("A", answer="q")).stops
