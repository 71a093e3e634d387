"""A map's regions with what their confirmation says: the same for page, report and fine-tune."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spectcount.configs import ConfirmConfig
from spectcount.store import Run, Store

if TYPE_CHECKING:
    from spectcount.probing.analysis import Result
    from spectcount.probing.weakness import Region

KIND = "confirm"
"""Kind of the runs that ask again."""


def confirmation_run(store: Store, source: str, listener: str) -> Run | None:
    """The run that asked again about the regions of a map, finished or not; None before."""
    for run in store.runs(KIND):
        if ConfirmConfig.from_json(run.config).source == source and listener in run.listeners:
            return run
    return None


def regions_again(store: Store, run: Run) -> dict[str, list[Region]]:
    """The regions of each listener of a map whose confirmation is done, or of a confirmation
    itself, with what the new questions said; nothing of others."""
    from spectcount.probing.weakness import Region

    by_listener: dict[str, list[Region]] = {}
    for name in run.listeners:
        asked_again = run if run.of_kind.confirms else confirmation_run(store, run.id, name)
        if asked_again is not None and asked_again.state == "done":
            listed = (asked_again.summary or {}).get("regions", {}).get(name, [])
            by_listener[name] = [Region.from_dict(values) for values in listed]
    return by_listener


def regions_now(
    store: Store, run: Run, listener: str, result: Callable[[], Result]
) -> list[Region]:
    """The regions of a listener's map as its confirmation says, or before that as `result`, what
    the run says so far, has them."""
    from spectcount.probing.analysis import suspected

    again = regions_again(store, run).get(listener)
    if again is not None or run.of_kind.confirms:
        return again or []
    return suspected(result(), listener)
