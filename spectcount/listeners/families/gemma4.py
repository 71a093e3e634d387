"""Gemma 4 E2B and E4B, the two sizes that hear.

The newer of two with one encoder's lineage (see `gemma3n`): its licence (Apache 2.0) asks for no
gate, and a clip gets a token per 40 ms of its own length. By its makers' word its audio is speech;
what it makes of tones is a question and not a given.

Quirks: every layer gets an embedding of the token's own beside the stream, which the staged path
carries along behind the embedding (of a clip's places: the padding token's); most layers see a
short window only, which is taken by position, so that packed rows see the same; logits are capped;
an answer ends with the turn, not with the text; the images' and videos' processors, which need
torchvision, are not loaded. Clips beyond 30 s would be cut without a word, so they are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.files import json_object
from spectcount.listeners.families.base import Family
from spectcount.listeners.scoring.frontend import exact

LONGEST_SAMPLES = 480_000
PADDED_TO = 128
"""Samples; the feature extractor's defaults."""


class Gemma4(Family):
    """USM conformer, one linear layer, Gemma 4; Google DeepMind (2026), model card."""

    name = "gemma-4"
    architectures = ("Gemma4ForConditionalGeneration",)
    auto_class = "AutoModelForMultimodalLM"
    staged = True
    encoder = (
        r"audio_tower\.(layers\.\d+\.(self_attn\.((q|k|v)_proj|post)"
        r"|feed_forward(1|2)\.ffw_layer_(1|2)|lconv1d\.linear_(start|end))\.linear|output_proj)"
    )
    projector = r"embed_audio\.embedding_projection"
    features: ClassVar[str] = r"model\.audio_tower"
    mel_axis = 2
    encoder_layers: ClassVar[str] = r"audio_tower\.layers\.\d+"
    source = "Google DeepMind (2026), Gemma 4 model card"
    end_token = "<turn|>"

    def load(self, folder: str, device: str, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
        config = json_object(Path(folder) / "config.json")
        if not config.get("audio_config"):
            raise UserError(
                f"{Path(folder).name} is a Gemma 4 without hearing (no audio_config); of its sizes "
                "E2B and E4B hear, choose one of them"
            )
        return super().load(folder, device, dtype, **options)

    def load_processor(self, folder: str) -> Any:
        from transformers import Gemma4AudioFeatureExtractor

        from spectcount.listeners.families.hearing import Gemma4Hearing

        tokenizer = self.load_tokenizer(folder)
        extractor = Gemma4AudioFeatureExtractor.from_pretrained(folder, local_files_only=True)
        return Gemma4Hearing(extractor, tokenizer, tokenizer.chat_template)

    def load_tokenizer(self, folder: str) -> Any:
        tokenizer = super().load_tokenizer(folder)
        # Saved after use it keeps these as none, which the audio's processor would take over.
        for key in ("max_length", "pad_to_multiple_of"):
            tokenizer.init_kwargs.pop(key, None)
        return tokenizer

    # Audio

    def window_s(self, processor: Any) -> float:
        return LONGEST_SAMPLES / self.sample_rate(processor)

    def n_audio_tokens(self, n_samples: int, processor: Any) -> int:
        valid = _n_valid(n_samples, processor.feature_extractor)
        return -(-valid // 4)

    def audio_states(self, model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
        tower = model.model.audio_tower
        features, mask = log_mel(waveforms, processor.feature_extractor)
        weight = tower.output_proj.weight
        heard = tower(features.to(weight.dtype), mask)
        return heard.last_hidden_state[:, heard.attention_mask[0]]

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        embedded = model.model.embed_audio(inputs_embeds=states)
        pad = torch.full(states.shape[:2], _pad(model), device=states.device)
        return torch.cat([embedded, per_layer(model, pad).to(embedded.dtype)], dim=-1)

    # Text

    def prompt_ids(self, prompt: str, n_audio: int, processor: Any) -> list[int]:
        ids = super().prompt_ids(prompt, n_audio, processor)
        at = ids.index(self.audio_token_id(processor))
        begin, end = processor.tokenizer.convert_tokens_to_ids(
            [processor.boa_token, processor.eoa_token]
        )
        return [*ids[:at], begin, *ids[at : at + n_audio], end, *ids[at + n_audio :]]

    # The language model

    def embed_tokens(self, model: Any, ids: torch.Tensor) -> torch.Tensor:
        """[..., width + layers x width per layer]: what `hidden` takes."""
        known = ids.masked_fill(ids == model.config.audio_token_id, _pad(model))
        return torch.cat([super().embed_tokens(model, known), per_layer(model, known)], dim=-1)

    def hidden(
        self, model: Any, embeds: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor
    ) -> torch.Tensor:
        text = model.config.text_config
        by_layer = embeds[..., text.hidden_size :].unflatten(-1, (text.num_hidden_layers, -1))
        masks: Any = mask
        if mask.ndim == 4:
            near = positions[:, :, None] - positions[:, None, :] < text.sliding_window
            least = torch.finfo(mask.dtype).min
            sliding = mask.masked_fill(~near[:, None], least)
            masks = {"full_attention": mask, "sliding_attention": sliding}
        return model.model.language_model(
            inputs_embeds=embeds[..., : text.hidden_size],
            per_layer_inputs=by_layer,
            attention_mask=masks,
            position_ids=positions,
            use_cache=False,
        ).last_hidden_state

    def logits(self, model: Any, hidden: torch.Tensor) -> torch.Tensor:
        logits = model.lm_head(hidden)
        cap = model.config.text_config.final_logit_softcapping
        return logits if cap is None else torch.tanh(logits / cap) * cap


def log_mel(waveforms: torch.Tensor, extractor: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The stock extractor's features [B, F, mels] and mask [B, F] of clips [B, T], on their
    device; a frame counts where all its samples are the clip's."""
    n, size = waveforms.shape[1], extractor.frame_length
    padded = torch.nn.functional.pad(waveforms, (size // 2, -n % PADDED_TO))
    frames = padded.unfold(1, size + 1, extractor.hop_length)[..., :-1]
    device = waveforms.device
    window = torch.as_tensor(extractor.window, dtype=torch.float32, device=device)
    # In float32 the transform's own noise is heard: the floor lies only 60 dB below 1.
    spectrum = torch.fft.rfft((frames * window).to(exact(device)), n=extractor.fft_length)
    magnitude = spectrum.abs().float()
    filters = torch.as_tensor(extractor.mel_filters, dtype=torch.float32, device=device)
    features = torch.log(magnitude @ filters + float(extractor.mel_floor))
    features = per_bin(features, extractor)
    mask = torch.arange(features.shape[1], device=device) < _n_valid(n, extractor)
    return features * mask[:, None], mask.expand(len(features), -1)


def per_bin(features: torch.Tensor, extractor: Any) -> torch.Tensor:
    """Features [B, F, mels] less the mean of each mel band, over its spread, where they are set."""
    for name, moved in (("per_bin_mean", torch.sub), ("per_bin_stddev", torch.div)):
        if getattr(extractor, name) is not None:
            by = torch.as_tensor(np.asarray(getattr(extractor, name)), dtype=torch.float32)
            features = moved(features, by.to(features.device))
    return features


def _n_valid(n_samples: int, extractor: Any) -> int:
    """Frames whose samples all lie in the clip."""
    return -(-(n_samples - extractor.frame_length // 2) // extractor.hop_length)


def _pad(model: Any) -> int:
    return int(model.config.text_config.pad_token_id)


def per_layer(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Every layer's own embeddings of tokens, in one row [..., layers x width per layer]."""
    return model.model.language_model.get_per_layer_inputs(ids).flatten(-2)
