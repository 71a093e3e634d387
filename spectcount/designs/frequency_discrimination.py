"""Frequency discrimination: which of two tones is higher?

Practised people tell apart some 0.1 to 0.3 % (2 to 5 cents) at 500 to 2000 Hz if the tones are
long and well audible; others need more. Above 4 kHz, with tones under 50 ms and with soft ones all
do worse (Wier, Jesteadt & Green 1977, J. Acoust. Soc. Am. 61:178; Moore 1973, JASA 54:610; Micheyl,
Xiao & Oxenham 2012, Hear. Res. 292:1).

*Conventions*: the two frequencies lie evenly about `frequency_hz` on the scale of the unit: cents
(1200 to the octave) or Cam (ERB-number). With `frequency_rove_cam` well above the difference, one
tone alone does not tell the answer and the two must be compared; `level_rove_db` moves each tone's
level by itself, so that loudness does not tell it either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spectcount.designs import carrier, fields
from spectcount.designs.base import Design, event
from spectcount.designs.two_sounds import exchanged, in_sequence, refuse_overrun, spacing_ms
from spectcount.params import param
from spectcount.scales import erb_number, erb_number_to_hz
from spectcount.stimulus import Event, Stimulus

UNITS = ("cents", "cam")


@dataclass(frozen=True)
class FrequencyDiscrimination(Design):
    """Parameters of the family `frequency_discrimination`; see each one's help."""

    family: ClassVar[str] = "frequency_discrimination"
    title: ClassVar[str] = "Frequency discrimination"
    tasks: ClassVar[tuple[str, ...]] = ("higher",)
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "difference frequency_hz gap_ms event_duration_ms level_dbfs"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s onset_s event_duration_ms gap_ms frequency_hz frequency_rove_cam difference "
        "level_dbfs level_rove_db ramp_ms ramp noise_sigma"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: it knows both tones exactly, phase included, in both orders. DSP floor: "
        "the spectral peaks of the two bursts."
    )

    duration_s: float = fields.duration_s(2.0)
    onset_s: float = fields.onset_s(0.4, "Onset of the first tone.")
    event_duration_ms: float = fields.length_ms(200.0, "Length of each tone.", "Tone duration")
    gap_ms: float = spacing_ms(400.0, "Silence between the two tones.")
    frequency_hz: float = fields.frequency_hz(
        1000.0, "The frequency about which the two lie.", "Frequency"
    )
    frequency_rove_cam: float = carrier.frequency_rove_cam()
    difference: float = param(
        100.0,
        "How far apart the two are, in the unit below.",
        low=0.01,
        high=2400,
        step=0.5,
        label="Difference",
        log=True,
        slider_high=400,
        group="frequency",
    )
    unit: str = fields.choice(
        "cents",
        "cents: 1200 to the octave; cam: ERB-numbers.",
        UNITS,
        "Unit of the difference",
        "frequency",
    )
    level_dbfs: float = fields.level_dbfs(-20.0, "Level of the tones.")
    level_rove_db: float = carrier.level_rove_db()
    ramp_ms: float = fields.ramp_ms(10.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    def check(self) -> None:
        carrier.refuse_level(self.level_dbfs, self.level_rove_db, "level_rove_db")
        low_hz, high_hz = carrier.roved_band_hz(self.frequency_hz, self.frequency_rove_cam)
        lowest_hz, highest_hz = self._pair_hz(low_hz)[0], self._pair_hz(high_hz)[1]
        carrier.refuse_frequency(
            lowest_hz, highest_hz, "lower difference or frequency_rove_cam, or move frequency_hz"
        )
        refuse_overrun(
            self.onset_s + (2 * self.event_duration_ms + self.gap_ms) / 1000, self.duration_s
        )

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """The two tones, the higher one first."""
        centre_hz = carrier.rove_hz(self.frequency_hz, self.frequency_rove_cam, rng)
        low_hz, high_hz = self._pair_hz(centre_hz)
        events = in_sequence(self._tone(high_hz, rng), self._tone(low_hz, rng), self.gap_ms)
        return Stimulus(self.duration_s, events, self.noise_sigma, int(rng.integers(2**31)))

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """The same with the frequencies exchanged."""
        return exchanged(stimulus, ("frequency_hz",))

    def _pair_hz(self, centre_hz: float) -> tuple[float, float]:
        """The lower and the higher frequency about a centre."""
        if self.unit == "cents":
            half = 2 ** (self.difference / 2400)
            return centre_hz / half, centre_hz * half
        ends = erb_number_to_hz(erb_number(centre_hz) + np.array([-0.5, 0.5]) * self.difference)
        return float(ends[0]), float(ends[1])

    def _tone(self, f_hz: float, rng: np.random.Generator) -> Event:
        level_dbfs = carrier.rove_db(self.level_dbfs, self.level_rove_db, rng)
        tone = {"frequency_hz": f_hz, "phase_deg": rng.uniform(0, 360)}
        return event(self, self.onset_s, self.event_duration_ms, level_dbfs, **tone)
