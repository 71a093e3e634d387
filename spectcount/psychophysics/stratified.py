"""Sensitivity and bias over unlike cells and wordings, each compared with its like only.

Pooling hits over cells that differ in d', or over wordings that differ in criterion, makes a moved
criterion look like another sensitivity. Here nothing is pooled:

- `areas`: the AUC of each signal trial's score against the catch trials of its own stratum (words
  and background), averaged. A shift of all scores of a stratum leaves it as it is.
- `probit_changes`, `probit_values`: from answers alone, one probit regression of all trials, in
  which every cell has its own d' and every wording its own criterion:

      z(p) = signal (d' + cell + change) - (criterion + words + background),

  criteria and their deviations for each listener, `change` (one for all cells) for the second.
  Deviations are drawn to their mean as much as their estimated spread says; with one cell and one
  wording the estimates are the log-linear ones (half a "yes" and half a "no" are added to signal
  and to catch trials of each listener).

*Conventions*: scores and answers are [L, n], L listeners (1 or 2) over the same questions; labels
[n] are whole numbers from 0. Intervals are for these cells and these wordings.

Sources: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837; DeCarlo (1998), Psychol. Meth.
3:186, for detection theory as probit regression; Breslow & Clayton (1993), J. Am. Stat. Assoc.
88:9, for deviations as penalised parameters; Huber (1967) for the variance from paired residuals.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_ndtr, ndtri

from spectcount.psychophysics.changes import joined_change
from spectcount.psychophysics.sdt import (
    MANN_WHITNEY,
    Interval,
    auc_bounds,
    auc_sensitivity,
    exceeded,
)

WITHIN = "within cells and wordings"
AREAS = f"{MANN_WHITNEY}, {WITHIN}, DeLong (1988)"
PROBIT = f"probit regression {WITHIN} (DeCarlo 1998), half a trial added"
_STEPS = 40
_LEAST_SD, _FIRST_SD = 0.02, 0.5
_NARROWEST, _WIDEST = 0.3, 3.0


@dataclass(frozen=True)
class Labels:
    """Labels of the trials: `cells` [n_signal]; `words` and `backgrounds` of signal and of catch
    trials."""

    cells: np.ndarray
    words: np.ndarray
    catch_words: np.ndarray
    backgrounds: np.ndarray
    catch_backgrounds: np.ndarray


@dataclass(frozen=True)
class Areas:
    """AUC of each listener [L] within strata, and the covariance of the estimates [L, L]."""

    values: np.ndarray
    covariance: np.ndarray
    n_signal: int
    n_catch: int

    def interval(self, who: int, level: float = 0.95) -> Interval:
        """Newcombe's score interval, as wide as the covariance says."""
        bounds = auc_bounds(
            self.values[who],
            self.n_signal,
            self.n_catch,
            level,
            self.covariance[who, who],
            (_NARROWEST, _WIDEST),
        )
        return dataclasses.replace(bounds, rule=AREAS)

    def change(self, level: float = 0.95) -> Interval:
        """Second minus first listener."""
        return joined_change(self.interval(0, level), self.interval(1, level), self.correlation)

    def sensitivity(self, who: int, level: float = 0.95) -> Interval:
        """d_a = sqrt 2 z(AUC); where a listener never errs (or always) the value is that of half
        an error in all pairs of trials, and the interval is open."""
        d_a = auc_sensitivity(self.interval(who, level))
        least = 0.5 / (self.n_signal * self.n_catch + 1)
        value = math.sqrt(2) * float(ndtri(np.clip(self.values[who], least, 1 - least)))
        return dataclasses.replace(d_a, value=value, rule=f"d_a = sqrt 2 z(AUC), {AREAS}")

    def sensitivity_change(self, level: float = 0.95) -> Interval:
        """Second minus first listener's d_a."""
        ends = [self.sensitivity(who, level) for who in (0, 1)]
        change = joined_change(ends[0], ends[1], self.correlation)
        return dataclasses.replace(change, rule=f"change of {ends[0].rule}")

    @property
    def correlation(self) -> float:
        """Of the two estimates; 0 where one has no variance."""
        c = self.covariance
        spread = float(c[0, 0] * c[1, 1])
        return float(np.clip(c[0, 1] / math.sqrt(spread), -1, 1)) if spread > 1e-18 else 0.0


