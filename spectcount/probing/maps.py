"""Trials -> maps, curves and confusion matrices: pure functions, nothing else is shown.

Conventions: arrays are [ny, nx], row y = 0 first; a curve is a map of one row; nan (and an
unbounded interval) where there are no trials. The trials of one listener go in, in any order and
as incomplete as they are. A hit is "yes" to a signal trial (detect) or the right number (count);
false alarms come from the catch trials, shared by all cells of the same background. d', c and AUC
exist for two-answer tasks only; a forced choice's d' is over sqrt 2. Where a task is subjective,
the rate is that of the first answer. Rates have Wilson intervals, d' and c follow the log-linear
rule; each Interval names its rule.

Sources: Green & Swets (1966) for the ideal observer, d' = sqrt(2E/N0).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.listeners.observers.ideal import pair_d_prime
from spectcount.probing.base import Plan
from spectcount.probing.repeats import counted, left_out_words
from spectcount.probing.sensitivity import Sensitivity, for_wordings
from spectcount.psychophysics import sdt
from spectcount.psychophysics.roc import Roc
from spectcount.psychophysics.sdt import Interval
from spectcount.scales import noise_density
from spectcount.stimulus import Event, Stimulus
from spectcount.tasks import Task, task
from spectcount.trials import Trial, remembered

Grid = dict[tuple[int, ...], list[Trial]]
"""Trials by cell (x, y)."""


@dataclass(frozen=True)
class Cells:
    """One listener's map. `rate` is the hit rate (detect) or accuracy (count) of the signal
    trials, `n` their number, `hits` how many were right; `ideal` the mean d' of the ideal
    observer; `bias` and `error` the mean signed and absolute counting error; `mass` the mean
    probability of the closed answer set."""

    plan: Plan
    n: np.ndarray
    hits: np.ndarray
    n_catch: np.ndarray
    false_alarms: np.ndarray
    rate: Interval
    ideal: np.ndarray
    mass: np.ndarray
    d_prime: Interval | None = None
    criterion: Interval | None = None
    auc: Interval | None = None
    bias: np.ndarray | None = None
    error: np.ndarray | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the page and for exports; nan and infinities become None."""
        fields = {k: v for k, v in vars(self).items() if k != "plan" and v is not None}
        axes = [
            {
                "name": a.name,
                "label": a.label,
                "edges": list(a.edges),
                "points": a.points,
                "middles": a.middles,
            }
            for a in self.plan.axes
        ]
        return {"axes": axes, "task": self.plan.task, **{k: plain(v) for k, v in fields.items()}}


@dataclass(frozen=True)
class Pooled:
    """Several cells together: what a region's or a whole run's trials say. Rates are pooled; d', c
    and AUC are compared within cells and wordings and averaged; `d_a` and `roc` are there where
    scores are graded (`sensitivity`). `wordings`: what the intervals are for, in words; `name`: of
    the rate. `repeated`: trials left out as repeats of one waveform (`repeats`)."""

    n: int
    n_catch: int
    rate: Interval
    false_alarm_rate: Interval | None
    d_prime: Interval | None
    criterion: Interval | None
    auc: Interval | None
    ideal: float
    mass: float
    d_a: Interval | None = None
    roc: Roc | None = None
    repeated: int = 0
    wordings: str = ""
    name: str = ""

    @property
    def caution(self) -> str:
        """That d' from the answers misleads; empty where variances may be equal."""
        return "" if self.roc is None else self.roc.caution

    @property
    def words(self) -> str:
        """The leading measure with its interval, its trials and what it is for; slope and caution
        where there is an ROC; the repeats left out."""
        main = (("d_a", self.d_a), ("d'", self.d_prime), (self.name, self.rate))
        name, value = next((n, x) for n, x in main if x is not None)
        catch = f" and {self.n_catch} catch" if self.n_catch else ""
        parts = [
            f"{name} {value} at {100 * value.level:.4g} %, {self.n} signal{catch} trials, "
            f"{self.wordings}"
        ]
        if self.roc is not None:
            parts.append(self.caution or self.roc.words)
        return "; ".join([*parts, *filter(None, [left_out_words(self.repeated)])])

    def to_dict(self) -> dict[str, Any]:
        """Plain data with `words`; nan and infinities become None."""
        hidden = ("roc", "name", "wordings")
        listed = {k: v for k, v in vars(self).items() if v is not None and k not in hidden}
        plain_fields = {k: plain(v) for k, v in listed.items()} | {"words": self.words}
        if self.roc is not None:
            plain_fields["roc"] = self.roc.to_dict()
        return {**plain_fields, **({"caution": self.caution} if self.caution else {})}


