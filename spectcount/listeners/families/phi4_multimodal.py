"""Phi-4-multimodal (5.6B): text, pictures and speech; its makers tell of speech only, so what it
makes of tones is a question and not a given.

Only the files in the format of transformers can be read (pull request 70 of its repository); the
first ones need code of their own, which is never run.

Quirks: hearing needs an adapter that lies in a folder beside the weights (`speech-lora`); it is
merged at load, and a checkpoint without it is refused. The encoder masks padding by adding 0 and 1
to its attention, which hides nothing: clips are never padded to each other here, and no mask is
given, as for a clip alone. Encoder windows of 40 s hear nothing of each other. Beyond 4096 tokens
the language model changes the scale of its positions for the whole sequence, which questions that
share a row could not each do for themselves: longer ones are refused. A clip's last samples that
fill no frame are not heard. The whole processor wants torchvision for pictures, so only its audio
half is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from spectcount.listeners.checkpoints.hashes import BUNDLED
from spectcount.listeners.families.base import Family
from spectcount.listeners.scoring.frontend import exact

LONGEST_S = 300.0
"""3750 tokens: what leaves room for a question within 4096."""
WINDOW_FRAMES = 4_000
"""40 s: longer clips go through the encoder one by one, for its code fails at several."""
FULL_SCALE = 32_768


class Phi4Multimodal(Family):
    """Conformer, two-layer projector, Phi-4-mini with an adapter; Abouelenin et al. (2025), arXiv
    2503.01743."""

    name = "phi-4-multimodal"
    architectures = ("Phi4MultimodalForCausalLM",)
    auto_class = "AutoModelForCausalLM"
    staged = True
    encoder = (
        r"audio_embed\.encoder\.encoders\.\d+\."
        r"(self_attn\.(q|k|v|o)_proj|feed_forward_(in|out)\.(gate_up|down)_proj)"
    )
    projector = r"audio_embed\.(up|down)_proj_for_speech"
    llm = r"model\.layers\.\d+\.(self_attn\.(qkv|o)_proj|mlp\.(gate_up|down)_proj)"
    features = r"audio_embed\.encoder"
    mel_axis = 2
    encoder_layers = r"audio_embed\.encoder\.encoders\.\d+"
    llm_layers = r"model\.layers\.\d+"
    source = "Abouelenin et al. (2025), arXiv 2503.01743"
    end_token = "<|end|>"
    bundled = BUNDLED["phi4_multimodal"]
    processor_options: ClassVar[Mapping[str, Any]] = {
        "processor_kwargs": {"padding": True, "sampling_rate": 16_000}
    }

    def load_processor(self, folder: str) -> Any:
        from transformers import Phi4MultimodalFeatureExtractor

        from spectcount.listeners.families.hearing import Phi4Hearing

        tokenizer = self.load_tokenizer(folder)
        extractor = Phi4MultimodalFeatureExtractor.from_pretrained(folder, local_files_only=True)
        return Phi4Hearing(extractor, tokenizer, tokenizer.chat_template)

    # Audio

    def window_s(self, processor: Any) -> float:
        return LONGEST_S

    def n_audio_tokens(self, n_samples: int, processor: Any) -> int:
        extractor = processor.audio_processor
        frames = (n_samples - extractor.win_length) // extractor.hop_length + 1
        return -(-frames // extractor.audio_compression_rate)

    def audio_states(self, model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
        audio = model.model.embed_tokens_extend.audio_embed
        features = log_mel(waveforms, processor.audio_processor)
        features = features.to(audio.up_proj_for_speech.weight.dtype)
        if features.shape[1] <= WINDOW_FRAMES:
            return audio.encoder(features, None)
        return torch.cat([audio.encoder(clip, None) for clip in features.split(1)])

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        audio = model.model.embed_tokens_extend.audio_embed
        return audio.down_proj_for_speech(
            torch.nn.functional.gelu(audio.up_proj_for_speech(states))
        )

    # Text

    def stock_inputs(
        self, prompts: Sequence[str], waveforms: Sequence[np.ndarray], processor: Any
    ) -> Any:
        batch = super().stock_inputs(prompts, waveforms, processor)
        batch.pop("audio_attention_mask", None)
        return batch

    def n_positions(self, model: Any) -> int:
        return int(model.config.original_max_position_embeddings)

    # The language model

    def language_model(self, model: Any) -> Any:
        return model.model


def log_mel(waveforms: torch.Tensor, extractor: Any) -> torch.Tensor:
    """The stock extractor's features [B, F, mels] of clips [B, T], on their device."""
    frames = waveforms.unfold(1, extractor.win_length, extractor.hop_length)
    before = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
    frames = (frames - extractor.preemphasis * before) * FULL_SCALE
    kind = exact(waveforms.device)
    window = torch.hamming_window(
        extractor.win_length, periodic=False, dtype=kind, device=waveforms.device
    )
    power = torch.fft.rfft(frames.to(kind) * window, n=extractor.n_fft).abs().float().square()
    filters = torch.as_tensor(extractor.mel_filters, dtype=torch.float32, device=power.device)
    return (power @ filters).clamp(min=1.0).log()
