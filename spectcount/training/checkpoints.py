"""Checkpoints that a SIGKILL cannot spoil.

transformers' Trainer writes a checkpoint file by file. One counts only once a marker, made after
everything else, stands in it; the others are removed before a run resumes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

MARKER = "complete"


def mark_complete(folder: Path) -> None:
    """Say that everything of the checkpoint is there."""
    (folder / MARKER).touch()


def last_complete(folder: Path) -> Path | None:
    """The newest whole checkpoint under `folder`; broken ones are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]))
    for broken in [p for p in found if not (p / MARKER).exists()]:
        shutil.rmtree(broken)
    whole = [p for p in found if p.exists()]
    return whole[-1] if whole else None
