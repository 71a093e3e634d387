"""Declarations that several families share, so that a name means the same in each.

*Conventions*: each function gives one field of a declared class from its default, its help and its
label; the name of the function is the quantity or the unit. Durations hold their ramps, levels are
dBFS re a full-scale sine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spectcount.params import param
from spectcount.scales import HIGHEST_HZ
from spectcount.stimulus import RAMPS


def names(words: str) -> tuple[str, ...]:
    """Names of parameters from a list in words."""
    return tuple(words.split())


def choice(default: str, help: str, choices: Iterable[str], label: str, group: str) -> Any:
    """One of several words."""
    return param(default, help, choices=choices, label=label, group=group)


def count(
    default: int,
    help: str,
    label: str,
    group: str = "events",
    *,
    low: int = 1,
    slider_high: int = 20,
) -> Any:
    """A number of sounds, up to 40."""
    return param(
        default, help, step=1, label=label, group=group, low=low, high=40, slider_high=slider_high
    )


def ms(
    default: float,
    help: str,
    label: str,
    group: str,
    *,
    low: float = 0,
    high: float = 2000,
    step: float = 1,
    log: bool = False,
    slider_high: float | None = None,
) -> Any:
    """A time in milliseconds."""
    return param(
        default,
        help,
        unit="ms",
        label=label,
        log=log,
        group=group,
        low=low,
        high=high,
        step=step,
        slider_high=slider_high,
    )


def percent(
    default: float,
    help: str,
    label: str,
    group: str,
    *,
    slider_high: float,
    high: float = 90,
    step: float = 1,
) -> Any:
    """A share in per cent."""
    return param(
        default,
        help,
        unit="%",
        label=label,
        group=group,
        low=0,
        high=high,
        step=step,
        slider_high=slider_high,
    )


def share(
    default: float,
    help: str,
    label: str,
    group: str,
    *,
    high: float = 1,
    step: float = 0.01,
) -> Any:
    """A share of a whole, or a place from its beginning to its end."""
    return param(default, help, low=0, high=high, step=step, label=label, group=group)


def cam(
    default: float,
    help: str,
    label: str,
    group: str,
    *,
    low: float = 0,
    high: float = 15,
    slider_high: float | None = None,
) -> Any:
    """A distance on the ERB-number scale."""
    return param(
        default,
        help,
        unit="Cam",
        label=label,
        group=group,
        low=low,
        high=high,
        step=0.1,
        slider_high=slider_high,
    )


def duration_s(default: float = 4.0) -> Any:
    """Length of the clip."""
    return param(
        default,
        "Length of the clip.",
        unit="s",
        label="Clip",
        group="clip",
        low=0.5,
        high=30,
        step=0.1,
    )


def onset_s(default: float, help: str, label: str = "First onset") -> Any:
    """Beginning of the first sound."""
    return param(
        default,
        help,
        unit="s",
        label=label,
        group="time",
        low=0,
        high=30,
        step=0.01,
        slider_high=10,
    )


def onset_rove_s() -> Any:
    """Rove of the onset: a fixed clock then tells nothing."""
    help = (
        "Everything begins by up to this much earlier or later, uniformly, so that no moment of "
        "the clip tells the answer."
    )
    return param(
        0.0,
        help,
        unit="s",
        label="Onset rove",
        group="time",
        low=0,
        high=10,
        step=0.01,
        slider_high=1,
    )


def length_ms(default: float, help: str, label: str, group: str = "events") -> Any:
    """Length of a sound, ramps included."""
    return ms(default, help, label, group, low=2, high=5000, log=True, slider_high=1000)


def spacing_ms(default: float, help: str) -> Any:
    """Silence between two sounds."""
    return ms(default, help, "Spacing", "time", high=5000, slider_high=1000)


def frequency_hz(default: float, help: str, label: str, group: str = "frequency") -> Any:
    """A frequency up to where nothing folds back yet."""
    return param(
        default,
        help,
        unit="Hz",
        label=label,
        log=True,
        group=group,
        low=20,
        high=HIGHEST_HZ,
        step=1,
    )


def bandwidth_hz(
    default: float,
    help: str,
    label: str,
    group: str,
    *,
    high: float = 7900,
    slider_high: float | None = None,
) -> Any:
    """Width of a band of noise."""
    return param(
        default,
        help,
        unit="Hz",
        label=label,
        log=True,
        group=group,
        low=5,
        high=high,
        step=5,
        slider_high=slider_high,
    )


def level_dbfs(default: float | None, help: str, label: str = "Level", group: str = "level") -> Any:
    """A level; None where it may be left out."""
    return param(
        default, help, kind=float, unit="dBFS", label=label, group=group, low=-90, high=0, step=0.5
    )


def db(
    default: float,
    help: str,
    label: str,
    group: str = "level",
    *,
    low: float = 0,
    step: float = 0.5,
) -> Any:
    """A difference in level, or how far a level varies."""
    return param(
        default,
        help,
        unit="dB",
        label=label,
        group=group,
        low=low,
        high=40,
        step=step,
        slider_high=20,
    )


def e_n0_db(help: str, group: str, *, low: float) -> Any:
    """Energy of a sound over the density of the noise; empty unless it is set."""
    return param(
        None, help, kind=float, unit="dB", label="E/N0", group=group, low=low, high=80, step=0.5
    )


def phase_deg(help: str, label: str, group: str) -> Any:
    """A phase; empty: random."""
    return param(
        None, help, kind=float, unit="deg", label=label, group=group, low=0, high=360, step=1
    )


def ramp_ms(
    default: float,
    help: str = "Rise and fall, each this long, inside the duration.",
    label: str = "Rise and fall",
) -> Any:
    """Rise and fall, or one of them."""
    return ms(default, help, label, "events", high=500, step=0.5, slider_high=50)


def ramp(default: str = "cosine") -> Any:
    """Shape of the ramps; raised cosine by default, as is usual in hearing research."""
    help = "Shape of rise and fall: a straight line, or a raised cosine."
    return choice(default, help, RAMPS, "Ramps", "events")


def noise_sigma(
    default: float | None = 0.001,
    help: str = "Standard deviation of the white noise (full scale = 1).",
    label: str = "Noise sigma",
) -> Any:
    """White noise through the whole clip."""
    return param(
        default,
        help,
        kind=float,
        label=label,
        group="noise",
        low=0,
        high=0.3,
        step=0.0001,
        slider_high=0.1,
    )
