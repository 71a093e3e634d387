"""Question, Trial: what was asked of whom, and one row of evidence.

Conventions: log-probabilities are natural logs over a closed answer set, in the set's order; the
probability mass is what the listener gave to the set as a whole before normalisation (1 for
listeners that can say nothing else).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from spectcount.errors import UserError
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import synthesise
from spectcount.tasks import Task, task

T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """One closed question about one clip: a Stimulus, or a waveform that was uploaded.

    `wording` is the index into the task's wordings, `reverse` swaps the order of its options.
    `text`, when given, replaces the wording (a question in the user's own words).
    """

    stimulus: Stimulus | None
    task_name: str
    wording: int = 0
    reverse: bool = False
    text: str = ""
    waveform: np.ndarray | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if (self.stimulus is None) == (self.waveform is None):
            raise UserError("a question needs a stimulus or a waveform, one of the two")
        self.prompt  # noqa: B018 - raises for an unknown task or wording

    @property
    def task(self) -> Task:
        return task(self.task_name)

    @property
    def answers(self) -> tuple[str, ...]:
        return self.task.answers

    @property
    def prompt(self) -> str:
        """The question in words, as the listener gets it."""
        return self.text or self.task.prompt(self.wording, self.reverse)

    @property
    def truth(self) -> str | None:
        """The right answer; None where unknown (an uploaded clip) or undefined."""
        return self.task.truth(self.stimulus) if self.stimulus is not None else None

    @functools.cached_property
    def clip_hash(self) -> str:
        """Content hash of the clip."""
        if self.stimulus is not None:
            return self.stimulus.hash
        assert self.waveform is not None
        return hashlib.sha256(self.waveform.astype("<f4").tobytes()).hexdigest()[:16]

    @functools.cached_property
    def key(self) -> str:
        """Identity of the question, 16 hex digits: clip, words, closed set, and what an ideal
        observer is told: on a catch trial the absent signal, else the sound to tell it from."""
        parts: list[Any] = [self.clip_hash, self.task_name, self.prompt, list(self.answers)]
        meta = {} if self.stimulus is None else self.stimulus.meta
        parts += [meta[name] for name in ("template", "pair") if name in meta]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def audio(self) -> np.ndarray:
        """The clip, float32 [T]."""
        return self.waveform if self.stimulus is None else synthesise(self.stimulus)  # type: ignore[return-value]


class _Packed:
    """The slot of a field that holds plain data, or the bytes of `pack` in their place: a trial as
    long as nobody looks at its stimulus has a tenth of the size, and a run may have a million."""

    def __init__(self, slot: Any) -> None:
        self.slot = slot

    def __get__(self, trial: Trial | None, owner: type) -> Any:
        if trial is None:
            return self
        value = self.slot.__get__(trial)
        return unpack(value) if isinstance(value, bytes) else value

    def __set__(self, trial: Trial, value: dict[str, Any] | bytes | None) -> None:
        self.slot.__set__(trial, value)


class _Flat:
    """The slot of a field that holds a small dict, as (names, value, value, ...): names are shared
    by all trials of a plan, so that it takes a third of the memory."""

    def __init__(self, slot: Any) -> None:
        self.slot = slot

    def __get__(self, trial: Trial | None, owner: type) -> Any:
        if trial is None:
            return self
        names, *values = self.slot.__get__(trial)
        return dict(zip(names, values, strict=True))

    def __set__(self, trial: Trial, value: dict[str, Any]) -> None:
        self.slot.__set__(trial, (_names(tuple(value)), *value.values()))


@functools.lru_cache(maxsize=1024)
def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Equal names as one object."""
    return names


def pack(stimulus: dict[str, Any]) -> bytes:
    """Plain data of a stimulus as few bytes, for `Trial`."""
    packer = zlib.compressobj(1, wbits=-15, zdict=_usual())
    return packer.compress(json.dumps(stimulus).encode()) + packer.flush()


def unpack(packed: bytes) -> Any:
    """The inverse of `pack`."""
    packer = zlib.decompressobj(wbits=-15, zdict=_usual())
    return json.loads(packer.decompress(packed))


@functools.cache
def _usual() -> bytes:
    """The text that stimuli repeat: names of fields and usual values."""
    events = tuple(Event(0.2 + k, 0.05, 1000.0, -14.0) for k in range(2))
    return json.dumps(Stimulus(2.0, events, 0.001).to_dict()).encode()


class _Remembering:
    """The values that `remembered` keeps of a trial: (name, value, name, value, ...)."""

    __slots__ = ("_known",)
    _known: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Trial(_Remembering):
    """One answered question. `log_probs` are normalised over `answers`; `coords` says where in a
    plan it belongs (cell indices, parameter values, role signal or catch)."""

    key: str
    fingerprint: str
    listener: str
    stimulus: dict[str, Any] | None
    task: str
    prompt: str
    wording: int
    reverse: bool
    answers: tuple[str, ...]
    truth: str | None
    log_probs: tuple[float, ...]
    mass: float
    reply: str | None = None
    coords: dict[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)

    @property
    def answer(self) -> str:
        """The most probable answer of the closed set."""
        return self.answers[self.log_probs.index(max(self.log_probs))]

    @property
    def correct(self) -> bool | None:
        return None if self.truth is None else self.answer == self.truth

    @property
    def yes_score(self) -> float:
        """log p(first answer) - log p(second): the graded score of a two-answer task."""
        return self.log_probs[0] - self.log_probs[1]

    def changed(self, **changes: Any) -> Trial:
        """The trial with other values of some fields; its stimulus stays packed."""
        return dataclasses.replace(self, stimulus=_STIMULUS.slot.__get__(self), **changes)


_STIMULUS = _Packed(vars(Trial)["stimulus"])
for _name, _field in (("stimulus", _STIMULUS), ("coords", _Flat(vars(Trial)["coords"]))):
    setattr(Trial, _name, _field)


def remembered(make: Callable[[Trial], T]) -> Callable[[Trial], T]:
    """A function of a trial's stimulus, computed once for each trial."""
    name = _memory_name(make)

    @functools.wraps(make)
    def recall(trial: Trial) -> T:
        known: tuple[Any, ...] = getattr(trial, "_known", ())
        for k in range(0, len(known), 2):
            if known[k] is name:
                value: T = known[k + 1]
                return value
        value = make(trial)
        remember(trial, make, value)
        return value

    return recall


def remember(trial: Trial, make: Callable[[Trial], T], value: T) -> None:
    """Give a trial the value that a `remembered` function would compute."""
    known: tuple[Any, ...] = getattr(trial, "_known", ())
    object.__setattr__(trial, "_known", (*known, _memory_name(make), value))


def _memory_name(make: Callable[[Trial], T]) -> str:
    return sys.intern(f"{make.__module__}.{make.__qualname__}")


@remembered
def stimulus_hash(trial: Trial) -> str:
    """Content hash of what a trial was about; empty for an uploaded clip."""
    stimulus = trial.stimulus
    return "" if stimulus is None else Stimulus.from_dict(stimulus).hash


def normalise(log_probs: np.ndarray) -> np.ndarray:
    """Log-probabilities normalised over the last axis, [..., A]."""
    top = np.max(log_probs, axis=-1, keepdims=True)
    return log_probs - top - np.log(np.sum(np.exp(log_probs - top), axis=-1, keepdims=True))


def make_trial(
    question: Question,
    log_probs: np.ndarray,
    mass: float,
    *,
    fingerprint: str,
    listener: str,
    coords: dict[str, Any] | None = None,
    reply: str | None = None,
) -> Trial:
    """A Trial from a question and the scores it got."""
    scores = [*map(float, log_probs)]
    usable = all(math.isfinite(x) or x == -math.inf for x in scores) and max(scores) > -math.inf
    if not usable or not math.isfinite(mass):
        raise UserError(
            f"{listener} gave scores that are not numbers for clip {question.clip_hash}; "
            "load the model in a wider dtype, or retrain the adapter"
        )
    return Trial(
        key=question.key,
        fingerprint=fingerprint,
        listener=listener,
        stimulus=question.stimulus.to_dict() if question.stimulus is not None else None,
        task=question.task_name,
        prompt=question.prompt,
        wording=question.wording,
        reverse=question.reverse,
        answers=question.answers,
        truth=question.truth,
        log_probs=tuple(max(float(x), -1e9) for x in log_probs),
        mass=float(mass),
        reply=reply,
        coords=coords or {},
    )
