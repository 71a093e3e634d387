"""Gemma 3n and its processor without sight, which needs timm and torchvision: the stock classes,
less the vision tower and the images' processor.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers
from transformers.models.gemma3n import modeling_gemma3n as stock


class HearingModel(stock.Gemma3nModel):
    """Encoder, projector and language model; the table of image tokens stays, it is asked for."""

    def __init__(self, config: Any):
        stock.Gemma3nPreTrainedModel.__init__(self, config)
        text = config.text_config
        self.vocab_size = text.vocab_size
        self.vocab_size_per_layer_input = text.vocab_size_per_layer_input
        self.language_model = transformers.AutoModel.from_config(text)
        self.audio_tower = transformers.AutoModel.from_config(config.audio_config)
        self.embed_vision = stock.Gemma3nMultimodalEmbedder(config.vision_config, text)
        self.embed_audio = stock.Gemma3nMultimodalEmbedder(config.audio_config, text)
        self.post_init()


class Gemma3nForConditionalGeneration(stock.Gemma3nForConditionalGeneration):
    """Of the stock class's name, so that it is saved as one."""

    _keys_to_ignore_on_load_unexpected = (r"vision_tower",)

    def __init__(self, config: Any):
        stock.Gemma3nPreTrainedModel.__init__(self, config)
        text = config.text_config
        self.model = HearingModel(config)
        self.lm_head = torch.nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.post_init()


class HearingProcessor(transformers.Gemma3nProcessor):
    """Text and audio only; the stock code makes the batch."""

    def __init__(
        self,
        feature_extractor: Any,
        tokenizer: Any,
        chat_template: str,
        audio_seq_length: int = 188,
    ):
        self.audio_seq_length = audio_seq_length
        self.audio_token, self.audio_token_id = tokenizer.audio_token, tokenizer.audio_token_id
        self.boa_token, self.eoa_token = tokenizer.boa_token, tokenizer.eoa_token
        self.full_audio_sequence = self.clip_text(audio_seq_length)
        transformers.ProcessorMixin.__init__(
            self, feature_extractor, tokenizer, chat_template=chat_template
        )

    def clip_text(self, n_audio: int) -> str:
        """What stands for a clip of `n_audio` tokens."""
        return f"\n\n{self.boa_token}{self.audio_token * n_audio}{self.eoa_token}\n\n"

    @property
    def model_input_names(self) -> list[str]:
        return [*self.tokenizer.model_input_names, *self.feature_extractor.model_input_names]
