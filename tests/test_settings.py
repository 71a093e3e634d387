"""Settings: where they come from, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectcount.errors import UserError
from spectcount.settings import load_settings, typed_path


def test_arguments_win_over_the_environment_and_that_over_defaults(tmp_path):
    environ = {"SPECTCOUNT_HOME": str(tmp_path / "a"), "SPECTCOUNT_MODE": "demo"}
    settings = load_settings(environ=environ)
    assert settings.home == tmp_path / "a"
    assert settings.demo and settings.device == "cpu"
    other = load_settings(mode="local", home=tmp_path / "b", device="cuda:1", environ=environ)
    assert (other.home, other.mode, other.device) == (tmp_path / "b", "local", "cuda:1")
    assert other.runs.is_dir()


def test_another_process_gets_the_same_settings(tmp_path):
    settings = load_settings(mode="demo", home=tmp_path / "x", environ={})
    assert load_settings(environ=settings.environment()) == settings


def test_demo_allows_less(tmp_path):
    local = load_settings(home=tmp_path, environ={}).limits
    demo = load_settings(mode="demo", home=tmp_path, environ={}).limits
    assert demo.max_events < local.max_events
    assert demo.max_trials < local.max_trials
    assert demo.max_upload_mb < local.max_upload_mb


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mode": "public"}, "mode='public' is not known; choose one of local, demo"),
        ({"device": "gpu; rm"}, "device='gpu; rm' is not known; give auto, cpu"),
    ],
)
def test_unknown_mode_and_device_are_refused(tmp_path, given, words):
    with pytest.raises(UserError, match=words):
        load_settings(home=tmp_path, environ={}, **given)


def test_a_home_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be made .* --home or SPECTCOUNT_HOME"):
        load_settings(home=tmp_path / "file" / "home", environ={})


@pytest.mark.parametrize("text", ["a" * 5000, "~nobody-of-this-name/x"])
def test_what_can_be_no_path_is_refused_in_words(text):
    with pytest.raises(UserError, match="cannot be read as a path"):
        typed_path(text)


def test_a_typed_path_has_its_tilde_written_out():
    assert typed_path("~/x") == Path.home() / "x"
    assert typed_path("no/such/place") == Path("no/such/place")


def test_a_gpu_is_used_where_there_is_one(tmp_path, monkeypatch):
    """Auto is the default: a card that PyTorch was built for and that is not hidden."""
    from spectcount import devices

    assert load_settings(home=tmp_path, environ={}).device == devices.choose({})
    monkeypatch.setattr(devices.platform, "system", lambda: "Linux")
    assert devices.choose({}, tmp_path) == "cpu"
    (tmp_path / "nvidia0").touch()
    for build, environ, device in (
        ({"cuda": "13.0"}, {}, "cuda"),
        ({"cuda": "13.0"}, {"CUDA_VISIBLE_DEVICES": "0,1"}, "cuda"),
        ({"cuda": "13.0"}, {"CUDA_VISIBLE_DEVICES": ""}, "cpu"),
        ({"cuda": "13.0"}, {"CUDA_VISIBLE_DEVICES": "-1"}, "cpu"),
        ({}, {}, "cpu"),
    ):
        monkeypatch.setattr(devices, "_build", lambda build=build: build)
        assert devices.choose(environ, tmp_path) == device, (build, environ)
    monkeypatch.setattr(devices.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(devices.platform, "machine", lambda: "arm64")
    assert devices.choose({"CUDA_VISIBLE_DEVICES": "-1"}, tmp_path) == "mps"


def test_the_device_may_still_be_named(tmp_path):
    auto = {"SPECTCOUNT_DEVICE": "auto"}
    assert load_settings(home=tmp_path, device="mps", environ=auto).device == "mps"
    assert load_settings(home=tmp_path, environ=auto).device in ("cpu", "cuda", "mps")
