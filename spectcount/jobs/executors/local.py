"""Local executor: a detached process on this machine, in a session of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from spectcount.jobs import several
from spectcount.settings import PACKAGE_ROOT, Settings
from spectcount.store import Run

LOCK_VARIABLE = "SPECTCOUNT_LOCK_FD"
_REAP_S = 1.0


class LocalExecutor:
    """Runs `command RUN_ID` with output to the run's log. `command` is an argument list, never a
    shell's; where a run asks for several processes, `torchrun` starts it in each. Workers make no
    request to a model hub unless HF_HUB_OFFLINE says otherwise."""

    def __init__(self, command: Sequence[str] = (sys.executable, "-m", "spectcount", "run")):
        self.command = list(command)
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, run: Run, settings: Settings, lock: int) -> int:
        """Start the worker of `run`, which inherits the file descriptor `lock`; its pid."""
        self._reap()
        path = os.pathsep.join(
            filter(None, [str(PACKAGE_ROOT.parent), os.environ.get("PYTHONPATH")])
        )
        environment = {
            "HF_HUB_OFFLINE": "1",
            **os.environ,
            **settings.environment(),
            "PYTHONPATH": path,
            "PYTHONUNBUFFERED": "1",
            LOCK_VARIABLE: str(lock),
        }
        with run.log_path.open("ab") as log:
            child = subprocess.Popen(
                [*several.command(self.command, several.processes(run)), run.id],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=run.folder,
                env=environment,
                start_new_session=True,
                pass_fds=[lock],
            )
        self._children[child.pid] = child
        return child.pid

    def exit_code(self, pid: int) -> int | None:
        """The exit code of a dead worker of this process (negative: the signal); None where it
        is not known here. Its lock is free an instant before its code is there, hence the wait."""
        child = self._children.get(pid)
        if child is None:
            return None
        try:
            return child.wait(timeout=_REAP_S)
        except subprocess.TimeoutExpired:
            return None

    def _reap(self) -> None:
        """Forget children that ended."""
        ended = [pid for pid, child in self._children.items() if child.poll() is not None]
        for pid in ended:
            del self._children[pid]
