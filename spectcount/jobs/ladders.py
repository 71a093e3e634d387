"""Ladders and patchings: that a run made, and those of another run's clips."""

from __future__ import annotations

from spectcount.configs import LadderConfig, PatchConfig
from spectcount.store import Run, Store
from spectcount.where import ladder, patching

KINDS = (LadderConfig.kind, PatchConfig.kind)
Made = ladder.Ladder | patching.Patching


def made_by(run: Run) -> Made | None:
    """The ladder or patching of a run; None before its end, and of an earlier release."""
    room = ladder if run.kind == LadderConfig.kind else patching
    try:
        return room.from_json((run.folder / room.FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def made_of(store: Store, source: str) -> list[Made]:
    """All ladders and patchings of a run's clips, the newest first of each kind."""
    runs = [run for kind in KINDS for run in store.runs(kind, states=("done",))]
    asked_of = [run for run in runs if run.config.get("source") == source]
    return [each for run in asked_of if (each := made_by(run)) is not None]
