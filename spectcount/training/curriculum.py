"""Weak regions -> what is drawn for training: question i is a function of (seed, i) alone.

A curriculum mixes three sources: the weak regions that a map found, a replay of what lies outside
them, and the counting distribution of the SpectCount paper (Kim et al., 2026, section 3.1).

Conventions: every event of a clip has its own level and length, so that no single number (the
energy over that of the first event, the time that sounds) tells how many there are. A region is
plain data, `{"ranges": {name: [low, high]}, "probed": {name: [low, high]}, "severity": 0..1}`, with
names `frequency_hz`, `onset_s` or any numeric parameter of the pulses; `probed` is what its map
covered. All clips of one group (an optimiser step) have one length.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.scales import HIGHEST_HZ, mel_centres_hz
from spectcount.stimulus import Event, Stimulus
from spectcount.tasks import TASKS
from spectcount.training.options import BOTH, FREQUENCY, HOLD_OUT_ATTEMPTS, TIME, Curriculum
from spectcount.trials import Question

SOURCES = ("weak", "replay", "paper")
TRAINING, HELD_OUT = 1, 2
PLACES = ("frequency_hz", "onset_s")
PER_EVENT = ("level_dbfs", "event_duration_ms")
"""Drawn for each event by itself, from a region's range too."""
_ORDERS = {BOTH: "random_mel", FREQUENCY: "distinct_mel", TIME: "same_mel"}
UNTRAINABLE = {
    "duration_s": "clips of one step share a length: set clip_low_s and clip_high_s instead",
}
ATTEMPTS = 40
SHORTEST_DRAW_S = Pulses.param("duration_s").low or 0.5
ROOM_S = 0.1
"""Left over behind the latest onset that a region asks for."""
CHECKED_DRAWS = 4
MIN_CHANNELS = 6
MIN_SEVERITY = 0.05


@dataclass(frozen=True)
class Drawn:
    """A question and the source it came from (weak, replay or paper)."""

    question: Question
    source: str


