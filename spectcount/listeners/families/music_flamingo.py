"""Music Flamingo, Audio Flamingo 3's successor for music, and Audio Flamingo Next, its successor
for every sound: two checkpoints of one architecture, by the same makers.

Quirks: the encoder's states are turned by rotary embeddings of their absolute time in seconds
before they are projected (a fifth of the width, axial in window and time); a clip's placeholders
stand between two tokens that mark its beginning and end; the template puts the audio first. Longer
clips become windows of 30 s, up to the processor's limit of 20 minutes (Next: 30).
"""

from __future__ import annotations

from typing import Any

import torch

from spectcount.listeners.families.whisper import SeveralWindows


class MusicFlamingo(SeveralWindows):
    """AF-Whisper encoder, rotary time embedding, two-layer projector, Qwen2.5 (7B); Ghosh et al.
    (2025), arXiv 2511.10289."""

    name = "music-flamingo"
    architectures = ("MusicFlamingoForConditionalGeneration",)
    projector = r"multi_modal_projector\.linear_(1|2)"
    source = "Ghosh et al. (2025), arXiv 2511.10289"

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        from transformers.models.musicflamingo.modeling_musicflamingo import (
            apply_rotary_time_emb,
        )

        inner, n = model.model, states.shape[1]
        per_window = inner.config.audio_config.max_source_positions // 2
        n_windows = -(-n // per_window)
        step_s = inner.config.audio_frame_step * 4
        times_s = torch.arange(n_windows * per_window, device=states.device) * step_s
        cos, sin = inner.pos_emb(times_s.view(n_windows, per_window).float(), seq_len=per_window)
        turned = apply_rotary_time_emb(states, cos.flatten(0, 1)[:n], sin.flatten(0, 1)[:n])
        return inner.multi_modal_projector(turned)

    def prompt_ids(self, prompt: str, n_audio: int, processor: Any) -> list[int]:
        ids = super().prompt_ids(prompt, n_audio, processor)
        at = ids.index(self.audio_token_id(processor))
        marked = [processor.audio_bos_token_id, *ids[at : at + n_audio]]
        return [*ids[:at], *marked, processor.audio_eos_token_id, *ids[at + n_audio :]]
