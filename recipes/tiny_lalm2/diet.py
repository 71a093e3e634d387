"""What the embedded model hears while it is made: two diets, each a declared range of sounds.

`ALIGNMENT` feeds the answers, `HEARING` the encoder's auxiliary objective only. The first is the
narrower one, the situation that the literature describes: the encoder carries cues that the
alignment with language never used. Nothing outside the two is trained on; what only the encoder
heard is weak at the read-out, what neither heard is weak in the encoder.

*Conventions*: every family of the program has a function that draws one clip of it inside a diet,
either side of its two answers with equal odds, and gives the tasks that may be asked of it.
`reach` 0..1 is how far towards the hardest end the differences go: they are log-uniform from easy
to there, and reach grows over the first part of training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spectcount.designs import (
    Design,
    DurationDiscrimination,
    ForwardMasking,
    FrequencyDiscrimination,
    Gap,
    InformationalMasking,
    LevelDiscrimination,
    Modulation,
    OnsetAsynchrony,
    Pulses,
    Rhythm,
    Streaming,
    ToneInNoise,
    draw,
)
from spectcount.errors import UserError
from spectcount.pairs import draw_pair
from spectcount.params import Declared, param
from spectcount.scales import HIGHEST_HZ, erb_number, erb_number_to_hz, mel_centres_hz
from spectcount.stimulus import Event, Stimulus
from spectcount.tasks import MAX_COUNT, TASKS
from spectcount.training.curriculum import share_of

MIN_BAND_CHANNELS = 6
ROVE_DB = (3.0, 9.0)
"""Half the range over which the events of one clip differ in level; drawn for each clip."""
LENGTH_SPREAD = 0.15
"""Share of the range of lengths (logarithmic) over which the events of one clip differ."""
ATTEMPTS = 30


@dataclass(frozen=True)
class Diet(Declared):
    """Ranges from which clips are drawn."""

    channel_low: int = param(4, "Lowest mel channel.", low=0, high=127)
    channel_high: int = param(112, "Highest mel channel.", low=0, high=127)
    level_low_dbfs: float = param(-60.0, "Softest event.", low=-90, high=0, unit="dBFS")
    level_high_dbfs: float = param(-3.0, "Loudest event.", low=-90, high=0, unit="dBFS")
    gap_low_ms: float = param(
        -100.0, "Smallest gap between counted events.", low=-500, high=2000, unit="ms"
    )
    gap_high_ms: float = param(
        450.0, "Largest gap of a regular train.", low=0, high=2000, unit="ms"
    )
    event_low_ms: float = param(25.0, "Shortest event.", low=14, high=2000, unit="ms")
    event_high_ms: float = param(300.0, "Longest counted event.", low=14, high=2000, unit="ms")
    rate_low_hz: float = param(2.0, "Slowest fluctuation.", low=0.5, high=500, unit="Hz")
    rate_high_hz: float = param(14.0, "Fastest fluctuation.", low=0.5, high=500, unit="Hz")
    silence_low_ms: float = param(4.0, "Shortest gap within a sound.", low=1, high=1000, unit="ms")
    asynchrony_low_ms: float = param(10.0, "Smallest asynchrony.", low=1, high=1000, unit="ms")
    sigma_low: float = param(1e-4, "Weakest noise.", low=1e-6, high=0.3)
    sigma_high: float = param(3e-2, "Strongest noise.", low=1e-6, high=0.3)


HEARING = Diet()
ALIGNMENT = Diet(
    channel_low=20,
    channel_high=96,
    level_low_dbfs=-45.0,
    level_high_dbfs=-3.0,
    gap_low_ms=60.0,
    event_low_ms=40.0,
    rate_low_hz=3.0,
    rate_high_hz=10.0,
    silence_low_ms=8.0,
    asynchrony_low_ms=15.0,
)


@dataclass(frozen=True)
class Draw:
    """Everything that a clip is drawn with."""

    diet: Diet
    rng: np.random.Generator
    duration_s: float
    reach: float

    def log(self, low: float, high: float) -> float:
        """Log-uniform."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def hard(self, easy: float, hard: float) -> float:
        """Log-uniform from `easy` as far towards `hard` as `reach` allows."""
        return float(easy * (hard / easy) ** (self.reach * self.rng.random()))

    def hz(self, margin_cam: float = 0.0) -> float:
        """A frequency inside the diet, uniform in Cam, so far from its ends."""
        low_hz, high_hz = mel_centres_hz()[[self.diet.channel_low, self.diet.channel_high]]
        low, high = erb_number(low_hz) + margin_cam, erb_number(high_hz) - margin_cam
        return float(erb_number_to_hz(self.rng.uniform(low, max(low, high))))

    def level(self, margin_db: float = 0.0) -> float:
        """A level inside the diet, so far from its ends."""
        diet = self.diet
        return self.uniform(diet.level_low_dbfs + margin_db, diet.level_high_dbfs - margin_db)

    def sigma(self, level_dbfs: float = 0.0) -> float:
        """Noise inside the diet, at least 6 dB under a tone of `level_dbfs`."""
        most = min(self.diet.sigma_high, 10 ** ((level_dbfs - 6) / 20))
        return self.log(self.diet.sigma_low, max(most, 1.01 * self.diet.sigma_low))

    def carrier(self, level_dbfs: float) -> dict[str, Any]:
        """What sounds: white noise, a tone, or a wide band."""
        wave = str(self.rng.choice(["white", "tone", "band"], p=[0.5, 0.4, 0.1]))
        return {
            "carrier_wave": wave,
            "frequency_hz": float(np.clip(self.hz(), 230.0, 6000.0)),
            "bandwidth_hz": self.uniform(150, 400),
            "level_dbfs": min(level_dbfs, -12.0 if wave == "white" else level_dbfs),
        }

    def either(self, design: Design, task: str) -> Stimulus:
        """One side of the pair that a design draws, with equal odds."""
        pair = draw_pair(design, int(self.rng.integers(2**31)), task)
        return pair[int(self.rng.integers(2))]


