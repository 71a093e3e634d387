"""The table of sentences: simulated answers are those of a real run, and every row runs."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import sentences
from benchmarks.sentence_rows import Row, load_rows
from benchmarks.sentence_rows.simulate import sheet
from spectcount.listeners.observers.observer import Observer
from spectcount.probing import run
from spectcount.probing.plan import DetectionMap
from tests.ledger import Context

PLAN = DetectionMap(nx=2, ny=3, trials=4, catch_trials=12)


class Recorded(Observer):
    """Answers as it is told to."""

    name, fingerprint = "sim", "sim"

    def __init__(self, trials):
        self.by_key = {t.key: t.log_probs for t in trials}

    def log_odds(self, question):
        return np.array(self.by_key[question.key])


@pytest.mark.parametrize("task", ["detect", "count"])
def test_simulated_trials_are_those_of_a_run(task):
    plan = PLAN.replace(task=task)
    asked, rng = sheet(plan, seed=3), np.random.default_rng(0)
    trials = asked.counting(rng, 0.5) if task == "count" else asked.gaussian(rng, 1.0)
    context = Context({"plan": plan.to_dict(), "seed": 3})
    run.execute(context, {"sim": Recorded(trials)})
    answered = context.ledger.trials("run")

    def row(t):
        return t.key, t.prompt, t.truth, t.answer, t.coords

    assert [row(t) for t in answered] == [row(t) for t in trials]
    assert [t.log_probs for t in answered] == [pytest.approx(t.log_probs, abs=1e-6) for t in trials]


def test_simulated_sensitivity_and_criterion_are_as_asked():
    asked, rng = sheet(PLAN.replace(trials=400, catch_trials=2400)), np.random.default_rng(0)
    trials = asked.gaussian(rng, [[0, 0], [1, 1], [3, 3]], 0.5)
    scores = np.array([t.yes_score for t in trials])
    catch = scores[~asked.signal].mean()
    assert catch == pytest.approx(-(0 + 1 + 3) / 3 / 2 - 0.5, abs=0.1)
    for row, d_prime in enumerate((0, 1, 3)):
        heard = scores[asked.signal & (asked.y == row)].mean() - catch
        assert heard == pytest.approx(d_prime, abs=0.1)
    right = [t.correct for t in sheet(PLAN.replace(task="count", trials=400)).counting(rng, 0.3)]
    assert np.mean(right) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("name", load_rows())
def test_every_row_runs(name):
    measured = sentences.measure(name, seed=7, runs=2)
    assert 0 <= measured.said <= measured.runs <= 2  # rows of intervals count measurable runs
    assert measured.sentence and measured.truth


def test_rows_beyond_the_limit_are_named():
    rows = [Row("a", "never", 2, 100), Row("b", "ever", 20, 100), Row("c", "now", 90, 100, True)]
    assert [r.holds for r in rows] == [True, False, True]
    text = sentences.page(rows, "command")
    assert "Beyond the limit: b (ever)." in text
    assert text.index("| a |") < text.index("### Power") < text.index("| c |")
    assert "All 1 lines are within" in sentences.page(rows[:1], "command")


def test_rows_of_a_file_are_not_run_again(tmp_path):
    rows = sentences.Rows(tmp_path / "rows.jsonl", seed=1, runs=200)
    assert rows.read() == {}
    rows.add("fits.a", Row("a", "never", 2, 105))
    rows.add("fits.b", Row("b", "ever", 0, 200, True))
    assert rows.read() == {
        "fits.a": Row("a", "never", 2, 105),
        "fits.b": Row("b", "ever", 0, 200, True),
    }
    assert sentences.Rows(rows.path, seed=1, runs=400).read() == {}
    assert sentences.Rows(None, seed=1, runs=200).read() == {}
