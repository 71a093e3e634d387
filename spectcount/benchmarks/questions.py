"""A run's questions, each made of an item, a prompt and a rotation, and how answers are read.

*Conventions*: a run's configuration has its prompt whole, not by name.

A `ClipQuestion` has what `Listener.score` and `Listener.reply` read of a `Question`: `prompt`,
`answers`, `audio()`. Its key is made of the sound's samples, the words, the closed set and the
way of asking, so that nothing is asked twice of the same fingerprint, in whichever run. A reply
becomes a trial whose closed set is what the official rule reads (words or letters): all
probability on the option it named, mass 1; mass 0 and no preference where it named none.

A reading names the option by its text and by the place it was shown at, counted from 0 among those
shown; both are None where the reply names no option. Its `reply` is in the form that the official
script reads: words or a letter.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NotRequired, TypedDict, cast

import numpy as np

from spectcount.benchmarks import catalogue, files, official, prompts
from spectcount.benchmarks.catalogue import WORDS, Benchmark
from spectcount.benchmarks.items import LETTERS, Item, pick, position_of
from spectcount.benchmarks.prompts import TEXT, Prompt
from spectcount.clips import Clip
from spectcount.configs import BenchmarkConfig
from spectcount.errors import UserError
from spectcount.listeners.base import Listener, Scores
from spectcount.listeners.observers.observer import Silence
from spectcount.trials import Question, Trial

REPLY, SCORED = "reply", "scored"
MODES = (REPLY, SCORED)
NEVER = -1e9
MAX_NEW_TOKENS = 128
"""Room for an option's text; listeners that limit replies may read it from the question."""


