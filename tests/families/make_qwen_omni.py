"""A tiny Qwen2.5-Omni with random weights, saved as the published checkpoints are: the whole
model's config, its thinker's weights under `thinker.`, beside them some of a talker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.families import checkpoints as made

WORDS = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}" + SYSTEM + "{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build(folder: Path) -> None:
    thinker(folder)
    as_published(folder, "Qwen2_5OmniModel", "qwen2_5_omni", "token2wav")


def thinker(folder: Path) -> None:
    """The thinker alone."""
    from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

    processor = Files(WORDS, TEMPLATE, window_s=8)
    numbers = {
        name.replace("_token", "_token_id"): processor.tokenizer.convert_tokens_to_ids(word)
        for name, word in WORDS.items()
    }
    config = Qwen2_5OmniThinkerConfig(
        audio_config={**made.AUDIO, "n_window": 100, "output_dim": made.WIDTH},
        text_config={
            **made.text_config(processor.tokenizer, "qwen2_5_omni_text"),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [2, 3, 3],
            },
            "tie_word_embeddings": False,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": made.WIDTH,
            "fullatt_block_indexes": [0],
        },
        audio_token_index=numbers["audio_token_id"],
        image_token_index=numbers["image_token_id"],
        video_token_index=numbers["video_token_id"],
        audio_start_token_id=numbers["audio_bos_token_id"],
        audio_end_token_id=numbers["audio_eos_token_id"],
        vision_start_token_id=numbers["vision_bos_token_id"],
        vision_end_token_id=numbers["vision_eos_token_id"],
    )
    made.save(Qwen2_5OmniThinkerForConditionalGeneration(config), processor, folder)


class Files:
    """Tokenizer, extractor and template in files of their own, as published (the published files
    have no processor configuration)."""

    def __init__(self, words: dict[str, str], template: str, window_s: int) -> None:
        from transformers import Qwen2TokenizerFast

        self.template, self.window_s = template, window_s
        self.tokenizer: Any = Qwen2TokenizerFast(
            tokenizer_object=made.qwen_tokenizer().backend_tokenizer,
            eos_token="<|im_end|>",
            pad_token="<|endoftext|>",
            unk_token=None,
            bos_token=None,
            extra_special_tokens=words,
        )

    def save_pretrained(self, folder: Path) -> None:
        made.whisper_extractor(self.window_s).save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        (folder / "chat_template.json").write_text(json.dumps({"chat_template": self.template}))


def as_published(folder: Path, architecture: str, model_type: str, vocoder: str) -> None:
    """A saved thinker -> the whole model's layout: nested config, foreign weights, and
    a generation configuration that does not say where a reply ends."""
    import torch
    from safetensors.torch import load_file, save_file

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(
            {
                "architectures": [architecture],
                "model_type": model_type,
                "thinker_config": config,
            }
        )
    )
    (folder / "generation_config.json").write_text("{}")
    weights = load_file(folder / "model.safetensors")
    renamed = {f"thinker.{name}": tensor for name, tensor in weights.items()}
    renamed["talker.codec_head.weight"] = torch.zeros(4, 4)
    renamed[f"{vocoder}.norm.weight"] = torch.zeros(4)
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
