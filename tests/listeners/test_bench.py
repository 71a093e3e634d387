"""The bench: same questions for every way, ratios of what it printed."""

import json
import statistics

import pytest

from spectcount.errors import UserError

pytestmark = pytest.mark.slow

SHORT = {
    "clips": "3",
    "questions_per_clip": "2",
    "duration_s": "1.0",
    "turns": "2",
    "naive_clips": "1",
}


def test_rates_ratios_and_the_file_agree(settings, tmp_path):
    from spectcount.actions.bench import bench_scoring, bench_table

    lines = []
    out = tmp_path / "deep" / "bench.json"
    result = bench_scoring(settings, "tiny-lalm", SHORT, lines.append, out)
    assert set(result.ways) == {"naive", "batched", "ours"}
    for way in result.ways.values():
        assert len(way.per_second) == 2
        assert way.median == statistics.median(way.per_second)
    assert result.ratios["naive"] == result.ways["ours"].median / result.ways["naive"].median
    assert json.loads(out.read_text()) == result.to_dict()
    assert len(lines) == 6
    assert "times the naive loop" in bench_table(result)
    assert 0 < result.peak_share < 1


def test_flops_grow_with_the_clip(settings):
    """A clip twice as long costs about twice as much, the prompt and the attention aside."""
    from spectcount.actions.bench import bench_scoring

    once = {**SHORT, "turns": "1", "questions_per_clip": "1"}
    two, four = (
        bench_scoring(settings, "tiny-lalm", {**once, "duration_s": s}).gflop_per_question
        for s in ("2.0", "4.0")
    )
    assert 1.5 < four / two < 4


def test_what_runs_no_model_is_refused(settings):
    from spectcount.actions.bench import bench_scoring

    with pytest.raises(UserError, match="nothing to time"):
        bench_scoring(settings, "ideal")