def areas(signal: Any, catch: Any, labels: Labels) -> Areas:
    """AUC of every listener from scores [L, n_signal] and [L, n_catch]."""
    signal, catch = (
        np.atleast_2d(np.asarray(signal, float)),
        np.atleast_2d(np.asarray(catch, float)),
    )
    strata, catch_strata = _strata(labels)
    above, below, weight = np.zeros_like(signal), np.zeros_like(catch), np.zeros(catch.shape[1])
    for stratum in np.unique(strata):
        here, others = strata == stratum, catch_strata == stratum
        for who in range(len(signal)):
            ours, theirs = signal[who, here], catch[who, others]
            above[who, here] = exceeded(ours, theirs) / len(theirs)
            below[who, others] = (len(ours) - exceeded(theirs, ours)) / len(ours)
        weight[others] = here.sum() / len(strata) / others.sum()
    above_mean = _within(above, labels.cells)
    of_catch = _within(below, catch_strata)
    covariance = above_mean @ above_mean.T / _freedom(labels.cells) / signal.shape[1]
    spread = of_catch @ of_catch.T / _freedom(catch_strata[weight > 0])
    covariance = covariance + spread * float(np.sum(weight**2))
    return Areas(above.mean(axis=1), covariance, signal.shape[1], int(np.sum(weight > 0)))


def _strata(labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Stratum of signal and of catch trials: words and background where every signal trial has a
    catch trial alike, else background, else all together."""
    n_words = 1 + max(labels.words.max(), labels.catch_words.max())
    fine = labels.backgrounds * n_words + labels.words
    catch_fine = labels.catch_backgrounds * n_words + labels.catch_words
    for of_signal, others in ((fine, catch_fine), (labels.backgrounds, labels.catch_backgrounds)):
        if np.isin(of_signal, others).all():
            return of_signal, others
    return np.zeros_like(labels.words), np.zeros_like(labels.catch_words)


def _within(x: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Deviations [L, n] from the mean of each group, or from all where each group is one."""
    if len(np.unique(groups)) == len(groups):
        groups = np.zeros_like(groups)
    _, places, n = np.unique(groups, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(places, row) / n for row in x])
    return np.asarray(x - means[:, places])


def _freedom(groups: np.ndarray) -> int:
    """Trials less what their means take."""
    n_groups = len(np.unique(groups))
    return max(len(groups) - (n_groups if n_groups < len(groups) else 1), 1)


@dataclass(frozen=True)
class Probit:
    """Estimates with their standard errors: of one listener d' and c, of two their changes."""

    d_prime: tuple[float, float]
    criterion: tuple[float, float]

    def interval(self, measure: str = "d_prime", level: float = 0.95, scale: float = 1) -> Interval:
        """Gaussian interval of `d_prime` or `criterion`, times `scale`."""
        value, error = getattr(self, measure)
        half = float(ndtri((1 + level) / 2)) * error
        return Interval(value, value - half, value + half, level, PROBIT).scaled(scale)


def probit(signal: Any, catch: Any, labels: Labels) -> Probit:
    """d' and c of one listener, or their changes of two, from answers ("said the first answer",
    0 or 1) [L, n_signal] and [L, n_catch]."""
    rows = _rows(np.atleast_2d(np.asarray(signal)), np.atleast_2d(np.asarray(catch)), labels)
    return _fitted(rows)


@dataclass(frozen=True)
class _Rows:
    """One row for each answer: dense columns `x` [n, p] with the block of each column (-1: not
    penalised), `cells` (-1: none), 0 or 1 `y`, `weight`, `pair`: number of the question."""

    x: np.ndarray
    blocks: np.ndarray
    cells: np.ndarray
    signal: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    pair: np.ndarray
    two: bool


