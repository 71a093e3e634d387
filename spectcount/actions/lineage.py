"""Where adapters come from: what a comparison shares with how its adapter was made.

Conventions: settings come first; bad input raises `UserError`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from spectcount.configs import Json, RunConfig
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run, Store


def adapter_lineage(settings: Settings, spec: str) -> Json | None:
    """The origin of a listener's adapter; None for a listener without one, or where the
    adapter does not tell."""
    from spectcount import listeners

    listener = listeners.ListenerSpec.parse(spec).hearing
    if not listener.adapter:
        return None
    try:
        folder = listeners.adapter_folder(listener, settings)
    except UserError:
        return None
    path = None if folder is None else folder / "lineage.json"
    if path is None or not path.exists():
        return None
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); mend or remove the file") from None


def seen_before(
    settings: Settings, tuned: str, seed: int, plan: Mapping[str, Any] | None = None
) -> tuple[Json, list[str]]:
    """({"trained": ...} of a tuned listener's adapter, sentences on what a comparison at `seed`
    shares with how it was made); ({}, []) for a listener without an adapter that tells."""
    from spectcount.probing import heldout
    from spectcount.probing.plan import plan_from_dict
    from spectcount.probing.trained import trained_of

    origin = adapter_lineage(settings, tuned)
    if origin is None:
        return {}, []
    trained = trained_of(origin)
    probe_seed, shared, total = None, 0, 0
    run = _known_run(Store(settings.database), trained.probe)
    if run is not None:
        probe_seed = RunConfig.from_json(run.config).seed
        if probe_seed == seed and plan is not None:
            trials = Store(settings.database).trials(run.id)
            shared, total = heldout.shared_questions(plan_from_dict(plan), seed, trials)
    sentences = heldout.seen_before(seed, trained, probe_seed, shared, total)
    return {"trained": trained.to_dict()}, sentences


def _known_run(store: Store, run_id: str) -> Run | None:
    return next((run for run in store.runs() if run.id == run_id), None) if run_id else None
