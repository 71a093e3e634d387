"""A sound as data: the Stimulus is the primary object, its clip a rendering of it.

Conventions: mono, Hz, seconds from the start of the clip, levels in dBFS re full-scale sine peak
1.0. The level of a component that is not a sine is that of the sine with the same RMS. White
noise is given by its standard deviation. A Stimulus is frozen, makes a JSON round trip without
loss, and carries a content hash that names its synthesis version.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount import documents, limits
from spectcount.errors import UserError
from spectcount.limits import MAX_DURATION_S, MAX_EVENTS, MAX_HARMONICS
from spectcount.scales import SAMPLE_RATE

VERSION = 1
"""Version of the synthesis: raised when the same JSON would give other bytes."""

_READ_BY_WAVE: dict[str, tuple[str, ...]] = {
    "sine": ("frequency_hz", "phase_deg"),
    "harmonic": ("frequency_hz", "phase_deg", "n_harmonics"),
    "noise": ("frequency_hz", "bandwidth_hz", "seed"),
    "chirp": ("frequency_hz", "phase_deg", "end_frequency_hz"),
    "white": ("seed",),
    "clip": ("carrier", "carrier_start_s"),
}
"""The fields that shape each wave, beside the envelope's; the synthesis reads no others."""

WAVES = ("sine", "harmonic", "noise", "chirp", "white", "clip")
RAMPS = ("linear", "cosine")
_FULL_TURNS_DEG = 1e6

_GROUPS = ("events", "background")


def _later(default: Any) -> Any:
    """A field that came after the first release: left out of plain data at its default."""
    return dataclasses.field(default=default, metadata={"later": True})


