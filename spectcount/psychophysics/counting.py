"""Counting: which numbers are said for which, how far off, and where it breaks down.

*Conventions*: `truth` [n] holds whole numbers, `said` [n] whole numbers of the closed set
`answers`, or nan for a reply that could not be read: it is wrong, it has a column of its own, and
it takes no part in bias, error and spread. Spacing is offset to onset of neighbours in time, in
ms; distance is their ERB-number difference, in Cam. Matrices are [true, said], grids [ny, nx]
(distance up, spacing across).

Proportions have Wilson intervals; means and spreads have percentile bootstrap intervals, resampled
within each true number (or cell), unbounded below 2 trials. Answers that are all alike give a
bootstrap interval of no width: how rare other answers are is in the Wilson intervals.

Sources: Wilson (1927); Efron & Tibshirani (1993), An Introduction to the Bootstrap; Whalen,
Gallistel & Gelman (1999), Psychol. Sci. 10:130, for the Weber fraction of counts, sd(said) / n.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.errors import UserError
from spectcount.psychophysics.plain import plain
from spectcount.psychophysics.sdt import Interval, wilson
from spectcount.scales import erb_number

BOOTSTRAP = "percentile bootstrap of trials"
_MAX_EXACT_CELLS = 12


@dataclass(frozen=True)
class Chance:
    """Shares right of listeners that hear nothing. `uniform`: any allowed answer; `constant`: the
    commonest true number each time; `independent`: this listener's own answers, shuffled."""

    uniform: float
    constant: float
    independent: float


@dataclass(frozen=True)
class Counting:
    """What a block of counting trials says. Per true number [R] of `true_counts`: `n`, `unparsed`
    (replies that could not be read) and the intervals; `confusion` [R, A] counts, `share` [R, A]
    of all trials of the row; `overall` holds the same measures over all trials."""

    true_counts: np.ndarray
    answers: np.ndarray
    confusion: np.ndarray
    unparsed: np.ndarray
    n: np.ndarray
    share: Interval
    accuracy: Interval
    bias: Interval
    absolute_error: Interval
    weber: Interval
    overall: dict[str, Interval]
    chance: Chance
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, every interval with its level and rule."""
        return plain(self)


@dataclass(frozen=True)
class CountGrid:
    """Counting against spacing and ERB distance: everything [ny, nx]. `outside` counts the trials
    beyond the edges, `without` those that have no neighbours (fewer than two events)."""

    x_edges: np.ndarray
    y_edges: np.ndarray
    n: np.ndarray
    unparsed: np.ndarray
    accuracy: Interval
    bias: Interval
    absolute_error: Interval
    chance: float
    outside: int
    without: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, every interval with its level and rule."""
        return plain(self)


def counting(
    truth, said, answers: Sequence[int] = tuple(range(11)), level: float = 0.95, seed: int = 0,
    n_resamples: int = 2000,
) -> Counting:  # fmt: skip
    """Everything that counting trials tell, per true number and over all.

    `weber` is sd(said) / true number, nan for 0; over all, the root mean square of the rows'.
    Raises `UserError` for no trials and for numbers outside `answers`.
    """
    truth, said, allowed = _counts(truth, said, answers)
    rows, row = np.unique(truth, return_inverse=True)
    known = ~np.isnan(said)
    table = np.zeros((len(rows), len(allowed)), int)
    np.add.at(table, (row[known], np.searchsorted(allowed, said[known])), 1)
    n = np.bincount(row, minlength=len(rows))
    hits = table[np.arange(len(rows)), np.searchsorted(allowed, rows)]
    errors = allowed[None] - rows[:, None]
    draws = _resampled(table, np.random.default_rng(seed), n_resamples)
    bias, absolute_error = (_means(e, draws, level) for e in (errors, np.abs(errors)))
    return Counting(
        true_counts=rows, answers=allowed, confusion=table, unparsed=n - table.sum(1), n=n,
        share=wilson(table, n[:, None], level), accuracy=wilson(hits, n, level), bias=bias,
        absolute_error=absolute_error, weber=_weber(rows, allowed, draws, level),
        overall=_overall(rows, allowed, errors, draws, hits, n, level),
        chance=_chance(table, n, hits, rows, allowed), seed=seed,
    )  # fmt: skip


