"""Runs: starting, watching and stopping long work.

Conventions: settings come first; a preset is a name or the path of a YAML file; `params` is plain
data that overrides a preset's; bad input raises `UserError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spectcount import jobs, presets
from spectcount.actions.starting import queue, start
from spectcount.configs import CompareConfig, Json, ProbeConfig, TuneConfig
from spectcount.designs import family
from spectcount.errors import UserError
from spectcount.params import Declared
from spectcount.settings import Settings
from spectcount.store import Run, Store

Params = Mapping[str, Any]


def probe_plan(settings: Settings, preset: str | Params, params: Params | None = None) -> Json:
    """The plan of a probe preset (or plain data), checked, with `params` overriding its own
    parameters or, by name, those of its design; of interleaved plans, those of each that has the
    parameter."""
    from spectcount.probing.plan import plan_from_dict

    plan = (
        presets.load("probes", preset, settings).body["plan"]
        if isinstance(preset, str)
        else plan_from_dict(preset).to_dict()
    )
    return plan_from_dict(_overridden(plan, params or {})).to_dict()


def _overridden(plan: Params, params: Params) -> Json:
    """A plan's plain data with some parameters changed, by name."""
    from spectcount.probing.plan import PLANS

    if "plans" in plan:
        parts = plan["plans"]
        for name in params:
            if not any(_has(part, name) for part in parts):
                _refuse_name(name, *(PLANS[part["kind"]] for part in parts))
        for_part = [{n: v for n, v in params.items() if _has(part, n)} for part in parts]
        return {**plan, "plans": [_overridden(*both) for both in zip(parts, for_part, strict=True)]}
    plan = {**plan, "design": dict(plan.get("design", {}))}
    form, designs = PLANS[plan["kind"]], family(plan.get("family", "pulses"))
    for name, value in params.items():
        if name in form.params():
            plan[name] = form.param(name).validate(value)
        elif name in designs.params():
            plan["design"][name] = designs.param(name).validate(value)
        else:
            _refuse_name(name, form, designs)
    return plan


def _has(plan: Params, name: str) -> bool:
    """True if a plan or its design has a parameter called so."""
    from spectcount.probing.plan import PLANS

    declared = (PLANS[plan["kind"]], family(plan.get("family", "pulses")))
    return any(name in schema.params() for schema in declared)


def start_probe(
    settings: Settings,
    plan: str | Params,
    listener: str | Sequence[str],
    seed: int = 0,
    params: Params | None = None,
) -> Run:
    """Queue a probe of one or several listeners and start it if the device is free."""
    specs = [listener] if isinstance(listener, str) else list(listener)
    config = ProbeConfig(plan=probe_plan(settings, plan, params), listeners=specs, seed=seed)
    return start(settings, config, {"probe": plan if isinstance(plan, str) else None})


def start_tune(
    settings: Settings,
    training: str | Params,
    base: str,
    *,
    weakness: str | None = None,
    regions: Sequence[Params] = (),
    params: Params | None = None,
    seed: int = 0,
) -> Run:
    """Queue a fine-tune of `base` with a training preset (or plain data of its form). Its weak
    regions are `regions`, or those that the probe run `weakness` found. `params` overrides
    single parameters by name, such as steps."""
    from spectcount import listeners

    folder = listeners.model_folder(base, settings)
    if settings.demo and folder != settings.models / listeners.EMBEDDED:
        raise UserError(f"the demo tunes {listeners.EMBEDDED} only; to tune {base}, run a copy")
    config = training_config(settings, training, params)
    if settings.demo and (config["train"]["processes"] > 1 or config["train"]["loaders"] > 0):
        raise UserError(
            f"the demo tunes in one process, not processes={config['train']['processes']} with "
            f"loaders={config['train']['loaders']}; set 1 and 0, or run a copy"
        )
    steps, most = config["train"]["steps"], settings.limits.max_steps
    if steps > most:
        raise UserError(f"steps={steps} is above the limit {most} of {settings.mode} mode")
    trained_on = [dict(region) for region in regions]
    if weakness and not trained_on:
        trained_on = weak_regions(Store(settings.database), weakness, base)
    lineage = {
        "base": base,
        "training": training if isinstance(training, str) else None,
        "probe": weakness,
        "notes": _unconfirmed(trained_on),
    }
    return queue(settings, TuneConfig(base=base, **config, regions=trained_on, seed=seed), lineage)


