"""Closed sets as token sequences: each answer in all its spellings, with the ends it may have.

A chat model says "Yes.", "There", " three" or "3" for what is asked as "yes" or "3". An answer's
spellings vary in case, in a space before it, in a final stop, and in digits or number words; their
probabilities are summed. A turn may end with any token that the template or the generation
configuration names.

*Whole* replies: the spelling, then the end of the turn. *Prefix*: the reply begins with the
spelling, whatever follows, as long as the word does not go on ("1" is not the start of "10", nor
"no" that of "nothing").

Conventions: a sequence ends with an end of turn, or with `WORD_ENDS`, which stands for all tokens
that do not carry the word on; no sequence belongs to two answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from spectcount.errors import UserError
from spectcount.listeners.families import Family
from spectcount.tasks import NUMBER_WORDS

Tokens = tuple[int, ...]
Answer = tuple[Tokens, ...]
"""All sequences of one answer, the plain spelling with its first end in front."""
ClosedSet = tuple[Answer, ...]

WORD_ENDS = -1
MODES = ("whole", "prefix")
LONGEST_WORDS = 3
"""Answers of more words are sentences: these vary by a space before and a stop behind only."""
MORE_TOKENS = 1
"""A form that takes more than so many tokens above the plain one's is none a model would use: its
tokenizer does not know the word."""


def forms(answer: str) -> list[str]:
    """An answer's words in all cases, digits and number words; itself first."""
    words = [answer]
    if len(answer.split()) <= LONGEST_WORDS:
        words += [answer.lower(), answer[:1].upper() + answer[1:].lower(), answer.upper()]
    if answer.isdecimal() and int(answer) < len(NUMBER_WORDS):
        word = NUMBER_WORDS[int(answer)]
        words += [word, word.capitalize()]
    elif answer.lower() in NUMBER_WORDS:
        words.append(str(NUMBER_WORDS.index(answer.lower())))
    return list(dict.fromkeys(words))


class Speller:
    """The closed sets of one model, in one mode."""

    def __init__(self, family: Family, model: Any, processor: Any, mode: str = "whole"):
        self.family, self.processor, self.mode = family, processor, mode
        self.ends: Tokens = family.end_ids(model, processor)
        self._sets: dict[tuple[str, ...], ClosedSet] = {}
        self._continues: torch.Tensor | None = None

    def closed_set(self, answers: Sequence[str]) -> ClosedSet:
        """The sequences of every answer. Raises `UserError` where one has a mark of the model's
        own format in it, or where replies that begin with one may begin with another."""
        key = tuple(answers)
        if key not in self._sets:
            self.family.check_words(key, self.processor)
            self._sets[key] = self._spell(key)
        return self._sets[key]

    def plain(self, answer: str) -> Tokens:
        """The plain spelling's tokens, without an end."""
        return tuple(self.family.word_ids(answer, self.processor))

    def continues(self, vocabulary: int, device: torch.device) -> torch.Tensor:
        """[V]: whether a token carries a word or a number on."""
        if self._continues is None or len(self._continues) != vocabulary:
            texts = self.family.token_texts(self.processor)
            flags = [_goes_on(text) for text in texts[:vocabulary]]
            flags += [False] * (vocabulary - len(flags))
            self._continues = torch.tensor(flags)
        return self._continues.to(device)

    def _spell(self, answers: tuple[str, ...]) -> ClosedSet:
        spelled = [list(dict.fromkeys(self._spellings(answer))) for answer in answers]
        owners = Counter(tokens for answer in spelled for tokens in answer)
        unique = [
            [t for k, t in enumerate(answer) if k == 0 or owners[t] == 1] for answer in spelled
        ]
        if self.mode == "prefix":
            self._refuse_beginnings(answers, unique)
            return tuple(tuple((*t, WORD_ENDS) for t in _shortest(answer)) for answer in unique)
        return tuple(tuple((*t, end) for t in answer for end in self.ends) for answer in unique)

    def _refuse_beginnings(
        self, answers: Sequence[str], spelled: Sequence[Sequence[Tokens]]
    ) -> None:
        """Raise `UserError` where an answer goes on, after a whole word, to another answer: a
        reply of the longer one would count for both."""
        texts = self.family.token_texts(self.processor)
        for short, ways in zip(answers, spelled, strict=True):
            begun = {way for way in ways if way}
            for long, others in zip(answers, spelled, strict=True):
                heads = [(t[:k], t[k]) for t in others for k in range(1, len(t))]
                if long != short and any(h in begun and not _goes_on(texts[t]) for h, t in heads):
                    raise UserError(
                        f"the answer {long!r} begins with the answer {short!r}: with +prefix a "
                        "reply of the first would count for both; ask without +prefix"
                    )

    def _spellings(self, answer: str) -> Iterator[Tokens]:
        plain = self.plain(answer)
        yield plain
        for form in forms(answer):
            bare = self.plain(form)
            if len(bare) > len(plain) + MORE_TOKENS:
                continue
            stops = ("",) if self.mode == "prefix" or form[-1:] in ".!?" else ("", ".")
            for lead in ("", " "):
                for stop in stops:
                    yield self.plain(f"{lead}{form}{stop}")


def _goes_on(text: str) -> bool:
    """True where a token's text carries a word or a number on."""
    return text[:1].isascii() and text[:1].isalnum()


def _shortest(answer: Sequence[Tokens]) -> list[Tokens]:
    """Sequences that none of the others begins: each reply is counted once."""
    return [t for t in answer if not any(o != t and t[: len(o)] == o for o in answer)]


def read(
    logits: torch.Tensor, rows: torch.Tensor, tokens: torch.Tensor, speller: Speller
) -> torch.Tensor:
    """log p [S] of `tokens` in `rows` of logits [N, V], float64 on the CPU (a Mac's GPU has
    none); `WORD_ENDS` stands for all tokens that do not carry the word on."""
    log_p = torch.log_softmax(logits.float(), dim=-1)
    rows, tokens = rows.to(log_p.device), tokens.to(log_p.device)
    taken = log_p[rows, tokens.clamp(min=0)]
    ends = tokens == WORD_ENDS
    if ends.any():
        goes_on = speller.continues(log_p.shape[1], log_p.device)
        stops = log_p.masked_fill(goes_on, -torch.inf).logsumexp(dim=-1)
        taken = torch.where(ends, stops[rows], taken)
    return taken.cpu().double()


def summed(values: torch.Tensor, owners: torch.Tensor, n: int) -> torch.Tensor:
    """log of the sum of exp(values) by owner, [n]; -inf where there is none."""
    top = torch.full((n,), -torch.inf, dtype=values.dtype)
    top = top.scatter_reduce(0, owners, values, "amax")
    safe = top.where(top.isfinite(), torch.zeros(()).to(top))
    total = torch.zeros(n, dtype=values.dtype).index_add(0, owners, (values - safe[owners]).exp())
    return total.log() + safe
