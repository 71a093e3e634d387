"""Trials as rows: CSV and JSONL that need no knowledge of this program to be recomputed.

Conventions: one row per trial, in the order of asking; floats are written with all their digits,
so that reading them gives the very numbers back; `legend` explains every column.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from spectcount.configs import Json
from spectcount.report.facts import RULES, versions
from spectcount.report.selection import Selection
from spectcount.store import Run
from spectcount.trials import Trial, stimulus_hash

_FIELDS = (
    "key",
    "listener",
    "fingerprint",
    "task",
    "wording",
    "reverse",
    "prompt",
    "truth",
    "answer",
    "correct",
    "mass",
    "reply",
    "at",
)
_HEADS = ("stimulus_hash", "family", "stimulus_seed")
COLUMNS = {
    "stimulus_hash": "content hash of the clip; its data are in stimuli.jsonl",
    "family": "family of stimuli that the clip was drawn from",
    "stimulus_seed": "seed of the clip within its family",
    "key": "identity of the question: clip, words, closed answer set",
    "listener": "who answered",
    "fingerprint": "all of who answered that could change an answer (docs/models.md, Trust)",
    "task": "what was asked",
    "wording": "which of the task's wordings",
    "reverse": "whether the options were named in reverse order",
    "prompt": "the question in words, as asked",
    "truth": "the right answer; empty where there is none",
    "answer": "the most probable answer of the closed set",
    "correct": "whether it was right",
    "mass": "probability of the closed set as a whole before normalisation",
    "reply": "free reply, where one was asked for",
    "at": "when, seconds since 1970-01-01 UTC",
    "log_p(ANSWER)": "natural log-probability of ANSWER, normalised over the closed set",
    "at_x, at_y": "cell of the plan, or track of a procedure, counted from 0",
    "at_x_value, at_y_value": "the axis values that were drawn in that cell",
    "at_role": "signal: the first answer is true; catch: the second is",
    "at_trial": "number of the trial within its cell and role",
    "at_plan": "which of several interleaved plans, from 0",
    "at_level, at_second": "the levels that a procedure chose",
    "at_seconds": "response time of a person, seconds from the start of the clip",
}


def trial_row(trial: Trial) -> Json:
    """One flat row: the trial's fields, p(ANSWER) for each answer, its coords."""
    meta = (trial.stimulus or {}).get("meta", {})
    row: Json = {
        "stimulus_hash": stimulus_hash(trial),
        "family": meta.get("family"),
        "stimulus_seed": meta.get("seed"),
    }
    row |= {name: getattr(trial, name) for name in _FIELDS}
    row |= {f"log_p({a})": p for a, p in zip(trial.answers, trial.log_probs, strict=True)}
    return row | {f"at_{name}": value for name, value in trial.coords.items()}


def trials_csv(trials: Selection) -> Iterator[str]:
    """One line per trial, with a header. The columns are those of all rows, in order of
    appearance."""
    answers = [f"log_p({a})" for a in trials.tally.answers]
    coords = [f"at_{name}" for name in trials.tally.coords]
    rows = map(trial_row, trials.hashed())
    yield from _csv_lines([*_HEADS, *_FIELDS, *answers, *coords], rows)


def trials_jsonl(trials: Selection) -> Iterator[str]:
    """One JSON object per trial; its stimulus by hash."""
    names = [f.name for f in fields(Trial) if f.name != "stimulus"]
    for t in trials.hashed():
        row = {name: getattr(t, name) for name in names}
        yield _line({**row, "stimulus": None, "stimulus_hash": stimulus_hash(t)})


def stimuli_jsonl(trials: Selection) -> Iterator[str]:
    """Every different clip of the trials as data, by hash."""
    for mark, stimulus in trials.clips():
        yield _line({"hash": mark, "stimulus": stimulus})


def legend(run: Run, trials: Selection) -> Json:
    """The data sheet of rows of trials: run, seed, plan, fingerprints, rules, versions, columns."""
    return {
        "run": run.id,
        "kind": run.kind,
        "seed": run.config.get("seed"),
        "plan": run.config.get("plan"),
        "n_trials": len(trials),
        "roles": run.roles,
        "fingerprints": trials.tally.fingerprints,
        "evidence_digest": trials.digest,
        "rules": RULES,
        "versions": versions(),
        "columns": COLUMNS,
    }


_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""How cells begin that spreadsheets compute, also after spaces: signs, full-width ones, breaks."""


def json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """JSON lines, keys sorted."""
    return "".join(map(_line, rows))


def _line(row: Mapping[str, Any]) -> str:
    """A row as a JSON line, keys sorted."""
    return json.dumps(row, sort_keys=True) + "\n"


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """CSV with the columns of all rows, in order of appearance."""
    columns = dict.fromkeys(name for row in rows for name in row)
    return "".join(_csv_lines(list(columns), rows))


def _csv_lines(columns: list[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A header, then one line per row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is marked as text by an apostrophe."""
    if isinstance(value, str) and value.lstrip(" \ufeff\u200b\u00a0")[:1] in _FORMULA:
        return f"'{value}"
    return value
