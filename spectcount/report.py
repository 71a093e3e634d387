"""One bundle per result: everything needed to check or recompute a run, in one zip.

run.json (configuration, lineage, state, summary, versions, rules), trials.csv and trials.jsonl
(one row per trial, with stimulus hash, scores and fingerprint), stimuli.jsonl (every clip as
data, by hash), metrics.csv, log.txt, and for a tune its adapter folder.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from spectcount.errors import UserError
from spectcount.stimulus import VERSION, Stimulus
from spectcount.store import Run, Store
from spectcount.trials import Trial

RULES = {
    "rates": "log-linear: (k + 0.5) / (n + 1), Hautus 1995, BRMIC 27:46",
    "d_prime": "z(H) - z(F)",
    "criterion": "-(z(H) + z(F)) / 2",
    "proportions": "Wilson interval",
    "auc": "Mann-Whitney on log p(first answer) - log p(second), ties 1/2",
    "log_probs": "natural logarithms, normalised over the closed answer set",
    "mass": "probability of the closed set before that",
    "samples": "mono float32, 16 kHz, full scale 1.0, never normalised",
}
_PACKAGES = ("numpy", "scipy", "librosa", "torch", "transformers", "peft")
_COLUMNS = (
    "key", "listener", "fingerprint", "task", "wording", "reverse", "prompt",
    "truth", "answer", "correct", "mass", "reply", "at",
)  # fmt: skip


def export(run: Run, store: Store, out_dir: str | Path) -> Path:
    """Write the bundle of `run` as `out_dir`/RUN_ID.zip; its path."""
    out = Path(out_dir)
    path = out / f"{run.id}.zip"
    trials = store.trials(run.id)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, text in _texts(run, store, trials):
                bundle.writestr(f"{run.id}/{name}", text)
            for file in _files(run):
                bundle.write(file, f"{run.id}/{file.relative_to(run.folder)}")
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}); give another --out") from None
    return path


def describe(run: Run) -> dict[str, Any]:
    """run.json: the run, the rules behind its numbers, and the versions that made them."""
    return {**run.to_dict(), "folder": run.id, "rules": RULES, "versions": versions()}


def versions() -> dict[str, str]:
    """Versions of the synthesis and of the libraries whose numbers a result depends on."""
    found = {"synthesis": str(VERSION)}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def trial_row(trial: Trial) -> dict[str, Any]:
    """One flat row: the trial's fields, p(ANSWER) for each answer, its coords."""
    row: dict[str, Any] = {"stimulus_hash": _hash(trial)}
    row |= {name: getattr(trial, name) for name in _COLUMNS}
    row |= {f"log_p({a})": p for a, p in zip(trial.answers, trial.log_probs, strict=True)}
    return row | {f"at_{name}": value for name, value in trial.coords.items()}


def _texts(run: Run, store: Store, trials: Sequence[Trial]) -> Iterable[tuple[str, str]]:
    yield "run.json", json.dumps(describe(run), indent=2, sort_keys=True) + "\n"
    if trials:
        stimuli = {_hash(t): t.stimulus for t in trials}
        yield "trials.csv", _csv([trial_row(t) for t in trials])
        yield "trials.jsonl", _lines(_compact(t) for t in trials)
        yield "stimuli.jsonl", _lines({"hash": h, "stimulus": s} for h, s in stimuli.items())
    metrics = store.metrics_since(run.id)[1]
    if metrics:
        yield "metrics.csv", _csv([asdict(m) for m in metrics])


def _files(run: Run) -> list[Path]:
    adapter = run.folder / "adapter"
    found = [run.log_path] if run.log_path.exists() else []
    return found + sorted(file for file in adapter.rglob("*") if file.is_file())


def _hash(trial: Trial) -> str:
    return Stimulus.from_dict(trial.stimulus).hash if trial.stimulus is not None else ""


def _compact(trial: Trial) -> dict[str, Any]:
    return {**asdict(trial), "stimulus": None, "stimulus_hash": _hash(trial)}


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    """CSV with the columns of all rows, in order of appearance."""
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
