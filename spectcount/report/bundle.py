"""One bundle per result: everything needed to read, check or repeat a run, in one zip.

RUN/
  report.html                 for a reader: question, method, results, caveats, how to repeat it
  run.json                    configuration, lineage, state, summary, rules, versions
  plan.yaml or training.yaml  the preset that asks (or trains) the same again
  trials.csv, trials.jsonl    one row per trial; trials.json explains the columns
  stimuli.jsonl               every clip as data, by hash
  figures/                    each as SVG, PNG, interactive HTML, and JSON with its source
  stages/                     ladders and patchings of the run's clips
  metrics.csv, log.txt        learning curves, what the run said
  adapter/                    of a fine-tune
  clips/                      when asked for: HASH.wav (32-bit float) and HASH.json of each clip
"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from spectcount.report.evidence import Evidence
from spectcount.report.facts import describe
from spectcount.report.figures import figures_of
from spectcount.report.page import report_html
from spectcount.report.reproduce import input_file
from spectcount.report.rows import csv_text, legend, stimuli_jsonl, trials_csv, trials_jsonl
from spectcount.report.sounds import wav_bytes
from spectcount.stimulus import Stimulus
from spectcount.store import Run
from spectcount.where import ladder, patching


def export(evidence: Evidence, out_dir: str | Path, clips: bool = False) -> Path:
    """Write the bundle as `out_dir`/RUN_ID.zip; its path. `clips` adds every different clip."""
    run = evidence.run
    path = Path(out_dir) / f"{run.id}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in contents(evidence, clips):
            write_entry(bundle, f"{run.id}/{name}", content)
        for file in _files(run):
            bundle.write(file, f"{run.id}/{file.relative_to(run.folder)}")
    return path


Content = str | bytes | Iterator[str]
"""Of a file: in full, or piece by piece where it grows with the trials."""


def write_entry(bundle: zipfile.ZipFile, name: str, content: Content) -> None:
    """Add a file to a zip."""
    if isinstance(content, str | bytes):
        bundle.writestr(name, content)
        return
    with bundle.open(zipfile.ZipInfo(name, time.localtime()[:6]), "w", force_zip64=True) as entry:
        for piece in content:
            entry.write(piece.encode())


def contents(evidence: Evidence, clips: bool = False) -> Iterator[tuple[str, Content]]:
    """(name, content) of everything in the bundle that is made for it."""
    run, trials = evidence.run, evidence.trials
    figures = figures_of(evidence)
    yield "report.html", report_html(evidence, figures)
    yield "run.json", json.dumps(describe(run), indent=2, sort_keys=True) + "\n"
    yield input_file(run)
    if trials:
        sheet = legend(run, trials)
        yield "trials.json", json.dumps(sheet, indent=2, sort_keys=True) + "\n"
        yield "trials.csv", trials_csv(trials)
        yield "trials.jsonl", trials_jsonl(trials)
        yield "stimuli.jsonl", stimuli_jsonl(trials)
    for figure in figures:
        for name, content in figure.files(evidence):
            yield f"figures/{name}", content
    for k, each in enumerate(evidence.stages, start=1):
        room = patching if isinstance(each, patching.Patching) else ladder
        yield f"stages/{k}-{room.FILE}", room.to_json(each)
    if evidence.metrics:
        yield "metrics.csv", csv_text([asdict(m) for m in evidence.metrics])
    if clips:
        yield from clip_files(evidence)


def clip_files(evidence: Evidence) -> Iterator[tuple[str, str | bytes]]:
    """clips/HASH.wav (32-bit float, exactly as synthesised) and clips/HASH.json of every different
    clip."""
    for mark, data in evidence.trials.clips():
        stimulus = Stimulus.from_dict(data)
        yield f"clips/{mark}.wav", wav_bytes(stimulus)
        yield f"clips/{mark}.json", stimulus.to_json() + "\n"


def _files(run: Run) -> list[Path]:
    adapter = run.folder / "adapter"
    logs = [run.log_path] if run.log_path.exists() else []
    return logs + sorted(file for file in adapter.rglob("*") if file.is_file())
