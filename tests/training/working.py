"""Fine-tunes without the store, in this process or in those that `torchrun` starts.

`python -m torch.distributed.run ... -m tests.training.working JOBS.json`, a list of {"home",
"folder", "config", "stop_at"}; each folder gets the run's files and `told.json`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RANDOM = {
    "curriculum": {"clip_low_s": 1.0, "clip_high_s": 1.5, "count_high": 3},
    "lora": {"rank": 2, "dropout": 0.0},
    "seed": 3,
}


class Context:
    """A RunContext that keeps what it is told."""

    run_id = "tune-test"

    def __init__(self, folder, config, stop_at=None):
        self.folder, self.config, self.stop_at = Path(folder), config, stop_at
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lineage, self.done, self.metrics, self.said = {"probe": "map-1"}, 0, [], []

    def progress(self, done, total):
        self.done = done

    def should_stop(self):
        return self.stop_at is not None and self.done >= self.stop_at

    def metric(self, step, name, value):
        self.metrics.append((step, name, value))

    def log(self, message):
        self.said.append(message)
        print(message, flush=True)


def settings_at(home):
    from spectcount.settings import load_settings

    return load_settings(home=home, device="cpu")


def config(base="random", scope="both", **train):
    """One short fine-tune of the model called `base`."""
    fixed = {
        "steps": 1,
        "warmup_steps": 0,
        "batch": 8,
        "held_out": 4,
        "threads": 1,
        "evaluate_every": 1000,
    }
    lora = {**RANDOM["lora"], "scope": scope}
    return {**RANDOM, "base": base, "lora": lora, "regions": [], "train": {**fixed, **train}}


def tune(home, folder, config, stop_at=None):
    """The run's context and summary."""
    from spectcount.training.train import execute

    context = Context(folder, config, stop_at)
    return context, execute(context, settings_at(home))


def tune_on_two(jobs, file):
    """The same in two processes, one after the other: [(home, folder, config, stop_at)]."""
    names = ("home", "folder", "config", "stop_at")
    listed = [dict(zip(names, map(_plain, job), strict=True)) for job in jobs]
    file.write_text(json.dumps(listed))
    argv = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [*argv, "-m", "tests.training.working", str(file)],
        cwd=ROOT,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )


def tensors(folder):
    """The adapter's tensors by name."""
    from safetensors.torch import load_file

    return load_file(Path(folder) / "adapter" / "adapter_model.safetensors")


def _plain(value):
    return str(value) if isinstance(value, Path) else value


def _main(file):
    """One group of processes for all jobs: joining anew, a process could find the last one's."""
    from spectcount.training import ranks

    ranks.finish = ranks.wait_for_all
    for job in json.loads(Path(file).read_text()):
        context, summary = tune(**job)
        told = {"metrics": context.metrics, "said": context.said, "summary": summary}
        rank = os.environ["RANK"]
        (context.folder / f"told-{rank}.json").write_text(json.dumps(told, default=str))


if __name__ == "__main__":
    _main(sys.argv[1])
