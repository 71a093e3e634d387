"""Held-out measurements of the embedded model, and the model card that states them.

Everything is asked through the listener, on seeds that pretraining never used, with its wordings
and with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recipes.tiny_lalm import diet
from recipes.tiny_lalm.diet import DRAWS
from recipes.tiny_lalm.model import WINDOW_S
from spectcount.designs import Pulses, draw
from spectcount.listeners.base import Listener
from spectcount.psychophysics import sdt
from spectcount.scales import mel_centres_hz
from spectcount.tasks import TASKS
from spectcount.trials import Question

HELD_OUT_SEED = 990_001
BANDS = ((2, 10), (10, 18), (26, 50), (50, 74), (74, 96), (100, 108), (108, 116), (116, 124))
LEVELS_DBFS = (-8, -20, -32, -44)


def aligned_questions(
    task: str, n: int, held_out_wordings: bool, seed: int = HELD_OUT_SEED
) -> list[Question]:
    """`n` questions inside the alignment diet, both option orders."""
    spec, questions = TASKS[task], []
    known = len(spec.wordings)
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        duration_s = round(1 + (WINDOW_S - 1) * rng.random() ** 2, 2)
        stimulus = diet.DRAWS[task](diet.ALIGNMENT, rng, duration_s)
        wording = known + i % len(spec.held_out) if held_out_wordings else i % known
        reverse = spec.reversible and bool(i // 2 % 2)
        questions.append(Question(stimulus, task, wording=wording, reverse=reverse))
    return questions


def band_questions(
    low_hz: float, high_hz: float, level_dbfs: float, n: int, seed: int = HELD_OUT_SEED
) -> list[Question]:
    """Counting 0 to 10 pulses of 100 ms, 150 ms apart, inside a band at one level, 4 s clips."""
    questions = []
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        design = Pulses(
            duration_s=4.0,
            n_events=i % 11,
            onset_s=rng.uniform(0, 1.0),
            frequency_low_hz=low_hz,
            frequency_high_hz=high_hz,
            frequency_order="random_mel",
            level_dbfs=level_dbfs,
            noise_sigma=5e-4,
        )
        stimulus = draw(design, int(rng.integers(2**31)))
        questions.append(Question(stimulus, "count", wording=i % len(TASKS["count"].wordings)))
    return questions


def accuracy(listener: Listener, questions: Sequence[Question]) -> sdt.Interval:
    """Share of right answers, Wilson interval."""
    best = listener.score(questions).log_probs.argmax(axis=1)
    right = [q.answers[k] == q.truth for q, k in zip(questions, best, strict=True)]
    return sdt.wilson(sum(right), len(right))


def measure(listener: Listener, n: int = 400, n_cell: int = 44) -> dict[str, Any]:
    """Aligned range per task (`n` questions each), and counting over band x level."""
    centres = mel_centres_hz()
    detect = aligned_questions("detect", n, held_out_wordings=False)
    best = listener.score(detect).log_probs.argmax(axis=1)
    said_yes = np.array([q.answers[k] == "yes" for q, k in zip(detect, best, strict=True)])
    signal = np.array([q.truth == "yes" for q in detect])
    d_prime = sdt.d_prime(
        int(said_yes[signal].sum()),
        int(signal.sum()),
        int(said_yes[~signal].sum()),
        int((~signal).sum()),
    )
    return {
        "n": n,
        "n_cell": n_cell,
        "detect_d_prime": d_prime,
        "accuracy": {t: accuracy(listener, aligned_questions(t, n, False)) for t in DRAWS},
        "accuracy_held_out_wordings": {
            t: accuracy(listener, aligned_questions(t, n, True)) for t in DRAWS
        },
        "levels_dbfs": LEVELS_DBFS,
        "bands_hz": [(float(centres[a]), float(centres[b])) for a, b in BANDS],
        "count_by_level_and_band": [
            [
                accuracy(listener, band_questions(centres[a], centres[b], level, n_cell)).value
                for a, b in BANDS
            ]
            for level in LEVELS_DBFS
        ],
    }


def write(folder: Path, pretraining: dict[str, Any], measured: dict[str, Any]) -> None:
    """README.md of the model folder."""
    (folder / "README.md").write_text(_FRONT + made_words(pretraining) + _heard(measured) + _LIMITS)


_FRONT = """---
license: apache-2.0
library_name: transformers
pipeline_tag: audio-text-to-text
tags: [audio, psychophysics, synthetic]
---

