"""Rhythm: a train of short tones, evenly spaced or jittered.

`jitter_percent` is the coefficient of variation of the intervals between onsets, a usual measure of
irregularity (Madison & Merker 2002, Psychol. Res. 66:201), and holds exactly in every clip, as
do the first and the last onset: neither tempo nor length tells the jittered train from the even
one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.designs import fields
from spectcount.designs.base import Design, event, refuse_early, roved
from spectcount.errors import UserError
from spectcount.stimulus import Stimulus

TRIES = 200
"""Draws of the intervals before a jitter counts as too large for the tones."""


@dataclass(frozen=True)
class Rhythm(Design):
    """Parameters of the family `rhythm`; see each one's help."""

    family: ClassVar[str] = "rhythm"
    title: ClassVar[str] = "Rhythm"
    tasks: ClassVar[tuple[str, ...]] = ("jitter", "count")
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "jitter_percent n_events interval_ms event_duration_ms frequency_hz"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s n_events onset_s onset_rove_s interval_ms interval_rove_percent "
        "event_duration_ms frequency_hz level_dbfs ramp_ms ramp noise_sigma"
    )
    listeners: ClassVar[str] = (
        "jitter: ideal observer (this jitter against none, both known exactly) and a DSP floor "
        "(the distances between measured onsets). count: ideal observer and DSP floor."
    )

    duration_s: float = fields.duration_s()
    n_events: int = fields.count(8, "How many tones there are.", "Tones", low=3)
    onset_s: float = fields.onset_s(0.3, "Onset of the first tone.")
    onset_rove_s: float = fields.onset_rove_s()
    interval_ms: float = fields.ms(
        300.0,
        "Mean interval from onset to onset.",
        "Interval",
        "time",
        low=20,
        log=True,
        slider_high=1000,
    )
    interval_rove_percent: float = fields.percent(
        0.0,
        "The mean interval varies uniformly by up to this share either way, so that one "
        "interval alone does not tell whether others differ from it.",
        "Interval rove",
        "time",
        slider_high=60,
    )
    jitter_percent: float = fields.percent(
        15.0,
        "Standard deviation of the intervals over their mean, exact in every clip.",
        "Jitter",
        "time",
        high=60,
        step=0.5,
        slider_high=30,
    )
    event_duration_ms: float = fields.length_ms(50.0, "Length of each tone.", "Tone duration")
    frequency_hz: float = fields.frequency_hz(1000.0, "Frequency of the tones.", "Frequency")
    level_dbfs: float = fields.level_dbfs(-14.0, "Level of each tone.")
    ramp_ms: float = fields.ramp_ms(5.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """The jittered train."""
        self._refuse_misfit()
        stretch, later_s = self._roves(rng)
        steps_s = self._intervals_ms(rng, stretch) / 1000
        onsets_s = self.onset_s + later_s + np.concatenate([[0.0], np.cumsum(steps_s)])
        length_ms, level_dbfs, f_hz = self.event_duration_ms, self.level_dbfs, self.frequency_hz
        phases_deg = [rng.uniform(0, 360) for _ in onsets_s]
        events = tuple(
            event(self, float(at_s), length_ms, level_dbfs, frequency_hz=f_hz, phase_deg=phase_deg)
            for at_s, phase_deg in zip(onsets_s, phases_deg, strict=True)
        )
        return Stimulus(self.duration_s, events, self.noise_sigma, int(rng.integers(2**31)))

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """The same tones at equal distances."""
        if self.jitter_percent == 0:
            raise UserError(
                "jitter_percent=0 leaves the rhythm even, and there is nothing to detect; raise it"
            )
        first_s, step_s = self.onset_s, self.interval_ms / 1000
        if self.onset_rove_s or self.interval_rove_percent:
            first_s, last_s = (stimulus.events[k].onset_s for k in (0, -1))
            step_s = (last_s - first_s) / (self.n_events - 1)
        even = [
            replace(tone, onset_s=first_s + k * step_s) for k, tone in enumerate(stimulus.events)
        ]
        return replace(stimulus, events=tuple(even))

    def _roves(self, rng: np.random.Generator) -> tuple[float, float]:
        """Factor of the interval and delay of the train, s."""
        return 1 + roved(self.interval_rove_percent, rng) / 100, roved(self.onset_rove_s, rng)

    def _intervals_ms(self, rng: np.random.Generator, stretch: float) -> np.ndarray:
        """n_events - 1 intervals with exactly this mean and standard deviation, none shorter than
        a tone: uniform deviates, standardised, drawn again until they fit."""
        for _ in range(TRIES):
            deviates = rng.uniform(-1, 1, self.n_events - 1)
            deviates = (deviates - deviates.mean()) / deviates.std()
            intervals_ms = self.interval_ms * stretch * (1 + self.jitter_percent / 100 * deviates)
            if intervals_ms.min() >= self.event_duration_ms:
                return intervals_ms
        raise UserError(
            f"jitter_percent={self.jitter_percent:g} of interval_ms={self.interval_ms:g} lets "
            f"tones of {self.event_duration_ms:g} ms overlap; lower jitter_percent or "
            "event_duration_ms, or raise interval_ms"
        )

    def _refuse_misfit(self) -> None:
        refuse_early(self.onset_s, self.onset_rove_s)
        shortest_ms, longest_ms = (
            self.interval_ms * (1 + side * self.interval_rove_percent / 100) for side in (-1, 1)
        )
        if self.event_duration_ms > shortest_ms:
            raise UserError(
                f"tones of {self.event_duration_ms:g} ms overlap at interval_ms="
                f"{shortest_ms:g}; lower event_duration_ms or raise interval_ms"
            )
        end_s = (
            self.onset_s
            + self.onset_rove_s
            + ((self.n_events - 1) * longest_ms + self.event_duration_ms) / 1000
        )
        if end_s > self.duration_s + 1e-9:
            raise UserError(
                f"{self.n_events} tones at interval_ms={longest_ms:g} from onset_s="
                f"{self.onset_s:g} end at {end_s:.2f} s, the clip at {self.duration_s:.2f} s; "
                "lower n_events, interval_ms or onset_s, or raise duration_s"
            )
