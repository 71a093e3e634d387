"""Music Flamingo: Audio Flamingo 3's successor for music, by the same makers.

Quirks: the encoder's states are turned by rotary embeddings of their absolute time in seconds
before they are projected (a fifth of the width, axial in window and time: one window here, so the
first axis stands still); a clip's placeholders stand between two tokens that mark its beginning
and end; the template puts the audio first. Longer clips become 30 s windows, which are not used.
"""

from __future__ import annotations

from typing import Any

import torch

from spectcount.listeners.families.whisper import WhisperFamily


class MusicFlamingo(WhisperFamily):
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

        n, inner = states.shape[1], model.model
        step_s = inner.config.audio_frame_step * 4
        times_s = torch.arange(n, device=states.device, dtype=torch.float32) * step_s
        cos, sin = inner.pos_emb(times_s[None], seq_len=n)
        return inner.multi_modal_projector(apply_rotary_time_emb(states, cos, sin))

    def prompt_ids(self, prompt: str, n_audio: int, processor: Any) -> list[int]:
        ids = super().prompt_ids(prompt, n_audio, processor)
        at = ids.index(self.audio_token_id(processor))
        marked = [processor.audio_bos_token_id, *ids[at : at + n_audio]]
        return [*ids[:at], *marked, processor.audio_eos_token_id, *ids[at + n_audio :]]
