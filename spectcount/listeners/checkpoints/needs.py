"""Memory that models need against what is free here: take a model apart, forecast, compare.

Nothing is ever swapped for something smaller: a model that does not fit is refused, and the
refusal names what the user may choose.

Conventions: bytes; GB are 10^9 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import torch

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.anatomy import Anatomy, anatomy_of, anatomy_of_config
from spectcount.listeners.checkpoints.cards import Card, cards
from spectcount.listeners.checkpoints.forecast import CUDA_CONTEXT, Forecast, Workload, forecast
from spectcount.listeners.checkpoints.loading import LoadOptions
from spectcount.listeners.checkpoints.names import model_folder, model_name
from spectcount.listeners.families import FAMILIES, Family, family_of
from spectcount.listeners.spec import ListenerSpec
from spectcount.settings import Settings

CGROUP = Path("/sys/fs/cgroup")


def free_bytes(device: str) -> int:
    """Memory of `device` that nobody uses now, bytes; of a CPU or a Mac what the system can give,
    within a container's limit."""
    if device.startswith("cuda"):
        n = torch.cuda.device_count()
        if (torch.device(device).index or 0) >= n:
            raise UserError(f"device={device!r}, but this machine has {n} CUDA devices; give cpu")
        torch.cuda.empty_cache()
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    available = int(psutil.virtual_memory().available)
    return min(available, _container(CGROUP, available))


def free_everywhere() -> int:
    """Memory that a spread model may take: of all CUDA devices, and of the host, where the layers
    go that no device has room for."""
    devices = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return sum(map(free_bytes, [*devices, "cpu"]))


def _container(folder: Path, otherwise: int) -> int:
    """Memory that a container's limit leaves (cgroup v2), `otherwise` where there is none."""
    limit, used = folder / "memory.max", folder / "memory.current"
    if not limit.is_file() or not used.is_file():
        return otherwise
    text = limit.read_text().strip()
    return otherwise if text == "max" else max(0, int(text) - int(used.read_text()))


def refuse_too_large(
    name: str,
    anatomy: Anatomy,
    wanted: Forecast,
    free: int,
    device: str,
    *,
    staged: bool = True,
    listed: Mapping[str, float] | None = None,
    remedy: str = "",
) -> None:
    """Raise `UserError` where `wanted` is more than `free`, saying what would fit: other settings
    of the same model, else the largest of `listed` (name -> GB)."""
    if wanted.bytes <= free:
        return
    others = [
        f"{words}: {other.gb:.1f} GB"
        for words, other in alternatives(anatomy, wanted.workload, staged, device)
        if other.bytes <= free
    ]
    smaller = {n: gb for n, gb in (listed or {}).items() if 0 < gb * 1e9 <= free and n != name}
    if others:
        hint = "what fits: " + ", or ".join(others[:3])
    elif smaller:
        best = max(smaller, key=lambda n: smaller[n])
        hint = f"what fits of the listed models: {best} ({smaller[best]:.1f} GB)"
    else:
        hint = "free the device, or choose a smaller model"
    doing = "tuning" if wanted.workload.tune else "scoring with"
    raise UserError(
        f"{doing} {name} needs {wanted.gb:.1f} GB on {device} ({_why(wanted)}) and "
        f"{free / 1e9:.1f} GB are free; {hint}{remedy}"
    )


def _why(wanted: Forecast) -> str:
    """The use of the memory, in words."""
    load = wanted.workload
    weights = f"weights {sum(wanted.weights.values()) / 1e9:.1f} in "
    weights += "4 bits" if load.four_bit else load.dtype
    clips = f"{load.batch} clip{'s' if load.batch > 1 else ''} of {load.seconds:g} s at once"
    return f"{weights}, {wanted.activations / 1e9:.1f} for {clips}"


def alternatives(
    anatomy: Anatomy, workload: Workload, staged: bool, device: str
) -> Iterator[tuple[str, Forecast]]:
    """(words, forecast) of other settings, the mildest change first."""
    for words, changes in _changes(workload, device):
        yield words, forecast(anatomy, workload.replace(**changes), staged=staged, device=device)


def _changes(workload: Workload, device: str) -> Iterator[tuple[str, dict[str, object]]]:
    spared: dict[str, object] = {"checkpointing": True} if workload.tune else {}
    also = " with gradient checkpointing" if workload.tune else ""
    if workload.tune and not workload.checkpointing:
        yield "gradient checkpointing", spared
    for size in (32, 16, 8, 4, 2, 1):
        if size < workload.batch:
            yield f"batch {size}{also}", {"batch": size, **spared}
    if workload.dtype == "float32":
        yield "bfloat16", {"dtype": "bfloat16"}
        yield f"bfloat16, batch 1{also}", {"dtype": "bfloat16", "batch": 1, **spared}
    if device.startswith("cuda") and not workload.four_bit:
        smaller = {"dtype": "bfloat16", "four_bit": True}
        yield "in 4 bits", {**smaller}
        yield f"in 4 bits, batch 1{also}", {**smaller, "batch": 1, **spared}


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


def forecast_for(spec: str, settings: Settings, changes: Mapping[str, Any]) -> Forecast:
    """The forecast of `spec` on the device of `settings`; `changes` are fields of `Workload`."""
    anatomy, family = anatomy_for(spec, settings)
    options = LoadOptions.from_dict(ListenerSpec.parse(spec).load_options)
    dtype = str(options.torch_dtype(settings.device)).removeprefix("torch.")
    workload = Workload.from_dict({"dtype": dtype, "four_bit": options.four_bit, **changes})
    return forecast(anatomy, workload, staged=family.staged, device=settings.device)


def scoring_forecast(folder: Path, options: LoadOptions, device: str) -> Forecast:
    """The forecast of loading and scoring one 30 s clip; batches grow only while they fit."""
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
        name,
        anatomy_of(folder, family),
        wanted,
        free,
        settings.device,
        staged=family.staged,
        listed={card.name: card.needs_gb for card in cards(settings).values()},
    )


def refuse_tuning(
    spec: str, settings: Settings, changes: Mapping[str, Any], gives_bytes: int = 0
) -> Forecast:
    """The forecast of a fine-tune; raises `UserError`, with what would fit, where it does not fit
    the device. `changes`: fields of `Workload` (batch, seconds, scope, rank, checkpointing,
    four_bit, dtype). `gives_bytes`: so much others give way with."""
    anatomy, family = anatomy_for(spec, settings)
    wanted = forecast_for(spec, settings, {**changes, "tune": True})
    free = free_bytes(settings.device) + gives_bytes
    refuse_too_large(
        model_name(spec),
        anatomy,
        wanted,
        free,
        settings.device,
        staged=family.staged,
        listed={card.name: card.needs_gb for card in cards(settings).values()},
    )
    return wanted


def needs_gb(card: Card, device: str) -> dict[str, float]:
    """GB to score a 30 s clip with a listed model on `device`: under "" as it is loaded there, and
    under the option that makes it smaller. On a CUDA device the numbers on the card: bfloat16, or
    "4bit". Elsewhere float32, or "bf16", without what CUDA takes."""
    if device.startswith("cuda"):
        return {"": card.needs_gb, "4bit": card.needs_4bit_gb}
    halved = card.needs_gb - CUDA_CONTEXT / 1e9
    return {"": 2 * halved, "bf16": halved}