@dataclass(frozen=True)
class Event:
    """One sound event.

    `frequency_hz` is a sine's frequency, a complex's fundamental, a noise band's centre or the
    start of a chirp, which ends at `end_frequency_hz`; `bandwidth_hz` and `seed` belong to the
    noise band, `seed` to white noise too, `n_harmonics` to the complex, `carrier` (a content
    hash, see `spectcount.carriers`) and `carrier_start_s`, where in it to begin, to a clip.

    The envelope lies inside the duration: attack and release, `ramp` linear or cosine (raised
    cosine). It may be modulated, 1 + am_depth sin(2 pi am_rate_hz t + am_phase_deg), at unchanged
    RMS, and hold one gap: silent for `gap_ms` from `gap_onset_ms` after the onset, with ramps of
    `gap_ramp_ms` before and after the silence.
    """

    onset_s: float
    duration_s: float
    frequency_hz: float
    level_dbfs: float
    wave: str = "sine"
    attack_ms: float = 3.0
    release_ms: float = 10.0
    phase_deg: float = 0.0
    end_frequency_hz: float = 0.0
    n_harmonics: int = 1
    bandwidth_hz: float = 0.0
    seed: int = 0
    ramp: str = _later("linear")
    am_rate_hz: float = _later(0.0)
    am_depth: float = _later(0.0)
    am_phase_deg: float = _later(0.0)
    gap_ms: float = _later(0.0)
    gap_onset_ms: float = _later(0.0)
    gap_ramp_ms: float = _later(0.0)
    carrier: str = _later("")
    carrier_start_s: float = _later(0.0)

    def __post_init__(self) -> None:
        _round_fields(self)
        if self.wave not in WAVES:
            raise UserError(f"wave={self.wave!r} is not known; choose one of {', '.join(WAVES)}")
        self._check_envelope()
        self._check_bounds()
        if not 1 <= self.n_harmonics <= MAX_HARMONICS:
            raise UserError(
                f"n_harmonics={self.n_harmonics} is outside 1..{MAX_HARMONICS}; give one inside"
            )
        if self.duration_s <= 0 or self.onset_s < 0:
            raise UserError(
                f"an event at {self.onset_s:g} s lasting {self.duration_s:g} s is impossible; "
                "onset must be >= 0 and duration > 0"
            )
        ramps_s = (self.attack_ms + self.release_ms) / 1000
        if self.attack_ms < 0 or self.release_ms < 0 or ramps_s > self.duration_s + 1e-9:
            raise UserError(
                f"attack {self.attack_ms:g} ms + release {self.release_ms:g} ms do not fit an "
                f"event of {self.duration_s * 1000:g} ms; shorten the ramps or lengthen the event"
            )

    def _check_envelope(self) -> None:
        if self.ramp not in RAMPS:
            raise UserError(f"ramp={self.ramp!r} is not known; choose one of {', '.join(RAMPS)}")
        if not 0 <= self.am_depth <= 1 or self.am_rate_hz < 0:
            raise UserError(
                f"am_depth={self.am_depth:g} at am_rate_hz={self.am_rate_hz:g} is no modulation; "
                "give a depth from 0 to 1 and a rate of 0 or more"
            )
        if min(self.gap_ms, self.gap_onset_ms, self.gap_ramp_ms) < 0:
            raise UserError(
                f"gap_ms={self.gap_ms:g}, gap_onset_ms={self.gap_onset_ms:g}, gap_ramp_ms="
                f"{self.gap_ramp_ms:g}: one is negative; give 0 or more"
            )
        start_ms = self.gap_onset_ms - self.gap_ramp_ms
        end_ms = self.gap_onset_ms + self.gap_ms + self.gap_ramp_ms
        if self.gap_ms and (start_ms < -1e-6 or end_ms > 1000 * self.duration_s + 1e-6):
            raise UserError(
                f"a gap from {start_ms:g} to {end_ms:g} ms, ramps included, does not fit an event "
                f"of {1000 * self.duration_s:g} ms; move or shorten it"
            )
        if self.carrier_start_s < 0:
            raise UserError(f"carrier_start_s={self.carrier_start_s:g} is negative; give 0 or more")
        if (self.wave == "clip") != bool(self.carrier):
            raise UserError(
                f"wave={self.wave!r} with carrier={self.carrier!r}; a clip names its carrier, and "
                "nothing else does"
            )

    def _check_bounds(self) -> None:
        low, high = limits.MIN_LEVEL_DBFS, limits.MAX_LEVEL_DBFS
        _refuse_outside("level_dbfs", self.level_dbfs, low, high, "dBFS")
        _refuse_outside("seed", self.seed, 0, limits.MAX_SEED)
        _refuse_outside("bandwidth_hz", self.bandwidth_hz, 0, limits.MAX_SAMPLE_RATE_HZ, "Hz")
        _refuse_outside("am_rate_hz", self.am_rate_hz, 0, limits.MAX_SAMPLE_RATE_HZ / 2, "Hz")
        for name in ("phase_deg", "am_phase_deg"):
            _refuse_outside(name, getattr(self, name), -_FULL_TURNS_DEG, _FULL_TURNS_DEG, "deg")

    @property
    def n_components(self) -> int:
        """Number of sines or noises summed for it: what its synthesis costs a sample."""
        if self.wave == "harmonic":
            return self.n_harmonics
        if self.wave == "noise":
            wanted = max(2, int(self.bandwidth_hz * self.duration_s) + 1)
            return min(wanted, limits.MAX_COMPONENTS)
        return 1

    @property
    def offset_s(self) -> float:
        return self.onset_s + self.duration_s

    @property
    def broadband(self) -> bool:
        """True where it has no frequency of its own: white noise, or a clip."""
        return self.wave in ("white", "clip")

    @property
    def lowest_hz(self) -> float:
        if self.wave == "noise":
            return self.frequency_hz - self.bandwidth_hz / 2
        if self.wave == "chirp":
            return min(self.frequency_hz, self.end_frequency_hz)
        return self.frequency_hz

    @property
    def highest_hz(self) -> float:
        if self.wave == "noise":
            return self.frequency_hz + self.bandwidth_hz / 2
        if self.wave == "chirp":
            return max(self.frequency_hz, self.end_frequency_hz)
        if self.wave == "harmonic":
            return self.frequency_hz * self.n_harmonics
        return self.frequency_hz

    @property
    def energy(self) -> float:
        """Integral of the squared waveform as declared, full-scale^2 seconds: power of the sine
        at this level times the squared envelope's area (a ramp's share is 1/3 where it is linear,
        3/8 where it is a raised cosine; modulation is taken over whole periods)."""
        share = 1 / 3 if self.ramp == "linear" else 3 / 8
        lost_ms = (1 - share) * (self.attack_ms + self.release_ms)
        if self.gap_ms:
            lost_ms += self.gap_ms + 2 * (1 - share) * self.gap_ramp_ms
        return 0.5 * 10 ** (self.level_dbfs / 10) * (self.duration_s - lost_ms / 1000)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; fields that came after the first release only where they say something."""
        return _sparse(self)

    def heard(self, sample_rate: int, n_samples: int) -> dict[str, Any]:
        """Plain data of what sounds, the same for all events of one waveform in a clip of
        `n_samples`: fields that wave and envelope do not read are at their defaults, times on
        samples, and a complex of one harmonic or a chirp that stays is the sine that it is."""
        wave = self.wave
        if (wave == "harmonic" and self.n_harmonics == 1) or (
            wave == "chirp" and self.end_frequency_hz == self.frequency_hz
        ):
            wave = "sine"
        start = round(self.onset_s * sample_rate)
        data = {
            **self.to_dict(),
            **{name: _DEFAULTS[name] for name in self._unheard(wave)},
            "wave": wave,
            "onset_s": round(start / sample_rate, 9),
        }
        if wave not in ("noise", "chirp"):  # whose duration also shapes the wave
            n = min(round(self.duration_s * sample_rate), n_samples - start)
            data["duration_s"] = round(n / sample_rate, 9)
        if wave == "clip":
            data["carrier_start_s"] = round(
                round(self.carrier_start_s * sample_rate) / sample_rate, 9
            )
        return {k: v for k, v in data.items() if not (k in _LATER and v == _DEFAULTS[k])}

    def _unheard(self, wave: str) -> set[str]:
        """Fields that do not reach the waveform of such a wave."""
        names = _SHAPES - set(_READ_BY_WAVE[wave])
        if self.am_depth == 0:
            names |= {"am_rate_hz", "am_phase_deg"}
        if self.gap_ms == 0:
            names |= {"gap_onset_ms", "gap_ramp_ms"}
        if not (self.attack_ms or self.release_ms or (self.gap_ms and self.gap_ramp_ms)):
            names.add("ramp")
        return names


@dataclass(frozen=True)
class Stimulus:
    """Events in white noise over a clip of `duration_s`; see the module's conventions.

    `events` are what is asked about, `background` what sounds beside them whatever the answer: a
    masker, a cue. `meta` holds the design, its parameters and the seed that drew this stimulus:
    provenance, not content, and so outside the hash.
    """

    duration_s: float
    events: tuple[Event, ...] = ()
    noise_sigma: float = 0.0
    noise_seed: int = 0
    sample_rate: int = SAMPLE_RATE
    version: int = VERSION
    background: tuple[Event, ...] = _later(())
    meta: dict[str, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        _round_fields(self)
        if self.version != VERSION:
            raise UserError(
                f"this stimulus is of synthesis version {self.version}, this program makes "
                f"version {VERSION}; use the release that made it"
            )
        if not 0 < self.duration_s <= MAX_DURATION_S:
            raise UserError(
                f"duration_s={self.duration_s:g} is outside 0..{MAX_DURATION_S:g} s; "
                "shorten the clip"
            )
        if len(self.sounds) > MAX_EVENTS:
            raise UserError(
                f"{len(self.sounds)} events are above the limit of {MAX_EVENTS}; leave some out"
            )
        if self.noise_sigma < 0:
            raise UserError(f"noise_sigma={self.noise_sigma:g} is negative; give 0 or more")
        for name in ("events", "background"):
            ordered = sorted(getattr(self, name), key=lambda e: (e.onset_s, e.frequency_hz))
            object.__setattr__(self, name, tuple(ordered))
        if not isinstance(self.meta, dict):
            raise UserError(f"meta={self.meta!r} is no mapping; give names and values, or none")
        self._check_bounds()
        for event in self.sounds:
            self._check_event(event)

    def _check_bounds(self) -> None:
        """Bounds on memory and time; see `limits`."""
        low, high = limits.MIN_SAMPLE_RATE_HZ, limits.MAX_SAMPLE_RATE_HZ
        _refuse_outside("sample_rate", self.sample_rate, low, high, "Hz")
        _refuse_outside("noise_seed", self.noise_seed, 0, limits.MAX_SEED)
        seconds = sum(event.n_components * event.duration_s for event in self.sounds)
        work = seconds * self.sample_rate
        if work > limits.MAX_WORK:
            raise UserError(
                f"the clip is a sum of {work:.2g} samples of single components, the limit is "
                f"{limits.MAX_WORK:.2g}; give fewer, shorter or narrower events or a lower "
                "sample rate"
            )

    def _check_event(self, event: Event) -> None:
        if event.offset_s > self.duration_s + 1e-6:
            raise UserError(
                f"an event ends at {event.offset_s:.3f} s, the clip at {self.duration_s:.3f} s; "
                "lengthen the clip or move the event"
            )
        nyquist = self.sample_rate / 2
        if event.broadband:
            return
        if event.highest_hz >= nyquist or event.lowest_hz <= 0:
            edge = event.highest_hz if event.highest_hz >= nyquist else event.lowest_hz
            raise UserError(
                f"an event ({event.wave}) reaches {edge:g} Hz, outside 0..{nyquist:g} Hz "
                "(Nyquist); move its frequency, or lower its bandwidth or number of harmonics"
            )

    @property
    def sounds(self) -> tuple[Event, ...]:
        """Everything that sounds but the noise: background, then events."""
        return self.background + self.events

    @property
    def n_samples(self) -> int:
        return round(self.duration_s * self.sample_rate)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; see `Event.to_dict`."""
        groups = {name: [e.to_dict() for e in getattr(self, name)] for name in _GROUPS}
        data = {**_sparse(self), **{k: v for k, v in groups.items() if v or k == "events"}}
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Stimulus:
        """The inverse of `to_dict`; unknown fields are refused."""
        try:
            groups = {k: tuple(Event(**e) for e in data.get(k, ())) for k in _GROUPS}
            return cls(**{**data, **groups})
        except (TypeError, AttributeError) as error:
            raise UserError(f"not a stimulus: {error}; give the JSON that `render` wrote") from None

    def to_json(self) -> str:
        """JSON, keys sorted, exact floats."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Stimulus:
        """The inverse of `to_json`."""
        data = documents.from_json(text, "the stimulus")
        if not isinstance(data, dict):
            raise UserError("not a stimulus: the JSON is no object; give what `render` wrote")
        return cls.from_dict(data)

    @functools.cached_property
    def hash(self) -> str:
        """Content hash, 16 hex digits of SHA-256 over what reaches the waveform (one waveform, one
        hash) and over which events are asked about; holds `version`, not `meta`."""
        rate, n = self.sample_rate, self.n_samples
        groups = {name: [e.heard(rate, n) for e in getattr(self, name)] for name in _GROUPS}
        data = {
            **self.to_dict(),
            **{name: events for name, events in groups.items() if events},
            "duration_s": round(n / rate, 9),
            "noise_seed": self.noise_seed if self.noise_sigma > 0 else 0,
        }
        data.pop("meta")
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]

    def with_meta(self, **meta: Any) -> Stimulus:
        """The same sound with more provenance; content and hash are as they were."""
        same = copy.copy(self)
        object.__setattr__(same, "meta", {**self.meta, **meta})
        return same

    def without_events(self) -> Stimulus:
        """The catch trial of this stimulus: the same noise and background, no event."""
        return dataclasses.replace(self, events=(), meta={**self.meta, "catch": True})


_SHAPES = {name for names in _READ_BY_WAVE.values() for name in names}
_LATER = {f.name for f in dataclasses.fields(Event) if "later" in f.metadata}
_DEFAULTS: dict[str, Any] = {
    **{f.name: f.default for f in dataclasses.fields(Event)},
    "frequency_hz": 0.0,
}


@functools.cache
def _fields(spec: Hashable) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a class, listed once."""
    return dataclasses.fields(spec)  # type: ignore[arg-type]


