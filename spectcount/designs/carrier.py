"""Carriers: steady sounds, whose level and frequency may vary from trial to trial.

*Conventions*: a carrier is white noise, a band of noise or a tone; the level is that of the sine
with the same RMS. Roves are uniform, on the scale that their unit names (Cam: ERB-number, Glasberg
& Moore 1990, Hear. Res. 47:103), and one draw holds for both sounds of a pair, so that what is
roved is no cue to the answer.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from spectcount.designs import fields
from spectcount.designs.base import Ramped, event
from spectcount.errors import UserError
from spectcount.scales import HIGHEST_HZ, erb_number, erb_number_to_hz
from spectcount.stimulus import Event

CARRIERS = {"white": "white", "band": "noise", "tone": "sine"}
"""Kind of carrier -> wave of its event."""
LOWEST_HZ = 20.0
MIDDLE_HZ = 4000.0
"""Stands as the frequency of white noise: the middle of its band."""


def carrier_wave(default: str = "white") -> Any:
    """The field that chooses the carrier."""
    help = "What sounds: white noise, a band of noise, or a tone."
    return fields.choice(default, help, CARRIERS, "Carrier", "carrier")


def frequency_hz() -> Any:
    """The frequency of a carrier."""
    help = "A tone's frequency, or the centre of a band; white noise has none."
    return fields.frequency_hz(1000.0, help, "Carrier frequency", "carrier")


def bandwidth_hz() -> Any:
    """The width of a noise band."""
    help = "Width of a band of noise. The narrower, the more it fluctuates by itself."
    return fields.bandwidth_hz(400.0, help, "Carrier bandwidth", "carrier", slider_high=4000)


def level_rove_db() -> Any:
    """Rove of the level."""
    help = "Each level varies uniformly by up to this much either way: loudness is then no cue."
    return fields.db(0.0, help, "Level rove")


def frequency_rove_cam() -> Any:
    """Rove of the frequency."""
    help = (
        "The frequency varies by up to this much either way, uniformly on the ERB-number scale; "
        "0: always the same."
    )
    return fields.cam(0.0, help, "Frequency rove", "frequency")


class Carried(Ramped, Protocol):
    """A design whose sound is a carrier."""

    @property
    def onset_s(self) -> float: ...

    @property
    def carrier_wave(self) -> str: ...

    @property
    def frequency_hz(self) -> float: ...

    @property
    def bandwidth_hz(self) -> float: ...


def sound(
    design: Carried, length_ms: float, level_dbfs: float, rng: np.random.Generator, **more: Any
) -> Event:
    """The carrier of a design, phase and noise drawn; `more` are other fields of an `Event`."""
    phase_deg, seed = rng.uniform(0, 360), int(rng.integers(2**31))
    f_hz = design.frequency_hz
    if design.carrier_wave == "white":
        more |= {"wave": "white", "frequency_hz": MIDDLE_HZ, "seed": seed}
    elif design.carrier_wave == "band":
        more |= {"wave": "noise", "frequency_hz": f_hz, "seed": seed}
        more |= {"bandwidth_hz": design.bandwidth_hz}
    else:
        more |= {"wave": "sine", "frequency_hz": f_hz, "phase_deg": phase_deg}
    return event(design, design.onset_s, length_ms, level_dbfs, **more)


def rove_db(level_dbfs: float, rove: float, rng: np.random.Generator) -> float:
    """A level within the rove, dBFS."""
    return level_dbfs + rng.uniform(-1, 1) * rove


def rove_hz(f_hz: float, rove_cam: float, rng: np.random.Generator) -> float:
    """A frequency within the rove, uniform in ERB-number, Hz."""
    place = rng.uniform(-1, 1)
    return float(erb_number_to_hz(erb_number(f_hz) + place * rove_cam)) if rove_cam else f_hz


def shifted_hz(f_hz: float, cam: float) -> float:
    """A frequency so many Cam higher, Hz."""
    return float(erb_number_to_hz(erb_number(f_hz) + cam)) if cam else f_hz


def refuse_level(level_dbfs: float, most_above_db: float, remedy: str) -> None:
    """Raise `UserError` where the loudest level that can be drawn is above full scale."""
    if level_dbfs + most_above_db > 1e-9:
        raise UserError(
            f"level_dbfs={level_dbfs:g} can become {level_dbfs + most_above_db:.2f} dBFS, the "
            f"limit is 0; lower level_dbfs or {remedy}"
        )


def refuse_frequency(low_hz: float, high_hz: float, remedy: str) -> None:
    """Raise `UserError` where frequencies can be drawn that a clip does not hold."""
    if low_hz < LOWEST_HZ - 1e-6 or high_hz > HIGHEST_HZ + 1e-6:
        raise UserError(
            f"frequencies from {low_hz:.0f} to {high_hz:.0f} Hz can be drawn, the limits are "
            f"{LOWEST_HZ:g} and {HIGHEST_HZ:g} Hz; {remedy}"
        )


def roved_band_hz(f_hz: float, rove_cam: float) -> tuple[float, float]:
    """Lowest and highest frequency of a rove, Hz."""
    ends = erb_number_to_hz(erb_number(f_hz) + np.array([-rove_cam, rove_cam]))
    return float(ends[0]), float(ends[1])
