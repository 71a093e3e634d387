"""One update is the same however its clips are shared out: in one forward, accumulated, or over
two processes; for every family."""

import json

import pytest
import torch

from spectcount.errors import UserError
from spectcount.training import ranks
from spectcount.training.options import TrainOptions
from tests.families.checkpoints import BUILDERS, build
from tests.training.working import config, settings_at, tensors, tune, tune_on_two

WAYS = {"8": {"batch": 8}, "2x4": {"batch": 4, "accumulation": 2}, "2 ranks": {"processes": 2}}
LONG = {"steps": 4, "save_every": 2, "evaluate_every": 2}
LOGGED = {"steps": 5}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("home")
    for family in BUILDERS:
        build(family, root / "models" / family)
    return root


@pytest.fixture(scope="module")
def on_two(home, tmp_path_factory):
    """Folders of the runs on two processes, all from one start of `torchrun`: an update of every
    family, five steps, four left alone, and the same four stopped after the third and resumed."""
    root = tmp_path_factory.mktemp("two")
    long = config("qwen2-audio", processes=2, **LONG)
    long["lora"] = {"rank": 2, "dropout": 0.3}
    jobs = [(home, root / f, config(f, **WAYS["2 ranks"]), None) for f in BUILDERS]
    jobs += [(home, root / "logged", config("qwen2-audio", processes=2, **LOGGED), None)]
    jobs += [(home, root / "whole", long, None)]
    jobs += [(home, root / "stopped", long, 3), (home, root / "stopped", long, None)]
    tune_on_two(jobs, root / "jobs.json")
    return root


def close(a, b):
    """Equal within float error: AdamW's first step divides a gradient by its own size, so that
    the relative error of the smallest gradients becomes an absolute one of the step, 2e-4."""
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=4e-6, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("family", list(BUILDERS))
def test_one_update_is_the_same_in_one_in_two_and_on_two(family, home, on_two, tmp_path):
    whole, parts = tmp_path / "8", tmp_path / "2x4"
    tune(home, whole, config(family, **WAYS["8"]))
    tune(home, parts, config(family, **WAYS["2x4"]))
    learnt = tensors(whole)
    assert any(value.abs().max() > 1e-4 for name, value in learnt.items() if "lora_B" in name)
    close(learnt, tensors(parts))
    close(learnt, tensors(on_two / family))


def told(folder, rank):
    return json.loads((folder / f"told-{rank}.json").read_text())


@pytest.mark.slow
def test_only_the_first_of_two_tells_and_saves(on_two):
    first, second = told(on_two / "whole", 0), told(on_two / "whole", 1)
    assert second == {"metrics": [], "said": [], "summary": None}
    assert first["summary"]["steps"] == 4
    assert {step for step, name, _ in first["metrics"] if name == "strong_accuracy"} == {0, 2, 4}
    states = sorted(p.name for p in (on_two / "whole" / "checkpoints").glob("*/rng_state*"))
    assert states == ["rng_state_0.pth"] * 2 + ["rng_state_1.pth"] * 2


@pytest.mark.slow
def test_a_stop_reaches_both_and_a_resumed_run_ends_with_the_same_bytes(on_two):
    """The dropout of each process, its optimiser and its place in the data included."""
    whole, stopped = (on_two / name / "adapter" for name in ("whole", "stopped"))
    assert "resuming from checkpoint-3" in told(on_two / "stopped", 0)["said"]
    name = "adapter_model.safetensors"
    assert (whole / name).read_bytes() == (stopped / name).read_bytes()


@pytest.mark.slow
def test_two_processes_log_the_loss_of_the_whole_step(home, on_two, tmp_path):
    """Each sees half of the labels; what is logged is the same as that of one."""
    context, _ = tune(home, tmp_path, config("qwen2-audio", **LOGGED))
    first_loss = next(v for step, name, v in context.metrics if name == "loss")
    shared = next(v for step, name, v in told(on_two / "logged", 0)["metrics"] if name == "loss")
    assert shared == pytest.approx(first_loss, rel=1e-4)


def test_a_batch_that_cannot_be_shared_out_is_refused():
    with pytest.raises(UserError, match="batch=8 cannot be shared by processes=3"):
        TrainOptions(batch=8, processes=3)
    options = TrainOptions(batch=8, accumulation=3, processes=4)
    assert (options.clips_per_process, options.clips_per_step) == (2, 24)


def test_processes_and_devices_must_fit(monkeypatch):
    with pytest.raises(UserError, match="processes=2, but 1 were started"):
        ranks.device_of("cpu", 2)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert ranks.device_of("cpu", 2) == "cpu"
    with pytest.raises(UserError, match="device=cuda:1 is one device"):
        ranks.device_of("cuda:1", 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="need a GPU each, 1 are here"):
        ranks.device_of("cuda", 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert ranks.device_of("cuda", 2) == "cuda:1"


@pytest.mark.slow
def test_a_job_on_two_devices_stops_when_asked(home):
    """Through the real queue, `torchrun` and worker."""
    from spectcount import actions, jobs
    from spectcount.store import Store

    settings = settings_at(home)
    made = config("qwen2-audio", processes=2, steps=5000)
    parts = {name: made[name] for name in ("curriculum", "lora", "train")}
    run = actions.start_tune(settings, parts, "qwen2-audio")
    store = Store(settings.database)

    def stop_soon(found):
        if found.done >= 1 and found.state == "running":
            actions.cancel(settings, run.id)

    ended = jobs.wait(store, settings, run.id, stop_soon)
    assert ended.state == "stopped", ended.log_tail()
    assert 1 <= ended.done <= ended.summary["steps"] < 5000  # progress is told now and then
    assert (run.folder / "adapter" / "adapter_model.safetensors").is_file()


def test_the_demo_tunes_in_one_process(tmp_path):
    from spectcount import actions
    from spectcount.settings import load_settings

    demo = load_settings("demo", tmp_path, "cpu")
    for more in ({"processes": 2}, {"loaders": 1}):
        with pytest.raises(UserError, match="the demo tunes in one process"):
            actions.start_tune(demo, "laptop", "tiny-lalm", params=more)