def _rows(signal: np.ndarray, catch: np.ndarray, labels: Labels) -> _Rows:
    two = len(signal) == 2
    n_s, n_c = signal.shape[1], catch.shape[1]
    words = np.concatenate([labels.words, labels.catch_words])
    backs = np.concatenate([labels.backgrounds, labels.catch_backgrounds])
    parts = []
    for who in range(len(signal)):
        is_signal = np.arange(n_s + n_c) < n_s
        y = np.concatenate([signal[who], catch[who]])
        place = np.arange(n_s + n_c)
        parts.append((who, is_signal, y, np.ones(n_s + n_c), words, backs, place))
        added = np.array([True, True, False, False])
        parts.append(
            (
                who,
                added,
                np.array([0, 1, 0, 1]),
                np.full(4, 0.5),
                np.full(4, -1),
                np.full(4, -1),
                n_s + n_c + np.arange(4) + 4 * who,
            )
        )
    who = np.concatenate([np.full(len(p[1]), p[0]) for p in parts])
    is_signal, y, weight, words, backs, pair = (
        np.concatenate([p[k] for p in parts]) for k in range(1, 7)
    )
    cells = np.full(len(who), -1)
    unadded = weight == 1
    cells[unadded & is_signal] = np.tile(labels.cells, len(signal))
    columns = [is_signal * 1.0]
    if two:
        columns.append(is_signal * (who == 1.0))
    columns += [-(who == k).astype(float) for k in range(len(signal))]
    blocks = [-1] * len(columns)
    for block, named in enumerate((words, backs)):
        listed = np.unique(named[named >= 0])
        if 1 < len(listed) <= 200:
            for k in range(len(signal)):
                columns += [-((named == w) & (who == k)).astype(float) for w in listed]
                blocks += [2 * block + k] * len(listed)
    if len(np.unique(labels.cells)) < 2:
        cells[:] = -1
    return _Rows(
        np.stack(columns, axis=1),
        np.array(blocks),
        cells,
        is_signal,
        y.astype(float),
        weight,
        pair.astype(int),
        two,
    )


def _fitted(rows: _Rows) -> Probit:
    """Newton steps on the penalised likelihood, spreads re-estimated on the way; then the two
    contrasts with their standard errors."""
    n_cells = int(rows.cells.max()) + 1
    beta, b = np.zeros(rows.x.shape[1]), np.zeros(n_cells)
    listed = [int(k) for k in np.unique(rows.blocks) if k >= 0]
    sd = dict.fromkeys(listed, _FIRST_SD)
    cell_sd = 1.0
    curvature = _Curvature.of(rows, beta, b, sd, cell_sd)
    for _ in range(_STEPS):
        step, cell_step = curvature.solve(*curvature.gradient)
        scale = min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-9))
        beta, b = beta + scale * step, b + scale * cell_step
        curvature = _Curvature.of(rows, beta, b, sd, cell_sd)
        spread, cell_spread = curvature.variances()
        moved = float(np.abs(step).max())
        for k in listed:
            of_block = rows.blocks == k
            sd[k] = max(
                math.sqrt(float(np.mean(beta[of_block] ** 2 + spread[of_block]))), _LEAST_SD
            )
        if n_cells:
            cell_sd = max(math.sqrt(float(np.mean(b**2 + cell_spread))), _LEAST_SD)
        if moved < 1e-3:
            break
    return _contrasts(rows, beta, b, curvature)


