"""The official scripts: how each reads a reply, and what it adds up over the replies of a file.

*Conventions*: a reading says which option was chosen, by its slot in the file's order; None where
the reply names no option, or more than one. `replies` are (item, reply) pairs in the file's order;
only items with a reply, since an item without a prediction is in none of the scripts'
denominators. A mark is True (right), False (wrong) or None (left out of the denominator by the
script). Gotchas come back as sentences with their counts, those that did not occur left out.

Sources: MMAU `evaluation.py` and MMAR `code/evaluation.py` (words); MMSU `mmsu_evaluation.py` and
AIR-Bench `score_foundation.py` (letters). Written anew from what they do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spectcount.benchmarks.items import Item

SCRIPT_LETTERS = "ABCD"
"""The letters that both scripts know."""
_WORD = re.compile(r"\w+")


def words(text: str) -> frozenset[str]:
    """The set of words of a text in lower case; order, repeats and signs are lost."""
    return frozenset(_WORD.findall(text.lower()))


def says(reply: str, option: str, options: Sequence[str]) -> bool:
    """The rule of words: the reply holds every word of `option` and none that only other options
    have. An option with the same words as this one excludes nothing."""
    has, wanted = words(reply), words(option)
    foreign = frozenset().union(*(words(other) - wanted for other in options))
    return bool(has) and wanted <= has and not has & foreign


def option_said(reply: str, options: Sequence[str | None]) -> int | None:
    """The slot of the one option that the reply says; None for none or for several different
    ones, unless the reply is one's very text. Of options with one text the first stands for all."""
    known = [option for option in options if option is not None]
    named = {option for option in known if says(reply, option, known)}
    named = {option for option in named if _plain(option) == _plain(reply)} or named
    return options.index(named.pop()) if len(named) == 1 else None


def is_empty(reply: str) -> bool:
    """True for what the scripts of letters take for no reply: nothing, or the word None."""
    return _one_line(reply) in ("", "None")


def letter_said(reply: str) -> str | None:
    """The rule of letters: the first character if it is A to D, else the last but one if it is;
    None otherwise, or where the reply is empty. "Answer: C" is therefore read as A."""
    line = _one_line(reply)
    if is_empty(reply):
        return None
    if line[0] in SCRIPT_LETTERS:
        return line[0]
    if len(line) > 1 and line[-2] in SCRIPT_LETTERS:
        return line[-2]
    return None


def is_from_a_word(reply: str) -> bool:
    """True where the letter that was read only begins a longer word ("Answer", "Because")."""
    return re.match(r"\s*[A-D]\w", reply) is not None


def slot_of_letter(letter: str | None, options: Sequence[str | None]) -> int | None:
    """The slot of a letter; None where no option stands there."""
    if letter is None:
        return None
    slot = SCRIPT_LETTERS.index(letter)
    return slot if slot < len(options) and options[slot] is not None else None


def _plain(text: str) -> str:
    """A text without what does not matter for being the very one."""
    return text.strip().rstrip(".").casefold()


def _one_line(reply: str) -> str:
    return reply.strip().replace("\n", "")


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
        right = says(reply, item.answer or "", item.choices)
        marks.append(right)
        same += right and option_said(reply, item.options) is None
        letters += not right and _blamed_letter(item, reply)
    counts = (
        (
            same,
            "counted right although another option has the same words in another order or "
            "with other signs",
        ),
        (letters, "counted wrong only because the option's letter is a word of a wrong option"),
    )
    return Official(tuple(marks), _sentences(counts))


def mmsu(replies: Replies) -> Official:
    """MMSU: unreadable replies leave the denominator; an empty one is given the letter that was
    read last; the letter's text must equal the answer."""
    marks: list[bool | None] = []
    last, reused, dropped, stops = None, 0, 0, ""
    for item, reply in replies:
        if is_empty(reply):
            reused += last is not None
            if last is None:
                stops = stops or f"{item.id}, before any letter was read, has an empty reply"
        else:
            letter = letter_said(reply)
            dropped += letter is None
            if letter is None:
                marks.append(None)
                continue
            last = letter
        marks.append(None if last is None else _text_at(item, last) == item.answer)
    counts = (
        (dropped, "could not be read and left the denominator"),
        (reused, "empty, scored with the letter of an earlier reply"),
        (_from_words(replies), "begin with a word whose first letter was taken for the answer"),
    )
    return Official(tuple(marks), _sentences(counts), stops)


def air_bench(replies: Replies) -> Official:
    """AIR-Bench: unreadable and empty replies leave the denominator; the letter must be that of
    the first option with the answer's text."""
    marks: list[bool | None] = []
    stops, twins = "", 0
    for item, reply in replies:
        letter = letter_said(reply)
        if letter is None:
            marks.append(None)
            continue
        if item.answer not in item.options:
            stops = stops or f"the answer of {item.id} is none of its options"
            marks.append(None)
            continue
        slot = slot_of_letter(letter, item.options)
        marks.append(slot == item.options.index(item.answer))
        twins += not marks[-1] and _text_at(item, letter) == item.answer
    counts = (
        (marks.count(None), "could not be read, or were empty, and left the denominator"),
        (twins, "counted wrong although their option has the answer's very text, in a later place"),
        (_from_words(replies), "begin with a word whose first letter was taken for the answer"),
    )
    return Official(tuple(marks), _sentences(counts), stops or _never_read(replies, marks))


def _never_read(replies: Replies, marks: Sequence[bool | None]) -> str:
    """AIR-Bench's script looks up every set's total, and fails where no reply of a set was read."""
    read = {
        item.stratum("set")
        for (item, _), mark in zip(replies, marks, strict=True)
        if mark is not None
    }
    lost = [item.stratum("set") for item, _ in replies if item.stratum("set") not in read]
    return f"no reply of {lost[0]} could be read" if lost else ""


def _text_at(item: Item, letter: str) -> str | None:
    slot = slot_of_letter(letter, item.options)
    return None if slot is None else item.options[slot]


def _blamed_letter(item: Item, reply: str) -> bool:
    """True where a reply such as "(A) Yes" would be right without its letter in front."""
    head, _, rest = reply.strip().lstrip("(").partition(" ")
    is_letter = len(head.rstrip(").:")) == 1 and head[:1].isalpha()
    return is_letter and says(rest, item.answer or "", item.choices)


def _from_words(replies: Replies) -> int:
    return sum(is_from_a_word(reply) for _, reply in replies)


def _sentences(counts: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(f"{n} {'reply' if n == 1 else 'replies'}: {words}" for n, words in counts if n)
