"""A plan's questions drawn once, answered by many simulated listeners at once.

*Conventions*: arrays [n] run over the questions of the plan in their order. A two-answer listener
has an internal value x of unit variance, says the first answer where x exceeds its criterion, and
its score is x minus the criterion. In yes/no tasks x has the mean d' of the cell on signal trials
and 0 on catch trials, which cells share, both less half the mean d' of the map, so that a
criterion of 0 is unbiased; in forced choice the means are d'/sqrt 2 and -d'/sqrt 2. Every function
of trials then sees what it would see of a real run (`tests/benchmarks/test_sentences.py` compares
with the runner).
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spectcount.probing.draws import PlannedQuestion
from spectcount.probing.grid import GridPlan
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.wordings import Crossed
from spectcount.tasks import FORCED_CHOICE
from spectcount.trials import Trial, make_trial


@dataclass(frozen=True)
class Sheet:
    """The questions of a plan. `trials` are blank; `x`, `y` [n] their cells, `signal` [n] whether
    the first answer is right (all of them where the task counts), `wording` [n], `swapped` [n]
    whether the options are in reverse order, `truth` [n] the index of the right answer."""

    plan: GridPlan
    trials: tuple[Trial, ...]
    x: np.ndarray
    y: np.ndarray
    signal: np.ndarray
    wording: np.ndarray
    swapped: np.ndarray
    truth: np.ndarray

    def gaussian(
        self, rng: np.random.Generator, d_prime, criterion=0.0, noise: np.ndarray | None = None
    ) -> list[Trial]:
        """Answers of a listener of sensitivity `d_prime`: a number, or one per cell [ny, nx], with
        `criterion`, a number or one per question [n]. `noise` [n] is its deviates, drawn where
        not given (two listeners may share them)."""
        deviates = rng.standard_normal(len(self.trials)) if noise is None else noise
        if self.plan.asked.kind == FORCED_CHOICE:
            means = np.where(self.signal, 1, -1) * self.at_cells(d_prime) / np.sqrt(2)
        else:
            means = self.signal * self.at_cells(d_prime) - np.mean(d_prime) / 2
        return self.scored(means + deviates - criterion)

    def counting(self, rng: np.random.Generator, accuracy) -> list[Trial]:
        """Answers of a counting listener: right with chance `accuracy` (a number, or one per cell
        [ny, nx]), else off by one either way."""
        right = rng.random(len(self.trials)) < self.at_cells(accuracy)
        n_answers = len(self.trials[0].answers)
        step = np.where(rng.random(len(self.trials)) < 0.5, 1, -1)
        other = self.truth + step
        other = np.where((other < 0) | (other >= n_answers), self.truth - step, other)
        return self.chosen(np.where(right, self.truth, other))

    def at_cells(self, values) -> np.ndarray:
        """One value per question [n] from a number or from values per cell [ny, nx]."""
        shape = (self.plan.n_rows, self.plan.n_columns)
        return np.broadcast_to(np.asarray(values, float), shape)[self.y, self.x]

    def scored(self, scores: np.ndarray) -> list[Trial]:
        """Two-answer trials whose log-odds for the first answer are `scores` [n]."""
        first, second = -np.logaddexp(0, -scores), -np.logaddexp(0, scores)
        return self._filled(np.stack([first, second], axis=1))

    def chosen(self, answers: np.ndarray) -> list[Trial]:
        """Trials whose answers have these indices [n], with certainty."""
        n_answers = len(self.trials[0].answers)
        return self._filled(np.where(np.arange(n_answers) == answers[:, None], 0.0, -20.0))

    def _filled(self, log_probs: np.ndarray) -> list[Trial]:
        filled = zip(self.trials, log_probs.tolist(), strict=True)
        return [dataclasses.replace(t, log_probs=tuple(row)) for t, row in filled]


def sheet(plan: GridPlan, seed: int = 0, wordings: Sequence[int] = ()) -> Sheet:
    """The questions of a plan at `seed`; in each of `wordings` where they are given."""
    return _sheet(json.dumps(plan.to_dict(), sort_keys=True), seed, tuple(wordings))


@functools.lru_cache(maxsize=16)
def _sheet(plan_json: str, seed: int, wordings: tuple[int, ...]) -> Sheet:
    plan = plan_from_dict(json.loads(plan_json))
    assert isinstance(plan, GridPlan)
    asked = Crossed(plan, wordings).ask(seed) if wordings else plan.ask(seed)
    return sheet_of(plan, asked)


def sheet_of(plan: GridPlan, asked: Iterable[list[PlannedQuestion]]) -> Sheet:
    """A sheet of the batches of questions that something asks about the cells of a plan."""
    planned = [question for batch in asked for question in batch]
    blank = np.zeros(len(plan.asked.answers))
    trials = tuple(
        make_trial(p.question, blank, 1.0, fingerprint="sim", listener="sim", coords=p.coords)
        for p in planned
    )
    cells = np.array([[t.coords["x"], t.coords["y"]] for t in trials])
    truth = [-1 if t.truth is None else t.answers.index(t.truth) for t in trials]
    return Sheet(
        plan,
        trials,
        cells[:, 0],
        cells[:, 1],
        np.array([t.coords["role"] == "signal" for t in trials]),
        np.array([t.wording for t in trials]),
        np.array([t.reverse for t in trials]),
        np.array(truth),
    )
