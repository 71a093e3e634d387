"""Families whose encoder is Whisper's with an average over pairs of frames: Qwen2-Audio, Audio
Flamingo 3.

The encoder is run over the clip's own frames instead of the whole window: past the convolutions
the stock models mask the padding, so cutting it off changes nothing. A clip of several windows is
cut into them before the mel is made, each with a loudest frame of its own, as the stock processors
do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from spectcount.listeners.families.base import Family
from spectcount.listeners.scoring.frontend import log_mel, n_frames


class WhisperFamily(Family):
    """A trimmed Whisper encoder; one language model token per 40 ms."""

    staged = True
    encoder = r"audio_tower\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|fc1|fc2)"
    features = r"audio_tower\.conv1"
    encoder_layers = r"audio_tower\.layers\.\d+"

    def n_audio_tokens(self, n_samples: int, processor: Any) -> int:
        extractor = processor.feature_extractor
        n_windows, rest = divmod(n_samples, extractor.n_samples)
        return n_windows * _n_tokens(extractor.n_samples, extractor) + _n_tokens(rest, extractor)

    def audio_states(self, model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
        tower, extractor = model.model.audio_tower, processor.feature_extractor
        size, batch = extractor.n_samples, len(waveforms)
        n_windows, rest = divmod(waveforms.shape[1], size)
        parts = []
        if n_windows:
            windows = waveforms[:, : n_windows * size].reshape(batch * n_windows, size)
            parts.append(_one_window(tower, windows, extractor).unflatten(0, (batch, n_windows)))
            parts[0] = parts[0].flatten(1, 2)
        if _n_tokens(rest, extractor):
            parts.append(_one_window(tower, waveforms[:, n_windows * size :], extractor))
        return torch.cat(parts, dim=1)

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        return model.model.multi_modal_projector(states)


class SeveralWindows(WhisperFamily):
    """Whisper-like families whose processor cuts a long clip into windows, up to its own limit;
    beyond that it would cut the clip off without a word."""

    def longest_s(self, processor: Any) -> float:
        window_s = self.window_s(processor)
        return max(window_s, processor.max_audio_len // window_s * window_s)

    def stock_inputs(
        self, prompts: Sequence[str], waveforms: Sequence[np.ndarray], processor: Any
    ) -> Any:
        """As every family; a last window too short for a token is left out, for Music Flamingo's
        forward fails at it."""
        extractor = processor.feature_extractor
        heard = []
        for clip in waveforms:
            rest = len(clip) % extractor.n_samples
            silent = rest < len(clip) and not _n_tokens(rest, extractor)
            heard.append(clip[: len(clip) - rest] if silent else clip)
        return super().stock_inputs(prompts, heard, processor)


def _one_window(tower: Any, waveforms: torch.Tensor, extractor: Any) -> torch.Tensor:
    """States [B, tokens, width] of clips [B, T] no longer than a window."""
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


def _n_positions(frames: int) -> int:
    """Frames behind the second convolution."""
    return (frames - 1) // 2 + 1


def _n_tokens(n_samples: int, extractor: Any) -> int:
    """Audio tokens of a clip no longer than a window."""
    return _n_positions(n_frames(n_samples, extractor)) // 2