def _round_fields(spec: Any) -> None:
    """Floats to a fixed grid (1e-9), so that JSON, hash and bytes do not depend on the last bits
    of the platform's maths library."""
    for field in _fields(spec.__class__):
        value = getattr(spec, field.name)
        if field.type == "float":
            if not _is_number(value):
                raise UserError(f"{field.name}={value!r} is not a number; give a number")
            if not math.isfinite(value):
                raise UserError(f"{field.name}={value!r} is not finite; give a number")
            object.__setattr__(spec, field.name, round(float(value), 9))
        elif field.type == "int":
            if not _is_number(value) or not math.isfinite(value) or value != int(value):
                raise UserError(f"{field.name}={value!r} is not a whole number; give one")
            object.__setattr__(spec, field.name, int(value))
        elif field.type == "str" and not isinstance(value, str):
            raise UserError(f"{field.name}={value!r} is not text; give text")


def _is_number(value: Any) -> bool:
    """True where it is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return False
    return not isinstance(value, int) or abs(value) < 1e300


def _refuse_outside(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not low <= value <= high:
        raise UserError(
            f"{name}={value:g} is outside {low:g}..{high:g} {unit}".rstrip() + "; give one inside"
        )


def _sparse(spec: Any) -> dict[str, Any]:
    """A dataclass as plain data, without the later fields that are at their default."""
    fields = [
        f
        for f in _fields(spec.__class__)
        if not ("later" in f.metadata and getattr(spec, f.name) == f.default)
    ]
    return {f.name: getattr(spec, f.name) for f in fields}
