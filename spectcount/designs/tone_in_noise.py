"""A tone in noise, of a frequency that is known beforehand or is not.

The classical detection experiment. The ideal observer's d' is sqrt(2E/N0) (Tanner & Birdsall 1958,
J. Acoust. Soc. Am. 30:922); people need an E/N0 of the order of 10 dB for d' = 1 (Green, Birdsall
& Tanner 1957, JASA 29:523; Green & Swets 1966), and only a few dB more when the frequency is
anywhere within several kilohertz (Green 1961, JASA 33:897).

*Conventions*: white noise of `noise_sigma` through the whole clip; the tone's level is given as it
is or by E/N0, with the noise unchanged, so that catch trials serve all levels alike. A band of
noise may mask it besides; the band is background, on trials without the tone too, and no part of
N0. In the task "interval" the tone lies half a clip later or earlier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.designs import carrier, fields
from spectcount.designs.base import Design, event, in_the_other_half, roved
from spectcount.errors import UserError
from spectcount.scales import noise_density
from spectcount.stimulus import Event, Stimulus


@dataclass(frozen=True)
class ToneInNoise(Design):
    """Parameters of the family `tone_in_noise`; see each one's help."""

    family: ClassVar[str] = "tone_in_noise"
    title: ClassVar[str] = "Tone in noise"
    tasks: ClassVar[tuple[str, ...]] = ("detect", "interval")
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "e_n0_db frequency_hz event_duration_ms noise_sigma"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s noise_sigma noise_rove_db masker_level_dbfs masker_frequency_hz "
        "masker_bandwidth_hz ramp_ms ramp"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: a matched filter for the very tone, d' = sqrt(2E/N0); it knows a masker's "
        "samples and is not masked by them. DSP floor: the loudest moment of the spectral peak."
    )

    duration_s: float = fields.duration_s(2.0)
    onset_s: float = fields.onset_s(0.4, "Onset of the tone.", "Onset")
    event_duration_ms: float = fields.length_ms(200.0, "Length of the tone.", "Tone duration")
    frequency_hz: float = fields.frequency_hz(1000.0, "Frequency of the tone.", "Frequency")
    frequency_rove_cam: float = carrier.frequency_rove_cam()
    level_dbfs: float = fields.level_dbfs(-25.0, "Level of the tone.")
    e_n0_db: float | None = fields.e_n0_db(
        "Energy of the tone over the density of the white noise; when set, the tone's level "
        "follows from it and level_dbfs is not used.",
        "level",
        low=-20,
    )
    ramp_ms: float = fields.ramp_ms(10.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma(0.02)
    noise_rove_db: float = fields.db(
        0.0,
        "The noise varies in level by up to this much either way from clip to clip, uniformly; a "
        "tone given by E/N0 goes with it, so that the energy of the clip is no cue.",
        "Noise rove",
        "noise",
    )
    masker_level_dbfs: float | None = fields.level_dbfs(
        None,
        "Level of a band of noise that sounds through the whole clip, that of the sine of "
        "its RMS; empty: none.",
        "Masker level",
        "masker",
    )
    masker_frequency_hz: float = fields.frequency_hz(
        1000.0, "Centre of the masker's band.", "Masker frequency", "masker"
    )
    masker_bandwidth_hz: float = fields.bandwidth_hz(
        400.0,
        "Width of the masker's band.",
        "Masker bandwidth",
        "masker",
        slider_high=4000,
    )

    def check(self) -> None:
        low_hz, high_hz = carrier.roved_band_hz(self.frequency_hz, self.frequency_rove_cam)
        carrier.refuse_frequency(low_hz, high_hz, "lower frequency_rove_cam or move frequency_hz")
        if self.e_n0_db is not None and self.noise_sigma == 0:
            raise UserError(
                f"e_n0_db={self.e_n0_db:g} has no meaning with noise_sigma=0; raise noise_sigma, "
                "or leave e_n0_db empty and give level_dbfs"
            )
        loudest_db = self.tone_dbfs + (self.noise_rove_db if self.e_n0_db is not None else 0)
        if loudest_db > 0:
            raise UserError(
                f"e_n0_db={self.e_n0_db:g} in noise_sigma={self.noise_sigma:g} makes a tone of "
                f"{loudest_db:.1f} dBFS, the limit is 0; lower e_n0_db, noise_rove_db or "
                "noise_sigma, or lengthen event_duration_ms"
            )

    @property
    def tone_dbfs(self) -> float:
        """The tone's level, as given or from E/N0."""
        if self.e_n0_db is None:
            return self.level_dbfs
        energy = 10 ** (self.e_n0_db / 10) * noise_density(self.noise_sigma)
        return 10 * math.log10(energy / self._tone(self.frequency_hz, 0.0, 0.0).energy)

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """The tone, in noise."""
        f_hz = carrier.rove_hz(self.frequency_hz, self.frequency_rove_cam, rng)
        phase_deg = rng.uniform(0, 360)
        masker_seed, noise_seed = (int(s) for s in rng.integers(2**31, size=2))
        louder_db = roved(self.noise_rove_db, rng)
        tone = self._tone(
            f_hz, self.tone_dbfs + (louder_db if self.e_n0_db is not None else 0), phase_deg
        )
        sigma = self.noise_sigma * 10 ** (louder_db / 20) if louder_db else self.noise_sigma
        return Stimulus(
            self.duration_s,
            (tone,),
            sigma,
            noise_seed,
            background=self._masker(masker_seed),
        )

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """Detection: the noise and the masker alone; interval: the tone half a clip away."""
        if task_name == "interval":
            return in_the_other_half(stimulus)
        return stimulus.without_events()

    def _tone(self, f_hz: float, level_dbfs: float, phase_deg: float) -> Event:
        tone = {"frequency_hz": f_hz, "phase_deg": phase_deg}
        return event(self, self.onset_s, self.event_duration_ms, level_dbfs, **tone)

    def _masker(self, seed: int) -> tuple[Event, ...]:
        if self.masker_level_dbfs is None:
            return ()
        tone = self._tone(self.masker_frequency_hz, self.masker_level_dbfs, 0.0)
        band = replace(
            tone,
            onset_s=0.0,
            duration_s=self.duration_s,
            wave="noise",
            bandwidth_hz=self.masker_bandwidth_hz,
            seed=seed,
        )
        return (band,)
