"""What weights are: a hash of their bytes, remembered where reading them takes long.

Conventions: the memory lies beside the weights (`.spectcount-hashes.json`) and holds for a file's
size and time of change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

MEMORY = ".spectcount-hashes.json"
LARGE_BYTES = 500_000_000


def hash_files(files: Sequence[Path]) -> str:
    """First 12 hex digits of SHA-256 over the files' bytes, in their order."""
    if sum(file.stat().st_size for file in files) < LARGE_BYTES:
        return _hash(files)
    state = json.dumps([[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files])
    memory = files[0].parent / MEMORY
    known = _read(memory)
    if state not in known:
        known = {state: _hash(files)}
        _write(memory, known)
    return known[state]


def _hash(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:12]


def _read(memory: Path) -> dict[str, str]:
    """What is remembered; nothing where the file is missing or broken."""
    try:
        found = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(memory: Path, known: dict[str, str]) -> None:
    """Remember; a folder that may not be written to is hashed again next time."""
    try:
        memory.write_text(json.dumps(known))
    except OSError:
        return
