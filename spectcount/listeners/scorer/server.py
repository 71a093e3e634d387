"""The process that is asked: `python -m spectcount.listeners.scorer`, started by `client`.

It may be reached as soon as it lives, and imports what models need behind that. It ends when it
was asked nothing for a while, when its home folder is gone, when nobody can find its socket any
more, and when the installed files are others than those it was started with (who comes says so).

Conventions: one thread for each connection, whose requests are answered one after the other; a
request is an operation by name, an answer any number of messages, the last of which says so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from spectcount.errors import UserError
from spectcount.listeners.base import Report
from spectcount.listeners.scorer import place, wire
from spectcount.listeners.scorer.desk import Desk
from spectcount.listeners.scorer.wire import Asking, Message, Superseded, Target
from spectcount.settings import Settings

LOOK_EVERY_S = 0.5
ENDING_S = 60.0
"""Longest that work under way may take when a scorer is asked to end."""
LOCK_S = 10.0
_BACKLOG = 64
Tell = Callable[[Message], None]


class Gone(Exception):
    """Nobody waits for the answer any more."""


class Server:
    """A socket, the lock that goes with it, and the desk behind it."""

    def __init__(self, settings: Settings, at: place.Place, lock: int) -> None:
        self.settings, self.place, self._lock = settings, at, lock
        self.desk = Desk(settings)
        self.stamp = place.stamp()
        self._home = _identity(settings.home)
        self._socket = _listen(at)
        self._node = _identity(at.socket)
        self._under_way = 0
        self._used_at = time.monotonic()
        self._counting = threading.Lock()
        self._ending = False

    def serve(self) -> None:
        """Answer until there is a reason to end."""
        threading.Thread(target=_warm_up, daemon=True).start()
        self._socket.settimeout(LOOK_EVERY_S)
        while not self._over():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError as error:
                if self._ending:
                    break
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ECONNABORTED):
                    raise
                time.sleep(LOOK_EVERY_S)
                continue
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()
        self._leave()
        end = time.monotonic() + ENDING_S
        while self._under_way and _identity(self.settings.home) and time.monotonic() < end:
            time.sleep(0.05)

    def _over(self) -> bool:
        """True when it is time to end. Nobody finds a socket whose file is not there any more."""
        if self._ending or _identity(self.settings.home) != self._home:
            return True
        if self._under_way:
            return False
        idle_s = time.monotonic() - self._used_at
        lost = _identity(self.place.socket) != self._node
        return lost or idle_s > self.settings.scorer_idle_s

    def _leave(self) -> None:
        """Make place for another scorer: the socket's file goes while the lock is held."""
        self._ending = True
        if _identity(self.place.socket) == self._node:
            with contextlib.suppress(OSError):
                self.place.socket.unlink()
        self._socket.close()
        os.close(self._lock)

    def _talk(self, connection: socket.socket) -> None:
        """Answer one connection's requests, until it or this process ends."""
        with connection, contextlib.suppress(EOFError, OSError, Gone):
            if not _is_ours(connection):
                return
            wire.send(connection, Message(self._hello()))
            while not self._ending:
                request = wire.receive(connection)
                holds = request.head.get("do") == "hold"  # which lasts as long as other work does
                with contextlib.nullcontext() if holds else self._at_work():
                    self._answer(connection, request)

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._counting:
            self._under_way += 1
        try:
            yield
        finally:
            with self._counting:
                self._under_way -= 1
                self._used_at = time.monotonic()

    def _hello(self) -> dict[str, Any]:
        return {"protocol": wire.PROTOCOL, "stamp": self.stamp, "pid": os.getpid()}

    def _answer(self, connection: socket.socket, request: Message) -> None:
        """All messages of one answer; what goes wrong is told, not raised."""

        def tell(message: Message) -> None:
            wire.send(connection, message)

        try:
            operation = getattr(self, f"do_{request.head['do']}")
            tell(Message({"done": operation(request, tell, connection)}))
        except (Gone, OSError) as error:
            if not isinstance(error, Gone) and not _is_gone(connection):
                tell(_failure(error))
                return
            raise Gone from None
        except (UserError, Superseded) as error:
            tell(_failure(error))
        except BaseException as error:
            traceback.print_exc()
            tell(_failure(error))

    def do_open(self, request: Message, tell: Tell, connection: socket.socket) -> Any:
        """Load listeners, telling how far it is; what is known of each."""

        targets = [Target.from_json(data) for data in request.head["targets"]]
        return [dataclasses.asdict(facts) for facts in self.desk.open(targets, _report(tell))]

    def do_check(self, request: Message, tell: Tell, connection: socket.socket) -> Any:
        """Load a model; what the gate and the parity check say of it."""
        (target,) = (Target.from_json(data) for data in request.head["targets"])
        return self.desk.check(target, _report(tell))

    def do_score(self, request: Message, tell: Tell, connection: socket.socket) -> Any:
        """Answer questions: messages with the answers to some."""
        asking = Asking.from_json(request.head["asking"])
        questions = wire.unpack_questions(request)
        for part in self.desk.score(asking, questions, lambda: _refuse_gone(connection)):
            tell(wire.pack_part(part))

    def do_reply(self, request: Message, tell: Tell, connection: socket.socket) -> Any:
        """Answer in words: messages with growing texts."""
        asking = Asking.from_json(request.head["asking"])
        (question,) = wire.unpack_questions(request)
        for text in self.desk.reply(asking, question, lambda: _refuse_gone(connection)):
            tell(Message({"text": text}))

    def do_drop(self, request: Message, tell: Tell, connection: socket.socket) -> Any:
        """Drop what a page has asked so far."""
        self.desk.register(Asking((), page=request.head["page"], number=request.head["number"]))

    def do_table(self, request: Message, tell: Tell, connection: socket.socket) -> Any:
        """The models in memory."""
        if "torch" not in sys.modules:
            return []
        return [dataclasses.asdict(row) for row in self.desk.table()]

    def do_unload(self, request: Message, tell: Tell, connection: socket.socket) -> Any:
        """Free the memory of models; their names."""
        return [row.name for row in self.desk.unload(request.head["name"])]

    def do_hold(self, request: Message, tell: Tell, connection: socket.socket) -> Any:
        """Give way to other work until who asked ends or closes its connection."""
        with self.desk.held(request.head["bytes"], request.head["work"]) as gone:
            tell(Message({"gone": [row.name for row in gone]}))
            while not (self._ending or _is_gone(connection)):
                time.sleep(0.05)

    def do_end(self, request: Message, tell: Tell, connection: socket.socket) -> Any:
        """End, once what is under way is answered."""
        self._ending = True
        return True


