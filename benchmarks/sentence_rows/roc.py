"""Rows about the slope of the z-ROC: when equal variance is said to mislead, and its interval."""

from __future__ import annotations

import numpy as np

from benchmarks.sentence_rows import Row, row
from benchmarks.sentence_rows.simulate import Sheet, sheet
from benchmarks.sentence_rows.verdicts import CURVE, MAP
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.sensitivity import Sensitivity
from spectcount.psychophysics.roc import Roc

CELL = {"kind": "map", "nx": 1, "ny": 1, "trials": 100, "catch_trials": 100}
RISING = (3.5 / (1 + np.exp(-(np.linspace(-70, -20, 8) + 42) / 6)))[None]


def _third_deaf(questions: Sheet) -> np.ndarray:
    cells = np.arange(questions.plan.n_rows * questions.plan.n_columns)
    return np.where(cells % 3 == 0, 0.0, 3.0).reshape(questions.plan.n_rows, -1)


def _roc(questions: Sheet, rng: np.random.Generator, d, slope: float, words_sd: float) -> Roc:
    """Of one listener whose catch trials have sd 1, signal trials 1/slope, each wording in each
    order a criterion of its own."""
    noise = rng.standard_normal(len(questions.trials)) * np.where(questions.signal, 1 / slope, 1)
    of_words = words_sd * rng.standard_normal((questions.wording.max() + 1, 2))
    moved = of_words[questions.wording, questions.swapped.astype(int)]
    trials = questions.scored(questions.signal * questions.at_cells(d) + noise - 0.7 - moved)
    parts = [[t for t in trials if (t.coords["role"] == "signal") == s] for s in (True, False)]
    found = Sensitivity(questions.plan, [parts[0]], [parts[1]]).roc()
    assert found is not None
    return found


def _misleads(body, d, slope: float, words_sd: float, truth: str, power: bool = False):
    def of(rng: np.random.Generator, runs: int) -> Row:
        questions = sheet(plan_from_dict(body))
        values = d(questions) if callable(d) else d
        said = sum(_roc(questions, rng, values, slope, words_sd).unequal for _ in range(runs))
        return Row("A probe says that equal variance misleads", truth, said, runs, power)

    return of


def _missed(body, d, slope: float, words_sd: float, truth: str):
    def of(rng: np.random.Generator, runs: int) -> Row:
        questions = sheet(plan_from_dict(body))
        values = d(questions) if callable(d) else d
        found = [_roc(questions, rng, values, slope, words_sd).slope for _ in range(runs)]
        missed = sum(not one.low <= slope <= one.high for one in found)
        return Row("The interval of the z-ROC slope, missing it", truth, missed, runs)

    return of


def _named(name: str, function) -> None:
    function.__name__ = name
    row(function)


_named("alike", _misleads(CELL, 1.0, 1.0, 0.0, "slope 1, one cell, d' 1"))
_named("unlike", _misleads(MAP, _third_deaf, 1.0, 0.0, "slope 1, a third of the cells deaf"))
_named("worded", _misleads(MAP, 1.5, 1.0, 1.0, "slope 1, criteria of wordings differ by 1 sd"))
_named("curve", _misleads(CURVE, RISING, 1.0, 0.0, "slope 1, a curve from d' 0 to 3.5"))
_named("missed_flat", _missed(MAP, 1.5, 0.6, 1.0, "slope 0.6, criteria of wordings differ"))
_named("missed_deaf", _missed(MAP, _third_deaf, 0.6, 0.0, "slope 0.6, a third of the cells deaf"))
_named("missed_steep", _missed(CELL, 1.0, 1.4, 0.0, "slope 1.4, one cell"))
_named("true", _misleads(MAP, 1.5, 0.6, 0.0, "slope 0.6, d' 1.5 everywhere", power=True))
