"""The models in this process's memory: one set of base weights per folder, device and options.
A model whose folder was changed since it was loaded is loaded anew.

`unload` frees a model at once, also where someone still holds a listener of it: that listener
then says so, and `listeners.load` loads it anew.

Conventions: sizes in bytes; times in seconds since the epoch.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import gc
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from spectcount.errors import UserError
from spectcount.listeners.base import Resident

if TYPE_CHECKING:
    from spectcount.listeners.loaded import LoadedModel

Key = tuple[str, ...]


@dataclass
class _Entry:
    name: str
    loaded: LoadedModel
    used_at: float
    state: str


_entries: dict[Key, _Entry] = {}
_lock = threading.RLock()
_making = threading.RLock()
_spare: dict[str, float] = {}
"""Bytes that may still be taken beside each piece of work that memory is held for."""


def get(key: Key, name: str, make: Callable[[], LoadedModel], state: str = "") -> LoadedModel:
    """The model under `key`, made where it is not in memory, was let go of, or was made when its
    files were in another `state`."""
    with _making:  # others may look at the table meanwhile: loading takes long
        entry = _entries.get(key)
        if entry is not None and (entry.state != state or not entry.loaded.in_memory):
            with _lock:
                _entries.pop(key, None)
            entry.loaded.unload()
            _give_back()
            entry = None
        if entry is None:
            entry = _Entry(name, make(), time.time(), state)
            with _lock:
                _entries[key] = entry
        entry.used_at = time.time()
        return entry.loaded


def table() -> list[Resident]:
    """The models in memory, the last used first."""
    with _lock:
        entries = sorted(_entries.values(), key=lambda entry: -entry.used_at)
    return [
        Resident(
            entry.name,
            entry.loaded.family.name,
            str(entry.loaded.device),
            str(entry.loaded.dtype).removeprefix("torch."),
            entry.loaded.path,
            entry.loaded.bytes,
            entry.loaded.n_adapters,
            entry.used_at,
            entry.loaded.longest_s,
            entry.loaded.window_s,
            entry.loaded.why_stock,
        )
        for entry in entries
    ]


def unload(name: str = "") -> list[Resident]:
    """Free the memory of the models called `name` (of all without one), and say which they were.
    Waits until a question that is being answered is answered."""
    with _lock:
        gone = [row for row in table() if name in ("", row.name)]
        for key in [k for k, entry in _entries.items() if name in ("", entry.name)]:
            _entries.pop(key).loaded.unload()
    if gone:
        _give_back()
    return gone


def make_room(needed: float, device: str) -> list[Resident]:
    """Unload what `to_unload` names, and say which models they were."""
    names = dict.fromkeys(row.name for row in to_unload(needed, device))
    return [row for name in names for row in unload(name)]


def hold(needed: float, device: str, work: str) -> list[Resident]:
    """Make room for some work in another process, and keep it free until `let_go(work)`: what was
    unloaded does not come back meanwhile. Which models gave way."""
    from spectcount.listeners.checkpoints.needs import free_bytes

    with _lock:
        gone = make_room(needed, device)
        _spare[work] = max(0.0, free_bytes(device) - needed)
    return gone


def let_go(work: str) -> None:
    """The memory that was held for some work is anybody's again."""
    with _lock:
        _spare.pop(work, None)


def take(name: str, wanted: float) -> None:
    """Take memory for a model; raises `UserError` where it is held for other work."""
    with _lock:
        for work, spare in _spare.items():
            if wanted > spare:
                raise UserError(
                    f"{name} gave way to {work}: it needs {wanted / 1e9:.1f} GB, and beside that "
                    f"{spare / 1e9:.1f} GB are free; it comes back by itself when that has ended"
                )
        for work in _spare:
            _spare[work] -= wanted


def to_unload(needed: float, device: str) -> list[Resident]:
    """The models of `device`, the longest unused first, without which `needed` bytes are free;
    none where unloading all would not be enough."""
    from spectcount.listeners.checkpoints.needs import free_bytes

    here = [row for row in table() if row.device.partition(":")[0] == device.partition(":")[0]]
    free, chosen = float(free_bytes(device)), []
    if free + sum(row.bytes for row in here) < needed:
        return []
    for row in reversed(here):
        if free >= needed:
            break
        chosen.append(row)
        free += row.bytes
    return chosen


def _give_back() -> None:
    """Return freed memory to the device and to the system."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux" and (name := ctypes.util.find_library("c")):
        trim = getattr(ctypes.CDLL(name), "malloc_trim", None)
        if trim is not None:
            trim(0)
