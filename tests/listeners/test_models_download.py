"""Fetching from a hub that is made of functions: what is asked of it, and every way it fails."""

import json
import os

import huggingface_hub
import numpy as np
import pytest
import safetensors.numpy
from huggingface_hub import errors

from spectcount import listeners
from spectcount.errors import UserError
from spectcount.listeners import models
from spectcount.listeners.checkpoints.cards import cards
from spectcount.listeners.checkpoints.download import fetch
from spectcount.listeners.checkpoints.files import revision_of
from spectcount.listeners.checkpoints.names import model_folder
from spectcount.settings import load_settings

COMMIT = "c" * 40
WEIGHTS = safetensors.numpy.save({"a": np.zeros(1, np.float32)})
SPEC = f"owner/name#{COMMIT}"
FILES = {
    "config.json": b'{"architectures": ["Qwen2AudioForConditionalGeneration"]}',
    "model.safetensors": WEIGHTS,
}

NO_DISK = "spectcount.listeners.checkpoints.download._refuse_full_disk"


class Hub:
    """Stands in for `snapshot_download`: writes FILES, reports bytes, remembers what it was
    asked; raises `failure` after the first file."""

    def __init__(self):
        self.asked, self.failure, self.files = [], None, dict(FILES)

    def __call__(self, repo, *, revision, local_dir, tqdm_class, **patterns):
        self.asked.append((repo, revision, local_dir, patterns))
        name = "huggingface_hub.snapshot_download"
        with tqdm_class(desc="Reconstructing", total=30, unit="B", name=name) as bar:
            for file, content in self.files.items():
                with open(f"{local_dir}/{file}", "wb") as handle:
                    handle.write(content)
                bar.update(15)
                if self.failure:
                    raise self.failure
        return local_dir


@pytest.fixture
def hub(monkeypatch):
    found = Hub()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", found)
    return found


def test_an_adapter_is_fetched_and_is_no_model(hub, settings):
    hub.files = {"adapter_config.json": b"{}", "adapter_model.safetensors": WEIGHTS}
    folder = fetch(SPEC, settings)
    assert listeners.adapter_folder(f"tiny-lalm@{SPEC}", settings) == folder
    assert fetch(SPEC, settings) == folder and len(hub.asked) == 1
    assert folder.name not in models(settings)


def test_an_adapter_in_pickles_only_is_refused(hub, settings):
    hub.files = {"adapter_config.json": b"{}", "README.md": b""}
    with pytest.raises(UserError, match=r"no adapter_model.safetensors"):
        fetch(SPEC, settings)


def response():
    import httpx

    return httpx.Response(403, request=httpx.Request("GET", "https://hub.test"))


@pytest.mark.parametrize("shown", [True, False])
def test_a_model_is_fetched_whole_pinned_and_reported(hub, settings, shown):
    """Also where the hub's own progress bars are switched off, as loading a model does."""
    switch = huggingface_hub.utils
    (switch.enable_progress_bars if shown else switch.disable_progress_bars)()
    seen = []
    folder = fetch(SPEC, settings, lambda *told: seen.append(told))
    assert folder == settings.home / "models" / f"owner--name--{COMMIT[:12]}"
    assert model_folder(SPEC, settings) == folder and revision_of(folder) == COMMIT
    words = f"fetching {folder.name}"
    assert seen[-2:] == [(words, 15, 30), (words, 30, 30)]
    ((repo, revision, _, patterns),) = hub.asked
    assert (repo, revision) == ("owner/name", COMMIT)
    assert "*.safetensors" in patterns["allow_patterns"]
    assert not [p for p in patterns["allow_patterns"] if p.endswith((".bin", ".py", ".pt", "*"))]
    assert {"*/*", "consolidated*"} <= set(patterns["ignore_patterns"])


def test_what_is_here_is_not_fetched_again(hub, settings):
    assert fetch(SPEC, settings) == fetch(SPEC, settings)
    assert len(hub.asked) == 1


def test_a_listed_model_comes_at_the_listed_commit(hub, settings, monkeypatch):
    monkeypatch.setattr(NO_DISK, lambda *_: None)
    folder = fetch("voxtral-mini-3b", settings)
    card = cards(settings)["voxtral-mini-3b"]
    assert folder.name == "voxtral-mini-3b"
    assert hub.asked[0][:2] == (card.hub, card.revision)
    with pytest.raises(UserError, match="is pinned to"):
        fetch("voxtral-mini-3b", settings, revision=COMMIT)