def main(settings: Settings) -> None:
    """Serve at the first place where it can be done, unless another scorer does already."""
    os.umask(0o077)
    failure: OSError | None = None
    for at in place.places(settings):
        lock = os.open(at.alive, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(lock):
            return
        try:
            server = Server(settings, at, lock)
        except OSError as error:  # a file system without sockets
            failure = error
            os.close(lock)
            continue
        server.serve()
        os._exit(0)  # threads that still compute for nobody
    raise failure or OSError("there is no folder for a socket")


def _lock(lock: int) -> bool:
    """Take the lock of who may be reached, from one that is ending too."""
    end = time.monotonic() + LOCK_S
    while time.monotonic() < end:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.02)
    return False


def _report(tell: Tell) -> Report:
    """Tells how far loading is."""
    return lambda words, done, total: tell(Message({"progress": [words, done, total]}))


def _listen(at: place.Place) -> socket.socket:
    """A socket at this place, which its owner alone may reach; a dead scorer's file is removed,
    for its lock is free."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        at.socket.unlink(missing_ok=True)
        listening.bind(str(at.socket))
        os.chmod(at.socket, 0o600)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _warm_up() -> None:
    """Import what every model needs, so that the first question finds it there."""
    from spectcount.listeners import audio_lm  # noqa: F401
    from spectcount.listeners.checkpoints import anatomy, needs  # noqa: F401


def _identity(path: Any) -> tuple[int, int] | None:
    """Device and number of a file; None where there is none."""
    try:
        state = os.stat(path)
        return state.st_dev, state.st_ino
    except OSError:
        return None


def _is_ours(connection: socket.socket) -> bool:
    """True where the other side is a process of this user, as far as the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the folder's permissions have to do
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return struct.unpack("3i", credentials)[1] == os.getuid()


def _is_gone(connection: socket.socket) -> bool:
    """True where the other side has ended. Nobody sends before the answer is complete."""
    look = select.poll()
    look.register(connection, select.POLLIN | select.POLLHUP)
    if not look.poll(0):
        return False
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _refuse_gone(connection: socket.socket) -> None:
    if _is_gone(connection):
        raise Gone


def _failure(error: BaseException) -> Message:
    """An error as data: what the other side raises, and its words."""
    words = " ".join(str(error).split())
    kind = "other"
    if isinstance(error, Superseded):
        kind = "superseded"
    elif isinstance(error, UserError):
        kind, words = "user", str(error)
    elif isinstance(error, MemoryError) or "memory" in f"{type(error).__name__} {words}".lower():
        kind = "memory"
    else:
        words = f"{type(error).__name__}: {words}"
    return Message({"error": kind, "words": words})
