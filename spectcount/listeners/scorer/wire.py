"""Messages between the resident scorer and who asks it: a header in JSON, and arrays of numbers.

Conventions: a message is 8 bytes (the lengths of header and body, little endian), the header
(UTF-8), and the bytes of its arrays one behind the other. A message holds data alone: nothing in
it is run, whoever sent it.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from spectcount.configs import Json
from spectcount.listeners.base import Scores
from spectcount.stimulus import Stimulus
from spectcount.trials import Question

PROTOCOL = 1
"""Raised when the messages change."""
LIVE, RUN, IDLE = 0, 1, 2
"""Urgency of a question: somebody waits for it; a run goes on with it; it fills idle time."""
MAX_NEW_TOKENS = 24
"""Longest reply, where the question does not say."""
_LENGTHS = struct.Struct("<II")
_MOST_BYTES = 1 << 30
_KINDS = "fiu"


class Superseded(Exception):
    """A newer question of the same page has come: nobody wants the answer to this one."""


@dataclass(frozen=True)
class Message:
    """A header, and the arrays that belong to it."""

    head: Json
    arrays: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Target:
    """A listener as the scorer finds it: the spec that a user typed, the spec of its base with the
    words of its options, the folders of its model and of its adapter ("" for none)."""

    name: str
    base: str
    options: tuple[str, ...]
    folder: str
    adapter: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Target:
        return cls(**{**data, "options": tuple(data["options"])})


@dataclass(frozen=True)
class Facts:
    """A listener as it is once it is loaded. `base`: the fingerprint of its model without
    an adapter; `mixes`: rows of this adapter may share a batch with others of the same base."""

    fingerprint: str
    base: str
    path: str
    why_stock: str
    scoring: str
    device: str
    dtype: str
    window_s: float
    longest_s: float
    mixes: bool

    def summary(self) -> dict[str, str]:
        """Path and number format of its scores, for a run's summary."""
        names = ("path", "why_stock", "scoring", "device", "dtype")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Asking:
    """Who is asked, and how urgently. `fingerprints`: of whom an answer is wanted, in the order of
    the targets, none for whoever is there; `page` and `number`: a newer question of the same page
    drops the older ("": none does); `parts`: answers come batch by batch."""

    targets: tuple[Target, ...]
    fingerprints: tuple[str, ...] = ()
    priority: int = LIVE
    page: str = ""
    number: int = 0
    parts: bool = False

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Asking:
        targets = tuple(map(Target.from_json, data["targets"]))
        return cls(**{**data, "targets": targets, "fingerprints": tuple(data["fingerprints"])})


@dataclass(frozen=True)
class Part:
    """Answers to some questions, by their index: scores of each listener, and who that was."""

    indices: list[int]
    fingerprints: tuple[str, ...]
    scores: list[Scores]


@dataclass(frozen=True, eq=False)
class PlainQuestion:
    """A question as a model gets it: its clip, its words, its closed set."""

    prompt: str
    answers: tuple[str, ...]
    clip_hash: str
    stimulus: Stimulus | None = None
    waveform: np.ndarray | None = field(default=None, repr=False)
    max_new_tokens: int = MAX_NEW_TOKENS

    def audio(self) -> np.ndarray:
        """The clip [T]."""
        return Question.audio(self)  # type: ignore[arg-type]


def pack_questions(questions: Sequence[Any], head: Json) -> Message:
    """A message about some questions; each clip is in it once, a stimulus as its declaration."""
    clips: dict[object, int] = {}
    written: list[Json] = []
    arrays: list[np.ndarray] = []
    rows = []
    for question in questions:
        stimulus = question.stimulus
        clip = question.clip_hash if stimulus is not None else id(question.waveform)
        if clip not in clips:
            clips[clip] = len(written)
            if stimulus is not None:
                written.append({"hash": question.clip_hash, "stimulus": stimulus.to_dict()})
            else:
                written.append({"hash": question.clip_hash, "array": len(arrays)})
                arrays.append(np.asarray(question.waveform))
        more = getattr(question, "max_new_tokens", None)
        rows.append([clips[clip], question.prompt, list(question.answers), more])
    return Message({**head, "clips": written, "questions": rows}, tuple(arrays))


def unpack_questions(message: Message) -> list[PlainQuestion]:
    """The questions of a message."""
    clips: list[tuple[str, Stimulus | None, np.ndarray | None]] = []
    for clip in message.head["clips"]:
        if "stimulus" in clip:
            clips.append((clip["hash"], Stimulus.from_dict(clip["stimulus"]), None))
        else:
            clips.append((clip["hash"], None, message.arrays[clip["array"]]))
    questions = []
    for k, prompt, answers, most in message.head["questions"]:
        clip_hash, stimulus, waveform = clips[k]
        most = most or MAX_NEW_TOKENS
        questions.append(PlainQuestion(prompt, tuple(answers), clip_hash, stimulus, waveform, most))
    return questions


def pack_part(part: Part) -> Message:
    """Some answers as a message: log-probabilities [L, n, A] and mass [L, n]."""
    head = {"part": part.indices, "fingerprints": part.fingerprints}
    log_probs = np.stack([scores.log_probs for scores in part.scores])
    return Message(head, (log_probs, np.stack([scores.mass for scores in part.scores])))


def unpack_part(message: Message) -> Part:
    """The answers of a message."""
    scores = [Scores(*pair) for pair in zip(*message.arrays, strict=True)]
    return Part(message.head["part"], tuple(message.head["fingerprints"]), scores)


def send(connection: socket.socket, message: Message) -> None:
    """Send a message. Raises `OSError` where nobody is there any more."""
    arrays = [np.ascontiguousarray(array) for array in message.arrays]
    shapes = [[array.dtype.str, list(array.shape)] for array in arrays]
    head = json.dumps({**message.head, "arrays": shapes}).encode()
    body = b"".join(array.tobytes() for array in arrays)
    connection.sendall(_LENGTHS.pack(len(head), len(body)) + head + body)


def receive(connection: socket.socket) -> Message:
    """The next message. Raises `EOFError` where the other side has ended, or sends no message."""
    n_head, n_body = _LENGTHS.unpack(_exactly(connection, _LENGTHS.size))
    if max(n_head, n_body) > _MOST_BYTES:
        raise EOFError(f"a message of {n_head} + {n_body} bytes is none")
    head, body = json.loads(_exactly(connection, n_head)), _exactly(connection, n_body)
    arrays, start = [], 0
    for kind, shape in head.pop("arrays"):
        dtype = np.dtype(str(kind))
        if dtype.kind not in _KINDS:
            raise EOFError(f"an array of {dtype} is none of numbers")
        n = math.prod(map(int, shape))
        arrays.append(np.frombuffer(body, dtype, n, start).reshape(shape))
        start += n * dtype.itemsize
    return Message(head, tuple(arrays))


def _exactly(connection: socket.socket, n: int) -> bytes:
    """The next `n` bytes."""
    pieces, left = [], n
    while left:
        piece = connection.recv(min(left, 1 << 20))
        if not piece:
            raise EOFError("the other side has ended")
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
