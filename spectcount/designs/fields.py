"""Declarations that several families share, so that a name means the same in each.

*Conventions*: each function makes one field of a declared class from its default; durations hold
their ramps, levels are dBFS re a full-scale sine.
"""

from __future__ import annotations

from typing import Any

from spectcount.params import param
from spectcount.scales import HIGHEST_HZ
from spectcount.stimulus import RAMPS


def duration_s(default: float = 4.0) -> Any:
    """Length of the clip."""
    return param(
        default, "Length of the clip.", low=0.5, high=30, step=0.1, unit="s", label="Clip",
        group="clip",
    )  # fmt: skip


def onset_s(default: float, help: str, label: str = "First onset") -> Any:
    """When the first sound begins."""
    return param(
        default, help, low=0, high=30, step=0.01, unit="s", label=label, slider_high=10,
        group="time",
    )  # fmt: skip


def onset_rove_s() -> Any:
    """How far the onset varies: a fixed clock then tells nothing."""
    return param(
        0.0, "Everything begins by up to this much earlier or later, uniformly, so that no moment "
        "of the clip tells the answer.", low=0, high=10, step=0.01, unit="s", label="Onset rove",
        slider_high=1, group="time",
    )  # fmt: skip


def length_ms(
    default: float, help: str, label: str, *, group: str = "events", high: float = 5000
) -> Any:
    """Length of a sound, ramps included."""
    return param(
        default, help, low=2, high=high, step=1, unit="ms", label=label, log=True,
        slider_high=1000, group=group,
    )  # fmt: skip


def frequency_hz(default: float, help: str, label: str, group: str = "frequency") -> Any:
    """A frequency up to where nothing folds back yet."""
    return param(
        default,
        help,
        low=20,
        high=HIGHEST_HZ,
        step=1,
        unit="Hz",
        label=label,
        log=True,
        group=group,
    )


def level_dbfs(default: float, help: str, label: str = "Level", group: str = "level") -> Any:
    """A level."""
    return param(default, help, low=-90, high=0, step=0.5, unit="dBFS", label=label, group=group)


def ramp_ms(default: float) -> Any:
    """Rise and fall, each."""
    return param(
        default, "Rise and fall, each this long, inside the duration.", low=0, high=500, step=0.5,
        unit="ms", label="Rise and fall", slider_high=50, group="events",
    )  # fmt: skip


def ramp() -> Any:
    """Shape of the ramps; raised cosine by default, as is usual in hearing research."""
    return param(
        "cosine", "Shape of rise and fall: a straight line, or a raised cosine.", choices=RAMPS,
        label="Ramps", group="events",
    )  # fmt: skip


def overall_rove_db(help: str, label: str = "Overall rove", group: str = "level") -> Any:
    """How far a level varies that is common to several sounds."""
    return param(0.0, help, low=0, high=40, step=0.5, unit="dB", label=label, slider_high=20,
                 group=group)  # fmt: skip


def noise_sigma(default: float = 0.001) -> Any:
    """White noise through the whole clip."""
    return param(
        default, "Standard deviation of the white noise (full scale = 1).", low=0, high=0.3,
        step=0.0001, label="Noise sigma", slider_high=0.1, group="noise",
    )  # fmt: skip
