"""The fine-tune: exact accumulation, scopes, frozen base, a plain adapter, exact resume."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spectcount.errors import UserError
from spectcount.listeners.families import FAMILIES

TRAIN = {"steps": 6, "batch": 4, "save_every": 1, "evaluate_every": 3, "held_out": 4, "threads": 1}
CONFIG = {
    "base": "random",
    "curriculum": {"clip_low_s": 1.0, "clip_high_s": 1.5, "count_high": 3},
    "lora": {"rank": 2},
    "train": TRAIN,
    "regions": [{"ranges": {"frequency_hz": [100, 400]}, "severity": 0.8}],
    "seed": 3,
}
CHILD = """
import json, sys
from pathlib import Path
from tests.training.test_tune import Context, settings_at
from spectcount.training.train import execute
home, folder, config = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
execute(Context(folder, config), settings_at(home))
"""


class Context:
    """A RunContext that keeps what it is told."""

    run_id = "tune-test"

    def __init__(self, folder, config, stop_at=None):
        self.folder, self.config, self.stop_at = Path(folder), config, stop_at
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lineage, self.done, self.metrics = {"probe": "map-1"}, 0, []

    def progress(self, done, total):
        self.done = done

    def should_stop(self):
        return self.stop_at is not None and self.done >= self.stop_at

    def metric(self, step, name, value):
        self.metrics.append((step, name, value))

    def log(self, message):
        print(message, flush=True)


def settings_at(home):
    from spectcount.settings import load_settings

    return load_settings(home=home, device="cpu")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    from recipes.tiny_lalm import model as tiny

    root = tmp_path_factory.mktemp("home")
    folder = root / "models" / "random"
    processor = tiny.build_processor()
    tiny.build_model(processor, 0).save_pretrained(folder)
    processor.save_pretrained(folder)
    return root


@pytest.fixture(scope="module")
def whole(home, tmp_path_factory):
    """A run that nobody disturbed."""
    from spectcount.training.train import execute

    context = Context(tmp_path_factory.mktemp("whole"), CONFIG)
    return context, execute(context, settings_at(home))


def weights(folder):
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes()


def newest_step(folder):
    """Step of the newest checkpoint, whole or being written; -1 before the first."""
    steps = [int(p.name.split("-")[1]) for p in folder.glob("checkpoints/checkpoint-*")]
    return max(steps, default=-1)


def configured(**train):
    return {**CONFIG, "lora": {"rank": 2, "dropout": 0.0}, "train": {**TRAIN, **train}}


def test_one_update_of_eight_equals_two_of_four(home, tmp_path):
    import torch
    from safetensors.torch import load_file

    from spectcount.training.train import execute

    tensors = []
    for name, split in {"8": (8, 1), "2x4": (4, 2)}.items():
        config = configured(steps=1, warmup_steps=0, batch=split[0], accumulation=split[1])
        execute(Context(tmp_path / name, config), settings_at(home))
        tensors.append(load_file(tmp_path / name / "adapter" / "adapter_model.safetensors"))
    for name, value in tensors[0].items():
        torch.testing.assert_close(value, tensors[1][name], atol=2e-6, rtol=1e-4)


def test_clips_synthesised_ahead_change_nothing(home, tmp_path, whole):
    from spectcount.training.train import execute

    config = {**CONFIG, "train": {**TRAIN, "loaders": 2}}
    execute(Context(tmp_path, config), settings_at(home))
    assert weights(tmp_path) == weights(whole[0].folder)


def test_the_loss_is_divided_by_every_label_of_the_step(home, tmp_path, monkeypatch):
    from spectcount.training import losses, train

    seen = []
    original = losses.answer_loss

    def spy(family, model, sequences, audio, n_labels=None):
        seen.append((int((sequences.labels != -100).sum()), int(n_labels)))
        return original(family, model, sequences, audio, n_labels)

    monkeypatch.setattr(losses, "answer_loss", spy)
    train.execute(Context(tmp_path, configured(steps=1, accumulation=2)), settings_at(home))
    assert {given for _, given in seen} == {sum(own for own, _ in seen)}


@pytest.mark.parametrize(
    ("scope", "hit", "spared"),
    [
        ("encoder", ("audio_tower", "multi_modal_projector"), ("language_model",)),
        ("projector", ("multi_modal_projector",), ("audio_tower", "language_model")),
        ("llm", ("language_model",), ("audio_tower", "multi_modal_projector")),
        ("both", ("audio_tower", "multi_modal_projector", "language_model"), ()),
    ],
)
def test_a_scope_touches_what_it_says(scope, hit, spared):
    from recipes.tiny_lalm import model as tiny
    from spectcount.training.lora import attach
    from spectcount.training.options import LoraOptions

    family = FAMILIES["qwen2-audio"]
    model = tiny.build_model(tiny.build_processor(), 0)
    model = attach(family, model, LoraOptions(scope=scope), "random")
    names = [n for n, p in model.named_parameters() if p.requires_grad]
    assert all("lora_" in n for n in names)
    assert all(any(part in n for n in names) for part in hit)
    assert not any(part in n for n in names for part in spared)


def test_the_result_is_a_plain_adapter_on_an_unchanged_base(home, whole):
    import torch
    from peft import PeftModel

    context, summary = whole
    folder, base_folder = context.folder / "adapter", str(home / "models" / "random")
    base, _ = FAMILIES["qwen2-audio"].load(base_folder, "cpu", torch.float32)
    before = {n: p.clone() for n, p in base.named_parameters()}
    tuned = PeftModel.from_pretrained(base, str(folder)).base_model.model
    kept = {n.replace(".base_layer", ""): p for n, p in tuned.named_parameters()}
    assert all(torch.equal(p, kept[n]) for n, p in before.items())
    assert any(p.abs().sum() > 0 for n, p in kept.items() if "lora_B" in n)
    assert (
        json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
        == "random"
    )
    texts = [p.read_text() for p in folder.iterdir() if p.suffix in (".json", ".md")]
    assert not any(str(home) in text for text in texts)
    assert json.loads((folder / "lineage.json").read_text())["seed"] == 3
    assert summary["steps"] == 6


def test_a_stopped_run_goes_on_to_the_same_adapter(home, whole, tmp_path):
    from spectcount.training.train import execute

    stopped = execute(Context(tmp_path, CONFIG, stop_at=3), settings_at(home))
    resumed = execute(Context(tmp_path, CONFIG), settings_at(home))
    assert stopped["steps"] == 3
    assert weights(tmp_path) == weights(whole[0].folder)
    assert resumed["held_out_before"] == whole[1]["held_out_before"] != {}


def test_a_checkpoint_cut_off_in_the_writing_is_not_used(home, whole, tmp_path):
    from spectcount.training.train import execute

    execute(Context(tmp_path, CONFIG, stop_at=4), settings_at(home))
    last = tmp_path / "checkpoints" / "checkpoint-4"
    (last / "complete").unlink()
    (last / "optimizer.pt").write_bytes(b"cut off")
    execute(Context(tmp_path, CONFIG), settings_at(home))
    assert weights(tmp_path) == weights(whole[0].folder)


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed_ends_bit_identical(home, tmp_path):
    from spectcount.training.train import execute

    rng = random.Random(os.getpid())
    config = {**CONFIG, "train": {**TRAIN, "steps": 20, "evaluate_every": 20}}
    undisturbed = Context(tmp_path / "whole", config)
    execute(undisturbed, settings_at(home))
    folder = tmp_path / "killed"
    argv = [sys.executable, "-c", CHILD, str(home), str(folder), json.dumps(config)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    for _ in range(2):
        child = subprocess.Popen(argv, cwd=root, env=environment)
        reached = newest_step(folder)
        while child.poll() is None and newest_step(folder) <= reached:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.15))
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    subprocess.run(argv, cwd=root, env=environment, check=True)
    assert weights(folder) == weights(undisturbed.folder)


def test_a_loss_that_is_no_number_names_its_step(home, tmp_path, monkeypatch):
    import torch

    from spectcount.training import losses, train

    monkeypatch.setattr(losses, "answer_loss", lambda *_: torch.tensor(float("nan")))
    with pytest.raises((FloatingPointError, UserError), match="nan at step 1"):
        train.execute(Context(tmp_path, CONFIG), settings_at(home))


@pytest.mark.parametrize("name", ["paper", "laptop"])
def test_a_shipped_preset_goes_through_the_real_entry_point(name, home, tmp_path):
    from spectcount import presets
    from spectcount.training.train import execute

    body = presets.load("training", name, settings_at(home)).body
    body["train"] |= {"steps": 1, "batch": 2, "held_out": 4, "threads": 1}
    summary = execute(
        Context(tmp_path, {**CONFIG, **body, "train": body["train"]}), settings_at(home)
    )
    assert summary["steps"] == 1
