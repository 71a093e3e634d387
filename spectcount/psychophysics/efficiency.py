"""Efficiency: how much of what the ideal observer could use a listener does use.

*Conventions*: sensitivities are d', thresholds are in dB (lower is better), each as a number or
as an `sdt.Interval`; a plain number is taken as known exactly. Values may be arrays of one shape
(the cells of a map). Model and ideal are taken as independent. An efficiency is 0..1 where the
ideal is truly ideal; a value above 1 is shown as it is, with words.

Sources: Tanner & Birdsall (1958), J. Acoust. Soc. Am. 30:922, for (d'_model / d'_ideal)^2, the
share of the signal's energy with which the ideal observer does as well; Donner & Zou (2012),
Stat. Methods Med. Res. 21:347, for the interval of a difference or ratio from two intervals
(square-and-add, "MOVER").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spectcount.errors import UserError
from spectcount.psychophysics.plain import plain
from spectcount.psychophysics.sdt import Interval, as_interval

SENSITIVITY = "(d'_model / d'_ideal)^2, interval by square-and-add (Donner & Zou 2012)"
THRESHOLDS = "threshold difference in dB, interval by square-and-add (Donner & Zou 2012)"


@dataclass(frozen=True)
class Efficiency:
    """`efficiency` as a share of the ideal's, and `loss_db`: how many dB more the listener needs,
    -10 log10(efficiency). `words` says what the numbers alone would not; "" where there is
    nothing to say, an array of strings for a map."""

    efficiency: Interval
    loss_db: Interval
    words: Any = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, both intervals with their level and rule."""
        return plain(self)


def efficiency(model: Interval | ArrayLike, ideal: Interval | ArrayLike) -> Efficiency:
    """(d'_model / d'_ideal)^2 with its interval.

    `model` and `ideal` are d' as `Interval` or numbers of one shape. A d' of the model at or
    below 0 counts as 0, an infinite ideal (no noise) makes it 0; each is said in words. Raises
    `UserError` for an ideal that is not above 0: nothing can be compared with it.
    """
    (m, m_low, m_high), (i, i_low, i_high) = _parts(model, "model"), _parts(ideal, "ideal")
    if np.any(i <= 0) or np.any(np.isnan(i)):
        worst = i[~(i > 0)].flat[0]
        raise UserError(
            f"an ideal d' of {worst:g} leaves nothing to compare with; give one above 0, from a "
            "signal that is there"
        )
    level = _level(model, ideal)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ratio = np.maximum(m, 0) / i
        low = np.minimum(_ratio_low(m, m_low, i, i_high), ratio)
        high = np.maximum(_ratio_high(m, m_high, i, i_low), ratio)
    certain, unknown = np.isinf(i) & ~np.isinf(m), np.isnan(ratio)
    ratio = np.where(certain & ~np.isnan(m), 0.0, ratio)
    low = np.where(certain | unknown, 0.0, low)
    high = np.where(certain, 0.0, np.where(unknown, np.inf, high))
    share = as_interval(ratio**2, low**2, high**2, level, SENSITIVITY)
    return Efficiency(share, _loss_db(share), _words(m, i, low))


def threshold_efficiency(
    model_db: Interval | ArrayLike, ideal_db: Interval | ArrayLike
) -> Efficiency:
    """Efficiency from two thresholds in dB at the same d': 10^((ideal - model) / 10).

    `loss_db` is model - ideal, in dB. For a signal known exactly d'^2 is proportional to energy,
    so this is the same quantity as `efficiency`. A threshold that is not measurable (nan) gives
    nan within what its bounds still say.
    """
    (m, m_low, m_high), (i, i_low, i_high) = _parts(model_db, "model"), _parts(ideal_db, "ideal")
    level = _level(model_db, ideal_db)
    with np.errstate(invalid="ignore"):
        loss = m - i
        low = np.where(np.isnan(loss), m_low - i_high, loss - np.hypot(m - m_low, i_high - i))
        high = np.where(np.isnan(loss), m_high - i_low, loss + np.hypot(m_high - m, i - i_low))
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    loss_db = as_interval(loss, low, high, level, THRESHOLDS)
    shares = [10 ** (-x / 10) for x in (loss, high, low)]
    share = as_interval(shares[0], shares[1], shares[2], level, THRESHOLDS)
    words = np.where(np.isnan(loss), "a threshold is not measurable", "")
    words = np.where(high < 0, "better than the ideal: check the ideal's threshold", words)
    return Efficiency(share, loss_db, _text(words))


def _parts(x: Interval | ArrayLike, who: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, low and high as arrays; a known number is its own interval."""
    ends = (x.value, x.low, x.high) if isinstance(x, Interval) else (x, x, x)
    value, low, high = np.broadcast_arrays(*(np.asarray(e, float) for e in ends))
    if np.any(low > value) or np.any(high < value):
        raise UserError(
            f"the {who}'s value {value} lies outside its interval {low}..{high}; give the "
            "interval of that value"
        )
    if not isinstance(x, Interval) and np.isnan(value).any():
        raise UserError(f"the {who} is nan; leave it out, or give the interval that bounds it")
    return value, low, high


def _level(*sources: Interval | ArrayLike) -> float:
    """The level that the given intervals have; 0.95 where both are known numbers."""
    levels = {x.level for x in sources if isinstance(x, Interval)}
    if len(levels) > 1:
        raise UserError(f"intervals of levels {sorted(levels)} do not combine; give both at one")
    return levels.pop() if levels else 0.95


def _ratio_low(m: np.ndarray, m_low: np.ndarray, i: np.ndarray, i_high: np.ndarray) -> np.ndarray:
    """Largest ratio R below m/i at which the interval of m - R i still excludes 0."""
    c = m_low * (2 * m - m_low)
    a = np.where(np.isinf(i_high), -np.inf, i_high * (2 * i - i_high))
    root = c / (m * i + np.sqrt((m * i) ** 2 - a * c))
    root = np.where(np.isinf(m), m_low / i_high, root)
    return np.where((m_low > 0) & np.isfinite(root), root, 0.0)


def _ratio_high(m: np.ndarray, m_high: np.ndarray, i: np.ndarray, i_low: np.ndarray) -> np.ndarray:
    """Smallest ratio R above m/i at which it does; inf where the ideal's own d' may be 0."""
    a = i_low * (2 * i - i_low)
    c = m_high * (2 * m - m_high)
    root = (m * i + np.sqrt(np.maximum((m * i) ** 2 - a * c, 0))) / a
    bounded = (i_low > 0) & np.isfinite(root)
    return np.where(m_high <= 0, 0.0, np.where(bounded, root, np.inf))


def _loss_db(share: Interval) -> Interval:
    with np.errstate(divide="ignore"):
        value, low, high = (
            -10 * np.log10(np.asarray(x)) for x in (share.value, share.high, share.low)
        )
    return as_interval(value, low, high, share.level, "-10 log10 of " + share.rule)


def _words(m: np.ndarray, i: np.ndarray, low: np.ndarray) -> Any:
    words = np.where(m <= 0, "the model's d' is 0 or below: it uses nothing of the signal", "")
    words = np.where(np.isnan(m), "the model's d' is unknown", words)
    words = np.where(low > 1, "better than the ideal: check the ideal's d'", words)
    infinite = "the ideal never errs here (no noise): any finite d' is an efficiency of 0"
    words = np.where(np.isinf(i) & ~np.isnan(m), infinite, words)
    both = "neither ever errs here: their efficiency is undefined"
    return _text(np.where(np.isinf(i) & np.isinf(m), both, words))


def _text(words: np.ndarray) -> Any:
    return str(words) if words.ndim == 0 else words
