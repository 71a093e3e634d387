"""Model families: one file each, found by the architecture that a checkpoint's config names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spectcount.listeners.checkpoints.files import json_object
from spectcount.listeners.families.audio_flamingo3 import AudioFlamingo3
from spectcount.listeners.families.base import Family
from spectcount.listeners.families.gemma3n import Gemma3n
from spectcount.listeners.families.gemma4 import Gemma4
from spectcount.listeners.families.generic import Generic
from spectcount.listeners.families.granite_speech import GraniteSpeech
from spectcount.listeners.families.music_flamingo import MusicFlamingo
from spectcount.listeners.families.phi4_multimodal import Phi4Multimodal
from spectcount.listeners.families.qwen2_audio import Qwen2Audio
from spectcount.listeners.families.qwen3_omni import Qwen3Omni
from spectcount.listeners.families.qwen_omni import QwenOmni
from spectcount.listeners.families.voxtral import Voxtral

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Qwen2Audio(),
        AudioFlamingo3(),
        MusicFlamingo(),
        GraniteSpeech(),
        Gemma4(),
        Gemma3n(),
        Phi4Multimodal(),
        QwenOmni(),
        Qwen3Omni(),
        Voxtral(),
    )
}


def family_of(folder: Path) -> Family:
    """The family of a local checkpoint, `Generic` where none knows its architecture; raises
    `UserError` where transformers does not either."""
    kind = architecture(json_object(folder / "config.json"))
    for family in FAMILIES.values():
        if kind in family.architectures:
            return family
    return Generic(folder)


def architecture(config: Mapping[str, Any]) -> str:
    """The first class that a configuration names, "none" where it names none."""
    names = config.get("architectures")
    return str(names[0]) if isinstance(names, list) and names else "none"