@dataclass(frozen=True)
class _Curvature:
    """Penalised information of dense parameters and cells (whose own block is diagonal), the
    gradient, and the residual of each row on the z scale."""

    dense: np.ndarray
    mixed: np.ndarray
    cells: np.ndarray
    gradient: tuple[np.ndarray, np.ndarray]
    residual: np.ndarray

    @classmethod
    def of(
        cls, rows: _Rows, beta: np.ndarray, b: np.ndarray, sd: dict[int, float], cell_sd: float
    ) -> _Curvature:
        inside = rows.cells >= 0
        z = rows.x @ beta
        z[inside] += b[rows.cells[inside]]
        log_density = -(z**2) / 2 - math.log(2 * math.pi) / 2
        log_yes, log_no = log_ndtr(z), log_ndtr(-z)
        up, down = np.exp(log_density - log_yes), np.exp(log_density - log_no)
        residual = np.where(rows.y == 1, up, -down) * rows.weight
        weight = up * down * rows.weight
        penalty = np.array([0.0 if k < 0 else sd[int(k)] ** -2 for k in rows.blocks])
        n = len(b)
        places = rows.cells[inside]
        weighted = rows.x * weight[:, None]
        mixed = np.zeros((n, rows.x.shape[1]))
        np.add.at(mixed, places, weighted[inside])
        cells = np.bincount(places, weight[inside], n) + cell_sd**-2
        return cls(
            rows.x.T @ weighted + np.diag(penalty + 1e-9),
            mixed,
            cells,
            (
                rows.x.T @ residual - penalty * beta,
                np.bincount(places, residual[inside], n) - b * cell_sd**-2,
            ),
            residual,
        )

    def _schur(self) -> np.ndarray:
        return np.asarray(self.dense - self.mixed.T @ (self.mixed / self.cells[:, None]))

    def solve(self, dense: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The inverse information times a vector."""
        top = np.linalg.solve(self._schur(), dense - self.mixed.T @ (cells / self.cells))
        return top, (cells - self.mixed @ top) / self.cells

    def variances(self) -> tuple[np.ndarray, np.ndarray]:
        """Diagonal of the inverse information: of dense parameters and of cells."""
        inverse = np.linalg.inv(self._schur())
        pulled = self.mixed / self.cells[:, None]
        return np.diag(inverse), 1 / self.cells + np.sum((pulled @ inverse) * pulled, axis=1)


def _contrasts(rows: _Rows, beta: np.ndarray, b: np.ndarray, curvature: _Curvature) -> Probit:
    """d' and c, or their changes: c = criterion - d'/2, over words alike."""
    p = rows.x.shape[1]
    d, moved = np.zeros(p), np.zeros(p)
    d[1 if rows.two else 0] = 1
    first = 2 if rows.two else 1
    moved[first + int(rows.two)] = 1
    if rows.two:
        moved[first] = -1
    for k in np.unique(rows.blocks[rows.blocks >= 0]):
        sign = 1 if not rows.two or k % 2 else -1
        moved[rows.blocks == k] = sign / np.sum(rows.blocks == k)
    mean = np.full(len(b), 0.0 if rows.two or not len(b) else 1 / len(b))
    contrasts = []
    for dense, cells in ((d, mean), (moved - d / 2, -mean / 2)):
        value = float(dense @ beta + cells @ b)
        contrasts.append((value, _error(rows, curvature, dense, cells)))
    return Probit(contrasts[0], contrasts[1])


def _error(rows: _Rows, curvature: _Curvature, dense: np.ndarray, cells: np.ndarray) -> float:
    """Standard error: of two listeners from the residuals of each question together, of one from
    the information."""
    pull, cell_pull = curvature.solve(dense, cells)
    if not rows.two:
        return math.sqrt(max(float(dense @ pull + cells @ cell_pull), 0.0))
    inside = rows.cells >= 0
    influence = rows.x @ pull
    influence[inside] += cell_pull[rows.cells[inside]]
    added = rows.weight < 1
    by_pair = np.bincount(rows.pair, np.where(added, 0, influence * curvature.residual))
    extra = np.sum((influence * curvature.residual)[added] ** 2 / rows.weight[added])
    return math.sqrt(float(np.sum(by_pair**2) + extra))


def numbered(labels: Sequence[Any], *more: Sequence[Any]) -> list[np.ndarray]:
    """Lists of labels as whole numbers from 0, the same number for the same label."""
    order: dict[Any, int] = {}
    return [
        np.array([order.setdefault(label, len(order)) for label in listed], int)
        for listed in (labels, *more)
    ]