@dataclass(frozen=True)
class Confusion:
    """`matrix` [truth, answer]: how often each number was said; `truths` and `answers` label it.
    `accuracy` per truth with its interval, `overall` for all trials; `bias` and `error`: mean
    signed and absolute error per truth; `unparsed`: free replies in which no number was found;
    `low_mass`: share of trials where the closed set got less than half of the probability;
    `repeated`: trials left out as repeats of one waveform (`repeats`)."""

    truths: tuple[str, ...]
    answers: tuple[str, ...]
    matrix: np.ndarray
    accuracy: Interval
    overall: Interval
    bias: np.ndarray
    error: np.ndarray
    mean_bias: float
    mean_error: float
    unparsed: int
    n_replies: int
    low_mass: float
    repeated: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data; nan becomes None."""
        return {k: plain(v) for k, v in vars(self).items()}


def measure_map(plan: Plan, trials: Iterable[Trial], level: float = 0.95) -> Cells:
    """The map (or the curve, one row) that one listener's `trials` of `plan` draw."""
    trials = counted(plan, trials)
    grid = by_cell(plan, trials, "signal")
    catch = catch_by_cell(plan, trials)
    n, hits = _count(plan, grid, lambda t: True), _count(plan, grid, hit)
    n_catch = _count(plan, catch, lambda t: True)
    false_alarms = _count(plan, catch, lambda t: not t.correct)
    cells: dict[str, Any] = {
        "n": n,
        "hits": hits,
        "n_catch": n_catch,
        "false_alarms": false_alarms,
        "rate": sdt.wilson(hits, n, level),
        "ideal": _mean(plan, grid, ideal_d_prime),
        "mass": _mean(plan, grid, lambda t: t.mass),
    }
    if plan.asked.two_class:
        counts = (hits, n, false_alarms, n_catch)
        d_prime = d_prime_of(plan.asked)(*counts, level=level)
        cells["d_prime"] = sdt.resolved(d_prime, 0, *counts, plan.asked.scale)
        cells["criterion"] = sdt.resolved(sdt.criterion(*counts, level=level), 1, *counts)
        cells["auc"] = _auc_map(plan, grid, catch, level)
    elif plan.asked.counts:
        cells["bias"] = _mean(plan, grid, signed_error)
        cells["error"] = _mean(plan, grid, lambda t: abs(signed_error(t)))
    return Cells(plan=plan, **cells)


def pool(
    plan: Plan,
    trials: Iterable[Trial],
    cells: Iterable[Sequence[int]] | None = None,
    level: float = 0.95,
) -> Pooled:
    """All trials of some cells (x, y) together (None: all cells), and the catch trials that
    belong to them."""
    answered = list(trials)
    listed = counted(plan, answered)
    chosen = {tuple(c[:2]) for c in cells} if cells is not None else set(plan.cells)
    grid, around = by_cell(plan, listed, "signal"), catch_by_cell(plan, listed)
    signal = [t for c in sorted(chosen) for t in grid.get(c, [])]
    catch = list({t.key: t for c in sorted(chosen) for t in around.get(c, [])}.values())
    hits, alarms = sum(map(hit, signal)), sum(not t.correct for t in catch)
    both = Sensitivity(plan, [signal], [catch])
    detect = both.measurable
    return Pooled(
        n=len(signal),
        n_catch=len(catch),
        rate=sdt.wilson(hits, len(signal), level),
        false_alarm_rate=sdt.wilson(alarms, len(catch), level) if catch else None,
        d_prime=both.d_prime(level) if detect else None,
        criterion=both.criterion(level) if detect else None,
        auc=both.auc(level) if detect else None,
        d_a=both.d_a(level) if detect and both.graded else None,
        roc=both.roc(level) if detect else None,
        ideal=_average([d for d in map(ideal_d_prime, signal) if not np.isnan(d)]),
        mass=_average([t.mass for t in signal + catch]),
        repeated=len(answered) - len(listed),
        wordings=for_wordings(signal + catch),
        name=rate_words(plan),
    )


