"""Pulses: N short events in white noise, the SpectCount generator and everything its sliders need.

Source: Kim et al. (2026), SpectCount, arXiv 2606.06907, section 3.1; the preset `paper` holds
their numbers. Frequency overlap is defined on the ERB-number scale (Glasberg & Moore, 1990).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spectcount.designs import fields
from spectcount.designs.base import Design, in_the_other_half, spread_centres_hz
from spectcount.errors import UserError
from spectcount.params import param
from spectcount.scales import erb_number, mel_centres_hz, sigma_for_e_n0
from spectcount.stimulus import Event, Stimulus

ORDERS = fields.names("rising falling shuffled alternating aba random_mel distinct_mel same_mel")
DECIBELS, AMPLITUDE = LEVEL_SCALES = ("decibels", "amplitude")
WAVES = ("sine", "harmonic", "noise", "chirp", "white")
ABA_SLOTS = 4
APART_CAM = 1.0
"""Least distance of the channels of `distinct_mel`: no two within one ERB."""
TRIES = 200


@dataclass(frozen=True)
class Pulses(Design):
    """Parameters of the family `pulses`; see each one's help."""

    family: ClassVar[str] = "pulses"
    title: ClassVar[str] = "Pulses in noise"
    tasks: ClassVar[tuple[str, ...]] = ("count", "detect", "interval")
    basics: ClassVar[tuple[str, ...]] = fields.names(
        "n_events gap_ms frequency_overlap event_duration_ms frequency_low_hz "
        "frequency_high_hz level_dbfs noise_sigma"
    )
    background: ClassVar[tuple[str, ...]] = fields.names(
        "duration_s noise_sigma noise_sigma_high e_n0_db"
    )
    listeners: ClassVar[str] = (
        "Ideal observer: matched filters for the very pulses. DSP floor: bursts of the spectral "
        "peak."
    )

    duration_s: float = fields.duration_s()
    n_events: int = fields.count(
        4, "How many events there are: the answer to 'how many?'.", "Events", low=0, slider_high=10
    )
    event_duration_ms: float = fields.length_ms(
        100.0, "Length of each event, ramps included.", "Event duration"
    )
    event_duration_jitter_ms: float = fields.ms(
        0.0,
        "Each event's length varies uniformly by up to this much either way.",
        "Duration jitter",
        "events",
        slider_high=200,
    )
    placement: str = fields.choice(
        "sequence",
        "sequence: from the first onset, one gap after the other; random: anywhere in the clip "
        "with at least min_gap_ms between events; together: all begin at one random moment, "
        "equally long.",
        ("sequence", "random", "together"),
        "Placement",
        "time",
    )
    onset_s: float = fields.onset_s(0.3, "Onset of the first event (sequence placement).")
    gap_ms: float = fields.ms(
        150.0,
        "Spacing: offset of one event to onset of the next (sequence placement). Negative: the "
        "events overlap in time.",
        "Spacing",
        "time",
        low=-1000,
        high=5000,
        slider_high=1000,
    )
    gap_jitter_ms: float = fields.ms(
        0.0,
        "Each gap varies uniformly by up to this much either way.",
        "Spacing jitter",
        "time",
        high=1000,
        slider_high=300,
    )
    min_gap_ms: float = fields.ms(
        40.0,
        "Smallest gap between events (random placement).",
        "Smallest gap",
        "time",
        slider_high=500,
    )
    frequency_low_hz: float = fields.frequency_hz(
        400.0, "Lower edge of the band that holds the events' centres.", "Band from"
    )
    frequency_high_hz: float = fields.frequency_hz(
        3000.0, "Upper edge of the band that holds the events' centres.", "Band to"
    )
    frequency_overlap: float = fields.share(
        0.0,
        "0: the events' centres spread over the whole band; 1 (100 %): all on its centre. Equal "
        "steps on the ERB-number scale.",
        "Frequency overlap",
        "frequency",
    )
    frequency_order: str = fields.choice(
        "rising",
        "The order in which the centres are played. aba: triplets low-high-low and a rest. "
        "random_mel: each event on a random mel channel of the band, as in the paper; "
        "distinct_mel: on channels at least 1 Cam apart; same_mel: all on one, drawn for "
        "each clip.",
        ORDERS,
        "Order",
        "frequency",
    )
    level_dbfs: float = fields.level_dbfs(-14.0, "Level of each event, dB re a full-scale sine.")
    level_rove_db: float = fields.db(
        0.0, "Each event's level varies uniformly by up to this much either way.", "Level rove"
    )
    level_rove_scale: str = fields.choice(
        DECIBELS,
        "The scale on which levels are uniform between the ends of the rove: decibels, or "
        "amplitude, which makes soft events rarer.",
        LEVEL_SCALES,
        "Rove uniform in",
        "level",
    )
    attack_ms: float = fields.ramp_ms(3.0, "Rise.", "Attack")
    release_ms: float = fields.ramp_ms(10.0, "Fall.", "Release")
    ramp: str = fields.ramp("linear")
    wave: str = fields.choice("sine", "What each event is made of.", WAVES, "Wave", "events")
    n_harmonics: int = param(
        4,
        "Components of a harmonic complex.",
        low=1,
        high=20,
        step=1,
        label="Harmonics",
        group="events",
    )
    bandwidth_hz: float = fields.bandwidth_hz(
        100.0, "Width of a noise band.", "Noise bandwidth", "events", high=4000
    )
    chirp_octaves: float = param(
        0.5,
        "How far a chirp glides from its centre frequency, linearly in Hz.",
        low=-4,
        high=4,
        step=0.05,
        unit="octaves",
        label="Chirp",
        group="events",
    )
    phase_deg: float | None = fields.phase_deg(
        "Starting phase; empty: random for each event.", "Phase", "events"
    )
    noise_sigma: float = fields.noise_sigma()
    noise_sigma_high: float | None = fields.noise_sigma(
        None,
        "When set, each clip's noise is drawn log-uniformly from noise_sigma to this.",
        "Noise sigma to",
    )
    e_n0_db: float | None = fields.e_n0_db(
        "Energy of one event over noise density; when set, the noise follows from it and "
        "noise_sigma is not used.",
        "noise",
        low=-10,
    )

    def check(self) -> None:
        self.refuse_swapped("frequency_low_hz", "frequency_high_hz")
        if self.noise_sigma_high is not None:
            self._refuse_noise(self.noise_sigma_high)

    def _refuse_noise(self, high: float) -> None:
        if self.e_n0_db is not None:
            raise UserError(
                f"noise_sigma_high={high:g} changes nothing with e_n0_db={self.e_n0_db:g}; leave "
                "one of them empty"
            )
        if not 0 < self.noise_sigma <= high:
            raise UserError(
                f"noise_sigma={self.noise_sigma:g} to noise_sigma_high={high:g} is no rising range "
                "above 0; raise one of them"
            )

    def draw(self, rng: np.random.Generator) -> Stimulus:
        """One stimulus; raises `UserError` naming by how much the events do not fit."""
        durations_s = self._durations_s(rng)
        onsets_s = self._onsets_s(durations_s, rng)
        centres_hz = self._centres_hz(rng)
        events = tuple(
            self._event(*row, rng) for row in zip(onsets_s, durations_s, centres_hz, strict=True)
        )
        noise_seed = int(rng.integers(2**31))
        return Stimulus(self.duration_s, events, self._sigma(rng), noise_seed)

    def counterpart(self, stimulus: Stimulus, task_name: str) -> Stimulus:
        """Detection and counting: the noise alone; interval: the events half a clip away."""
        if task_name != "interval":
            return stimulus.without_events()
        return in_the_other_half(stimulus)

    def neighbours_hz(self) -> np.ndarray:
        """The set of centres before ordering, rising, Hz [n_events] (not for random_mel)."""
        n = 2 if self.frequency_order in ("alternating", "aba") else self.n_events
        return spread_centres_hz(
            n, self.frequency_low_hz, self.frequency_high_hz, self.frequency_overlap
        )

    def _durations_s(self, rng: np.random.Generator) -> np.ndarray:
        jitter = rng.uniform(-1, 1, self.n_events) * self.event_duration_jitter_ms
        durations_ms = self.event_duration_ms + jitter
        ramps_ms = self.attack_ms + self.release_ms
        if self.event_duration_ms - self.event_duration_jitter_ms < max(ramps_ms, 1):
            raise UserError(
                f"events of {self.event_duration_ms:g} ms with jitter "
                f"{self.event_duration_jitter_ms:g} ms can be shorter than their ramps, "
                f"{ramps_ms:g} ms; lower event_duration_jitter_ms, attack_ms or release_ms, or "
                "raise event_duration_ms"
            )
        together = self.placement == "together"
        return (durations_ms[:1].repeat(self.n_events) if together else durations_ms) / 1000

    def _onsets_s(self, durations_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.n_events == 0:
            return np.zeros(0)
        if self.placement == "random":
            return self._random_onsets_s(durations_s, rng)
        if self.placement == "together":
            return np.full(self.n_events, self._common_onset_s(float(durations_s[0]), rng))
        gaps_ms = self.gap_ms + rng.uniform(-1, 1, self.n_events - 1) * self.gap_jitter_ms
        steps_s = durations_s[:-1] + gaps_ms / 1000
        if self.frequency_order == "aba":
            rests = np.arange(1, self.n_events) % (ABA_SLOTS - 1) == 0
            steps_s = steps_s + rests * (self.event_duration_ms + self.gap_ms) / 1000
        if np.any(steps_s <= 0):
            raise UserError(
                f"gap_ms={self.gap_ms:g} (jitter {self.gap_jitter_ms:g}) puts an onset before the "
                f"one it follows: events last {durations_s.min() * 1000:g} ms; give a gap above "
                f"{-durations_s.min() * 1000 + self.gap_jitter_ms:g} ms"
            )
        onsets_s = self.onset_s + np.concatenate([[0.0], np.cumsum(steps_s)])
        self._refuse_overrun(float(np.max(onsets_s + durations_s)))
        return onsets_s

    def _refuse_overrun(self, end_s: float) -> None:
        if end_s > self.duration_s + 1e-9:
            raise UserError(
                f"{self.n_events} events of {self.event_duration_ms:g} ms with "
                f"gap_ms={self.gap_ms:g} from onset_s={self.onset_s:g} need {end_s:.2f} s, the "
                f"clip is {self.duration_s:.2f} s; lower n_events, event_duration_ms, gap_ms or "
                "onset_s, or raise duration_s"
            )

    def _common_onset_s(self, length_s: float, rng: np.random.Generator) -> float:
        """One moment for all, uniform over those from which they fit."""
        if length_s > self.duration_s:
            raise UserError(
                f"events of {length_s * 1000:g} ms do not fit the clip of {self.duration_s:g} s; "
                "lower event_duration_ms or raise duration_s"
            )
        return float(rng.uniform(0, self.duration_s - length_s))

    def _random_onsets_s(self, durations_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Uniform over all placements that keep the smallest gap: the slack is cut at random."""
        needed_s = durations_s.sum() + (self.n_events - 1) * self.min_gap_ms / 1000
        slack_s = self.duration_s - needed_s
        if slack_s < 0:
            raise UserError(
                f"{self.n_events} events of {self.event_duration_ms:g} ms with "
                f"min_gap_ms={self.min_gap_ms:g} need {needed_s:.2f} s, the clip is "
                f"{self.duration_s:.2f} s; lower n_events, event_duration_ms or min_gap_ms, or "
                "raise duration_s"
            )
        cuts_s = np.sort(rng.uniform(0, slack_s, self.n_events))
        before_s = np.concatenate([[0.0], np.cumsum(durations_s + self.min_gap_ms / 1000)[:-1]])
        return cuts_s + before_s

    def _centres_hz(self, rng: np.random.Generator) -> np.ndarray:
        if self.frequency_order.endswith("_mel"):
            return self._mel_hz(rng)
        if self.n_events == 0:
            return np.zeros(0)
        centres = self.neighbours_hz()
        if self.frequency_order == "falling":
            return centres[::-1]
        if self.frequency_order == "shuffled":
            return rng.permutation(centres)
        if self.frequency_order == "alternating":
            return centres[np.arange(self.n_events) % 2]
        if self.frequency_order == "aba":
            return centres[(np.arange(self.n_events) % (ABA_SLOTS - 1) == 1).astype(int)]
        return centres

    def _mel_hz(self, rng: np.random.Generator) -> np.ndarray:
        """Centres of random mel channels of the band, as the order asks, Hz [n_events]."""
        centres = mel_centres_hz()
        inside = centres[(centres >= self.frequency_low_hz) & (centres <= self.frequency_high_hz)]
        if not len(inside):
            raise UserError(
                f"no mel channel has its centre in {self.frequency_low_hz:g}.."
                f"{self.frequency_high_hz:g} Hz; widen the band"
            )
        if self.frequency_order == "same_mel":
            return np.repeat(rng.choice(inside), self.n_events)
        if self.frequency_order == "distinct_mel":
            return self._distinct_hz(inside, rng)
        return rng.choice(inside, self.n_events)

    def _distinct_hz(self, inside_hz: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Random channels, each at least `APART_CAM` from all others, Hz [n_events]."""
        for _ in range(TRIES):
            free = inside_hz
            picked: list[float] = []
            while len(free) and len(picked) < self.n_events:
                picked.append(float(rng.choice(free)))
                far = np.abs(erb_number(free) - erb_number(picked[-1])) >= APART_CAM
                free = free[far]
            if len(picked) == self.n_events:
                return np.array(picked)
        raise UserError(
            f"{self.n_events} mel channels {APART_CAM:g} Cam apart do not fit "
            f"{self.frequency_low_hz:g}..{self.frequency_high_hz:g} Hz; lower n_events or widen "
            "the band"
        )

    def _event(
        self, onset_s: float, duration_s: float, centre_hz: float, rng: np.random.Generator
    ) -> Event:
        level_dbfs = self._level_dbfs(rng.uniform(-1, 1))
        random_phase_deg, seed = rng.uniform(0, 360), int(rng.integers(2**31))
        return Event(
            onset_s=onset_s,
            duration_s=duration_s,
            frequency_hz=centre_hz,
            level_dbfs=level_dbfs,
            wave=self.wave,
            attack_ms=self.attack_ms,
            release_ms=self.release_ms,
            phase_deg=random_phase_deg if self.phase_deg is None else self.phase_deg,
            end_frequency_hz=centre_hz * 2**self.chirp_octaves if self.wave == "chirp" else 0.0,
            n_harmonics=self.n_harmonics if self.wave == "harmonic" else 1,
            bandwidth_hz=self.bandwidth_hz if self.wave == "noise" else 0.0,
            seed=seed if self.wave in ("noise", "white") else 0,
            ramp=self.ramp,
        )

    def _level_dbfs(self, place: float) -> float:
        """The level at a place -1..1 of the rove."""
        level_dbfs = self.level_dbfs + place * self.level_rove_db
        if level_dbfs > 0:
            raise UserError(
                f"level_dbfs={self.level_dbfs:g} with level_rove_db={self.level_rove_db:g} can "
                "exceed 0 dBFS; lower one of them"
            )
        if self.level_rove_scale == DECIBELS or self.level_rove_db == 0:
            return level_dbfs
        ends = 10 ** ((self.level_dbfs + np.array([-1, 1]) * self.level_rove_db) / 20)
        return float(20 * np.log10(ends.mean() + place * (ends[1] - ends[0]) / 2))

    def _sigma(self, rng: np.random.Generator) -> float:
        if self.noise_sigma_high is not None:
            ends = np.log([self.noise_sigma, self.noise_sigma_high])
            return float(np.exp(rng.uniform(*ends)))
        if self.e_n0_db is None:
            return self.noise_sigma
        nominal = Event(
            0.0,
            self.event_duration_ms / 1000,
            1000.0,
            self.level_dbfs,
            attack_ms=self.attack_ms,
            release_ms=self.release_ms,
            ramp=self.ramp,
        )
        return sigma_for_e_n0(nominal.energy, self.e_n0_db)
