"""The base of a fine-tune: its number format, 4 bits when asked, and whether all of it fits."""

from __future__ import annotations

from pathlib import Path

from spectcount.listeners.checkpoints.anatomy import anatomy_of
from spectcount.listeners.checkpoints.fits import free_bytes, refuse_too_large
from spectcount.listeners.checkpoints.forecast import WINDOW_S, Workload, forecast
from spectcount.listeners.checkpoints.loading import LoadOptions, check_folder
from spectcount.listeners.families import family_of
from spectcount.listeners.loaded import LoadedModel
from spectcount.training.options import LoraOptions, TrainOptions


def load(
    folder: Path,
    device: str,
    train: TrainOptions,
    lora: LoraOptions,
    clip_s: float | None = None,
) -> LoadedModel:
    """The base model on `device`. Raises `UserError` where it cannot be had in the format asked
    for, or where tuning it on clips of `clip_s` would not fit."""
    check_folder(folder)
    family = family_of(folder)
    options = LoadOptions(dtype=train.dtype, four_bit=train.four_bit)
    keywords = options.keywords(family, folder, device)
    dtype = options.torch_dtype(device)
    anatomy = anatomy_of(folder, family)
    workload = Workload(
        dtype=str(dtype).removeprefix("torch."),
        four_bit=train.four_bit,
        batch=train.clips_per_process,
        seconds=clip_s or WINDOW_S,
        tune=True,
        scope=lora.scope,
        rank=lora.rank,
        checkpointing=train.gradient_checkpointing,
    )
    needed = forecast(anatomy, workload, staged=family.staged, device=device)
    refuse_too_large(folder.name, anatomy, needed, free_bytes(device), device, staged=family.staged)
    return LoadedModel(folder, device, dtype, **keywords)