def count_grid(
    truth, said, spacing_ms, distance_cam, x_edges=None, y_edges=None,
    answers: Sequence[int] = tuple(range(11)), level: float = 0.95, seed: int = 0,
    n_resamples: int = 2000,
) -> CountGrid:  # fmt: skip
    """Accuracy, bias and mean absolute error on a grid spacing x ERB distance.

    `spacing_ms` and `distance_cam` [n] are per trial, nan where there are no two neighbours; edges
    rise, [nx + 1] and [ny + 1], the last one inclusive; without them `edges_of` chooses.
    """
    truth, said, allowed = _counts(truth, said, answers)
    x, y = (_coordinate(v, len(truth), name) for v, name in (
        (spacing_ms, "spacing_ms"), (distance_cam, "distance_cam"),
    ))  # fmt: skip
    placed = ~(np.isnan(x) | np.isnan(y))
    x_edges, y_edges = _edges(x_edges, x[placed], "x"), _edges(y_edges, y[placed], "y")
    shape = (len(y_edges) - 1, len(x_edges) - 1)
    i, j = _bins(x, x_edges), _bins(y, y_edges)
    inside = placed & (i >= 0) & (j >= 0)
    cell = (j * shape[1] + i)[inside]
    table, values = _error_table(cell, (said - truth)[inside], shape[0] * shape[1], allowed)
    n = np.bincount(cell, minlength=len(table))
    draws = _resampled(table, np.random.default_rng(seed), n_resamples)
    found = [_means(np.tile(v, (len(table), 1)), draws, level) for v in (values, np.abs(values))]
    bias, absolute_error = (_reshape(f, shape) for f in found)
    return CountGrid(
        x_edges=x_edges, y_edges=y_edges, n=n.reshape(shape),
        unparsed=(n - table.sum(1)).reshape(shape),
        accuracy=wilson(table[:, values == 0][:, 0].reshape(shape), n.reshape(shape), level),
        bias=bias, absolute_error=absolute_error, chance=1 / len(allowed),
        outside=int(np.sum(placed & ~inside)), without=int(np.sum(~placed)), seed=seed,
    )  # fmt: skip


def neighbour_distance_cam(stimulus: Mapping[str, Any]) -> float:
    """Mean ERB-number distance between neighbours in time of a stimulus as data, in Cam.

    Neighbours follow each other by onset, then by frequency; a chirp counts by its middle. nan for
    fewer than two events.
    """
    events = _events(stimulus)
    if len(events) < 2:
        return float("nan")
    return float(np.mean(np.abs(np.diff(erb_number([_centre_hz(e) for e in events])))))


def neighbour_spacing_ms(stimulus: Mapping[str, Any]) -> float:
    """Mean spacing, offset of one event to onset of the next, in ms; negative where they overlap,
    nan for fewer than two events."""
    events = _events(stimulus)
    gaps_s = [b["onset_s"] - a["onset_s"] - a["duration_s"] for a, b in itertools.pairwise(events)]
    return float(np.mean(gaps_s) * 1000) if gaps_s else float("nan")


def edges_of(values, n: int = 6) -> np.ndarray:
    """Edges for `values`: a cell for each different value up to 12, else `n` cells that hold equal
    numbers of trials."""
    values = np.asarray(values, float)
    different = np.unique(values[np.isfinite(values)])
    if len(different) == 0:
        raise UserError("edges of no values cannot be found; give trials with 2 or more events")
    if len(different) == 1:
        return np.array([different[0] - 0.5, different[0] + 0.5])
    if len(different) > _MAX_EXACT_CELLS:
        return np.unique(np.quantile(values[np.isfinite(values)], np.linspace(0, 1, n + 1)))
    middles = (different[:-1] + different[1:]) / 2
    first, last = 2 * different[0] - middles[0], 2 * different[-1] - middles[-1]
    return np.concatenate([[first], middles, [last]])


