"""The official files of a benchmark: found, read, and the sounds they name.

*Conventions*: an annotation file is a JSON list or JSON lines, whatever its ending says (MMSU's
`.jsonl` is read as a list by its own script, copies of MMAR's come as `.json`).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spectcount import documents
from spectcount.benchmarks.items import Item
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
        matches = sorted(path.glob(name))
        if len(matches) > 1:
            listed = ", ".join(f.name for f in matches[:_SHOWN])
            raise UserError(f"{path} holds several files for {title}: {listed}; name one of them")
        if matches:
            return matches[0].resolve()
    raise UserError(
        f"{path} holds no file of {title}; expected {' or '.join(names)}, or give the file itself"
    )


def records(path: Path) -> list[dict[str, Any]]:
    """The rows of an annotation file, as they are. Raises `UserError` naming the line."""
    rows = documents.read_rows(path, path.name)
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path.name} holds no list of questions; give the official file")
    return rows


def without_others_sounds(items: Sequence[Item], annotations: Path) -> list[Item]:
    """Items, none with a sound that was looked up for it and is, by its own name, another's."""
    names: dict[Path, set[str]] = {}
    for item in items:
        names.setdefault(item.audio, set()).add(item.sound)
    return [
        item
        if len(names[item.audio]) == 1
        else dataclasses.replace(item, audio=annotations.parent / item.sound)
        for item in items
    ]


def digest(path: Path) -> str:
    """First 16 hex digits of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def sound(name: str, annotations: Path, folders: Sequence[str]) -> Path:
    """The place of the sound called `name` in the file: beside the annotations as written, or in
    one of `folders` there, under the same path from such a folder on. A file of the same bare name
    in another folder is another sound. Where it is nowhere, the place as written."""
    written = annotations.parent / name
    parts = [part for part in Path(name).parts if part != "."]
    known = max((i + 1 for i, part in enumerate(parts[:-1]) if part in folders), default=0)
    inside = Path(*parts[known:])
    places = [written]
    if not inside.is_absolute():
        places += [annotations.parent / folder / inside for folder in folders]
    return next((place for place in places if place.is_file()), written)
