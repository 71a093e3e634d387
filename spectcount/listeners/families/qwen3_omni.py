"""Qwen3-Omni 30B-A3B: the thinker, a mixture of experts.

Used as the strongest open listener of its time. Whole checkpoints are loaded as their thinker
alone, as in Qwen2.5-Omni.

Quirks: the front end works on blocks of 1 s, 13 tokens each, and the last block is heard with the
silence that fills it up, if it is not the only one; attention spans 8 s and no more; the stock
extractor does not pad, so a clip's last frame is made with the clip mirrored at its end; the
experts' weights are no modules, so adapters of the language model change its attention only; there
is no system turn. Meant for the Instruct checkpoint: the Thinking one thinks aloud before it
answers, so its closed-set scores say little, and the Captioner takes no questions.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from spectcount.listeners.families.qwen_omni import QwenOmni, run_layers
from spectcount.listeners.scoring.frontend import log_mel


class Qwen3Omni(QwenOmni):
    """Convolutions over mel and time, a Transformer in windows of 8 s, two linear layers, Qwen3
    with experts; Xu et al. (2025), arXiv 2509.17765."""

    name = "qwen3-omni"
    architectures = (
        "Qwen3OmniMoeForConditionalGeneration",
        "Qwen3OmniMoeThinkerForConditionalGeneration",
    )
    auto_class = "Qwen3OmniMoeThinkerForConditionalGeneration"
    processor_class = "Qwen3OmniMoeProcessor"
    projector = r"audio_tower\.proj(1|2)"
    llm = r"language_model\.layers\.\d+\.self_attn\.(q|k|v|o)_proj"
    features = r"audio_tower\.conv2d1"
    source = "Xu et al. (2025), arXiv 2509.17765"

    def n_audio_tokens(self, n_samples: int, processor: Any) -> int:
        extractor = processor.feature_extractor
        return _n_tokens(n_samples // extractor.hop_length, 2 * processor.n_window)

    def audio_states(self, model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
        tower = model.model.audio_tower
        unpadded = copy.copy(processor.feature_extractor)
        unpadded.n_samples = waveforms.shape[1]
        frames = waveforms.shape[1] // unpadded.hop_length
        features = log_mel(waveforms, unpadded, frames).to(tower.conv2d1.weight.dtype)
        return tower.ln_post(_in_windows(tower, _front(tower, features)))

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        tower = model.model.audio_tower
        return tower.proj2(tower.act(tower.proj1(states)))


def _front(tower: Any, features: torch.Tensor) -> torch.Tensor:
    """Embeddings [B, tokens, width] of features [B, mels, frames]: convolutions and positions,
    block by block."""
    batch, _, frames = features.shape
    size = min(2 * tower.n_window, frames)
    n = -(-frames // size)
    filled = torch.nn.functional.pad(features, (0, n * size - frames))
    blocks = filled.unflatten(2, (n, size)).transpose(1, 2).flatten(0, 1)[:, None]
    parts = [_convolved(tower, part) for part in blocks.split(tower.conv_chunksize)]
    hidden = tower.conv_out(torch.cat(parts).permute(0, 3, 1, 2).flatten(2))
    table = tower.positional_embedding.positional_embedding
    hidden = hidden + table[: hidden.shape[1]].to(hidden.dtype)
    tokens = _n_tokens(frames, 2 * tower.n_window)
    return hidden.unflatten(0, (batch, n)).flatten(1, 2)[:, :tokens]


def _convolved(tower: Any, blocks: torch.Tensor) -> torch.Tensor:
    for convolution in (tower.conv2d1, tower.conv2d2, tower.conv2d3):
        blocks = torch.nn.functional.gelu(convolution(blocks))
    return blocks


def _in_windows(tower: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Encoder layers over [B, tokens, width], in windows that hear nothing of each other."""
    blocks = tower.n_window_infer // (2 * tower.n_window)
    size = blocks * _n_tokens(2 * tower.n_window, 2 * tower.n_window)
    n = hidden.shape[1] // size
    parts = []
    if n:
        whole = hidden[:, : n * size].unflatten(1, (n, size)).flatten(0, 1)
        parts.append(run_layers(tower.layers, whole).unflatten(0, (-1, n)).flatten(1, 2))
    if hidden.shape[1] > n * size:
        parts.append(run_layers(tower.layers, hidden[:, n * size :]))
    return torch.cat(parts, dim=1)


def _n_tokens(frames: int, block: int) -> int:
    """Tokens of `frames`: each block is halved three times, rounded up."""
    whole, rest = divmod(frames, block)
    return whole * -(-block // 8) + -(-rest // 8)