Clip = tuple[Stimulus, tuple[str, ...]]
PAIR_TASKS = ("higher", "louder", "longer")


def pulses(d: Draw) -> Stimulus:
    """Up to ten pulses, each of its own length and level; half the time a regular train."""
    shortest_s = (d.diet.event_low_ms + max(d.diet.gap_low_ms, 0)) / 1000
    most = max(1, min(MAX_COUNT, int(0.9 * d.duration_s / shortest_s)))
    n = int(d.rng.integers(0, most + 1))
    while True:
        try:
            return draw(_pulses(d, n), int(d.rng.integers(2**31)))
        except UserError:
            n = max(0, n - int(d.rng.integers(2)))


def counting(d: Draw) -> Clip:
    """Pulses to be counted, one in five times in noise that masks."""
    return pulses(d), ("count",)


def presence(d: Draw) -> Clip:
    """Nothing, one pulse, or some, at odds 4 : 3 : 1."""
    n = int(d.rng.choice([0, 1, d.rng.integers(2, MAX_COUNT + 1)], p=[0.5, 0.375, 0.125]))
    return draw(_pulses(d, n), int(d.rng.integers(2**31))), ("detect",)


def halves(d: Draw) -> Clip:
    """One pulse inside the first or the second half."""
    alone = draw(_pulses(d, 1), int(d.rng.integers(2**31)))
    event = alone.events[0]
    slack_s = max(d.duration_s / 2 - event.duration_s, 0)
    onset_s = int(d.rng.integers(2)) * d.duration_s / 2 + d.uniform(0, slack_s)
    return replace(alone, events=(replace(event, onset_s=onset_s),)), ("interval",)


def tone_in_noise(d: Draw) -> Clip:
    """A tone in white noise, sometimes loud."""
    length_ms = d.log(max(60, d.diet.event_low_ms), 400)
    design = ToneInNoise(
        duration_s=d.duration_s,
        onset_s=d.uniform(0.05, max(0.06, d.duration_s - length_ms / 1000 - 0.05)),
        event_duration_ms=length_ms,
        frequency_hz=d.hz(),
        e_n0_db=d.uniform(34 - 26 * d.reach, 60 - 10 * d.reach),
        noise_sigma=d.log(2e-3, 4.5e-2),
    )
    task = str(d.rng.choice(["detect", "interval"], p=[0.7, 0.3]))
    return d.either(design, task), (task,)


