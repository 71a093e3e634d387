"""The counts behind a fit of a psychometric function, checked and put on one axis.

*Conventions*: inside, every function rises: the axis is the level, its log10 where `log`, and
mirrored where `falling`. `u` [n_levels] are the distinct tested places on that axis in rising
order, `k` successes and `n` trials at each; `catch` holds "yes" answers and trials without a
signal, where F = 0. Repeated levels are pooled, and so are neighbouring levels where there are
too many different ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from spectcount.errors import UserError
from spectcount.psychophysics.psychometric import from_axis, to_axis

MAX_LEVELS = 120
"""More distinct levels than this are pooled with their neighbours."""
_LEAST_SPACING, _MOST_SPACING = 0.01, 0.05


@dataclass(frozen=True)
class Counts:
    """Checked data of one fit; see the module."""

    u: np.ndarray
    k: np.ndarray
    n: np.ndarray
    catch: tuple[int, int]
    log: bool
    falling: bool
    reach: tuple[float, float] | None = None
    """Ends, on the inner axis, of the levels that might have been given, where the answers chose
    which ones were."""

    @property
    def low(self) -> float:
        """Lower end of the tested range on the inner axis."""
        return float(self.u[0])

    @property
    def high(self) -> float:
        """Its upper end."""
        return float(self.u[-1])

    @property
    def spread(self) -> float:
        """Length of the tested range; 1 where only one level was tested."""
        return self.high - self.low if self.high > self.low else 1.0

    @property
    def likely(self) -> tuple[float, float]:
        """Ends of the range in which the threshold is equally likely beforehand: the tested range
        and all that might have been tested."""
        ends = (self.low, self.high, *(self.reach or ()))
        return min(ends), max(ends)

    @property
    def spacing(self) -> float:
        """Smallest distance between tested levels, kept between 1 and 5 % of the range."""
        closest = float(np.min(np.diff(self.u))) if len(self.u) > 1 else self.spread
        return float(np.clip(closest, _LEAST_SPACING * self.spread, _MOST_SPACING * self.spread))

    def to_level(self, u: ArrayLike) -> Any:
        """Places on the inner axis as levels."""
        return from_axis(-np.asarray(u) if self.falling else u, self.log)

    def tested(self) -> tuple[float, float]:
        """The tested range as levels, lower one first."""
        ends = sorted((self.to_level(self.low), self.to_level(self.high)))
        return float(ends[0]), float(ends[1])

    def log_likelihood(self, p: ArrayLike, guess: float) -> np.ndarray:
        """Of the chances `p` [..., n_levels]; catch trials succeed at the rate `guess`."""
        caught, n_catch = self.catch
        hit = np.sum(xlogy(self.k, p) + xlogy(self.n - self.k, 1 - np.asarray(p)), axis=-1)
        return hit + xlogy(caught, guess) + xlogy(n_catch - caught, 1 - guess)

    def flat_log_likelihood(self) -> float:
        """Of one rate at all levels and another for catch trials: nothing depends on the level."""
        caught, n_catch = self.catch
        rate = np.full(len(self.n), self.k.sum() / self.n.sum())
        return float(self.log_likelihood(rate, caught / n_catch if n_catch else 0.0))


def counts(
    levels: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike | None,
    *,
    log: bool,
    falling: bool,
    catch: tuple[int, int],
    max_levels: int = MAX_LEVELS,
    reach: tuple[float, float] | None = None,
) -> Counts:
    """Check the data, pool them, and put them on the inner axis. Raises `UserError`."""
    x, k, n = _columns(levels, successes, trials)
    u = to_axis(x, log)
    _check_finite(u, x)
    u, k, n = _pool(-u if falling else u, k, n, max_levels)
    return Counts(u, k, n, _check_catch(catch), log, falling, _inner(reach, log, falling))


def _inner(
    reach: tuple[float, float] | None, log: bool, falling: bool
) -> tuple[float, float] | None:
    if reach is None:
        return None
    ends = np.sort(to_axis(np.asarray(reach, float), log) * (-1 if falling else 1))
    return float(ends[0]), float(ends[1])


def _columns(
    levels: ArrayLike, successes: ArrayLike, trials: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    try:
        x, k = np.asarray(levels, float), np.asarray(successes, float)
        n = np.ones_like(k) if trials is None else np.asarray(trials, float)
    except (TypeError, ValueError):
        raise UserError("levels, successes and trials must be lists of numbers") from None
    if not (x.ndim == 1 and x.shape == k.shape == n.shape):
        raise UserError(
            f"levels, successes and trials of shapes {x.shape}, {k.shape} and {n.shape} do not "
            "belong together; give three lists of one length"
        )
    wrong = ~np.isfinite(x) | ~np.isfinite(n) | ~(k >= 0) | ~(k <= n) | (k != np.rint(k))
    wrong |= n != np.rint(n)
    if np.any(wrong):
        i = int(np.argmax(wrong))
        raise UserError(
            f"row {i}: {k[i]:g} successes of {n[i]:g} trials at level {x[i]:g} cannot be; give "
            "finite levels and whole counts from 0 to the number of trials"
        )
    used = n > 0
    if not np.any(used):
        raise UserError("0 trials determine no psychometric function; give at least 1")
    return x[used], k[used], n[used]


def _check_finite(u: np.ndarray, x: np.ndarray) -> None:
    if not np.all(np.isfinite(u)):
        bad = x[~np.isfinite(u)][0]
        raise UserError(
            f"level {bad:g} has no finite place on the axis; leave it out, or give trials without "
            "a signal as catch=(yes answers, trials)"
        )


def _check_catch(catch: tuple[int, int]) -> tuple[int, int]:
    caught, n_catch = catch
    if not (0 <= caught <= n_catch and caught == int(caught) and n_catch == int(n_catch)):
        raise UserError(
            f"catch={catch} cannot be; give (yes answers, trials), from 0 to the number of trials"
        )
    return int(caught), int(n_catch)


def _pool(
    u: np.ndarray, k: np.ndarray, n: np.ndarray, max_levels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum equal levels; beyond `max_levels` neighbours of about equal numbers of trials too, at
    their mean level."""
    distinct, group = np.unique(u, return_inverse=True)
    if len(distinct) <= max_levels:
        return distinct, np.bincount(group, k), np.bincount(group, n)
    before = np.cumsum(np.bincount(group, n)) - 1
    block = np.unique((before * max_levels / n.sum()).astype(int)[group], return_inverse=True)[1]
    total = np.bincount(block, n)
    return np.bincount(block, u * n) / total, np.bincount(block, k), total
