"""Shared by all tests: no network, a throw-away home folder, GPU tests only where a GPU is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_CACHE"] = os.devnull
os.environ["SPECTCOUNT_SCORER_IDLE_S"] = "0"
"""Each test would start a scorer for its own home folder; those about it do."""


def pytest_collection_modifyitems(config, items):
    """Deselect GPU tests where there is no GPU: a skipped test would look like a passed one."""
    gpu = [item for item in items if item.get_closest_marker("gpu")]
    if gpu and not _has_gpu():
        items[:] = [item for item in items if item not in gpu]
        config.hook.pytest_deselected(items=gpu)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session", autouse=True)
def _throwaway_home(tmp_path_factory):
    """Nothing that a test starts, a subprocess included, may touch the user's own home folder."""
    before = {name: os.environ.get(name) for name in ("SPECTCOUNT_HOME", "SPECTCOUNT_DEVICE")}
    os.environ["SPECTCOUNT_HOME"] = str(tmp_path_factory.mktemp("home"))
    os.environ["SPECTCOUNT_DEVICE"] = "cpu"
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture
def settings(tmp_path):
    """Settings with a home folder of this test's own."""
    from spectcount.settings import load_settings

    return load_settings(mode="local", home=tmp_path / "home", device="cpu")


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the command line in this process: (exit code, stdout, stderr)."""
    from spectcount import cli

    monkeypatch.setenv("SPECTCOUNT_HOME", str(tmp_path / "home"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["spectcount", *map(str, arguments)])
        try:
            code = cli.main() or 0
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return Path(__file__).resolve().parents[1]