def after_noise(d: Draw) -> Clip:
    """A noise, and perhaps a faint tone behind it."""
    level = d.uniform(-62 + 30 * (1 - d.reach), -20)
    design = ForwardMasking(
        duration_s=d.duration_s,
        onset_s=d.uniform(0.05, max(0.06, d.duration_s - 1.2)),
        masker="white" if d.rng.random() < 0.7 else "band",
        masker_duration_ms=d.uniform(100, 700),
        masker_frequency_hz=min(max(d.hz(), 400.0), 5000.0),
        masker_level_dbfs=d.uniform(-28, -14),
        delay_ms=d.hard(250, 8),
        event_duration_ms=d.log(20, 120),
        frequency_hz=d.hz(),
        level_dbfs=level,
        noise_sigma=d.log(1e-4, 10 ** ((level + 2) / 20)),
        ramp_ms=d.uniform(5, 10),
    )
    return d.either(design, "detect"), ("detect",)


def silence(d: Draw) -> Clip:
    """A sound with a gap, or without."""
    gap_ms = d.hard(400, d.diet.silence_low_ms)
    length_ms = d.uniform(max(250, 2.6 * gap_ms), min(1000 * d.duration_s - 100, 2200))
    level = d.uniform(-34, -12)
    carrier = d.carrier(level)
    white = carrier["carrier_wave"] == "white"
    design = Gap(
        duration_s=d.duration_s,
        onset_s=d.uniform(0.02, d.duration_s - length_ms / 1000),
        event_duration_ms=length_ms,
        gap_ms=gap_ms,
        gap_position=d.uniform(0.32, 0.68),
        gap_ramp_ms=0.5 if white else d.uniform(0.5, 15),
        noise_sigma=d.log(1e-4, 1e-2 if not white else 1e-3),
        **carrier,
    )
    return d.either(design, "gap"), ("gap",)


def fluctuation(d: Draw) -> Clip:
    """A sound whose level goes up and down, or does not."""
    carrier = d.carrier(d.uniform(-32, -16))
    if carrier["carrier_wave"] == "band":
        carrier["carrier_wave"] = "tone"
    design = Modulation(
        duration_s=d.duration_s,
        onset_s=0.02,
        event_duration_ms=d.uniform(max(500, 600 * d.duration_s), 1000 * d.duration_s - 40),
        am_rate_hz=d.log(d.diet.rate_low_hz, d.diet.rate_high_hz),
        am_depth_db=-18 * d.reach * d.rng.random(),
        noise_sigma=d.log(1e-4, 1e-3),
        **carrier,
    )
    clip = d.either(design, "modulated")
    event = clip.events[0]
    later_s = d.uniform(0, max(d.duration_s - event.offset_s - 0.01, 0))
    return replace(clip, events=(replace(event, onset_s=event.onset_s + later_s),)), ("modulated",)


def two_tones(d: Draw) -> Clip:
    """Two tones that differ in frequency, level or length: in one of them, or in all three."""
    kind = str(d.rng.choice(["higher", "louder", "longer"]))
    gap_ms = d.uniform(150, 500)
    base_ms = d.log(53, 430) if kind == "longer" else d.log(100, 400)
    common = {"duration_s": d.duration_s, "gap_ms": gap_ms, "noise_sigma": d.log(1e-4, 1e-3)}
    longest_s = 0.0
    if kind == "higher":
        difference = d.hard(1200, 10)
        margin_cam = difference / 200
        design: Design = FrequencyDiscrimination(
            **common,
            onset_s=0.02,
            frequency_hz=d.hz(margin_cam),
            difference=difference,
            level_rove_db=d.uniform(0, 6),
            level_dbfs=d.uniform(-38, -10),
            event_duration_ms=base_ms,
        )
        longest_s = (2 * base_ms + gap_ms) / 1000
    elif kind == "louder":
        difference_db = d.hard(20, 0.7)
        wave = str(d.rng.choice(["tone", "white"], p=[0.75, 0.25]))
        top = -13.0 if wave == "white" else -4.0
        level = d.uniform(-44 + difference_db / 2, top - difference_db / 2)
        design = LevelDiscrimination(
            **common,
            onset_s=0.02,
            difference_db=difference_db,
            level_dbfs=level,
            carrier_wave=wave,
            frequency_hz=d.hz(),
            event_duration_ms=base_ms,
        )
        longest_s = (2 * base_ms + gap_ms) / 1000
    else:
        percent = d.hard(300, 5)
        wave = str(d.rng.choice(["tone", "white"], p=[0.8, 0.2]))
        design = DurationDiscrimination(
            **common,
            onset_s=0.02,
            event_duration_ms=base_ms,
            difference=percent,
            unit="percent",
            carrier_wave=wave,
            frequency_hz=d.hz(),
            level_rove_db=d.uniform(0, 6),
            level_dbfs=d.uniform(-34, -19),
        )
        longest_s = (base_ms * (2 + percent / 100) + gap_ms) / 1000
    clip = d.either(design, kind)
    later_s = d.uniform(0, max(d.duration_s - 0.05 - longest_s, 0))
    events = tuple(replace(e, onset_s=e.onset_s + later_s) for e in clip.events)
    return replace(clip, events=events), (kind,)


