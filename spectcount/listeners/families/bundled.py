"""Adapters that belong to a model: merged into its weights at load, for every question here has
audio, and a user's adapter would switch them off.
"""

from __future__ import annotations

from typing import Any

from spectcount.errors import UserError


def merge(model: Any, folder: str, name: str) -> None:
    """Add the adapter in `folder` to the weights of `model`, in place. Raises `UserError` where it
    is not there whole: transformers only warns, and draws what it lacks at random."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    try:
        missing = model.load_adapter(folder).missing_keys
    except (OSError, ValueError) as error:
        missing = {str(error)}
    if missing:
        raise UserError(
            f"{name} lacks its bundled adapter for audio, or a part of it "
            f"({min(missing)[:120]}); fetch the whole checkpoint"
        )
    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, BaseTunerLayer)]
    for place, layer in layers:
        layer.merge()
        model.set_submodule(place, layer.get_base_layer())
    model.config.has_lora_adapter = model._hf_peft_config_loaded = False
    model._weight_conversions = None  # the adapter's names; saving would use them on the base
    del model.peft_config
