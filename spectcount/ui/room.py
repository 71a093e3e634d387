"""The memory of the device that a run will need, and what gives way to it, in words before the
start.

The resident scorer makes room for the models that it is asked about, and gives way to a fine-tune,
which is a process of its own; what does not fit even so is refused.

Conventions: GB are 10^9 bytes; a CPU's memory is the machine's.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spectcount import actions, listeners
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.training import workload
from spectcount.ui.pieces import notice

LITTLE_GB = 1.0
"""Runs below this are not worth a word where they fit."""
SMALL_BYTES = 100e6
"""Models with less weights than this are asked without a look at the memory."""


@dataclass(frozen=True)
class Room:
    """The memory a run needs and where it is to come from. `unload`: (name, GB) of the models in
    memory that give way."""

    what: str
    device: str
    needed_gb: float
    free_gb: float
    unload: tuple[tuple[str, float], ...] = ()

    @property
    def words(self) -> str:
        """The sentence on the page before the start; "" where there is none."""
        need = (
            f"{self.what} needs about {self.needed_gb:.1f} GB on {self.device}, "
            f"{self.free_gb:.1f} GB are free"
        )
        if self.unload:
            names = ", ".join(f"{name} ({gb:.1f} GB)" for name, gb in self.unload)
            return f"{need}. {names} gives way to it, and comes back by itself when it fits again."
        if self.needed_gb > self.free_gb:
            return f"{need}. It will be refused unless something else on {self.device} ends."
        return f"{need}." if self.needed_gb >= LITTLE_GB else ""


def for_scoring(settings: Settings, specs: Sequence[str]) -> Room | None:
    """Room for a run that asks these listeners; None where no model is among them, or nothing
    can be forecast of it."""
    names = dict.fromkeys(filter(None, map(model_of, specs)))
    try:
        here = {row.name for row in actions.models_in_memory(settings)}
        models = [name for name in names if name not in here and not _small(settings, name)]
        if not models:
            return None
        needed = sum(_needs_gb(settings, name, ()) for name in models)
        return _room(settings, f"Asking {' and '.join(models)}", needed)
    except UserError:
        return None


def for_tuning(settings: Settings, base: str, config: Mapping[str, Any]) -> Room | None:
    """Room for a fine-tune with this configuration; None where nothing can be forecast."""
    try:
        needed = _needs_gb(settings, base, tuple(sorted(workload(config).items())))
        return _room(settings, f"Tuning {base}", needed)
    except UserError:
        return None


def refuse_too_large(settings: Settings, base: str, config: Mapping[str, Any]) -> None:
    """Raise `UserError`, saying what would fit, where a fine-tune fits nowhere. What cannot be
    forecast is not refused."""
    if for_tuning(settings, base, config) is not None:
        actions.refuse_tuning_too_large(settings, base, config)


def room_html(room: Room | None) -> str:
    """`Room.words` for the page (HTML)."""
    return notice(room.words) if room else ""


def model_of(spec: str) -> str:
    """The model of a listener, with its options; "" for one that is none."""
    heard = listeners.ListenerSpec.parse(spec).hearing
    return "" if heard.is_formula else str(heard.base)


def _small(settings: Settings, name: str) -> bool:
    """True where a model is too small to ask about its memory (that imports torch)."""
    folder = listeners.model_folder(name, settings)
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) < SMALL_BYTES


def _room(settings: Settings, what: str, needed_gb: float) -> Room:
    free_gb, rows = _free_gb(settings), actions.models_in_memory(settings)
    return Room(what, settings.device, needed_gb, free_gb, _give_way(rows, needed_gb - free_gb))


def _give_way(rows: Sequence[listeners.Resident], short_gb: float) -> tuple[tuple[str, float], ...]:
    """(name, GB) of models, the longest unused first, that make up for what is short; none where
    all together do not."""
    sizes = [(row.name, row.bytes / 1e9) for row in reversed(rows)]
    before = [sum(gb for _, gb in sizes[:k]) for k in range(len(sizes) + 1)]
    if before[-1] < short_gb:
        return ()
    return tuple(pair for pair, gb in zip(sizes, before, strict=False) if gb < short_gb)


def _free_gb(settings: Settings) -> float:
    from spectcount.listeners.checkpoints.needs import free_bytes

    return free_bytes(settings.device) / 1e9


@functools.lru_cache(maxsize=64)
def _needs_gb(settings: Settings, name: str, changes: tuple[tuple[str, Any], ...]) -> float:
    """GB that a model needs. Kept: taking a large model apart takes a moment."""
    return float(actions.forecast_model(settings, name, dict(changes))["total_gb"])
