"""A run that two processes share: who writes, what a failure of either says, what a kill leaves."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from spectcount import jobs
from spectcount.jobs import alive, kinds, several
from spectcount.jobs.executors.local import LocalExecutor
from spectcount.store import Store

sys.path.insert(0, str(Path(__file__).parent))
from fake_worker import EXECUTOR, FAKE_KINDS

TWO = {"train": {"processes": 2}}


@pytest.fixture
def store(settings, monkeypatch):
    for name, work in FAKE_KINDS.items():
        monkeypatch.setitem(kinds.KINDS, name, work)
    store = Store(settings.database)
    yield store
    for run in store.runs(states=["running", "stopping"]):
        if (worker := alive.process(run)) is not None:
            worker.kill()


def test_one_process_needs_no_torchrun(store, settings):
    run = jobs.submit(store, settings, "count", {"n": 1})
    assert several.processes(run) == 1
    assert several.command(LocalExecutor().command, 1) == LocalExecutor().command
    assert several.leads() and not several.one_of_several()


@pytest.mark.slow
def test_two_processes_do_a_run_and_the_first_tells_of_it(store, settings):
    run = jobs.submit(store, settings, "ranks", TWO)
    after = jobs.submit(store, settings, "count", {"n": 1})
    ended = jobs.wait(store, settings, run.id, executor=EXECUTOR)
    assert (ended.state, ended.summary) == ("done", {"told_by": "0"}), ended.log_tail()
    assert sorted(p.name for p in run.folder.glob("rank-*")) == ["rank-0", "rank-1"]
    assert jobs.wait(store, settings, after.id, executor=EXECUTOR).state == "done"


@pytest.mark.slow
def test_a_failure_of_the_second_is_the_runs(store, settings):
    run = jobs.submit(store, settings, "ranks", {**TWO, "fails": "1"})
    ended = jobs.wait(store, settings, run.id, executor=EXECUTOR)
    assert ended.state == "failed"
    assert "the second of two" in ended.reason


@pytest.mark.slow
def test_a_kill_of_the_run_leaves_no_process(store, settings):
    run = jobs.submit(store, settings, "ranks", {**TWO, "pause_s": 120})
    jobs.tend(store, settings, EXECUTOR)
    deadline = time.time() + 60
    while len(found := list(run.folder.glob("rank-*"))) < 2 and time.time() < deadline:
        time.sleep(0.1)
    workers = [int(file.read_text()) for file in found]
    os.killpg(store.run(run.id).pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(p) for p in workers if psutil.pid_exists(p)], timeout=10)
    assert len(workers) == 2 and not any(map(psutil.pid_exists, workers))
    jobs.tend(store, settings, EXECUTOR)
    assert store.run(run.id).state == "interrupted"
