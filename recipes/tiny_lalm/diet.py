"""What the embedded model hears while it is made: two diets, each a declared range of pulses.

`HEARING` feeds the encoder's auxiliary objective only; `ALIGNMENT` feeds the answers. The second
is the narrower one, the situation that the literature describes: the encoder carries cues that
the alignment with language never used. Nothing outside these two ranges is trained on. Every event
of a clip has its own level and length, so that energy does not tell how many there are. (The
shipped weights were made before that: one length for all events of a clip.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.params import Declared, param
from spectcount.scales import mel_centres_hz
from spectcount.stimulus import Event, Stimulus
from spectcount.tasks import MAX_COUNT
from spectcount.training.curriculum import share_of

MIN_BAND_CHANNELS = 6
ROVE_DB = (3.0, 9.0)
"""Half the range over which the events of one clip differ in level; drawn for each clip."""
LENGTH_SPREAD = 0.15
"""Share of the range of lengths (logarithmic) over which the events of one clip differ; where that
share lies is drawn for each clip, else the time that sounds would tell how many there are."""


@dataclass(frozen=True)
class Diet(Declared):
    """Ranges from which clips are drawn uniformly (noise: log-uniformly)."""

    channel_low: int = param(4, "Lowest mel channel.", low=0, high=127)
    channel_high: int = param(123, "Highest mel channel.", low=0, high=127)
    level_low_dbfs: float = param(-55.0, "Softest event.", low=-90, high=0, unit="dBFS")
    level_high_dbfs: float = param(-3.0, "Loudest event.", low=-90, high=0, unit="dBFS")
    gap_low_ms: float = param(20.0, "Smallest gap.", low=0, high=2000, unit="ms")
    gap_high_ms: float = param(
        400.0, "Largest gap of a regular train.", low=0, high=2000, unit="ms"
    )
    event_low_ms: float = param(30.0, "Shortest event.", low=14, high=2000, unit="ms")
    event_high_ms: float = param(200.0, "Longest event.", low=14, high=2000, unit="ms")
    sigma_low: float = param(1e-4, "Weakest noise.", low=1e-6, high=0.3)
    sigma_high: float = param(1e-3, "Strongest noise.", low=1e-6, high=0.3)


HEARING = Diet()
ALIGNMENT = Diet(
    channel_low=24,
    channel_high=96,
    level_low_dbfs=-30.0,
    level_high_dbfs=-3.0,
    gap_low_ms=60.0,
    event_low_ms=40.0,
    event_high_ms=160.0,
)


def draw_clip(diet: Diet, rng: np.random.Generator, duration_s: float, n_events: int) -> Stimulus:
    """A clip with up to `n_events` events (fewer where they do not fit), inside `diet`."""
    while True:
        design = _design(diet, rng, duration_s, n_events)
        try:
            return draw(design, int(rng.integers(2**31)))
        except UserError:
            n_events = max(0, n_events - 1)


def draw_count(diet: Diet, rng: np.random.Generator, duration_s: float) -> Stimulus:
    """A clip for counting: counts uniform over those that fit."""
    needed_s = (diet.event_low_ms + diet.gap_low_ms) / 1000
    most = max(1, min(MAX_COUNT, int(0.9 * duration_s / needed_s)))
    return draw_clip(diet, rng, duration_s, int(rng.integers(0, most + 1)))


def draw_detect(diet: Diet, rng: np.random.Generator, duration_s: float) -> Stimulus:
    """A clip for detection: nothing, one event, or some, at odds 4 : 3 : 1."""
    n = int(rng.choice([0, 1, rng.integers(2, MAX_COUNT + 1)], p=[0.5, 0.375, 0.125]))
    return draw_clip(diet, rng, duration_s, n)


def draw_interval(diet: Diet, rng: np.random.Generator, duration_s: float) -> Stimulus:
    """A clip with one event, inside its first or its second half."""
    one = draw_clip(diet, rng, duration_s, 1)
    event = one.events[0]
    slack_s = duration_s / 2 - event.duration_s
    onset_s = int(rng.integers(2)) * duration_s / 2 + rng.uniform(0, max(slack_s, 0))
    return replace(one, events=(replace(event, onset_s=onset_s),))


DRAWS = {"detect": draw_detect, "count": draw_count, "interval": draw_interval}
"""The clip that each task is asked about."""


def channel_of(event: Event) -> int:
    """Mel channel nearest to an event's frequency."""
    return int(np.argmin(np.abs(mel_centres_hz() - event.frequency_hz)))


def _design(diet: Diet, rng: np.random.Generator, duration_s: float, n_events: int) -> Pulses:
    """One draw of the parameters: a band inside the diet's, half the time a regular train."""
    span = diet.channel_high - diet.channel_low
    width = int(rng.integers(MIN_BAND_CHANNELS, span + 1))
    low = diet.channel_low + int(rng.integers(0, span - width + 1))
    centres = mel_centres_hz()
    regular = n_events > 0 and rng.random() < 0.5
    rove_db = rng.uniform(*ROVE_DB)
    short_ms, long_ms = np.exp(
        share_of(np.log((diet.event_low_ms, diet.event_high_ms)), LENGTH_SPREAD, rng)
    )
    return Pulses(
        duration_s=duration_s,
        n_events=n_events,
        event_duration_ms=(short_ms + long_ms) / 2,
        event_duration_jitter_ms=(long_ms - short_ms) / 2,
        placement="sequence" if regular else "random",
        onset_s=rng.uniform(0, duration_s / 2),
        gap_ms=rng.uniform(diet.gap_low_ms, diet.gap_high_ms),
        min_gap_ms=diet.gap_low_ms,
        frequency_order="random_mel",
        frequency_low_hz=centres[low],
        frequency_high_hz=centres[low + width],
        level_dbfs=rng.uniform(diet.level_low_dbfs + rove_db, diet.level_high_dbfs - rove_db),
        level_rove_db=rove_db,
        noise_sigma=np.exp(rng.uniform(np.log(diet.sigma_low), np.log(diet.sigma_high))),
    )
