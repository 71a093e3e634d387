"""Models: which there are and what fits, forecasts, getting one, checking a folder, memory.

Conventions: settings come first; a model is written as `listeners.spec` says; sizes in GB (10^9
bytes); `report(words, done, total)` hears how far long work is; bad input raises `UserError`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spectcount import listeners
from spectcount.errors import UserError, choice
from spectcount.settings import Settings

Report = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class ModelRow:
    """One model of the list. `needs_gb`: to score a 30 s clip on this device; `fits`: within what
    is free now; `fits_as`: the option (`bf16`, `4bit`) with which it would where it does not;
    `here`: on this machine; `usable`: whether a family knows it; `licence_open`: nothing has to be
    accepted on the hub first."""

    name: str
    full_name: str
    family: str
    parameters_b: float
    needs_gb: float
    fits: bool
    fits_as: str
    here: bool
    usable: bool
    licence: str
    licence_open: bool
    disk_gb: float
    link: str
    about: str


def models(settings: Settings) -> list[ModelRow]:
    """Every listed model, then the user's own folders; nothing is loaded."""
    from spectcount.listeners.checkpoints.cards import cards
    from spectcount.listeners.checkpoints.needs import free_bytes

    free, here = free_bytes(settings.device) / 1e9, listeners.models(settings)
    listed = cards(settings)
    rows = [_listed(card, settings, free, name in here) for name, card in listed.items()]
    unlisted = {name: folder for name, folder in here.items() if name not in listed}
    return rows + (
        [] if settings.demo else [_own(n, f, settings, free) for n, f in unlisted.items()]
    )


def _listed(card: Any, settings: Settings, free_gb: float, here: bool) -> ModelRow:
    from spectcount.listeners.checkpoints.needs import needs_gb
    from spectcount.listeners.families import FAMILIES

    needs = needs_gb(card, settings.device)
    smaller = [option for option, gb in needs.items() if option and gb <= free_gb < needs[""]]
    return ModelRow(
        card.name,
        card.full_name,
        card.family,
        card.parameters_b,
        needs[""],
        needs[""] <= free_gb,
        "".join(smaller[:1]),
        here,
        card.family in FAMILIES,
        card.licence,
        not card.gated,
        card.disk_gb,
        card.link,
        card.about,
    )


def _own(name: str, folder: Path, settings: Settings, free_gb: float) -> ModelRow:
    """A folder that no card names; a broken one is listed as not usable, with the reason."""
    from spectcount.listeners.checkpoints.needs import forecast_for
    from spectcount.listeners.families import family_of

    size = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e9
    try:
        family, wanted = family_of(folder).name, forecast_for(name, settings, {})
    except UserError as error:
        return ModelRow(
            name, name, "", 0.0, 0.0, False, "", True, False, "", True, size, "", str(error)
        )
    total = sum(wanted.parameters.values()) / 1e9
    fits = wanted.gb <= free_gb
    return ModelRow(
        name,
        name,
        family,
        total,
        wanted.gb,
        fits,
        "",
        True,
        True,
        "",
        True,
        size,
        "",
        "A folder of your own.",
    )


def model_facts(settings: Settings, name: str) -> dict[str, Any]:
    """All that is known of one model: its card, where it lies, its commit there, how to get it."""
    from spectcount.listeners.checkpoints.cards import cards
    from spectcount.listeners.checkpoints.files import revision_of
    from spectcount.listeners.checkpoints.names import download_command, model_name

    row = next((row for row in models(settings) if row.name == model_name(name)), None)
    if row is None:
        hint = choice(name, [row.name for row in models(settings)])
        raise UserError(f"model {name!r} is not known; {hint}")
    card, folder = cards(settings).get(row.name), listeners.models(settings).get(row.name)
    facts = dataclasses.asdict(row)
    facts["folder"] = str(folder) if folder else None
    facts["revision_here"] = revision_of(folder) if folder else None
    if card is not None:
        facts |= {"hub": card.hub, "revision": card.revision or None, "source": card.source}
        facts["unpinned"] = card.unpinned or None
        facts["requires"] = card.requires or None
        if card.hub:
            facts["download"] = download_command(row.name, card, "")
    return facts


def forecast_model(
    settings: Settings, name: str, changes: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Memory that a model needs on this device, by part, and what would fit in its place.
    `changes`: fields of `forecast.Workload` (batch, seconds, tune, scope, rank, checkpointing,
    four_bit, dtype)."""
    from spectcount.listeners.checkpoints.needs import (
        alternatives,
        anatomy_for,
        forecast_for,
        free_bytes,
    )

    wanted, free = forecast_for(name, settings, changes or {}), free_bytes(settings.device)
    anatomy, family = anatomy_for(name, settings)
    others = alternatives(anatomy, wanted.workload, family.staged, settings.device)
    return {
        "model": name,
        "device": settings.device,
        **wanted.to_dict(),
        "free_gb": free / 1e9,
        "fits": wanted.bytes <= free,
        "instead": [
            {"change": words, "total_gb": needs.gb, "fits": needs.bytes <= free}
            for words, needs in others
        ],
    }


def refuse_tuning_too_large(
    settings: Settings, name: str, config: Mapping[str, Any]
) -> dict[str, Any]:
    """The forecast of a fine-tune with this configuration, before anything is loaded; raises
    `UserError`, with what would fit, where it does not fit the device, not even when the resident
    scorer gives way."""
    from spectcount.listeners.checkpoints.needs import refuse_tuning
    from spectcount.training import workload

    gives = sum(row.bytes for row in models_in_memory(settings))
    return refuse_tuning(name, settings, workload(config), gives).to_dict()


def get_model(
    settings: Settings, name: str, revision: str = "", report: Report | None = None
) -> Path:
    """Fetch a listed model or `OWNER/NAME#COMMIT` into `home/models`; its folder."""
    from spectcount.listeners.checkpoints.download import fetch

    return fetch(name, settings, report, revision)


def check_model(settings: Settings, where: str, report: Report | None = None) -> dict[str, Any]:
    """Load a model (a name, or a folder's path), put it to the gate and the parity check, and
    say what came out; raises `UserError` with the reason where it may not be used."""
    known = where in listeners.models(settings) or "/" not in where or "#" in where
    spec = where if known or where.startswith("path:") else f"path:{Path(where).expanduser()}"
    return {"model": spec, **listeners.check(spec, settings, report)}


def models_in_memory(settings: Settings) -> list[listeners.Resident]:
    """The models in memory, the resident scorer's or this process's, the last used first."""
    return listeners.in_memory(settings)


def unload_models(settings: Settings, name: str = "") -> list[str]:
    """Free the memory of a model (of all without a name); which they were."""
    return listeners.free(settings, name)


def end_scorer(settings: Settings) -> bool:
    """Have the resident scorer end once what is under way is answered; whether there was one. The
    next question starts another."""
    return listeners.end_scorer(settings)
