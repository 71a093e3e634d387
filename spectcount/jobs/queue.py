"""The queue: submit, cancel, resume, and `tend`, which keeps it going.

One queue per device, first in first out, one run at a time. `tend` may be called by anybody at
any time, any number at once: what it changes, it changes in one atomic step each.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import psutil

from spectcount import interrupts, visitors
from spectcount.errors import UserError
from spectcount.jobs import alive
from spectcount.jobs.executors import Executor
from spectcount.jobs.executors.local import LocalExecutor
from spectcount.jobs.failures import reason_of_death
from spectcount.jobs.kinds import KINDS
from spectcount.settings import Settings
from spectcount.store import ACTIVE, Run, Store

RESUMABLE = ("stopped", "interrupted", "failed")
_LOG_TAIL_LINES = 12
_WAIT_STEP_S = 0.3

LOCAL = LocalExecutor()


def submit(
    store: Store,
    settings: Settings,
    kind: str,
    config: Mapping[str, Any],
    lineage: Mapping[str, Any] | None = None,
) -> Run:
    """Queue a run of `kind`; it starts when its device is free. Raises `UserError` for an unknown
    kind or a disk without room."""
    if kind not in KINDS:
        raise UserError(f"run kind {kind!r} is not known; choose one of {', '.join(KINDS)}")
    check_disk(settings)
    _check_places(store, settings)
    run = store.create_run(kind, config, lineage, device=settings.device)
    _goes_on(run.id)
    return run


def _goes_on(run_id: str) -> None:
    """The words of a command that is interrupted while a run of its own waits or works."""
    interrupts.hint(
        f"{run_id} goes on by itself; see it with: runs show {run_id}, stop it with: runs cancel "
        f"{run_id}"
    )


def _check_places(store: Store, settings: Settings) -> None:
    """Raise `UserError` where a visitor, or all together, have as many runs waiting as they may."""
    limits, waiting = settings.limits, (*ACTIVE, "queued")
    with visitors.acting_for(None):
        n_in_all = len(store.runs(states=waiting))
    for n, most, whose in (
        (len(store.runs(states=waiting)), limits.max_queued, "of yours"),
        (n_in_all, limits.max_queued_in_all, "of all visitors"),
    ):
        if n >= most:
            raise UserError(
                f"{n} runs {whose} are working or waiting, the limit is {most}; wait for one to "
                "end, or stop one in Runs"
            )


def cancel(store: Store, run_id: str) -> Run:
    """Ask a run to stop: it finishes its step, saves, and ends as stopped."""
    run = _settled(store, run_id)
    if run.ended:
        raise UserError(f"run {run_id} is {run.state} already; there is nothing to stop")
    store.request_stop(run_id)
    return store.run(run_id)


def resume(store: Store, settings: Settings, run_id: str) -> Run:
    """Put a stopped, interrupted or failed run into its queue again, same id and folder."""
    check_disk(settings)
    _check_places(store, settings)
    state = _settled(store, run_id).state
    if not store.requeue(run_id, RESUMABLE):
        raise UserError(f"run {run_id} is {state}; only {', '.join(RESUMABLE)} runs can be resumed")
    _goes_on(run_id)
    return store.run(run_id)


def _settled(store: Store, run_id: str) -> Run:
    """The run; where its worker was killed, as that left it."""
    run = store.run(run_id)
    if run.state in ACTIVE and not alive.is_alive(run):
        _settle_dead(store, run, LOCAL)
    return store.run(run_id)


def tend(store: Store, settings: Settings, executor: Executor = LOCAL) -> None:
    """Settle dead workers, press those that do not stop, start the next run of each device; those
    of every visitor, whoever asks."""
    if store.read_only:
        return
    with visitors.acting_for(None):
        for run in store.runs(states=ACTIVE):
            if not alive.is_alive(run):
                _settle_dead(store, run, executor)
            elif run.state == "stopping":
                _press(store, run, settings)
        tried: set[str] = set()
        for run in store.queue():
            if run.device not in tried:
                tried.add(run.device)
                _start(store, settings, run, executor)


def wait(
    store: Store,
    settings: Settings,
    run_id: str,
    watch: Callable[[Run], None] = lambda run: None,
    executor: Executor = LOCAL,
) -> Run:
    """Tend the queue until the run has ended; `watch` sees it a few times a second."""
    while True:
        tend(store, settings, executor)
        run = store.run(run_id)
        watch(run)
        if run.ended:
            return run
        time.sleep(_WAIT_STEP_S)


def check_disk(settings: Settings) -> None:
    """Raise `UserError` when the home folder's disk is nearly full."""
    free_mb = shutil.disk_usage(settings.home).free / 1e6
    if free_mb < settings.limits.min_free_mb:
        raise UserError(
            f"{free_mb:.0f} MB are free under {settings.home}, a run needs "
            f"{settings.limits.min_free_mb:.0f} MB; free some space or give another home folder"
        )


def _start(store: Store, settings: Settings, run: Run, executor: Executor) -> None:
    try:
        lock = alive.take_lock(run)
    except (UserError, OSError) as error:
        store.update(run.id, state="failed", reason=str(error), ended_at=time.time())
        return
    if lock is None:
        return
    try:
        if not store.claim(run.id):
            return
        try:
            pid = executor.start(run, replace(settings, device=run.device), lock)
        except OSError as error:
            reason = f"its worker could not be started ({error}); resume to try again"
            store.update(run.id, state="failed", reason=reason, ended_at=time.time())
            return
        store.update(run.id, pid=pid, pid_started_at=_started_at(pid))
    finally:
        os.close(lock)


def _started_at(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return time.time()


def _settle_dead(store: Store, run: Run, executor: Executor) -> None:
    """A worker died without a word: say so, with the end of its log. Guarded by the attempt's
    start, so that a run which ended or started anew meanwhile is left alone."""
    exit_code = executor.exit_code(run.pid) if run.pid is not None else None
    if run.pid is not None and alive.process(run) is not None:
        os.killpg(run.pid, signal.SIGKILL)  # its folder, and the lock in it, were taken away
    if run.state == "stopping":
        state, reason = "stopped", f"stopped by force at {run.done} of {run.total}; resume to go on"
    else:
        state, reason = "interrupted", reason_of_death(run, exit_code)
    settled = store.transition(
        run.id, ACTIVE, run.started_at, state=state, reason=reason, ended_at=time.time()
    )
    if settled:
        store.add_event(run.id, f"{state}: {reason}\n{run.log_tail(_LOG_TAIL_LINES)}".strip())


def _press(store: Store, run: Run, settings: Settings) -> None:
    """Terminate a worker that has not stopped in time, and kill it when that does not help."""
    asked_s = time.time() - (run.stop_requested_at or time.time())
    if asked_s < settings.limits.stop_timeout_s or run.pid is None:
        return
    if alive.process(run) is not None:
        firm = asked_s >= 2 * settings.limits.stop_timeout_s
        os.killpg(run.pid, signal.SIGKILL if firm else signal.SIGTERM)
