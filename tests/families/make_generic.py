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
