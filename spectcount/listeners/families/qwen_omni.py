"""Qwen2.5-Omni 3B and 7B: the thinker, the part that listens and writes.

Used as a strong open listener (first on several audio benchmarks when it came out). Checkpoints
hold a thinker, a talker and a vocoder; only the thinker is loaded, from whole checkpoints and from
those that were saved as a thinker alone.

Quirks: the encoder hears blocks of 2 s (`n_window`), each by itself and with positions that start
anew, so a clip is the sum of its blocks; the stock extractor pads every clip to 300 s, which costs
the stock path most of its time and changes nothing; the chat template adds a system turn of its
own ("You are a helpful assistant."), and the "virtual human" system turn of the model card is
wanted for spoken replies only; positions have three axes, equal where there is no picture; the
whole processor wants torchvision for pictures, so only its audio half is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.utils.checkpoint

from spectcount.listeners.families.base import Family
from spectcount.listeners.scoring.frontend import log_mel, n_frames


class QwenOmni(Family):
    """Block-wise Whisper encoder, one linear layer, Qwen2.5; Xu et al. (2025), arXiv
    2503.20215."""

    name = "qwen2.5-omni"
    architectures: ClassVar[tuple[str, ...]] = (
        "Qwen2_5OmniForConditionalGeneration",
        "Qwen2_5OmniModel",
        "Qwen2_5OmniThinkerForConditionalGeneration",
    )
    auto_class = "Qwen2_5OmniThinkerForConditionalGeneration"
    processor_class: ClassVar[str] = "Qwen2_5OmniProcessor"
    staged = True
    encoder = r"audio_tower\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|fc1|fc2)"
    features: ClassVar[str] = r"audio_tower\.conv1"
    encoder_layers = r"audio_tower\.layers\.\d+\.self_attn_layer_norm"
    projector = r"audio_tower\.proj"
    source = "Xu et al. (2025), arXiv 2503.20215"
    processor_options: ClassVar[Mapping[str, Any]] = {"processor_kwargs": {"padding": True}}

    def load(self, folder: str, device: str, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
        """As every family; replies end at the end of the turn also where the checkpoint's
        generation configuration, made for the whole model, does not say so."""
        model, processor = super().load(folder, device, dtype, **options)
        generation = model.generation_config
        generation.eos_token_id = generation.eos_token_id or self.end_id(processor)
        generation.pad_token_id = generation.pad_token_id or self.pad_id(processor)
        return model, processor

    def load_processor(self, folder: str) -> Any:
        from spectcount.listeners.families.hearing import omni_hearing

        processor = omni_hearing(self.processor_class).from_pretrained(
            folder, local_files_only=True
        )
        processor.tokenizer.padding_side = "left"
        return processor

    def n_audio_tokens(self, n_samples: int, processor: Any) -> int:
        return _halved(n_frames(n_samples, processor.feature_extractor)) // 2

    def audio_states(self, model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
        tower, extractor = model.model.audio_tower, processor.feature_extractor
        features = log_mel(waveforms, extractor, n_frames(waveforms.shape[1], extractor))
        hidden = _blocks(tower, features.to(tower.conv1.weight.dtype))
        pairs = hidden[:, : hidden.shape[1] // 2 * 2].unflatten(1, (-1, 2))
        return tower.ln_post((pairs[:, :, 0] + pairs[:, :, 1]) / 2)

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        return model.model.audio_tower.proj(states)


def _blocks(tower: Any, features: torch.Tensor) -> torch.Tensor:
    """Encoder states [B, frames / 2, width] of features [B, mels, frames]: the whole blocks of
    all clips in one batch, then the rest of each clip."""
    batch, _, frames = features.shape
    size = 2 * tower.n_window
    n = frames // size
    parts = []
    if n:
        whole = features[:, :, : n * size].unflatten(2, (n, size)).transpose(1, 2).flatten(0, 1)
        parts.append(_encode(tower, whole).unflatten(0, (batch, n)).flatten(1, 2))
    if frames > n * size:
        parts.append(_encode(tower, features[:, :, n * size :]))
    return torch.cat(parts, dim=1)


def _encode(tower: Any, features: torch.Tensor) -> torch.Tensor:
    """States [N, T, width] of equally long blocks [N, mels, 2 T], each by itself."""
    hidden = torch.nn.functional.gelu(tower.conv1(features))
    hidden = torch.nn.functional.gelu(tower.conv2(hidden)).transpose(1, 2)
    table = tower.positional_embedding.positional_embedding
    hidden = hidden + table[: hidden.shape[1]].to(hidden.dtype)
    return run_layers(tower.layers, hidden)


def run_layers(layers: Any, hidden: torch.Tensor) -> torch.Tensor:
    """States [N, T, width] through encoder layers, each of the N by itself."""
    for layer in layers:
        if getattr(layer, "gradient_checkpointing", False) and layer.training:
            hidden = torch.utils.checkpoint.checkpoint(_layer, layer, hidden, use_reentrant=False)
        else:
            hidden = _layer(layer, hidden)
    return hidden


def _layer(layer: Any, hidden: torch.Tensor) -> torch.Tensor:
    """One encoder layer over a batch of blocks; the stock layer takes them one by one."""
    attention = layer.self_attn
    normed = layer.self_attn_layer_norm(hidden)
    query, key, value = (
        part(normed).unflatten(2, (attention.num_heads, -1)).transpose(1, 2)
        for part in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    heard = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, scale=attention.scaling
    )
    hidden = hidden + attention.out_proj(heard.transpose(1, 2).flatten(2))
    widened = layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden)))
    hidden = hidden + layer.fc2(widened)
    if hidden.dtype == torch.float16:
        limit = torch.finfo(hidden.dtype).max - 1000
        hidden = hidden.clamp(-limit, limit)
    return hidden


def _halved(frames: int) -> int:
    """Frames behind the second convolution."""
    return (frames - 1) // 2 + 1
