"""The benchmark of a step: both ways learn the same from the same clips, and what is counted."""

import json

import pytest
import torch

from spectcount.errors import UserError
from spectcount.training import bench
from tests.families.checkpoints import build
from tests.training.working import settings_at

pytestmark = pytest.mark.slow
FEW = {"turns": 1, "steps": 1, "batch": 2, "duration_s": 1.0, "rank": 2}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("home")
    build("qwen2-audio", root / "models" / "tiny")
    return settings_at(root)


@pytest.fixture(scope="module")
def result(home):
    return bench.bench(home, "tiny", FEW)


def test_both_ways_have_one_loss_and_the_stock_way_does_more(result):
    stock, ours = result.ways["stock"], result.ways["ours"]
    assert result.losses["ours"] == pytest.approx(result.losses["stock"], rel=1e-4)
    assert stock.gflop_per_clip > 1.5 * ours.gflop_per_clip  # 4 s of window for clips of 1 s
    assert len(ours.per_second) == 1 and ours.median == ours.per_second[0]
    assert ours.peak_share == pytest.approx(
        ours.median * ours.gflop_per_clip / result.peak_gflops, rel=1e-6
    )


def test_the_result_is_written_and_told(result, tmp_path):
    bench.write(result, tmp_path / "out" / "bench.json")
    assert json.loads((tmp_path / "out" / "bench.json").read_text()) == result.to_dict()
    assert f"ours / stock {result.ratio:.2f}" in bench.table(result)


def test_unknown_parameters_are_refused(home):
    with pytest.raises(UserError, match=r"has no parameter 'durations'"):
        bench.bench(home, "tiny", {"durations": 2})


def test_the_command_line_has_it(home, tmp_path):
    from typer.testing import CliRunner

    from spectcount.cli import app

    sets = [part for name, value in FEW.items() for part in ("--set", f"{name}={value}")]
    where = ["--home", str(home.home), "--device", "cpu"]
    out = ["--out", str(tmp_path / "bench.json"), "--json"]
    told = CliRunner().invoke(app, [*where, "bench", "train", "--listener", "tiny", *sets, *out])
    assert told.exit_code == 0, told.output
    assert json.loads((tmp_path / "bench.json").read_text())["listener"] == "tiny"


def test_a_clip_is_synthesised_once():
    (question,) = bench.make_questions(bench.TrainBenchOptions(batch=1))
    assert question.audio() is question.audio()


def test_flop_of_a_step_are_of_both_ways():
    """A product [8, 16] x [16, 4]: forward once, backward for the weight only."""
    layer, x = torch.nn.Linear(16, 4, bias=False), torch.ones(8, 16)
    assert bench.flop_of(lambda: layer(x).sum().backward()) == 2 * 2 * 8 * 16 * 4
