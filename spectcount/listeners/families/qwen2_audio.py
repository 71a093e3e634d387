"""Qwen2-Audio, base and Instruct, and every checkpoint of its architecture (the embedded one too).

The base model was never trained on turns: its makers evaluate it on the clip between its marks with
the text right behind, and the answer continues the text. Instruct takes the chat template. Their
configurations are equal to the byte, so they are told apart by, in this order: the hub's name of
the checkpoint, where the folder records it; a chat template of the checkpoint's own with a part for
audio (chat); `instruct` or `chat` in the folder's name (chat, by the template of transformers, for
early commits have none); else it is a base model. A processor without a chat template stands for
the base from there on.

Quirks: the processor pads only when told to, and sets no padding side; clips beyond its 30 s
window would be cut without a word, so they are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from spectcount.listeners.checkpoints import files
from spectcount.listeners.checkpoints.files import json_object
from spectcount.listeners.families.whisper import WhisperFamily

CHAT_NAME = re.compile("instruct|chat", re.IGNORECASE)
BASES = ("Qwen/Qwen2-Audio-7B",)
"""Known on the hub to be without chat tuning."""


class Qwen2Audio(WhisperFamily):
    """Whisper large-v3 encoder, one linear layer, Qwen (7B); Chu et al. (2024), arXiv
    2407.10759."""

    name = "qwen2-audio"
    architectures = ("Qwen2AudioForConditionalGeneration",)
    projector = r"multi_modal_projector\.linear"
    source = "Chu et al. (2024), arXiv 2407.10759"
    processor_options: ClassVar[Mapping[str, Any]] = {"processor_kwargs": {"padding": True}}

    def load_processor(self, folder: str) -> Any:
        """As every family; the base's gets no chat template."""
        processor = super().load_processor(folder)
        if not chats(Path(folder)):
            processor.chat_template = None
        return processor

    def stock_inputs(
        self, prompts: Sequence[str], waveforms: Sequence[np.ndarray], processor: Any
    ) -> Any:
        if processor.chat_template is not None:
            return super().stock_inputs(prompts, waveforms, processor)
        texts = [self.text(prompt, processor) for prompt in prompts]
        rate = self.sample_rate(processor)
        return processor(
            text=texts, audio=list(waveforms), padding=True, return_tensors="pt", sampling_rate=rate
        )

    def text(self, prompt: str, processor: Any) -> str:
        """As every family; to the base, the clip between its marks and the prompt behind."""
        if processor.chat_template is not None:
            return super().text(prompt, processor)
        marks = processor.audio_bos_token, processor.audio_token, processor.audio_eos_token
        return "".join(marks) + prompt

    def end_id(self, processor: Any) -> int:
        """Of the base: the end of the text, as no turn is there to end."""
        if processor.chat_template is None:
            return int(processor.tokenizer.convert_tokens_to_ids("<|endoftext|>"))
        return super().end_id(processor)


def chats(folder: Path) -> bool:
    """True where the checkpoint in `folder` takes a chat template; the rules stand above."""
    hub = files.hub_id(folder)
    if hub in BASES:
        return False
    if "audio" in _chat_template(folder):
        return True
    return CHAT_NAME.search(hub or folder.name) is not None


def _chat_template(folder: Path) -> str:
    """The processor's chat template in `folder`, "" where it has none."""
    if (file := folder / "chat_template.jinja").is_file():
        return file.read_text(encoding="utf-8")
    for name in ("chat_template.json", "processor_config.json"):
        if (folder / name).is_file():
            data = json_object(folder / name)
            if template := data.get("chat_template"):
                return str(template)
    return ""
