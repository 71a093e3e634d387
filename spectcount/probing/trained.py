"""The training range of an adapter, read from its lineage: parameter by parameter, and what was
not.

*Conventions*: a range is [low, high], both ends trained; a parameter's ranges are a union of such,
apart and rising, in the parameter's unit. They are taken parameter by parameter: a combination of
trained values may itself never have been drawn. `gap_ms` is offset to onset of neighbours in time.
A lineage is the plain data of an adapter's `lineage.json`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spectcount.errors import UserError
from spectcount.stimulus import Stimulus
from spectcount.trials import Trial

Range = tuple[float, float]
Ranges = tuple[Range, ...]
FAMILY = "pulses"
"""What curricula draw from."""
WINDOW = math.inf
"""The model's window, of which a lineage does not tell the length."""
CLIP_LEVEL = ("duration_s", "noise_sigma")
"""Parameters that a clip without any event has too."""
UNITS = {
    "frequency_hz": "Hz",
    "level_dbfs": "dBFS",
    "event_duration_ms": "ms",
    "gap_ms": "ms",
    "onset_s": "s",
    "duration_s": "s",
    "noise_sigma": "",
    "n_events": "",
}
NAMES = {
    "frequency_hz": "frequency",
    "level_dbfs": "level",
    "event_duration_ms": "event duration",
    "gap_ms": "gap",
    "onset_s": "onset",
    "duration_s": "clip length",
    "noise_sigma": "noise",
    "n_events": "number of events",
}
INSIDE, PARTLY, OUTSIDE = "inside", "partly", "outside"
_SLACK = 1e-6


