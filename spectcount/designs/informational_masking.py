"""Informational masking: a tone among tones that leave its band alone but are never the same.

First a cue tone shows the target. Then bursts of several masker tones follow, drawn anew for each
burst outside a protected band around the target; in the signal the target is in every burst. Little
of the maskers' energy falls near the target, yet some people miss it by tens of dB where they do
not know the maskers beforehand (Neff & Green 1987, Percept. Psychophys. 41:409). Bursts undo this:
a tone that stays while the maskers change stands out ("multiple bursts different"), one among
maskers that stay as well does not ("multiple bursts same"; Kidd et al. 1994, J. Acoust. Soc. Am.
95:3475). The two are the choices of `maskers_drawn`.

*Conventions*: cue and maskers are background, the targets the events. Distances in Cam on the
ERB-number scale, on which maskers are uniform.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.designs import fields
from spectcount.designs.base import Design, event, roved
from spectcount.errors import UserError
from spectcount.scales import erb_number, erb_number_to_hz
from spectcount.stimulus import MAX_EVENTS, Event, Stimulus


@dataclass(frozen=True)
class InformationalMasking(Design):
    """Parameters of the family `informational_masking`; see each one's help."""

    family: ClassVar[str] = "informational_masking"
    title: ClassVar[str] = "Informational masking"
    tasks: ClassVar[tuple[str, ...]] = ("cue",)
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "level_dbfs n_maskers protected_cam masker_level_dbfs n_bursts gap_ms"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s onset_s cue_duration_ms cue_gap_ms cue_level_dbfs n_bursts "
        "event_duration_ms gap_ms frequency_low_hz frequency_high_hz n_maskers maskers_drawn "
        "protected_cam masker_low_hz masker_high_hz masker_level_dbfs burst_rove_db ramp_ms "
        "ramp noise_sigma"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: target and maskers are known exactly, so it is not masked at all. DSP "
        "floor: energy at the cue's frequency in most of the bursts."
    )

    duration_s: float = fields.duration_s()
    onset_s: float = fields.onset_s(0.3, "Onset of the cue.", "Cue onset")
    cue_duration_ms: float = fields.length_ms(200.0, "Length of the cue.", "Cue", group="cue")
    cue_gap_ms: float = fields.ms(
        400.0,
        "End of the cue to the first burst.",
        "Cue to bursts",
        "cue",
        high=5000,
        step=10,
        slider_high=1000,
    )
    cue_level_dbfs: float = fields.level_dbfs(-24.0, "Level of the cue.", "Cue level", "cue")
    n_bursts: int = fields.count(6, "How many bursts follow, each with the target.", "Bursts")
    event_duration_ms: float = fields.length_ms(100.0, "Length of each burst.", "Burst duration")
    gap_ms: float = fields.ms(
        20.0, "End of one burst to the next.", "Between bursts", "time", slider_high=500
    )
    frequency_low_hz: float = fields.frequency_hz(
        700.0, "Lowest frequency of the target, which each clip draws anew.", "Target from"
    )
    frequency_high_hz: float = fields.frequency_hz(
        1500.0,
        "Highest frequency of the target; the same as the lowest keeps it fixed.",
        "Target to",
    )
    level_dbfs: float = fields.level_dbfs(-30.0, "Level of the target.", "Target level")
    n_maskers: int = fields.count(6, "Masker tones in each burst.", "Maskers", "masker")
    maskers_drawn: str = fields.choice(
        "each burst",
        "each burst: anew for every burst; once: the same in all bursts of a clip.",
        ("each burst", "once"),
        "Maskers drawn",
        "masker",
    )
    protected_cam: float = fields.cam(
        2.0,
        "No masker lies closer to the target than this, on either side.",
        "Protected",
        "masker",
        slider_high=6,
    )
    masker_low_hz: float = fields.frequency_hz(
        200.0, "Lower edge of the maskers' band.", "Maskers from", "masker"
    )
    masker_high_hz: float = fields.frequency_hz(
        5000.0, "Upper edge of the maskers' band.", "Maskers to", "masker"
    )
    masker_level_dbfs: float = fields.level_dbfs(
        -30.0, "Level of each masker tone.", "Masker level", "masker"
    )
    burst_rove_db: float = fields.db(
        0.0,
        "All tones but the cue vary together in level by up to this much either way, uniformly, so "
        "that the energy that the target adds is no cue.",
        "Burst rove",
        "masker",
    )
    ramp_ms: float = fields.ramp_ms(10.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    def check(self) -> None:
        self.refuse_swapped("frequency_low_hz", "frequency_high_hz")
        self.refuse_swapped("masker_low_hz", "masker_high_hz")
        for name in ("level_dbfs", "masker_level_dbfs"):
            if getattr(self, name) + self.burst_rove_db > 0:
                raise UserError(
                    f"{name}={getattr(self, name):g} with burst_rove_db={self.burst_rove_db:g} "
                    "can exceed 0 dBFS; lower one of them"
                )
        n_sounds = 1 + self.n_bursts * (self.n_maskers + 1)
        if n_sounds > MAX_EVENTS:
            raise UserError(
                f"n_bursts={self.n_bursts} of n_maskers={self.n_maskers} and a target, and the cue,"
                f" are {n_sounds} sounds, above the limit {MAX_EVENTS} of a clip; lower one of them"
            )

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """Cue, maskers and targets."""
        onsets_s = self._burst_onsets_s()
        low, high = erb_number(self.frequency_low_hz), erb_number(self.frequency_high_hz)
        target_hz = float(erb_number_to_hz(rng.uniform(low, high)))
        cue = self._tone(self.onset_s, self.cue_duration_ms, target_hz, self.cue_level_dbfs, rng)
        masker_hz = self._masker_hz(target_hz, rng)
        maskers = [
            self._tone(onset_s, self.event_duration_ms, f_hz, self.masker_level_dbfs, rng)
            for onset_s, row in zip(onsets_s, masker_hz, strict=True)
            for f_hz in row
        ]
        targets = [
            self._tone(onset_s, self.event_duration_ms, target_hz, self.level_dbfs, rng)
            for onset_s in onsets_s
        ]
        noise_seed = int(rng.integers(2**31))
        louder_db = roved(self.burst_rove_db, rng)
        targets, maskers = (
            [replace(tone, level_dbfs=tone.level_dbfs + louder_db) for tone in tones]
            for tones in (targets, maskers)
        )
        return Stimulus(
            self.duration_s,
            tuple(targets),
            self.noise_sigma,
            noise_seed,
            background=(cue, *maskers),
        )

    def _burst_onsets_s(self) -> np.ndarray:
        """[n_bursts]."""
        first_s = self.onset_s + (self.cue_duration_ms + self.cue_gap_ms) / 1000
        step_s = (self.event_duration_ms + self.gap_ms) / 1000
        onsets_s = first_s + np.arange(self.n_bursts) * step_s
        end_s = onsets_s[-1] + self.event_duration_ms / 1000
        if end_s > self.duration_s + 1e-9:
            raise UserError(
                f"n_bursts={self.n_bursts} of {self.event_duration_ms:g} ms with gap_ms="
                f"{self.gap_ms:g} after the cue end at {end_s:.2f} s, the clip at "
                f"{self.duration_s:.2f} s; lower n_bursts, event_duration_ms, gap_ms or "
                "cue_gap_ms, or raise duration_s"
            )
        return onsets_s

    def _masker_hz(self, target_hz: float, rng: np.random.Generator) -> np.ndarray:
        """Hz [n_bursts, n_maskers], uniform in Cam over what the protected band leaves."""
        low, high = erb_number(self.masker_low_hz), erb_number(self.masker_high_hz)
        target = erb_number(target_hz)
        below = max(min(target - self.protected_cam, high) - low, 0.0)
        above_from = max(target + self.protected_cam, low)
        above = max(high - above_from, 0.0)
        if below + above <= 0:
            raise UserError(
                f"protected_cam={self.protected_cam:g} around {target_hz:.0f} Hz leaves no room "
                f"for maskers in {self.masker_low_hz:g}..{self.masker_high_hz:g} Hz; lower it, or "
                "widen the maskers' band"
            )
        n_draws = self.n_bursts if self.maskers_drawn == "each burst" else 1
        place = rng.uniform(0, below + above, (n_draws, self.n_maskers))
        cam = np.where(place < below, low + place, above_from + place - below)
        return np.broadcast_to(erb_number_to_hz(cam), (self.n_bursts, self.n_maskers))

    def _tone(
        self,
        onset_s: float,
        length_ms: float,
        f_hz: float,
        level_dbfs: float,
        rng: np.random.Generator,
    ) -> Event:
        tone = {"frequency_hz": float(f_hz), "phase_deg": rng.uniform(0, 360)}
        return event(self, float(onset_s), length_ms, level_dbfs, **tone)