def all_differ(d: Draw) -> Clip:
    """Two tones that differ in frequency, level and length at once, each either way."""
    base_ms, gap_ms = d.log(60, 300), d.uniform(150, 500)
    difference, percent, db = d.hard(1200, 10), d.hard(300, 5), d.hard(20, 0.7)
    centre = d.uniform(-44 + db / 2, -4 - db / 2)
    design = FrequencyDiscrimination(
        duration_s=d.duration_s,
        onset_s=d.uniform(0.02, max(0.03, d.duration_s - 0.05 - (4.2 * base_ms + gap_ms) / 1000)),
        gap_ms=gap_ms,
        frequency_hz=d.hz(margin_cam=difference / 200),
        difference=difference,
        event_duration_ms=base_ms,
        level_dbfs=centre,
        noise_sigma=d.log(1e-4, 1e-3),
    )
    first, second = d.either(design, "higher").events
    louder, longer = d.rng.permuted([-0.5, 0.5]), d.rng.permuted([1, 1 + percent / 100])
    lengths_s = longer * base_ms / 1000
    second_s = first.onset_s + lengths_s[0] + gap_ms / 1000
    events = (
        replace(first, duration_s=lengths_s[0], level_dbfs=centre + louder[0] * db),
        replace(
            second,
            onset_s=second_s,
            duration_s=lengths_s[1],
            level_dbfs=centre + louder[1] * db,
        ),
    )
    if second_s + lengths_s[1] > d.duration_s:
        raise UserError(f"two tones of {lengths_s.sum():.2f} s do not fit {d.duration_s:g} s")
    noise_seed = int(d.rng.integers(2**31))
    return Stimulus(d.duration_s, events, design.noise_sigma, noise_seed), PAIR_TASKS


def order(d: Draw) -> Clip:
    """A low and a high tone that end together."""
    asynchrony_ms = d.hard(350, d.diet.asynchrony_low_ms)
    length_ms = asynchrony_ms + d.uniform(120, 450)
    apart = d.uniform(2.5, 8)
    middle = erb_number(d.hz(margin_cam=apart / 2))
    low_hz, high_hz = (float(x) for x in erb_number_to_hz(middle + np.array([-0.5, 0.5]) * apart))
    design = OnsetAsynchrony(
        duration_s=d.duration_s,
        onset_s=d.uniform(0.02, d.duration_s - length_ms / 1000 - 0.02),
        event_duration_ms=length_ms,
        asynchrony_ms=asynchrony_ms,
        frequency_low_hz=low_hz,
        frequency_high_hz=high_hz,
        level_dbfs=d.uniform(-34, -14),
        level_rove_db=d.uniform(0, 6),
        noise_sigma=d.log(1e-4, 1e-3),
    )
    return d.either(design, "order"), ("order",)


def rhythm(d: Draw) -> Clip:
    """A train of tones, even or not."""
    n = int(d.rng.integers(4, 11))
    length_ms = d.uniform(30, 80)
    longest_ms = min(480.0, 1000 * (d.duration_s - 0.25) / n)
    interval_ms = d.log(min(160, 0.9 * longest_ms), longest_ms)
    room_s = d.duration_s - 0.1 - n * interval_ms / 1000
    design = Rhythm(
        duration_s=d.duration_s,
        n_events=n,
        onset_s=d.uniform(0.02, max(room_s, 0.03)),
        interval_ms=interval_ms,
        jitter_percent=d.hard(45, 4),
        event_duration_ms=min(length_ms, 0.4 * interval_ms),
        frequency_hz=d.hz(),
        level_dbfs=d.level(4),
        noise_sigma=d.log(1e-4, 1e-3),
    )
    return d.either(design, "jitter"), ("jitter", "count")


