"""Where a model loses a sound: ladders of finished runs, of their regions, and of plans.

Conventions: settings come first; bad input raises `UserError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spectcount.actions.runs import start_probe
from spectcount.actions.starting import queue, refuse_many_trials
from spectcount.configs import AskConfig, LadderConfig
from spectcount.errors import UserError
from spectcount.jobs.confirmations import regions_now
from spectcount.listeners.spec import ListenerSpec
from spectcount.settings import Settings
from spectcount.store import Run, Store

if TYPE_CHECKING:
    from spectcount.where.ladder import Ladder

PAIRS = 200
LEAST_PAIRS, MOST_PAIRS = 20, 5000
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
    store = Store(settings.database)
    source_run = None
    if isinstance(source, str) and any(run.id == source for run in store.runs()):
        source_run = _ended(store, source)
    elif isinstance(source, str) and source.split("-")[0] in SOURCES and source.count("-") == 3:
        store.run(source)  # refused, with the ids that are like it
    usual = source_run.listeners[:2] if source_run is not None else ("tiny-lalm",)
    specs = tuple(listeners) or usual
    _refuse_listeners(specs)
    if source_run is None:
        if region is not None:
            raise UserError(f"region={region} is one of a run; give the run's id, not a plan")
        source_run = start_probe(settings, source, list(specs), seed, params)
    mapped = AskConfig.from_json(source_run.config)
    cells, place = _region(store, source_run, specs[0], region)
    refuse_many_trials(settings, 2 * pairs * len(specs))
    config = LadderConfig(
        source=source_run.id,
        plan=mapped.plan,
        listeners=list(specs),
        cells=cells,
        place=place,
        pairs=pairs,
        keep=keep,
        seed=seed,
    )
    return queue(settings, config, {"source": source_run.id})


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


def ladder_lines(settings: Settings, run_id: str) -> list[str]:
    """The ladder of a run in lines: a table for each listener, then what may be said. Raises
    `UserError` where the run made none."""
    ladder = _stored(settings, run_id)
    lines = [ladder.words]
    for name, each in ladder.listeners.items():
        lines.append(f"{name}:")
        lines += [f"  {rung.words}" for rung in each.rungs]
        if each.d_prime is not None:
            lines.append(f"  answers: d' {each.d_prime}, criterion {each.criterion}")
    return [*lines, *ladder.sentences]


def _stored(settings: Settings, run_id: str) -> Ladder:
    from spectcount.jobs.ladders import ladder_of

    run = Store(settings.database).run(run_id).whole()
    ladder = ladder_of(run)
    if ladder is None:
        raise UserError(
            f"run {run_id} ({run.kind}, {run.state}) has no ladder of this release; make one with: "
            "ladder RUN"
        )
    return ladder
