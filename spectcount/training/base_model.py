"""The base of a fine-tune: its number format, and the language model in 4 bits when asked."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import torch

from spectcount.errors import UserError
from spectcount.listeners.families import Family, family_of
from spectcount.listeners.loaded import LoadedModel
from spectcount.training.options import TrainOptions


def load(folder: Path, device: str, options: TrainOptions) -> LoadedModel:
    """The base model on `device`, as `options` ask; raises `UserError` where that cannot be."""
    dtype = dtype_of(options.dtype, device)
    if not options.four_bit:
        return LoadedModel(folder, device, dtype)
    refuse_four_bit(device)
    return LoadedModel(folder, device, dtype, **four_bit(folder, device, dtype))


def dtype_of(name: str, device: str) -> torch.dtype:
    """ "auto", "float32" or "bfloat16" -> the base's number format."""
    if name == "auto":
        name = "bfloat16" if device.startswith("cuda") else "float32"
    found: torch.dtype = getattr(torch, name)
    return found


def refuse_four_bit(device: str) -> None:
    """Raise `UserError` where no 4-bit base can be made."""
    if not device.startswith("cuda"):
        raise UserError(
            f"four_bit=true needs a CUDA device and this run's is {device}; turn it off, or give "
            "--device cuda"
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            "four_bit=true needs the package bitsandbytes, which is not installed; install it "
            "(pip install bitsandbytes), or turn four_bit off"
        )


def four_bit(folder: Path, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """Options of `Family.load` for a language model in NF4 with nested scales (QLoRA; Dettmers et
    al., 2023), everything else in `dtype`."""
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=kept_whole(family_of(folder), folder),
    )
    return {"quantization_config": config, "device_map": {"": device}}


def kept_whole(family: Family, folder: Path) -> list[str]:
    """Names of the modules that hold linear layers and are not the language model's own: encoder,
    projector, output layer. Read off the architecture, without its weights."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = getattr(transformers, family.auto_class).from_config(config)
    return _without(model, re.compile(rf"(.*\.)?{family.llm}"), "")


def _without(module: torch.nn.Module, wanted: re.Pattern[str], name: str) -> list[str]:
    """The largest parts of `module` with linear layers none of which is `wanted`."""
    inside = [f"{name}.{n}".strip(".") for n, m in module.named_modules() if _linear(m)]
    if not inside:
        return []
    if not any(wanted.fullmatch(one) for one in inside):
        return [name]
    children = module.named_children()
    return [n for k, m in children for n in _without(m, wanted, f"{name}.{k}".strip("."))]


def _linear(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.Linear)
