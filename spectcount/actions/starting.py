"""The one way into the queue: what is checked before a run, and the run.

Conventions: settings come first; bad input raises `UserError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spectcount import jobs
from spectcount.actions.lineage import seen_before
from spectcount.actions.questions import refuse_unknown_listener
from spectcount.configs import AskConfig, Json, RunConfig
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run, Store


def start(settings: Settings, config: AskConfig, lineage: Mapping[str, Any]) -> Run:
    """Queue a run that asks, after its number of trials and its listeners were looked at; its
    lineage says what a comparison shares with how its adapter was made."""
    from spectcount.probing.kinds import plan_of

    refuse_many_trials(settings, plan_of(config).n_trials * len(config.listeners))
    for spec in config.listeners:
        refuse_unknown_listener(settings, spec)
    return queue(settings, config, {**lineage, **_seen(settings, config)})


def queue(settings: Settings, config: RunConfig, lineage: Mapping[str, Any]) -> Run:
    """Queue a run of any kind and start it if the device is free."""
    store = Store(settings.database)
    run = jobs.submit(store, settings, config.kind, config.to_json(), lineage)
    jobs.tend(store, settings)
    return store.run(run.id)


def refuse_many_trials(settings: Settings, n_trials: int) -> None:
    """Raise `UserError` for more trials than the mode allows. To be asked before a plan is tried
    for feasibility, which takes longer the larger it is."""
    if n_trials > settings.limits.max_trials:
        raise UserError(
            f"{n_trials} trials are above the limit {settings.limits.max_trials} of "
            f"{settings.mode} mode; lower the trials or the number of cells"
        )


def _seen(settings: Settings, config: AskConfig) -> Json:
    """{"trained", "seen"} of a comparison whose tuned listener tells; else nothing."""
    if not config.compares or len(config.listeners) != 2:
        return {}
    trained, sentences = seen_before(settings, config.listeners[1], config.seed, config.plan)
    return {**trained, "seen": sentences} if trained else {}
