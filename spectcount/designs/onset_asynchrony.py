"""Onset asynchrony: a low and a high tone that end together; which began first?

Practised people need 15 to 20 ms to tell the order of two onsets, much the same for many kinds of
sound, though a few milliseconds already change how the two sound together (Hirsh 1959, J. Acoust.
Soc. Am. 31:759; Pisoni 1977, JASA 61:1352).

*Conventions*: a fixed onset gives the answer to a clock and one ear (either tone alone), fixed
frequencies to whoever knows the first tone, equal levels to the long-term spectrum, in which the
longer tone is stronger. `onset_rove_s`, `frequency_rove_cam` (both tones together) and
`level_rove_db` (each for itself) take these away, so that the two onsets must be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.designs import carrier, fields
from spectcount.designs.base import Design, event, moved, refuse_early, roved
from spectcount.errors import UserError
from spectcount.stimulus import Event, Stimulus


@dataclass(frozen=True)
class OnsetAsynchrony(Design):
    """Parameters of the family `onset_asynchrony`; see each one's help."""

    family: ClassVar[str] = "onset_asynchrony"
    title: ClassVar[str] = "Onset asynchrony"
    tasks: ClassVar[tuple[str, ...]] = ("order",)
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "asynchrony_ms frequency_low_hz frequency_high_hz event_duration_ms level_dbfs"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s onset_s onset_rove_s asynchrony_ms event_duration_ms frequency_low_hz "
        "frequency_high_hz frequency_rove_cam level_dbfs level_rove_db ramp_ms ramp noise_sigma"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: high first against low first, both known exactly. DSP floor: the measured "
        "onsets of the lowest and the highest tone found."
    )

    duration_s: float = fields.duration_s()
    onset_s: float = fields.onset_s(1.0, "Onset of the tone that begins first.")
    onset_rove_s: float = fields.onset_rove_s()
    asynchrony_ms: float = fields.ms(
        60.0,
        "How much later the other tone begins.",
        "Asynchrony",
        "time",
        step=0.5,
        slider_high=200,
    )
    event_duration_ms: float = fields.length_ms(
        500.0, "Length of the tone that begins first; both end together.", "Duration"
    )
    frequency_low_hz: float = fields.frequency_hz(500.0, "Frequency of the low tone.", "Low tone")
    frequency_high_hz: float = fields.frequency_hz(
        1500.0, "Frequency of the high tone.", "High tone"
    )
    frequency_rove_cam: float = carrier.frequency_rove_cam()
    level_dbfs: float = fields.level_dbfs(-20.0, "Level of each tone.")
    level_rove_db: float = carrier.level_rove_db()
    ramp_ms: float = fields.ramp_ms(5.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    def check(self) -> None:
        if self.frequency_low_hz >= self.frequency_high_hz:
            raise UserError(
                f"frequency_low_hz={self.frequency_low_hz:g} is not below frequency_high_hz="
                f"{self.frequency_high_hz:g}; lower the one or raise the other"
            )
        carrier.refuse_level(self.level_dbfs, self.level_rove_db, "level_rove_db")
        low_hz = carrier.roved_band_hz(self.frequency_low_hz, self.frequency_rove_cam)[0]
        high_hz = carrier.roved_band_hz(self.frequency_high_hz, self.frequency_rove_cam)[1]
        carrier.refuse_frequency(low_hz, high_hz, "lower frequency_rove_cam or move the tones")
        refuse_early(self.onset_s, self.onset_rove_s)
        left_ms = self.event_duration_ms - self.asynchrony_ms
        if left_ms < max(2 * self.ramp_ms, 1):
            raise UserError(
                f"asynchrony_ms={self.asynchrony_ms:g} leaves {left_ms:g} ms of the later tone, "
                f"less than its ramps, {2 * self.ramp_ms:g} ms, or than 1 ms; lower asynchrony_ms "
                "or ramp_ms, or raise event_duration_ms"
            )

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """The high tone first."""
        phases_deg, noise_seed = rng.uniform(0, 360, 2), int(rng.integers(2**31))
        cam = roved(self.frequency_rove_cam, rng)
        tones = (
            self._tone(self.frequency_high_hz, 0.0, phases_deg[0]),
            self._tone(self.frequency_low_hz, self.asynchrony_ms, phases_deg[1]),
        )
        roved_tones = [
            replace(
                tone,
                frequency_hz=carrier.shifted_hz(tone.frequency_hz, cam),
                level_dbfs=tone.level_dbfs + roved(self.level_rove_db, rng),
            )
            for tone in tones
        ]
        events = moved(roved_tones, roved(self.onset_rove_s, rng))
        return Stimulus(self.duration_s, events, self.noise_sigma, noise_seed)

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """The low tone first."""
        if self.asynchrony_ms == 0:
            raise UserError("asynchrony_ms=0: neither tone begins first; raise it")
        first, later = stimulus.events
        moved = (
            replace(first, onset_s=later.onset_s, duration_s=later.duration_s),
            replace(later, onset_s=first.onset_s, duration_s=first.duration_s),
        )
        return replace(stimulus, events=moved)

    def _tone(self, f_hz: float, late_ms: float, phase_deg: float) -> Event:
        onset_s, length_ms = self.onset_s + late_ms / 1000, self.event_duration_ms - late_ms
        tone = {"frequency_hz": f_hz, "phase_deg": phase_deg}
        return event(self, onset_s, length_ms, self.level_dbfs, **tone)
