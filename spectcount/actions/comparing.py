"""Base against tuned: comparisons, forgetting panels, runs over wordings; what was seen before.

Conventions: settings come first; a preset is a name or the path of a YAML file; `params` is plain
data that overrides a preset's; bad input raises `UserError`. A comparison's default seed is none
that a probe or a fine-tune starts from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from spectcount import jobs, presets
from spectcount.actions.questions import refuse_unknown_listener
from spectcount.actions.runs import probe_plan, refuse_many_trials
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run, Store

Params = Mapping[str, Any]
HELD_OUT_SEED = 1000
"""Apart from the seeds that probes and fine-tunes start from."""
PARTS = ("all", "trained", "never-trained")


def start_compare(
    settings: Settings,
    plan: str | Params,
    base: str,
    tuned: str,
    seed: int = HELD_OUT_SEED,
    params: Params | None = None,
    *,
    only: str = "all",
    margin: float | None = None,
) -> Run:
    """Queue the same questions for two listeners. `only` keeps the trained or the never trained
    part of a map or curve; changes of the main measure inside ±`margin` count as equivalent."""
    body = _part(settings, probe_plan(settings, plan, params), tuned, only)
    config = {"plan": body, "margin": checked_margin(margin)}
    lineage = {"probe": plan if isinstance(plan, str) else None, "only": only}
    return _start(settings, "compare", config, [base, tuned], seed, lineage)


def start_panel(
    settings: Settings,
    panel: str | Sequence[Params],
    base: str,
    tuned: str,
    seed: int = HELD_OUT_SEED,
    *,
    margin: float | None = None,
) -> Run:
    """Queue a forgetting panel (a preset, or a list of parts as plain data) for two listeners."""
    from spectcount.probing.panel import Panel

    parts = panel_parts(settings, panel)
    found = adapter_lineage(settings, tuned) or {}
    config = {
        "plan": Panel.from_list(parts).plan.to_dict(), "parts": parts,
        "regions": [_place(region) for region in found.get("regions", [])],
        "margin": checked_margin(margin),
    }  # fmt: skip
    lineage = {"panel": panel if isinstance(panel, str) else None}
    return _start(settings, "panel", config, [base, tuned], seed, lineage)


def start_wordings(
    settings: Settings,
    plan: str | Params,
    listener: str,
    tuned: str | None = None,
    seed: int = HELD_OUT_SEED,
    params: Params | None = None,
    *,
    n_wordings: int = 5,
) -> Run:
    """Queue a plan whose every stimulus is asked in `n_wordings` wordings, held-out ones among
    them, of one listener or of two."""
    from spectcount.probing.plan import plan_from_dict
    from spectcount.probing.wordings import Crossed, chosen_wordings, crossable

    body = probe_plan(settings, plan, params)
    chosen = chosen_wordings(crossable(plan_from_dict(body)).asked, n_wordings)
    crossed = Crossed.from_config(body, chosen)
    config = {"plan": body, "wordings": list(crossed.wordings)}
    specs = [listener] if tuned is None else [listener, tuned]
    lineage = {"probe": plan if isinstance(plan, str) else None}
    return _start(settings, "wordings", config, specs, seed, lineage, crossed.n_trials)


def panel_parts(settings: Settings, panel: str | Sequence[Params]) -> list[dict[str, Any]]:
    """The parts of a panel preset or of plain data, checked and completed."""
    from spectcount.probing.panel import Panel

    if isinstance(panel, str):
        return list(presets.load("panels", panel, settings).body["parts"])
    return Panel.from_list(panel).to_list()


def adapter_lineage(settings: Settings, spec: str) -> dict[str, Any] | None:
    """What the adapter of a listener came from; None for a listener without one, or where the
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
    settings: Settings, tuned: str, seed: int, plan: Params | None = None
) -> tuple[dict[str, Any], list[str]]:
    """({"trained": ...} of a tuned listener's adapter, sentences on what a comparison at `seed`
    shares with how it was made); ({}, []) for a listener without an adapter that tells."""
    from spectcount.probing import heldout
    from spectcount.probing.plan import plan_from_dict
    from spectcount.probing.trained import trained_of

    found = adapter_lineage(settings, tuned)
    if found is None:
        return {}, []
    trained = trained_of(found)
    probe_seed, shared, total = None, 0, 0
    run = _known_run(Store(settings.database), trained.probe)
    if run is not None:
        probe_seed = int(run.config.get("seed", 0))
        if probe_seed == seed and plan is not None:
            asked = Store(settings.database).trials(run.id)
            shared, total = heldout.shared_questions(plan_from_dict(plan), seed, asked)
    said = heldout.seen_before(seed, trained, probe_seed, shared, total)
    return {"trained": trained.to_dict()}, said


def checked_margin(margin: float | None) -> float | None:
    """An equivalence margin; raises `UserError` for one that excludes nothing."""
    if margin is None:
        return None
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 < margin < 100:
        raise UserError(f"margin={margin!r} is no margin; give a number above 0, or leave it out")
    return float(margin)


def _part(settings: Settings, body: dict[str, Any], tuned: str, only: str) -> dict[str, Any]:
    """The whole plan, or its trained or never trained part: one plan, or several interleaved."""
    from spectcount.probing.heldout import held_out_plans
    from spectcount.probing.plan import Interleaved, plan_from_dict

    if only not in PARTS:
        raise UserError(f"only={only!r} is no part; choose one of {', '.join(PARTS)}")
    if only == "all":
        return body
    found = adapter_lineage(settings, tuned)
    if found is None:
        raise UserError(
            f"{tuned} has no adapter with a lineage, so what it was trained on is not known; "
            "leave out --only"
        )
    cut = held_out_plans(found, plan_from_dict(body))
    plans = cut.trained if only == "trained" else cut.never
    if not plans:
        raise UserError(f"no cell of this plan is wholly {only} ({cut.words}); change its range")
    if len(plans) == 1:
        return plans[0].to_dict()
    return Interleaved(tuple(plan.to_dict() for plan in plans)).to_dict()


def _start(
    settings: Settings, kind: str, config: dict[str, Any], specs: list[str], seed: int,
    lineage: dict[str, Any], n_trials: int | None = None,
) -> Run:  # fmt: skip
    from spectcount.probing.plan import plan_from_dict

    n = (n_trials or plan_from_dict(config["plan"]).n_trials) * len(specs)
    refuse_many_trials(settings, n)
    for spec in specs:
        refuse_unknown_listener(settings, spec)
    if len(specs) == 2:
        trained, said = seen_before(settings, specs[1], seed, config["plan"])
        lineage = {**lineage, **trained, **({"seen": said} if trained else {})}
    store = Store(settings.database)
    full = {**config, "listeners": specs, "seed": seed}
    run = jobs.submit(store, settings, kind, full, lineage)
    jobs.tend(store, settings)
    return store.run(run.id)


def _known_run(store: Store, run_id: str) -> Run | None:
    return next((run for run in store.runs() if run.id == run_id), None) if run_id else None


def _place(region: Params) -> dict[str, Any]:
    """What a panel needs of a weak region: where it is."""
    return {"ranges": region["ranges"], "sentence": region.get("sentence", "")}