def training_config(
    settings: Settings, training: str | Params, params: Params | None = None
) -> dict[str, Json]:
    """{"curriculum", "lora", "train"} of a training preset or plain data, checked, with `params`
    overriding single parameters by name."""
    if isinstance(training, str):
        config = presets.load("training", training, settings).body
    else:
        head = {"title": "training", "about": "as given"}
        config = presets.check("training", {**head, **training}).body
    config = {part: dict(values) for part, values in config.items()}
    parts = presets.training_parts()
    for name, value in (params or {}).items():
        owner = next((p for p, declared in parts.items() if name in declared.params()), None)
        if owner is None:
            _refuse_name(name, *parts.values())
        else:
            config[owner][name] = parts[owner].param(name).validate(value)
    return config


def weak_regions(store: Store, run_id: str, listener: str) -> list[Json]:
    """The weak regions of `listener` that a probe or comparison found, as plain data: those that
    its confirmation confirmed, all that are suspected where nobody has asked again yet."""
    from spectcount.jobs.confirmations import confirmation_run
    from spectcount.probing.weakness import CONFIRMED

    run = store.run(run_id).whole()
    again = run if run.of_kind.confirms else confirmation_run(store, run_id, listener)
    source = again if again is not None and again.state == "done" else run
    by_listener = (source.summary or {}).get("regions", {})
    regions = list(by_listener.get(listener, []))
    if source.of_kind.confirms:
        regions = [region for region in regions if region["status"] == CONFIRMED]
    if not regions:
        of = f" of {listener}" if by_listener else ""
        verb = "confirmed" if source.of_kind.confirms else "found"
        raise UserError(
            f"run {source.id} ({source.kind}, {source.state}) has {verb} no weak regions{of}; give "
            f"a probe of {listener} that has, or leave the weakness out"
        )
    return regions


def cancel(settings: Settings, run_id: str) -> Run:
    """Ask a run to stop: it finishes its step, saves and ends as stopped."""
    return jobs.cancel(Store(settings.database), run_id)


def resume(settings: Settings, run_id: str) -> Run:
    """Queue a stopped, interrupted or failed run again; it goes on where it was."""
    store = Store(settings.database)
    jobs.resume(store, settings, run_id)
    jobs.tend(store, settings)
    return store.run(run_id)


def start_again(settings: Settings, run_id: str) -> Run:
    """Queue a new run of the same configuration: a probe, a comparison or a fine-tune. Questions
    that the same weights have answered already are not asked again."""
    run = Store(settings.database).run(run_id).whole()
    config = run.config
    if run.of_kind is ProbeConfig:
        return start_probe(settings, config["plan"], config["listeners"], config["seed"])
    if run.of_kind is CompareConfig:
        from spectcount.actions.comparing import start_compare

        base, tuned = config["listeners"][:2]
        margin = config.get("margin")
        return start_compare(settings, config["plan"], base, tuned, config["seed"], margin=margin)
    if run.of_kind.trains:
        return start_tune(
            settings,
            {part: config[part] for part in ("curriculum", "lora", "train")},
            config["base"],
            weakness=run.lineage.get("probe"),
            regions=config.get("regions", ()),
            seed=config.get("seed", 0),
        )
    raise UserError(
        f"run {run.id} is a {run.kind}; only a probe, a comparison and a fine-tune are started "
        "again, start this one in its own place"
    )


def _unconfirmed(regions: Sequence[Params]) -> list[str]:
    """A sentence where regions were not asked about again on new seeds."""
    n = sum(region.get("status") == "suspected" for region in regions)
    if not n:
        return []
    return [
        f"{n} of the {len(regions)} regions trained on are only suspected: chosen from a map, not "
        "confirmed on new seeds (confirm RUN)"
    ]


def _refuse_name(name: str, *declared: type[Declared]) -> None:
    """Raise `UserError` for a name that none of these classes declares."""
    known = [known for cls in declared for known in cls.params()]
    presets.refuse_unknown({name: None}, known, "--set")
