"""The ladder that a run made, and the one of another run's clips."""

from __future__ import annotations

from spectcount.configs import LadderConfig
from spectcount.store import Run, Store
from spectcount.where.ladder import FILE, Ladder, from_json

KIND = LadderConfig.kind


def ladder_of(run: Run) -> Ladder | None:
    """The ladder that a run made; None before its end, and of an earlier release."""
    try:
        return from_json((run.folder / FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def ladder_runs(store: Store, source: str) -> list[Run]:
    """Ended ladders of a run's clips, the newest first."""
    runs = store.runs(KIND, states=("done",))
    return [run for run in runs if LadderConfig.from_json(run.config).source == source]
