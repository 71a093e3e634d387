"""What the models on this machine and on the list need, and whether they fit this device.

The same three steps everywhere: take the model apart, forecast, compare with what is free.

Conventions: as in `forecast` and `fits`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.anatomy import Anatomy, anatomy_of, anatomy_of_config
from spectcount.listeners.checkpoints.cards import Card, cards
from spectcount.listeners.checkpoints.fits import free_bytes, free_everywhere, refuse_too_large
from spectcount.listeners.checkpoints.forecast import CUDA_CONTEXT, Forecast, Workload, forecast
from spectcount.listeners.checkpoints.loading import LoadOptions
from spectcount.listeners.checkpoints.names import model_folder, model_name
from spectcount.listeners.families import FAMILIES, Family, family_of
from spectcount.listeners.spec import ListenerSpec
from spectcount.settings import Settings


def anatomy_for(spec: str, settings: Settings) -> tuple[Anatomy, Family]:
    """A model taken apart, from its folder or, where it is not on this machine, from its card."""
    name = model_name(spec)
    card = cards(settings).get(name)
    try:
        folder = model_folder(spec, settings)
    except UserError:
        if card is None or not card.config:
            raise
        return anatomy_of_card(card)
    family = family_of(folder)
    return anatomy_of(folder, family), family


def anatomy_of_card(card: Card) -> tuple[Anatomy, Family]:
    """A listed model taken apart, without its files."""
    if card.family not in FAMILIES:
        raise UserError(
            f"{card.name} is of the family {card.family}, which is not here; known are "
            f"{', '.join(FAMILIES)}"
        )
    family = FAMILIES[card.family]
    return anatomy_of_config(card.config, family), family


def forecast_for(spec: str, settings: Settings, changes: dict[str, Any]) -> Forecast:
    """What `spec` needs on the device of `settings`; `changes` are fields of `Workload`."""
    anatomy, family = anatomy_for(spec, settings)
    options = LoadOptions.from_dict(ListenerSpec.parse(spec).load_options)
    dtype = str(options.torch_dtype(settings.device)).removeprefix("torch.")
    workload = Workload.from_dict({"dtype": dtype, "four_bit": options.four_bit, **changes})
    return forecast(anatomy, workload, staged=family.staged, device=settings.device)


def scoring_forecast(folder: Path, options: LoadOptions, device: str) -> Forecast:
    """What loading and scoring one 30 s clip takes; batches grow only while they fit."""
    family = family_of(folder)
    dtype = str(options.torch_dtype(device)).removeprefix("torch.")
    workload = Workload(dtype=dtype, four_bit=options.four_bit)
    anatomy = anatomy_of(folder, family)
    return forecast(anatomy, workload, staged=family.staged, device=device)


def refuse_if_too_large(
    name: str, folder: Path, wanted: Forecast, settings: Settings, *, spread: bool = False
) -> None:
    """Raise `UserError` where a model would not fit the device, or where it is to be `spread` all
    devices and the host's memory behind them, with what would."""
    family = family_of(folder)
    free = free_everywhere() if spread else free_bytes(settings.device)
    refuse_too_large(
        name, anatomy_of(folder, family), wanted, free, settings.device, staged=family.staged,
        listed={card.name: card.needs_gb for card in cards(settings).values()},
    )  # fmt: skip


def refuse_tuning(
    spec: str, settings: Settings, changes: dict[str, Any], in_memory: bool = False
) -> Forecast:
    """The forecast of a fine-tune; raises `UserError`, with what would fit, where it does not fit
    the device. `changes`: fields of `Workload` (batch, seconds, scope, rank, checkpointing,
    four_bit, dtype). `in_memory`: the weights are loaded already and not counted again."""
    anatomy, family = anatomy_for(spec, settings)
    wanted = forecast_for(spec, settings, {**changes, "tune": True})
    free = free_bytes(settings.device)
    if in_memory:
        free += int(sum(wanted.weights.values()))
    refuse_too_large(
        model_name(spec), anatomy, wanted, free, settings.device, staged=family.staged,
        listed={card.name: card.needs_gb for card in cards(settings).values()},
    )  # fmt: skip
    return wanted


def needs_gb(card: Card, device: str) -> dict[str, float]:
    """GB to score a 30 s clip with a listed model on `device`: under "" as it is loaded there, and
    under the option that makes it smaller. On a CUDA device the numbers on the card: bfloat16, or
    "4bit". Elsewhere float32, or "bf16", without what CUDA takes."""
    if device.startswith("cuda"):
        return {"": card.needs_gb, "4bit": card.needs_4bit_gb}
    halved = card.needs_gb - CUDA_CONTEXT / 1e9
    return {"": 2 * halved, "bf16": halved}
