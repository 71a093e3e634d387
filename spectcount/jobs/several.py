"""A run that several processes share, one per device: `torchrun` is its worker and starts them.

Conventions: `torchrun` holds the run's lock and is the process that the store knows; each of its
children does `python -m spectcount run RUN_ID`. The first of them leads: it writes what happens
and how the run ends. Another one writes only that it failed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence

from spectcount.configs import TuneConfig
from spectcount.store import Run

_LOOK_EVERY_S = 0.5


def processes(run: Run) -> int:
    """Number of processes that the run's configuration asks for."""
    return int(TuneConfig.from_json(run.config).train.get("processes", 1))


def command(worker: Sequence[str], n: int) -> list[str]:
    """The argument list that starts `worker` (Python's path, then its arguments) `n` times."""
    python, *rest = worker
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n)]
    return [python, *torchrun, *rest] if n > 1 else [python, *rest]


def one_of_several() -> bool:
    """True where `torchrun` started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ


def leads() -> bool:
    """True where this process speaks for the run: it is alone, or the first."""
    return not one_of_several() or os.environ["RANK"] == "0"


def end_with_parent() -> None:
    """Die when `torchrun` does. It gives every child a session of its own, which a signal to the
    run's process group does not reach."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_EVERY_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