@dataclass(frozen=True)
class Trained:
    """`ranges` by parameter; `tasks` that were asked; the curriculum's `seed`; the run `probe`
    that found the weak regions (empty: none); `adapter` as its run is called."""

    ranges: Mapping[str, Ranges]
    tasks: tuple[str, ...]
    seed: int
    probe: str = ""
    adapter: str = ""
    held_out: Mapping[str, Range] = field(default_factory=dict)

    def outside(self, stimulus: Stimulus | Mapping[str, Any], task_name: str) -> tuple[str, ...]:
        """Properties of a stimulus that were never trained: names of parameters, or `task`,
        `family`, `wave`; nothing where all of it was."""
        values = values_of(stimulus)
        names = [
            name
            for name, listed in values.items()
            if name in self.ranges and any(self.side(name, (v, v)) != INSIDE for v in listed)
        ]
        return (*self.outside_kind(family_of(stimulus), waves_of(stimulus), task_name), *names)

    def outside_kind(self, family: str, waves: Iterable[str], task_name: str) -> tuple[str, ...]:
        """`task`, `family`, `wave`, where it is one that no curriculum draws."""
        kinds = (
            ("task", task_name not in self.tasks),
            ("family", family != FAMILY),
            ("wave", not set(waves) <= {"sine"}),
        )
        return tuple(name for name, new in kinds if new)

    def side(self, name: str, ends: Range) -> str:
        """True where all values from one end to the other were trained (`inside`), none was
        (`outside`), or some (`partly`); the ends of what was held out were not."""
        held_out = self.held_out.get(name)
        if held_out and overlapping(ends, (held_out,)) == INSIDE:
            return OUTSIDE
        return overlapping(ends, self.ranges[name])

    def words(self, name: str) -> str:
        """One parameter's trained ranges in words: "gap 60 to 400 ms"."""
        return f"{NAMES[name]} {union_words(self.ranges[name], UNITS[name])}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data; an end at the model's window is None."""
        return {
            "ranges": {
                name: [[a, None if math.isinf(b) else b] for a, b in union]
                for name, union in self.ranges.items()
            },
            "tasks": list(self.tasks),
            "seed": self.seed,
            "probe": self.probe,
            "adapter": self.adapter,
            "held_out": {name: list(ends) for name, ends in self.held_out.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Trained:
        """From what `to_dict` wrote."""
        ranges = {
            name: tuple((float(a), WINDOW if b is None else float(b)) for a, b in union)
            for name, union in values["ranges"].items()
        }
        held_out = {k: (float(a), float(b)) for k, (a, b) in values.get("held_out", {}).items()}
        return cls(
            ranges,
            tuple(values["tasks"]),
            int(values["seed"]),
            values.get("probe") or "",
            values.get("adapter") or "",
            held_out,
        )


def trained_of(lineage: Mapping[str, Any]) -> Trained:
    """The training range of the adapter of a lineage. Raises `UserError` for data that is no
    lineage of a curriculum."""
    try:
        c = {**_OLD_DEFAULTS, **lineage["curriculum"]}
        ranges = _declared_ranges(c)
        shares = _shares(c, bool(lineage.get("regions")))
        for region in lineage.get("regions", []):
            _add_region(ranges, region, shares)
        _limit_places(ranges, lineage.get("regions", []), shares)
        held_out = _held_out(c)
        for name, ends in held_out.items():
            ranges[name] = without(ranges[name], ends)
        tasks = tuple(n for n in ("detect", "interval") if c[f"{n}_share"] > 0)
        counted = c["detect_share"] + c["interval_share"] < 1 - _SLACK
        origin = lineage.get("lineage") or {}
        return Trained(
            {name: union(listed) for name, listed in ranges.items()},
            (*tasks, "count") if counted else tasks,
            int(lineage["seed"]),
            str(origin.get("probe") or ""),
            str(origin.get("run") or ""),
            held_out,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"this is no lineage of a fine-tune ({type(error).__name__}: {error}); give the data "
            "of an adapter's lineage.json"
        ) from None


def values_of(stimulus: Stimulus | Mapping[str, Any]) -> dict[str, list[float]]:
    """The values of a stimulus by parameter, as `Trained.ranges` names them; what a clip has none
    of is empty (no gap between fewer than two events)."""
    data = stimulus if isinstance(stimulus, Mapping) else stimulus.to_dict()
    events = sorted(data["events"], key=lambda e: e["onset_s"])
    ends_s = [e["onset_s"] + e["duration_s"] for e in events]
    gaps_ms = [1000 * (b["onset_s"] - a) for a, b in zip(ends_s, events[1:], strict=False)]
    return {
        "frequency_hz": [float(e["frequency_hz"]) for e in events],
        "level_dbfs": [float(e["level_dbfs"]) for e in events],
        "event_duration_ms": [1000 * e["duration_s"] for e in events],
        "gap_ms": gaps_ms,
        "onset_s": [float(e["onset_s"]) for e in events],
        "n_events": [float(len(events))],
        "duration_s": [float(data["duration_s"])],
        "noise_sigma": [float(data["noise_sigma"])],
    }


def asked_stimulus(trial: Trial) -> Mapping[str, Any]:
    """The stimulus that a trial is about: its stimulus, or on a catch trial without events the same
    with the events that are absent."""
    stimulus = trial.stimulus or {}
    template = stimulus.get("meta", {}).get("template")
    return {**stimulus, "events": template} if template else stimulus


def family_of(stimulus: Stimulus | Mapping[str, Any]) -> str:
    """The design family that a stimulus says it is from; pulses where it does not say."""
    meta = stimulus["meta"] if isinstance(stimulus, Mapping) else stimulus.meta
    return str(meta.get("family", FAMILY))


def waves_of(stimulus: Stimulus | Mapping[str, Any]) -> set[str]:
    """The waveforms of all events."""
    data = stimulus if isinstance(stimulus, Mapping) else stimulus.to_dict()
    return {str(event.get("wave", "sine")) for event in data["events"]}


def union(ranges: Iterable[Sequence[float]]) -> Ranges:
    """Overlapping and touching ranges joined, rising."""
    joined: list[list[float]] = []
    for a, b in sorted((float(a), float(b)) for a, b in ranges):
        if joined and a <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], b)
        else:
            joined.append([a, b])
    return tuple((a, b) for a, b in joined)


def without(ranges: Iterable[Sequence[float]], hole: Range) -> list[Range]:
    """The ranges less what lies in `hole`, ends included."""
    left = []
    for a, b in ranges:
        below, above = (
            (a, min(b, math.nextafter(hole[0], -math.inf))),
            (max(a, math.nextafter(hole[1], math.inf)), b),
        )
        left += [(x, y) for x, y in (below, above) if x <= y]
    return left


