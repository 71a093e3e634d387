"""Where a model loses a sound: ladders of finished runs, of their regions, and of plans.

Conventions: settings come first; bad input raises `UserError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spectcount.actions.runs import start_probe
from spectcount.actions.starting import queue, refuse_many_trials
from spectcount.configs import AskConfig, Json, LadderConfig, PatchConfig
from spectcount.errors import UserError
from spectcount.jobs.confirmations import regions_now
from spectcount.listeners.spec import ListenerSpec
from spectcount.settings import Settings
from spectcount.store import Run, Store

PAIRS = 200
LEAST_PAIRS, MOST_PAIRS = 20, 5000
PATCHED_PAIRS, MOST_PATCHED = 8, 200
STRETCHES, MOST_STRETCHES = 12, 60
SOURCES = ("probe", "compare", "panel", "wordings", "confirm")


def start_ladder(
    settings: Settings,
    source: str | Mapping[str, Any],
    listeners: Sequence[str] = (),
    *,
    region: int | None = None,
    pairs: int = PAIRS,
    keep: bool = False,
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
) -> Run:
    """Queue the sensitivity ladder of a run that has ended, or of a probe preset or plan, which is
    asked first. `listeners` (default: the run's first two) are base and tuned; `region` numbers a
    weak region of the first (from 1), whose clips alone are read. `keep` leaves the states there.
    """
    if not LEAST_PAIRS <= pairs <= MOST_PAIRS:
        raise UserError(f"pairs={pairs} make no ladder; give {LEAST_PAIRS} to {MOST_PAIRS}")
    clips = _clips(settings, source, listeners, region, seed, params, most=2)
    refuse_many_trials(settings, 2 * pairs * len(clips["listeners"]))
    config = LadderConfig(**clips, pairs=pairs, keep=keep, seed=seed)
    return queue(settings, config, {"source": config.source})


def start_patch(
    settings: Settings,
    source: str | Mapping[str, Any],
    listener: str | None = None,
    *,
    region: int | None = None,
    pairs: int = PATCHED_PAIRS,
    stretches: int = STRETCHES,
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
) -> Run:
    """Queue patching in one listener (default: the run's first) for at most `pairs` pairs of a
    run's clips, audio in so many `stretches`; a run or a plan as in `start_ladder`."""
    if not 1 <= pairs <= MOST_PATCHED:
        raise UserError(f"pairs={pairs} cannot be patched; give 1 to {MOST_PATCHED}")
    if not 2 <= stretches <= MOST_STRETCHES:
        raise UserError(f"stretches={stretches} make no map; give 2 to {MOST_STRETCHES}")
    specs = () if listener is None else (listener,)
    clips = _clips(settings, source, specs, region, seed, params, most=1)
    config = PatchConfig(**clips, pairs=pairs, stretches=stretches, seed=seed)
    return queue(settings, config, {"source": config.source})


def _clips(
    settings: Settings,
    source: str | Mapping[str, Any],
    listeners: Sequence[str],
    region: int | None,
    seed: int,
    params: Mapping[str, Any] | None,
    most: int,
) -> Json:
    """The run whose clips are taken (a plan is asked first), its plan, cells, and the listeners:
    fields of a configuration."""
    store = Store(settings.database)
    source_run = None
    if isinstance(source, str) and any(run.id == source for run in store.runs()):
        source_run = _ended(store, source)
    elif isinstance(source, str) and source.split("-")[0] in SOURCES and source.count("-") == 3:
        store.run(source)  # refused, with the ids that are like it
    usual = source_run.listeners[:most] if source_run is not None else ("tiny-lalm",)
    specs = tuple(listeners) or usual
    _refuse_listeners(specs)
    if source_run is None:
        if region is not None:
            raise UserError(f"region={region} is one of a run; give the run's id, not a plan")
        source_run = start_probe(settings, source, list(specs), seed, params)
    cells, place = _region(store, source_run, specs[0], region)
    return {
        "source": source_run.id,
        "plan": AskConfig.from_json(source_run.config).plan,
        "listeners": list(specs),
        "cells": cells,
        "place": place,
    }


def _ended(store: Store, run_id: str) -> Run:
    run = store.run(run_id).whole()
    if run.kind not in SOURCES:
        raise UserError(
            f"run {run_id} is a {run.kind}; a ladder takes the clips of a {', '.join(SOURCES)}"
        )
    if not run.ended:
        raise UserError(f"run {run_id} is {run.state}; wait until it has ended, or stop it")
    return run


def _refuse_listeners(specs: Sequence[str]) -> None:
    """Raise `UserError` for more than two listeners, and for those without stages."""
    if len(specs) > 2:
        raise UserError(f"{len(specs)} listeners; a ladder has one, or base and tuned: give 1 or 2")
    for spec in specs:
        parsed = ListenerSpec.parse(spec)
        if parsed.is_formula or parsed.silenced:
            raise UserError(
                f"{spec} has no stages to read: it is no model that hears the clips; take an "
                "audio language model, such as tiny-lalm"
            )


def _region(
    store: Store, run: Run, listener: str, number: int | None
) -> tuple[list[list[int]], str]:
    """(cells, words) of a region of the map; nothing without a number."""
    if number is None:
        return [], ""
    from spectcount.jobs.results import result_of

    regions = regions_now(
        store, run, listener, lambda: result_of(store, run, lambda: store.trials(run.id))
    )
    if not 1 <= number <= len(regions):
        raise UserError(
            f"region={number} is none of the {len(regions)} weak regions of {listener} in run "
            f"{run.id}" + (f"; give 1 to {len(regions)}" if regions else "; leave it out")
        )
    chosen = regions[number - 1]
    return [list(map(int, cell)) for cell in chosen.cells], chosen.place


def where_lines(settings: Settings, run_id: str) -> list[str]:
    """The ladder or patching of a run in lines: its tables, then what may be said. Raises
    `UserError` where the run made none."""
    from spectcount.jobs.ladders import made_by

    run = Store(settings.database).run(run_id).whole()
    result = made_by(run)
    if result is None:
        raise UserError(
            f"run {run_id} ({run.kind}, {run.state}) has no ladder or patching of this release; "
            "make one with: ladder RUN, or patch RUN"
        )
    return result.lines
