"""Adapters from folders onto a model in memory: what is refused, and nothing is left of it.

LoRA goes to peft, which adds it beside the base's weights. Weights that an adapter keeps whole
stand in for the base's only while it answers, so that no adapter lies within another's modules,
whichever came first.

Conventions: weights are read from safetensors only; `name` is the adapter's name within the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spectcount.errors import UserError
from spectcount.listeners.checkpoints import files, identity
from spectcount.listeners.checkpoints.adapter_plan import UNUSED, Plan, misfit, tree_of
from spectcount.listeners.checkpoints.cards import HUB_ID
from spectcount.listeners.checkpoints.files import json_object, text_of
from spectcount.listeners.checkpoints.hashes import hash_files, hash_tensors, hash_text


def digest_of(folder: Path) -> str:
    """Hash of an adapter: its tensors by name and content, and how they are put to use (a scale,
    say). Raises `UserError` where `folder` is no adapter of safetensors."""
    config, weights = folder / "adapter_config.json", folder / "adapter_model.safetensors"
    if not config.is_file():
        raise UserError(f"{folder.name} is no adapter (no adapter_config.json); choose another")
    if not weights.is_file():
        raise UserError(
            f"{folder.name} has no adapter_model.safetensors; other formats may hold code and are "
            "not read: save it as safetensors"
        )
    options = json_object(config)
    used = {k: _unordered(v) for k, v in options.items() if v and k not in UNUSED}
    return hash_text(json.dumps([hash_tensors(weights), used], sort_keys=True))


def _unordered(value: Any) -> Any:
    """peft writes sets of names as lists in any order."""
    return sorted(value, key=str) if isinstance(value, list) else value


def refuse_other_base(folder: Path, fingerprint: str, base: Path) -> None:
    """Raise `UserError` where the adapter's record names another base than the one in the folder
    `base`. Records of earlier releases name a hash of the base's files; adapters from elsewhere
    the base's name on the hub."""
    record = folder / "lineage.json"
    made_on = text_of(json_object(record), "base_fingerprint") if record.is_file() else ""
    if not made_on:
        _refuse_other_hub_id(folder, base)
        return
    if identity.is_old(made_on):
        digest = hash_files(sorted(base.glob("*.safetensors")))
        other = "" if made_on.split("-")[0] == digest else "weights"
    else:
        other = identity.other_base(made_on, fingerprint)
    if other:
        raise UserError(
            f"adapter {folder.name} was made on a base with other {other} ({made_on}) than "
            f"{base.name} ({fingerprint}); ask it on its own base, or tune it anew"
        )


def _refuse_other_hub_id(folder: Path, base: Path) -> None:
    """By the last part of the names: the first is a mirror's, or a folder's, as often as not."""
    config = json_object(folder / "adapter_config.json")
    written, here = str(config.get("base_model_name_or_path") or ""), files.hub_id(base)
    if not here or not HUB_ID.fullmatch(written):
        return
    if written.rpartition("/")[2].lower() != here.rpartition("/")[2].lower():
        raise UserError(
            f"adapter {folder.name} was made on {written} and {base.name} is {here}; ask it on its "
            "own base, or, if both are the same weights, write the name into its "
            "adapter_config.json (base_model_name_or_path)"
        )


@dataclass(frozen=True)
class Whole:
    """Weights that stand in for the base's own: (owner, attribute, weight)."""

    places: tuple[tuple[torch.nn.Module, str, torch.Tensor], ...]

    @property
    def bytes(self) -> int:
        return sum(weight.numel() * weight.element_size() for _, _, weight in self.places)

    @contextmanager
    def laid(self) -> Iterator[None]:
        """While open, the base computes with these weights."""
        before = [_swap(owner, leaf, weight) for owner, leaf, weight in self.places]
        try:
            yield
        finally:
            for (owner, leaf, _), weight in zip(self.places, before, strict=True):
                _swap(owner, leaf, weight)


def _swap(owner: torch.nn.Module, leaf: str, weight: Any) -> Any:
    """Put a weight at its place; what was there. A tied weight changes at this place only."""
    store = owner._parameters if leaf in owner._parameters else owner._buffers
    before, store[leaf] = store[leaf], weight
    return before


def whole_of(plan: Plan, model: Any) -> Whole:
    """The weights that an adapter keeps whole, in the base's number format and on its device.
    Raises `UserError` where the base's own are packed in 4 bits."""
    tensors, places = tree_of(model).tensors, []
    for place, tensor in plan.whole.items():
        owner, leaf = tensors[place]
        base = getattr(owner, leaf)
        if not base.is_floating_point():
            raise misfit(plan.name, f"it keeps {place} whole, which is packed in 4 bits here")
        weight = tensor.to(base.device, base.dtype)
        parameter = leaf in owner._parameters
        places.append(
            (owner, leaf, torch.nn.Parameter(weight, requires_grad=False) if parameter else weight)
        )
    return Whole(tuple(places))


def attach(model: Any, tuned: Any, plan: Plan, name: str) -> Any:
    """`model` with the adapter's LoRA beside those that `tuned` (a PeftModel, or None) has
    already: the PeftModel. Raises `UserError` where it does not fit whole; `detach` it then."""
    from peft import LoraConfig, PeftModel

    if not plan.lora:
        return tuned
    config = LoraConfig(bias="none", inference_mode=True, **plan.options)
    try:
        if tuned is None:
            tuned = PeftModel(model, config, adapter_name=name)
        else:
            tuned.add_adapter(name, config)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise misfit(plan.name, " ".join(str(error).split())[:200]) from error
    _fill(model, plan, name)
    return tuned.eval()


def _fill(model: Any, plan: Plan, name: str) -> None:
    """Write an adapter's tensors into the layers that peft has set for it, all of them."""
    empty = {
        key: weight
        for key, weight in model.named_parameters(remove_duplicate=False)
        if ".lora_" in key and name in key.split(".")
    }
    for (place, part, leaf), tensor in plan.lora.items():
        key = ".".join(filter(None, (place, part, name, leaf)))
        weight = empty.pop(key, None)
        if weight is None:
            raise misfit(plan.name, f"its tensor {place}.{part} has no place in this model")
        if weight.shape != tensor.shape:
            raise misfit(
                plan.name,
                f"its tensor {place}.{part} has shape {list(tensor.shape)}, its place "
                f"{list(weight.shape)}",
            )
        weight.data.copy_(tensor)
    if empty:
        raise misfit(plan.name, f"{min(empty)} has no tensor in its file")


def detach(model: Any, tuned: Any, name: str) -> None:
    """Take an adapter off again, with the layers that were set for it alone; with the first one
    (`tuned` is None) all that was set."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if tuned is not None and name in tuned.peft_config:
        tuned.set_adapter(next(other for other in tuned.peft_config if other != name))
        tuned.delete_adapter(name)
    for place, layer in list(model.named_modules()):
        if isinstance(layer, BaseTunerLayer) and (tuned is None or not _carries_any(layer)):
            model.set_submodule(place, layer.get_base_layer())
    if tuned is None and hasattr(model, "peft_config"):
        del model.peft_config


def _carries_any(layer: Any) -> bool:
    return any(len(getattr(layer, store)) for store in ("lora_A", "lora_embedding_A"))
