"""A worker with small kinds of work, started as a real process by the tests of the queue."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from spectcount.errors import UserError
from spectcount.jobs import kinds, worker
from spectcount.jobs.executors.local import LocalExecutor
from spectcount.settings import load_settings

EXECUTOR = LocalExecutor([sys.executable, __file__])


def count(context, settings):
    """Count to n, one step per `pause_s`, going on from where an earlier attempt was."""
    state = context.folder / "at.txt"
    at = int(state.read_text()) if state.exists() else 0
    total = context.config["n"]
    context.log(f"from {at}")
    while at < total and not context.should_stop():
        time.sleep(context.config.get("pause_s", 0.01))
        at += 1
        state.write_text(str(at))
        context.progress(at, total)
    return {"counted": at}


def note(context, settings):
    """Append this run's name to a common file: the order in which runs started."""
    with Path(context.config["file"]).open("a") as file:
        file.write(f"{context.run_id}\n")
    time.sleep(context.config.get("pause_s", 0.0))
    return {}


def deaf(context, settings):
    """Never looks at the stop flag."""
    context.progress(1, 100)
    time.sleep(120)
    return {}


def fail(context, settings):
    """Raise what the configuration names."""
    errors = {
        "user": UserError("n=9 is above the limit 8; lower it"),
        "memory": MemoryError(),
        "disk": OSError(28, "No space left on device"),
        "nan": FloatingPointError("the loss is nan at step 3"),
        "bug": KeyError("weights"),
    }
    raise errors[context.config["error"]]


def ranks(context, settings):
    """Leave this process's pid behind; wait for the other, then as long as told, or fail where it
    is the one that is to."""
    rank = os.environ["RANK"]
    (context.folder / f"rank-{rank}").write_text(str(os.getpid()))
    while len(list(context.folder.glob("rank-*"))) < 2:
        time.sleep(0.05)
    if context.config.get("fails") == rank:
        raise UserError("the second of two fails")
    time.sleep(120 if "fails" in context.config else context.config.get("pause_s", 0.1))
    return {"told_by": rank}


FAKE_KINDS = {"count": count, "note": note, "deaf": deaf, "fail": fail, "ranks": ranks}

if __name__ == "__main__":
    kinds.KINDS.update(FAKE_KINDS)
    worker.main(sys.argv[1], load_settings(), EXECUTOR)
