"""Axes of a probe: what a cell's index means, in the design's own parameters.

Conventions: an axis has n cells between n + 1 rising edges, or n exact levels. Special axes are
`time` (onset of the probe's first event, s), `frequency` (centre of the events, Hz, cells equally
wide on Slaney's mel scale) and `mel_channel` (0..127, each event on a random channel of the
cell); every other axis is a numeric parameter of the design family, linear or logarithmic as
declared. Ends are inclusive; cells of a whole-number axis hold whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.designs import FAMILIES, Design
from spectcount.errors import UserError
from spectcount.params import Param
from spectcount.scales import HIGHEST_HZ, N_MELS, hz_to_mel, mel_centres_hz, mel_channel, mel_to_hz
from spectcount.stimulus import Stimulus

HIGHEST_CHANNEL = int(np.flatnonzero(mel_centres_hz() <= HIGHEST_HZ)[-1])
"""The last mel channel whose centre may be drawn."""
SPECIAL = {
    "time": Param(
        "time", float, 0.0, "Onset of the first event.", low=0, high=30, unit="s", label="Onset"
    ),
    "frequency": Param(
        "frequency",
        float,
        1000.0,
        "Centre frequency of the events, in cells equally wide in mel.",
        low=20,
        high=HIGHEST_HZ,
        unit="Hz",
        label="Frequency",
    ),
    "mel_channel": Param(
        "mel_channel",
        int,
        0,
        "Mel channel of the events' centres (Whisper's 128 bands).",
        low=0,
        high=HIGHEST_CHANNEL,
        label="Mel channel",
    ),
}
SEQUENCE_AXES = ("time", "onset_s", "gap_ms", "gap_jitter_ms")
SPREAD_AXES = ("frequency_overlap",)


def _numeric(design: type[Design]) -> dict[str, Param]:
    return {n: p for n, p in design.params().items() if p.numeric and p.low is not None}


AXIS_NAMES = (*SPECIAL, *dict.fromkeys(n for d in FAMILIES.values() for n in _numeric(d)))


def declaration(name: str, design: type[Design]) -> Param:
    """The declaration of axis `name` for a design family; refuses axes it does not have."""
    known = {**(SPECIAL if design.family == "pulses" else {}), **_numeric(design)}
    if name not in known:
        raise UserError(
            f"axis {name!r} is no numeric parameter of {design.family}; choose one of "
            + ", ".join(known)
        )
    return known[name]


@dataclass(frozen=True)
class Axis:
    """One axis. `edges`: n + 1 bounds of the cells (whole-number axes: first number of each cell
    and one past the last), or the n levels themselves where `points`."""

    declared: Param
    edges: tuple[float, ...]
    points: bool = False

    @property
    def name(self) -> str:
        return self.declared.name

    @property
    def label(self) -> str:
        return self.declared.axis_label

    @property
    def n(self) -> int:
        return len(self.edges) if self.points else len(self.edges) - 1

    @property
    def whole(self) -> bool:
        return self.declared.kind is int

    def bounds(self, i: int) -> tuple[float, float]:
        """Lowest and highest value of cell `i`, both inclusive."""
        if self.points:
            return self.edges[i], self.edges[i]
        return self.edges[i], self.edges[i + 1] - (1 if self.whole else 0)

    def middle(self, i: int) -> float:
        """Centre of cell `i` on the axis' own scale."""
        low, high = self.bounds(i)
        return float(_unscale(self.declared, np.mean(_scale(self.declared, np.array([low, high])))))

    @property
    def middles(self) -> list[float]:
        """Centres of all cells, rising."""
        return [self.middle(i) for i in range(self.n)]

    def draw(self, i: int, rng: np.random.Generator) -> float:
        """A random value within cell `i`, uniform on the axis' scale."""
        low, high = self.bounds(i)
        place = rng.uniform()
        if self.points:
            return low
        if self.whole:
            return int(low + np.floor(place * (high - low + 1)))
        a, b = _scale(self.declared, np.array([low, high]))
        return round(float(_unscale(self.declared, a + place * (b - a))), 6)

    def assign(self, i: int, value: float) -> dict[str, Any]:
        """The design parameters that put a stimulus at `value` of cell `i`; on `mel_channel` the
        whole cell's band, from which each event draws a channel."""
        if self.name == "time":
            return {"placement": "sequence", "onset_s": value}
        if self.name == "frequency":
            return _at_centre(value)
        if self.name == "mel_channel":
            low, high = (mel_centres_hz()[int(c)] for c in self.bounds(i))
            return {
                "frequency_low_hz": float(low) - 0.001,
                "frequency_high_hz": float(high) + 0.001,
                "frequency_order": "random_mel",
            }
        return {self.name: self.declared.validate(value)}

    def found(self, value: float, stimulus: Stimulus) -> float:
        """`value`, or on `mel_channel` the mean channel that the events were drawn at."""
        if self.name != "mel_channel" or not stimulus.events:
            return value
        return round(float(np.mean([mel_channel(e.frequency_hz) for e in stimulus.events])), 2)

    def span(self, first: int, last: int) -> tuple[str, tuple[float, float]]:
        """(parameter, (low, high)) of cells `first`..`last`, in words that a curriculum knows:
        `onset_s`, `frequency_hz`, or the design parameter's own name."""
        low, high = self.bounds(first)[0], self.bounds(last)[1]
        if self.name == "time":
            return "onset_s", (low, high)
        if self.name == "frequency":
            return "frequency_hz", (low, high)
        if self.name == "mel_channel":
            edges = mel_to_hz((np.array([low - 0.5, high + 0.5]) + 1) * _MEL_STEP)
            return "frequency_hz", (round(float(edges[0]), 1), round(float(edges[1]), 1))
        return self.name, (low, high)

    def cell_text(self, i: int) -> str:
        """The cell in words, for messages: "onset_s 0.5..1"."""
        low, high = self.bounds(i)
        unit = f" {self.declared.unit}" if self.declared.unit else ""
        span = f"{low:g}" if low == high else f"{low:g}..{high:g}"
        return f"{self.name}={span}{unit}"