def _counts(truth, said, answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    allowed = np.unique(np.asarray(answers, int))
    truth, said = np.asarray(truth, float), np.asarray(said, float)
    if truth.ndim != 1 or truth.shape != said.shape or len(truth) == 0:
        raise UserError(
            f"true and said numbers of shapes {truth.shape} and {said.shape} do not pair; give two "
            "lists of one length, 1 or more"
        )
    for values, what in ((truth, "a true number"), (said[~np.isnan(said)], "a said number")):
        wrong = values[~np.isin(values, allowed)]
        if len(wrong):
            raise UserError(
                f"{what} of {wrong[0]:g} is not among the answers {allowed[0]}..{allowed[-1]}; "
                "give their set as `answers` (a said number that could not be read is nan)"
            )
    return truth.astype(int), said, allowed


def _resampled(table: np.ndarray, rng: np.random.Generator, n_resamples: int) -> np.ndarray:
    """Tables as if asked again, [1 + n_resamples, R, V]; the first is the table itself."""
    n = table.sum(1)
    shares = (
        np.where(n[:, None] > 0, table, 1)
        / np.maximum(np.where(n > 0, n, table.shape[1]), 1)[:, None]
    )
    return np.concatenate([table[None], rng.multinomial(n, shares, (n_resamples, len(table)))])


def _means(values: np.ndarray, draws: np.ndarray, level: float) -> Interval:
    """Mean of `values` [R, V] under the draws."""
    n = draws[0].sum(1)
    with np.errstate(invalid="ignore"):
        means = (draws * values).sum(-1) / n
    return _percentile(means, n, level, -np.inf)


def _weber(rows, allowed, draws: np.ndarray, level: float) -> Interval:
    with np.errstate(invalid="ignore", divide="ignore"):
        webers = np.sqrt(_variances(allowed, draws)) / rows
    webers[:, rows == 0] = np.nan
    return _percentile(webers, draws[0].sum(1), level, 0.0)


def _variances(allowed: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Unbiased variance of what is said, per draw and row; nan below 2 trials."""
    n = draws[0].sum(1)
    mean = (draws @ allowed) / np.maximum(n, 1)
    square = (draws @ allowed**2) / np.maximum(n, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, np.maximum(square - mean**2, 0) * n / (n - 1), np.nan)


def _overall(rows, allowed, errors, draws, hits, n, level: float) -> dict[str, Interval]:
    """Measures over all trials, resampled within the rows."""
    known = draws[0].sum(1)
    total = np.array([known.sum()])
    with np.errstate(invalid="ignore", divide="ignore"):
        bias, error = ((draws * e).sum((-1, -2)) / total[0] for e in (errors, np.abs(errors)))
        square = _variances(allowed, draws) / rows**2
        usable = (rows > 0) & (known > 1)
        weber = np.sqrt((square * known)[:, usable].sum(1) / known[usable].sum())
    return {
        "accuracy": wilson(hits.sum(), n.sum(), level),
        "bias": _percentile(bias[:, None], total, level, -np.inf).at(0),
        "absolute_error": _percentile(error[:, None], total, level, 0.0).at(0),
        "weber": _percentile(weber[:, None], known[usable].sum(keepdims=True), level, 0.0).at(0),
    }


def _percentile(draws: np.ndarray, n: np.ndarray, level: float, floor: float) -> Interval:
    """Interval per column of [1 + resamples, R]; unbounded below 2 trials."""
    few = (n < 2) | np.isnan(draws[0])
    low, high = np.quantile(
        np.where(few, 0.0, draws[1:]), [(1 - level) / 2, (1 + level) / 2], axis=0
    )
    low, high = np.where(few, floor, low), np.where(few, np.inf, high)
    return Interval(draws[0], low, high, level, BOOTSTRAP)


def _chance(table, n, hits, rows, allowed) -> Chance:
    said = table.sum(0)[np.searchsorted(allowed, rows)] / n.sum()
    return Chance(1 / len(allowed), float(n.max() / n.sum()), float(said @ (n / n.sum())))


def _coordinate(values, n: int, name: str) -> np.ndarray:
    values = np.asarray(values, float)
    if values.shape != (n,):
        raise UserError(f"{name} of shape {values.shape} does not fit {n} trials; give one each")
    return values


def _edges(edges, values: np.ndarray, axis: str) -> np.ndarray:
    found = edges_of(values) if edges is None else np.asarray(edges, float)
    if found.ndim != 1 or len(found) < 2 or not np.all(np.diff(found) > 0):
        raise UserError(f"{axis}_edges={found} do not rise; give 2 or more rising numbers")
    return found


def _bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Index of the cell of each value, the last edge inclusive; -1 outside or for nan."""
    index = np.searchsorted(edges, values, side="right") - 1
    index = np.where(values == edges[-1], len(edges) - 2, index)
    return np.where((index >= 0) & (index < len(edges) - 1), index, -1)


def _error_table(cell, errors, n_cells: int, allowed) -> tuple[np.ndarray, np.ndarray]:
    """Counts of each error [n_cells, E], and the errors [E]."""
    reach = int(allowed[-1] - allowed[0])
    values = np.arange(-reach, reach + 1)
    known = ~np.isnan(errors)
    table = np.zeros((n_cells, len(values)), int)
    np.add.at(table, (cell[known], errors[known].astype(int) + reach), 1)
    return table, values


def _reshape(found: Interval, shape: tuple[int, int]) -> Interval:
    ends = [np.reshape(x, shape) for x in (found.value, found.low, found.high)]
    return Interval(ends[0], ends[1], ends[2], found.level, found.rule)


def _events(stimulus: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "events" not in stimulus:
        raise UserError("no events in this stimulus; give the data that Stimulus.to_dict wrote")
    return sorted(stimulus["events"], key=lambda e: (e["onset_s"], e["frequency_hz"]))


def _centre_hz(event: Mapping[str, Any]) -> float:
    if event.get("wave") == "chirp":
        return (event["frequency_hz"] + event["end_frequency_hz"]) / 2
    return event["frequency_hz"]
