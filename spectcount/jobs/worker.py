"""The worker: does one run's work in this process; `python -m spectcount run RUN_ID`.

It was started by `queue.tend` with the run's lock inherited. What it ends with, it writes into
the store: done, stopped, or failed with a reason; then it lets go of the lock and tends the queue
once more, so that a queue drains with no app open. A run shared by several processes is done by
each of them; see `several`.
"""

from __future__ import annotations

import os
import time
import traceback
from typing import Any

import psutil

from spectcount import visitors
from spectcount.errors import UserError
from spectcount.jobs import alive, several
from spectcount.jobs.context import JobContext
from spectcount.jobs.executors import Executor
from spectcount.jobs.executors.local import LOCK_VARIABLE
from spectcount.jobs.failures import reason_of
from spectcount.jobs.kinds import KINDS
from spectcount.jobs.queue import LOCAL, check_disk, tend
from spectcount.settings import Settings
from spectcount.store import ACTIVE, Run, Store


def main(run_id: str, settings: Settings, executor: Executor = LOCAL) -> bool:
    """Do the work of a run that was claimed for this process; whether it ended well. Raises
    `UserError` when the run is not this process's to do."""
    store = Store(settings.database)
    run = store.run(run_id)
    lock = _inherited_lock(run)
    if lock is not None:  # whoever started this process may have died before it could note it
        store.update(run.id, pid=os.getpid(), pid_started_at=psutil.Process().create_time())
    try:
        with visitors.acting_for(run.owner or None):
            state = _work(store, run, settings)
    finally:
        if lock is not None:
            os.close(lock)
    if several.leads():
        tend(store, settings, executor)
    return state in ("done", "stopped")


def _inherited_lock(run: Run) -> int | None:
    """The lock's descriptor, kept from programs that this process starts; None where `torchrun`
    holds it."""
    inherited = os.environ.pop(LOCK_VARIABLE, "")
    if not inherited.isdigit() or run.state not in ACTIVE or not alive.is_alive(run):
        raise UserError(
            f"run {run.id} is {run.state} and not this process's; start it with: runs resume "
            f"{run.id}"
        )
    if several.one_of_several():
        several.end_with_parent()
        return None
    os.set_inheritable(int(inherited), False)
    return int(inherited)


def _work(store: Store, run: Run, settings: Settings) -> str:
    context, summary, reason = JobContext(run, store), run.summary, ""
    try:
        check_disk(settings)
        run.whole()
        summary = KINDS[run.kind](context, settings)
        state = "stopped" if context.stop_seen else "done"
    except BaseException as error:
        traceback.print_exc()
        state, reason = "failed", reason_of(error)
    if not several.leads() and state != "failed":
        return state
    if state == "stopped":
        reason = "stopped on request; resume to go on"
    fields: dict[str, Any] = {
        "state": state,
        "reason": reason,
        "summary": summary,
        "ended_at": time.time(),
    }
    store.transition(run.id, ACTIVE, **fields)
    store.add_event(run.id, f"{state}: {reason}" if reason else state)
    print(time.strftime("%H:%M:%S"), state, reason, flush=True)
    return state
