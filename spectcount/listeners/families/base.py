"""Model families: everything that differs between audio language models, in one place.

A subclass in a file of its own states facts (architectures, module names, limits) and overrides
the methods where its models differ. Every method that it does not override goes through the stock
code of transformers, so a family is right before it is fast. `staged` says that scoring and
training may use `audio_states`, `project` and `hidden` in place of the stock forward; at load a
parity check holds both equal, and the stock path is used where they are not.

Conventions: waveforms float32 [B, T] at `sample_rate`, all of one length; token ids are lists;
left padding everywhere; one clip per prompt, the audio before the text.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from spectcount.errors import UserError

TODAY = datetime(2025, 4, 9)
"""Granite's published example. It stands in chat templates that tell today's date: with that, a
question would be another one tomorrow, and nothing could be repeated."""
_DATE = re.compile(r"strftime_now\(\s*(?P<quote>['\"])(?P<format>.*?)(?P=quote)\s*\)")
_marks: weakref.WeakKeyDictionary[Any, re.Pattern[str]] = weakref.WeakKeyDictionary()
"""By processor; gone when it is."""


class Family:
    """One architecture. `encoder`, `projector`, `llm` are regular expressions over the names of
    the modules that LoRA may adapt; `source` is where the facts come from; `end_token` ends an
    answer where the tokenizer's own does not; `bundled` is the folder within a checkpoint of an
    adapter that belongs to the model.

    For reading states: `features` names the module that log-mel features enter, `mel_axis` the
    axis of their bands; `encoder_layers`, `llm_layers` name modules that the states of each layer
    enter, in order."""

    name: ClassVar[str]
    architectures: ClassVar[tuple[str, ...]]
    auto_class: ClassVar[str] = "AutoModelForSeq2SeqLM"
    staged: ClassVar[bool] = False
    encoder: ClassVar[str]
    projector: ClassVar[str]
    llm: ClassVar[str] = (
        r"language_model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)"
    )
    source: ClassVar[str] = ""
    end_token: ClassVar[str] = ""
    bundled: ClassVar[str | None] = None
    processor_options: ClassVar[Mapping[str, Any]] = {}
    features: ClassVar[str] = ""
    mel_axis: ClassVar[int] = 1
    encoder_layers: ClassVar[str] = ""
    llm_layers: ClassVar[str] = r"language_model\.layers\.\d+"

    # Loading

    def load(self, folder: str, device: str, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
        """(model, processor) of a local checkpoint; safetensors only, no code from it. `options`
        go to `from_pretrained` (a quantisation, a device map); weights go straight to the device,
        not through the host's memory. Raises `UserError` where the files lack weights, which would
        be random."""
        from transformers.utils import logging

        logging.disable_progress_bar()
        if device != "cpu":
            options.setdefault("device_map", {"": device})
        model, report = self.model_class().from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
        if missing := sorted(report["missing_keys"]):
            raise UserError(
                f"{Path(folder).name} lacks {len(missing)} of the model's weights ({missing[0]}, "
                "...), which would be random; fetch the whole checkpoint, or another version of "
                "transformers if the names were changed"
            )
        processor = self.load_processor(folder)
        if "device_map" not in options and "quantization_config" not in options:
            model = model.to(device)
        if self.bundled is not None and getattr(model.config, "has_lora_adapter", True):
            _merge_adapter(model, Path(folder) / self.bundled, Path(folder).name)
        return model.eval(), processor

    def model_class(self) -> Any:
        """The class that builds the model: an auto class, or the model's own."""
        import transformers

        return getattr(transformers, self.auto_class)

    def load_processor(self, folder: str) -> Any:
        """The processor, padding on the left, its chat template's date standing still."""
        from transformers import AutoProcessor

        processor = AutoProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        processor.tokenizer.padding_side = "left"
        fix_date(processor)
        return processor

    def load_tokenizer(self, folder: str) -> Any:
        """The tokenizer of families whose whole processor needs what hearing does not."""
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        tokenizer.padding_side = "left"
        fix_date(tokenizer)
        return tokenizer

    # Audio

    def extractor(self, processor: Any) -> Any:
        """The part of a processor that makes features of waveforms, None where it has none."""
        parts = (
            getattr(processor, name, None) for name in ("feature_extractor", "audio_processor")
        )
        return next((part for part in parts if getattr(part, "sampling_rate", None)), None)

    def sample_rate(self, processor: Any) -> int:
        """Samples per second of the waveforms that the model takes, Hz."""
        return int(self.extractor(processor).sampling_rate)

    def window_s(self, processor: Any) -> float:
        """Length of clip that the encoder takes at once, seconds."""
        extractor = self.extractor(processor)
        return extractor.n_samples / extractor.sampling_rate

    def longest_s(self, processor: Any) -> float:
        """Longest clip that is heard whole, seconds: one window, or several."""
        return self.window_s(processor)

    def audio_token_id(self, processor: Any) -> int:
        """The token whose embeddings are replaced by audio."""
        return int(processor.audio_token_id)

    def n_audio_tokens(self, n_samples: int, processor: Any) -> int:
        """Audio tokens that a clip of `n_samples` becomes."""
        clip = np.zeros(n_samples, np.float32)
        ids = self.stock_inputs(["?"], [clip], processor)["input_ids"][0]
        return int((ids == self.audio_token_id(processor)).sum())

    def audio_states(self, model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
        """Encoder states [B, tokens, width] of equally long clips: what `project` takes."""
        raise NotImplementedError(f"{self.name} has no staged path")

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        """Encoder states -> the language model's input space [B, audio tokens, width]."""
        raise NotImplementedError(f"{self.name} has no staged path")

    # Text

    def check_words(self, texts: Iterable[str], processor: Any) -> None:
        """Raise `UserError` where a prompt or an answer has a mark of the model's own format in it
        (the clip's placeholder, the end of a turn). A question that contains the end of a turn
        ends there, and one that contains the placeholder asks for a second clip (on a CUDA device
        that stops the whole process)."""
        if processor not in _marks:
            _marks[processor] = _marks_of(processor.tokenizer, self.audio_token_id(processor))
        for text in texts:
            if mark := _marks[processor].search(text):
                raise UserError(
                    f"{mark[0]!r} is a mark of {self.name}'s own format and would not be read as "
                    f"words (in {text[:60]!r}); write it in another way"
                )

    def n_positions(self, model: Any) -> int:
        """Most tokens that the language model takes, 0 where it does not say."""
        return getattr(model.config.get_text_config(), "max_position_embeddings", None) or 0

    def check_length(self, model: Any, n_tokens: int) -> None:
        """Raise `UserError` where a sequence, audio and answer included, has more tokens than the
        language model has positions: beyond them its answers are of no known quality."""
        limit = self.n_positions(model)
        if limit and n_tokens > limit:
            raise UserError(
                f"the clip and its question have {n_tokens} tokens, {self.name} here takes {limit} "
                "(max_position_embeddings); give a shorter clip or a shorter question"
            )

    def conversation(self, prompt: str, audio: Any = None) -> list[dict[str, Any]]:
        """One user turn, audio first."""
        content: list[dict[str, Any]] = [{"type": "audio", "audio": audio}]
        return [{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}]

    def stock_inputs(
        self, prompts: Sequence[str], waveforms: Sequence[np.ndarray], processor: Any
    ) -> Any:
        """A batch of questions as the stock forward and `generate` take it."""
        return processor.apply_chat_template(
            [self.conversation(p, w) for p, w in zip(prompts, waveforms, strict=True)],
            tokenize=True,
            return_dict=True,
            add_generation_prompt=True,
            return_tensors="pt",
            **self.processor_options,
        )

    def text(self, prompt: str, processor: Any) -> str:
        """One question as the model reads it, with one placeholder for the clip."""
        text: str = processor.apply_chat_template(
            self.conversation(prompt), tokenize=False, add_generation_prompt=True
        )
        return text

    def prompt_ids(self, prompt: str, n_audio: int, processor: Any) -> list[int]:
        """Token ids of one question with its `n_audio` audio placeholders."""
        ids = processor.tokenizer.encode(self.text(prompt, processor), add_special_tokens=False)
        audio = self.audio_token_id(processor)
        at = ids.index(audio)
        return ids[:at] + [audio] * n_audio + ids[at + 1 :]

    def answer_ids(self, answer: str, processor: Any) -> list[int]:
        """Token ids of a whole answer turn: the words and the end of the turn."""
        return [*self.word_ids(answer, processor), self.end_id(processor)]

    def word_ids(self, words: str, processor: Any) -> list[int]:
        """Token ids of words as an answer has them."""
        return list(processor.tokenizer.encode(words, add_special_tokens=False))

    def end_id(self, processor: Any) -> int:
        """The token that ends an answer."""
        tokenizer = processor.tokenizer
        if self.end_token:
            return int(tokenizer.convert_tokens_to_ids(self.end_token))
        return int(tokenizer.eos_token_id)

    def end_ids(self, model: Any, processor: Any) -> tuple[int, ...]:
        """All tokens that may end an answer: `end_id`, what the template puts behind an answer,
        and what the generation configuration names."""
        named = getattr(model.generation_config, "eos_token_id", None)
        configured = [named] if isinstance(named, int) else list(named or ())
        ids = [self.end_id(processor), *self.template_ends(processor), *configured]
        n_words = model.get_input_embeddings().weight.shape[0]
        return tuple(dict.fromkeys(i for i in ids if 0 <= i < n_words))

    def template_ends(self, processor: Any) -> list[int]:
        """The special token that the chat template puts behind an answer, where it does."""
        turn = [{"role": "assistant", "content": [{"type": "text", "text": "yes"}]}]
        try:
            text = processor.apply_chat_template(self.conversation("?") + turn, tokenize=False)
        except Exception:  # a template runs code of its own and may raise anything
            return []
        ids = processor.tokenizer.encode(
            text.rpartition("yes")[2].strip(), add_special_tokens=False
        )
        return [int(i) for i in ids[:1] if i in processor.tokenizer.added_tokens_decoder]

    def token_texts(self, processor: Any) -> list[str]:
        """The text of every token of the vocabulary, spaces as spaces."""
        tokenizer = processor.tokenizer
        words = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        return [(w or "").replace("Ġ", " ").replace("▁", " ") for w in words]

    def pad_id(self, processor: Any) -> int:
        """The token that fills the left of shorter prompts; it is masked."""
        tokenizer = processor.tokenizer
        pad = tokenizer.pad_token_id
        return int(tokenizer.eos_token_id if pad is None else pad)

    # The language model

    def embed_tokens(self, model: Any, ids: torch.Tensor) -> torch.Tensor:
        """Input embeddings [..., width] of text tokens."""
        return model.get_input_embeddings()(ids)

    def language_model(self, model: Any) -> Any:
        """The part of a model that takes `inputs_embeds` and gives hidden states."""
        return model.model.language_model

    def hidden(
        self, model: Any, embeds: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        """Last hidden states [B, L, width] of the language model. `mask` is [B, L] (1 = real) or
        additive [B, 1, L, L]."""
        return self.language_model(model)(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state

    def logits(self, model: Any, hidden: torch.Tensor) -> torch.Tensor:
        """Logits [..., V] of hidden states."""
        return model.lm_head(hidden)

    def layers(self, model: Any, part: str) -> list[Any]:
        """The modules that the states of each layer of the "encoder" or the "llm" enter."""
        pattern = re.compile(
            rf".*({self.encoder_layers if part == 'encoder' else self.llm_layers})"
        )
        return [module for name, module in model.named_modules() if pattern.fullmatch(name)]

    # Tuning

    def lora_targets(self, scope: str) -> str:
        """Regular expression over the module names that an adapter of `scope` changes. `encoder`
        includes the projector, as in the paper."""
        parts = {
            "encoder": (self.encoder, self.projector),
            "projector": (self.projector,),
            "llm": (self.llm,),
            "both": (self.encoder, self.projector, self.llm),
        }[scope]
        return rf".*({'|'.join(parts)})"


def fix_date(holder: Any) -> None:
    """Put `TODAY` into the chat template of a processor or a tokenizer, where it tells a date."""
    template = getattr(holder, "chat_template", None)
    if isinstance(template, str) and "strftime_now" in template:
        holder.chat_template = _DATE.sub(lambda m: repr(TODAY.strftime(m["format"])), template)


def _marks_of(tokenizer: Any, audio_id: int) -> re.Pattern[str]:
    """The special tokens of a tokenizer and the clip's placeholder, as text."""
    known = tokenizer.added_tokens_decoder.items()
    marks = {str(token) for number, token in known if token.special or number == audio_id}
    longest_first = sorted(filter(None, marks), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _merge_adapter(model: Any, folder: Path, name: str) -> None:
    """Add the adapter in `folder`, which belongs to `model`, to its weights in place: every
    question here has audio, and a user's adapter would switch it off. Raises `UserError` where it
    is not there whole: transformers only warns, and draws at random what it lacks."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    try:
        missing = model.load_adapter(str(folder)).missing_keys
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
