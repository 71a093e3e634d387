"""Audio Flamingo 3.

Quirks: its generation configuration samples at a temperature of 0.7 with a repetition penalty, so
replies ask for greedy decoding with the penalty off; the template puts the audio before the text
whatever the order of the parts; longer clips become several windows of 30 s, one after the other,
up to the processor's limit of 10 minutes.
"""

from __future__ import annotations

from spectcount.listeners.families.whisper import SeveralWindows


class AudioFlamingo3(SeveralWindows):
    """AF-Whisper encoder, two-layer projector, Qwen2.5 (7B); Goel et al. (2025), arXiv
    2507.08128."""

    name = "audio-flamingo-3"
    architectures = ("AudioFlamingo3ForConditionalGeneration",)
    projector = r"multi_modal_projector\.linear_(1|2)"
    source = "Goel et al. (2025), arXiv 2507.08128"
