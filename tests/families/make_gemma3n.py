"""A tiny Gemma 3n with random weights, without its vision tower; its window is shorter than its
prompts, and the marks of image and audio lie behind the language model's own table, as published.
"""

from __future__ import annotations

from pathlib import Path

import torch

from tests.families import checkpoints as made

NAMED = {
    "boi_token": "<start_of_image>",
    "boa_token": "<start_of_audio>",
    "eoi_token": "<end_of_image>",
    "image_token": "<image_soft_token>",
    "eoa_token": "<end_of_audio>",
    "audio_token": "<audio_soft_token>",
}
CHAT = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>"
    "{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    "{% if part.type == 'audio' %}<audio_soft_token>{% else %}{{ part.text | trim }}{% endif %}"
    "{% endfor %}{% endif %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
SLIDING = 24


def build(folder: Path) -> None:
    from transformers import Gemma3nAudioFeatureExtractor

    from spectcount.listeners.families.hearing import (
        Gemma3nForConditionalGeneration,
        Gemma3nHearing,
    )

    tokenizer = gemma_tokenizer()
    processor = Gemma3nHearing(Gemma3nAudioFeatureExtractor(), tokenizer, CHAT)
    model = Gemma3nForConditionalGeneration(config(tokenizer))
    with torch.no_grad():  # a row of zeros has no gradient in the stock code
        model.get_input_embeddings().weight[tokenizer.pad_token_id].normal_(std=0.02)
    made.save(model, processor, folder)


def gemma_tokenizer():
    from transformers import PreTrainedTokenizerFast

    base = made.qwen_tokenizer("<bos>", "<start_of_turn>", "<end_of_turn>", *NAMED.values())
    return PreTrainedTokenizerFast(
        tokenizer_object=base.backend_tokenizer,
        bos_token="<bos>",
        eos_token=base.eos_token,
        pad_token=base.pad_token,
        extra_special_tokens=NAMED,
        chat_template=CHAT,
    )


def config(tokenizer):
    from transformers import Gemma3nConfig

    ids = dict(zip(NAMED, tokenizer.convert_tokens_to_ids(list(NAMED.values())), strict=True))
    end = len(tokenizer) + 2
    text = made.text_config(tokenizer, "gemma3n_text")
    return Gemma3nConfig(
        **{f"{name}_id": value for name, value in ids.items()},
        audio_config={
            "hidden_size": made.WIDTH,
            "conf_num_hidden_layers": 2,
            "conf_num_attention_heads": 4,
            "sscp_conv_channel_size": [8, 4],
            "vocab_offset": ids["eoa_token"],
            "vocab_size": end - ids["eoa_token"],
        },
        vision_config={
            "hidden_size": 16,
            "vocab_offset": ids["eoi_token"],
            "vocab_size": 2,
            "label_names": ["a", "b"],
            "num_classes": 2,
        },
        text_config={
            **text,
            "vocab_size": end,
            "vocab_size_per_layer_input": ids["eoi_token"],
            "num_hidden_layers": 4,
            "head_dim": 16,
            "num_kv_shared_layers": 2,
            "sliding_window": SLIDING,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "hidden_size_per_layer_input": 8,
            "laurel_rank": 8,
            "intermediate_size": [128] * 4,
            "activation_sparsity_pattern": [0.95, 0.0, 0.0, 0.0],
            "bos_token_id": tokenizer.bos_token_id,
        },
        tie_word_embeddings=False,
    )