@dataclass(frozen=True)
class Sampler:
    """A curriculum with its regions, seed and model window, ready to draw from.

    `group` is the number of consecutive questions that share one clip length. Raises `UserError`
    on construction where a region cannot be realised.
    """

    curriculum: Curriculum
    regions: Sequence[Mapping[str, Any]]
    seed: int
    window_s: float
    group: int = 1

    def __post_init__(self) -> None:
        longest_s = self.curriculum.clip_high_s or self.window_s
        if longest_s > self.window_s:
            raise UserError(
                f"clip_high_s={longest_s:g} is longer than the model's window of "
                f"{self.window_s:g} s; lower it"
            )
        for region in self.regions:
            _check_region(region)
            for k in range(CHECKED_DRAWS):
                rng = np.random.default_rng([self.seed, 0, k])
                self._weak_clip(region, rng, self._clip_s(0, TRAINING), "count")
        self._refuse_to_hold_out_all()

    def question(self, i: int) -> Question:
        """Training question `i`."""
        return self.draw(i).question

    def draw(self, i: int, stream: int = TRAINING) -> Drawn:
        """Question `i` of a stream and where it came from."""
        rng = np.random.default_rng([self.seed, stream, i])
        return self._draw(rng, self._clip_s(i // self.group, stream), self._source(rng))

    def held_out(self, source: str, n: int) -> list[Question]:
        """`n` counting questions of one source that training never draws; weak falls back to the
        paper's distribution where there is no region."""
        questions = []
        for i in range(n):
            rng = np.random.default_rng([self.seed, HELD_OUT, SOURCES.index(source), i])
            questions.append(
                self._draw(rng, self._clip_s(i // 8, HELD_OUT), source, "count").question
            )
        return questions

    def preview(self, n: int) -> list[Drawn]:
        """The first `n` draws of training, for a page to play."""
        return [self.draw(i) for i in range(n)]

    def _refuse_to_hold_out_all(self) -> None:
        """Raise `UserError` where a source has hardly any clip that avoids what is held out."""
        rng = np.random.default_rng([self.seed, 0, CHECKED_DRAWS])
        c, clip_s = self.curriculum, self._clip_s(0, TRAINING)
        shares = {"weak": c.weak_share, "replay": c.replay, "paper": 1 - c.weak_share - c.replay}
        for source in (name for name, share in shares.items() if share > 1e-9):
            drawn = (self._draw_any(rng, clip_s, source) for _ in range(HOLD_OUT_ATTEMPTS))
            c.held_out.refuse_all(source, (draw.question.stimulus for draw in drawn))

    def _draw(
        self, rng: np.random.Generator, clip_s: float, source: str, task: str | None = None
    ) -> Drawn:
        """A question without anything that is held out."""
        held_out = self.curriculum.held_out
        for _ in range(HOLD_OUT_ATTEMPTS):
            drawn = self._draw_any(rng, clip_s, source, task)
            if not held_out.holds(drawn.question.stimulus):
                return drawn
        raise UserError(
            f"no clip of {HOLD_OUT_ATTEMPTS} draws avoids {held_out.name}={held_out.low:g}.."
            f"{held_out.high:g}; hold out less, or count fewer events"
        )

    def _draw_any(
        self, rng: np.random.Generator, clip_s: float, source: str, task: str | None = None
    ) -> Drawn:
        if source == "weak" and not self.regions:
            source = "paper"
        task = task or self._task(rng)
        if source == "weak":
            stimulus = self._weak_clip(self._region(rng), rng, clip_s, task)
        elif source == "replay":
            band = _part_of(*self._strong_band(rng), rng)
            stimulus = self._clip(rng, clip_s, task, *band, (0.0, clip_s))
        else:
            stimulus = self._clip(rng, clip_s, task, *self._probed_band(), (0.0, clip_s))
        spec = TASKS[task]
        wording, reverse = int(rng.integers(len(spec.wordings))), bool(rng.integers(2))
        question = Question(stimulus, task, wording, reverse and spec.reversible)
        return Drawn(question, source)

    def _clip_s(self, group: int, stream: int) -> float:
        """Length of a group's clips, log-uniform as declared, but long enough for the latest
        region."""
        low_s = self.curriculum.clip_low_s or self.window_s
        high_s = self.curriculum.clip_high_s or self.window_s
        starts_s = [r["ranges"]["onset_s"][0] for r in self.regions if "onset_s" in r["ranges"]]
        needed_s = max(starts_s, default=0.0) + self.curriculum.event_high_ms / 1000 + ROOM_S
        low_s, high_s = max(min(low_s, high_s), needed_s), max(high_s, needed_s)
        rng = np.random.default_rng([self.seed, 10 + stream, group])
        if rng.random() < self.curriculum.long_share:
            low_s, high_s = high_s, self.window_s
        clip_s = math.exp(rng.uniform(math.log(low_s), math.log(high_s)))
        return min(round(clip_s, 2), self.window_s)

    def _source(self, rng: np.random.Generator) -> str:
        weak, replay = self.curriculum.weak_share, self.curriculum.replay
        shares = [weak, replay, max(0.0, 1 - weak - replay)]
        return str(rng.choice(SOURCES, p=np.array(shares) / sum(shares)))

    def _task(self, rng: np.random.Generator) -> str:
        detect, interval = self.curriculum.detect_share, self.curriculum.interval_share
        count = max(0.0, 1 - detect - interval)
        return str(rng.choice(["detect", "interval", "count"], p=[detect, interval, count]))

    def _region(self, rng: np.random.Generator) -> Mapping[str, Any]:
        weights = np.array([max(r.get("severity", 1.0), MIN_SEVERITY) for r in self.regions])
        weights = weights**self.curriculum.sharpness
        return self.regions[int(rng.choice(len(self.regions), p=weights / weights.sum()))]

    def _weak_clip(
        self, region: Mapping[str, Any], rng: np.random.Generator, clip_s: float, task: str
    ) -> Stimulus:
        """A clip whose events lie inside `region`; the rest as in the paper's distribution."""
        ranges = region["ranges"]
        band = ranges.get("frequency_hz", _whole_band())
        onsets_s = ranges.get("onset_s", (0.0, clip_s))
        fixed = {
            name: Pulses.param(name).draw(rng, *ends)
            for name, ends in ranges.items()
            if name not in (*PLACES, *PER_EVENT)
        }
        each = {name: ranges[name] for name in PER_EVENT if name in ranges}
        low_hz, high_hz = _part_of(band[0], band[1], rng)
        return self._clip(rng, clip_s, task, low_hz, high_hz, onsets_s, fixed, each)

    def _probed_band(self) -> tuple[float, float]:
        """All that the maps covered; the whole scale where there is no map."""
        channels = np.flatnonzero(probed_channels(self.regions))
        centres = mel_centres_hz()
        return float(centres[channels[0]]), float(centres[channels[-1]])

    def _strong_band(self, rng: np.random.Generator) -> tuple[float, float]:
        bands = strong_bands(self.regions)
        widths = np.array([last - first + 1 for first, last in bands], float)
        first, last = bands[int(rng.choice(len(bands), p=widths / widths.sum()))]
        centres = mel_centres_hz()
        return float(centres[first]), float(centres[last])

    def _clip(
        self,
        rng: np.random.Generator,
        clip_s: float,
        task: str,
        low_hz: float,
        high_hz: float,
        onsets_s: Sequence[float],
        fixed: Mapping[str, Any] | None = None,
        each: Mapping[str, Sequence[float]] | None = None,
    ) -> Stimulus:
        """Random pulses between two frequencies, beginning inside `onsets_s`; `each` holds the
        ranges of a region from which every event draws for itself."""
        c, fixed = self.curriculum, dict(fixed or {})
        n = int(fixed.pop("n_events", rng.integers(c.count_low, c.count_high + 1)))
        n = {"detect": int(rng.integers(2)), "interval": 1}.get(task, n)
        low_hz, high_hz = _usable_band(low_hz, high_hz)
        events = self._events(each or {}, rng)
        longest_s = (events["event_duration_ms"] + events["event_duration_jitter_ms"]) / 1000
        if task == "interval":
            half_s = int(rng.integers(2)) * clip_s / 2
            onsets_s = (half_s, half_s + clip_s / 2 - longest_s)
        span_s = max(min(onsets_s[1], clip_s - longest_s) - max(onsets_s[0], 0.0), 0.0)
        if "gap_ms" not in fixed and rng.random() < c.regular_share:
            fixed["gap_ms"] = rng.uniform(c.min_gap_ms, c.regular_gap_high_ms)
        placement = "sequence" if "gap_ms" in fixed else "random"
        values = {
            "min_gap_ms": c.min_gap_ms,
            "placement": "together" if c.axis == FREQUENCY else placement,
            "onset_s": rng.uniform(0, span_s if n == 1 else span_s / 2),
            "frequency_order": "shuffled" if "frequency_overlap" in fixed else _ORDERS[c.axis],
            "frequency_low_hz": low_hz,
            "frequency_high_hz": high_hz,
            "noise_sigma": float(np.exp(rng.uniform(np.log(c.sigma_low), np.log(c.sigma_high)))),
            "level_rove_scale": c.level_scale,
            **events,
            **fixed,
        }
        return _placed(Pulses.from_dict(values), n, onsets_s, clip_s, rng)

    def _events(
        self, each: Mapping[str, Sequence[float]], rng: np.random.Generator
    ) -> dict[str, float]:
        """Level and length of the events as centre and rove: what this clip's share of the ranges
        is."""
        c = self.curriculum
        ends_ms = each.get("event_duration_ms", (c.event_low_ms, c.event_high_ms))
        ends_dbfs = each.get("level_dbfs", (c.level_low_dbfs, c.level_high_dbfs))
        short_ms, long_ms = np.exp(share_of(np.log(ends_ms), c.spread, rng))
        soft_dbfs, loud_dbfs = share_of(np.asarray(ends_dbfs, float), c.spread, rng)
        return {
            "event_duration_ms": (short_ms + long_ms) / 2,
            "event_duration_jitter_ms": (long_ms - short_ms) / 2,
            "level_dbfs": (soft_dbfs + loud_dbfs) / 2,
            "level_rove_db": (loud_dbfs - soft_dbfs) / 2,
        }


def share_of(ends: np.ndarray, share: float, rng: np.random.Generator) -> tuple[float, float]:
    """A part of a range, this share of it wide, at a random place."""
    width = share * (ends[1] - ends[0])
    low = ends[0] + rng.uniform() * (ends[1] - ends[0] - width)
    return float(low), float(low + width)


def probed_channels(regions: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Mel channels that every region's map covered, bool; all where none is limited."""
    probed = np.ones(len(mel_centres_hz()), bool)
    for region in regions:
        if "frequency_hz" in region.get("probed", {}):
            probed &= _channels_in(region["probed"]["frequency_hz"])
    return probed if probed.any() else np.ones_like(probed)


def strong_bands(regions: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Runs of mel channels (first, last) that the maps covered and no weak region does; all
    that they covered where nothing is left."""
    free = probed_channels(regions)
    for region in regions:
        if "frequency_hz" in region["ranges"]:
            free = free & ~_channels_in(region["ranges"]["frequency_hz"])
    if not free.any():
        free = probed_channels(regions)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], free.astype(int), [0]])))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _channels_in(band_hz: Sequence[float]) -> np.ndarray:
    centres = mel_centres_hz()
    return (centres >= band_hz[0]) & (centres <= band_hz[1])


@functools.cache
def _whole_band() -> tuple[float, float]:
    centres = mel_centres_hz()
    return float(centres[0]), float(centres[-1])


def _part_of(low_hz: float, high_hz: float, rng: np.random.Generator) -> tuple[float, float]:
    """A random part of a band, at least `MIN_CHANNELS` mel channels wide: so that a place which
    is hardest to hear does not spoil every clip of its band."""
    centres = mel_centres_hz()
    inside = np.flatnonzero((centres >= low_hz) & (centres <= high_hz))
    if len(inside) <= MIN_CHANNELS:
        return low_hz, high_hz
    width = int(rng.integers(MIN_CHANNELS, len(inside) + 1))
    first = int(rng.integers(0, len(inside) - width + 1))
    return float(centres[inside[first]]), float(centres[inside[first + width - 1]])


def _usable_band(low_hz: float, high_hz: float) -> tuple[float, float]:
    """The band, widened to the nearest mel channel where it holds no channel's centre."""
    centres = mel_centres_hz()
    centres = centres[centres <= HIGHEST_HZ]
    low_hz, high_hz = max(low_hz, 20.0), min(high_hz, HIGHEST_HZ)
    if not ((centres >= low_hz) & (centres <= high_hz)).any():
        middle = (low_hz + high_hz) / 2
        nearest = float(centres[np.argmin(np.abs(centres - middle))])
        return min(low_hz, nearest), nearest
    return low_hz, high_hz


def _placed(
    design: Pulses,
    n_events: int,
    onsets_s: Sequence[float],
    clip_s: float,
    rng: np.random.Generator,
) -> Stimulus:
    """A clip with `n_events` whose onsets all lie in `onsets_s`, or with as many as fit. Raises
    `UserError` where not even one does."""
    event_s = (design.event_duration_ms + design.event_duration_jitter_ms) / 1000
    first_s, last_s = max(onsets_s[0], 0.0), min(onsets_s[1], clip_s - event_s)
    if last_s < first_s:
        raise UserError(
            f"events from {onsets_s[0]:g} s on do not fit a clip of {clip_s:g} s; raise clip_low_s "
            "or leave the region out"
        )
    window_s = max(last_s - first_s + event_s, SHORTEST_DRAW_S)
    while True:
        for _ in range(ATTEMPTS):
            events = _try_events(design.replace(duration_s=window_s, n_events=n_events), rng)
            if events is not None and all(e.onset_s <= last_s - first_s + 1e-9 for e in events):
                moved = [dataclasses.replace(e, onset_s=e.onset_s + first_s) for e in events]
                noise_seed = int(rng.integers(2**31))
                return Stimulus(clip_s, tuple(moved), design.noise_sigma, noise_seed)
            if events is None:
                break
        if n_events <= 1:
            raise UserError(f"no event fits between {first_s:g} and {last_s:g} s; widen the region")
        n_events -= 1


def _try_events(design: Pulses, rng: np.random.Generator) -> tuple[Event, ...] | None:
    """One draw of the events; None where they do not fit the window."""
    try:
        return draw(design, int(rng.integers(2**31))).events
    except UserError:
        if design.n_events <= 1:
            raise
        return None


def _check_region(region: Mapping[str, Any]) -> None:
    ranges = region.get("ranges")
    if not isinstance(ranges, Mapping) or not ranges:
        raise UserError(
            f"region {region!r} has no ranges; give {{'ranges': {{name: [low, high]}}}}"
        )
    for name, ends in ranges.items():
        if name in UNTRAINABLE:
            raise UserError(f"a region of {name} cannot be trained on: {UNTRAINABLE[name]}")
        if name not in PLACES and not Pulses.param(name).numeric:
            raise UserError(f"region: {name} has no numeric range; use a numeric parameter")
        if len(ends) != 2 or ends[0] > ends[1]:
            raise UserError(f"region: {name}={ends!r} is no range; give [low, high]")
