"""A tiny Voxtral with random weights and a tiny Tekken tokenizer in the published file format."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from spectcount.tasks import TASKS
from tests.families import checkpoints as made

N_SPECIAL = 40
SPECIAL = {
    0: "<unk>",
    1: "<s>",
    2: "</s>",
    3: "[INST]",
    4: "[/INST]",
    5: "[AVAILABLE_TOOLS]",
    6: "[/AVAILABLE_TOOLS]",
    7: "[TOOL_RESULTS]",
    8: "[/TOOL_RESULTS]",
    9: "[TOOL_CALLS]",
    10: "[IMG]",
    11: "<pad>",
    12: "[IMG_BREAK]",
    13: "[IMG_END]",
    14: "[PREFIX]",
    15: "[MIDDLE]",
    16: "[SUFFIX]",
    17: "[SYSTEM_PROMPT]",
    18: "[/SYSTEM_PROMPT]",
    19: "[TOOL_CONTENT]",
    24: "[AUDIO]",
    25: "[BEGIN_AUDIO]",
    34: "[TRANSCRIBE]",
}
PIECES = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+"
"""Digits stand alone, as in Tekken."""
AUDIO = {
    "sampling_rate": 16_000,
    "frame_rate": 12.5,
    "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
}


def build(folder: Path, window_s: int = made.WINDOW_S) -> None:
    from transformers import (
        MistralCommonBackend,
        VoxtralConfig,
        VoxtralForConditionalGeneration,
        VoxtralProcessor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tekken.json").write_text(json.dumps(tekken(window_s)))
    tokenizer = MistralCommonBackend.from_pretrained(str(folder), local_files_only=True)
    config = VoxtralConfig(
        audio_config={
            "model_type": "voxtral_encoder",
            "num_mel_bins": 128,
            "hidden_size": made.WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_source_positions": 50 * window_s,
            "intermediate_size": 4 * made.WIDTH,
        },
        text_config={
            **made.text_config(tokenizer, "llama"),
            "head_dim": 16,
            "bos_token_id": 1,
            "tie_word_embeddings": False,
        },
        audio_token_id=24,
    )
    processor = VoxtralProcessor(made.whisper_extractor(window_s), tokenizer)
    made.save(VoxtralForConditionalGeneration(config), processor, folder)


def tekken(window_s: int) -> dict[str, Any]:
    """Bytes and the tasks' words, behind the special tokens at their published numbers."""
    pieces = [bytes([k]) for k in range(256)]
    pieces += [word.encode() for word in words() if len(word) > 1]
    vocab = [
        {"rank": k, "token_bytes": base64.b64encode(piece).decode(), "token_str": None}
        for k, piece in enumerate(pieces)
    ]
    return {
        "config": {
            "pattern": PIECES,
            "num_vocab_tokens": len(vocab),
            "version": "v7",
            "default_vocab_size": len(vocab) + N_SPECIAL,
            "default_num_special_tokens": N_SPECIAL,
        },
        "vocab": vocab,
        "special_tokens": [
            {"rank": k, "token_str": SPECIAL.get(k, f"<SPECIAL_{k}>"), "is_control": True}
            for k in range(N_SPECIAL)
        ],
        "audio": {**AUDIO, "chunk_length_s": float(window_s)},
        "version": 1,
        "type": "tekken",
    }


def words() -> list[str]:
    """The words of all wordings and answers, with the space before them where there is one."""
    lines: list[str] = []
    for task in TASKS.values():
        lines += [*task.answers, *(task.prompt(k, False) for k in range(len(task.all_wordings)))]
    return sorted({word for line in lines for word in re.findall(r" ?[^\W\d_]+", line)})
