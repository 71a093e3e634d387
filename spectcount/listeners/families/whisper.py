"""Families whose encoder is Whisper's with an average over pairs of frames: Qwen2-Audio, Audio
Flamingo 3.

The encoder is run over the clip's own frames instead of the whole window: past the convolutions
the stock models mask the padding, so cutting it off changes nothing.
"""

from __future__ import annotations

from typing import Any

import torch

from spectcount.listeners.families.base import Family
from spectcount.listeners.scoring.frontend import log_mel, n_frames


class WhisperFamily(Family):
    """A trimmed Whisper encoder; one language model token per 40 ms."""

    staged = True
    encoder = r"audio_tower\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|fc1|fc2)"

    def n_audio_tokens(self, n_samples: int, processor: Any) -> int:
        return _n_positions(n_frames(n_samples, processor.feature_extractor)) // 2

    def audio_states(self, model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
        tower, extractor = model.model.audio_tower, processor.feature_extractor
        frames = n_frames(waveforms.shape[1], extractor)
        padded = min(-(-(frames + 2) // 4) * 4, extractor.nb_max_frames)
        features = log_mel(waveforms, extractor, padded).to(tower.conv1.weight.dtype)
        hidden = torch.nn.functional.gelu(tower.conv1(features))
        hidden = torch.nn.functional.gelu(tower.conv2(hidden)).permute(0, 2, 1)
        hidden = hidden[:, : _n_positions(frames)]
        hidden = hidden + tower.embed_positions.weight[: hidden.shape[1]]
        for layer in tower.layers:
            hidden = layer(hidden, None)
        hidden = tower.avg_pooler(hidden.permute(0, 2, 1)).permute(0, 2, 1)
        return tower.layer_norm(hidden)

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        return model.model.multi_modal_projector(states)


def _n_positions(frames: int) -> int:
    """Frames behind the second convolution."""
    return (frames - 1) // 2 + 1
