"""A model outside the list, tried by what transformers knows about it.

The auto class is found by the checkpoint's config, the prompt is its own chat template with an
audio part, scoring takes the stock forward, and LoRA's targets come from the names of the modules.
None of this may be trusted before it was tried: at load the model has to pass four checks (the
clip reaches the batch; prompts are padded on the left; a batch equals its members alone; a loud
tone and silence give other answers), or it is refused with the check that failed and what to do.

Quirks: the longest clip is the feature extractor's window where it has one, else `LONGEST_S`;
adapters that a checkpoint keeps in folders of their own are not loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners.families import dates, module_names, trial
from spectcount.listeners.families.base import Family

# What is a fact of the class in other families is found per checkpoint here.
# mypy: disable-error-code="misc"

AUTO_CLASSES = ("AutoModelForMultimodalLM", "AutoModelForSeq2SeqLM", "AutoModelForCausalLM")
LONGEST_S = 30.0
PADDING: tuple[dict[str, Any], ...] = ({}, {"processor_kwargs": {"padding": True}})
"""Some processors pad by themselves and refuse to be told, some pad only when told."""


class Generic(Family):
    """One checkpoint of an architecture that no other family knows."""

    name = "generic"
    architectures = ()

    def __init__(self, folder: Path):
        """Find the auto class and LoRA's targets. Raises `UserError` where transformers cannot
        build the model."""
        self.folder = folder
        config = _config(folder)
        self.auto_class = _auto_class(config, folder.name)
        self.names = _names(self.auto_class, config, folder.name)
        self.encoder, self.projector, self.llm = (
            self.names.encoder,
            self.names.projector,
            self.names.llm,
        )
        self.padding: dict[str, Any] | None = None

    def load(self, folder: str, device: str, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
        model, processor = super().load(folder, device, dtype, **options)
        trial.run(self, self.folder.name, model, processor)
        return model, processor

    def load_processor(self, folder: str) -> Any:
        from transformers import AutoProcessor

        try:
            processor = AutoProcessor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except (ImportError, OSError, ValueError, AttributeError) as error:
            raise UserError(
                f"{self.folder.name} has no processor that can be loaded ({str(error)[:200]}); "
                "choose a checkpoint with audio and its processor's files"
            ) from error
        self._extractor(processor)
        processor.tokenizer.padding_side = "left"
        dates.stand_still(processor)
        return processor

    # Audio

    def _extractor(self, processor: Any) -> Any:
        """What makes features of waveforms. Raises `UserError` where the processor has none."""
        for attribute in ("feature_extractor", "audio_processor"):
            extractor = getattr(processor, attribute, None)
            if getattr(extractor, "sampling_rate", None):
                return extractor
        raise UserError(
            f"{self.folder.name} takes no audio: its {type(processor).__name__} has no feature "
            "extractor with a sampling rate; choose an audio language model"
        )

    def sample_rate(self, processor: Any) -> int:
        return int(self._extractor(processor).sampling_rate)

    def window_s(self, processor: Any) -> float:
        extractor = self._extractor(processor)
        n_samples = getattr(extractor, "n_samples", None)
        return n_samples / extractor.sampling_rate if n_samples else LONGEST_S

    def audio_token_id(self, processor: Any) -> int:
        found = getattr(processor, "audio_token_id", None)
        if found is None:
            found = processor.tokenizer.convert_tokens_to_ids(processor.audio_token)
        return int(found)

    # Text

    def stock_inputs(
        self, prompts: Sequence[str], waveforms: Sequence[np.ndarray], processor: Any
    ) -> Any:
        if self.padding is None:
            self.padding = self._find_padding(processor)
        self.processor_options = self.padding
        return super().stock_inputs(prompts, waveforms, processor)

    def _find_padding(self, processor: Any) -> dict[str, Any]:
        """The options under which two prompts of other lengths become one batch."""
        clips = [np.zeros(self.sample_rate(processor), np.float32)] * 2
        failures = []
        for options in PADDING:
            self.processor_options = options
            try:
                super().stock_inputs(trial.PROMPTS, clips, processor)
            except trial.FAILURES as error:
                failures.append(f"{type(error).__name__}: {str(error)[:150]}")
            else:
                return options
        raise UserError(
            f"{self.folder.name}'s processor makes no batch of two questions by its chat template "
            f"with an audio part ({'; '.join(failures)}); choose a checkpoint made for chat, or "
            "put its chat template into the folder"
        )

    def end_id(self, processor: Any) -> int:
        """The token that the chat template puts behind an answer, where it is a special one; else
        the tokenizer's end of text."""
        turn = [{"role": "assistant", "content": [{"type": "text", "text": "yes"}]}]
        asked = self.conversation("?")
        text = processor.apply_chat_template(asked + turn, tokenize=False)
        behind = text.rpartition("yes")[2].strip()
        ids = processor.tokenizer.encode(behind, add_special_tokens=False)
        if ids and ids[0] in processor.tokenizer.added_tokens_decoder:
            return int(ids[0])
        return super().end_id(processor)

    # Tuning

    def lora_targets(self, scope: str) -> str:
        return self.names.targets(scope, self.folder.name)


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{folder.name} is of a kind that this version of transformers does not know "
            f"({str(error)[:200]}); update transformers, or choose another checkpoint"
        ) from error


def _auto_class(config: Any, name: str) -> str:
    """The first auto class that builds the config; code from a checkpoint is never run."""
    import transformers

    for auto in AUTO_CLASSES:
        if type(config) in getattr(transformers, auto)._model_mapping:
            return auto
    raise UserError(
        f"{name} is a {config.model_type}, which none of {', '.join(AUTO_CLASSES)} builds; choose "
        "a model that answers questions in words"
    )


def _names(auto_class: str, config: Any, name: str) -> module_names.Names:
    """LoRA's targets; building the model tells what it needs that is not installed."""
    try:
        return module_names.of(auto_class, config)
    except ImportError as error:
        raise UserError(
            f"{name} needs a package that is not installed ({' '.join(str(error).split())[:200]}); "
            "install it or choose another checkpoint"
        ) from error
