"""The check for a GPU, rehearsed on the CPU with a tiny model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
STEPS = ("write", "load", "parity", "scores", "speed-short", "adapters", "train-step")


def check(*words):
    program = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *words]
    return subprocess.run(
        program,
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": "/nonexistent"},
    )


def test_the_rehearsal_passes_and_its_figures_are_written(tmp_path):
    out = tmp_path / "gpu.json"
    told = check("--tiny", "--work", str(tmp_path), "--out", str(out), "--steps", *STEPS)
    assert told.returncode == 0, told.stdout + told.stderr[-1000:]
    steps = json.loads(out.read_text())["steps"]
    assert list(steps) == list(STEPS)
    assert all(figures["ok"] for name, figures in steps.items() if name != "write")
    assert steps["parity"]["logit_std"] > 2


def test_a_step_that_fails_hides_no_other(tmp_path):
    out = tmp_path / "gpu.json"
    told = check(
        "--tiny", "--work", str(tmp_path), "--out", str(out), "--steps", "load", "four-bit"
    )
    assert told.returncode == 1
    assert "FAIL load" in told.stdout
    assert "SKIP four-bit" in told.stdout


def test_without_a_gpu_it_says_so(tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    told = check("--work", str(tmp_path))
    assert told.returncode == 1
    assert "no CUDA device here; `make gpu ARGS=--tiny`" in told.stdout
