"""Granite Speech 3.3 (2B and 8B), 4.0 (1B) and 4.1 (2B, and 2B Plus): open data and licence; a
model of speech first, so what it makes of tones is a question and not a given.

4.0 and 4.1 are of 3.3's class, without an adapter; Plus is a class of its own,
whose projector sees states of a middle layer too. 4.1 NAR and 5.0 only transcribe.

Quirks: with 3.3 an adapter is bundled with the weights and is on whenever there is audio. Every
question here has audio, so it is merged into the weights at load (else a user's adapter would
switch it off); a checkpoint that names one and lacks it is refused. The system text is whatever the
checkpoint's template puts there; where that tells the date of today, the date is that of the
published example, or a question would be another one tomorrow. Feature extraction asks for
torchaudio; the same mel is computed here without it. The audio token may lie outside the embedding
table. The encoder's batch norms keep their published statistics in training. There is no window:
clips beyond `LONGEST_S` are refused to bound memory, and what lengths it was trained on is not
published.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from spectcount.listeners.families.base import Family

LONGEST_S = 300.0
NO_ADAPTER = {"adapter_kwargs": {"subfolder": "none"}}
"""Loads the base alone: with the adapter, the report on missing weights covers only it."""

_HALF = r"(attention|crossattention)\.(attention\.(query|key|value)|output\.dense)"


class GraniteSpeech(Family):
    """Conformer encoder, window Q-Former, Granite 3.3; Saon et al. (2025), arXiv 2505.08699."""

    name = "granite-speech"
    architectures = (
        "GraniteSpeechForConditionalGeneration",
        "GraniteSpeechPlusForConditionalGeneration",
    )
    staged = True
    encoder = r"model\.encoder\.layers\.\d+\.(attn\.to_(q|kv|out)|ff(1|2)\.(up|down)_proj)"
    projector = (
        rf"projector\.(linear|qformer\.encoder\.layer\.\d+\.({_HALF}"
        r"|(intermediate|output)_query\.dense))"
    )
    features = r"model\.encoder\.input_linear"
    mel_axis = 2
    encoder_layers = r"model\.encoder\.layers\.\d+"
    source = "Saon et al. (2025), arXiv 2505.08699"
    bundled = ""

    # Loading

    def load(self, folder: str, device: str, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
        model, processor = super().load(folder, device, dtype, **NO_ADAPTER, **options)
        for module in model.modules():
            if type(module) is torch.nn.BatchNorm1d:
                module.__class__ = FixedBatchNorm
        return model.eval(), processor

    def load_processor(self, folder: str) -> Any:
        from transformers import GraniteSpeechProcessor

        from spectcount.listeners.families.hearing import GraniteMel

        tokenizer = self.load_tokenizer(folder)
        extractor = GraniteMel.from_pretrained(folder, local_files_only=True)
        return GraniteSpeechProcessor(extractor, tokenizer, chat_template=tokenizer.chat_template)

    # Audio

    def window_s(self, processor: Any) -> float:
        return LONGEST_S

    def audio_token_id(self, processor: Any) -> int:
        return int(processor.tokenizer.convert_tokens_to_ids(processor.audio_token))

    def n_audio_tokens(self, n_samples: int, processor: Any) -> int:
        return processor.audio_processor.n_tokens(n_samples)

    def audio_states(self, model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
        encoder = model.model.encoder
        features = processor.audio_processor.features(waveforms)
        return encoder(features.to(encoder.input_linear.weight.dtype)).last_hidden_state

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        return model.model.projector(states)

    # Text

    def text(self, prompt: str, processor: Any) -> str:
        """As every family, the placeholder within the words, as published."""
        return processor.tokenizer.apply_chat_template(
            [{"role": "user", "content": processor.audio_token + prompt}],
            tokenize=False,
            add_generation_prompt=True,
        )

    def stock_inputs(
        self, prompts: Sequence[str], waveforms: Sequence[np.ndarray], processor: Any
    ) -> Any:
        texts = [self.text(prompt, processor) for prompt in prompts]
        return processor(text=texts, audio=list(waveforms), padding=True, return_tensors="pt")

    def embed_tokens(self, model: Any, ids: torch.Tensor) -> torch.Tensor:
        placeholders = ids == model.config.audio_token_id
        return super().embed_tokens(model, ids.masked_fill(placeholders, 0))


class FixedBatchNorm(torch.nn.BatchNorm1d):
    """A batch norm that stays in evaluation mode: tuning must not move the base's statistics."""

    def train(self, mode: bool = True) -> FixedBatchNorm:
        return super().train(False)
