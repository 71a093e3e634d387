"""Level discrimination: which of two sounds is louder?

People need about 1 dB for tones, some 1.5 dB at soft levels falling to some 0.5 dB at high ones
(Jesteadt, Wier & Green 1977, J. Acoust. Soc. Am. 61:169), and about 0.4 dB for white noise at all
but soft levels (Miller 1947, JASA 19:609).

*Conventions*: the two levels lie evenly about `level_dbfs`. With `overall_rove_db` well above the
difference both move together from trial to trial, so that one sound alone does not tell the answer
and the two must be compared (Berliner & Durlach 1973, JASA 53:1270). Both sounds use one noise
sample, so that the declared difference is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.designs import carrier, fields
from spectcount.designs.base import Design
from spectcount.designs.two_sounds import exchanged, in_sequence, refuse_overrun, spacing_ms
from spectcount.stimulus import Stimulus


@dataclass(frozen=True)
class LevelDiscrimination(Design):
    """Parameters of the family `level_discrimination`; see each one's help."""

    family: ClassVar[str] = "level_discrimination"
    title: ClassVar[str] = "Level discrimination"
    tasks: ClassVar[tuple[str, ...]] = ("louder",)
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "difference_db frequency_hz gap_ms event_duration_ms level_dbfs"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s onset_s event_duration_ms gap_ms carrier_wave frequency_hz bandwidth_hz "
        "level_dbfs difference_db overall_rove_db ramp_ms ramp noise_sigma"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: it knows both sounds exactly, in both orders. DSP floor: the RMS of the "
        "two bursts."
    )

    duration_s: float = fields.duration_s(2.0)
    onset_s: float = fields.onset_s(0.4, "Onset of the first sound.")
    event_duration_ms: float = fields.length_ms(200.0, "Length of each sound.", "Sound duration")
    gap_ms: float = spacing_ms(400.0, "Silence between the two sounds.")
    difference_db: float = fields.db(
        6.0, "By how much one is louder than the other.", "Difference", "level", low=0.01, step=0.1
    )
    level_dbfs: float = fields.level_dbfs(
        -24.0, "The level about which the two lie: that of the sine of the same RMS."
    )
    overall_rove_db: float = fields.db(
        0.0,
        "Both levels together vary uniformly by up to this much either way.",
        "Overall rove",
        "level",
    )
    carrier_wave: str = carrier.carrier_wave("tone")
    frequency_hz: float = carrier.frequency_hz()
    bandwidth_hz: float = carrier.bandwidth_hz()
    ramp_ms: float = fields.ramp_ms(10.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    def check(self) -> None:
        carrier.refuse_level(
            self.level_dbfs,
            self.overall_rove_db + self.difference_db / 2,
            "overall_rove_db or difference_db",
        )
        refuse_overrun(
            self.onset_s + (2 * self.event_duration_ms + self.gap_ms) / 1000, self.duration_s
        )

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """The two sounds, the louder one first."""
        middle_dbfs = carrier.rove_db(self.level_dbfs, self.overall_rove_db, rng)
        half_db = self.difference_db / 2
        louder = carrier.sound(self, self.event_duration_ms, middle_dbfs + half_db, rng)
        softer = replace(louder, level_dbfs=middle_dbfs - half_db)
        events = in_sequence(louder, softer, self.gap_ms)
        return Stimulus(self.duration_s, events, self.noise_sigma, int(rng.integers(2**31)))

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """The same with the levels exchanged."""
        return exchanged(stimulus, ("level_dbfs",))
