"""Forward masking: a short probe soon after a masker has stopped.

A person's masking, in dB, grows with the masker's level (by less than 1 dB per dB where the two
have one frequency) and falls with the logarithm of the delay, to nothing at some 200 to 300 ms
(Plomp 1964, J. Acoust. Soc. Am. 36:277; Jesteadt, Bacon & Lehman 1982, JASA 71:950; Moore &
Glasberg 1983, JASA 73:1249). A machine need show none of this: the masker is over when the
probe begins.

*Conventions*: the masker is background, the probe the event; the delay runs from the end of the
masker's release to the beginning of the probe's attack, so there is silence of that length between
them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.designs import carrier, fields
from spectcount.designs.base import Design, event, moved, refuse_early, roved
from spectcount.errors import UserError
from spectcount.stimulus import Event, Stimulus

MASKERS = carrier.CARRIERS


@dataclass(frozen=True)
class ForwardMasking(Design):
    """Parameters of the family `forward_masking`; see each one's help."""

    family: ClassVar[str] = "forward_masking"
    title: ClassVar[str] = "Forward masking"
    tasks: ClassVar[tuple[str, ...]] = ("detect", "cue")
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "delay_ms masker masker_level_dbfs level_dbfs frequency_hz"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s onset_s onset_rove_s masker masker_duration_ms masker_duration_rove_ms "
        "masker_frequency_hz masker_bandwidth_hz masker_level_dbfs masker_level_rove_db ramp_ms "
        "ramp noise_sigma"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: a matched filter for the probe; it knows the masker exactly and so is not "
        "masked at all. DSP floor, detect: the loudest moment of the clip, which is the masker's "
        "unless the probe is stronger; cue: the masker's frequency in what follows, from delays of "
        "some 50 ms, the window of its spectrum."
    )

    duration_s: float = fields.duration_s()
    onset_s: float = fields.onset_s(1.0, "Onset of the masker.", "Masker onset")
    onset_rove_s: float = fields.onset_rove_s()
    masker: str = fields.choice(
        "white",
        "White noise, a band of noise, or a tone. Tasks: detect, for a noise; cue, for a "
        "tone with the probe's frequency.",
        MASKERS,
        "Masker",
        "masker",
    )
    masker_duration_ms: float = fields.length_ms(
        300.0, "Length of the masker.", "Masker duration", group="masker"
    )
    masker_duration_rove_ms: float = fields.ms(
        0.0,
        "The masker's length varies uniformly by up to this much either way, so that the total "
        "duration of sound does not tell whether a probe follows.",
        "Masker duration rove",
        "masker",
        slider_high=300,
    )
    masker_frequency_hz: float = fields.frequency_hz(
        1000.0, "A tone's frequency, or a band's centre.", "Masker frequency", "masker"
    )
    masker_bandwidth_hz: float = fields.bandwidth_hz(
        400.0, "Width of a band of noise.", "Masker bandwidth", "masker", high=4000
    )
    masker_level_dbfs: float = fields.level_dbfs(
        -20.0, "Level of the masker: that of the sine with the same RMS.", "Masker level", "masker"
    )
    masker_level_rove_db: float = fields.db(
        0.0,
        "The masker's level varies uniformly by up to this much either way.",
        "Masker level rove",
        "masker",
    )
    delay_ms: float = fields.ms(
        20.0, "End of the masker to beginning of the probe.", "Delay", "time", slider_high=200
    )
    event_duration_ms: float = fields.length_ms(20.0, "Length of the probe.", "Probe duration")
    frequency_hz: float = fields.frequency_hz(1000.0, "Frequency of the probe.", "Probe frequency")
    level_dbfs: float = fields.level_dbfs(-30.0, "Level of the probe.", "Probe level")
    ramp_ms: float = fields.ramp_ms(5.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    @property
    def probe_onset_s(self) -> float:
        return self.onset_s + (self.masker_duration_ms + self.delay_ms) / 1000

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """Masker and probe."""
        self._refuse_overrun()
        longer_s = roved(self.masker_duration_rove_ms, rng) / 1000
        masker = self._masker(rng.uniform(0, 360), int(rng.integers(2**31)))
        tone = {"frequency_hz": self.frequency_hz, "phase_deg": rng.uniform(0, 360)}
        probe = event(self, self.probe_onset_s, self.event_duration_ms, self.level_dbfs, **tone)
        noise_seed = int(rng.integers(2**31))
        masker = replace(
            masker,
            duration_s=masker.duration_s + longer_s,
            level_dbfs=masker.level_dbfs + roved(self.masker_level_rove_db, rng),
        )
        probe = replace(probe, onset_s=probe.onset_s + longer_s)
        later_s = roved(self.onset_rove_s, rng)
        return Stimulus(
            self.duration_s,
            moved([probe], later_s),
            self.noise_sigma,
            noise_seed,
            background=moved([masker], later_s),
        )

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """The masker alone. Raises `UserError` where the masker is itself a beep that would make
        "is there a beep?" true, or no tone that could come back."""
        tone = self.masker == "tone"
        if task_name == "detect" and tone:
            raise UserError(
                "masker=tone is a beep itself, so the question whether there is one has no two "
                "answers; choose masker=white or band, or the task cue"
            )
        if task_name == "cue" and not (tone and self.masker_frequency_hz == self.frequency_hz):
            raise UserError(
                f"masker={self.masker} at {self.masker_frequency_hz:g} Hz is no tone that comes "
                f"back with the probe at {self.frequency_hz:g} Hz; choose masker=tone and "
                "masker_frequency_hz=frequency_hz, or the task detect"
            )
        return stimulus.without_events()

    def _masker(self, phase_deg: float, seed: int) -> Event:
        wave = MASKERS[self.masker]
        return event(
            self,
            self.onset_s,
            self.masker_duration_ms,
            self.masker_level_dbfs,
            frequency_hz=0.0 if wave == "white" else self.masker_frequency_hz,
            wave=wave,
            phase_deg=phase_deg if wave == "sine" else 0.0,
            bandwidth_hz=self.masker_bandwidth_hz if wave == "noise" else 0.0,
            seed=0 if wave == "sine" else seed,
        )

    def _refuse_overrun(self) -> None:
        refuse_early(self.onset_s, self.onset_rove_s)
        carrier.refuse_level(
            self.masker_level_dbfs, self.masker_level_rove_db, "masker_level_rove_db"
        )
        shortest_ms = self.masker_duration_ms - self.masker_duration_rove_ms
        if shortest_ms < max(2 * self.ramp_ms, 1):
            raise UserError(
                f"masker_duration_rove_ms={self.masker_duration_rove_ms:g} leaves a masker of "
                f"{shortest_ms:g} ms, less than its ramps; lower it or raise masker_duration_ms"
            )
        end_s = self.probe_onset_s + self.event_duration_ms / 1000
        end_s += self.onset_rove_s + self.masker_duration_rove_ms / 1000
        if end_s > self.duration_s + 1e-9:
            raise UserError(
                f"a masker of {self.masker_duration_ms:g} ms from onset_s={self.onset_s:g}, "
                f"delay_ms={self.delay_ms:g} and a probe of {self.event_duration_ms:g} ms end at "
                f"{end_s:.2f} s, the clip at {self.duration_s:.2f} s; lower one of them, or raise "
                "duration_s"
            )
