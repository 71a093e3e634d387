"""A tiny Phi-4-multimodal with random weights and its adapter for speech, laid out as published."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.families import checkpoints as made

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for part in m.content %}{% if part.type == 'audio' %}<|audio|>{% else %}{{ part.text }}"
    "{% endif %}{% endfor %}{% endif %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NAMED = {"audio_token": "<|audio|>", "image_token": "<|image|>"}
WIDTH = made.WIDTH


def build(folder: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import Phi4MultimodalFeatureExtractor, Phi4MultimodalForCausalLM

    from spectcount.listeners.families.hearing import Phi4Hearing

    tokenizer = phi_tokenizer()
    model = Phi4MultimodalForCausalLM(config(tokenizer))
    norm = model.model.embed_tokens_extend.audio_embed.encoder.encoder_embedding
    norm.global_mean.fill_(3.0)
    norm.global_invstd.fill_(0.5)
    made.save(model, Phi4Hearing(Phi4MultimodalFeatureExtractor(), tokenizer, CHAT), folder)
    targets = r".*model\.layers\.\d+\.(self_attn\.(qkv|o)_proj|mlp\.(gate_up|down)_proj)"
    speech = get_peft_model(model, LoraConfig(r=4, target_modules=targets))
    for name, weight in speech.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    speech.save_pretrained(folder / "speech-lora")


def phi_tokenizer():
    from transformers import PreTrainedTokenizerFast

    base = made.qwen_tokenizer("<|user|>", "<|assistant|>", "<|end|>", *NAMED.values())
    return PreTrainedTokenizerFast(
        tokenizer_object=base.backend_tokenizer,
        eos_token=base.eos_token,
        pad_token=base.pad_token,
        extra_special_tokens=NAMED,
        chat_template=CHAT,
    )


def config(tokenizer):
    """Long-context positions as published: two scales, of which the first holds here."""
    from transformers import Phi4MultimodalConfig

    audio_id, image_id = tokenizer.convert_tokens_to_ids(list(NAMED.values()))
    text = made.text_config(tokenizer, "phi4_multimodal")
    return Phi4MultimodalConfig(
        **{**text, "max_position_embeddings": 8192},
        original_max_position_embeddings=2048,
        tie_word_embeddings=False,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 10_000.0,
            "partial_rotary_factor": 0.75,
            "short_factor": [1.0] * 6,
            "long_factor": [4.0] * 6,
        },
        audio_config={
            "hidden_size": WIDTH,
            "intermediate_size": WIDTH,
            "num_blocks": 2,
            "num_attention_heads": 4,
            "ext_pw_out_channel": WIDTH,
            "nemo_conv_channels": 8,
            "depthwise_separable_out_channel": WIDTH,
            "audio_token_id": audio_id,
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "crop_size": 28,
            "image_token_id": image_id,
        },
    )
