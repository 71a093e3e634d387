"""Detection of amplitude modulation: is a sound's level steady, or does it fluctuate?

The threshold depth against the rate is the temporal modulation transfer function: in white noise
of the order of -25 dB up to some 50 Hz, then worse by about 3 dB per octave (Viemeister 1979, J.
Acoust. Soc. Am. 66:1364). On a tone of 2 kHz or more it stays the same up to 100 to 130 Hz, gets
worse, and then better again where the sidebands are heard as tones of their own, which for a tone
of 1 kHz is so from about 100 Hz on (Kohlrausch, Fassel & Dau 2000, JASA 108:723). On a narrow band
of noise it is worse, because the band fluctuates by itself (Dau, Kollmeier & Kohlrausch 1997, JASA
102:2892).

*Conventions*: depth is 20 log10 m, 0 dB being full modulation; the envelope is
1 + m sin(2 pi rate t + phase), scaled so that the modulated sound has the RMS of the steady one
over whole periods (so m is no cue by overall level; `level_rove_db` makes sure of it for the
parts of periods that remain). The catch trial is the same sound, noise sample included, with
m = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.designs import carrier, fields
from spectcount.designs.base import Design, roved
from spectcount.errors import UserError
from spectcount.params import param
from spectcount.scales import HIGHEST_HZ, db_to_amplitude
from spectcount.stimulus import Stimulus


@dataclass(frozen=True)
class Modulation(Design):
    """Parameters of the family `modulation`; see each one's help."""

    family: ClassVar[str] = "modulation"
    title: ClassVar[str] = "Amplitude modulation"
    tasks: ClassVar[tuple[str, ...]] = ("modulated",)
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "am_depth_db am_rate_hz carrier_wave event_duration_ms level_dbfs"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s onset_s event_duration_ms duration_rove_ms carrier_wave frequency_hz "
        "bandwidth_hz level_dbfs level_rove_db ramp_ms ramp noise_sigma"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: it knows the carrier's very samples, modulated and not, in the white "
        "noise. DSP floor: the highest peak of the envelope's spectrum."
    )

    duration_s: float = fields.duration_s(2.0)
    onset_s: float = fields.onset_s(0.5, "Onset of the sound.", "Onset")
    event_duration_ms: float = fields.length_ms(
        1000.0, "Length of the sound.", "Sound duration", group="carrier"
    )
    duration_rove_ms: float = fields.ms(
        0.0,
        "The sound's length varies uniformly by up to this much either way, so that neither "
        "length nor the time spent below some level is a cue.",
        "Duration rove",
        "carrier",
        slider_high=500,
    )
    am_rate_hz: float = param(
        8.0,
        "Fluctuations per second.",
        low=0.5,
        high=1000,
        step=0.5,
        unit="Hz",
        label="Rate",
        log=True,
        slider_high=256,
        group="modulation",
    )
    am_depth_db: float = param(
        -6.0,
        "Depth, 20 log10 m: 0 is full modulation, -20 a tenth of it.",
        low=-60,
        high=0,
        step=0.5,
        unit="dB",
        label="Depth",
        group="modulation",
    )
    am_phase_deg: float | None = fields.phase_deg(
        "Where in its period the modulation starts; empty: random.",
        "Modulation phase",
        "modulation",
    )
    carrier_wave: str = carrier.carrier_wave()
    frequency_hz: float = carrier.frequency_hz()
    bandwidth_hz: float = carrier.bandwidth_hz()
    level_dbfs: float = fields.level_dbfs(-20.0, "Level of the sound: that of the sine of its RMS.")
    level_rove_db: float = carrier.level_rove_db()
    ramp_ms: float = fields.ramp_ms(20.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    def check(self) -> None:
        carrier.refuse_level(self.level_dbfs, self.level_rove_db, "level_rove_db")
        self._refuse_sidebands()
        shortest_ms = self.event_duration_ms - self.duration_rove_ms
        plateau_s = (shortest_ms - 2 * self.ramp_ms) / 1000
        if plateau_s * self.am_rate_hz < 1 - 1e-9:
            raise UserError(
                f"am_rate_hz={self.am_rate_hz:g} has {max(plateau_s, 0) * self.am_rate_hz:.2f} "
                f"periods between the ramps of a sound of {shortest_ms:g} ms, the limit "
                "is 1; raise the rate, lengthen event_duration_ms or shorten ramp_ms"
            )

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """The sound, modulated."""
        random_phase_deg = rng.uniform(0, 360)
        event = carrier.sound(
            self,
            self.event_duration_ms,
            carrier.rove_db(self.level_dbfs, self.level_rove_db, rng),
            rng,
            am_rate_hz=self.am_rate_hz,
            am_depth=float(db_to_amplitude(self.am_depth_db)),
            am_phase_deg=random_phase_deg if self.am_phase_deg is None else self.am_phase_deg,
        )
        noise_seed = int(rng.integers(2**31))
        length_s = event.duration_s + roved(self.duration_rove_ms, rng) / 1000
        event = replace(event, duration_s=length_s)
        return Stimulus(self.duration_s, (event,), self.noise_sigma, noise_seed)

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """The same sound, steady."""
        steady = [replace(e, am_depth=0, am_rate_hz=0, am_phase_deg=0) for e in stimulus.events]
        return replace(stimulus, events=tuple(steady))

    def _refuse_sidebands(self) -> None:
        """Modulation puts a copy of the carrier's band at the rate below and above it."""
        if self.carrier_wave == "white":
            return
        half_hz = self.bandwidth_hz / 2 if self.carrier_wave == "band" else 0.0
        low_hz = self.frequency_hz - half_hz - self.am_rate_hz
        high_hz = self.frequency_hz + half_hz + self.am_rate_hz
        if low_hz <= 0 or high_hz > HIGHEST_HZ:
            raise UserError(
                f"with am_rate_hz={self.am_rate_hz:g} the sidebands of the carrier lie from "
                f"{low_hz:g} to {high_hz:g} Hz, the limits are 0 and {HIGHEST_HZ:.0f} Hz; "
                "lower the rate or move frequency_hz"
            )
