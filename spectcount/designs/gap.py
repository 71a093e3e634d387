"""Gap detection: is a sound interrupted by a short silence?

The classical measure of temporal resolution (Plomp 1964, J. Acoust. Soc. Am. 36:277). Practised
people hear a gap of 2 to 3 ms in wide-band noise that is well audible (Plomp 1964; Penner 1977,
JASA 61:552); in a band of noise the threshold falls as the band gets wider (Shailer & Moore 1983,
JASA 74:467; Eddins, Hall & Grose 1992, JASA 91:1069); in a tone it is some 5 to 10 ms, and longer
at low frequencies (Moore, Peters & Glasberg 1993, JASA 93:1563).

*Conventions*: the catch trial is the same sound, noise sample included, without the gap, at the
same level and of the same total length, as in those studies. So the gap takes away energy,
10 log10(1 - gap/length) dB, which is less than 0.3 dB up to a fifteenth of the length. For longer
gaps make it no cue by `level_rove_db` and `duration_rove_ms`. A tone goes on behind the gap with
the phase that it would have had (preserved phase, Shailer & Moore 1987, JASA 81:1110).

The edges of a gap in a tone or a band spread energy over other frequencies, which tell it without
any temporal resolution. Ramps of `gap_ramp_ms` narrow that; a noise with a notch around the sound
(`notched_noise_dbfs`) hides the rest, as in the studies of gaps in narrow bands. What is left is
measured: "Splatter of the gap" (`spectcount.measure.splatter`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectcount.designs import carrier, fields
from spectcount.designs.base import Design
from spectcount.errors import UserError
from spectcount.scales import HIGHEST_HZ
from spectcount.stimulus import Event, Stimulus

LOWEST_NOISE_HZ, NARROWEST_NOISE_HZ, NOISE_AROUND_S = 20.0, 20.0, 0.1
"""Of the notched noise: where it begins, its narrowest band, how far it goes beyond the sound."""


@dataclass(frozen=True)
class Gap(Design):
    """Parameters of the family `gap`; see each one's help."""

    family: ClassVar[str] = "gap"
    title: ClassVar[str] = "Gap detection"
    tasks: ClassVar[tuple[str, ...]] = ("gap",)
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "gap_ms carrier_wave frequency_hz bandwidth_hz level_dbfs noise_sigma"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s onset_s event_duration_ms duration_rove_ms carrier_wave frequency_hz "
        "bandwidth_hz level_dbfs level_rove_db ramp_ms ramp noise_sigma notched_noise_dbfs "
        "notch_cam"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: it knows the very noise sample that the gap would cut out, so its "
        "sensitivity is that of the missing piece in the white noise. DSP floor: the deepest dip "
        "of the short-term envelope."
    )

    duration_s: float = fields.duration_s(2.0)
    onset_s: float = fields.onset_s(0.5, "Onset of the sound.", "Onset")
    event_duration_ms: float = fields.length_ms(
        600.0, "Length of the sound, gap included.", "Sound duration", group="carrier"
    )
    duration_rove_ms: float = fields.ms(
        0.0,
        "The sound's length varies uniformly by up to this much either way, so that length "
        "and energy are no cue.",
        "Duration rove",
        "carrier",
        slider_high=300,
    )
    gap_ms: float = fields.ms(
        20.0, "Length of the silence.", "Gap", "gap", low=0.1, step=0.1, log=True, slider_high=200
    )
    gap_position: float = fields.share(
        0.5,
        "Where in the sound the middle of the gap lies: 0 at its beginning, 1 at its end.",
        "Gap position",
        "gap",
    )
    gap_position_rove: float = fields.share(
        0.0,
        "The position varies uniformly by up to this much either way.",
        "Gap position rove",
        "gap",
        high=0.5,
    )
    gap_ramp_ms: float = fields.ms(
        0.5,
        "Fall before and rise behind the silence, each.",
        "Gap ramps",
        "gap",
        high=100,
        step=0.1,
        slider_high=10,
    )
    notched_noise_dbfs: float | None = fields.level_dbfs(
        None,
        "Level of a noise around the sound with a notch where the sound is, that of the sine "
        "of its RMS: it hides what the gap's edges spread over other frequencies; empty: none. For "
        "a tone or a band.",
        "Notched noise",
        "noise",
    )
    notch_cam: float = fields.cam(
        2.0, "Half the width of the notch.", "Notch", "noise", low=0.5, high=8
    )
    carrier_wave: str = carrier.carrier_wave()
    frequency_hz: float = carrier.frequency_hz()
    bandwidth_hz: float = carrier.bandwidth_hz()
    level_dbfs: float = fields.level_dbfs(-20.0, "Level of the sound: that of the sine of its RMS.")
    level_rove_db: float = carrier.level_rove_db()
    ramp_ms: float = fields.ramp_ms(10.0)
    ramp: str = fields.ramp()
    noise_sigma: float = fields.noise_sigma()

    def check(self) -> None:
        carrier.refuse_level(self.level_dbfs, self.level_rove_db, "level_rove_db")
        for length_ms in self._lengths_ms():
            for position in self._positions():
                self._refuse_outside(length_ms, position)
        if self.notched_noise_dbfs is not None and self.carrier_wave == "white":
            raise UserError(
                f"notched_noise_dbfs={self.notched_noise_dbfs:g} has no place around white noise, "
                "which is everywhere; leave it empty, or choose carrier_wave=tone or band"
            )

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """The sound with its gap."""
        length_ms, position = rng.uniform(*self._lengths_ms()), rng.uniform(*self._positions())
        level_dbfs = carrier.rove_db(self.level_dbfs, self.level_rove_db, rng)
        gap_onset_ms = position * length_ms - self.gap_ms / 2
        gap = {"gap_ms": self.gap_ms, "gap_onset_ms": gap_onset_ms, "gap_ramp_ms": self.gap_ramp_ms}
        event = carrier.sound(self, length_ms, level_dbfs, rng, **gap)
        noise_seed = int(rng.integers(2**31))
        return Stimulus(
            self.duration_s,
            (event,),
            self.noise_sigma,
            noise_seed,
            background=self._notched(event, rng),
        )

    def _notched(self, event: Event, rng: np.random.Generator) -> tuple[Event, ...]:
        """A band below and one above the notch, of one density, a little longer than the sound."""
        if self.notched_noise_dbfs is None:
            return ()
        low_hz = carrier.shifted_hz(event.lowest_hz, -self.notch_cam)
        high_hz = carrier.shifted_hz(event.highest_hz, self.notch_cam)
        bands = [(LOWEST_NOISE_HZ, low_hz), (high_hz, HIGHEST_HZ)]
        bands = [(a, b) for a, b in bands if b - a >= NARROWEST_NOISE_HZ]
        whole_hz = sum(b - a for a, b in bands)
        start_s = max(event.onset_s - NOISE_AROUND_S, 0.0)
        end_s = min(event.offset_s + NOISE_AROUND_S, self.duration_s)
        return tuple(
            Event(
                start_s,
                end_s - start_s,
                (a + b) / 2,
                self.notched_noise_dbfs + 10 * math.log10((b - a) / whole_hz),
                "noise",
                attack_ms=10,
                release_ms=10,
                bandwidth_hz=b - a,
                seed=int(rng.integers(2**31)),
                ramp=self.ramp,
            )
            for a, b in bands
        )

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """The same sound without the gap."""
        whole = [replace(e, gap_ms=0, gap_onset_ms=0, gap_ramp_ms=0) for e in stimulus.events]
        return replace(stimulus, events=tuple(whole))

    def _lengths_ms(self) -> tuple[float, float]:
        return (
            self.event_duration_ms - self.duration_rove_ms,
            self.event_duration_ms + self.duration_rove_ms,
        )

    def _positions(self) -> tuple[float, float]:
        rove = self.gap_position_rove
        return self.gap_position - rove, self.gap_position + rove

    def _refuse_outside(self, length_ms: float, position: float) -> None:
        """The gap and its ramps must lie where the sound is at its full level."""
        half_ms = self.gap_ms / 2 + self.gap_ramp_ms
        start_ms, end_ms = position * length_ms - half_ms, position * length_ms + half_ms
        if start_ms < self.ramp_ms - 1e-6 or end_ms > length_ms - self.ramp_ms + 1e-6:
            raise UserError(
                f"gap_ms={self.gap_ms:g} with its ramps would lie from {start_ms:.1f} to "
                f"{end_ms:.1f} ms of a sound of {length_ms:g} ms, which is at its full level from "
                f"{self.ramp_ms:g} to {length_ms - self.ramp_ms:g} ms; shorten the gap, move it by "
                "gap_position, or lengthen event_duration_ms"
            )
