"""A tiny GLM-ASR with random weights: an architecture outside the list, which chats about audio."""

from __future__ import annotations

from pathlib import Path

from tests.families import checkpoints as made

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>\n{% if m.content is string %}{{ m.content }}"
    "{% else %}{% for part in m.content %}{% if part.type == 'audio' %}"
    "<|begin_of_audio|><|pad|><|end_of_audio|><|user|>\n{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}{% if m.role == 'assistant' %}<|user|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPECIAL = ("<|user|>", "<|assistant|>", "<|begin_of_audio|>", "<|end_of_audio|>", "<|pad|>")


def build(folder: Path, chat: str = CHAT, deaf: bool = False) -> None:
    from transformers import GlmAsrConfig, GlmAsrForConditionalGeneration, GlmAsrProcessor

    tokenizer = made.qwen_tokenizer(*SPECIAL)
    audio = {k: v for k, v in made.AUDIO.items() if "encoder" not in k and k != "d_model"}
    config = GlmAsrConfig(
        audio_config={"model_type": "glmasr_encoder", **audio},
        text_config=made.text_config(tokenizer, "llama"),
        audio_token_id=tokenizer.convert_tokens_to_ids("<|pad|>"),
        tie_word_embeddings=False,
    )
    model = GlmAsrForConditionalGeneration(config)
    if deaf:
        for weight in model.model.multi_modal_projector.parameters():
            weight.data.zero_()
    processor = GlmAsrProcessor(made.whisper_extractor(), tokenizer, chat_template=chat)
    made.save(model, processor, folder)


def build_qwen3_asr(folder: Path) -> None:
    """Another one: audio tokens of its own kind, a front end of its own, other names."""
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen3ASRConfig,
        Qwen3ASRFeatureExtractor,
        Qwen3ASRForConditionalGeneration,
        Qwen3ASRProcessor,
    )

    named = dict(
        zip(
            ("audio_bos_token", "audio_token", "audio_eos_token"),
            ("<|audio_start|>", "<|audio_pad|>", "<|audio_end|>"),
            strict=True,
        )
    )
    base = made.qwen_tokenizer(*named.values(), "<timestamp>")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=base.backend_tokenizer,
        eos_token=base.eos_token,
        pad_token=base.pad_token,
        extra_special_tokens=named,
    )
    config = Qwen3ASRConfig(
        audio_config={
            "d_model": made.WIDTH,
            "encoder_layers": 2,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": 128,
            "downsample_hidden_size": 16,
            "output_dim": made.WIDTH,
            "model_type": "qwen3_asr_encoder",
        },
        text_config={**made.text_config(tokenizer, "qwen3"), "head_dim": 16},
        audio_token_id=tokenizer.convert_tokens_to_ids("<|audio_pad|>"),
        tie_word_embeddings=False,
    )
    model = Qwen3ASRForConditionalGeneration(config)
    for weight in model.model.multi_modal_projector.parameters():
        weight.data.mul_(10)
    chat = made.template("".join(named.values()))
    made.save(model, Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat), folder)
