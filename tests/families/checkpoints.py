"""Tiny checkpoints with random weights of every family's real classes: config, processor, weights,
saved as `from_pretrained` reads them. `python -m tests.families.checkpoints FAMILY FOLDER`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

WIDTH = 64
WINDOW_S = 4
"""Whisper-like encoders get a short window, so that the stock path is quick."""

AUDIO = {
    "hidden_size": WIDTH,
    "d_model": WIDTH,
    "encoder_layers": 2,
    "num_hidden_layers": 2,
    "encoder_attention_heads": 4,
    "num_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "intermediate_size": 128,
    "num_mel_bins": 128,
}
TEXT = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": 2048,
}


def whisper_extractor(window_s: int = WINDOW_S) -> Any:
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(
        feature_size=128, chunk_length=window_s, return_attention_mask=True
    )


def qwen_tokenizer(*more: str) -> Any:
    """A byte-level tokenizer of the tasks' words in Qwen's format, with `more` special tokens."""
    from recipes.tiny_lalm.model import build_processor

    tokenizer = build_processor().tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": list(more)})
    return tokenizer


def text_config(tokenizer: Any, model_type: str = "qwen2") -> dict[str, Any]:
    return {
        **TEXT,
        "model_type": model_type,
        "vocab_size": len(tokenizer),
        "bos_token_id": None,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


def template(audio: str) -> str:
    """Qwen's chat format with `audio` where the clip stands."""
    from recipes.tiny_lalm.model import CHAT_TEMPLATE

    return CHAT_TEMPLATE.replace("<|audio_bos|><|AUDIO|><|audio_eos|>", audio)


def qwen2_audio(folder: Path) -> None:
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
    )

    tokenizer = qwen_tokenizer()
    extractor = whisper_extractor()
    audio = {**AUDIO, "max_source_positions": extractor.nb_max_frames // 2}
    config = Qwen2AudioConfig(
        audio_config={"model_type": "qwen2_audio_encoder", **audio},
        text_config=text_config(tokenizer),
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    processor = Qwen2AudioProcessor(
        extractor, tokenizer, chat_template=template("<|audio_bos|><|AUDIO|><|audio_eos|>")
    )
    save(Qwen2AudioForConditionalGeneration(config), processor, folder)


def qwen2_audio_base(folder: Path) -> None:
    """As published: no chat template of its own."""
    qwen2_audio(folder)
    (folder / "chat_template.jinja").unlink()


def audio_flamingo3(folder: Path) -> None:
    from transformers import (
        AudioFlamingo3Config,
        AudioFlamingo3ForConditionalGeneration,
        AudioFlamingo3Processor,
    )

    tokenizer = qwen_tokenizer("<sound>")
    extractor = whisper_extractor()
    audio = {**AUDIO, "max_source_positions": extractor.nb_max_frames // 2}
    config = AudioFlamingo3Config(
        audio_config={"model_type": "audioflamingo3_encoder", **audio},
        text_config=text_config(tokenizer),
        audio_token_id=tokenizer.convert_tokens_to_ids("<sound>"),
    )
    processor = AudioFlamingo3Processor(extractor, tokenizer, chat_template=template("<sound>"))
    save(AudioFlamingo3ForConditionalGeneration(config), processor, folder)


def elsewhere(module: str, name: str = "build") -> Callable[[Path], None]:
    """A builder of a file of its own, `make_<module>.py`."""
    return lambda folder: getattr(import_module(f"tests.families.make_{module}"), name)(folder)


BUILDERS: dict[str, Callable[[Path], None]] = {
    "qwen2-audio": qwen2_audio,
    "audio-flamingo-3": audio_flamingo3,
    "music-flamingo": elsewhere("music_flamingo"),
    "granite-speech": elsewhere("granite_speech"),
    "gemma-4": elsewhere("gemma4"),
    "generic": elsewhere("generic"),
    "qwen2.5-omni": elsewhere("qwen_omni"),
    "qwen3-omni": elsewhere("qwen3_omni"),
    "voxtral": elsewhere("voxtral"),
    "phi-4-multimodal": elsewhere("phi4_multimodal"),
    "gemma-3n": elsewhere("gemma3n"),
}
VARIANTS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "qwen2-audio-base": ("qwen2-audio", qwen2_audio_base),
    "granite-speech-4": ("granite-speech", elsewhere("granite_speech", "build_4")),
    "granite-speech-plus": ("granite-speech", elsewhere("granite_speech", "build_plus")),
}
"""Other checkpoints of a family, which are put to the same questions."""


def modules_by_scope(
    family: Any, model: Any, scopes: Iterable[str] = ("encoder", "projector", "llm", "both")
) -> dict[str, int]:
    """How many modules of `model` an adapter of each scope would change."""
    names = [name for name, _ in model.named_modules()]
    return {
        scope: sum(re.fullmatch(family.lora_targets(scope), name) is not None for name in names)
        for scope in scopes
    }


def save(model: Any, processor: Any, folder: Path) -> None:
    """Model and processor, as `from_pretrained` reads them. Output weights are scaled up, so that
    a random model has opinions: its answers differ by more than rounding."""
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(10)
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def build(family: str, folder: Path, seed: int = 0) -> Path:
    """The checkpoint of a family or a variant in `folder`, its random weights drawn from `seed`."""
    torch.manual_seed(seed)
    builder = VARIANTS[family][1] if family in VARIANTS else BUILDERS[family]
    builder(folder)
    return folder


def family_name(checkpoint: str) -> str:
    """The family of a name in `BUILDERS` or `VARIANTS`."""
    return VARIANTS[checkpoint][0] if checkpoint in VARIANTS else checkpoint


if __name__ == "__main__":
    print(build(sys.argv[1], Path(sys.argv[2])))
