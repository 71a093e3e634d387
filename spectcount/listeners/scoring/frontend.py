"""Whisper's log-mel front end, batched on the model's device, at the clips' natural length.

Conventions: waveforms float32 [B, T] at the feature extractor's rate; features [B, n_mels, F]
with one frame per hop. Equal to the stock feature extractor's frames, without the padding to its
whole window (a test holds both to 1e-5).
"""

from __future__ import annotations

from typing import Any

import torch

DYNAMIC_RANGE_LOG10 = 8.0
"""Whisper keeps the loudest 80 dB of a clip; everything below is floor."""


def exact(device: torch.device) -> torch.dtype:
    """The number format for transforms whose own noise would be heard: float64, but float32 on
    Apple's devices, which have no other."""
    return torch.float32 if device.type == "mps" else torch.float64


def n_frames(n_samples: int, extractor: Any) -> int:
    """Feature frames that the stock extractor marks as valid for a clip."""
    return -(-n_samples // extractor.hop_length)


def log_mel(waveforms: torch.Tensor, extractor: Any, frames: int) -> torch.Tensor:
    """Log-mel [B, n_mels, frames] of clips [B, T], silence after their end.

    `frames` may exceed the clip but not the extractor's window, or whole windows where the clip
    has several.
    """
    hop, n_fft = extractor.hop_length, extractor.n_fft
    needed = max(frames * hop, waveforms.shape[1])
    whole = -(-needed // extractor.n_samples) * extractor.n_samples
    window_samples = min(needed + n_fft, whole)
    padded = torch.nn.functional.pad(waveforms, (0, window_samples - waveforms.shape[1]))
    window = torch.hann_window(n_fft, device=padded.device)
    spectrum = torch.stft(padded, n_fft, hop, window=window, return_complex=True)
    spectrum = spectrum[..., :-1]
    power = spectrum.real.square() + spectrum.imag.square()
    filters = torch.as_tensor(extractor.mel_filters, dtype=torch.float32, device=padded.device)
    log_power = torch.clamp(filters.T @ power, min=1e-10).log10()
    floor = log_power.amax(dim=(1, 2), keepdim=True) - DYNAMIC_RANGE_LOG10
    return (torch.maximum(log_power, floor)[..., :frames] + 4) * 0.25
