"""Predictions in the very form that each official script reads, so that it can be run on them.

*Conventions*: the file's own rows, in its order, with the reply under the script's key. MMAU and
MMAR: every item of the run is there, one without a reply lacks the key (the script passes over
it). MMSU and AIR-Bench: one without a reply is left out, as their inference scripts do. Only the
file's own order of options (rotation 0) is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectcount.benchmarks import files
from spectcount.benchmarks.catalogue import LETTER
from spectcount.benchmarks.questions import Reading, Sheet, place, read_all
from spectcount.trials import Trial


@dataclass(frozen=True)
class Exported:
    """A file for an official script: whose replies, how many, and the command to run."""

    listener: str
    path: Path
    n_rows: int
    n_replies: int
    command: str


def write(sheet: Sheet, listener: str, trials: Iterable[Trial], folder: Path) -> Exported:
    """Write one listener's predictions into `folder`/LISTENER; see the module."""
    of_listener = {place(trial): trial for trial in trials if trial.listener == listener}
    rows = predictions(sheet, read_all(sheet.benchmark, sheet.items, of_listener))
    target = folder / re.sub(r"[^\w.@=,-]+", "_", listener) / sheet.benchmark.export
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_text(rows, target.suffix), encoding="utf-8")
    n_replies = sum(sheet.benchmark.keys[0] in row for row in rows)
    command = sheet.benchmark.command.format(file=target)
    return Exported(listener, target, len(rows), n_replies, command)


def predictions(sheet: Sheet, readings: dict[tuple[int, int], Reading]) -> list[dict[str, Any]]:
    """The rows of the export."""
    records, rows = files.records(sheet.path), []
    for item in sheet.items:
        reading = readings.get((item.row, 0))
        row = dict(records[item.row])
        if reading is not None:
            row |= dict.fromkeys(sheet.benchmark.keys, reading.reply)
        if reading is not None or sheet.benchmark.says != LETTER:
            rows.append(row)
    return rows


def _text(rows: list[dict[str, Any]], suffix: str) -> str:
    """A JSON list, or JSON lines."""
    if suffix == ".json":
        return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
