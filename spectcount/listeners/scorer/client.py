"""Asking the resident scorer: finding it, starting it, asking again where it has died.

Conventions: any number of threads may ask at once, each over a connection of its own for as long
as its question lasts. What a scorer that dies has not answered is asked of the next; answers that
came are never asked again. Where no scorer can be had, `door` says None, and who asks loads the
model itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spectcount.configs import Json
from spectcount.errors import UserError
from spectcount.listeners.base import Report, Resident, Scores
from spectcount.listeners.scorer import place, wire
from spectcount.listeners.scorer.wire import Asking, Facts, Message, Part, Superseded, Target
from spectcount.settings import PACKAGE_ROOT, Settings

START_S = 60.0
"""Longest until a scorer can be reached; its imports come behind that."""
DEATHS = 3
"""So many scorers may die of one question before it is refused."""
STAMP_S = 2.0
_STEP_S = 0.01
_MOST_LOG_BYTES = 1_000_000
_numbers = itertools.count(time.time_ns())


class Unavailable(Exception):
    """There is no scorer and none can be started: no sockets of this kind, say."""


class Door:
    """The way to the scorer of some settings. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._free: list[socket.socket] = []

    def open(self, asking: Asking, report: Report | None = None) -> list[Facts]:
        """Have the targets loaded; what is known of each. Raises `UserError` where one cannot be
        had, `Unavailable` where there is no scorer."""
        head = {"do": "open", "targets": asking.to_json()["targets"]}
        return [Facts(**facts) for facts in self._told(Message(head), report)]

    def _told(self, message: Message, report: Report | None) -> Any:
        """The result of an operation; how far it is goes to `report`."""
        result = None
        for answer in self.request(message):
            if "progress" in answer.head and report is not None:
                report(*answer.head["progress"])
            result = answer.head.get("done", result)
        return result

    def score(self, asking: Asking, questions: Sequence[Any]) -> list[Scores]:
        """Scores of each target, in the questions' order; see `Desk.score`."""
        first = len(questions[0].answers)
        log_probs = np.zeros((len(asking.targets), len(questions), first))
        mass = np.zeros(log_probs.shape[:2])
        for part in self.parts(asking, questions):
            for k, scores in enumerate(part.scores):
                log_probs[k, part.indices], mass[k, part.indices] = scores.log_probs, scores.mass
        return [Scores(*pair) for pair in zip(log_probs, mass, strict=True)]

    def parts(self, asking: Asking, questions: Sequence[Any]) -> Iterator[Part]:
        """Answers to some questions after the other as they come; each question once, also where
        a scorer dies meanwhile."""
        head = {"do": "score", "asking": asking.to_json()}
        answered: set[int] = set()
        for message in self.request(wire.pack_questions(questions, head)):
            if "part" not in message.head:
                continue
            part = wire.unpack_part(message)
            fresh = [row for row, i in enumerate(part.indices) if i not in answered]
            answered.update(part.indices)
            if fresh:
                indices = [part.indices[row] for row in fresh]
                scores = [Scores(s.log_probs[fresh], s.mass[fresh]) for s in part.scores]
                yield replace(part, indices=indices, scores=scores)

    def reply(self, asking: Asking, question: Any) -> Iterator[str]:
        """The first target's answer in words, in growing prefixes."""
        head = {"do": "reply", "asking": asking.to_json()}
        for message in self.request(wire.pack_questions([question], head)):
            if "text" in message.head:
                yield message.head["text"]

    def drop(self, asking: Asking) -> None:
        """Drop what a page has asked before and was not answered."""
        head = {"do": "drop", "page": asking.page, "number": asking.number}
        self._of_one_that_lives(head)

    def table(self) -> list[Resident]:
        """The models in memory, the last used first; none where no scorer lives."""
        rows = self._of_one_that_lives({"do": "table"})
        return [Resident(**row) for row in rows or []]

    def unload(self, name: str = "") -> list[str]:
        """Free the memory of a model (of all without a name); which they were."""
        return list(self._of_one_that_lives({"do": "unload", "name": name}) or [])

    def check(self, target: Target, report: Report | None = None) -> Json:
        """The verdict of gate and parity check on a model; see `checkpoints.check`."""
        head = {"do": "check", "targets": Asking((target,)).to_json()["targets"]}
        return dict(self._told(Message(head), report))

    def end(self) -> bool:
        """Have the scorer end, once what is under way is answered; whether one lived."""
        return self._of_one_that_lives({"do": "end"}) is not None

    @contextlib.contextmanager
    def held(self, needed_bytes: float, work: str) -> Iterator[list[str]]:
        """Memory for work of this process: the scorer gives way while open; which models were
        unloaded for it."""
        connection = self._connect()
        if connection is None:
            yield []
            return
        with connection:
            try:
                head = {"do": "hold", "bytes": needed_bytes, "work": work}
                wire.send(connection, Message(head))
                gone = wire.receive(connection).head.get("gone", [])
            except (OSError, EOFError):
                gone = []
            yield gone

    def request(self, message: Message) -> Iterator[Message]:
        """All messages of an answer; of a scorer that dies and of the next one, where it does.
        Raises what went wrong there: `UserError`, `Superseded`, `MemoryError` or `RuntimeError`."""
        for _ in range(DEATHS):
            connection = self._connection()
            whole = False
            try:
                wire.send(connection, message)
                while True:
                    answer = wire.receive(connection)
                    whole = bool({"done", "error"} & answer.head.keys())
                    _raise(answer.head)
                    yield answer
                    if whole:
                        return
            except (OSError, EOFError):
                continue
            finally:
                if whole:
                    self._keep(connection)
                else:
                    connection.close()
        raise UserError(
            f"the resident scorer ended {DEATHS} times while it answered this question (killed, or "
            f"out of memory: {self._log_words()}); ask about shorter clips, or of a smaller model"
        )

    def _of_one_that_lives(self, head: dict[str, Any]) -> Any:
        """The answer of a scorer that lives; None where none does."""
        connection = self._pooled() or self._connect()
        if connection is None:
            return None
        try:
            wire.send(connection, Message(head))
            answer = wire.receive(connection)
        except (OSError, EOFError):
            connection.close()
            return None
        self._keep(connection)
        _raise(answer.head)
        return answer.head.get("done")

    def _keep(self, connection: socket.socket) -> None:
        with self._lock:
            self._free.append(connection)

    def _pooled(self) -> socket.socket | None:
        """A connection that is free and whose other side lives."""
        while True:
            with self._lock:
                connection = self._free.pop() if self._free else None
            if connection is None:
                return None
            try:
                connection.setblocking(False)
                connection.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                connection.setblocking(True)
                return connection
            except OSError:
                pass
            connection.close()

    def _connection(self) -> socket.socket:
        """A connection to the scorer, which is started where none lives. Raises `Unavailable`."""
        connection = self._pooled() or self._connect()
        if connection is not None:
            return connection
        return self._start()

    def _connect(self) -> socket.socket | None:
        """A new connection to a scorer of the present files; None where none lives. One of older
        files is asked to end."""
        for at in place.places(self.settings):
            connection = _connected(at)
            if connection is None:
                continue
            try:
                connection.settimeout(START_S)
                hello = wire.receive(connection).head
                connection.settimeout(None)
            except (OSError, EOFError):
                connection.close()
                continue
            if hello["stamp"] != _stamp(int(time.monotonic() / STAMP_S)):
                _retire(connection)
                continue
            if hello["protocol"] != wire.PROTOCOL:
                connection.close()
                raise UserError(
                    "SpectCount was installed anew since this process began, and the two do not "
                    "understand each other; start it again"
                )
            return connection
        return None

    def _start(self) -> socket.socket:
        """A connection to a scorer that somebody started: we, or who was quicker."""
        at = next(place.places(self.settings), None)
        if at is None:
            raise Unavailable("no folder of this machine can hold a socket for its owner alone")
        end = time.monotonic() + START_S
        with _alone(at.start, end):
            connection = self._connect()
            if connection is not None:
                return connection
            child = _spawn(self.settings, at)
            while time.monotonic() < end:
                connection = self._connect()
                if connection is not None:
                    return connection
                if child.poll() is not None and child.returncode != 0:
                    raise Unavailable(f"it cannot be started: {self._log_words()}")
                if child.poll() == 0:
                    child = _spawn(self.settings, at)
                time.sleep(_STEP_S)
        raise Unavailable(f"it could not be reached within {START_S:g} s: {self._log_words()}")

    def _log_words(self) -> str:
        """The last line of the scorer's log."""
        at = next(place.places(self.settings), None)
        try:
            lines = at.log.read_text(errors="replace").strip().split("\n") if at else [""]
        except OSError:
            return "no log"
        return f"{lines[-1][-200:] or 'no word'}, see {at.log if at else ''}"


