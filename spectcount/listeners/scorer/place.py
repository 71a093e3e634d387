"""Where the resident scorer of a home and a device is found: a Unix socket that its owner alone
may reach, in the home folder or, where its path is too long for one, in the system's folder for
passing things. Never a port.

Conventions: one scorer for each home folder, machine, installed package, device and choice of
cards; a scorer is of
the state of the installed files that it was started with (`stamp`).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spectcount.settings import PACKAGE_ROOT, Settings

LONGEST_BYTES = 100
"""Longest path of a socket: 108 bytes with its end on Linux, 104 on macOS."""
_LIBRARIES = ("torch", "transformers", "peft", "numpy")


@dataclass(frozen=True)
class Place:
    """The files of one scorer: its socket, the lock that it holds while it may be reached, the
    lock of who starts one, its log."""

    socket: Path

    @property
    def alive(self) -> Path:
        return self.socket.with_suffix(".alive")

    @property
    def start(self) -> Path:
        return self.socket.with_suffix(".start")

    @property
    def log(self) -> Path:
        return self.socket.with_suffix(".log")


def places(settings: Settings) -> Iterator[Place]:
    """Where the scorer of these settings may be, the first choice first; nothing where there are
    no sockets of this kind."""
    if not hasattr(socket, "AF_UNIX") or not hasattr(os, "getuid"):
        return
    cards = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    here = [socket.gethostname(), settings.device, cards, str(PACKAGE_ROOT), sys.prefix]
    try:
        home = os.stat(settings.home)
    except OSError:  # it was taken away, and its scorer ends
        return
    elsewhere = [*here, str(settings.home), str(home.st_dev), str(home.st_ino)]
    shared = f"spectcount-{os.getuid()}"
    choices = [(settings.home / "scorer", here)]
    for passing in dict.fromkeys([tempfile.gettempdir(), "/tmp"]):
        choices.append((Path(passing) / shared, elsewhere))
    for folder, parts in choices:
        name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
        path = folder / f"{name}.sock"
        if len(os.fsencode(path)) <= LONGEST_BYTES and _is_private(folder):
            yield Place(path)


def _is_private(folder: Path) -> bool:
    """True for a folder, made where it is not there, that we own and nobody else may enter."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
        if state.st_uid != os.getuid() or not stat.S_ISDIR(state.st_mode):
            return False
        if stat.S_IMODE(state.st_mode) & 0o077:
            folder.chmod(0o700)
        return os.access(folder, os.R_OK | os.W_OK | os.X_OK)
    except OSError:
        return False


def stamp() -> str:
    """The state of the installed files: another one may answer otherwise."""
    digest = hashlib.sha256()
    for folder, _, names in sorted(os.walk(PACKAGE_ROOT)):
        for name in sorted(n for n in names if n.endswith(".py")):
            try:
                state = os.stat(os.path.join(folder, name))
            except OSError:
                continue
            digest.update(f"{folder}/{name} {state.st_size} {state.st_mtime_ns}\n".encode())
    for library in _LIBRARIES:
        try:
            digest.update(f"{library} {importlib.metadata.version(library)}\n".encode())
        except importlib.metadata.PackageNotFoundError:
            continue
    return digest.hexdigest()[:16]
