"""Voxtral Mini (3B) and Small (24B), Mistral's open listeners.

Used for speech above all, and compared on audio benchmarks. Words and prompts come from
mistral-common (`pip install mistral-common`); without it the family refuses to load.

Quirks: the encoder hears a full window of 30 s and masks nothing, so a clip is heard together with
the silence behind it and the encoder must not be cut to the clip: the staged path runs it whole,
and saves the mel on the processor, the words and the answers. Four frames become one token, 375 a
window, whatever the clip's length. There is no system turn. Clips reach the stock processor as
files only; they go there as float WAV, for 16-bit ones would round them. Longer clips become
several windows, whose mel is made in one go, with one loudest frame; the makers tell of up to 40
minutes, which is the limit here.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from spectcount.errors import UserError
from spectcount.listeners.families.base import Family
from spectcount.listeners.scoring.frontend import log_mel

LONGEST_S = 2400.0
"""Liu et al. (2025): audio of up to 40 minutes within 32 k tokens."""


class Voxtral(Family):
    """Whisper large-v3 encoder over a full window, two-layer projector over four frames,
    Ministral or Mistral Small; Liu et al. (2025), arXiv 2507.13264."""

    name = "voxtral"
    architectures = ("VoxtralForConditionalGeneration",)
    auto_class = "VoxtralForConditionalGeneration"
    staged = True
    encoder = r"audio_tower\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|fc1|fc2)"
    features = r"audio_tower\.conv1"
    encoder_layers = r"audio_tower\.layers\.\d+"
    projector = r"multi_modal_projector\.linear_(1|2)"
    source = "Liu et al. (2025), arXiv 2507.13264"

    def load(self, folder: str, device: str, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
        """As every family; raises `UserError` before the weights are read where mistral-common is
        missing or too old."""
        _need_mistral_common()
        return super().load(folder, device, dtype, **options)

    def load_processor(self, folder: str) -> Any:
        _need_mistral_common()
        return super().load_processor(folder)

    def longest_s(self, processor: Any) -> float:
        return LONGEST_S

    def n_audio_tokens(self, n_samples: int, processor: Any) -> int:
        audio = processor.tokenizer.tokenizer.instruct_tokenizer.audio_encoder.audio_config
        windows = -(-n_samples // processor.feature_extractor.n_samples)
        return round(windows * audio.chunk_length_s * audio.frame_rate)

    def audio_states(self, model: Any, waveforms: torch.Tensor, processor: Any) -> torch.Tensor:
        tower, extractor = model.model.audio_tower, processor.feature_extractor
        n_windows = -(-waveforms.shape[1] // extractor.n_samples)
        features = log_mel(waveforms, extractor, n_windows * extractor.nb_max_frames)
        windows = features.unflatten(2, (n_windows, -1)).transpose(1, 2).flatten(0, 1)
        hidden = tower(windows.to(tower.conv1.weight.dtype)).last_hidden_state
        return hidden.reshape(len(waveforms), -1, tower.config.intermediate_size)

    def project(self, model: Any, states: torch.Tensor) -> torch.Tensor:
        return model.model.multi_modal_projector(states)

    def check_words(self, texts: Iterable[str], processor: Any) -> None:
        """Nothing to refuse: mistral-common reads marks within words as words."""

    def conversation(self, prompt: str, audio: Any = None) -> list[dict[str, Any]]:
        """One user turn, the clip first, as a file; where there is none, a short silence."""
        clip = np.zeros(1600, np.float32) if audio is None else audio
        return [
            {
                "role": "user",
                "content": [
                    {"type": "audio", "base64": _wav(clip)},
                    {"type": "text", "text": prompt},
                ],
            }
        ]

    def stock_inputs(
        self, prompts: Sequence[str], waveforms: Sequence[np.ndarray], processor: Any
    ) -> Any:
        extractor = processor.feature_extractor
        window = {
            "pad_to_multiple_of": extractor.n_samples,
            "max_source_positions": extractor.nb_max_frames,
        }
        return processor.apply_chat_template(
            [self.conversation(p, w) for p, w in zip(prompts, waveforms, strict=True)],
            processor_kwargs={"audio_kwargs": window},
        )

    def template_ends(self, processor: Any) -> list[int]:
        """None besides `end_id`; mistral-common renders no finished answer."""
        return []

    def prompt_ids(self, prompt: str, n_audio: int, processor: Any) -> list[int]:
        ids = processor.tokenizer.apply_chat_template(
            self.conversation(prompt), tokenize=True, return_dict=False
        )
        audio = self.audio_token_id(processor)
        at, heard = ids.index(audio), ids.count(audio)
        return ids[:at] + [audio] * n_audio + ids[at + heard :]


def _need_mistral_common() -> None:
    from transformers.utils import import_utils

    if not import_utils.is_mistral_common_available():
        raise UserError(
            "Voxtral takes its words and prompts from mistral-common, which is missing or older "
            f"than {import_utils.MISTRAL_COMMON_MIN_VERSION}; run "
            "`pip install --upgrade mistral-common` and load the model again"
        )


def _wav(clip: np.ndarray) -> str:
    """A clip at 16 kHz as a float WAV file, in base64; no sample is rounded."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, clip, 16_000, format="WAV", subtype="FLOAT")
    return base64.b64encode(file.getvalue()).decode()
