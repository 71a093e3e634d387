"""A run's questions as a Hugging Face `audiofolder`: WAV files, metadata.jsonl, a dataset card.

`datasets.load_dataset("audiofolder", data_dir=FOLDER)` reads it. Conventions: one row and one file
per different question (clip and words), in the order of asking, whoever was asked; clips are
32-bit float WAV, exactly as synthesised; nested values are JSON text, so that every column has one
type. What each listener answered stands in `responses`; `answer` is that of `listener`, the first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from spectcount.clips import save_clip
from spectcount.configs import Json
from spectcount.errors import UserError
from spectcount.report.evidence import Evidence
from spectcount.report.facts import versions
from spectcount.report.reproduce import shell_block
from spectcount.report.rows import json_lines
from spectcount.stimulus import Stimulus
from spectcount.trials import Trial, stimulus_hash

CLIPS = "clips"
COLUMNS = {
    "file_name": "the clip, relative to this folder (read as the column `audio`)",
    "question": "the question in words, as asked",
    "options": "the closed answer set, as JSON",
    "answer": "what `listener` answered",
    "truth": "the right answer; empty where there is none",
    "label": "index of the right answer in `options`; -1 where there is none",
    "task": "what was asked",
    "role": "signal: the first answer is true; catch: the second is",
    "family": "family of stimuli",
    "parameters": "its parameters, as JSON",
    "seed": "seed of the clip within its family",
    "hash": "content hash of the clip's stimulus",
    "stimulus": "the stimulus itself, as JSON",
    "wording": "which of the task's wordings",
    "reverse": "whether the options were named in reverse order",
    "key": "identity of the question",
    "listener": "who answered",
    "responses": "every listener's fingerprint, answer, natural log-probabilities over `options` "
    "and mass, as JSON",
}


def write(evidence: Evidence, out: Path, progress: Callable[[int, int], None] | None = None) -> int:
    """Write the data set into the folder `out`, which must be new or empty; the number of rows.
    Raises `UserError` where there is nothing to write, or no room for it."""
    questions = by_question(evidence)
    if not questions:
        raise UserError(
            f"run {evidence.run.id} has no clips of its own to write; choose a probe or a "
            "comparison with answers"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is not empty; give a new folder with --out")
    (out / CLIPS).mkdir(parents=True, exist_ok=True)
    rows = []
    for k, trials in enumerate(questions):
        rows.append(row_of(trials))
        save_clip(out / rows[-1]["file_name"], _stimulus(trials[0]))
        if progress:
            progress(k + 1, len(questions))
    (out / "metadata.jsonl").write_text(json_lines(rows), encoding="utf-8")
    (out / "README.md").write_text(card(evidence, len(rows)), encoding="utf-8")
    return len(rows)


def by_question(evidence: Evidence) -> list[list[Trial]]:
    """The trials with a clip of their own, together by question, first asked first."""
    by_key: dict[str, list[Trial]] = {}
    for trial in evidence.trials.run_trials.held():
        if trial.stimulus is not None:
            by_key.setdefault(trial.key, []).append(trial)
    order = {name: k for k, name in enumerate(evidence.names)}
    return [sorted(trials, key=lambda t: order[t.listener]) for trials in by_key.values()]


def row_of(trials: list[Trial]) -> Json:
    """One row of metadata.jsonl: a question and everybody's answers to it."""
    head = trials[0]
    meta = (head.stimulus or {}).get("meta", {})
    truth = head.truth
    return {
        "file_name": f"{CLIPS}/{head.key}.wav",
        "question": head.prompt,
        "options": json.dumps(list(head.answers)),
        "answer": head.answer,
        "truth": truth or "",
        "label": head.answers.index(truth) if truth in head.answers else -1,
        "task": head.task,
        "role": str(head.coords.get("role", "")),
        "family": str(meta.get("family", "")),
        "parameters": json.dumps(meta.get("params", {}), sort_keys=True),
        "seed": int(meta.get("seed", -1)),
        "hash": stimulus_hash(head),
        "stimulus": json.dumps(head.stimulus, sort_keys=True),
        "wording": head.wording,
        "reverse": head.reverse,
        "key": head.key,
        "listener": head.listener,
        "responses": json.dumps(dict(_responses(trials)), sort_keys=True),
    }


def card(evidence: Evidence, n_rows: int) -> str:
    """The dataset card, README.md."""
    run, plan = evidence.run, evidence.asked_plan
    columns = "\n".join(f"| `{name}` | {words} |" for name, words in COLUMNS.items())
    who = "\n".join(f"- `{name}`: `{mark}`" for name, mark in evidence.fingerprints.items())
    software = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"""---
pretty_name: SpectCount run {run.id}
tags: [audio, psychophysics, synthetic]
task_categories: [audio-classification]
size_categories: [{_size(n_rows)}]
---

# Questions about synthetic sounds: run {run.id}

{n_rows} questions, each with its clip, the right answer and what was answered. Task: {plan.task}
("{plan.asked.title}"); stimuli of the family {plan.family}; seed {evidence.seed}. Clips are mono,
16 kHz, 32-bit float, exactly as synthesised from the JSON in `stimulus`; levels are as declared,
nothing was normalised. Some are loud: set a comfortable level first.

```python
from datasets import load_dataset

data = load_dataset("audiofolder", data_dir="THIS FOLDER", split="train")
```

| column | what it is |
|---|---|
{columns}

## Who answered

{who}

A signal trial is one for which the first option is right, a catch trial its counterpart, for which
the second is. Never judge a listener by its accuracy alone: compute hit and false-alarm rates.

## How it was made

{software}.

```bash
{shell_block(run)}```
"""


def _responses(trials: list[Trial]) -> Iterator[tuple[str, Json]]:
    for trial in trials:
        yield (
            trial.listener,
            {
                "fingerprint": trial.fingerprint,
                "answer": trial.answer,
                "correct": trial.correct,
                "log_probs": list(trial.log_probs),
                "mass": trial.mass,
                "reply": trial.reply,
            },
        )


def _stimulus(trial: Trial) -> Stimulus:
    assert trial.stimulus is not None
    return Stimulus.from_dict(trial.stimulus)


def _size(n: int) -> str:
    steps = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
    return next((words for top, words in steps if n < top), "100K<n<1M")
