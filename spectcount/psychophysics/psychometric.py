"""Psychometric functions: how the chance of a success grows, or falls, with the level.

psi(x) = guess + (1 - guess - lapse) F(x).

*Conventions*: F is one of `FUNCTIONS` and is given by two numbers that mean the same for all of
them: `threshold`, the level where F = 0.5, and `width`, the distance between the levels where
F = 0.05 and F = 0.95 (always positive). A `falling` function is the rising one mirrored at its
threshold: more of the parameter is harder (an overlap, a noise level). On a `log` axis F is taken
on log10(x): `threshold` stays in the unit of x, `width` counts decades, and level 0 is allowed
(F = 0, or 1 where falling). "weibull" on a log axis is the usual Weibull function
1 - exp(-(x / alpha)^beta); on levels in dB it needs no log axis.

The unit in which biases and errors of a threshold are told is `slope_unit`, the standard
deviation of F read as a distribution: width / 3.2897 for the Gaussian (its sigma), width / 3.2466
for the logistic, width / 3.1714 for the Weibull. It counts decades on a log axis.

Sources: Wichmann & Hill (2001), Percept. Psychophys. 63:1293, for psi; Schuett, Harmeling, Macke
& Wichmann (2016), Vision Res. 122:105, for threshold and width; Watson (2017), J. Vis. 17(3):10,
for the Weibull function of decibels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtr, ndtri

from spectcount.errors import UserError

_GAUSSIAN = float(ndtri(0.95) - ndtri(0.05))
_LOGISTIC = float(logit(0.95) - logit(0.05))
_WEIBULL = math.log(-math.log(0.05)) - math.log(-math.log(0.95))
_LOG_LN2 = math.log(math.log(2))


@dataclass(frozen=True)
class Shape:
    """F in its standard form, threshold 0 and width 1: `cdf`, its derivative `density`, its
    inverse `quantile`; `sd` is the standard deviation."""

    cdf: Callable[[Any], Any]
    density: Callable[[Any], Any]
    quantile: Callable[[Any], Any]
    sd: float


def _weibull_density(z: Any) -> Any:
    rate = np.exp(np.minimum(_WEIBULL * z + _LOG_LN2, 50.0))
    return _WEIBULL * rate * np.exp(-rate)


FUNCTIONS: dict[str, Shape] = {
    "gaussian": Shape(
        cdf=lambda z: ndtr(_GAUSSIAN * z),
        density=lambda z: _GAUSSIAN * np.exp(-((_GAUSSIAN * z) ** 2) / 2) / math.sqrt(2 * math.pi),
        quantile=lambda p: ndtri(p) / _GAUSSIAN,
        sd=1 / _GAUSSIAN,
    ),
    "logistic": Shape(
        cdf=lambda z: expit(_LOGISTIC * z),
        density=lambda z: _LOGISTIC * expit(_LOGISTIC * z) * expit(-_LOGISTIC * z),
        quantile=lambda p: logit(p) / _LOGISTIC,
        sd=math.pi / math.sqrt(3) / _LOGISTIC,
    ),
    "weibull": Shape(
        cdf=lambda z: -np.expm1(-np.exp(np.minimum(_WEIBULL * z + _LOG_LN2, 50.0))),
        density=_weibull_density,
        quantile=lambda p: (np.log(-np.log1p(-p)) - _LOG_LN2) / _WEIBULL,
        sd=math.pi / math.sqrt(6) / _WEIBULL,
    ),
}
"""The functions F by name."""


def shape(function: str) -> Shape:
    """The standard form of a function by its name."""
    if function not in FUNCTIONS:
        raise UserError(f"function={function!r} is not known; choose one of {', '.join(FUNCTIONS)}")
    return FUNCTIONS[function]


def to_axis(x: ArrayLike, log: bool) -> np.ndarray:
    """Levels on the axis on which F is taken: as they are, or log10; negative levels have no
    logarithm and are refused."""
    x = np.asarray(x, float)
    if not log:
        return x
    if np.any(x < 0):
        raise UserError(f"level {x.min():g} has no place on a log axis; give 0 or more, or log off")
    with np.errstate(divide="ignore"):
        return np.log10(x)


def from_axis(u: ArrayLike, log: bool) -> Any:
    """The inverse of `to_axis`; a float for a number, an array for an array."""
    with np.errstate(over="ignore"):
        x = 10.0 ** np.asarray(u, float) if log else np.asarray(u, float)
    return float(x) if np.ndim(x) == 0 else x


@dataclass(frozen=True)
class Psychometric:
    """One psychometric function; call it on levels of any shape for chances of that shape."""

    function: str = "gaussian"
    threshold: float = 0.0
    width: float = 1.0
    guess: float = 0.5
    lapse: float = 0.0
    falling: bool = False
    log: bool = False

    def __post_init__(self) -> None:
        shape(self.function)
        if not math.isfinite(self.threshold) or (self.log and self.threshold <= 0):
            ask = "a number above 0" if self.log else "a finite number"
            raise UserError(f"threshold={self.threshold} is no level; give {ask}")
        if not (math.isfinite(self.width) and self.width > 0):
            raise UserError(f"width={self.width} is no width; give a number above 0")
        if not (0 <= self.guess < 1 and 0 <= self.lapse < 1 and self.guess + self.lapse < 1):
            raise UserError(
                f"guess={self.guess} and lapse={self.lapse} leave nothing to measure; give "
                "rates of 0 or more whose sum is below 1"
            )

    def __call__(self, x: ArrayLike) -> Any:
        """psi(x): the chance of a success at level `x`."""
        p = self.guess + self._range * self.unscaled(x)
        return float(p) if np.ndim(p) == 0 else p

    def unscaled(self, x: ArrayLike) -> Any:
        """F(x), without guess and lapse."""
        u = to_axis(x, self.log)
        p = shape(self.function).cdf(self._sign * (u - self._centre) / self.width)
        return float(p) if np.ndim(p) == 0 else p

    def at(self, p: ArrayLike) -> Any:
        """The level where F = `p`; 0 and 1 give the ends of the axis; nan outside 0..1."""
        with np.errstate(divide="ignore", invalid="ignore"):
            z = shape(self.function).quantile(np.asarray(p, float))
        return from_axis(self._centre + self._sign * self.width * z, self.log)

    def level_for(self, pc: ArrayLike) -> Any:
        """The level where psi = `pc`; nan where no level reaches it."""
        p = (np.asarray(pc, float) - self.guess) / self._range
        return self.at(np.where((p > 0) & (p < 1), p, np.nan))

    @property
    def slope(self) -> float:
        """d psi / dx at the threshold, per unit of x (per decade on a log axis); negative where
        the function falls."""
        return self._sign * self._range * float(shape(self.function).density(0.0)) / self.width

    @property
    def slope_unit(self) -> float:
        """The standard deviation of F (see the module): the unit for errors of a threshold."""
        return self.width * shape(self.function).sd

    @property
    def criterion(self) -> float:
        """psi at the threshold: halfway between guess and 1 - lapse."""
        return self.guess + self._range / 2

    @property
    def _range(self) -> float:
        return 1 - self.guess - self.lapse

    @property
    def _sign(self) -> int:
        return -1 if self.falling else 1

    @property
    def _centre(self) -> float:
        return math.log10(self.threshold) if self.log else self.threshold
