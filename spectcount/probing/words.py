"""Places on a map in words: "above 6.1 kHz, any time".

Conventions: a range that reaches the axis' lower end is "below" its upper bound, one that reaches
the upper end "above" its lower bound, the whole axis is "any"; time and level have words of their
own.
"""

from __future__ import annotations

from collections.abc import Sequence

from spectcount.probing.axes import Axis

WORDS = {
    "frequency_hz": ("at any frequency", "below {}", "above {}", "between {} and {}", "at {}"),
    "onset_s": (
        "any time", "early in the clip (before {})", "late in the clip (after {})",
        "between {} and {}", "at {}",
    ),
    "level_dbfs": (
        "at any level", "quieter than {}", "louder than {}", "between {} and {}", "at {}",
    ),
}  # fmt: skip


def place_words(axes: Sequence[Axis], first: Sequence[int], last: Sequence[int]) -> str:
    """The cells `first`..`last` along each axis in words, frequency first and time last."""
    parts = []
    for axis, a, b in zip(axes, first, last, strict=True):
        name, _ = axis.span(a, b)
        parts.append(((name != "frequency_hz") + 2 * (name == "onset_s"), span_words(axis, a, b)))
    return ", ".join(text for _, text in sorted(parts, key=lambda p: p[0]))


def span_words(axis: Axis, first: int, last: int) -> str:
    """Cells `first`..`last` of one axis in words."""
    name, (low, high) = axis.span(first, last)
    label = (axis.declared.label or axis.name).lower()
    words = WORDS.get(
        name,
        (f"any {label}", f"{label} below {{}}", f"{label} above {{}}", f"{label} {{}} to {{}}",
         f"{label} {{}}"),
    )  # fmt: skip
    unit = {"frequency_hz": "Hz", "onset_s": "s"}.get(name, axis.declared.unit)
    if axis.n > 1 and first == 0 and last == axis.n - 1:
        return words[0]
    if low == high:
        return words[4].format(quantity(low, unit))
    if axis.points or (first > 0 and last < axis.n - 1):
        return words[3].format(quantity(low, unit), quantity(high, unit))
    if first == 0 and last < axis.n - 1:
        return words[1].format(quantity(high, unit))
    if first > 0:
        return words[2].format(quantity(low, unit))
    return words[3].format(quantity(low, unit), quantity(high, unit))


def quantity(value: float, unit: str) -> str:
    """A value with its unit, two or three digits: "6.1 kHz", "440 Hz", "-40 dBFS"."""
    if unit == "Hz" and abs(value) >= 1000:
        return f"{value / 1000:.2g} kHz" if abs(value) < 9950 else f"{value / 1000:.3g} kHz"
    return f"{value:.3g} {unit}".strip()