def limping(d: Draw) -> Clip:
    """Two voices in turn, the higher one late or not."""
    beat_ms = d.log(110, 260)
    length_ms = d.uniform(30, 60)
    late_ms = min(d.hard(80, 5), beat_ms - length_ms - 1)
    design = Streaming(
        duration_s=d.duration_s,
        pattern="abab" if d.rng.random() < 0.75 else "aba",
        displacement_ms=late_ms,
        event_duration_ms=length_ms,
        separation_semitones=d.uniform(0, 14),
        **_beats(d, beat_ms),
    )
    return d.either(design, "jitter"), ("jitter",)


def galloping(d: Draw) -> Clip:
    """Triplets low, high, low: one stream, or two?"""
    design = Streaming(
        duration_s=d.duration_s,
        pattern="aba" if d.rng.random() < 0.75 else "abab",
        displacement_ms=0,
        event_duration_ms=d.uniform(30, 55),
        separation_semitones=d.uniform(0, 18),
        **_beats(d, d.log(60, 260)),
    )
    return draw(design, int(d.rng.integers(2**31))), ("streams",)


def cued(d: Draw) -> Clip:
    """A tone, then bursts of other tones with or without it."""
    relative_db = d.uniform(14 - 26 * d.reach, 20 - 8 * d.reach)
    n_maskers = int(d.rng.integers(1, 2 + round(5 * d.reach)))
    masker_dbfs = d.uniform(-42, -28)
    length_ms = d.uniform(70, 140)
    n_bursts = int(d.rng.integers(3, 8))
    around_s = 0.25 + 0.02 + n_bursts * (length_ms + 60) / 1000
    cue_gap_ms = d.uniform(150, 450)
    low_hz, high_hz = sorted((d.hz(), d.hz()))
    design = InformationalMasking(
        duration_s=d.duration_s,
        onset_s=d.uniform(0.02, max(0.03, d.duration_s - around_s - cue_gap_ms / 1000)),
        cue_duration_ms=d.uniform(120, 240),
        cue_gap_ms=cue_gap_ms,
        cue_level_dbfs=d.uniform(-30, -18),
        n_bursts=n_bursts,
        event_duration_ms=length_ms,
        gap_ms=d.uniform(10, 60),
        frequency_low_hz=low_hz,
        frequency_high_hz=high_hz,
        level_dbfs=min(masker_dbfs + relative_db, -18),
        n_maskers=n_maskers,
        maskers_drawn="each burst" if d.rng.random() < 0.7 else "once",
        protected_cam=d.uniform(1.5, 3),
        masker_level_dbfs=masker_dbfs,
        burst_rove_db=d.uniform(0, 6),
        noise_sigma=d.log(1e-4, 1e-3),
    )
    return d.either(design, "cue"), ("cue",)


def cued_once(d: Draw) -> Clip:
    """A tone that comes back, or does not."""
    f_hz = d.hz()
    design = ForwardMasking(
        duration_s=d.duration_s,
        onset_s=d.uniform(0.02, max(0.03, d.duration_s - 1.1)),
        masker="tone",
        masker_duration_ms=d.uniform(120, 400),
        masker_frequency_hz=f_hz,
        masker_level_dbfs=d.uniform(-26, -14),
        delay_ms=d.hard(400, 20),
        event_duration_ms=d.log(30, 120),
        frequency_hz=f_hz,
        level_dbfs=d.uniform(-45, -18),
        noise_sigma=d.log(1e-4, 1e-3),
    )
    return d.either(design, "cue"), ("cue",)


SHARES: dict[Callable[[Draw], Clip], float] = {
    counting: 0.16,
    presence: 0.05,
    halves: 0.05,
    tone_in_noise: 0.07,
    after_noise: 0.05,
    silence: 0.07,
    fluctuation: 0.07,
    two_tones: 0.14,
    all_differ: 0.1,
    order: 0.07,
    rhythm: 0.07,
    limping: 0.05,
    galloping: 0.02,
    cued: 0.06,
    cued_once: 0.03,
}
"""Which share of the clips each function draws."""


LATER_SHARES = {
    **SHARES,
    halves: 0.03,
    tone_in_noise: 0.05,
    silence: 0.05,
    rhythm: 0.11,
    limping: 0.08,
    galloping: 0.06,
    cued: 0.08,
}
"""The same once the easy questions are learnt."""


