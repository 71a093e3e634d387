"""A benchmark from the hub, laid out as its official files: through `datasets`, if installed.

*Conventions*: `datasets` is optional and imported on use. Sounds are written as the hub has them,
byte for byte, never decoded; the annotation file is a JSON list of the other columns, nested
columns opened up. What comes out is read by the same loaders as the official files.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spectcount.benchmarks.catalogue import Benchmark
from spectcount.errors import UserError

FOLDER, ANNOTATIONS = "audio", "annotations.json"
_SOUND_NAMES = {"mmau": "audio_id", "mmau-test": "audio_id", "mmar": "audio_path",
                "mmsu": "audio_path"}  # fmt: skip


def fetch(benchmark: Benchmark, repository: str, split: str, folder: Path) -> Path:
    """Write `repository` (OWNER/NAME, with @REVISION if wanted) under `folder` and return the
    annotation file. Raises `UserError` where `datasets` is missing, the hub cannot be reached, or
    the rows are not the benchmark's."""
    if benchmark.name not in _SOUND_NAMES:
        raise UserError(
            f"{benchmark.title} is on the hub as files, not as rows; download its folder and give "
            "that as the path"
        )
    rows, sounds = _rows(repository, split)
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    records = [
        _record(row, sounds, _SOUND_NAMES[benchmark.name], folder, n) for n, row in enumerate(rows)
    ]
    path = folder / ANNOTATIONS
    path.write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")
    benchmark.load(path)
    return path


def _rows(repository: str, split: str) -> tuple[Any, list[str]]:
    """The rows of a split, sounds not decoded, and the names of the columns that are sounds."""
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise UserError(
            "the package datasets is not installed; run: pip install datasets, or give the path "
            "of the official files"
        ) from None
    name, _, revision = repository.partition("@")
    try:
        rows = datasets.load_dataset(name, split=split, revision=revision or None)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{repository} could not be had from the hub ({str(error)[:200]}); give the path of "
            "the official files"
        ) from None
    sounds = [column for column, kind in rows.features.items() if isinstance(kind, datasets.Audio)]
    if len(sounds) != 1:
        raise UserError(
            f"{repository} has {len(sounds)} columns of sound, 1 is expected; its columns are "
            f"{', '.join(rows.features)}"
        )
    return rows.cast_column(sounds[0], datasets.Audio(decode=False)), sounds


def _record(
    row: Mapping[str, Any], sounds: list[str], key: str, folder: Path, n: int
) -> dict[str, Any]:
    """One row as the official file has it; its sound is written beside."""
    sound = row[sounds[0]]
    record: dict[str, Any] = {}
    for column, value in row.items():
        if column not in sounds:
            record |= value if isinstance(value, Mapping) else {column: value}
    suffix = Path(str(sound.get("path") or "")).suffix or ".wav"
    data = sound["bytes"] if sound.get("bytes") else Path(sound["path"]).read_bytes()
    (folder / FOLDER / f"{n:05d}{suffix}").write_bytes(data)
    record[key] = f"{FOLDER}/{n:05d}{suffix}"
    return record
