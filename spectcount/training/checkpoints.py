"""Checkpoints that a SIGKILL cannot spoil.

transformers' Trainer writes a checkpoint file by file. One counts only once a marker, made after
everything else, stands in it with the hashes of all files; one that is not whole, or has changed
since, is removed before a run resumes, which then goes on from the one before.
"""

from __future__ import annotations

import hashlib
import json
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
    """Say that everything of the checkpoint is there, and what it is."""
    part = folder / f"{MARKER}.part"
    part.write_text(json.dumps(_hashes(folder)))
    part.rename(folder / MARKER)


def last_complete(folder: Path) -> Path | None:
    """The newest whole checkpoint under `folder`; broken ones are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]))
    for newest in reversed(found):
        if _whole(newest):
            return newest
        shutil.rmtree(newest, ignore_errors=True)
    return None


def _whole(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / MARKER).read_text()) == _hashes(folder))
    except (OSError, ValueError):
        return False


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a checkpoint but its marker."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(MARKER))
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }
