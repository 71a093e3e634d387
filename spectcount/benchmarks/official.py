"""The official scores: every reply in the file's order, with all that the scripts do on the way.

*Conventions*: `replies` are (item, reply) pairs in the file's order; only items with a reply, since
an item without a prediction is in none of the scripts' denominators. A mark is True (right), False
(wrong) or None (left out of the denominator by the script). Gotchas come back as sentences with
their counts, those that did not occur left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spectcount.benchmarks import rules
from spectcount.benchmarks.items import Item

Replies = Sequence[tuple[Item, str]]


@dataclass(frozen=True)
class Official:
    """Marks in the order of the replies, what happened on the way, and whether the script itself
    ends with an error on this file, with the reason."""

    marks: tuple[bool | None, ...]
    gotchas: tuple[str, ...] = ()
    stops: str = ""


Script = Callable[[Replies], Official]


def by_words(replies: Replies) -> Official:
    """MMAU and MMAR: an empty reply is wrong; so is one with a word of a wrong option only."""
    marks, same, letters = [], 0, 0
    for item, reply in replies:
        right = rules.says(reply, item.answer or "", item.choices)
        marks.append(right)
        same += right and rules.option_said(reply, item.options) is None
        letters += not right and _blamed_letter(item, reply)
    said = (
        (same, "counted right although another option has the same words in another order or "
               "with other signs"),
        (letters, "counted wrong only because the option's letter is a word of a wrong option"),
    )  # fmt: skip
    return Official(tuple(marks), _sentences(said))


def mmsu(replies: Replies) -> Official:
    """MMSU: unreadable replies leave the denominator; an empty one is given the letter that was
    read last; the letter's text must equal the answer."""
    marks: list[bool | None] = []
    last, reused, dropped, stops = None, 0, 0, ""
    for item, reply in replies:
        if rules.is_empty(reply):
            reused += last is not None
            if last is None:
                stops = stops or f"{item.id}, before any letter was read, has an empty reply"
        else:
            letter = rules.letter_said(reply)
            dropped += letter is None
            if letter is None:
                marks.append(None)
                continue
            last = letter
        marks.append(None if last is None else _text_at(item, last) == item.answer)
    said = (
        (dropped, "could not be read and left the denominator"),
        (reused, "empty, scored with the letter of an earlier reply"),
        (_from_words(replies), "begin with a word whose first letter was taken for the answer"),
    )
    return Official(tuple(marks), _sentences(said), stops)


def air_bench(replies: Replies) -> Official:
    """AIR-Bench: unreadable and empty replies leave the denominator; the letter must be that of
    the first option with the answer's text."""
    marks: list[bool | None] = []
    stops, twins = "", 0
    for item, reply in replies:
        letter = rules.letter_said(reply)
        if letter is None:
            marks.append(None)
            continue
        if item.answer not in item.options:
            stops = stops or f"the answer of {item.id} is none of its options"
            marks.append(None)
            continue
        slot = rules.slot_of_letter(letter, item.options)
        marks.append(slot == item.options.index(item.answer))
        twins += not marks[-1] and _text_at(item, letter) == item.answer
    said = (
        (marks.count(None), "could not be read, or were empty, and left the denominator"),
        (twins, "counted wrong although their option has the answer's very text, in a later place"),
        (_from_words(replies), "begin with a word whose first letter was taken for the answer"),
    )
    return Official(tuple(marks), _sentences(said), stops or _never_read(replies, marks))


def _never_read(replies: Replies, marks: Sequence[bool | None]) -> str:
    """AIR-Bench's script looks up every set's total, and fails where no reply of a set was read."""
    read = {item.stratum("set") for (item, _), mark in zip(replies, marks, strict=True)
            if mark is not None}  # fmt: skip
    lost = [item.stratum("set") for item, _ in replies if item.stratum("set") not in read]
    return f"no reply of {lost[0]} could be read" if lost else ""


def _text_at(item: Item, letter: str) -> str | None:
    slot = rules.slot_of_letter(letter, item.options)
    return None if slot is None else item.options[slot]


def _blamed_letter(item: Item, reply: str) -> bool:
    """Whether a reply such as "(A) Yes" would be right without its letter in front."""
    head, _, rest = reply.strip().lstrip("(").partition(" ")
    is_letter = len(head.rstrip(").:")) == 1 and head[:1].isalpha()
    return is_letter and rules.says(rest, item.answer or "", item.choices)


def _from_words(replies: Replies) -> int:
    return sum(rules.is_from_a_word(reply) for _, reply in replies)


def _sentences(said: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(f"{n} {'reply' if n == 1 else 'replies'}: {words}" for n, words in said if n)
