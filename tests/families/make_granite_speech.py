"""A tiny Granite Speech with random weights and a bundled adapter, laid out as published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from tests.families import checkpoints as made

TURNS = (
    "{% for m in messages %}<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}"
    "<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)
CHAT = (
    "{% if messages[0].role != 'system' %}<|start_of_role|>system<|end_of_role|>"
    "Today's Date: {{ strftime_now('%B %d, %Y') }}.\nYou are Granite.<|end_of_text|>\n{% endif %}"
    + TURNS
)
EXTRACTOR = {
    "feature_extractor_type": "GraniteSpeechFeatureExtractor",
    "feature_size": 80,
    "melspec_kwargs": {
        "hop_length": 160,
        "n_fft": 512,
        "n_mels": 80,
        "sample_rate": 16_000,
        "win_length": 400,
    },
    "padding_side": "right",
    "padding_value": 0.0,
    "processor_class": "GraniteSpeechProcessor",
    "projector_downsample_rate": 5,
    "projector_window_size": 15,
    "sampling_rate": 16_000,
}


def build(folder: Path) -> None:
    """3.3: an adapter beside the weights."""
    from peft import LoraConfig, get_peft_model
    from transformers import GraniteSpeechConfig, GraniteSpeechForConditionalGeneration

    tokenizer = granite_tokenizer(CHAT)
    model = GraniteSpeechForConditionalGeneration(
        GraniteSpeechConfig(**config(tokenizer), has_lora_adapter=True)
    )
    save(model, tokenizer, folder)
    bundled = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    for name, weight in bundled.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    bundled.peft_config["default"].base_model_name_or_path = "elsewhere/granite-speech"
    bundled.save_pretrained(folder)


def build_4(folder: Path) -> None:
    """4.0 and 4.1: no adapter, no system turn."""
    from transformers import GraniteSpeechConfig, GraniteSpeechForConditionalGeneration

    tokenizer = granite_tokenizer(TURNS)
    parts = GraniteSpeechConfig(**config(tokenizer), has_lora_adapter=False)
    save(GraniteSpeechForConditionalGeneration(parts), tokenizer, folder)


def build_plus(folder: Path) -> None:
    """4.1 Plus: the projector sees the first layer's states beside the last one's."""
    from transformers import GraniteSpeechPlusConfig, GraniteSpeechPlusForConditionalGeneration

    tokenizer = granite_tokenizer(TURNS)
    parts = config(tokenizer)
    parts["encoder_config"]["cat_hidden_layers"] = [1]
    parts["projector_config"]["encoder_hidden_size"] = 2 * made.WIDTH
    whole = GraniteSpeechPlusConfig(**parts, has_lora_adapter=False)
    save(GraniteSpeechPlusForConditionalGeneration(whole), tokenizer, folder)


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(10)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(EXTRACTOR))


def granite_tokenizer(chat: str) -> Any:
    special = ("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<|audio|>")
    tokenizer = made.qwen_tokenizer(*special)
    tokenizer.eos_token = tokenizer.pad_token = "<|end_of_text|>"
    tokenizer.chat_template = chat
    return tokenizer


def config(tokenizer: Any) -> dict[str, Any]:
    """The audio token lies outside the embedding table, as in the first published ones."""
    audio = tokenizer.convert_tokens_to_ids("<|audio|>")
    text = made.text_config(tokenizer, "granite")
    return {
        "encoder_config": {
            "hidden_dim": made.WIDTH,
            "num_layers": 2,
            "num_heads": 4,
            "dim_head": 16,
            "context_size": 50,
            "max_pos_emb": 64,
            "output_dim": 42,
            "input_dim": 160,
        },
        "projector_config": {
            "model_type": "blip_2_qformer",
            "hidden_size": made.WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 128,
            "cross_attention_frequency": 1,
            "encoder_hidden_size": made.WIDTH,
        },
        "text_config": {**text, "vocab_size": audio},
        "audio_token_index": audio,
        "tie_word_embeddings": False,
    }
