"""`report`, `runs export`, `runs figure` and `runs audiofolder` on the command line."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest

from spectcount import cli


@pytest.fixture(scope="module")
def run_id(lasting, plans):
    """A finished curve of a simulated listener."""
    return lasting.make_run(plans.curve, [plans.sim]).run.id


@pytest.fixture
def call(lasting, monkeypatch, capsys):
    """Run the command line in this process: (exit code, what it printed as JSON, stderr)."""
    monkeypatch.setenv("SPECTCOUNT_HOME", str(lasting.settings.home))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["spectcount", *map(str, arguments), "--json"])
        try:
            code = cli.main() or 0
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return run


def test_report_writes_a_file_or_into_a_folder(call, run_id, tmp_path):
    code, found, _ = call("report", run_id, "--out", tmp_path / "new" / "mine.html")
    assert (code, found) == (0, {"run": run_id, "report": str(tmp_path / "new" / "mine.html")})
    code, found, _ = call("report", run_id, "--out", tmp_path)
    assert (code, Path(found["report"])) == (0, tmp_path / f"{run_id}.html")
    assert "How to repeat it" in (tmp_path / f"{run_id}.html").read_text()


def test_export_takes_clips_on_request(call, run_id, tmp_path):
    code, found, _ = call("runs", "export", run_id, "--out", tmp_path, "--clips")
    assert code == 0
    names = zipfile.ZipFile(found["bundle"]).namelist()
    assert sum(name.endswith(".wav") for name in names) == 18


def test_figures_are_listed_and_written(call, run_id, tmp_path):
    _, found, _ = call("runs", "figure", run_id)
    assert found["figures"][:2] == ["curve-d-prime", "curve-auc"]
    code, found, _ = call("runs", "figure", run_id, "curve-auc", "--out", tmp_path)
    assert code == 0 and len(found["files"]) == 6
    assert all(Path(path).exists() for path in found["files"])


def test_audiofolder_is_written_once(call, run_id, tmp_path):
    code, found, _ = call("runs", "audiofolder", run_id, "--out", tmp_path / "set")
    assert code == 0 and (Path(found["folder"]) / "metadata.jsonl").exists()
    code, found, err = call("runs", "audiofolder", run_id, "--out", tmp_path / "set")
    assert (code, found) == (2, None) and "is not empty" in err


@pytest.mark.parametrize("verb", [("report",), ("runs", "export"), ("runs", "audiofolder")])
def test_an_unknown_run_is_refused(call, verb):
    code, found, err = call(*verb, "probe-1")
    assert (code, found) == (2, None) and "there is no run 'probe-1'" in err
