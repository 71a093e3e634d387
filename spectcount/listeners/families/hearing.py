"""Classes of transformers less the packages that only other senses need: torchvision for images
and films, timm for Gemma 3n's vision tower, torchaudio for Granite's front end.

The stock code of text and audio stays as it is; this module is imported where one of its models is
loaded, because it imports their code.

Conventions: waveforms float32 [B, T], all of one length; Granite's features [B, F // 2, 2 n_mels].
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers
from transformers import ProcessorMixin, SequenceFeatureExtractor
from transformers.audio_utils import mel_filter_bank
from transformers.feature_extraction_utils import BatchFeature
from transformers.models.gemma3n import modeling_gemma3n as gemma3n

from spectcount.listeners.scoring.frontend import DYNAMIC_RANGE_LOG10

# Processors


def _take_tokens(processor: Any, tokenizer: Any) -> None:
    """Give a processor the marks of a clip that its tokenizer knows."""
    for name in ("audio_token", "audio_token_id", "boa_token", "eoa_token"):
        if hasattr(tokenizer, name):
            setattr(processor, name, getattr(tokenizer, name))


class Gemma4Hearing(transformers.Gemma4Processor):
    """Gemma 4's processor of text and audio."""

    def __init__(self, feature_extractor: Any, tokenizer: Any, chat_template: str):
        _take_tokens(self, tokenizer)
        ProcessorMixin.__init__(self, feature_extractor, tokenizer, chat_template=chat_template)


class Phi4Hearing(transformers.Phi4MultimodalProcessor):
    """Phi-4-multimodal's processor of text and audio."""

    def __init__(self, audio_processor: Any, tokenizer: Any, chat_template: str):
        _take_tokens(self, tokenizer)
        ProcessorMixin.__init__(self, audio_processor, tokenizer, chat_template=chat_template)


@functools.cache
def omni_hearing(name: str) -> Any:
    """The Omni processor `name` of text and audio."""
    stock: Any = getattr(transformers, name)

    class OmniHearing(stock):
        def __init__(
            self, feature_extractor: Any = None, tokenizer: Any = None, chat_template: Any = None
        ) -> None:
            ProcessorMixin.__init__(self, feature_extractor, tokenizer, chat_template=chat_template)
            _take_tokens(self, tokenizer)

        @property
        def model_input_names(self) -> list[str]:
            return [*self.tokenizer.model_input_names, "input_features", "feature_attention_mask"]

    return OmniHearing


class Gemma3nHearing(transformers.Gemma3nProcessor):
    """Gemma 3n's processor; a clip is a fixed number of tokens."""

    def __init__(
        self,
        feature_extractor: Any,
        tokenizer: Any,
        chat_template: str,
        audio_seq_length: int = 188,
    ):
        self.audio_seq_length = audio_seq_length
        _take_tokens(self, tokenizer)
        self.full_audio_sequence = self.clip_text(audio_seq_length)
        ProcessorMixin.__init__(self, feature_extractor, tokenizer, chat_template=chat_template)

    def clip_text(self, n_audio: int) -> str:
        """The text that stands for a clip of `n_audio` tokens."""
        return f"\n\n{self.boa_token}{self.audio_token * n_audio}{self.eoa_token}\n\n"

    @property
    def model_input_names(self) -> list[str]:
        return [*self.tokenizer.model_input_names, *self.feature_extractor.model_input_names]


# Gemma 3n without sight


class HearingGemma3nModel(gemma3n.Gemma3nModel):
    """Encoder, projector, language model, and the table of image tokens, which is read."""

    def __init__(self, config: Any):
        gemma3n.Gemma3nPreTrainedModel.__init__(self, config)
        text = config.text_config
        self.vocab_size = text.vocab_size
        self.vocab_size_per_layer_input = text.vocab_size_per_layer_input
        self.language_model = transformers.AutoModel.from_config(text)
        self.audio_tower = transformers.AutoModel.from_config(config.audio_config)
        self.embed_vision = gemma3n.Gemma3nMultimodalEmbedder(config.vision_config, text)
        self.embed_audio = gemma3n.Gemma3nMultimodalEmbedder(config.audio_config, text)
        self.post_init()


class Gemma3nForConditionalGeneration(gemma3n.Gemma3nForConditionalGeneration):
    """Of the stock class's name, so that it is saved as one."""

    _keys_to_ignore_on_load_unexpected = (r"vision_tower",)

    def __init__(self, config: Any):
        gemma3n.Gemma3nPreTrainedModel.__init__(self, config)
        text = config.text_config
        self.model = HearingGemma3nModel(config)
        self.lm_head = torch.nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.post_init()


# Granite's front end: torchaudio's MelSpectrogram (Hann window, HTK triangles without
# normalisation, power), floored at 80 dB below the clip's maximum, two frames stacked.


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
            "n_fft": 512,
            "win_length": 400,
            "hop_length": 160,
            "n_mels": 80,
            **(melspec_kwargs or {}),
        }
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
            waveforms.float(),
            self.mel["n_fft"],
            self.mel["hop_length"],
            self.mel["win_length"],
            window=window,
            pad_mode="reflect",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        log_power = torch.clamp(self._filters(waveforms.device).T @ power, min=1e-10).log10()
        floor = log_power.amax(dim=(1, 2), keepdim=True) - DYNAMIC_RANGE_LOG10
        frames = (torch.maximum(log_power, floor) / 4 + 1).transpose(1, 2)
        even = frames[:, : frames.shape[1] // 2 * 2]
        return even.reshape(len(even), -1, 2 * self.mel["n_mels"])

    def _filters(self, device: torch.device) -> torch.Tensor:
        """HTK triangles [n_fft // 2 + 1, n_mels]."""
        bank = mel_filter_bank(
            self.mel["n_fft"] // 2 + 1,
            self.mel["n_mels"],
            0.0,
            self.sampling_rate / 2,
            self.sampling_rate,
            norm=None,
            mel_scale="htk",
        )
        return torch.as_tensor(bank, dtype=torch.float32, device=device)

    def __call__(self, audios: Sequence[np.ndarray], device: str = "cpu") -> BatchFeature:
        """The batch that the stock extractor gives for equally long clips."""
        waveforms = torch.from_numpy(np.stack(list(audios))).to(device)
        n = self.n_tokens(waveforms.shape[1])
        return BatchFeature(
            {
                "input_features": self.features(waveforms),
                "audio_embed_sizes": [n] * len(waveforms),
                "input_features_mask": torch.ones(len(waveforms), n, dtype=torch.bool),
            }
        )
