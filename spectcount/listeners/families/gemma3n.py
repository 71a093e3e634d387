"""Gemma 3n E2B and E4B, Gemma 4's predecessor, still widely used.

Quirks: a clip is 188 tokens whatever its length, the rest filled with an embedding of their own; a
token lasts 160 ms; marks behind the clip come from the audio's table of embeddings. The vision
tower needs timm and is not built, nor is its part of the processor: everything else is the stock
code. Clips beyond 30 s would be cut without a word, so they are refused. By its makers' word its
audio is speech.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from spectcount.listeners.checkpoints.files import json_object
from spectcount.listeners.families.base import Family
from spectcount.listeners.families.gemma4 import PADDED_TO, Gemma4, per_bin, per_layer
from spectcount.listeners.scoring.frontend import exact


class Gemma3n(Gemma4):
    """USM conformer, one linear layer, Gemma 3n; Google DeepMind (2025), model card."""

    name = "gemma-3n"
    architectures = ("Gemma3nForConditionalGeneration",)
    encoder = (
        r"audio_tower\.(conformer\.\d+\.(attention\.(attn\.(q|k|v)_proj|post)"
        r"|ffw_layer_(start|end)\.ffw_layer_(1|2)|lconv1d\.linear_(start|end))"
        r"|subsample_conv_projection\.input_proj_linear)"
    )
    encoder_layers = r"audio_tower\.conformer\.\d+"
    source = "Google DeepMind (2025), Gemma 3n model card"
    end_token = "<end_of_turn>"
    processor_options: ClassVar[Mapping[str, Any]] = {"processor_kwargs": {"padding": True}}

    # Loading

    def model_class(self) -> Any:
        from spectcount.listeners.families.hearing import Gemma3nForConditionalGeneration

        return Gemma3nForConditionalGeneration

    def load(self, folder: str, device: str, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
        return Family.load(self, folder, device, dtype, **options)

    def load_processor(self, folder: str) -> Any:
        from transformers import Gemma3nAudioFeatureExtractor

        from spectcount.listeners.families.hearing import Gemma3nHearing

        tokenizer = self.load_tokenizer(folder)
        extractor = Gemma3nAudioFeatureExtractor.from_pretrained(folder, local_files_only=True)
        file = Path(folder) / "processor_config.json"
        stated = json_object(file) if file.is_file() else {}
        return Gemma3nHearing(
            extractor, tokenizer, tokenizer.chat_template, stated.get("audio_seq_length", 188)
        )

    # Audio

    def n_audio_tokens(self, n_samples: int, processor: Any) -> int:
        return int(processor.audio_seq_length)

    def audio_states(self, model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
        tower = model.model.audio_tower
        features, mask = log_mel(waveforms, processor.feature_extractor)
        weight = tower.subsample_conv_projection.input_proj_linear.weight
        heard = tower(features.to(weight.dtype), ~mask)
        return heard.last_hidden_state[:, ~heard.audio_mel_mask[0]]

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        inner, batch = model.model, len(states)
        heard = inner.embed_audio(inputs_embeds=states)
        n = inner.config.audio_soft_tokens_per_image
        last = torch.full((batch, n - states.shape[1]), inner.vocab_size - 1, device=states.device)
        filled = torch.cat([heard, inner.embed_audio(input_ids=last).to(heard.dtype)], dim=1)
        places = torch.full((batch, n), inner.config.audio_token_id, device=states.device)
        return torch.cat([filled, per_layer(model, places).to(filled.dtype)], dim=-1)

    # Text

    def prompt_ids(self, prompt: str, n_audio: int, processor: Any) -> list[int]:
        text = self.text(prompt, processor).replace(
            processor.audio_token, processor.clip_text(n_audio)
        )
        return processor.tokenizer.encode(text, add_special_tokens=False)

    # The language model

    def embed_tokens(self, model: Any, ids: torch.Tensor) -> torch.Tensor:
        """[..., width + layers x width per layer]: what `hidden` takes; tokens of the audio's own
        come from its table. Padding is masked, but a row of zeros would have no gradient: its
        magnitude's root has none there. So the text's beginning stands in its place."""
        audio, config = model.model.embed_audio, model.config.text_config
        ids = ids.masked_fill(ids == config.pad_token_id, config.bos_token_id)
        of_audio = ids >= audio.vocab_offset
        text = Family.embed_tokens(self, model, ids)
        marks = audio(input_ids=ids.clamp(min=audio.vocab_offset)).to(text.dtype)
        return torch.cat([text.where(~of_audio[..., None], marks), per_layer(model, ids)], dim=-1)


def log_mel(waveforms: torch.Tensor, extractor: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The stock extractor's features [B, F, mels] and mask [B, F] of clips [B, T], on their
    device; a frame counts where its first sample is the clip's."""
    n, device, kind = waveforms.shape[1], waveforms.device, exact(waveforms.device)
    padded = torch.nn.functional.pad(waveforms, (0, -n % PADDED_TO)) * extractor.input_scale_factor
    frames = padded.unfold(1, extractor.frame_length + 1, extractor.hop_length)
    frames = _preemphasised(frames, extractor)
    window = torch.as_tensor(extractor.window, dtype=torch.float32, device=device)
    magnitude = torch.fft.rfft((frames * window).to(kind), n=extractor.fft_length).abs().float()
    filters = torch.as_tensor(extractor.mel_filters, dtype=torch.float32, device=device)
    features = torch.log((magnitude @ filters).clamp(min=float(extractor.mel_floor)))
    features = per_bin(features, extractor)
    starts = torch.arange(features.shape[1], device=device) * extractor.hop_length
    return features, (starts < n).expand(len(features), -1)


def _preemphasised(frames: torch.Tensor, extractor: Any) -> torch.Tensor:
    """Frames [B, F, L + 1] -> [B, F, L], each sample less a part of the one before; the first one
    as HTK has it, or as the signal has it."""
    factor = extractor.preemphasis
    if factor <= 0:
        return frames[..., :-1]
    if not extractor.preemphasis_htk_flavor:
        return frames[..., 1:] - factor * frames[..., :-1]
    rest = frames[..., 1:-1] - factor * frames[..., :-2]
    return torch.cat([frames[..., :1] * (1.0 - factor), rest], dim=-1)