# tiny-lalm

A laboratory animal. This is a real `Qwen2AudioForConditionalGeneration`, small enough for a
laptop, which hears sine pulses in white noise and answers three questions about them in words:
*is there a beep?*, *how many?*, *in which half?* It exists so that SpectCount's whole path (probe,
map, tune, compare) can be tried in minutes. It knows nothing else about the world or about sound,
and what is found on it says nothing about any large model.
"""


def made_words(p: dict[str, Any]) -> str:
    """How a model was made, from what `make` returns."""
    options, rows = p["options"], []
    for name, spec in diet.Diet.params().items():
        unit = f" {spec.unit}" if spec.unit else ""
        rows.append(
            f"| {spec.help} ({name}) | {p['alignment'][name]:g}{unit} | "
            f"{p['hearing'][name]:g}{unit} |"
        )
    return f"""
## How it was made

`python recipes/tiny_lalm/make.py --seed {options["seed"]}`: {p["parameters"]:,} parameters,
{options["steps"]} steps of {options["batch"]} questions and {options["hearing_batch"]} further
clips, learning rate {options["learning_rate"]:g} (cosine), {p["minutes"]:g} minutes on
{p["device"]} with {options["threads"]} threads (torch {p["torch"]}). All clips are synthetic, drawn
on the fly from the seed, 1 to {WINDOW_S} s long.

Two objectives share each step. The *answers* see the alignment range only. The *encoder* also
learns, on the wider hearing range, in which 40 ms token and which of 16 mel bands a sound begins
and lasts; the read-out of that is thrown away. So the encoder carries cues that the answers never
used. No weakness was painted in: what is weak is what generalised badly.

| | alignment (answers) | hearing (encoder) |
|---|---|---|
{chr(10).join(rows)}

{_WITHIN if p.get("length_spread") else _WITHIN_BEFORE}
"""


_WITHIN = """Within a clip every event has its own length and level, so that total energy does not
tell how many there are."""
_WITHIN_BEFORE = """Within a clip all events had one length, and levels that differed by up to
12 dB, often by little. Total energy over that of the first sound alone counts such clips 35 % right
(3 s, chance 11 %). The recipe now draws length and level for each event; these weights were made
before. The numbers below are of clips as they are drawn now, without that cue."""


def _heard(m: dict[str, Any]) -> str:
    head = " | ".join(f"{a:.0f}-{b:.0f} Hz" for a, b in m["bands_hz"])
    rows = [
        f"| {level:g} dBFS | " + " | ".join(f"{x:.0%}" for x in row) + " |"
        for level, row in zip(m["levels_dbfs"], m["count_by_level_and_band"], strict=True)
    ]
    d = m["detect_d_prime"]
    lines = [
        f"| {t} | {_percent(m['accuracy'][t])} | {_percent(m['accuracy_held_out_wordings'][t])} |"
        for t in m["accuracy"]
    ]
    return f"""
## What it hears, on held-out seeds

Inside the alignment range, {m["n"]} questions per task and column, share of right answers with
95 % Wilson intervals:

| task | wordings of training | wordings never trained on |
|---|---|---|
{chr(10).join(lines)}

Detection d' {d.value:.2f} [{d.low:.2f}, {d.high:.2f}] (log-linear rule, wordings of training).

Counting 0 to 10 pulses of 100 ms, 150 ms apart, {m["n_cell"]} clips per cell (chance 9 %):

| | {head} |
|---|{"---|" * len(m["bands_hz"])}
{chr(10).join(rows)}
"""


def _percent(interval: sdt.Interval) -> str:
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.value:.1f} % [{low:.1f}, {high:.1f}]"


_LIMITS = f"""
## Limits

Clips up to {WINDOW_S} s, 16 kHz, mono; counts up to 10; English, and only the tasks above.
Weights and data were made by this project; licence Apache-2.0.
"""
