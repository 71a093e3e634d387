"""The installed package: built from what git keeps, used from an empty folder, complete."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from spectcount import __version__

BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_{}(sys.argv[1]))"
START_LIMIT_S = 120.0


def run(*command: object, cwd: Path, **variables: str) -> str:
    """What a command prints on stdout; its messages where it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def build(kind: str, source: Path, out: Path) -> Path:
    """A wheel or an sdist of the project in `source`."""
    name = run(sys.executable, "-c", BUILD.format(kind), out, cwd=source).split("\n")[-2]
    return out / name


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory) -> Path:
    """The wheel, built from the sdist, built from the files of the project."""
    pytest.importorskip("setuptools", reason="the wheel is built with setuptools")
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "tests", "docs", "*.egg-info")
    shutil.copytree(root, source, ignore=ignored)
    archive = build("sdist", source, folder)
    shutil.unpack_archive(archive, folder)
    return build("wheel", folder / f"spectcount-{__version__}", folder)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder with the installed package and its command."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    run(*pip, "--target", folder, wheel, cwd=folder)
    return folder


@pytest.fixture
def variables(installed, tmp_path) -> dict[str, str]:
    """The environment in which the installed command runs."""
    return {"PYTHONPATH": str(installed), "SPECTCOUNT_HOME": str(tmp_path / "home")}


@pytest.fixture
def call(installed, tmp_path, variables):
    """Call the installed command in an empty folder."""
    command = installed / "bin" / "spectcount"
    return lambda *arguments: run(command, *arguments, cwd=tmp_path, **variables)


def test_the_declared_project_is_the_program(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"spectcount": "spectcount.__main__:main"}
    assert project["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": "requirements.txt"}
    citation = (root / "CITATION.cff").read_text()
    assert f"version: {__version__}" in citation


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(root, wheel):
    package = root / "spectcount"
    files = {path.relative_to(root).as_posix() for path in package.rglob("*") if path.is_file()}
    files = {name for name in files if "__pycache__" not in name}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = next(name for name in names if name.endswith(".dist-info/METADATA"))
        facts = Parser().parsestr(archive.read(about).decode())
    assert {name for name in names if ".dist-info/" not in name} == files
    assert facts["Name"] == "spectcount" and facts["Version"] == __version__
    assert facts["License-Expression"] == "Apache-2.0" and facts["Requires-Python"] == ">=3.11"
    required = (root / "requirements.txt").read_text().split()
    assert {*map(Requirement, facts.get_all("Requires-Dist"))} == {*map(Requirement, required)}


@pytest.mark.slow
def test_the_installed_command_has_its_presets_and_its_model(call):
    assert " app " in call("--help")
    asked = ("ask", "--preset", "quiet", "--seed", "1", "--task", "count", "--json")
    answers = json.loads(call(*asked, "--listener", "tiny-lalm@example"))
    assert "tiny-lalm@example" in json.dumps(answers)


@pytest.mark.slow
def test_the_installed_command_probes_in_a_worker_of_its_own(call):
    options = ("--listener", "dsp", "--set", "trials=1", "--wait", "--json")
    assert json.loads(call("probe", "quick-map", *options))["state"] == "done"


@pytest.mark.slow
def test_the_installed_command_serves_the_page(installed, tmp_path, variables):
    command = [installed / "bin" / "spectcount", "app", "--port", str(free_port())]
    url = f"http://127.0.0.1:{command[-1]}"
    with (tmp_path / "page.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, **variables}, stdout=log, stderr=log
        )
    try:
        page = body_of(url, process, tmp_path / "page.log")
        assert "tiny-lalm" in page and "quick-map" in page, "a model and a preset"
        assert "S.heatmap = " in page, "the page's own scripts"
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def body_of(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    """The page at `url`, as soon as it is there."""
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(url, timeout=30).read().decode()
        time.sleep(0.2)
    raise TimeoutError(f"{url} did not answer within {START_LIMIT_S:g} s: {log.read_text()}")
