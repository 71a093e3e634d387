"""Phi-4-multimodal's processor without the images' part, which needs torchvision."""

from __future__ import annotations

from typing import Any

from transformers import Phi4MultimodalProcessor, ProcessorMixin


class HearingProcessor(Phi4MultimodalProcessor):
    """Text and audio only; the stock code makes the batch."""

    def __init__(self, audio_processor: Any, tokenizer: Any, chat_template: str):
        self.audio_token, self.audio_token_id = tokenizer.audio_token, tokenizer.audio_token_id
        ProcessorMixin.__init__(self, audio_processor, tokenizer, chat_template=chat_template)