_MEL_STEP = float(hz_to_mel(8000.0)) / (N_MELS + 1)


def _at_centre(f_hz: float) -> dict[str, Any]:
    return {"frequency_low_hz": f_hz, "frequency_high_hz": f_hz, "frequency_order": "rising"}


def cell_axis(declared: Param, low: float | None, high: float | None, n: int) -> Axis:
    """`n` cells from `low` to `high` (None: the declared range)."""
    low, high = _range(declared, low, high)
    if declared.kind is int:
        available = int(high - low + 1)
        if n > available:
            raise UserError(
                f"{declared.name}: {n} cells over {low:g}..{high:g} would leave some without a "
                f"whole number; use at most {available} cells or widen the range"
            )
        edges = np.round(np.linspace(low, high + 1, n + 1)).astype(int).tolist()
        return Axis(declared, tuple(edges))
    if low == high:
        raise UserError(
            f"{declared.name}: the range {low:g}..{high:g} is empty; give it two different ends"
        )
    return Axis(declared, _steps(declared, low, high, n + 1))


def level_axis(declared: Param, low: float | None, high: float | None, n: int) -> Axis:
    """`n` exact levels from `low` to `high` (None: the declared range)."""
    low, high = _range(declared, low, high)
    if n > 1 and low == high:
        raise UserError(
            f"{declared.name}: {n} levels over {low:g}..{high:g} would be all the same; "
            "widen the range or ask for one level"
        )
    steps = _steps(declared, low, high, n)
    if declared.kind is int:
        steps = tuple(round(s) for s in steps)
        if len(set(steps)) < n:
            raise UserError(
                f"{declared.name}: {n} levels over {low:g}..{high:g} are not all different whole "
                f"numbers; use at most {int(high - low) + 1} levels"
            )
    return Axis(declared, steps, points=True)


def _range(declared: Param, low: float | None, high: float | None) -> tuple[float, float]:
    top = declared.high if declared.slider_high is None else declared.slider_high
    a = declared.validate(declared.low if low is None else low)
    b = declared.validate(top if high is None else high)
    if a > b:
        raise UserError(f"{declared.name}: the range {a:g}..{b:g} runs backwards; swap its ends")
    return a, b


def _steps(declared: Param, low: float, high: float, n: int) -> tuple[float, ...]:
    ends = _scale(declared, np.array([low, high]))
    inner = _unscale(declared, np.linspace(ends[0], ends[1], n))
    steps = [round(float(v), 6) for v in inner]
    steps[0] = low
    if n > 1:
        steps[-1] = high
    return tuple(steps)


def _scale(declared: Param, values: np.ndarray) -> np.ndarray:
    if declared.name == "frequency":
        return np.asarray(hz_to_mel(values))
    return np.log(values) if _logarithmic(declared) else np.asarray(values, float)


def _unscale(declared: Param, values: Any) -> Any:
    if declared.name == "frequency":
        return mel_to_hz(values)
    return np.exp(values) if _logarithmic(declared) else values


def _logarithmic(declared: Param) -> bool:
    return declared.log and declared.low is not None and declared.low > 0