@functools.lru_cache(maxsize=16)
def _door(settings: Settings) -> Door:
    return Door(settings)


def door(settings: Settings) -> Door | None:
    """The way to the scorer of these settings; None where models are held by who asks."""
    return _door(settings) if settings.scorer_idle_s > 0 else None


@functools.lru_cache(maxsize=1)
def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def say_unavailable(error: Unavailable) -> None:
    """Say once on stderr why models are loaded by this process."""
    _say(f"there is no resident scorer ({error}); this process loads the model itself")


def next_number() -> int:
    """A number above those of all questions before, of this process or of earlier ones."""
    return next(_numbers)


@functools.lru_cache(maxsize=1)
def _stamp(tick: int) -> str:
    """`place.stamp`, looked up anew every few seconds."""
    return place.stamp()


def _connected(at: place.Place) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(at.socket))
        return connection
    except OSError:
        connection.close()
        return None


def _retire(connection: socket.socket) -> None:
    """Ask a scorer of older files to end, and wait until it cannot be reached."""
    with connection, contextlib.suppress(OSError, EOFError):
        wire.send(connection, Message({"do": "end"}))
        wire.receive(connection)


@contextlib.contextmanager
def _alone(path: Path, end: float) -> Iterator[None]:
    """While open, nobody else starts a scorer."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Unavailable("another process tries to start it in vain") from None
                time.sleep(_STEP_S)
        yield
    finally:
        os.close(lock)


def _spawn(settings: Settings, at: place.Place) -> subprocess.Popen[bytes]:
    """Start a scorer: a process in a session of its own, which outlives this one."""
    path = os.pathsep.join(filter(None, [str(PACKAGE_ROOT.parent), os.environ.get("PYTHONPATH")]))
    environment = {"HF_HUB_OFFLINE": "1", **os.environ, **settings.environment()}
    environment |= {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    large = at.log.exists() and at.log.stat().st_size > _MOST_LOG_BYTES
    descriptor = os.open(
        at.log, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if large else os.O_APPEND), 0o600
    )
    with os.fdopen(descriptor, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "spectcount.listeners.scorer"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=at.socket.parent,
            env=environment,
            start_new_session=True,
        )


def _raise(head: dict[str, Any]) -> None:
    """Raise what an answer says went wrong."""
    kind, words = head.get("error"), head.get("words", "")
    if kind == "superseded":
        raise Superseded
    if kind == "user":
        raise UserError(words)
    if kind == "memory":
        raise MemoryError(f"out of memory in the resident scorer ({words})")
    if kind is not None:
        raise RuntimeError(f"in the resident scorer: {words}")
