"""Real sound: a recording as the event to be heard in noise, or as what tones are heard in.

The recording is a carrier of this machine (`spectcount.carriers`), named by its hash; no audio is
stored with the program, and a stimulus holds the hash alone. The tasks' wordings speak of beeps and
tones: of a recording that is neither, ask in words of your own.

*Conventions*: the carrier's level is that of the sine with the RMS of the excerpt; each event is
the whole excerpt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spectcount import carriers
from spectcount.designs import fields
from spectcount.designs.base import Design, event, in_the_other_half
from spectcount.errors import UserError
from spectcount.params import param
from spectcount.scales import SAMPLE_RATE
from spectcount.stimulus import Event, Stimulus

EVENT, BACKGROUND = ROLES = ("event", "background")


@dataclass(frozen=True)
class RealSound(Design):
    """Parameters of the family `real_sound`; see each one's help."""

    family: ClassVar[str] = "real_sound"
    title: ClassVar[str] = "Real sound"
    tasks: ClassVar[tuple[str, ...]] = ("detect", "count", "interval")
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "role n_events gap_ms level_dbfs background_level_dbfs noise_sigma"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s role excerpt_start_s excerpt_duration_s background_level_dbfs ramp_ms ramp "
        "noise_sigma"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: matched filters for the very events, the background known exactly. DSP "
        "floor: bursts of the spectral peak; a background that is louder than the tones fools it."
    )

    duration_s: float = fields.duration_s()
    carrier: str = param(
        "",
        "The recording: the hash that `python -m spectcount carrier FILE` prints.",
        label="Carrier",
        group="carrier",
    )
    role: str = fields.choice(
        EVENT,
        "event: the excerpt is what is asked about, once or repeated; background: it plays "
        "from the start of the clip, and tones in it are what is asked about.",
        ROLES,
        "Role",
        "carrier",
    )
    excerpt_start_s: float = param(
        0.0,
        "Where the excerpt begins within the recording.",
        low=0,
        high=30,
        step=0.1,
        unit="s",
        label="Excerpt from",
        slider_high=10,
        group="carrier",
    )
    excerpt_duration_s: float | None = param(
        None,
        "Length of the excerpt; empty: as much of the recording as fits the clip.",
        kind=float,
        low=0.01,
        high=30,
        step=0.01,
        unit="s",
        label="Excerpt length",
        group="carrier",
    )
    n_events: int = fields.count(
        1, "How many times the excerpt, or the tone, sounds.", "Events", low=0, slider_high=10
    )
    onset_s: float = fields.onset_s(0.3, "Onset of the first event.")
    gap_ms: float = fields.spacing_ms(200.0, "End of one event to beginning of the next.")
    level_dbfs: float = fields.level_dbfs(-20.0, "Level of each event.")
    background_level_dbfs: float = fields.level_dbfs(
        -26.0, "Level of the recording as background.", "Background level"
    )
    event_duration_ms: float = fields.length_ms(
        100.0, "Length of each tone (role background).", "Tone duration"
    )
    frequency_hz: float = fields.frequency_hz(
        1000.0, "Frequency of the tones (role background).", "Tone frequency"
    )
    ramp_ms: float = fields.ramp_ms(5.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """The excerpt in noise, or tones in the excerpt. Raises `UserError` where this machine
        does not hold the carrier."""
        length_s = self._excerpt_s()
        sound = self._recording(0.0, length_s, self.background_level_dbfs)
        if self.role == EVENT:
            events = tuple(
                self._recording(onset_s, length_s, self.level_dbfs)
                for onset_s in self._onsets_s(length_s)
            )
        else:
            events = tuple(
                self._tone(onset_s, rng.uniform(0, 360))
                for onset_s in self._onsets_s(self.event_duration_ms / 1000)
            )
        return Stimulus(
            self.duration_s,
            events,
            self.noise_sigma,
            int(rng.integers(2**31)),
            background=() if self.role == EVENT else (sound,),
        )

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """Detection and counting: the same without the events; interval: the events half a clip
        away."""
        if task_name != "interval":
            return stimulus.without_events()
        return in_the_other_half(stimulus)

    def _excerpt_s(self) -> float:
        """Length of what is played, seconds."""
        if not self.carrier:
            raise UserError(
                "carrier is empty; give the hash that `python -m spectcount carrier FILE` prints "
                "for a recording"
            )
        return self._excerpt_samples(len(carriers.waveform(self.carrier))) / SAMPLE_RATE

    def _excerpt_samples(self, n_carrier: int) -> int:
        """Number of samples of the excerpt in a recording of `n_carrier`."""
        first = round(self.excerpt_start_s * SAMPLE_RATE)
        left = n_carrier - first
        n = (
            left
            if self.excerpt_duration_s is None
            else round(self.excerpt_duration_s * SAMPLE_RATE)
        )
        if left <= 0 or n > left:
            raise UserError(
                f"the excerpt from excerpt_start_s={self.excerpt_start_s:g} to "
                f"{self.excerpt_start_s + max(n, 0) / SAMPLE_RATE:.2f} s runs past the end of the "
                f"recording, which lasts {n_carrier / SAMPLE_RATE:.2f} s; lower excerpt_start_s or "
                "excerpt_duration_s"
            )
        room = self._room_samples()
        if self.excerpt_duration_s is None and room > 0:
            return min(n, room)
        if self.role == BACKGROUND and n > room:
            raise UserError(
                f"excerpt_duration_s={n / SAMPLE_RATE:g} is longer than the clip of "
                f"{self.duration_s:g} s; lower it, or raise duration_s"
            )
        return n

    def _room_samples(self) -> int:
        """The longest excerpt that fits the clip as often as it is to sound, in samples."""
        if self.role == BACKGROUND:
            return round(self.duration_s * SAMPLE_RATE)
        n = max(self.n_events, 1)
        room_s = (self.duration_s - self.onset_s - (n - 1) * self.gap_ms / 1000) / n
        return math.floor(room_s * SAMPLE_RATE + 1e-6)

    def _onsets_s(self, length_s: float) -> np.ndarray:
        """[n_events]."""
        onsets_s = self.onset_s + np.arange(self.n_events) * (length_s + self.gap_ms / 1000)
        end_s = float(onsets_s[-1]) + length_s if self.n_events else 0.0
        if end_s > self.duration_s + 1e-9:
            raise UserError(
                f"{self.n_events} events of {length_s:.2f} s with gap_ms={self.gap_ms:g} from "
                f"onset_s={self.onset_s:g} end at {end_s:.2f} s, the clip at "
                f"{self.duration_s:.2f} s; lower n_events, their length, gap_ms or onset_s, or "
                "raise duration_s"
            )
        return onsets_s

    def _recording(self, onset_s: float, length_s: float, level_dbfs: float) -> Event:
        return Event(
            float(onset_s),
            length_s,
            0.0,
            level_dbfs,
            "clip",
            attack_ms=self.ramp_ms,
            release_ms=self.ramp_ms,
            ramp=self.ramp,
            carrier=self.carrier,
            carrier_start_s=self.excerpt_start_s,
        )

    def _tone(self, onset_s: float, phase_deg: float) -> Event:
        tone = {"frequency_hz": self.frequency_hz, "phase_deg": phase_deg}
        return event(self, float(onset_s), self.event_duration_ms, self.level_dbfs, **tone)
