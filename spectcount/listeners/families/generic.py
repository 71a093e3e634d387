"""A model outside the list, tried by what transformers knows about it.

The auto class is found by the checkpoint's config, the prompt is its own chat template with an
audio part, scoring takes the stock forward, and LoRA's targets come from the names of the modules:
the language model is what lies beside the input embeddings; of all other linear layers those of
vision are left out, those with a projector's name are the projector, and the rest is the encoder.
None of this may be trusted before it was tried: at load the model has to pass four checks (the
clip reaches the batch; prompts are padded on the left; a batch equals its members alone; a loud
tone and silence give other answers), or it is refused with the check that failed and what to do.

Quirks: the longest clip is the feature extractor's window where it has one, else `LONGEST_S`;
adapters that a checkpoint keeps in folders of their own are not loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners.families import trial
from spectcount.listeners.families.base import Family, fix_date

# What is a fact of the class in other families is found per checkpoint here.
# mypy: disable-error-code="misc"

AUTO_CLASSES = ("AutoModelForMultimodalLM", "AutoModelForSeq2SeqLM", "AutoModelForCausalLM")
LONGEST_S = 30.0
PADDING: tuple[Mapping[str, Any], ...] = ({}, {"processor_kwargs": {"padding": True}})
"""Some processors pad by themselves and refuse to be told, some pad only when told."""
SIGHT = re.compile(r"vision|visual|image|video|img")
SPEAKING = re.compile(r"talker|code2wav|vocoder|speech_decoder|audio_decoder|token2wav")
NOTHING = r"(?!)"
BRIDGE = re.compile(
    r"projector|projection|adapter|adaptor|connector|qformer|q_former|multi_modal|embed_audio"
    r"|bridge|aligner|proj_for"
)


@dataclass(frozen=True)
class Names:
    """Regular expressions over the modules of each part, `NOTHING` where the model has none."""

    encoder: str
    projector: str
    llm: str

    def targets(self, scope: str, model: str) -> str:
        """As `Family.lora_targets`; raises `UserError` where the scope has no module."""
        parts = {
            "encoder": (self.encoder, self.projector),
            "projector": (self.projector,),
            "llm": (self.llm,),
            "both": (self.encoder, self.projector, self.llm),
        }[scope]
        if all(part == NOTHING for part in parts):
            raise UserError(
                f"no module of {model} is known by its name to be of scope {scope}; choose another "
                "scope"
            )
        return rf"({'|'.join(parts)})"


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
        self.encoder_layers, self.llm_layers = _numbered(self.encoder), _numbered(self.llm)
        self.padding: Mapping[str, Any] | None = None

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
        if self.extractor(processor) is None:
            raise UserError(
                f"{self.folder.name} takes no audio: its {type(processor).__name__} has no feature "
                "extractor with a sampling rate; choose an audio language model"
            )
        processor.tokenizer.padding_side = "left"
        fix_date(processor)
        return processor

    # Audio

    def window_s(self, processor: Any) -> float:
        extractor = self.extractor(processor)
        n_samples = getattr(extractor, "n_samples", None)
        return n_samples / extractor.sampling_rate if n_samples else LONGEST_S

    def audio_token_id(self, processor: Any) -> int:
        token = getattr(processor, "audio_token_id", None)
        if token is None:
            token = processor.tokenizer.convert_tokens_to_ids(processor.audio_token)
        return int(token)

    # Text

    def stock_inputs(
        self, prompts: Sequence[str], waveforms: Sequence[np.ndarray], processor: Any
    ) -> Any:
        if self.padding is None:
            self.padding = self._find_padding(processor)
        self.processor_options = self.padding
        return super().stock_inputs(prompts, waveforms, processor)

    def _find_padding(self, processor: Any) -> Mapping[str, Any]:
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
        ends = self.template_ends(processor)
        return ends[0] if ends else super().end_id(processor)

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


def _names(auto_class: str, config: Any, name: str) -> Names:
    """LoRA's targets; building the model tells what it needs that is not installed."""
    try:
        return names_of(auto_class, config)
    except ImportError as error:
        raise UserError(
            f"{name} needs a package that is not installed ({' '.join(str(error).split())[:200]}); "
            "install it or choose another checkpoint"
        ) from error


def names_of(auto_class: str, config: Any) -> Names:
    """The names of the model that `auto_class` builds for `config`."""
    import transformers

    with torch.device("meta"):
        model = getattr(transformers, auto_class).from_config(config)
    linear = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    named = {id(m): n for n, m in model.named_modules()}
    beside = named[id(model.get_input_embeddings())].rpartition(".")[0]
    head = named.get(id(model.get_output_embeddings()), "")
    spoken = [n for n in linear if re.match(rf"{re.escape(beside)}\.(\w+)\.\d+\.", n)]
    heard = [
        n
        for n in linear
        if n not in set(spoken) and n != head and not SIGHT.search(n) and not SPEAKING.search(n)
    ]
    bridge = [n for n in heard if BRIDGE.search(n)]
    return Names(
        encoder=_expression([n for n in heard if n not in set(bridge)]),
        projector=_expression(bridge),
        llm=_expression(spoken),
    )


def _numbered(expression: str) -> str:
    """The layers that most linear layers of a part lie in, as a regular expression; `NOTHING` where
    they lie in none."""
    layers = [re.match(r".*?\\\.\\d\+", each) for each in expression.split("|")]
    known = [match[0] for match in layers if match]
    return max(known, key=known.count, default=NOTHING)


def _expression(names: Sequence[str]) -> str:
    """One regular expression for all names, the numbers of layers left open."""
    kinds = {re.sub(r"\\\.\d+(?=\\\.|$)", r"\\.\\d+", re.escape(name)) for name in names}
    return "|".join(sorted(kinds)) or NOTHING
