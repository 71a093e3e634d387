"""A checkpoint of a real model's full size with random weights: for benchmarks of speed and memory
on machines that have no network, where the numbers depend on shapes and not on what was learnt.

Made from a card's configuration (`presets/models`), with the embedded model's tokenizer inside the
full vocabulary. It answers at random, and its name says so. Its output layer is scaled so that
logits spread as those of a trained model do: at the usual start they are so small that every
comparison of two ways of computing them passes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.cards import Card
from spectcount.listeners.families import FAMILIES
from spectcount.scales import N_MELS
from spectcount.settings import PACKAGE_ROOT

EMBEDDED = PACKAGE_ROOT / "presets" / "models" / "tiny-lalm"
WINDOW_S = 30
LOGIT_STD = 3.0
"""Spread of the logits, as chat models have it."""
SUFFIX = "-random"
AUDIO_TOKENS = {"qwen2-audio": "<|AUDIO|>", "audio-flamingo-3": "<sound>"}
"""Families that can be made, and what stands for a clip in their prompts."""


def write(
    card: Card,
    out: Path,
    device: str = "cpu",
    dtype: torch.dtype = torch.bfloat16,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
    window_s: int = WINDOW_S,
) -> Path:
    """Write model and processor of `card`, random weights from `seed`, to `out`/NAME-random; the
    folder. Raises `UserError` for a family that cannot be made so."""
    if card.family not in AUDIO_TOKENS:
        raise UserError(
            f"a {card.family} cannot be made with random weights; choose a model of the families "
            f"{', '.join(AUDIO_TOKENS)}"
        )
    folder = out / f"{card.name}{SUFFIX}"
    processor = processor_of(card.family, window_s)
    report(f"drawing {card.parameters_b:g} thousand million weights on {device}")
    model = build(card, processor, device, dtype, seed)
    report(f"writing {folder}")
    model.save_pretrained(folder, max_shard_size="5GB")
    processor.save_pretrained(folder)
    return folder


def with_layers(
    card: Card, encoder: int, llm: int, audio: Mapping[str, Any] | None = None, **text: Any
) -> Card:
    """`card` with fewer layers, and other keys of its configurations: for a quick look."""
    config = {**card.config}
    config["audio_config"] = {
        **config["audio_config"],
        "encoder_layers": encoder,
        **(audio or {}),
    }
    config["text_config"] = {**config["text_config"], "num_hidden_layers": llm, **text}
    return dataclasses.replace(card, config=config)


def narrow(card: Card, width: int, encoder: int, llm: int, window_s: int) -> Card:
    """`card` with layers `width` wide, so many of them, and a short window: for tests."""
    wide = {"hidden_size": width, "intermediate_size": 2 * width, "num_attention_heads": 4}
    text = {**wide, "num_key_value_heads": 2, "vocab_size": 2048}
    audio = {
        **wide,
        "d_model": width,
        "encoder_ffn_dim": 2 * width,
        "encoder_attention_heads": 4,
        "num_hidden_layers": encoder,
        "max_source_positions": 50 * window_s,
    }
    return with_layers(card, encoder, llm, audio, **text)


def processor_of(family: str, window_s: int = WINDOW_S) -> Any:
    """The family's processor: Whisper's front end, the embedded model's words."""
    import transformers

    extractor = transformers.WhisperFeatureExtractor(
        feature_size=N_MELS, chunk_length=window_s, return_attention_mask=True
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(EMBEDDED, local_files_only=True)
    template = (EMBEDDED / "chat_template.jinja").read_text()
    if family == "qwen2-audio":
        return transformers.Qwen2AudioProcessor(extractor, tokenizer, chat_template=template)
    tokenizer.add_special_tokens({"additional_special_tokens": [AUDIO_TOKENS[family]]})
    template = template.replace("<|audio_bos|><|AUDIO|><|audio_eos|>", AUDIO_TOKENS[family])
    return transformers.AudioFlamingo3Processor(extractor, tokenizer, chat_template=template)


def build(card: Card, processor: Any, device: str, dtype: torch.dtype, seed: int) -> Any:
    """The model of the card's configuration on `device`."""
    import transformers

    tokenizer = processor.tokenizer
    audio = tokenizer.convert_tokens_to_ids(AUDIO_TOKENS[card.family])
    options = {k: v for k, v in card.config.items() if k != "model_type"}
    config = transformers.AutoConfig.for_model(card.config["model_type"], **options)
    for name in ("audio_token_index", "audio_token_id"):
        if hasattr(config, name):
            setattr(config, name, audio)
    config.text_config.pad_token_id = tokenizer.pad_token_id
    config.text_config.eos_token_id = tokenizer.eos_token_id
    config.text_config.bos_token_id = None
    torch.manual_seed(seed)
    with torch.device(device):
        model = getattr(transformers, FAMILIES[card.family].auto_class).from_config(
            config, dtype=dtype
        )
    scale_head(model, LOGIT_STD)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return model


def scale_head(model: Any, logit_std: float) -> None:
    """Scale the output layer so that logits of hidden states with an rms of 1, as the last norm
    gives them, spread by `logit_std`."""
    weight = model.get_output_embeddings().weight
    with torch.no_grad():
        per_word = weight.float().square().mean().sqrt().item() * weight.shape[1] ** 0.5
        weight.mul_(logit_std / per_word)
