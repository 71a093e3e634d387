"""A base model to be tuned and its LoRA adapter: whether all of it fits, which modules the adapter
touches, what they compute in.

Conventions: an adapter's weights are float32 whatever the base's number format, so that small
updates are not rounded away; they compute in the format of what they are given. The base's own
dropout is off: what is random in a step is what the recipe declares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.anatomy import anatomy_of
from spectcount.listeners.checkpoints.forecast import WINDOW_S, Workload, forecast
from spectcount.listeners.checkpoints.loading import LoadOptions, check_folder
from spectcount.listeners.checkpoints.needs import free_bytes, refuse_too_large
from spectcount.listeners.families import Family, family_of
from spectcount.listeners.loaded import LoadedModel
from spectcount.training.options import LoraOptions, TrainOptions


def load_base(
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


def attach(family: Family, model: Any, options: LoraOptions, base_name: str) -> Any:
    """`model` with a fresh adapter: a PeftModel whose only trainable weights are the adapter's.

    PEFT is given a regular expression. Where a model has experts, it reduces that to the last
    parts of the names, which encoder and language model share; then it gets the names.
    """
    from peft import LoraConfig, get_peft_model

    wanted = re.compile(family.lora_targets(options.scope))
    names = {name for name, _ in model.named_modules() if wanted.fullmatch(name)}
    _silence_dropout(model)
    for targets in (wanted.pattern, sorted(names)):
        config = LoraConfig(
            r=options.rank,
            lora_alpha=options.alpha,
            lora_dropout=options.dropout,
            target_modules=targets,
            bias="none",
        )
        tuned = get_peft_model(model, config)
        if _adapted(model) == names:
            break
        tuned.unload()
    else:
        raise RuntimeError(f"no adapter of scope {options.scope} could be set on {base_name}")
    tuned.peft_config["default"].base_model_name_or_path = base_name
    _compute_in_the_base_format(tuned)
    return tuned


def _adapted(model: torch.nn.Module) -> set[str]:
    """Names of the modules that have a part of an adapter."""
    return {name.rpartition(".lora_A.")[0] for name, _ in model.named_modules()} - {""}


def hears_frozen(options: LoraOptions) -> bool:
    """True where the encoder does not learn, so that its forward needs no gradient."""
    return options.scope in ("llm", "projector")


def recompute_layers(model: torch.nn.Module) -> int:
    """Gradient checkpointing on every layer of encoder and language model; how many. Without
    re-entrance: the frozen input of an adapted layer needs no gradient of its own. Raises
    `UserError` where the model has no layers."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = list(_layers(model))
    for layer in layers:
        if isinstance(layer, GradientCheckpointingLayer):
            layer.gradient_checkpointing = True
            layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
        else:
            layer.forward = _recomputed(layer)
    if not layers:
        raise UserError(
            "gradient_checkpointing=true, but this model has no layers to compute again; turn it "
            "off"
        )
    return len(layers)


def _layers(module: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """The outermost members of lists of modules, adapted or not: the way back to an adapted
    encoder leads through the language model's frozen layers."""
    if isinstance(module, torch.nn.ModuleList):
        yield from module
        return
    for child in module.children():
        yield from _layers(child)


def _recomputed(layer: torch.nn.Module) -> Callable[..., Any]:
    """The layer's forward, for classes that transformers gives no checkpointing of its own."""
    forward = layer.forward

    def recomputed(*given: Any, **named: Any) -> Any:
        if layer.training and torch.is_grad_enabled():
            return checkpoint(forward, *given, use_reentrant=False, **named)
        return forward(*given, **named)

    return recomputed


def _silence_dropout(model: torch.nn.Module) -> None:
    """Some encoders drop a tenth of what they hear while in training mode, as modules of their
    own or by a rate that a layer keeps."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            if isinstance(value, float) and ("dropout" in name or name == "layerdrop"):
                setattr(module, name, 0.0)


class _AdapterLinear(torch.nn.Linear):
    """A linear layer that computes in its input's number format."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, self.weight.to(x.dtype))


def _compute_in_the_base_format(tuned: Any) -> None:
    """PEFT would raise the input of every adapted layer to the adapter's float32, and keep that
    copy for the way back: twice the memory of a bfloat16 base, at half the speed."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for layer in (m for m in tuned.modules() if isinstance(m, BaseTunerLayer)):
        layer.cast_input_dtype_enabled = False
        for linear in (*layer.lora_A.values(), *layer.lora_B.values()):
            if type(linear) is torch.nn.Linear:
                linear.__class__ = _AdapterLinear
