"""Runs that are looked up by a name, named and removed.

Conventions: settings come first; bad input raises `UserError`. A name is one visitor's: two runs of
theirs never have the same, and none is the id of a run. Ids stay what they are.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Sequence

from spectcount.errors import UserError
from spectcount.listeners.spec import ListenerSpec
from spectcount.settings import Settings
from spectcount.store import Run, Store

LONGEST_NAME = 60


def run_called(settings: Settings, name: str) -> Run:
    """The run of an id or of a name; an unknown one is refused with the nearest known."""
    store = Store(settings.database)
    try:
        return store.run(name)
    except UserError:
        named = {_name(run): run for run in store.runs() if _name(run)}
        if name in named:
            return named[name]
        near = difflib.get_close_matches(str(name), named, n=1)
        if near:
            raise UserError(f"there is no run {name!r}; did you mean {near[0]}?") from None
        raise


def rename_run(settings: Settings, run_id: str, name: str) -> Run:
    """Give a run a name, in place of the one that it has; "" takes it away."""
    store, wanted = Store(settings.database), " ".join(str(name).split())
    run = store.run(run_id)
    if len(wanted) > LONGEST_NAME or not wanted.isprintable() or wanted.startswith("-"):
        raise UserError(
            f"name {wanted[:80]!r} is not usable; give at most {LONGEST_NAME} printable "
            "characters, the first no '-'"
        )
    for other in store.runs() if wanted else ():
        if other.id != run.id and wanted in (other.id, _name(other)):
            raise UserError(f"run {other.id} is called {wanted!r} already; give another name")
    others = {key: value for key, value in run.lineage.items() if key != "name"}
    store.update(run.id, lineage={**others, "name": wanted} if wanted else others)
    return store.run(run.id)


def remove_runs(settings: Settings, run_ids: Sequence[str], *, force: bool = False) -> list[Run]:
    """Remove ended runs with their answers, figures and adapters; the runs that are gone. Raises
    `UserError`, before anything is removed, for one that waits or works, and without `force` for a
    fine-tune whose adapter another run has asked."""
    store = Store(settings.database)
    runs = [store.run(run_id) for run_id in dict.fromkeys(run_ids)]
    gone = {run.id for run in runs}
    for run in runs:
        _refuse_unended(run)
        _refuse_needed(run, [other for other in store.runs() if other.id not in gone], force)
    for run in runs:
        if not store.delete_run(run.id):
            _refuse_unended(store.run(run.id))
        _remove_folder(run)
    return runs


def _name(run: Run) -> str:
    return str(run.lineage.get("name") or "")


def _refuse_unended(run: Run) -> None:
    if not run.ended:
        raise UserError(f"run {run.id} is {run.state}; end it first: runs cancel {run.id}")


def _refuse_needed(run: Run, others: Sequence[Run], force: bool) -> None:
    """Refuse a fine-tune whose adapter other runs ask; those that wait or work whatever `force`."""
    needing = [other for other in others if _asks(other, run.id)]
    working = [other.id for other in needing if not other.ended]
    if working:
        raise UserError(
            f"the adapter of run {run.id} is being asked by {', '.join(working)}; wait until it "
            "has ended, or stop it"
        )
    if needing and not force:
        listed = ", ".join(other.id for other in needing)
        raise UserError(
            f"the adapter of run {run.id} was asked in {listed}, which cannot be repeated without "
            "it; remove them as well, or give --force"
        )


def _asks(run: Run, adapter: str) -> bool:
    """True where a run asks the adapter, or was tuned from it."""
    specs = [*run.listeners, str(run.config.get("base") or "")]
    try:
        return any(ListenerSpec.parse(spec).hearing.adapter == adapter for spec in specs)
    except UserError:
        return False


def _remove_folder(run: Run) -> None:
    try:
        shutil.rmtree(run.folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(
            f"run {run.id} is removed from the list, but not its folder {run.folder} "
            f"({error.strerror}); remove it by hand"
        ) from None
