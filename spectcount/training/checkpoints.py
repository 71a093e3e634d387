"""Checkpoints that a SIGKILL cannot spoil.

transformers' Trainer writes a checkpoint file by file. One counts only once a marker, made after
everything else, stands in it; the others are removed before a run resumes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from spectcount.errors import UserError
from spectcount.listeners.checkpoints import identity

MARKER = "complete"
BASE = "base.txt"


def keep_to_base(folder: Path, fingerprint: str) -> None:
    """Note the base that a run begins on. Raises `UserError` where it began on another one."""
    note = folder / BASE
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        note.write_text(fingerprint)
    elif other := identity.other_base(note.read_text(), fingerprint):
        raise UserError(
            f"this fine-tune began on a base with other {other} ({note.read_text()}) than it has "
            f"now ({fingerprint}); start a new one, or put the base back as it was"
        )


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
