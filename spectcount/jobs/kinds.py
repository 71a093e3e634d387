"""The work of each kind of run. Everything heavy is imported when the work begins; configurations
are those of `spectcount.configs`. What a comparison shares with how its adapter was made is in its
lineage: "trained", "seen".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spectcount.configs import Json
from spectcount.jobs import several
from spectcount.jobs.context import JobContext
from spectcount.settings import Settings

if TYPE_CHECKING:
    from spectcount.listeners import Listener

Work = Callable[[JobContext, Settings], Json]


def ask(context: JobContext, settings: Settings) -> Json:
    """Ask every listener of a run the questions of its plan (see `spectcount.probing.kinds`), and
    keep what the answers say in the run's folder."""
    from spectcount.jobs import results
    from spectcount.probing import run

    loaded = _listeners(context, settings)
    return run.execute(context, loaded, lambda analysis: results.keep(context.folder, analysis))


def benchmark(context: JobContext, settings: Settings) -> Json:
    """Ask one listener, or base and tuned, the items of a transfer benchmark."""
    from spectcount.benchmarks import run

    return dict(run.execute(context, _listeners(context, settings)))


def _listeners(context: JobContext, settings: Settings) -> dict[str, Listener]:
    """The listeners of a run, loaded."""
    from spectcount import listeners

    specs = context.listeners
    context.log(f"loading {', '.join(specs)} on {settings.device}")
    return {spec: listeners.load(spec, settings, priority=listeners.RUN) for spec in specs}


def tune(context: JobContext, settings: Settings) -> Json:
    """Fine-tune an adapter; the resident scorer gives way to it where both do not fit."""
    from spectcount import listeners
    from spectcount.configs import TuneConfig
    from spectcount.training import train, workload

    config = TuneConfig.from_json(context.config)
    if not several.leads():
        return dict(train.execute(context, settings) or {})
    work = f"the fine-tune {context.run_id}"
    with listeners.held(settings, config.base, workload(context.config), work) as gone:
        for name in gone:
            context.log(f"{name} gave way in the resident scorer, and comes back at the end")
        return dict(train.execute(context, settings) or {})


def ladder(context: JobContext, settings: Settings) -> Json:
    """Read the states of a model stage by stage, in this process: the resident scorer gives way
    where both do not fit."""
    from spectcount.where import run

    with _here(context, settings) as loaded:
        return run.execute(context, loaded)


def patch(context: JobContext, settings: Settings) -> Json:
    """Replace states of one model by others, in this process."""
    from spectcount.where import patching

    with _here(context, settings) as loaded:
        return patching.execute(context, loaded)


@contextmanager
def _here(context: JobContext, settings: Settings) -> Iterator[dict[str, Listener]]:
    """The models of a run, their weights in this process."""
    from spectcount import listeners

    first, *_ = context.listeners
    with listeners.held(settings, first, {}, f"the {context.kind} {context.run_id}"):
        yield {spec: listeners.load_here(spec, settings) for spec in context.listeners}


KINDS: dict[str, Work] = {
    "probe": ask,
    "compare": ask,
    "panel": ask,
    "wordings": ask,
    "confirm": ask,
    "benchmark": benchmark,
    "tune": tune,
    "ladder": ladder,
    "patch": patch,
}
