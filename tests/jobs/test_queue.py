"""The queue with real worker processes: order, death, stop, resume, one start only."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from spectcount import jobs
from spectcount.errors import UserError
from spectcount.jobs import alive, kinds
from spectcount.settings import Limits
from spectcount.store import Store

sys.path.insert(0, str(Path(__file__).parent))
from fake_worker import EXECUTOR, FAKE_KINDS

LONG_S = 60.0


@pytest.fixture
def store(settings, monkeypatch):
    monkeypatch.setattr(kinds, "KINDS", kinds.KINDS)
    for name, work in FAKE_KINDS.items():
        monkeypatch.setitem(kinds.KINDS, name, work)
    store = Store(settings.database)
    yield store
    for run in store.runs(states=["running", "stopping"]):
        if (worker := alive.process(run)) is not None:
            worker.kill()


def until(store, run_id, condition, settings=None):
    deadline = time.time() + LONG_S
    while time.time() < deadline:
        if settings is not None:
            jobs.tend(store, settings, EXECUTOR)
        run = store.run(run_id)
        if condition(run):
            return run
        time.sleep(0.05)
    raise AssertionError(f"{run} {run.log_tail()}")


def finish(store, settings, run):
    return jobs.wait(store, settings, run.id, executor=EXECUTOR)


def test_a_run_is_done_by_a_process_of_its_own_session(store, settings):
    run = jobs.submit(store, settings, "count", {"n": 300})
    jobs.tend(store, settings, EXECUTOR)
    running = until(store, run.id, lambda r: r.done > 0)
    assert running.state == "running" and alive.is_alive(running)
    assert os.getsid(running.pid) == running.pid != os.getsid(0)
    assert running.pid_started_at == psutil.Process(running.pid).create_time()
    done = finish(store, settings, run)
    assert (done.state, done.summary, done.done, done.total) == (
        "done",
        {"counted": 300},
        300,
        300,
    )
    assert "from 0" in done.log_tail()
    until(store, run.id, lambda r: not alive.is_alive(r))


def test_killed_worker_becomes_interrupted_with_reason_and_log_tail(store, settings):
    run = jobs.submit(store, settings, "count", {"n": 100_000})
    jobs.tend(store, settings, EXECUTOR)
    running = until(store, run.id, lambda r: r.done > 0)
    os.kill(running.pid, signal.SIGKILL)
    dead = until(store, run.id, lambda r: r.ended, settings)
    assert dead.state == "interrupted"
    assert f"pid {running.pid}" in dead.reason and "SIGKILL" in dead.reason
    assert "from 0" in store.events_since(run.id)[1][-1].message


def test_a_killed_run_is_resumed_and_not_stopped_though_nobody_has_looked(store, settings):
    run = jobs.submit(store, settings, "count", {"n": 100_000})
    jobs.tend(store, settings, EXECUTOR)
    running = until(store, run.id, lambda r: r.done > 0)
    with pytest.raises(UserError, match="is running; only"):
        jobs.resume(store, settings, run.id)
    os.kill(running.pid, signal.SIGKILL)
    psutil.Process(running.pid).wait(LONG_S)
    assert store.run(run.id).state == "running"
    assert jobs.resume(store, settings, run.id).state == "queued"
    jobs.cancel(store, run.id)
    other = jobs.submit(store, settings, "count", {"n": 100_000})
    jobs.tend(store, settings, EXECUTOR)
    running = until(store, other.id, lambda r: r.done > 0)
    os.kill(running.pid, signal.SIGKILL)
    psutil.Process(running.pid).wait(LONG_S)
    with pytest.raises(UserError, match="is interrupted already"):
        jobs.cancel(store, other.id)


def test_a_restarted_app_adopts_live_workers_and_settles_dead_ones(store, settings):
    """Nothing is known of the worker but what the store and the lock say."""
    run = jobs.submit(store, settings, "count", {"n": 100_000})
    jobs.tend(store, settings, EXECUTOR)
    running = until(store, run.id, lambda r: r.done > 0)
    stranger = type(EXECUTOR)(EXECUTOR.command)
    jobs.tend(store, settings, stranger)
    assert store.run(run.id).state == "running"
    os.kill(running.pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)
    jobs.tend(store, settings, stranger)
    dead = store.run(run.id)
    assert dead.state == "interrupted" and "is gone" in dead.reason


def test_stop_keeps_the_work_and_resume_goes_on(store, settings):
    run = jobs.submit(store, settings, "count", {"n": 200, "pause_s": 0.02})
    jobs.tend(store, settings, EXECUTOR)
    until(store, run.id, lambda r: r.done > 3)
    assert jobs.cancel(store, run.id).state == "stopping"
    stopped = finish(store, settings, run)
    assert stopped.state == "stopped" and 3 < stopped.summary["counted"] < 200
    assert jobs.resume(store, settings, run.id).state == "queued"
    done = finish(store, settings, run)
    assert done.state == "done" and done.folder == stopped.folder
    assert f"from {stopped.summary['counted']}" in done.log_tail()
    with pytest.raises(UserError, match="is done; only stopped"):
        jobs.resume(store, settings, run.id)
    with pytest.raises(UserError, match="is done already"):
        jobs.cancel(store, run.id)


def test_a_worker_that_does_not_stop_is_terminated(store, settings):
    hasty = replace(settings, limits=Limits(stop_timeout_s=0.3))
    run = jobs.submit(store, hasty, "deaf", {})
    jobs.tend(store, hasty, EXECUTOR)
    until(store, run.id, lambda r: r.done > 0)
    jobs.cancel(store, run.id)
    stopped = until(store, run.id, lambda r: r.ended, hasty)
    assert stopped.state == "stopped" and "by force" in stopped.reason


def test_queue_is_first_in_first_out_and_drains_without_anybody(store, settings, tmp_path):
    order = tmp_path / "order.txt"
    config = {"file": str(order)}
    first = jobs.submit(store, settings, "note", config)
    failing = jobs.submit(store, settings, "fail", {"error": "bug"})
    withdrawn = jobs.submit(store, settings, "note", config)
    last = jobs.submit(store, settings, "note", config)
    jobs.cancel(store, withdrawn.id)
    jobs.tend(store, settings, EXECUTOR)
    until(store, last.id, lambda r: r.ended)
    assert order.read_text().split() == [first.id, last.id]
    assert store.run(failing.id).state == "failed"
    assert store.run(withdrawn.id).state == "stopped"


def test_two_tenders_at_once_start_one_job_only(store, settings, tmp_path):
    order = tmp_path / "order.txt"
    runs = [
        jobs.submit(store, settings, "note", {"file": str(order), "pause_s": 0.3}) for _ in range(2)
    ]
    tenders = [
        threading.Thread(target=jobs.tend, args=(store, settings, EXECUTOR)) for _ in range(6)
    ]
    for tender in tenders:
        tender.start()
    for tender in tenders:
        tender.join()
    assert [store.run(r.id).state for r in runs].count("running") == 1
    for run in runs:
        until(store, run.id, lambda r: r.ended, settings)
    assert sorted(order.read_text().split()) == sorted(r.id for r in runs)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("user", "n=9 is above the limit 8; lower it"),
        ("memory", "out of memory; lower the batch size"),
        ("disk", "the disk is full; free some space"),
        ("nan", "not a number: the loss is nan at step 3"),
        ("bug", "KeyError: 'weights' (traceback in the log)"),
    ],
)
def test_failures_end_with_a_reason_and_a_log(store, settings, error, words):
    run = finish(store, settings, jobs.submit(store, settings, "fail", {"error": error}))
    assert run.state == "failed"
    assert run.reason.startswith(words)
    assert "Traceback" in run.log_tail()


def test_a_worker_that_cannot_be_started_fails_with_a_reason(store, settings):
    nowhere = type(EXECUTOR)(["/nonexistent/python"])
    run = jobs.submit(store, settings, "count", {"n": 1})
    jobs.tend(store, settings, nowhere)
    failed = store.run(run.id)
    assert failed.state == "failed" and "could not be started" in failed.reason


def test_no_job_is_taken_on_a_full_disk_or_of_an_unknown_kind(store, settings):
    full = replace(settings, limits=Limits(min_free_mb=1e12))
    with pytest.raises(UserError, match="MB are free under"):
        jobs.submit(store, full, "count", {"n": 1})
    with pytest.raises(UserError, match="run kind 'sing' is not known"):
        jobs.submit(store, settings, "sing", {})
    assert store.runs() == []
