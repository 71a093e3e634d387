"""A tiny Qwen3-Omni with random weights, saved as the published checkpoints are: the whole model's
config, its thinker's weights under `thinker.`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.families import checkpoints as made
from tests.families import make_qwen_omni as older

WORDS = {
    "image_token": "<|image_pad|>",
    "audio_token": "<|audio_pad|>",
    "video_token": "<|video_pad|>",
    "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
    "audio_bos_token": "<|audio_start|>",
    "audio_eos_token": "<|audio_end|>",
}
NAMES = ("Qwen3OmniMoeForConditionalGeneration", "qwen3_omni_moe", "code2wav")


def build(folder: Path) -> None:
    from transformers import (
        Qwen3OmniMoeThinkerConfig,
        Qwen3OmniMoeThinkerForConditionalGeneration,
    )

    template = older.TEMPLATE.replace(older.SYSTEM, "").replace(
        "<|audio_bos|><|AUDIO|><|audio_eos|>", "<|audio_start|><|audio_pad|><|audio_end|>"
    )
    processor = older.Files(WORDS, template, window_s=12)
    number = processor.tokenizer.convert_tokens_to_ids
    config = Qwen3OmniMoeThinkerConfig(
        audio_config={**made.AUDIO, "output_dim": made.WIDTH, "downsample_hidden_size": 8},
        text_config={
            **made.text_config(processor.tokenizer, "qwen3_omni_moe_text"),
            "head_dim": 16,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 32,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [4, 2, 2],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": made.WIDTH,
            "deepstack_visual_indexes": [0],
            "num_position_embeddings": 16,
        },
        audio_token_id=number(WORDS["audio_token"]),
        image_token_id=number(WORDS["image_token"]),
        video_token_id=number(WORDS["video_token"]),
        audio_start_token_id=number(WORDS["audio_bos_token"]),
        audio_end_token_id=number(WORDS["audio_eos_token"]),
        vision_start_token_id=number(WORDS["vision_bos_token"]),
        vision_end_token_id=number(WORDS["vision_eos_token"]),
    )
    model = Qwen3OmniMoeThinkerForConditionalGeneration(config)
    open_ears(model.model.audio_tower)
    made.save(model, processor, folder)
    older.as_published(folder, *NAMES)


def open_ears(tower: Any) -> None:
    """Three random convolutions in a row leave so little of a sound that the gate would rightly
    call the model deaf; louder ones let it through."""
    with torch.no_grad():
        for convolution in (tower.conv2d1, tower.conv2d2, tower.conv2d3):
            convolution.weight.mul_(5)
