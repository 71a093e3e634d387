"""What a threshold surface is before its first trial, and its two axes.

*Conventions*: as `surface`; `v` and `z` are the scaled axes of `surface_model`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from spectcount.errors import UserError
from spectcount.psychophysics.psychometric import from_axis, to_axis
from spectcount.psychophysics.surface_model import SurfaceModel

_MAX_NODES = 40


@dataclass(frozen=True)
class SurfaceOptions:
    """A surface before its first trial.

    `x1`, `x2`: ranges (low, high). `nodes`: places along x2 where the threshold is reported, equal
    steps on its axis, straight lines between. `guess`, `lapse`: known rates, None where free.
    `candidates`: places tried for the next trial, along x1 and x2. The track ends after
    `max_trials`, or when the mean half-width of the intervals is below `half_width` parts of x1's
    range. `seed`: of the candidates' jitter.
    """

    x1: tuple[float, float]
    x2: tuple[float, float]
    nodes: int = 10
    guess: float | None = 0.5
    lapse: float | None = 0.02
    log1: bool = False
    log2: bool = False
    falling: bool = False
    function: str = "logistic"
    candidates: tuple[int, int] = (24, 16)
    max_trials: int = 300
    half_width: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, ends, log in (("x1", self.x1, self.log1), ("x2", self.x2, self.log2)):
            low, high = (float(end) for end in ends)
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise UserError(f"{name}={low:g}..{high:g} is no range; give low below high")
            if log and low <= 0:
                raise UserError(f"{name} from {low:g} has no logarithm; start above 0, or log off")
            object.__setattr__(self, name, (low, high))
        if not 1 <= self.nodes <= _MAX_NODES:
            raise UserError(f"nodes={self.nodes} is outside 1..{_MAX_NODES}; give one inside")
        for name, rate in (("guess", self.guess), ("lapse", self.lapse)):
            if rate is not None and not 0 <= rate < 1:
                raise UserError(f"{name}={rate} is no rate; give 0..1, or None to fit it")
        if (self.guess or 0) + (self.lapse or 0) >= 1:
            raise UserError(
                f"guess={self.guess} and lapse={self.lapse} leave nothing to measure; lower one"
            )
        if min(*self.candidates, self.max_trials) < 1:
            raise UserError("candidates and max_trials count from 1; give 1 or more")
        if self.half_width is not None and not self.half_width > 0:
            raise UserError(f"half_width={self.half_width} is never reached; give one above 0")
        self.model.shape  # noqa: B018 - raises for an unknown function

    @functools.cached_property
    def model(self) -> SurfaceModel:
        return SurfaceModel(self.nodes, self.function, self.guess, self.lapse)

    def to_inner(self, x1, x2) -> tuple[np.ndarray, np.ndarray]:
        """Levels as (v, z) of `surface_model`; raises `UserError` for 0 or less on a log axis."""
        for name, x, log in (("x1", x1, self.log1), ("x2", x2, self.log2)):
            if log and np.any(np.asarray(x) <= 0):
                raise UserError(f"{name}={np.min(x):g} has no logarithm; give levels above 0")
        v, z = _scaled(x1, self.x1, self.log1) - 0.5, _scaled(x2, self.x2, self.log2)
        return (-v if self.falling else v), z

    def x1_of(self, v) -> np.ndarray:
        return _unscaled((-v if self.falling else v) + 0.5, self.x1, self.log1)

    def x2_of(self, z) -> np.ndarray:
        return _unscaled(z, self.x2, self.log2)


def _scaled(x, ends: tuple[float, float], log: bool) -> np.ndarray:
    low, high = to_axis(np.array(ends), log)
    return (to_axis(x, log) - low) / (high - low)


def _unscaled(share, ends: tuple[float, float], log: bool):
    low, high = to_axis(np.array(ends), log)
    return from_axis(low + np.asarray(share) * (high - low), log)
