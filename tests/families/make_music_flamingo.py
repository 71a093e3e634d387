"""A tiny Music Flamingo with random weights."""

from __future__ import annotations

from pathlib import Path

from tests.families import checkpoints as made


def build(folder: Path) -> None:
    from transformers import (
        MusicFlamingoConfig,
        MusicFlamingoForConditionalGeneration,
        MusicFlamingoProcessor,
    )

    tokenizer = made.qwen_tokenizer("<sound>", "<|sound_bos|>", "<|sound_eos|>")
    extractor = made.whisper_extractor()
    audio = {**made.AUDIO, "max_source_positions": extractor.nb_max_frames // 2}
    audio_id, bos_id, eos_id = tokenizer.convert_tokens_to_ids(
        ["<sound>", "<|sound_bos|>", "<|sound_eos|>"]
    )
    config = MusicFlamingoConfig(
        audio_config={"model_type": "audioflamingo3_encoder", **audio},
        text_config=made.text_config(tokenizer),
        audio_token_id=audio_id,
        audio_bos_token_id=bos_id,
        audio_eos_token_id=eos_id,
    )
    processor = MusicFlamingoProcessor(extractor, tokenizer, chat_template=made.template("<sound>"))
    made.save(MusicFlamingoForConditionalGeneration(config), processor, folder)
