"""ClipQuestion: what a listener is asked, made of an item, a prompt and a rotation.

*Conventions*: it has what `Listener.score` and `Listener.reply` read of a `Question`: `prompt`,
`answers`, `audio()`. Its key is made of the sound's samples, the words, the closed set and the
way of asking, so that nothing is asked twice of the same fingerprint, in whichever run. A reply
becomes a trial whose closed set is what the official rule reads (words or letters): all
probability on the option it named, mass 1; mass 0 and no preference where it named none.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from spectcount.benchmarks import rules
from spectcount.benchmarks.catalogue import WORDS, Benchmark
from spectcount.benchmarks.items import LETTERS, Item
from spectcount.benchmarks.prompts import TEXT, Prompt
from spectcount.listeners.base import Listener, Scores
from spectcount.listeners.observers.observer import Silence
from spectcount.trials import Question, Trial

REPLY, SCORED = "reply", "scored"
MODES = (REPLY, SCORED)
NEVER = -1e9
MAX_NEW_TOKENS = 128
"""Room for an option's text; listeners that limit replies may read it from the question."""


@dataclass(frozen=True)
class ClipQuestion:
    """One question about a recorded clip; `waveform` is float32 [T] at 16 kHz. `lettered`: its
    answers are the letters of the options, not their texts."""

    prompt: str
    answers: tuple[str, ...]
    truth: str | None
    lettered: bool
    mode: str
    task_name: str
    waveform: np.ndarray = field(compare=False, repr=False)
    stimulus: None = None
    wording: int = 0
    reverse: bool = False
    max_new_tokens: int = MAX_NEW_TOKENS

    def audio(self) -> np.ndarray:
        """The clip, float32 [T]."""
        return self.waveform

    @functools.cached_property
    def clip_hash(self) -> str:
        """Content hash of the clip."""
        return hashlib.sha256(self.waveform.astype("<f4").tobytes()).hexdigest()[:16]

    @functools.cached_property
    def key(self) -> str:
        """Identity of the question, 16 hex digits."""
        parts = ["benchmark-1", self.clip_hash, self.prompt, list(self.answers), self.mode,
                 self.max_new_tokens]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def make(
    benchmark: Benchmark, item: Item, prompt: Prompt, mode: str, rotation: int, wave: np.ndarray
) -> ClipQuestion:
    """The question of an item in one rotation of its options."""
    shown = item.shown(rotation)
    by_text = prompt.scored == TEXT if mode == SCORED else benchmark.says == WORDS
    answers = tuple(
        option if by_text else LETTERS[slot]
        for slot, option in enumerate(shown)
        if option is not None
    )
    right = None if item.right is None else shown.index(item.right)
    truth = None if right is None else item.right if by_text else LETTERS[right]
    words = prompt.words(item.question, shown)
    name = f"benchmark:{benchmark.name}"
    return ClipQuestion(words, tuple(dict.fromkeys(answers)), truth, not by_text, mode, name, wave)


def reply_of(listener: Listener, question: ClipQuestion) -> str:
    """The whole reply of a listener, its last prefix."""
    hearer, asked = _heard(listener, question)
    return [*hearer.reply(cast(Question, asked)), ""][-2:][0]


def scores_of(listener: Listener, questions: list[ClipQuestion]) -> Scores:
    """Closed-set scores of questions that share their answers."""
    pairs = [_heard(listener, question) for question in questions]
    return pairs[0][0].score([cast(Question, asked) for _, asked in pairs])


def replied(question: ClipQuestion, listener: Listener, reply: str, **link: Any) -> Trial:
    """The trial of a reply in words; see the module."""
    named = _named(question, reply)
    even = -math.log(len(question.answers))
    log_probs = [
        even if named is None else 0.0 if answer == named else NEVER for answer in question.answers
    ]
    return _trial(question, listener, log_probs, float(named is not None), reply, **link)


def scored(
    question: ClipQuestion, listener: Listener, log_probs: np.ndarray, mass: float, **link: Any
) -> Trial:
    """The trial of a closed-set score."""
    kept = [max(float(p), NEVER) for p in log_probs]
    return _trial(question, listener, kept, mass, None, **link)


def _named(question: ClipQuestion, reply: str) -> str | None:
    """The answer of the closed set that a reply names by the official rule."""
    if question.lettered:
        letter = rules.letter_said(reply)
        return letter if letter in question.answers else None
    slot = rules.option_said(reply, question.answers)
    return None if slot is None else question.answers[slot]


def _trial(question: ClipQuestion, listener: Listener, log_probs: list[float], mass: float,
           reply: str | None, *, name: str, coords: dict[str, Any]) -> Trial:  # fmt: skip
    return Trial(
        key=question.key, fingerprint=listener.fingerprint, listener=name, stimulus=None,
        task=question.task_name, prompt=question.prompt, wording=0, reverse=False,
        answers=question.answers, truth=question.truth, log_probs=tuple(log_probs),
        mass=float(mass), reply=reply, coords=coords,
    )  # fmt: skip


def _heard(listener: Listener, question: ClipQuestion) -> tuple[Listener, ClipQuestion]:
    """Who is asked about which sound: `silence:MODEL` is its model, asked about silence."""
    if isinstance(listener, Silence):
        return listener.listener, replace(question, waveform=np.zeros_like(question.waveform))
    return listener, question
