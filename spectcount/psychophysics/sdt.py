"""Signal detection theory: sensitivity and bias apart, each with its interval.

*Conventions*: hits and false alarms are counts, `n_signal` and `n_noise` the numbers of signal
and catch trials. Counts may be arrays of any one shape (the cells of a map); results then hold
arrays of that shape, otherwise floats. A cell without trials has the value nan and an unbounded
interval. Every result names its rule.

Sources: Hautus (1995), Behav. Res. Methods Instrum. Comput. 27:46, for the log-linear rule;
Gourevitch & Galanter (1967), Psychometrika 32:25, for the variance of d'; Wilson (1927), J. Am.
Stat. Assoc. 22:209; Hanley & McNeil (1982), Radiology 143:29, for the AUC; Newcombe (2006), Stat.
Med. 25:559, for its interval; Macmillan & Creelman (2005), Detection Theory, for the forced-choice
designs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from spectcount.errors import UserError

LOG_LINEAR = "log-linear (Hautus 1995)"
UNCORRECTED = "uncorrected rates"
WILSON = "Wilson score"
EXACT = "exact bounds (Clopper & Pearson 1934) by square-and-add"
MANN_WHITNEY = "Mann-Whitney, score interval (Newcombe 2006, method 5)"
AT_LEAST, AT_MOST, NOT_MEASURABLE = "at least", "at most", "not measurable"
UNRESOLVED = 1
"""Hits (or misses, false alarms, ...) of one cell up to which its rate is told by exact bounds."""
_BISECTIONS = 60


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval at `level`; `rule` names how both were computed."""

    value: Any
    low: Any
    high: Any
    level: float = 0.95
    rule: str = ""

    def at(self, index: Any) -> Interval:
        """The interval of one cell of an array of intervals."""
        value, low, high = (float(np.asarray(x)[index]) for x in (self.value, self.low, self.high))
        return Interval(value, low, high, self.level, self.rule)

    def scaled(self, factor: float) -> Interval:
        """The same in another unit; `factor` is positive."""
        return dataclasses.replace(
            self, value=self.value * factor, low=self.low * factor, high=self.high * factor
        )

    @property
    def open(self) -> str:
        """`AT_LEAST`, `AT_MOST` or `NOT_MEASURABLE` where an end is open; empty where none is."""
        return open_word(*(float(x) for x in (self.value, self.low, self.high)))

    def __str__(self) -> str:
        return repr(self) if np.ndim(self.value) else interval_text(self)


def open_word(value: float, low: float, high: float) -> str:
    """Words of an interval with an open end; empty where both ends are known."""
    no_low, no_high = not math.isfinite(low), not math.isfinite(high)
    if math.isnan(value) or (no_low and no_high):
        return NOT_MEASURABLE
    return AT_MOST if no_low else AT_LEAST if no_high else ""


def interval_text(
    interval: Interval, number: Callable[[float], str] = "{:.2f}".format, unit: str = ""
) -> str:
    """An interval to read, the one place where it is put into words: "1.20 ms [0.80, 1.60]"; "at
    least 0.80 ms" or "at most 1.60 ms" where the other end is open, "not measurable" where both
    are."""
    value, low, high = (float(x) for x in (interval.value, interval.low, interval.high))
    unit = f" {unit}" if unit else ""
    word = open_word(value, low, high)
    if word == NOT_MEASURABLE:
        return word
    if word:
        return f"{word} {number(low if word == AT_LEAST else high)}{unit}"
    return f"{number(value)}{unit} [{number(low)}, {number(high)}]"


def interval_of(values: Mapping[str, Any]) -> Interval:
    """An interval from plain data, in which what is not finite is None: an end that is open, a
    value beyond an open end."""
    value, low, high = (values[name] for name in ("value", "low", "high"))
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if value is None:
        value = {AT_LEAST: math.inf, AT_MOST: -math.inf}.get(open_word(0, low, high), math.nan)
    return Interval(value, low, high, values.get("level", 0.95), values.get("rule", ""))


def tails(level: float) -> tuple[float, float]:
    """The two quantiles between which an equal-tailed interval lies; raises `UserError`."""
    if not 0 < level < 1:
        raise UserError(f"level={level} is no confidence level; give one between 0 and 1")
    return (1 - level) / 2, (1 + level) / 2


def as_interval(
    value: ArrayLike, low: ArrayLike, high: ArrayLike, level: float, rule: str
) -> Interval:
    """An interval of floats where the value is one number, else of arrays."""
    return Interval(_plain(value), _plain(low), _plain(high), level, rule)


