"""A random model of a real one's depth, narrow, its logits spread as a trained model's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from spectcount.listeners.families import FAMILIES
from spectcount.listeners.loaded import LoadedModel
from spectcount.listeners.scoring.spelling import Speller
from spectcount.settings import load_settings
from spectcount.training import full_size

WIDTH = 128
WINDOW_S = 6


@dataclass
class Deep:
    """As much of a `LoadedModel` as the choice of a path takes."""

    family: Any
    model: Any
    processor: Any
    speller: Any
    dtype: torch.dtype
    path: str = "stock"
    prompt_logits = LoadedModel.prompt_logits

    @property
    def device(self) -> torch.device:
        return self.model.device

    def of(self, family: Any) -> Deep:
        """The same model by another family's code."""
        return replace(self, family=family)


FULL_GAIN = 6.0
"""Scale of the weights at which narrow layers pass on as much as those of the full width do, whose
usual start is the same: sqrt(3584 / 128) = 5.3 and more. Rounding then makes .04 to .06 of the
spread, as was measured on Audio Flamingo 3 of full size on a GPU (.057)."""


def deep(
    dtype: torch.dtype,
    home: Any,
    logit_std: float = 5.0,
    encoder: int = 4,
    gain: float = 1.0,
    seed: int = 0,
) -> Deep:
    """Audio Flamingo 3 of 28 layers, narrow, with a short window."""
    from spectcount.listeners.checkpoints.cards import cards

    listed = cards(load_settings(home=home))["audio-flamingo-3"]
    card = full_size.narrow(listed, WIDTH, encoder, 28, WINDOW_S)
    processor = full_size.processor_of(card.family, WINDOW_S)
    processor.tokenizer.padding_side = "left"
    model = full_size.build(card, processor, "cpu", torch.float32, seed)
    _scale_layers(model, gain)
    model = model.eval().to(dtype)
    full_size.scale_head(model, logit_std)
    family = FAMILIES["audio-flamingo-3"]
    return Deep(family, model, processor, Speller(family, model, processor), dtype)


def _scale_layers(model: Any, gain: float) -> None:
    head = model.get_output_embeddings()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, torch.nn.Linear) and layer is not head:
                layer.weight.mul_(gain)
