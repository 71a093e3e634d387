"""Streaming: two tones in alternation, close or far in frequency, slow or fast.

Close and slow, they are heard as one melody; far and fast, they split into two streams (van
Noorden 1975, Temporal Coherence in the Perception of Tone Sequences; Bregman 1990, Auditory Scene
Analysis). What is heard has no right answer, so there is a task that has: every B tone comes late
by the same time. Each stream alone stays perfectly even; only who hears the two together hears the
rhythm limp (Vliegen, Moore & Oxenham 1999, JASA 106:938; Micheyl & Oxenham 2010, JARO 11:709).

*Conventions*: all tones are events; the task `jitter` leaves rests of whole beats out of account.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.designs import fields
from spectcount.designs.base import Design, event, refuse_early, roved
from spectcount.errors import UserError
from spectcount.params import param
from spectcount.stimulus import Event, Stimulus

PATTERNS = {"aba": "ABA-", "abab": "AB"}
"""One cycle of each pattern, a letter per beat; "-" is a rest."""


@dataclass(frozen=True)
class Streaming(Design):
    """Parameters of the family `streaming`; see each one's help."""

    family: ClassVar[str] = "streaming"
    title: ClassVar[str] = "Streaming, ABA"
    tasks: ClassVar[tuple[str, ...]] = ("jitter", "streams")
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "separation_semitones tone_repetition_ms displacement_ms pattern frequency_hz"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s pattern n_cycles onset_s onset_rove_s tone_repetition_ms "
        "tone_repetition_rove_percent event_duration_ms frequency_hz separation_semitones "
        "level_dbfs ramp_ms ramp noise_sigma"
    )
    listeners: ClassVar[str] = (
        "jitter: ideal observer (displaced against even, both known exactly) and a DSP floor (the "
        "distances between measured onsets). streams: none, what is heard has no right answer."
    )

    duration_s: float = fields.duration_s()
    pattern: str = fields.choice(
        "aba",
        "aba: triplets ABA and a rest, the gallop; abab: A and B in turn, without rests.",
        PATTERNS,
        "Pattern",
        "time",
    )
    n_cycles: int = fields.count(6, "How many times the pattern is played.", "Repeats", "time")
    onset_s: float = fields.onset_s(0.3, "Onset of the first tone.")
    onset_rove_s: float = fields.onset_rove_s()
    tone_repetition_ms: float = fields.ms(
        125.0,
        "One beat: onset of one tone to onset of the next.",
        "Tone repetition time",
        "time",
        low=20,
        log=True,
        slider_high=500,
    )
    tone_repetition_rove_percent: float = fields.percent(
        0.0,
        "The beat varies uniformly by up to this share either way from clip to clip, so that "
        "one interval alone does not tell whether it is late.",
        "Repetition rove",
        "time",
        slider_high=60,
    )
    displacement_ms: float = fields.ms(
        25.0,
        "How much later than its beat each B tone begins (task jitter); 0 for the plain pattern.",
        "B late by",
        "time",
        high=1000,
        step=0.5,
        slider_high=100,
    )
    event_duration_ms: float = fields.length_ms(60.0, "Length of each tone.", "Tone duration")
    frequency_hz: float = fields.frequency_hz(600.0, "Frequency of the A tones.", "A frequency")
    separation_semitones: float = param(
        6.0,
        "How far the B tones lie above the A tones.",
        low=0,
        high=36,
        step=0.25,
        unit="semitones",
        label="A to B",
        slider_high=24,
        group="frequency",
    )
    level_dbfs: float = fields.level_dbfs(-14.0, "Level of each tone.")
    ramp_ms: float = fields.ramp_ms(10.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    def check(self) -> None:
        refuse_early(self.onset_s, self.onset_rove_s)
        beat_ms = self.tone_repetition_ms * (1 - self.tone_repetition_rove_percent / 100)
        room_ms = beat_ms - self.event_duration_ms
        if self.displacement_ms > room_ms:
            raise UserError(
                f"B tones of {self.event_duration_ms:g} ms that come displacement_ms="
                f"{self.displacement_ms:g} late end after the next beat, "
                f"{beat_ms:g} ms on; keep the two together to "
                f"{beat_ms:g} ms, or raise tone_repetition_ms"
            )

    @property
    def b_hz(self) -> float:
        """Frequency of the B tones."""
        return self.frequency_hz * 2 ** (self.separation_semitones / 12)

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """The pattern with every B displaced."""
        beats = self._beats()
        last, letter = beats[-1]
        self._refuse_overrun(
            self._beat_s(last, self.tone_repetition_rove_percent, self.onset_rove_s)
            + (self._late_s(letter) + self.event_duration_ms / 1000)
        )
        percent = roved(self.tone_repetition_rove_percent, rng)
        later_s = roved(self.onset_rove_s, rng)
        onsets_s = [self._beat_s(k, percent, later_s) + self._late_s(letter) for k, letter in beats]
        events = tuple(
            self._tone(onset_s, letter, rng.uniform(0, 360))
            for onset_s, (_, letter) in zip(onsets_s, beats, strict=True)
        )
        return Stimulus(self.duration_s, events, self.noise_sigma, int(rng.integers(2**31)))

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """The same tones, each exactly on its beat."""
        if self.displacement_ms == 0:
            raise UserError(
                "displacement_ms=0 leaves the rhythm even, and there is nothing to detect; raise it"
            )
        fixed = not self.onset_rove_s and not self.tone_repetition_rove_percent
        on_beat = [
            replace(tone, onset_s=self._beat_s(k) if fixed else tone.onset_s - self._late_s(b))
            for (k, b), tone in zip(self._beats(), stimulus.events, strict=True)
        ]
        return replace(stimulus, events=tuple(on_beat))

    def _beats(self) -> list[tuple[int, str]]:
        """Number of the beat and letter of every tone."""
        letters = PATTERNS[self.pattern] * self.n_cycles
        return [(k, letter) for k, letter in enumerate(letters) if letter != "-"]

    def _late_s(self, letter: str) -> float:
        """Delay of a tone after its beat."""
        return self.displacement_ms / 1000 if letter == "B" else 0.0

    def _beat_s(self, k: int, percent: float = 0.0, later_s: float = 0.0) -> float:
        """Moment of beat `k`, the repetition time longer by so much and the train later."""
        beat_ms = self.tone_repetition_ms * (1 + percent / 100)
        return self.onset_s + later_s + k * beat_ms / 1000

    def _tone(self, onset_s: float, letter: str, phase_deg: float) -> Event:
        f_hz = self.frequency_hz if letter == "A" else self.b_hz
        tone = {"frequency_hz": f_hz, "phase_deg": phase_deg}
        return event(self, onset_s, self.event_duration_ms, self.level_dbfs, **tone)

    def _refuse_overrun(self, end_s: float) -> None:
        if end_s > self.duration_s + 1e-9:
            raise UserError(
                f"n_cycles={self.n_cycles} of {len(PATTERNS[self.pattern])} beats of "
                f"{self.tone_repetition_ms:g} ms from onset_s={self.onset_s:g} end at {end_s:.2f} "
                f"s, the clip at {self.duration_s:.2f} s; lower n_cycles, tone_repetition_ms or "
                "onset_s, or raise duration_s"
            )
