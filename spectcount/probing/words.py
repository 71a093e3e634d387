"""Places on a map in words: "above 6.1 kHz, any time".

Conventions: a range that reaches the axis' lower end is "below" its upper bound, one that reaches
the upper end "above" its lower bound, the whole axis is "any"; time and level have words of their
own; a band of frequencies is told in Hz and in channels of Whisper's mel front end, whatever its
axis counts in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from spectcount.probing.axes import Axis
from spectcount.scales import N_MELS, mel_channel

FREQUENCY = "frequency_hz"
WORDS = {
    FREQUENCY: ("at any frequency", "below {}", "above {}", "between {} and {}", "at {}"),
    "onset_s": (
        "any time",
        "early in the clip (before {})",
        "late in the clip (after {})",
        "between {} and {}",
        "at {}",
    ),
    "level_dbfs": (
        "at any level",
        "quieter than {}",
        "louder than {}",
        "between {} and {}",
        "at {}",
    ),
}


def place_words(axes: Sequence[Axis], first: Sequence[int], last: Sequence[int]) -> str:
    """The cells `first`..`last` along each axis in words, frequency first and time last."""
    parts = []
    for axis, a, b in zip(axes, first, last, strict=True):
        name, _ = axis.span(a, b)
        parts.append(((name != FREQUENCY) + 2 * (name == "onset_s"), span_words(axis, a, b)))
    return ", ".join(text for _, text in sorted(parts, key=lambda p: p[0]))


def place_of(axes: Sequence[Axis], cell: Sequence[int]) -> str:
    """One cell (x, y) in words; y counts where there is an axis up."""
    return place_words(axes, at := cell[: len(axes)], at)


def span_words(axis: Axis, first: int, last: int) -> str:
    """Cells `first`..`last` of one axis in words."""
    name, (low, high) = axis.span(first, last)
    label = (axis.declared.label or axis.name).lower()
    words = WORDS.get(
        name,
        (
            f"any {label}",
            f"{label} below {{}}",
            f"{label} above {{}}",
            f"{label} {{}} to {{}}",
            f"{label} {{}}",
        ),
    )
    unit = {FREQUENCY: "Hz", "onset_s": "s"}.get(name, axis.declared.unit)
    if axis.n > 1 and first == 0 and last == axis.n - 1:
        return words[0]
    ends = (quantity(low, unit), quantity(high, unit))
    channels = f" ({mel_words(low, high)})" if name == FREQUENCY else ""
    if low == high:
        return words[4].format(ends[0]) + channels
    if axis.points or (first == 0) == (last == axis.n - 1):
        return words[3].format(*ends) + channels
    return (words[1].format(ends[1]) if first == 0 else words[2].format(ends[0])) + channels


def is_of_frequency(axis: Axis) -> bool:
    """True where an axis says where in the spectrum the events lie, in Hz or in mel channels."""
    return axis.span(0, 0)[0] == FREQUENCY


def cell_words(axis: Axis, i: int) -> str:
    """Cell `i` of an axis, for its scale, for hovering and for a table: the number or the range
    that the axis counts in; of frequencies both Hz and mel channels."""
    name, (low, high) = axis.span(i, i)
    if name == FREQUENCY:
        return f"{band_words(low, high)} ({mel_words(low, high)})"
    low, high = axis.bounds(i)
    if axis.whole and not axis.points:
        return f"{low:g}" if low == high else f"{low:g}–{high:g}"
    middle = axis.middle(i)
    return f"{middle:.3g}" if abs(middle) < 1000 else f"{middle:.0f}"


def band_words(low_hz: float, high_hz: float) -> str:
    """A band of frequencies in one unit: "440–790 Hz", "3.1–6.4 kHz"."""
    if low_hz == high_hz:
        return quantity(low_hz, "Hz")
    unit, by = ("kHz", 1000.0) if high_hz >= 1000 else ("Hz", 1.0)
    low, high = (f"{float(f'{hz / by:.2g}'):g}" for hz in (low_hz, high_hz))
    return f"{low}–{high} {unit}"


def mel_words(low_hz: float, high_hz: float) -> str:
    """The mel channels whose centres lie in a band, the nearest where none does: "mel 96–111"."""
    low, high = float(mel_channel(low_hz)), float(mel_channel(high_hz))
    first, last = max(0, math.ceil(low)), min(N_MELS - 1, math.floor(high))
    if first >= last:
        return f"mel {min(N_MELS - 1, max(0, round((low + high) / 2)))}"
    return f"mel {first}–{last}"


def quantity(value: float, unit: str) -> str:
    """A value with its unit, two or three digits: "6.1 kHz", "440 Hz", "-40 dBFS"."""
    if unit == "Hz" and abs(value) >= 1000:
        return f"{value / 1000:.2g} kHz" if abs(value) < 9950 else f"{value / 1000:.3g} kHz"
    return f"{float(f'{value:.3g}'):g} {unit}".strip()
