"""Rows about what a comparison says of better and worse hearing when only the criterion moved, and
about the intervals of sensitivity under wordings with criteria of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, ndtri

from benchmarks.sentence_rows import Row, row
from benchmarks.sentence_rows.simulate import Sheet, sheet
from spectcount.probing.difference import change_over
from spectcount.probing.maps import pool
from spectcount.probing.panel import Panel, panel_result
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.threshold_changes import changes_of
from spectcount.probing.verdict import IMPROVED, WORSE
from spectcount.psychophysics.sdt import Interval
from spectcount.trials import Trial

MAP = {"kind": "map", "nx": 8, "ny": 6, "trials": 8, "catch_trials": 96}
CURVE = {
    "kind": "curve",
    "parameter": "level_dbfs",
    "start": -70,
    "stop": -20,
    "levels": 8,
    "trials": 24,
    "catch_trials": 96,
    "harder": "low",
    "design": {"noise_sigma": 0.003},
}
PART = {
    "name": "Detecting",
    "plan": {"kind": "map", "nx": 1, "ny": 1, "trials": 40, "catch_trials": 40},
}
SHARED = 0.5
"""Correlation of base's and tuned's noise on one clip."""
CLAIMS = (IMPROVED, WORSE)


def _pair(
    questions: Sheet, rng: np.random.Generator, d, criteria, graded: bool, words_sd: float = 0.0
) -> list[list[Trial]]:
    """Base and tuned of the same sensitivity `d` and two criteria (0: unbiased for d' of 0), each
    wording's own scattered by `words_sd`."""
    clips = rng.standard_normal(len(questions.trials))
    return [_answers(questions, rng, d, c, graded, words_sd, clips) for c in criteria]


def _answers(questions, rng, d, criterion, graded, words_sd=0.0, clips=None) -> list[Trial]:
    n = len(questions.trials)
    noise = rng.standard_normal(n)
    if clips is not None:
        noise = np.sqrt(SHARED) * clips + np.sqrt(1 - SHARED) * noise
    of_words = words_sd * rng.standard_normal((questions.wording.max() + 1, 2))
    moved = of_words[questions.wording, questions.swapped.astype(int)]
    scores = questions.signal * questions.at_cells(d) + noise - criterion - moved
    return questions.scored(scores) if graded else questions.chosen((scores <= 0).astype(int))


def _third_deaf(questions: Sheet) -> np.ndarray:
    cells = np.arange(questions.plan.n_rows * questions.plan.n_columns)
    return np.where(cells % 3 == 0, 0.0, 3.0).reshape(questions.plan.n_rows, -1)


def _headline(d: Callable[[Sheet], np.ndarray | float], criteria, graded: bool, truth: str):
    def of(rng: np.random.Generator, runs: int) -> Row:
        questions, said = sheet(plan_from_dict(MAP)), 0
        for _ in range(runs):
            pair = _pair(questions, rng, d(questions), criteria, graded)
            first = change_over(questions.plan, *pair).verdict
            said += first is not None and first.kind in CLAIMS
        answers = "graded scores" if graded else "answers alone"
        return Row("A comparison says improved or worse", f"{truth}, {answers}", said, runs)

    return of


def _named(name: str, function) -> None:
    function.__name__ = name
    row(function)


for _graded in (True, False):
    _kind = "graded" if _graded else "answers"
    for _name, _d, _criteria, _truth in (
        ("deaf_stricter", _third_deaf, (1.0, 2.0), "criterion 1 -> 2, a third of the cells deaf"),
        ("deaf_laxer", _third_deaf, (2.3, 0.8), "criterion 2.3 -> 0.8, a third deaf"),
        ("alike_laxer", lambda _: 1.5, (2.0, 0.0), "criterion 2 -> 0, d' 1.5 everywhere"),
        ("extreme", lambda _: 4.0, (4.0, 3.0), "criterion 4 -> 3 (c 2 -> 1), d' 4 everywhere"),
    ):
        _named(f"headline_{_name}_{_kind}", _headline(_d, _criteria, _graded, _truth))


def _threshold(graded: bool):
    def of(rng: np.random.Generator, runs: int) -> Row:
        questions, said = sheet(plan_from_dict(CURVE)), 0
        d = (3.5 / (1 + np.exp(-(np.linspace(-70, -20, 8) + 42) / 6)))[None]
        for _ in range(runs):
            pair = _pair(questions, rng, d, (2.0, 0.0), graded)
            found, _whole = changes_of(questions.plan, *pair)
            said += found[0].verdict.kind in CLAIMS
        answers = "graded scores" if graded else "answers alone"
        truth = f"criterion 2 -> 0, {answers}"
        return Row("A yes/no threshold improved or worse", truth, said, runs)

    return of


_named("threshold_answers", _threshold(False))
_named("threshold_graded", _threshold(True))


def _forgotten(graded: bool):
    def of(rng: np.random.Generator, runs: int) -> Row:
        panel = Panel.from_list([{**PART, "name": f"Detecting {i}"} for i in range(5)])
        sheets, said = [sheet(part.made, seed=i) for i, part in enumerate(panel.parts)], 0
        for _ in range(runs):
            both: list[list[Trial]] = [[], []]
            for i, questions in enumerate(sheets):
                for who, trials in enumerate(_pair(questions, rng, 2.5, (1.25, 0.65), graded)):
                    both[who] += [_in_part(t, i) for t in trials]
            said += bool(panel_result(panel, *both).to_dict()["forgotten"])
        answers = "graded scores" if graded else "answers alone"
        return Row("A panel says Forgotten", f"criterion lower by 0.6, {answers}", said, runs)

    return of


def _in_part(trial: Trial, index: int) -> Trial:
    return dataclasses.replace(trial, coords={**trial.coords, "plan": index})


_named("panel_answers", _forgotten(False))
_named("panel_graded", _forgotten(True))


def _outside(measure: str, d, criterion: float, words_sd: float, graded: bool, truth: str):
    """How often the printed interval of one listener does not hold the truth."""

    def of(rng: np.random.Generator, runs: int) -> Row:
        questions, missed = sheet(plan_from_dict(MAP)), 0
        cells = np.broadcast_to(d(questions), (questions.plan.n_rows, questions.plan.n_columns))
        area = float(np.mean(ndtr(cells / np.sqrt(2))))
        value = np.sqrt(2) * ndtri(area) if measure == "d_a" else float(np.mean(cells))
        for _ in range(runs):
            trials = _answers(questions, rng, d(questions), criterion, graded, words_sd)
            found: Interval = getattr(pool(questions.plan, trials), measure)
            missed += not found.low <= value <= found.high
        name = {"d_a": "d_a from scores", "d_prime": "d' from answers"}[measure]
        return Row(f"The interval of {name}, missing it", truth, missed, runs)

    return of


for _measure, _graded in (("d_a", True), ("d_prime", False)):
    for _name, _d, _c, _sd, _truth in (
        ("words", lambda _: 1.5, 0.75, 1.0, "criteria of wordings and orders differ by 1 sd"),
        ("plain", lambda _: 1.5, 0.75, 0.0, "d' 1.5 everywhere, criterion unbiased"),
        ("extreme", lambda _: 4.0, 4.0, 0.0, "d' 4 everywhere, c = 2"),
        ("strict", lambda _: 3.0, 3.0, 0.0, "d' 3 everywhere, c = 1.5"),
    ):
        _named(f"coverage_{_measure}_{_name}", _outside(_measure, _d, _c, _sd, _graded, _truth))
