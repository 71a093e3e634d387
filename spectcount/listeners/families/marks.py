"""Marks of a model's own format within a user's words: refused, they would not be read as words.

A question that contains the text of the end of a turn ends there, and one that contains the clip's
placeholder asks for a second clip (on a CUDA device that stops the whole process).

Conventions: marks are the tokenizer's special tokens and the clip's placeholder, as text.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable
from typing import Any

from spectcount.errors import UserError

_patterns: weakref.WeakKeyDictionary[Any, re.Pattern[str]] = weakref.WeakKeyDictionary()
"""By processor; gone when it is."""


def refuse(texts: Iterable[str], processor: Any, audio_id: int, name: str) -> None:
    """Raise `UserError` where one of `texts` has a mark of the processor's tokenizer in it."""
    if processor not in _patterns:
        _patterns[processor] = _pattern(processor.tokenizer, audio_id)
    for text in texts:
        if found := _patterns[processor].search(text):
            raise UserError(
                f"{found[0]!r} is a mark of {name}'s own format and would not be read as words "
                f"(in {text[:60]!r}); write it in another way"
            )


def _pattern(tokenizer: Any, audio_id: int) -> re.Pattern[str]:
    known = tokenizer.added_tokens_decoder.items()
    marks = {str(token) for number, token in known if token.special or number == audio_id}
    longest_first = sorted(filter(None, marks), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
