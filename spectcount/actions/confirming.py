"""Suspected regions of a map, asked about again on new seeds.

Conventions: settings come first; bad input raises `UserError`. A map has one confirmation for each
of its listeners: another would be another chance.
"""

from __future__ import annotations

from spectcount.actions.starting import start
from spectcount.configs import AskConfig, ConfirmConfig
from spectcount.errors import UserError
from spectcount.jobs.confirmations import confirmation_run
from spectcount.settings import Settings
from spectcount.store import Run, Store

CONFIRM_SEED = 2000
"""Apart from the seeds that probes, fine-tunes and comparisons start from."""
MAPPED = ("probe", "compare")


def start_confirm(
    settings: Settings,
    run_id: str,
    listener: str | None = None,
    seed: int = CONFIRM_SEED,
    trials: int | None = None,
) -> Run:
    """Queue new questions about the suspected regions that `listener` (default: the run's first)
    has in a map, `trials` signal trials for each region."""
    from spectcount.probing.confirm import TRIALS, targets_of
    from spectcount.probing.plan import plan_from_dict
    from spectcount.probing.shortfall import Criterion

    store = Store(settings.database)
    source = _mapped(store, run_id)
    name = _listener(source, listener)
    earlier = confirmation_run(store, source.id, name)
    if earlier is not None:
        raise UserError(
            f"the regions of {name} in run {source.id} were asked about already, in run "
            f"{earlier.id} ({earlier.state}); a second try would be a second chance: resume that "
            "run, or map anew with another seed"
        )
    mapped = AskConfig.from_json(source.config)
    n = TRIALS if trials is None else trials
    if not 10 <= n <= 1000:
        raise UserError(f"trials={n} for each region; give 10 to 1000")
    if seed == mapped.seed:
        raise UserError(
            f"seed={seed} is the map's own, whose questions chose the regions; give another"
        )
    plan = plan_from_dict(mapped.plan)
    rows = [t for t in store.trials(source.id) if t.listener == name]
    targets = targets_of(plan, rows, mapped.seed)
    if not targets:
        raise UserError(
            f"run {source.id} has no suspected region of {name}; there is nothing to confirm"
        )
    config = ConfirmConfig(
        plan=mapped.plan,
        source=source.id,
        listeners=[name],
        targets=[target.to_dict() for target in targets],
        trials=n,
        map_seed=mapped.seed,
        criterion=Criterion().to_dict(),
        seed=seed,
    )
    return start(settings, config, {"source": source.id})


def _mapped(store: Store, run_id: str) -> Run:
    run = store.run(run_id).whole()
    if not run.of_kind.mapped:
        raise UserError(
            f"run {run_id} is a {run.kind}; the regions to confirm are those of a "
            + " or ".join(MAPPED)
        )
    if not run.ended:
        raise UserError(f"run {run_id} is {run.state}; wait until it has ended, or stop it")
    return run


def _listener(run: Run, listener: str | None) -> str:
    names = run.listeners
    if listener is None:
        return names[0]
    if listener not in names:
        raise UserError(
            f"{listener} did not answer in run {run.id}; choose one of {', '.join(names)}"
        )
    return listener