def exceeded(x: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Number of `others` [m] that each of `x` [n] exceeds, ties 1/2; by ranks, for all pairs of a
    great run would fill the memory."""
    ordered = np.sort(others)
    low, high = (np.searchsorted(ordered, x, side) for side in ("left", "right"))
    return np.asarray((low + high) / 2)


def wilson(k: ArrayLike, n: ArrayLike, level: float = 0.95) -> Interval:
    """Wilson score interval of the proportion `k` of `n`; n = 0 gives nan in 0..1."""
    k, n = _counts(k, n, "successes", "trials")
    z2 = _z(level) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        p = k / n
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2 * p * (1 - p) / n + (z2 / (2 * n)) ** 2) / (1 + z2 / n)
    low = np.where(k == 0, 0.0, centre - half)
    high = np.where(k == n, 1.0, centre + half)
    return as_interval(p, low, np.where(n == 0, 1.0, high), level, WILSON)


def rates(
    hits: ArrayLike,
    n_signal: ArrayLike,
    false_alarms: ArrayLike,
    n_noise: ArrayLike,
    log_linear: bool = True,
) -> tuple[Any, Any]:
    """Hit rate H and false-alarm rate F.

    Log-linear: H = (h + 1/2) / (n_s + 1), F = (f + 1/2) / (n_n + 1), whatever the counts;
    nan where there are no trials. Raises `UserError` for counts that cannot be.
    """
    h, n_s = _counts(hits, n_signal, "hits", "signal trials")
    f, n_n = _counts(false_alarms, n_noise, "false alarms", "catch trials")
    add = 0.5 if log_linear else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        hit_rate = np.where(n_s > 0, (h + add) / (n_s + 2 * add), np.nan)
        false_alarm_rate = np.where(n_n > 0, (f + add) / (n_n + 2 * add), np.nan)
    return _plain(hit_rate), _plain(false_alarm_rate)


def d_prime(
    hits: ArrayLike,
    n_signal: ArrayLike,
    false_alarms: ArrayLike,
    n_noise: ArrayLike,
    level: float = 0.95,
    log_linear: bool = True,
) -> Interval:
    """Yes/no sensitivity d' = z(H) - z(F), interval from Gourevitch & Galanter's variance."""
    z_h, z_f, sd = _z_scores(hits, n_signal, false_alarms, n_noise, log_linear)
    return _gaussian(z_h - z_f, sd, level, _rule(log_linear))


def criterion(
    hits: ArrayLike,
    n_signal: ArrayLike,
    false_alarms: ArrayLike,
    n_noise: ArrayLike,
    level: float = 0.95,
    log_linear: bool = True,
) -> Interval:
    """Bias c = -(z(H) + z(F)) / 2; negative: inclined to say yes."""
    z_h, z_f, sd = _z_scores(hits, n_signal, false_alarms, n_noise, log_linear)
    return _gaussian(-(z_h + z_f) / 2, sd / 2, level, _rule(log_linear))


def d_prime_2afc(
    hits: ArrayLike,
    n_first: ArrayLike,
    false_alarms: ArrayLike,
    n_second: ArrayLike,
    level: float = 0.95,
    log_linear: bool = True,
) -> Interval:
    """Two-interval (2AFC, 2IFC) d' = (z(H) - z(F)) / sqrt 2.

    A hit is "first" when it was the first, a false alarm "first" when it was the second.
    """
    z_h, z_f, sd = _z_scores(hits, n_first, false_alarms, n_second, log_linear)
    root = np.sqrt(2)
    return _gaussian((z_h - z_f) / root, sd / root, level, "2AFC, " + _rule(log_linear))


def exact_sensitivity(
    hits: ArrayLike,
    n_signal: ArrayLike,
    false_alarms: ArrayLike,
    n_noise: ArrayLike,
    level: float = 0.95,
) -> tuple[Interval, Interval]:
    """d' and c with intervals from exact bounds of both rates (Clopper & Pearson 1934), joined by
    square-and-add: open on the side on which a rate of 0 or 1 leaves them open. Values by the
    log-linear rule."""
    z_h, z_f = (ndtri(x) for x in rates(hits, n_signal, false_alarms, n_noise))
    h_low, h_high = _exact_z(hits, n_signal, level)
    f_low, f_high = _exact_z(false_alarms, n_noise, level)
    rule = f"{LOG_LINEAR}, {EXACT}"
    d, c = z_h - z_f, -(z_h + z_f) / 2
    d_ends = d - np.hypot(z_h - h_low, f_high - z_f), d + np.hypot(h_high - z_h, z_f - f_low)
    up, down = np.hypot(h_high - z_h, f_high - z_f), np.hypot(z_h - h_low, z_f - f_low)
    return as_interval(d, *d_ends, level, rule), as_interval(
        c, c - up / 2, c + down / 2, level, rule
    )


def resolved(
    gaussian: Interval,
    measure: int,
    hits: ArrayLike,
    n_signal: ArrayLike,
    false_alarms: ArrayLike,
    n_noise: ArrayLike,
    scale: float = 1.0,
) -> Interval:
    """d' (`measure` 0) or c (1) of cells, times `scale`, as `gaussian` has it, with the ends of
    exact bounds where hits, misses, false alarms or correct rejections are at most `UNRESOLVED` and
    these are wider: there the log-linear interval may cover nothing."""
    counts = hits, n_signal, false_alarms, n_noise
    k, n, f, m = np.broadcast_arrays(*(np.asarray(x, float) for x in counts))
    near = np.minimum.reduce([k, n - k, f, m - f]) <= UNRESOLVED
    exact = exact_sensitivity(*counts, gaussian.level)[measure].scaled(scale)
    with np.errstate(invalid="ignore"):
        low = np.where(near, np.fmin(exact.low, gaussian.low), gaussian.low)
        high = np.where(near, np.fmax(exact.high, gaussian.high), gaussian.high)
    rule = f"{gaussian.rule}, exact bounds where rates are near 0 or 1"
    return as_interval(np.asarray(gaussian.value), low, high, gaussian.level, rule)


def _exact_z(k: ArrayLike, n: ArrayLike, level: float) -> tuple[np.ndarray, np.ndarray]:
    """z of the exact bounds of a rate; infinite at 0 and 1."""
    from scipy.stats import beta  # half a second of imports, which who only asks does without

    k, n = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float))
    tail = tails(level)[0]
    with np.errstate(invalid="ignore"):
        low = np.where(k > 0, beta.ppf(tail, np.maximum(k, 1), n - k + 1), 0.0)
        high = np.where(k < n, beta.ppf(1 - tail, k + 1, np.maximum(n - k, 1)), 1.0)
    return ndtri(low), ndtri(high)


def auc(signal_scores: ArrayLike, noise_scores: ArrayLike, level: float = 0.95) -> Interval:
    """Area under the ROC: the chance that a signal trial scores above a catch trial, ties 1/2.

    Scores [..., n_signal] and [..., n_noise], leading axes being cells. The interval inverts
    Hanley & McNeil's variance, taken at the bound itself and with the mean of the two numbers of
    trials in the place of each (Newcombe 2006, method 5), so that it has a width at AUC = 0 and 1
    too.
    """
    from scipy.stats import rankdata

    signal, noise = np.asarray(signal_scores, float), np.asarray(noise_scores, float)
    if signal.ndim == 0 or noise.ndim == 0 or not (signal.shape[-1] and noise.shape[-1]):
        raise UserError("an AUC of 0 trials is undefined; give at least 1 signal and 1 catch score")
    if np.isnan(signal).any() or np.isnan(noise).any():
        raise UserError("an AUC of scores that are nan is undefined; leave those trials out")
    n_s, n_n = signal.shape[-1], noise.shape[-1]
    ranks = rankdata(np.concatenate([signal, noise], axis=-1), axis=-1)
    u = ranks[..., :n_s].sum(-1) - n_s * (n_s + 1) / 2
    area = u / (n_s * n_n)
    low = 1 - _auc_upper(1 - area, n_n, n_s, level)
    return as_interval(area, low, _auc_upper(area, n_s, n_n, level), level, MANN_WHITNEY)


def auc_bounds(
    area: float,
    n_signal: int,
    n_noise: int,
    level: float,
    variance: float,
    shares: tuple[float, float],
) -> Interval:
    """The interval of `auc` around an area whose variance is known from elsewhere: Hanley &
    McNeil's curve of the variance, scaled to go through it by a factor within `shares`; unscaled
    where that says nothing (areas of 0 and 1)."""
    expected = float(_auc_variance(np.asarray(area), n_signal, n_noise))
    share = float(np.clip(variance / expected, *shares)) if expected > 0 and variance > 0 else 1.0
    low = 1 - _auc_upper(1 - area, n_noise, n_signal, level, share)
    high = _auc_upper(area, n_signal, n_noise, level, share)
    return as_interval(area, low, high, level, MANN_WHITNEY)


def auc_sensitivity(area: Interval) -> Interval:
    """d_a = sqrt 2 z(AUC) of an AUC and its interval: the d' of equal-variance Gaussian scores
    with that AUC (Macmillan & Creelman 2005, chapter 3). An end at 0 or 1 is unbounded; nan stays
    nan, unbounded. Raises `UserError` for an AUC outside 0..1."""
    for x in (area.value, area.low, area.high):
        if np.any((np.asarray(x) < 0) | (np.asarray(x) > 1)):
            raise UserError(f"an AUC of {x} is impossible; give 0..1")
    value, low, high = (
        _monotone(x, lambda a: np.sqrt(2) * ndtri(a)) for x in (area.value, area.low, area.high)
    )
    low = np.where(np.isnan(low), -np.inf, low)
    high = np.where(np.isnan(high), np.inf, high)
    return as_interval(value, low, high, area.level, f"d_a = sqrt 2 z(AUC), {area.rule}")


def _monotone(x: ArrayLike, transform: Callable[[np.ndarray], np.ndarray]) -> Any:
    """`transform` of every different number in `x`; nan stays nan."""
    x = np.asarray(x, float)
    known = ~np.isnan(x)
    out = np.full(x.shape, np.nan)
    if known.any():
        different, places = np.unique(x[known], return_inverse=True)
        out[known] = transform(different)[places]
    return _plain(out)


def _z_scores(
    hits: ArrayLike,
    n_signal: ArrayLike,
    false_alarms: ArrayLike,
    n_noise: ArrayLike,
    log_linear: bool,
) -> tuple[Any, Any, np.ndarray]:
    """z(H), z(F) and the standard deviation of their difference."""
    hit_rate, false_alarm_rate = rates(hits, n_signal, false_alarms, n_noise, log_linear)
    z_h, z_f = ndtri(hit_rate), ndtri(false_alarm_rate)
    variance = _z_variance(hit_rate, z_h, n_signal) + _z_variance(false_alarm_rate, z_f, n_noise)
    return z_h, z_f, np.sqrt(variance)


def _z_variance(rate: Any, z: Any, n: ArrayLike) -> np.ndarray:
    """Var z(rate) = rate (1 - rate) / (n phi(z)^2); infinite where z is, or without trials."""
    density = np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.asarray(rate * (1 - rate) / (np.asarray(n, float) * density**2))
    return np.where(np.isfinite(variance), variance, np.inf)


def _gaussian(value: Any, sd: np.ndarray, level: float, rule: str) -> Interval:
    with np.errstate(invalid="ignore"):
        half = _z(level) * sd
        low, high = value - half, value + half
    low = np.where(np.isfinite(half), low, -np.inf)
    return as_interval(value, low, np.where(np.isfinite(half), high, np.inf), level, rule)


def _auc_variance(t: np.ndarray, n_s: int, n_n: int) -> np.ndarray:
    """Hanley & McNeil's, the mean of the two numbers of trials in the place of each."""
    spread = 1 + ((n_s + n_n) / 2 - 1) * ((1 - t) / (2 - t) + t / (1 + t))
    return np.asarray(t * (1 - t) * spread / (n_s * n_n))


def _auc_upper(area: ArrayLike, n_s: int, n_n: int, level: float, share: float = 1.0) -> np.ndarray:
    """Largest AUC that the observed one does not refute, by bisection; `share` scales the
    variance."""
    area = np.asarray(area, float)
    z2 = share * _z(level) ** 2
    low, high = area, np.ones_like(area)
    for _ in range(_BISECTIONS):
        t = (low + high) / 2
        inside = (t - area) ** 2 <= z2 * _auc_variance(t, n_s, n_n)
        low, high = np.where(inside, t, low), np.where(inside, high, t)
    return high


def _counts(k: ArrayLike, n: ArrayLike, what: str, of: str) -> tuple[np.ndarray, np.ndarray]:
    k, n = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float))
    wrong = (k < 0) | (k > n) | ~np.isfinite(k) | ~np.isfinite(n)
    if np.any(wrong):
        first = tuple(np.argwhere(wrong)[0])
        raise UserError(
            f"{k[first]:g} {what} of {n[first]:g} {of} cannot be; give counts from 0 to the "
            "number of trials"
        )
    return k, n


def _rule(log_linear: bool) -> str:
    return LOG_LINEAR if log_linear else UNCORRECTED


def _z(level: float) -> float:
    return float(ndtri(tails(level)[1]))


def _plain(x: Any) -> Any:
    """A float where `x` is one number, else the array."""
    return float(x) if np.ndim(x) == 0 else np.asarray(x)
