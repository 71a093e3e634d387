"""A benchmark from the hub, laid out as its official files: through `datasets`, if installed.

*Conventions*: `datasets` is optional and imported on use. Sounds are written as the hub has them,
byte for byte, never decoded; the annotation file is a JSON list of the other columns, nested
columns opened up (MMAU's `other_attributes`, a mapping or its JSON), names and options put as the
official file has them: MMAU's `instruction` is its question, and letters in front of every option,
"(A) Man", are taken off, since a prompt puts its own. What comes out is read by the same loaders as
the official files.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spectcount import documents
from spectcount.benchmarks.catalogue import Benchmark
from spectcount.benchmarks.items import LETTERS
from spectcount.errors import UserError

FOLDER, ANNOTATIONS = "audio", "annotations.json"
_OFFICIAL = {"instruction": "question", "sub_category": "sub-category"}
_WRITTEN = ("other_attributes", "choices")
_LETTERED = re.compile(r"\s*\(?(?P<letter>[A-Z])[).:]\s*(?P<text>\S.*?)\s*", re.DOTALL)
_LONGEST_LIST = 20_000


def fetch(benchmark: Benchmark, repository: str, split: str, folder: Path) -> Path:
    """Write `repository` (OWNER/NAME, with @REVISION if wanted) under `folder` and return the
    annotation file. Raises `UserError` where `datasets` is missing, the hub cannot be reached, or
    the rows are not the benchmark's."""
    if not benchmark.on_hub:
        raise UserError(
            f"{benchmark.title} is on the hub as files, not as rows; download its folder and give "
            "that as the path"
        )
    rows, sounds = _rows(repository, split)
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    records = [
        _record(row, sounds, benchmark.fields.sound, folder, n) for n, row in enumerate(rows)
    ]
    path = folder / ANNOTATIONS
    path.write_text(json.dumps(records, ensure_ascii=False, indent=1, default=str), "utf-8")
    try:
        benchmark.load(path)
    except UserError as error:
        path.unlink()
        columns = ", ".join(map(str, rows.features))
        raise UserError(f"{repository} (columns {columns}): {error}") from None
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
    sound = row[sounds[0]] or {}
    record: dict[str, Any] = {}
    for column, value in row.items():
        if column not in sounds:
            opened = _opened(column, value)
            record |= opened if isinstance(opened, Mapping) else {column: opened}
    suffix = Path(str(sound.get("path") or "")).suffix or ".wav"
    name = f"{FOLDER}/{n:05d}{suffix}"
    if sound.get("bytes") or sound.get("path"):
        data = sound.get("bytes") or Path(sound["path"]).read_bytes()
        (folder / name).write_bytes(data)
    for column, official in _OFFICIAL.items():
        if column in record and official not in record:
            record[official] = record.pop(column)
    return {**record, **_without_letters(record), key: name}


def _opened(column: str, value: Any) -> Any:
    """A value; where a column of data or options was written as text, what the text says."""
    if not isinstance(value, str) or column not in _WRITTEN or value.lstrip()[:1] not in "{[":
        return value
    try:
        return documents.from_json(value, f"the column {column}")
    except UserError:  # options may be written as Python writes a list
        try:
            return ast.literal_eval(value) if len(value) < _LONGEST_LIST else value
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value


def _without_letters(record: Mapping[str, Any]) -> dict[str, Any]:
    """Options and answer without the letters in front, where all options have theirs in order;
    an answer that is a letter alone is the option that it stands before."""
    options = record.get("choices")
    if not isinstance(options, list) or not options:
        return {}
    lettered = [_LETTERED.fullmatch(str(option)) for option in options]
    if [m and m["letter"] for m in lettered] != list(LETTERS[: len(options)]):
        return {}
    texts = [m["text"] for m in lettered if m]
    answer = record.get("answer")
    if not isinstance(answer, str):
        return {"choices": texts}
    if answer in options:
        return {"choices": texts, "answer": texts[options.index(answer)]}
    letter = answer.strip("(). :")
    if len(letter) == 1 and letter in LETTERS[: len(options)] and answer not in texts:
        return {"choices": texts, "answer": texts[LETTERS.index(letter)]}
    match = _LETTERED.fullmatch(answer)
    return {"choices": texts, "answer": match["text"] if match else answer}
