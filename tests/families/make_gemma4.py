"""A tiny Gemma 4 with random weights, without sight; its window is shorter than its prompts."""

from __future__ import annotations

from pathlib import Path

from tests.families import checkpoints as made

NAMED = {
    "audio_token": "<|audio|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
    "image_token": "<|image|>",
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
}
CHAT = (
    "{{ bos_token }}{% for m in messages %}<|turn>"
    "{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    "{% if part.type == 'audio' %}<|audio|>{% else %}{{ part.text | trim }}{% endif %}"
    "{% endfor %}{% endif %}<turn|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn>model\n{% endif %}"
)
SLIDING = 24


def build(folder: Path) -> None:
    from transformers import (
        Gemma4AudioFeatureExtractor,
        Gemma4Config,
        Gemma4ForConditionalGeneration,
    )

    from spectcount.listeners.families.hearing import Gemma4Hearing

    tokenizer = gemma_tokenizer()
    audio_id = tokenizer.convert_tokens_to_ids("<|audio|>")
    text = made.text_config(tokenizer, "gemma4_text")
    config = Gemma4Config(
        audio_config={
            "hidden_size": made.WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "subsampling_conv_channels": [128, 4],
            "output_proj_dims": 32,
        },
        vision_config=None,
        text_config={
            **text,
            "num_hidden_layers": 4,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "global_head_dim": 32,
            "num_kv_shared_layers": 2,
            "sliding_window": SLIDING,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "vocab_size_per_layer_input": len(tokenizer),
            "hidden_size_per_layer_input": 8,
            "final_logit_softcapping": 30.0,
            "bos_token_id": tokenizer.bos_token_id,
        },
        audio_token_id=audio_id,
        tie_word_embeddings=False,
    )
    processor = Gemma4Hearing(Gemma4AudioFeatureExtractor(), tokenizer, CHAT)
    made.save(Gemma4ForConditionalGeneration(config), processor, folder)


def gemma_tokenizer():
    from transformers import PreTrainedTokenizerFast

    base = made.qwen_tokenizer("<bos>", "<|turn>", "<turn|>", *NAMED.values())
    return PreTrainedTokenizerFast(
        tokenizer_object=base.backend_tokenizer,
        bos_token="<bos>",
        eos_token=base.eos_token,
        pad_token=base.pad_token,
        extra_special_tokens=NAMED,
        chat_template=CHAT,
    )
