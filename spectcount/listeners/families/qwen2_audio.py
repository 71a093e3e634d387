"""Qwen2-Audio, base and Instruct, and every checkpoint of its architecture (the embedded one too).

Quirks: the processor pads only when told to, and sets no padding side; clips beyond its 30 s
window would be cut without a word, so they are refused.
"""

from __future__ import annotations

from typing import Any, ClassVar

from spectcount.listeners.families.whisper import WhisperFamily


class Qwen2Audio(WhisperFamily):
    """Whisper large-v3 encoder, one linear layer, Qwen (7B); Chu et al. (2024), arXiv
    2407.10759."""

    name = "qwen2-audio"
    architectures = ("Qwen2AudioForConditionalGeneration",)
    projector = r"multi_modal_projector\.linear"
    source = "Chu et al. (2024), arXiv 2407.10759"
    processor_options: ClassVar[dict[str, Any]] = {"processor_kwargs": {"padding": True}}
