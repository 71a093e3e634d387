"""Duration discrimination: which of two sounds is longer?

People need of the order of 4, 15 and 60 ms more than 10, 100 and 1000 ms, much the same for noise
and tones (Abel 1972, J. Acoust. Soc. Am. 51:1219): the share that is needed is largest for the
shortest sounds and falls to some 5 to 10 % for those of several hundred milliseconds.

*Conventions*: the shorter sound lasts `event_duration_ms`, the longer one the difference more, in
ms or in per cent of the shorter. The silence between the two is the same in both orders. Each
sound has its own noise sample, which in a band of noise changes with the length. With
`duration_rove_percent` or, for large differences, `duration_rove_octaves` well above the difference
both lengths vary together from trial to trial, so that one sound alone does not tell the answer;
`level_rove_db` moves each sound's level by itself, so that loudness, which grows with length, does
not tell it either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.designs import carrier, fields
from spectcount.designs.base import Design, roved
from spectcount.designs.two_sounds import exchanged, in_sequence, refuse_overrun, spacing_ms
from spectcount.errors import UserError
from spectcount.params import param
from spectcount.stimulus import Event, Stimulus

UNITS = ("ms", "percent")


@dataclass(frozen=True)
class DurationDiscrimination(Design):
    """Parameters of the family `duration_discrimination`; see each one's help."""

    family: ClassVar[str] = "duration_discrimination"
    title: ClassVar[str] = "Duration discrimination"
    tasks: ClassVar[tuple[str, ...]] = ("longer",)
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "difference event_duration_ms gap_ms frequency_hz level_dbfs"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s onset_s event_duration_ms duration_rove_percent duration_rove_octaves "
        "difference gap_ms carrier_wave frequency_hz bandwidth_hz level_dbfs level_rove_db "
        "ramp_ms ramp noise_sigma"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: it knows both sounds exactly, in both orders. DSP floor: the lengths of "
        "the two bursts at half their height."
    )

    duration_s: float = fields.duration_s(2.5)
    onset_s: float = fields.onset_s(0.4, "Onset of the first sound.")
    event_duration_ms: float = fields.length_ms(200.0, "Length of the shorter sound.", "Duration")
    duration_rove_percent: float = fields.percent(
        0.0,
        "Both lengths together vary by up to this share either way.",
        "Duration rove",
        "events",
        slider_high=50,
    )
    duration_rove_octaves: float = param(
        0.0,
        "Both lengths are multiplied by one random factor of up to this many octaves either "
        "way, uniform on a logarithmic scale.",
        low=0,
        high=4,
        step=0.1,
        unit="octaves",
        label="Duration rove, octaves",
        slider_high=2,
        group="events",
    )
    difference: float = param(
        100.0,
        "How much longer the longer sound is, in the unit below.",
        low=0.1,
        high=5000,
        step=1,
        label="Difference",
        log=True,
        slider_high=400,
        group="events",
    )
    unit: str = fields.choice(
        "ms",
        "ms, or per cent of the shorter sound's length.",
        UNITS,
        "Unit of the difference",
        "events",
    )
    gap_ms: float = spacing_ms(400.0, "Silence between the two sounds.")
    carrier_wave: str = carrier.carrier_wave("tone")
    frequency_hz: float = carrier.frequency_hz()
    bandwidth_hz: float = carrier.bandwidth_hz()
    level_dbfs: float = fields.level_dbfs(
        -20.0, "Level of the sounds: that of the sine of the same RMS."
    )
    level_rove_db: float = carrier.level_rove_db()
    ramp_ms: float = fields.ramp_ms(10.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    def check(self) -> None:
        carrier.refuse_level(self.level_dbfs, self.level_rove_db, "level_rove_db")
        shortest_ms = self._lengths_ms(-1, -self.duration_rove_octaves)[0]
        if shortest_ms < 2 * self.ramp_ms:
            raise UserError(
                f"a sound of {shortest_ms:g} ms is shorter than its two ramps, "
                f"{2 * self.ramp_ms:g} ms; lower ramp_ms, duration_rove_percent or "
                "duration_rove_octaves, or raise event_duration_ms"
            )
        longest_ms = sum(self._lengths_ms(1, self.duration_rove_octaves))
        refuse_overrun(self.onset_s + (longest_ms + self.gap_ms) / 1000, self.duration_s)

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """The two sounds, the longer one first."""
        place = rng.uniform(-1, 1)
        sounds = [self._sound(length_ms, rng) for length_ms in self._lengths_ms(place)[::-1]]
        noise_seed = int(rng.integers(2**31))
        lengths_ms = self._lengths_ms(place, roved(self.duration_rove_octaves, rng))[::-1]
        longer, shorter = (
            replace(sound, duration_s=length_ms / 1000)
            for sound, length_ms in zip(sounds, lengths_ms, strict=True)
        )
        events = in_sequence(longer, shorter, self.gap_ms)
        return Stimulus(self.duration_s, events, self.noise_sigma, noise_seed)

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """The same with the lengths exchanged."""
        return exchanged(stimulus, ("duration_s",))

    def _lengths_ms(self, place: float, octaves: float = 0.0) -> tuple[float, float]:
        """The shorter and the longer length at a place -1..1 of the one rove and so many octaves
        of the other."""
        shorter_ms = self.event_duration_ms * (1 + place * self.duration_rove_percent / 100)
        shorter_ms *= 2**octaves
        percent = self.unit == "percent"
        more_ms = shorter_ms * self.difference / 100 if percent else self.difference
        return shorter_ms, shorter_ms + more_ms

    def _sound(self, length_ms: float, rng: np.random.Generator) -> Event:
        level_dbfs = carrier.rove_db(self.level_dbfs, self.level_rove_db, rng)
        return carrier.sound(self, length_ms, level_dbfs, rng)
