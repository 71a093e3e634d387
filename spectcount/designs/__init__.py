"""Design families: declared parameters -> draw(rng) -> Stimulus. One family per file."""

from __future__ import annotations

from spectcount.designs.base import Design, draw, spread_centres_hz
from spectcount.designs.duration_discrimination import DurationDiscrimination
from spectcount.designs.forward_masking import ForwardMasking
from spectcount.designs.frequency_discrimination import FrequencyDiscrimination
from spectcount.designs.gap import Gap
from spectcount.designs.informational_masking import InformationalMasking
from spectcount.designs.level_discrimination import LevelDiscrimination
from spectcount.designs.modulation import Modulation
from spectcount.designs.onset_asynchrony import OnsetAsynchrony
from spectcount.designs.pulses import Pulses
from spectcount.designs.real_sound import RealSound
from spectcount.designs.rhythm import Rhythm
from spectcount.designs.streaming import Streaming
from spectcount.designs.tone_in_noise import ToneInNoise
from spectcount.errors import UserError, choice

FAMILIES: dict[str, type[Design]] = {
    design.family: design
    for design in (
        Pulses,
        Gap,
        ToneInNoise,
        FrequencyDiscrimination,
        LevelDiscrimination,
        DurationDiscrimination,
        Modulation,
        ForwardMasking,
        InformationalMasking,
        OnsetAsynchrony,
        Rhythm,
        Streaming,
        RealSound,
    )
}


def family(name: str) -> type[Design]:
    """The design class called `name`; unknown names are refused."""
    if not isinstance(name, str) or name not in FAMILIES:
        raise UserError(f"family {name!r} is not known; {choice(name, FAMILIES)}")
    return FAMILIES[name]
