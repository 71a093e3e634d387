"""The benchmark of recovery: cheap rows run again, and the page in the docs tells of them all."""

import re
from pathlib import Path

import pytest

from benchmarks import recovery
from spectcount.psychophysics.sdt import Interval

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recovery.md"
NAMES = [p.name for p in recovery.PROCEDURES]
CHEAP = (
    "constant stimuli, 7 levels",
    "1-up 2-down",
    "weighted up-down, 75 %",
    "QUEST+, about the threshold",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHEAP)
def test_simulated_listeners_are_recovered(name):
    """200 runs: the bias within its limit, the coverage not refuted by its own interval."""
    row = recovery.recover(recovery.PROCEDURES[NAMES.index(name)], runs=200, seed=20)
    low, high = recovery.COVERAGE_LIMITS
    assert abs(row.bias) <= recovery.BIAS_LIMIT
    assert row.coverage.high >= low and row.coverage.low <= high
    assert row.measurable >= 0.97


def test_runs_repeat_and_differ_from_each_other():
    procedure = recovery.PROCEDURES[0]
    first = recovery.one_run(procedure, seed=1, run=5)
    assert first == recovery.one_run(procedure, seed=1, run=5)
    assert first != recovery.one_run(procedure, seed=1, run=6)
    assert first != recovery.one_run(procedure, seed=2, run=5)


def test_rows_outside_the_limits_are_named():
    covered = Interval(0.95, 0.9, 1.0)
    good = recovery.Row(recovery.PROCEDURES[0], 9, 9.0, 1.0, 0.09, 0.01, 0.2, covered)
    biased = recovery.Row(recovery.PROCEDURES[1], 9, 9.0, 1.0, 0.11, 0.01, 0.2, covered)
    assert "All 1 rows lie within the limits." in recovery.page([good], [], "command")
    page = recovery.page([good, biased], [good], "command")
    assert f"Outside the limits: {biased.procedure.key}." in page
    assert recovery.line(biased).endswith("| no |")


def test_the_page_in_the_docs_holds_every_row():
    whole = PAGE.read_text()
    judged, _, ranges = whole.partition("## Thresholds")[2].partition("### The range")
    for procedure in recovery.PROCEDURES:
        assert f"| {procedure.name} | {procedure.listener.words} |" in judged
    assert judged.count("| yes |") == len(recovery.PROCEDURES)
    assert all(f"| {procedure.name} |" in ranges for procedure in recovery.RANGES)
    assert int(re.search(r"(\d+) runs per row", judged).group(1)) >= 200
    assert "python benchmarks/recovery.py" in judged
