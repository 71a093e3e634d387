"""Psychometric functions by the parameters of textbooks, and tracks answered again, for the tests.

Conventions: `options` are those of `Psychometric`: guess, lapse, falling, log.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from scipy.stats import norm

from spectcount.psychophysics.adaptive.base import Answer, Track
from spectcount.psychophysics.psychometric import Psychometric

_GAUSSIAN = 2 * norm.ppf(0.95)
"""From the 5 % to the 95 % point, in standard deviations."""
_WEIBULL = math.log(math.log(20) / -math.log(0.95))
"""The same of a Weibull function, in ln(x) times its beta."""


def from_gaussian(mean: float, sigma: float, **options: Any) -> Psychometric:
    """The cumulative Gaussian of mean `mean` and standard deviation `sigma`."""
    return Psychometric("gaussian", mean, sigma * _GAUSSIAN, **options)


def from_weibull(alpha: float, beta: float, **options: Any) -> Psychometric:
    """F = 1 - exp(-(x / alpha)^beta), x in linear units: a Weibull function on a log axis."""
    threshold = alpha * math.log(2) ** (1 / beta)
    return Psychometric("weibull", threshold, _WEIBULL / (beta * math.log(10)), log=True, **options)


def from_weibull_db(alpha_db: float, beta: float, **options: Any) -> Psychometric:
    """F = 1 - exp(-10^(beta (x - alpha) / 20)), x in dB, as in QUEST+ (Watson 2017)."""
    threshold = alpha_db + 20 / beta * math.log10(math.log(2))
    return Psychometric("weibull", threshold, 20 * _WEIBULL / (beta * math.log(10)), **options)


def replay(track: Track, answers: Iterable[Answer]) -> Track:
    """Give `answers` to a fresh track in their order."""
    for answer in answers:
        if answer.is_catch:
            track.catch(answer.success)
        else:
            track.update(answer.x, answer.success)
    return track