def draw_clip(d: Draw, shares: Mapping[Callable[[Draw], Clip], float] = SHARES) -> Clip:
    """A clip of any family that fits the duration, inside the diet."""
    draws, odds = list(shares), np.array(list(shares.values()))
    while True:
        kind = draws[int(d.rng.choice(len(draws), p=odds / odds.sum()))]
        for _ in range(ATTEMPTS):
            try:
                return kind(d)
            except UserError:
                continue


def answer(stimulus: Stimulus, task: str, rng: np.random.Generator) -> str | None:
    """The answer that is taught: the truth; where there is none, what people say of it."""
    if task != "streams":
        return TASKS[task].truth(stimulus)
    return ("one", "two")[int(rng.random() < two_streams(stimulus))]


def two_streams(stimulus: Stimulus) -> float:
    """Chance that a person hears two streams of alternating tones.

    Logistic in their separation, with its middle halfway between the fission and the temporal
    coherence boundary (van Noorden 1975): 3 semitones, and 4 at 60 ms to 13 at 150 ms a beat.
    """
    params: dict[str, Any] = dict(stimulus.meta["params"])  # type: ignore[call-overload]
    beat_ms, apart = params["tone_repetition_ms"], params["separation_semitones"]
    coherence = 4 + 9 * (beat_ms - 60) / 90
    middle = (3 + max(coherence, 4)) / 2
    return float(1 / (1 + np.exp(-(apart - middle) / 0.8)))


def channel_of(event: Event) -> int:
    """Mel channel nearest to an event's frequency."""
    return int(np.argmin(np.abs(mel_centres_hz() - event.frequency_hz)))


def _beats(d: Draw, beat_ms: float) -> dict[str, Any]:
    """How often, when and where the tones of two voices come."""
    cycles = int(np.clip((d.duration_s - 0.3) / (4 * beat_ms / 1000), 2, 7))
    used_s = cycles * 4 * beat_ms / 1000
    return {
        "tone_repetition_ms": beat_ms,
        "n_cycles": cycles,
        "onset_s": d.uniform(0.02, max(0.03, d.duration_s - used_s - 0.1)),
        "frequency_hz": min(d.hz(margin_cam=4), HIGHEST_HZ / 3),
        "level_dbfs": d.uniform(-28, -8),
        "noise_sigma": d.log(1e-4, 1e-3),
    }


def _pulses(d: Draw, n_events: int) -> Pulses:
    """One draw of the parameters: a band inside the diet's, half the time a regular train."""
    diet, rng = d.diet, d.rng
    span = diet.channel_high - diet.channel_low
    width = int(rng.integers(MIN_BAND_CHANNELS, span + 1))
    low = diet.channel_low + int(rng.integers(0, span - width + 1))
    centres = mel_centres_hz()
    regular = n_events > 0 and rng.random() < 0.5
    rove_db = rng.uniform(*ROVE_DB)
    short_ms, long_ms = np.exp(
        share_of(np.log((diet.event_low_ms, diet.event_high_ms)), LENGTH_SPREAD, rng)
    )
    level_dbfs = rng.uniform(diet.level_low_dbfs + rove_db, diet.level_high_dbfs - rove_db)
    masked = rng.random() < 0.2
    loud = level_dbfs > -34 and masked
    onset_s = rng.uniform(0, d.duration_s / 3)
    room_ms = 1000 * (d.duration_s - onset_s) / max(n_events, 1) - (short_ms + long_ms) / 2
    gap_high_ms = min(max(room_ms, diet.gap_low_ms), diet.gap_high_ms)
    return Pulses(
        duration_s=d.duration_s,
        n_events=n_events,
        event_duration_ms=(short_ms + long_ms) / 2,
        event_duration_jitter_ms=(long_ms - short_ms) / 2,
        placement="sequence" if regular else "random",
        onset_s=onset_s,
        gap_ms=rng.uniform(diet.gap_low_ms, gap_high_ms),
        min_gap_ms=max(diet.gap_low_ms, 0),
        frequency_order="random_mel",
        frequency_low_hz=centres[low],
        frequency_high_hz=centres[low + width],
        level_dbfs=min(level_dbfs, -24) if loud else level_dbfs,
        level_rove_db=min(rove_db, 3) if loud else rove_db,
        noise_sigma=d.log(1e-4, 1e-3),
        e_n0_db=d.uniform(34 - 18 * d.reach, 45) if loud else None,
    )