def confusion(trials: Iterable[Trial], level: float = 0.95) -> Confusion:
    """Counts of events against counts answered, over counting trials (catch trials are
    zeros)."""
    answered = [t for t in trials if task(t.task).counts and t.truth is not None]
    listed = counted(None, answered)
    truths = tuple(str(n) for n in sorted({int(t.truth or 0) for t in listed}))
    answers = listed[0].answers if listed else ()
    matrix = np.zeros((len(truths), len(answers)), int)
    for t in listed:
        matrix[truths.index(str(t.truth)), answers.index(t.answer)] += 1
    right = np.array([matrix[r, answers.index(w)] for r, w in enumerate(truths)], int)
    errors = [[signed_error(t) for t in listed if t.truth == w] for w in truths]
    replies = [t for t in listed if t.reply is not None]
    return Confusion(
        truths=truths,
        answers=answers,
        matrix=matrix,
        accuracy=sdt.wilson(right, matrix.sum(axis=1), level),
        overall=sdt.wilson(int(right.sum()), len(listed), level),
        bias=np.array([_average(e) for e in errors]),
        error=np.array([_average(np.abs(e)) for e in errors]),
        mean_bias=_average([signed_error(t) for t in listed]),
        mean_error=_average([abs(signed_error(t)) for t in listed]),
        unparsed=sum(parsed(t) is None for t in replies),
        n_replies=len(replies),
        low_mass=_average([float(t.mass < 0.5) for t in listed]),
        repeated=len(answered) - len(listed),
    )


def rate_words(plan: Plan) -> str:
    """Name of the rate of signal trials that were right; without a truth, of the first answer."""
    if not plan.asked.has_truth:
        return f"share of “{plan.asked.answers[0]}”"
    return "hit rate" if plan.asked.two_class else "accuracy"


def hit(trial: Trial) -> bool:
    """True where a signal trial was answered as it should; where there is no truth, whether the
    first answer was given."""
    return bool(trial.correct) if trial.truth is not None else trial.answer == trial.answers[0]


def d_prime_of(of_task: Task) -> Callable[..., Interval]:
    """The rule for the sensitivity of a two-answer task, from hits and false alarms."""
    return sdt.d_prime_2afc if of_task.forced_choice else sdt.d_prime


@remembered
def ideal_d_prime(trial: Trial) -> float:
    """d' of the ideal observer for a trial: sqrt(2E/N0), E being the energy of all events together
    (detect), of the least of them (count), or of the difference between signal and counterpart;
    infinite without noise, nan without events or where nothing tells the counterpart."""
    stimulus = trial.stimulus
    if not stimulus or not stimulus["events"] or trial.truth is None:
        return float("nan")
    if "pair" in stimulus["meta"]:
        distance = pair_d_prime(Stimulus.from_dict(stimulus), trial.task)
        return distance / task(trial.task).distance
    energies = [_energy(*(e.get(name) for name in _ENERGETIC)) for e in stimulus["events"]]
    energy = min(energies) if task(trial.task).counts else sum(energies)
    density = noise_density(stimulus["noise_sigma"], stimulus["sample_rate"])
    return float(np.sqrt(2 * energy / density)) if density > 0 else float("inf")


_ENERGETIC = (
    "duration_s",
    "level_dbfs",
    "attack_ms",
    "release_ms",
    "ramp",
    "gap_ms",
    "gap_onset_ms",
    "gap_ramp_ms",
)


@functools.lru_cache(maxsize=4096)
def _energy(*values: Any) -> float:
    """Energy of an event by the fields that matter to it, which many trials share."""
    fields = dict(zip(_ENERGETIC, values, strict=True))
    given = {name: value for name, value in fields.items() if value is not None}
    return Event(onset_s=0.0, frequency_hz=1000.0, **given).energy


