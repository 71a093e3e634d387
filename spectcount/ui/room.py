"""Memory for a run beside this page: what it needs, what is unloaded here first, what is refused.

A run is a process of its own, on the same device as the models that this page keeps in memory.
Where both do not fit, the page gives way: it says so before the start, unloads its models, and
loads them again at the next question.

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
from spectcount.ui.pieces import notice

LITTLE_GB = 1.0
"""Runs below this are not worth a word where they fit."""
SMALL_BYTES = 100e6
"""Models with less weights than this are asked without a look at the memory."""


@dataclass(frozen=True)
class Room:
    """What a run needs and where it is to come from. `unload`: (name, GB) of what this page gives
    up."""

    what: str
    device: str
    needed_gb: float
    free_gb: float
    unload: tuple[tuple[str, float], ...] = ()

    @property
    def words(self) -> str:
        """What the page says before the start; "" where there is nothing to say."""
        need = (
            f"{self.what} needs about {self.needed_gb:.1f} GB on {self.device}, "
            f"{self.free_gb:.1f} GB are free"
        )
        if self.unload:
            names = ", ".join(f"{name} ({gb:.1f} GB)" for name, gb in self.unload)
            return (
                f"{need}. At the start this page unloads {names}, and loads it again at the next "
                "question here, if it fits beside the run."
            )
        if self.needed_gb > self.free_gb:
            return f"{need}. It will be refused unless something else on {self.device} ends."
        return f"{need}." if self.needed_gb >= LITTLE_GB else ""


def for_scoring(settings: Settings, specs: Sequence[str]) -> Room | None:
    """Room for a run that asks these listeners; None where no model is among them, or nothing
    can be forecast of it."""
    names = dict.fromkeys(filter(None, map(model_of, specs)))
    try:
        models = [name for name in names if not _small(settings, name)]
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


def workload(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a training configuration asks of the memory, as `actions.forecast_model` takes it."""
    lora, train = config["lora"], config["train"]
    changes = {
        "tune": True,
        "scope": lora["scope"],
        "rank": int(lora["rank"]),
        "seconds": float(config["curriculum"]["clip_high_s"]),
        "batch": max(1, int(train["batch"]) // max(1, int(train.get("processes", 1)))),
        "checkpointing": bool(train.get("gradient_checkpointing", False)),
    }
    if train.get("four_bit"):
        changes |= {"four_bit": True, "dtype": "bfloat16"}
    elif train.get("dtype", "auto") != "auto":
        changes["dtype"] = train["dtype"]
    return changes


def make(settings: Settings, room: Room | None) -> str:
    """Unload what has to go; the sentence that says so ("" where nothing had to)."""
    gone = actions.make_room(settings, room.needed_gb) if room else []
    if not gone:
        return ""
    return f"{', '.join(gone)} was unloaded here to make room for the run."


def make_for_tuning(settings: Settings, base: str, config: Mapping[str, Any]) -> str:
    """`make` for a fine-tune. Raises `UserError`, saying what would fit, where it does not."""
    needs = for_tuning(settings, base, config)
    said = make(settings, needs)
    if needs is not None:
        seconds = float(config["curriculum"]["clip_high_s"])
        actions.refuse_tuning_too_large(settings, base, config["lora"], config["train"], seconds)
    return said


def room_html(room: Room | None) -> str:
    """`Room.words` for the page (HTML)."""
    return notice(room.words) if room else ""


def model_of(spec: str) -> str:
    """The model of a listener, with its options; "" for one that is none."""
    heard = listeners.ListenerSpec.parse(spec).hearing
    return "" if heard.is_formula else str(heard.base)


def _small(settings: Settings, name: str) -> bool:
    """Whether a model is too small to ask about its memory (that imports torch)."""
    folder = listeners.model_folder(name, settings)
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) < SMALL_BYTES


def _room(settings: Settings, what: str, needed_gb: float) -> Room:
    sizes = {row["name"]: row["gb"] for row in actions.models_in_memory()}
    names = actions.would_unload(settings, needed_gb)
    return Room(
        what,
        settings.device,
        needed_gb,
        _free_gb(settings),
        tuple((name, sizes.get(name, 0.0)) for name in names),
    )


def _free_gb(settings: Settings) -> float:
    from spectcount.listeners.checkpoints.needs import free_bytes

    return free_bytes(settings.device) / 1e9


@functools.lru_cache(maxsize=64)
def _needs_gb(settings: Settings, name: str, changes: tuple[tuple[str, Any], ...]) -> float:
    """GB that a model needs. Kept: taking a large model apart takes a moment."""
    return float(actions.forecast_model(settings, name, dict(changes))["total_gb"])
