"""Files that the Runs tab hands out: report, bundle with clips, audiofolder."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import gradio as gr
import pytest

from spectcount import jobs
from spectcount.jobs.context import JobContext
from spectcount.jobs.kinds import KINDS
from spectcount.store import Store
from spectcount.ui.runs import RunsView

PLAN = {
    "kind": "curve",
    "parameter": "level_dbfs",
    "start": -60,
    "stop": -20,
    "levels": 2,
    "trials": 2,
    "catch_trials": 2,
    "design": {"duration_s": 1.0},
}


@pytest.fixture
def view(settings, monkeypatch):
    monkeypatch.setattr(jobs, "tend", lambda *_: None)
    with gr.Blocks():
        return RunsView(settings, Store(settings.database))


@pytest.fixture
def run_id(view):
    """A finished run of six trials."""
    config = {"plan": PLAN, "listeners": ["ideal"], "seed": 1}
    run = view.store.create_run("probe", config)
    view.store.claim(run.id)
    summary = KINDS["probe"](JobContext(view.store.run(run.id), view.store), view.settings)
    view.store.update(run.id, state="done", summary=summary)
    return run.id


def path_of(files):
    """The file that a handler offers; it lies in the folder for temporary files."""
    path = Path(files["value"][0])
    assert path.is_relative_to(tempfile.gettempdir())
    return path


def test_a_report_is_one_html_file(view, run_id):
    words, files = view.report(run_id)
    path = path_of(files)
    assert path.name == f"{run_id}.html" and path.name in words and "MB" in words
    assert "How to repeat it" in path.read_text()


def test_a_bundle_has_clips_only_when_asked(view, run_id):
    without, with_clips = (
        zipfile.ZipFile(path_of(view.export(run_id, clips)[1])).namelist()
        for clips in (False, True)
    )
    extra = set(with_clips) - set(without)
    assert {name.split("/")[1] for name in extra} == {"clips"} and len(extra) == 12


def test_an_audiofolder_is_one_zip(view, run_id):
    _, files = view.audiofolder(run_id)
    names = zipfile.ZipFile(path_of(files)).namelist()
    inside = {name.split("/", 1)[1] for name in names if not name.endswith("/")}
    assert {"metadata.jsonl", "README.md"} < inside
    assert sum(name.endswith(".wav") for name in inside) == 6
    assert list(path_of(files).parent.iterdir()) == [path_of(files)]


def test_what_cannot_be_made_is_said(view):
    for make in (view.report, view.export, view.audiofolder):
        words, files = make(None)
        assert "Choose a run first" in words and files["visible"] is False
        assert "there is no run" in make("probe-none")[0]
    empty = view.store.create_run("tune", {"base": "tiny-lalm"})
    assert "has no clips of its own" in view.audiofolder(empty.id)[0]
