"""What a steady sound is made of, and how its level and frequency may vary from trial to trial.

*Conventions*: a carrier is white noise, a band of noise or a tone; the level is that of the sine
with the same RMS. Roves are uniform, on the scale that their unit names (Cam: ERB-number, Glasberg
& Moore 1990, Hear. Res. 47:103), and one draw holds for both sounds of a pair, so that what is
roved is no cue to the answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spectcount.errors import UserError
from spectcount.params import param
from spectcount.scales import HIGHEST_HZ, erb_number, erb_number_to_hz

CARRIERS = {"white": "white", "band": "noise", "tone": "sine"}
"""Kind of carrier -> wave of its event."""
LOWEST_HZ = 20.0
MIDDLE_HZ = 4000.0
"""What stands as the frequency of white noise: the middle of its band."""


def carrier_wave(default: str = "white") -> Any:
    """The field that chooses the carrier."""
    return param(
        default, "What sounds: white noise, a band of noise, or a tone.", choices=CARRIERS,
        label="Carrier", group="carrier",
    )  # fmt: skip


def frequency_hz(default: float = 1000.0) -> Any:
    """A carrier's frequency."""
    return param(
        default, "A tone's frequency, or the centre of a band; white noise has none.",
        low=LOWEST_HZ, high=HIGHEST_HZ, step=1, unit="Hz", label="Carrier frequency", log=True,
        group="carrier",
    )  # fmt: skip


def bandwidth_hz(default: float = 400.0, label: str = "Carrier bandwidth") -> Any:
    """The width of a noise band."""
    return param(
        default, "Width of a band of noise. The narrower, the more it fluctuates by itself.",
        low=5, high=7900, step=5, unit="Hz", label=label, log=True, slider_high=4000,
        group="carrier",
    )  # fmt: skip


def level_rove_db() -> Any:
    """Rove of the level."""
    return param(
        0.0, "Each level varies uniformly by up to this much either way: loudness is then no cue.",
        low=0, high=40, step=0.5, unit="dB", label="Level rove", slider_high=20, group="level",
    )  # fmt: skip


def frequency_rove_cam() -> Any:
    """Rove of the frequency."""
    return param(
        0.0, "The frequency varies by up to this much either way, uniformly on the ERB-number "
        "scale; 0: always the same.", low=0, high=15, step=0.1, unit="Cam",
        label="Frequency rove", group="frequency",
    )  # fmt: skip


def sound(kind: str, f_hz: float, width_hz: float, rng: np.random.Generator) -> dict[str, Any]:
    """The fields of an Event that make it a carrier of this kind, phase and noise drawn."""
    phase_deg, seed = rng.uniform(0, 360), int(rng.integers(2**31))
    if kind == "white":
        return {"wave": "white", "frequency_hz": MIDDLE_HZ, "seed": seed}
    if kind == "band":
        return {"wave": "noise", "frequency_hz": f_hz, "bandwidth_hz": width_hz, "seed": seed}
    return {"wave": "sine", "frequency_hz": f_hz, "phase_deg": phase_deg}


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