def union_words(ranges: Ranges, unit: str = "") -> str:
    """Ranges in words: "60 to 400 ms and 800 to 900 ms"."""
    end = f" {unit}" if unit else ""
    parts = [
        f"{_short(a)}{end} and more"
        if math.isinf(b)
        else f"{_short(a)}{end}"
        if a == b
        else f"{_short(a)} to {_short(b)}{end}"
        for a, b in ranges
    ]
    return " and ".join(parts) or "never"


_OLD_DEFAULTS = {
    "held_out_name": "none",
    "held_out_low": None,
    "held_out_high": None,
    "axis": "both",
}
"""Of parameters that lineages of older releases lack."""


def _declared_ranges(c: Mapping[str, Any]) -> dict[str, list[Range]]:
    """The ranges that the curriculum itself draws from, regions aside. Where a length is the
    model's window, which is not known here, no length counts as never trained."""
    if c["clip_low_s"] is None:
        lengths = [(0.0, WINDOW)]
    else:
        high_s = float(c["clip_high_s"] or WINDOW)
        lengths = [(float(c["clip_low_s"]), WINDOW if c["long_share"] > 0 else high_s)]
    counts = [(float(c["count_low"]), float(c["count_high"]))]
    if c["detect_share"] > 0:
        counts.append((0.0, 1.0))
    return {
        "frequency_hz": [],
        "level_dbfs": [(c["level_low_dbfs"], c["level_high_dbfs"])],
        "event_duration_ms": [(c["event_low_ms"], c["event_high_ms"])],
        "gap_ms": [
            (-c["event_high_ms"], 0.0) if c["axis"] == "frequency" else (c["min_gap_ms"], WINDOW)
        ],
        "onset_s": [],
        "n_events": counts,
        "duration_s": lengths,
        "noise_sigma": [(c["sigma_low"], c["sigma_high"])],
    }


def _shares(c: Mapping[str, Any], regions: bool) -> dict[str, float]:
    """Share of each source; without regions the weak one falls back to the paper's."""
    weak, replay = float(c["weak_share"]), float(c["replay"])
    paper = max(0.0, 1 - weak - replay)
    return {
        "weak": weak if regions else 0.0,
        "replay": replay,
        "paper": paper if regions else paper + weak,
    }


def _add_region(
    ranges: dict[str, list[Range]], region: Mapping[str, Any], shares: Mapping[str, float]
) -> None:
    """A weak region's own ranges, where weak regions are drawn from at all."""
    if shares["weak"] <= 0:
        return
    for name, ends in region["ranges"].items():
        if name in ranges:
            ranges[name].append((float(ends[0]), float(ends[1])))


def _limit_places(
    ranges: dict[str, list[Range]],
    regions: Sequence[Mapping[str, Any]],
    shares: Mapping[str, float],
) -> None:
    """Where events lie: the paper's source and replay are taken to cover what the maps covered,
    weak regions that do not limit a place all there is."""
    probed = [r["probed"]["frequency_hz"] for r in regions if "frequency_hz" in r.get("probed", {})]
    low = max((p[0] for p in probed), default=0.0)
    high = min((p[1] for p in probed), default=WINDOW)
    elsewhere = shares["paper"] + shares["replay"] > _SLACK
    for name, all_of_it in (("frequency_hz", (low, high)), ("onset_s", (0.0, WINDOW))):
        free = any(name not in r["ranges"] for r in regions) and shares["weak"] > 0
        if elsewhere or free:
            ranges[name].append((0.0, WINDOW) if free and name == "frequency_hz" else all_of_it)


def _held_out(c: Mapping[str, Any]) -> dict[str, Range]:
    name, low, high = (c[f"held_out_{part}"] for part in ("name", "low", "high"))
    return {} if name == "none" else {name: (float(low), float(high))}


def _short(value: float) -> str:
    return f"{value:.4g}"


def overlapping(ends: Range, ranges: Ranges) -> str:
    """`inside` where everything from one end to the other lies in one range, `outside` where
    nothing but perhaps an end lies in any, else `partly`."""
    low, high = ends
    slack = _SLACK * max(abs(low), abs(high), 1.0)
    if any(a - slack <= low and high <= b + slack for a, b in ranges):
        return INSIDE
    return PARTLY if any(a < high and low < b for a, b in ranges) else OUTSIDE
