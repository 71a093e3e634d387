"""Granite Speech's log-mel front end without torchaudio, batched on the clips' device.

The stock extractor is torchaudio's MelSpectrogram (Hann window, HTK triangles without
normalisation, power), floored at 80 dB below the clip's maximum, two frames stacked.

Conventions: waveforms float32 [B, T], all of one length; features [B, F // 2, 2 n_mels].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import SequenceFeatureExtractor
from transformers.audio_utils import mel_filter_bank
from transformers.feature_extraction_utils import BatchFeature

from spectcount.listeners.scoring.frontend import DYNAMIC_RANGE_LOG10


class GraniteMel(SequenceFeatureExtractor):
    """Reads the stock extractor's configuration and gives its features."""

    model_input_names = ("input_features",)

    def __init__(
        self,
        sampling_rate: int = 16_000,
        projector_window_size: int = 15,
        projector_downsample_rate: int = 5,
        padding_value: float = 0.0,
        melspec_kwargs: dict[str, int] | None = None,
        **more: Any,
    ):
        self.mel = {
            "n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 80,
            **(melspec_kwargs or {}),
        }  # fmt: skip
        more.pop("feature_size", None)
        super().__init__(self.mel["n_mels"], sampling_rate, padding_value, **more)
        self.projector_window_size = projector_window_size
        self.projector_downsample_rate = projector_downsample_rate

    def n_tokens(self, n_samples: int) -> int:
        """Audio tokens of a clip: whole windows of the projector, a few queries each."""
        states = (n_samples // self.mel["hop_length"] + 1) // 2
        queries = self.projector_window_size // self.projector_downsample_rate
        return math.ceil(states / self.projector_window_size) * queries

    def features(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Stacked log-mel frames [B, F // 2, 2 n_mels] of clips [B, T]."""
        window = torch.hann_window(self.mel["win_length"], device=waveforms.device)
        spectrum = torch.stft(
            waveforms.float(), self.mel["n_fft"], self.mel["hop_length"], self.mel["win_length"],
            window=window, pad_mode="reflect", return_complex=True,
        )  # fmt: skip
        power = spectrum.real.square() + spectrum.imag.square()
        log_power = torch.clamp(self._filters(waveforms.device).T @ power, min=1e-10).log10()
        floor = log_power.amax(dim=(1, 2), keepdim=True) - DYNAMIC_RANGE_LOG10
        frames = (torch.maximum(log_power, floor) / 4 + 1).transpose(1, 2)
        even = frames[:, : frames.shape[1] // 2 * 2]
        return even.reshape(len(even), -1, 2 * self.mel["n_mels"])

    def _filters(self, device: torch.device) -> torch.Tensor:
        """HTK triangles [n_fft // 2 + 1, n_mels]."""
        bank = mel_filter_bank(
            self.mel["n_fft"] // 2 + 1, self.mel["n_mels"], 0.0, self.sampling_rate / 2,
            self.sampling_rate, norm=None, mel_scale="htk",
        )  # fmt: skip
        return torch.as_tensor(bank, dtype=torch.float32, device=device)

    def __call__(self, audios: Sequence[np.ndarray], device: str = "cpu") -> BatchFeature:
        """What the stock extractor gives for equally long clips."""
        waveforms = torch.from_numpy(np.stack(list(audios))).to(device)
        n = self.n_tokens(waveforms.shape[1])
        return BatchFeature(
            {
                "input_features": self.features(waveforms),
                "audio_embed_sizes": [n] * len(waveforms),
                "input_features_mask": torch.ones(len(waveforms), n, dtype=torch.bool),
            }
        )