def test_a_model_without_a_commit_asks_for_one(hub, settings, monkeypatch):
    monkeypatch.setattr(NO_DISK, lambda *_: None)
    name = next(c.name for c in cards(settings).values() if c.unpinned)
    with pytest.raises(UserError, match=r"names no commit.*--revision COMMIT"):
        fetch(name, settings)
    assert revision_of(fetch(name, settings, revision=COMMIT)) == COMMIT


def test_an_interrupted_download_is_no_model_and_goes_on(hub, settings):
    hub.failure = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        fetch(SPEC, settings)
    assert list(models(settings)) == ["tiny-lalm"]
    hub.failure = None
    assert fetch(SPEC, settings).is_dir()
    assert hub.asked[0][2] == hub.asked[1][2]


def test_weights_that_could_run_code_are_not_kept(hub, settings):
    hub.files = {"config.json": FILES["config.json"], "pytorch_model.bin": b"x"}
    with pytest.raises(UserError, match=r"pytorch_model.bin only, which may run code"):
        fetch(SPEC, settings)
    assert list(models(settings)) == ["tiny-lalm"]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (errors.OfflineModeIsEnabled("offline"), "on a machine with network run `hf download own"),
        (ConnectionError("no route"), f"--revision {COMMIT} --local-dir owner--name--cccccccccccc"),
        (errors.LocalEntryNotFoundError("none"), "copy the folder to home/models/owner--name"),
        (errors.GatedRepoError("no", response=response()), "accept it at https://huggingface.co/o"),
        (errors.RepositoryNotFoundError("no", response=response()), "no owner/name on the hub"),
        (errors.RevisionNotFoundError("no", response=response()), f"has no commit {COMMIT}"),
    ],
)
def test_every_failure_of_the_hub_says_what_to_do(hub, settings, failure, words):
    hub.failure = failure
    with pytest.raises(UserError, match=words):
        fetch(SPEC, settings)


def test_a_disk_that_is_too_small_is_refused_first(hub, settings, monkeypatch):
    import shutil

    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5_000_000_000))
    with pytest.raises(UserError, match=r"audio-flamingo-3 takes 33.1 GB and 5.0 GB are free"):
        fetch("audio-flamingo-3", settings)
    assert hub.asked == []


def test_in_the_demo_only_listed_models(hub, tmp_path):
    demo = load_settings(mode="demo", home=tmp_path / "home", device="cpu")
    with pytest.raises(UserError, match="the demo takes one of"):
        fetch(SPEC, demo)


def test_what_is_neither_listed_nor_an_id_is_refused(hub, settings):
    with pytest.raises(UserError, match="model 'big' is not listed; choose one of audio-fl"):
        fetch("big", settings)
    with pytest.raises(UserError, match="shipped with the program"):
        fetch("tiny-lalm", settings)


def test_the_command_line_fetches(hub, settings, capsys):
    from typer.testing import CliRunner

    from spectcount.cli import app

    home = ["--home", str(settings.home)]
    result = CliRunner().invoke(app, [*home, "models", "get", SPEC, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["folder"].endswith(f"owner--name--{COMMIT[:12]}")


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    """A snapshot of SPEC in the hub's cache, as its own tool lays it out."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "models--owner--name" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def test_nothing_is_fetched_that_the_hubs_cache_has(hub, settings, snapshot):
    assert fetch(SPEC, settings) == snapshot == model_folder(SPEC, settings)
    assert hub.asked == []
    assert not list((settings.home / "models").glob("*"))


def test_what_the_cache_has_of_half_a_snapshot_is_there_before_the_rest_is_fetched(
    hub, settings, snapshot, monkeypatch
):
    (snapshot / "config.json").unlink()
    there = []
    monkeypatch.setattr(
        huggingface_hub,
        "snapshot_download",
        lambda *args, **how: (
            there.append(sorted(os.listdir(how["local_dir"]))),
            hub(*args, **how),
        ),
    )
    folder = fetch(SPEC, settings)
    assert there == [["model.safetensors"]]
    assert folder.parent == settings.home / "models" and len(hub.asked) == 1


def test_an_adapter_that_belongs_to_a_model_is_fetched_with_it(hub, settings):
    hub.files["config.json"] = json.dumps(
        {"architectures": ["Phi4MultimodalForCausalLM"], "model_type": "phi4_multimodal"}
    ).encode()
    fetch(SPEC, settings)
    assert [asked[3]["allow_patterns"] for asked in hub.asked][1:] == [["speech-lora/adapter_*"]]
    assert hub.asked[1][3]["ignore_patterns"] == []
