"""Gemma 4's processor without the images' and videos' parts, which need torchvision."""

from __future__ import annotations

from typing import Any

from transformers import Gemma4Processor, ProcessorMixin


class HearingProcessor(Gemma4Processor):
    """Text and audio only; the stock code makes the batch."""

    def __init__(self, feature_extractor: Any, tokenizer: Any, chat_template: str):
        for token in ("audio_token", "audio_token_id", "boa_token", "eoa_token"):
            setattr(self, token, getattr(tokenizer, token))
        ProcessorMixin.__init__(self, feature_extractor, tokenizer, chat_template=chat_template)
