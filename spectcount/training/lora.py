"""LoRA adapters: which modules they touch and what they are called."""

from __future__ import annotations

from typing import Any

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
    tuned = get_peft_model(model, config)
    tuned.peft_config["default"].base_model_name_or_path = base_name
    return tuned


def hears_frozen(options: LoraOptions) -> bool:
    """Whether the encoder does not learn, so that its forward needs no gradient."""
    return options.scope in ("llm", "projector")