class Coords(TypedDict):
    """Where a trial belongs: the item's row in the file and its id, the rotation, the sound."""

    row: int
    item: str
    rotation: int
    duration_s: float
    lowered_db: NotRequired[float]
    channel: NotRequired[int]


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
    coords: Coords = field(compare=False, repr=False)
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
        parts = [
            "benchmark-1",
            self.clip_hash,
            self.prompt,
            list(self.answers),
            self.mode,
            self.max_new_tokens,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def make(
    benchmark: Benchmark, item: Item, prompt: Prompt, mode: str, rotation: int, sound: Clip
) -> ClipQuestion:
    """The question of an item in one rotation of its options, about its sound."""
    order = item.rotated(rotation)
    by_text = prompt.scored == TEXT if mode == SCORED else benchmark.says == WORDS
    answers = tuple(
        option if by_text else LETTERS[slot]
        for slot, option in enumerate(order)
        if option is not None
    )
    right = None if item.right is None else order.index(item.right)
    truth = None if right is None else item.right if by_text else LETTERS[right]
    words = prompt.words(item.question, order)
    name = f"benchmark:{benchmark.name}"
    return ClipQuestion(
        words,
        tuple(dict.fromkeys(answers)),
        truth,
        not by_text,
        mode,
        name,
        sound.waveform,
        _coords(item, rotation, sound),
    )


def _coords(item: Item, rotation: int, sound: Clip) -> Coords:
    coords: Coords = {
        "row": item.row,
        "item": item.id,
        "rotation": rotation,
        "duration_s": round(sound.duration_s, 3),
    }
    if sound.lowered_db:
        coords["lowered_db"] = round(sound.lowered_db, 3)
    if sound.channel is not None:
        coords["channel"] = sound.channel
    return coords


def reply_of(listener: Listener, question: ClipQuestion) -> str:
    """The whole reply of a listener, its last prefix."""
    hearer, heard = _heard(listener, question)
    return [*hearer.reply(cast(Question, heard)), ""][-2:][0]


def scores_of(listener: Listener, questions: list[ClipQuestion]) -> Scores:
    """Closed-set scores of questions that share their answers."""
    pairs = [_heard(listener, question) for question in questions]
    return pairs[0][0].score([cast(Question, heard) for _, heard in pairs])


def replied(question: ClipQuestion, listener: Listener, name: str, reply: str) -> Trial:
    """The trial of a reply in words; see the module."""
    named = _named(question, reply)
    even = -math.log(len(question.answers))
    log_probs = [
        even if named is None else 0.0 if answer == named else NEVER for answer in question.answers
    ]
    return _trial(question, listener, name, log_probs, float(named is not None), reply)


def scored(
    question: ClipQuestion, listener: Listener, name: str, log_probs: np.ndarray, mass: float
) -> Trial:
    """The trial of a closed-set score."""
    clipped = [max(float(p), NEVER) for p in log_probs]
    return _trial(question, listener, name, clipped, mass, None)


def _named(question: ClipQuestion, reply: str) -> str | None:
    """The answer of the closed set that a reply names by the official rule."""
    if question.lettered:
        letter = official.letter_said(reply)
        return letter if letter in question.answers else None
    slot = official.option_said(reply, question.answers)
    return None if slot is None else question.answers[slot]


def _trial(
    question: ClipQuestion,
    listener: Listener,
    name: str,
    log_probs: list[float],
    mass: float,
    reply: str | None,
) -> Trial:
    return Trial(
        key=question.key,
        fingerprint=listener.fingerprint,
        listener=name,
        stimulus=None,
        task=question.task_name,
        prompt=question.prompt,
        wording=0,
        reverse=False,
        answers=question.answers,
        truth=question.truth,
        log_probs=tuple(log_probs),
        mass=float(mass),
        reply=reply,
        coords=dict(question.coords),
    )


def _heard(listener: Listener, question: ClipQuestion) -> tuple[Listener, ClipQuestion]:
    """Listener and sound of a question: `silence:MODEL` is its model, asked about silence."""
    if isinstance(listener, Silence):
        return listener.listener, replace(question, waveform=np.zeros_like(question.waveform))
    return listener, question


Place = tuple[int, int]
"""Row of the item, rotation."""


@dataclass(frozen=True)
class Reading:
    """One answer to one item."""

    item: Item
    rotation: int
    reply: str
    text: str | None
    position: int | None
    mass: float | None

    @property
    def right(self) -> bool:
        """The strict mark: the reply names one option, and it is the answer."""
        return self.text is not None and self.text == self.item.right

    @property
    def unparsed(self) -> bool:
        return self.text is None


def place(trial: Trial) -> Place:
    """Row and rotation of a trial."""
    return int(trial.coords["row"]), int(trial.coords["rotation"])


def read_all(
    benchmark: Benchmark, items: Iterable[Item], trials: Mapping[Place, Trial]
) -> dict[Place, Reading]:
    """The readings of all trials of one listener, in the order of items and rotations."""
    places = ((item, rotation) for item in items for rotation in range(item.n_rotations))
    return {
        (item.row, rotation): read(benchmark, item, rotation, trials[item.row, rotation])
        for item, rotation in places
        if (item.row, rotation) in trials
    }


def read(benchmark: Benchmark, item: Item, rotation: int, trial: Trial) -> Reading:
    """One trial as a reading."""
    order = item.rotated(rotation)
    if trial.reply is None:
        chosen = _chosen(trial, order)
        reply = in_form(benchmark, order, chosen)
        return Reading(item, rotation, reply, chosen, position_of(order, chosen), trial.mass)
    text = parsed(benchmark, order, trial.reply)
    return Reading(item, rotation, trial.reply, text, position_of(order, text), None)


def parsed(benchmark: Benchmark, order: tuple[str | None, ...], reply: str) -> str | None:
    """The option that a reply names by the benchmark's rule."""
    if benchmark.says == WORDS:
        slot = official.option_said(reply, order)
    else:
        slot = official.slot_of_letter(official.letter_said(reply), order)
    return None if slot is None else order[slot]


def in_form(benchmark: Benchmark, order: tuple[str | None, ...], text: str) -> str:
    """The reply that names an option as the official script wants it."""
    return text if benchmark.says == WORDS else LETTERS[order.index(text)]


def _chosen(trial: Trial, order: tuple[str | None, ...]) -> str:
    """The text of the most probable answer of a closed set: of texts, or of the letters."""
    texts = [option for option in order if option is not None]
    letters = [LETTERS[slot] for slot, option in enumerate(order) if option is not None]
    by_letter = list(trial.answers) == letters
    return texts[letters.index(trial.answer)] if by_letter else trial.answer


@dataclass(frozen=True)
class Sheet:
    """The questions of a run: the items that were picked and how they are put."""

    benchmark: Benchmark
    prompt: Prompt
    mode: str
    rotate: bool
    items: tuple[Item, ...]
    n_file: int
    digest: str
    path: Path
    limit: int | None
    seed: int
    n_unanswered: int = 0

    @property
    def units(self) -> list[tuple[Item, int]]:
        """Every (item, rotation) that is asked."""
        return [(i, r) for i in self.items for r in range(i.n_rotations if self.rotate else 1)]


def sheet_of(config: BenchmarkConfig) -> Sheet:
    """The sheet of a run's configuration. Raises `UserError` where the file is not, or no longer,
    the one that the run began with."""
    benchmark = catalogue.get(config.benchmark)
    path, items = benchmark.load(config.path)
    digest = files.digest(path)
    if config.digest not in ("", digest):
        raise UserError(
            f"{path.name} has changed since the run was started (was {config.digest}, is "
            f"{digest}); put the file back, or start another run"
        )
    if config.mode not in MODES:
        raise UserError(f"mode={config.mode!r} is not known; give {' or '.join(MODES)}")
    answered = [item for item in items if item.answer is not None] or items
    limit, seed = config.limit, config.seed
    return Sheet(
        benchmark,
        prompts.from_dict(config.prompt),
        config.mode,
        config.rotate,
        tuple(pick(answered, limit, seed)),
        len(items),
        digest,
        path,
        limit,
        seed,
        len(items) - len(answered),
    )
