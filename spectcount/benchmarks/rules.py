"""How a reply is read: the two rules of the official scripts, each for one reply at a time.

*Conventions*: a reading says which option was chosen, by its slot in the file's order; None where
the reply names no option, or more than one. What an official script adds up from its readings,
in the order of its file, is in `official`.

Sources: MMAU `evaluation.py` and MMAR `code/evaluation.py` (words); MMSU `mmsu_evaluation.py` and
AIR-Bench `score_foundation.py` (letters). Written anew from what they do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SCRIPT_LETTERS = "ABCD"
"""The letters that both scripts know."""
_WORD = re.compile(r"\w+")


def words(text: str) -> frozenset[str]:
    """The set of words of a text in lower case; order, repeats and signs are lost."""
    return frozenset(_WORD.findall(text.lower()))


def says(reply: str, option: str, options: Sequence[str]) -> bool:
    """The rule of words: the reply holds every word of `option` and none that only other options
    have. An option with the same words as this one excludes nothing."""
    said, wanted = words(reply), words(option)
    foreign = frozenset().union(*(words(other) - wanted for other in options))
    return bool(said) and wanted <= said and not said & foreign


def option_said(reply: str, options: Sequence[str | None]) -> int | None:
    """The slot of the one option that the reply says; None for none or for several different
    ones, unless the reply is one's very text. Of options with one text the first stands for all."""
    known = [option for option in options if option is not None]
    found = {option for option in known if says(reply, option, known)}
    found = {option for option in found if _plain(option) == _plain(reply)} or found
    return options.index(found.pop()) if len(found) == 1 else None


def is_empty(reply: str) -> bool:
    """What the scripts of letters take for no reply: nothing, or the word None."""
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
    """Whether the letter that was read only begins a longer word ("Answer", "Because")."""
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
