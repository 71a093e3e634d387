"""The official files of a benchmark: found, read, and the sounds they name.

*Conventions*: an annotation file is a JSON list or JSON lines, whatever its ending says (MMSU's
`.jsonl` is read as a list by its own script, copies of MMAR's come as `.json`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spectcount import documents
from spectcount.errors import UserError
from spectcount.settings import typed_path

_SHOWN = 6


def find(path: str | Path, names: Sequence[str], title: str) -> Path:
    """The annotation file: `path` itself, or the first of `names` (glob patterns) that the folder
    holds. Raises `UserError` where there is none, or several of one pattern."""
    path = typed_path(path)
    if path.is_file():
        return path.resolve()
    if not path.is_dir():
        raise UserError(f"there is nothing at {path}; give the folder with the files of {title}")
    for name in names:
        found = sorted(path.glob(name))
        if len(found) > 1:
            listed = ", ".join(f.name for f in found[:_SHOWN])
            raise UserError(f"{path} holds several files for {title}: {listed}; name one of them")
        if found:
            return found[0].resolve()
    raise UserError(
        f"{path} holds no file of {title}; expected {' or '.join(names)}, or give the file itself"
    )


def records(path: Path) -> list[dict[str, Any]]:
    """The rows of an annotation file, as they are. Raises `UserError` naming the line."""
    rows = documents.read_rows(path, path.name)
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path.name} holds no list of questions; give the official file")
    return rows


def digest(path: Path) -> str:
    """First 16 hex digits of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def sound(name: str, annotations: Path, folders: Sequence[str]) -> Path:
    """Where the sound called `name` in the file lies: beside the annotations as written, or by its
    bare name in one of `folders` there. Where it is nowhere, the place as written."""
    written = annotations.parent / name
    bare = Path(name).name
    places = [written, *(annotations.parent / folder / bare for folder in folders)]
    return next((place for place in places if place.is_file()), written)
