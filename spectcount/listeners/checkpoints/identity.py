"""Fingerprints: all of a model that could change an answer, and nothing that could not.

A fingerprint reads WEIGHTS-SETTINGS-WORDS-SOUND-REPLIES-DTYPE-ATTENTION-PATH-ENGINE. WEIGHTS are
the tensors by name and content; SETTINGS the configuration of the forward and of the front end;
WORDS and SOUND a canary question as the model gets it (its token ids: template, system prompt,
tokenizer; its features: the front end as it runs here); REPLIES how words are cut into tokens (the
canary does not need every rule) and how an answer is generated and ends. The first three are the
base that an adapter was made on, wherever it runs.

Conventions: parts are hex digits; features are averaged and rounded, so that the last bits of
another machine's arithmetic are no other listener.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch

from spectcount.listeners.checkpoints.hashes import hash_text
from spectcount.listeners.families import Family

CANARY = (
    "Is there a beep? Answer yes or no.\n0 1 2 3 4 5 6 7 8 9 10 11 12 20 100 3.14 -5 dB 16,000 Hz\n"
    "How many tones: \"first\", 'second'; A) B. (C)  two  blanks\ttab\n\n"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz !#$%&*+/=@[]^_`{}~ "
    "naïve Größe façade 多少 音 звук 🔊"
)
DIGITS = 6
POOLED = 12
"""Blocks along each axis of the features that are averaged."""
STEP = 0.05
"""Of the features' standard deviation: what averages are rounded to."""
BASE_PARTS = ("weights", "configuration", "prompt format (chat template, tokenizer)")
"""The parts of a fingerprint that an adapter's base is known by, in words."""

NO_FORWARD = frozenset(
    "transformers_version _name_or_path _commit_hash architectures auto_map dtype torch_dtype "
    "use_cache output_attentions output_hidden_states return_dict return_dict_in_generate id2label "
    "label2id num_labels problem_type chunk_size_feed_forward initializer_range init_std "
    "initializer_factor pad_token_id bos_token_id eos_token_id tokenizer_class processor_class "
    "feature_extractor_type return_attention_mask gradient_checkpointing quantization_config "
    "_attn_implementation attn_implementation".split()
)
"""Keys of configurations that no answer depends on, or that count elsewhere."""
NO_REPLY = NO_FORWARD - {"eos_token_id"} | frozenset(
    "do_sample temperature top_k top_p min_p top_h typical_p epsilon_cutoff eta_cutoff "
    "repetition_penalty max_length max_new_tokens output_scores output_logits "
    "_from_model_config".split()
)
"""Keys of generation that greedy replies without a penalty, of a length given, do not read."""


@dataclass(frozen=True)
class Parts:
    """All of a fingerprint but the weights and the way of scoring."""

    settings: str
    words: str
    sound: str
    replies: str

    def __str__(self) -> str:
        return "-".join(astuple(self))


def parts_of(family: Family, model: Any, processor: Any) -> Parts:
    """The parts of a model in memory."""
    batch = family.stock_inputs([CANARY], [_clip(family.sample_rate(processor))], processor)
    tensors = {k: v for k, v in batch.items() if isinstance(v, torch.Tensor)}
    return Parts(
        _hash([type(model).__name__, model.config.to_dict(), _front_end(processor)], NO_FORWARD),
        _hash([tensors["input_ids"].tolist(), _vocabulary(processor)]),
        _hash({k: _pooled(v) for k, v in tensors.items() if v.is_floating_point()}),
        _hash(
            [_replies(model), sorted(family.end_ids(model, processor)), _cuts(processor)], NO_REPLY
        ),
    )


def attention_of(model: Any) -> str:
    """The implementations of attention that a model's parts use."""
    configs = [module.config for module in model.modules() if hasattr(module, "config")]
    used = {getattr(config, "_attn_implementation", None) for config in configs}
    return "+".join(sorted(str(name) for name in used if name)) or "own"


def other_base(recorded: str, fingerprint: str) -> str:
    """The first part of the base, in words, in which two fingerprints differ; "" for none."""
    pairs = zip(BASE_PARTS, recorded.split("-"), fingerprint.split("-"), strict=False)
    return next((words for words, before, now in pairs if before != now), "")


def is_old(recorded: str) -> bool:
    """True for fingerprints of the form before this one: FILES-DTYPE-ENGINE."""
    return recorded.count("-") < len(BASE_PARTS)


def _clip(rate_hz: int) -> np.ndarray:
    """A rising tone in a little noise, 1 s: every band and frame of the features counts."""
    t = np.arange(rate_hz) / rate_hz
    noise = np.random.Generator(np.random.PCG64(0)).standard_normal(rate_hz)
    tone = 0.4 * np.sin(2 * np.pi * (50 * t + (rate_hz / 2 - 50) * t**2 / 2))
    return (tone + 0.01 * noise).astype(np.float32)


def _front_end(processor: Any) -> dict[str, Any]:
    """The settings of what makes features of waveforms."""
    for name in ("feature_extractor", "audio_processor"):
        maker: Any = getattr(processor, name, None)
        if hasattr(maker, "to_dict"):
            return dict(maker.to_dict())
    return {}


def _vocabulary(processor: Any) -> str:
    return hash_text(json.dumps(sorted(processor.tokenizer.get_vocab().items())))


def _cuts(processor: Any) -> str:
    """The rules by which a tokenizer cuts words: a merge more or less shows in few words only."""
    backend = getattr(processor.tokenizer, "backend_tokenizer", None)
    if backend is None:
        return ""
    rules = json.loads(backend.to_str())
    parts = [rules[key] for key in ("normalizer", "pre_tokenizer", "model")]
    return hash_text(json.dumps(parts, sort_keys=True))


def _replies(model: Any) -> dict[str, Any]:
    """The settings of `generate`, the ends of a reply as a sorted list."""
    config = getattr(model, "generation_config", None)
    settings = {} if config is None else config.to_diff_dict()
    ends = settings.get("eos_token_id")
    return {**settings, "eos_token_id": sorted(ends) if isinstance(ends, list) else [ends]}


def _pooled(values: torch.Tensor) -> list[Any]:
    """Shape, and averages over blocks in whole steps, of one clip's features."""
    numbers = values.double().numpy()
    step = STEP * max(float(numbers.std()), 1e-9)
    rows = numbers.reshape(-1, numbers.shape[-1])
    cells = [
        block.mean()
        for band in np.array_split(rows, min(POOLED, len(rows)))
        for block in np.array_split(band, min(POOLED, band.shape[1]), axis=1)
    ]
    return [list(numbers.shape), [round(cell / step) for cell in cells]]


def _hash(value: Any, unread: frozenset[str] = frozenset()) -> str:
    return hash_text(json.dumps(_plain(value, unread), sort_keys=True), DIGITS)


def _plain(value: Any, unread: frozenset[str]) -> Any:
    """Plain data without what is not read, without dropout, and without what is not set. A whole
    number and the same number with a point are one."""
    if isinstance(value, Mapping):
        read = {str(k): v for k, v in value.items() if k not in unread and "drop" not in str(k)}
        plain = {k: _plain(v, unread) for k, v in read.items()}
        return {k: v for k, v in plain.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(v, unread) for v in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return value if isinstance(value, (str, bool)) else None
