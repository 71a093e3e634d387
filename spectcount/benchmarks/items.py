"""Item: one question of a benchmark about one sound, and the orders its options come in.

*Conventions*: options lie in slots 0, 1, 2, ... with the letters A, B, C, ...; a slot may be empty
(None), since some items leave out letters in the middle. A rotation r shows in the i-th filled slot
the option of the (i + r)-th, so rotation 0 is the file's own order. An item holds what may be asked
and nothing else: fields of the file that would give the answer away are never read into it.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectcount.errors import UserError

_WORD = re.compile(r"\w+")
_COUNTS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
).split()
_GROUPED = re.compile(r"[+-]?\d{1,3}([,' ]\d{3})+(\.\d+)?")
_NUMBER = re.compile(
    r"(?<![\w.,])[+-]?(?:\d{1,3}(?:[,' ]\d{3})+(?!\d)(?:\.\d+)?|\d*[.,]?\d+)(?:e[+-]?\d{1,2})?"
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Item:
    """One question. `row` is its place in the file, counted from 0; `sound` is the
    name of its clip as the file has it, `audio` where that lies; `answer` is the right option's
    text, None where the benchmark keeps it secret; `strata` are (kind, name) pairs such as
    ("task", "music")."""

    row: int
    id: str
    audio: Path
    question: str
    options: tuple[str | None, ...]
    answer: str | None
    strata: tuple[tuple[str, str], ...] = ()
    sound: str = ""

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise UserError(f"item {self.id} (row {self.row}) asks nothing; mend the file")
        if not 2 <= len(self.slots) <= len(LETTERS):
            raise UserError(
                f"item {self.id} (row {self.row}) has {len(self.slots)} options; "
                f"2 to {len(LETTERS)} can be asked"
            )

    @property
    def slots(self) -> tuple[int, ...]:
        """The filled slots."""
        return tuple(i for i, option in enumerate(self.options) if option is not None)

    @property
    def choices(self) -> tuple[str, ...]:
        """The options that there are, in the file's order."""
        return tuple(option for option in self.options if option is not None)

    @property
    def n_rotations(self) -> int:
        return len(self.slots)

    def rotated(self, rotation: int = 0) -> tuple[str | None, ...]:
        """The slots as they are asked in a rotation."""
        order: list[str | None] = [None] * len(self.options)
        for i, slot in enumerate(self.slots):
            order[slot] = self.choices[(i + rotation) % len(self.choices)]
        return tuple(order)

    @functools.cached_property
    def right(self) -> str | None:
        """The option that is the answer: the one with its very text, else the only one that is
        alike (see `plain`); None where there is none, or no answer."""
        if self.answer is None or self.answer in self.choices:
            return self.answer
        alike = {option for option in self.choices if plain(option) == plain(self.answer)}
        return alike.pop() if len(alike) == 1 else None

    def stratum(self, kind: str) -> str:
        """Its stratum of a kind; "" where it has none."""
        return dict(self.strata).get(kind, "")


def plain(text: str) -> str:
    """A text without what does not matter for being the same answer: case, white space, final
    stops, and the form of numbers (1,000 and 1000.0; 3,5 and 3.5; three and 3)."""
    words = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    words = _WORD.sub(lambda m: str(_COUNTS.index(m[0])) if m[0] in _COUNTS else m[0], words)
    return _NUMBER.sub(_plain_number, words).rstrip(" .")


def _plain_number(match: re.Match[str]) -> str:
    digits = match[0]
    if _GROUPED.fullmatch(digits):
        digits = re.sub(r"[,' ](?=\d{3})", "", digits)
    return f"{float(digits.replace(',', '.')):.12g}"


def position_of(options: Sequence[str | None], text: str | None) -> int | None:
    """The place, from 0, of an option among those shown; the first where it is there twice."""
    filled = [option for option in options if option is not None]
    return filled.index(text) if text in filled else None


def pick(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """All items, or `limit` of them drawn at `seed` without replacement, in the file's order."""
    if limit is None or limit >= len(items):
        return list(items)
    if limit < 1:
        raise UserError(f"limit={limit} asks nothing; give 1 or more, or leave it out")
    rows = np.random.default_rng(seed).choice(len(items), limit, replace=False)
    return [items[i] for i in sorted(rows)]
