"""The embedded audio language model before training: Qwen2-Audio's architecture, small.

A processor in the ordinary layout (Whisper feature extractor with a 10 s window, byte-level BPE
tokenizer trained on the tasks' wordings, chat template in Qwen's format) and a
`Qwen2AudioForConditionalGeneration` with random weights.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from recipes.tiny_lalm2 import wordings
from spectcount.scales import N_MELS
from spectcount.tasks import TASKS

WINDOW_S = 10
WIDTH = 128
LAYERS = 3
HEADS = 4
SPECIALS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|audio_bos|>",
    "<|AUDIO|>",
    "<|audio_eos|>",
)
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>\n"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_processor() -> Any:
    """A `Qwen2AudioProcessor` whose vocabulary holds the tasks' words (and any text, as bytes)."""
    from transformers import Qwen2AudioProcessor, WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(
        feature_size=N_MELS, chunk_length=WINDOW_S, return_attention_mask=True
    )
    return Qwen2AudioProcessor(
        feature_extractor=extractor, tokenizer=_build_tokenizer(), chat_template=CHAT_TEMPLATE
    )


def build_model(processor: Any, seed: int) -> Any:
    """The model with random weights drawn from `seed`, float32."""
    from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration

    tokenizer = processor.tokenizer
    torch.manual_seed(seed)
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "d_model": WIDTH,
            "encoder_layers": LAYERS,
            "encoder_attention_heads": HEADS,
            "encoder_ffn_dim": 4 * WIDTH,
            "num_mel_bins": N_MELS,
            "max_source_positions": processor.feature_extractor.nb_max_frames // 2,
        },
        text_config={
            "model_type": "qwen2",
            "hidden_size": WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": HEADS,
            "intermediate_size": 3 * WIDTH,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 1024,
            "tie_word_embeddings": True,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": None,
        },
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
        tie_word_embeddings=True,
    )
    model = Qwen2AudioForConditionalGeneration(config)
    tower = model.model.audio_tower
    with torch.no_grad():
        tower.embed_positions.weight.copy_(_sinusoids(*tower.embed_positions.weight.shape))
    generation = model.generation_config
    generation.eos_token_id = tokenizer.eos_token_id
    generation.pad_token_id = tokenizer.pad_token_id
    generation.do_sample = False
    return model


def _build_tokenizer() -> Any:
    """Byte-level BPE in Qwen2's format; every digit is a token of its own."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Qwen2TokenizerFast

    words = Regex(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        min_frequency=1,
        special_tokens=[AddedToken(t, special=True) for t in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(_corpus(), trainer)
    return Qwen2TokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
        bos_token=None,
        additional_special_tokens=list(SPECIALS),
    )


def _corpus() -> list[str]:
    """Wordings of every task, its own and those of the grammar, roles and answers."""
    lines = ["user\n", "assistant\n", "system\n"]
    for task in TASKS.values():
        lines += list(task.answers)
        for reverse in (False, True):
            lines += [task.prompt(k, reverse) for k in range(len(task.wordings))]
    return lines + wordings.corpus(n=600, seed=0)


def _sinusoids(length: int, channels: int) -> torch.Tensor:
    """Whisper's position table [length, channels]."""
    half = channels // 2
    rates = torch.exp(-math.log(10_000) / (half - 1) * torch.arange(half))
    angles = torch.arange(length)[:, None] * rates[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
