"""Trials as rows: CSV and JSONL that need no knowledge of this program to be recomputed.

Conventions: one row per trial, in the order of asking; floats are written with all their digits,
so that reading them gives the very numbers back; `legend` explains every column.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from spectcount.report.facts import RULES, evidence_digest, stimulus_hash, versions
from spectcount.store import Run
from spectcount.trials import Trial

_FIELDS = (
    "key", "listener", "fingerprint", "task", "wording", "reverse", "prompt", "truth", "answer",
    "correct", "mass", "reply", "at",
)  # fmt: skip
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


def trial_row(trial: Trial) -> dict[str, Any]:
    """One flat row: the trial's fields, p(ANSWER) for each answer, its coords."""
    meta = (trial.stimulus or {}).get("meta", {})
    row: dict[str, Any] = {
        "stimulus_hash": stimulus_hash(trial),
        "family": meta.get("family"),
        "stimulus_seed": meta.get("seed"),
    }
    row |= {name: getattr(trial, name) for name in _FIELDS}
    row |= {f"log_p({a})": p for a, p in zip(trial.answers, trial.log_probs, strict=True)}
    return row | {f"at_{name}": value for name, value in trial.coords.items()}


def trials_csv(trials: Iterable[Trial]) -> str:
    """One line per trial, with a header."""
    return csv_text([trial_row(t) for t in trials])


def trials_jsonl(trials: Iterable[Trial]) -> str:
    """One JSON object per trial; its stimulus by hash."""
    return lines({**asdict(t), "stimulus": None, "stimulus_hash": stimulus_hash(t)} for t in trials)


def stimuli_jsonl(trials: Iterable[Trial]) -> str:
    """Every different clip of the trials as data, by hash."""
    found = {stimulus_hash(t): t.stimulus for t in trials if t.stimulus is not None}
    return lines({"hash": h, "stimulus": s} for h, s in found.items())


def legend(run: Run, trials: Sequence[Trial]) -> dict[str, Any]:
    """What goes with rows of trials: run, seed, plan, fingerprints, rules, versions, columns."""
    return {
        "run": run.id,
        "kind": run.kind,
        "seed": run.config.get("seed"),
        "plan": run.config.get("plan"),
        "n_trials": len(trials),
        "roles": run.roles,
        "fingerprints": {t.listener: t.fingerprint for t in trials},
        "evidence_digest": evidence_digest(trials),
        "rules": RULES,
        "versions": versions(),
        "columns": COLUMNS,
    }


_FORMULA = tuple("=+-@\t\r")
"""How cells begin that spreadsheets compute."""


def lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """JSON lines, keys sorted."""
    return "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """CSV with the columns of all rows, in order of appearance."""
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is marked as text by an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value