def signed_error(trial: Trial) -> float:
    """Said minus there, of a counting trial."""
    return float(int(trial.answer) - int(trial.truth or 0))


def parsed(trial: Trial) -> str | None:
    """The answer that the task's parser finds in a free reply; None: unparsed."""
    return task(trial.task).parse(trial.reply or "")


def of_listener(trials: Iterable[Trial], name: str) -> list[Trial]:
    """The trials of a run that belong to the listener called `name`."""
    return [t for t in trials if t.listener == name]


def plain(value: Any) -> Any:
    """Arrays, intervals and numbers as JSON-ready data: nan and infinities become None, of an
    interval with a word for why ("open")."""
    if isinstance(value, Interval):
        parts = {k: plain(getattr(value, k)) for k in ("value", "low", "high")}
        return {**parts, **_open(value), "level": value.level, "rule": value.rule}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value


def _open(interval: Interval) -> dict[str, Any]:
    """{"open": why a None stands for a number}, in the shape of the interval; nothing where no
    end is open."""
    ends = [np.asarray(x, float) for x in (interval.value, interval.low, interval.high)]
    words = np.vectorize(sdt.open_word, otypes=[object])(*ends)
    return {"open": words.tolist()} if np.any(words != "") else {}


def by_cell(plan: Plan, trials: Iterable[Trial], role: str) -> Grid:
    """Trials of a role by their cell."""
    grid: Grid = {}
    for t in trials:
        if t.coords.get("role") == role:
            grid.setdefault((int(t.coords["x"]), int(t.coords["y"])), []).append(t)
    return grid


def catch_by_cell(plan: Plan, trials: Iterable[Trial]) -> Grid:
    """For each cell the catch trials with its background. The ideal observer knows which signal
    is absent, so its catch trials serve the cell of that signal only."""
    of_cells = by_cell(plan, trials, "catch")
    if any(t.fingerprint.startswith("ideal-") for listed in of_cells.values() for t in listed):
        return {cell: of_cells.get(cell, []) for cell in plan.cells}
    shared: Grid = {}
    for cell, listed in of_cells.items():
        shared.setdefault(background_of(plan, cell), []).extend(listed)
    return {cell: shared.get(background_of(plan, cell), []) for cell in plan.cells}


def background_of(plan: Plan, cell: tuple[int, ...]) -> tuple[int, ...]:
    """The key that cells with the same catch trials have in common."""
    return tuple(cell[a] for a in plan.background_axes)


def _fill(plan: Plan, grid: Grid, of_cell: Any) -> np.ndarray:
    rows = [
        [of_cell(grid.get((i, j), [])) for i in range(plan.n_columns)] for j in range(plan.n_rows)
    ]
    return np.array(rows)


def _count(plan: Plan, grid: Grid, keep: Any) -> np.ndarray:
    known: dict[int, int] = {}  # cells of one background share their list of catch trials

    def count(trials: list[Trial]) -> int:
        if id(trials) not in known:
            known[id(trials)] = sum(map(keep, trials))
        return known[id(trials)] if trials else 0

    return _fill(plan, grid, count)


def _mean(plan: Plan, grid: Grid, value: Any) -> np.ndarray:
    return _fill(plan, grid, lambda trials: _average([value(t) for t in trials]))


def _average(values: Any) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _scores(trials: list[Trial]) -> list[float]:
    return [t.yes_score for t in trials]


def _auc_map(plan: Plan, grid: Grid, catch: Grid, level: float) -> Interval:
    parts = np.full((3, plan.n_rows, plan.n_columns), np.nan)
    parts[1], parts[2] = 0.0, 1.0
    for (i, j), signal in grid.items():
        if catch.get((i, j)):
            area = sdt.auc(_scores(signal), _scores(catch[i, j]), level)
            parts[:, j, i] = area.value, area.low, area.high
    return Interval(parts[0], parts[1], parts[2], level, sdt.MANN_WHITNEY)
