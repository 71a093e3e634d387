"""LoRA adapters: which modules they touch, what they are called, what they compute in.

Conventions: an adapter's weights are float32 whatever the base's number format, so that small
updates are not rounded away; they compute in the format of what they are given. The base's own
dropout is off: what is random in a step is what the recipe declares.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from spectcount.errors import UserError
from spectcount.listeners.families import Family
from spectcount.training.options import LoraOptions


def attach(family: Family, model: Any, options: LoraOptions, base_name: str) -> Any:
    """`model` with a fresh adapter: a PeftModel whose only trainable weights are the adapter's."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules=family.lora_targets(options.scope),
        bias="none",
    )
    _silence_dropout(model)
    tuned = get_peft_model(model, config)
    tuned.peft_config["default"].base_model_name_or_path = base_name
    _compute_in_the_base_format(tuned)
    return tuned


def hears_frozen(options: LoraOptions) -> bool:
    """Whether the encoder does not learn, so that its forward needs no gradient."""
    return options.scope in ("llm", "projector")


def recompute_layers(model: Any) -> int:
    """Gradient checkpointing on every layer of encoder and language model; how many. Without
    re-entrance: the frozen input of an adapted layer needs no gradient of its own. Raises
    `UserError` where the model has no layer that allows it."""
    from torch.utils.checkpoint import checkpoint
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
    for layer in layers:
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
    if not layers:
        raise UserError(
            "gradient_checkpointing=true, but this model has no layer that allows it; turn it off"
        )
    return len(layers)


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
