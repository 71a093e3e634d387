"""Adapters from folders onto a model in memory: what is refused, and nothing is left of it.

peft sets an adapter's layers before it reads their weights, and reads what fits. An adapter made on
another model would so answer with a part of itself, and go on answering in the base's name where
it was refused. So its tensors are counted, and what was set for one that is refused is taken off.

Conventions: weights are read from safetensors only; `name` is the adapter's name within the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.hashes import hash_files


def digest_of(folder: Path) -> str:
    """Hash of an adapter: its weights and how they are put to use (a scale, say). Raises
    `UserError` where `folder` is no adapter of safetensors."""
    config, weights = folder / "adapter_config.json", folder / "adapter_model.safetensors"
    if not config.is_file():
        raise UserError(f"{folder.name} is no adapter (no adapter_config.json); choose another")
    if not weights.is_file():
        raise UserError(
            f"{folder.name} has no adapter_model.safetensors; other formats may hold code and are "
            "not read: save it as safetensors"
        )
    return hash_files([config, weights])


def refuse_other_base(folder: Path, fingerprint: str, model: str) -> None:
    """Raise `UserError` where the adapter's record names other base weights."""
    record = folder / "lineage.json"
    made_on = json.loads(record.read_text()).get("base_fingerprint") if record.is_file() else None
    if made_on and made_on.split("-")[0] != fingerprint.split("-")[0]:
        raise UserError(
            f"adapter {folder.name} was made on other weights ({made_on}) than {model} has "
            f"({fingerprint}); ask it on its own base, or tune it anew"
        )


def attach(model: Any, tuned: Any, folder: Path, name: str) -> Any:
    """`model` with the adapter in `folder` beside those that `tuned` (a PeftModel, or None) has
    already: the PeftModel. Raises `UserError` where it does not fit whole; `detach` it then."""
    from peft import PeftModel

    try:
        if tuned is None:
            tuned = PeftModel.from_pretrained(model, str(folder), adapter_name=name)
        else:
            tuned.load_adapter(str(folder), adapter_name=name)
    except (RuntimeError, ValueError, KeyError) as error:
        raise UserError(_misfit(folder, str(error)[:200])) from error
    given, taken = _in_file(folder), _in_model(model, name)
    if given != taken:
        raise UserError(_misfit(folder, f"it has {given} tensors, {taken} of them have a place"))
    return tuned.eval()


def detach(model: Any, tuned: Any, name: str) -> None:
    """Take an adapter off again; with the first one (`tuned` is None) all that was set for it."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    if tuned is not None:
        if name in tuned.peft_config:
            tuned.delete_adapter(name)
        return
    for place, layer in list(model.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            model.set_submodule(place, layer.get_base_layer())
        elif isinstance(layer, AuxiliaryTrainingWrapper):
            model.set_submodule(place, layer.original_module)
    if hasattr(model, "peft_config"):
        del model.peft_config


def _misfit(folder: Path, why: str) -> str:
    return f"adapter {folder.name} does not fit: {why}; choose an adapter made on this base"


def _in_file(folder: Path) -> int:
    from safetensors import safe_open

    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        return sum("lora_" in key for key in file.keys())  # noqa: SIM118 - it is no mapping


def _in_model(model: Any, name: str) -> int:
    return sum("lora_" in n and f".{name}." in f"{n}." for n, _ in model.named_parameters())
