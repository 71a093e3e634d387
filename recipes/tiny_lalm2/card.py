"""The card of an embedded model: how it was made, what it hears, where each weakness sits.

    python recipes/tiny_lalm2/card.py FOLDER [--n 200] [--most 20]

FOLDER holds model, processor and `pretraining.json`; its README.md and `measured.json` are
written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from recipes.tiny_lalm2 import diet, stages  # noqa: E402
from recipes.tiny_lalm2.make import SCALARS_FROM  # noqa: E402
from recipes.tiny_lalm2.measure import HELD_OUT_SEED, PlanRates, measure  # noqa: E402
from recipes.tiny_lalm2.model import WINDOW_S  # noqa: E402
from spectcount.designs import Modulation, OnsetAsynchrony, Pulses, draw  # noqa: E402
from spectcount.listeners.audio_lm import AudioLM  # noqa: E402
from spectcount.listeners.loaded import LoadedModel  # noqa: E402
from spectcount.pairs import draw_pair  # noqa: E402
from spectcount.psychophysics import sdt  # noqa: E402
from spectcount.scales import mel_centres_hz  # noqa: E402
from spectcount.settings import Settings  # noqa: E402
from spectcount.tasks import TASKS  # noqa: E402
from spectcount.trials import Question  # noqa: E402

FEW, MANY = (2, 4), (6, 8)


def counting_pairs(n: int, **design: Any) -> tuple[list[Question], list[bool]]:
    """`n` pairs of clips with few and with many events."""
    questions, second = [], []
    for i in range(n):
        rng = np.random.default_rng([HELD_OUT_SEED, i])
        for many, (low, high) in enumerate((FEW, MANY)):
            changes = {
                "duration_s": 4.0,
                "placement": "random",
                "frequency_order": "random_mel",
                "event_duration_jitter_ms": 15.0,
                "level_rove_db": 5.0,
                "noise_sigma": 5e-4,
                "event_duration_ms": float(rng.uniform(40, 160)),
                **design,
                "n_events": int(rng.integers(low, high + 1)),
            }
            stimulus = draw(Pulses(**changes), int(rng.integers(2**31)))
            questions.append(Question(stimulus, "count", wording=i % 7))
            second.append(bool(many))
    return questions, second


def answer_pairs(task: str, design: Any, n: int) -> tuple[list[Question], list[bool]]:
    """`n` pairs of a two-answer task."""
    questions, second = [], []
    for i in range(n):
        for k, stimulus in enumerate(draw_pair(design, HELD_OUT_SEED + i, task)):
            questions.append(Question(stimulus, task, wording=i % len(TASKS[task].wordings)))
            second.append(bool(k))
    return questions, second


def ladders(loaded: LoadedModel, n: int) -> list[stages.Ladder]:
    """The stages of the aligned range and of each direction's far end."""
    centres = mel_centres_hz()

    def band(low: int, high: int) -> dict[str, float]:
        return {"frequency_low_hz": centres[low], "frequency_high_hz": centres[high]}

    counting = {
        "counting, aligned band": band(30, 90),
        "counting, low band": band(5, 16),
        "counting, high band": band(100, 111),
        "counting, top band": band(115, 124),
        "counting, soft (-55 dBFS)": {**band(30, 90), "level_dbfs": -55.0, "noise_sigma": 1e-4},
        "counting, 15 ms apart": {**band(30, 90), "placement": "sequence", "gap_ms": 15.0},
        "counting, all at once": {
            **band(30, 110),
            "placement": "together",
            "frequency_order": "distinct_mel",
            "level_dbfs": -24.0,
        },
    }
    results = []
    for name, design in counting.items():
        results.append(stages.ladder(loaded, name, *counting_pairs(n, **design)))
    for rate_hz in (6.0, 16.0, 32.0, 64.0):
        steady = Modulation(am_rate_hz=rate_hz, am_depth_db=0, carrier_wave="white")
        name = f"fluctuation at {rate_hz:g} Hz"
        results.append(stages.ladder(loaded, name, *answer_pairs("modulated", steady, n)))
    for asynchrony_ms in (100.0, 12.0):
        tones = OnsetAsynchrony(
            asynchrony_ms=asynchrony_ms, duration_s=2.5, onset_rove_s=0.5, frequency_low_hz=800.0
        )
        name = f"order, {asynchrony_ms:g} ms"
        results.append(stages.ladder(loaded, name, *answer_pairs("order", tones, n)))
    return results


FRONT = """---
license: apache-2.0
library_name: transformers
pipeline_tag: audio-text-to-text
tags: [audio, psychophysics, synthetic]
---

# tiny-lalm 2

A laboratory animal. This is a real `Qwen2AudioForConditionalGeneration`, small enough for a
laptop, which hears tones and noises and answers twelve questions about them in words: whether
there is a beep, how many, in which half; which of two sounds is higher, louder, longer; which
began first; whether a sound has a gap, or fluctuates; whether a rhythm is uneven; whether a tone
comes back among others; one stream or two. It exists so that SpectCount's whole path (probe, map,
tune, compare) can be tried in minutes on every family of stimuli. It knows nothing else about the
world or about sound, and what is found on it says nothing about any large model.
"""


def made_words(p: Mapping[str, Any]) -> str:
    """How a model was made, from its `pretraining.json`."""
    options, rows = p["options"], []
    for name, spec in diet.Diet.params().items():
        unit = f" {spec.unit}" if spec.unit else ""
        rows.append(
            f"| {spec.help} ({name}) | {p['alignment'][name]:g}{unit} | "
            f"{p['hearing'][name]:g}{unit} |"
        )
    return f"""
## How it was made

`python recipes/tiny_lalm2/make.py --seed {options["seed"]}`: {p["parameters"]:,} parameters,
{p["step"]} of {options["steps"]} steps of {options["batch"]} clips with {options["wordings"]}
questions each and {options["hearing_batch"]} further clips, {p["cpu_minutes"]:.0f} minutes of
processor time on {p["device"]} (torch {p["torch"]}). {p.get("history", "")}
All clips are synthetic, drawn on the fly from the seed, 1.2 to {WINDOW_S} s long.

Three objectives share each step. The *answers* see the alignment range only, and so does a
*running* read-out of the language model at the audio tokens, which tells how many events have begun
and what else can be said so far. The *encoder* also learns, on the wider hearing range, at 10 ms
and in 16 mel bands where a sound begins and how full its envelope is, on which mel channel and how
loud it is (from step {SCALARS_FROM} on also as one number each, whatever the band). Both read-outs
are thrown away. What only the encoder heard, the answers never used; what neither heard (above
{mel_centres_hz()[diet.HEARING.channel_high]:.0f} Hz, fluctuations above
{diet.HEARING.rate_high_hz:g} Hz) is left to chance. No weakness was painted in.

One or two streams has no right answer: taught is what people say (van Noorden 1975), drawn at
random where they differ.

| | alignment (answers) | hearing (encoder) |
|---|---|---|
{chr(10).join(rows)}
"""


def heard_words(m: Mapping[str, Any]) -> str:
    """Wordings, presets and directions, as tables."""
    wordings = [
        f"| {task} | {_percent(trained)} | {_percent(held_out)} |"
        for task, (trained, held_out) in m["wordings"].items()
    ]
    easy = [
        f"| {p.name} | {p.task} | {_cell(p.easiest)} | {_cell(p.hardest)} |" for p in m["presets"]
    ]
    maps = [
        f"| {p.name} | {p.task} | "
        + "; ".join(f"{c.place.split('), ', 1)[1]}: {c.right.value:.0%}" for c in p.cells)
        + " |"
        for p in m["directions"]
    ]
    return f"""
## What it hears, on held-out seeds

Inside the alignment range, halfway to its hardest end, {m["n"]} questions per task and column,
share of right answers with 95 % Wilson intervals (streams: the answer that most people give):

| task | wordings of training | wordings never trained on |
|---|---|---|
{chr(10).join(wordings)}

Every shipped probe, procedures as curves between their ends: the easiest and the hardest place
(share right over both answers, d' where there are two; streams: how often "one" is said).

| probe | task | easiest | hardest |
|---|---|---|---|
{chr(10).join(easy)}

Where it fails, along single directions, everything else as in the aligned range:

| direction | task | share right |
|---|---|---|
{chr(10).join(maps)}
"""


def stage_words(rungs: Sequence[stages.Ladder]) -> str:
    """At which stage each weakness sits."""
    head = " | ".join(stages.STAGES)
    rows = [
        f"| {r.name} | "
        + " | ".join(f"{r.areas[s]:.2f}" for s in stages.STAGES)
        + f" | {r.lost_at} |"
        for r in rungs
    ]
    return f"""
## At which stage a weakness sits

Area under the ROC curve of a linear read-out at each stage ({rungs[0].n} clips a row; few against
many events, or the two answers; shrinkage LDA, folds grouped by pair, audio tokens pooled by mean,
maximum and standard deviation; a lower bound of what is there), and of the answer's own log odds.

| clips | {head} | lost at |
|---|{"---|" * (len(stages.STAGES) + 1)}
{chr(10).join(rows)}
"""


LIMITS = f"""
## Limits

Clips up to {WINDOW_S} s, 16 kHz, mono; counts up to 10; English, and only the tasks above.
Weights and data were made by this project; licence Apache-2.0.
"""


def _percent(interval: sdt.Interval) -> str:
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.value:.1f} % [{low:.1f}, {high:.1f}]"


def _cell(cell: Any) -> str:
    d_prime = "" if cell.d_prime is None else f", d' {cell.d_prime:.1f}"
    return f"{cell.place.split('), ', 1)[1]}: {cell.right.value:.0%}{d_prime}"


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else float(value)


def write(folder: Path, n: int = 200, most: int = 20) -> dict[str, Any]:
    """Measure the model in `folder` and write its card; what was measured."""
    loaded = LoadedModel(folder, "cpu")
    measured = measure(
        AudioLM(loaded, folder.name), Settings(mode="local", home=folder, device="cpu"), n, most
    )
    rungs = ladders(loaded, n)
    words = heard_words(measured) + stage_words(rungs)
    made = json.loads((folder / "pretraining.json").read_text())
    (folder / "README.md").write_text(FRONT + made_words(made) + words + LIMITS)
    measured["stages"] = rungs
    (folder / "measured.json").write_text(json.dumps(measured, indent=1, default=_plain) + "\n")
    return measured


def unheard(measured: Mapping[str, Any]) -> list[PlanRates]:
    """The shipped probes whose easy end is not answered."""
    return [p for p in measured["presets"] if not p.audible]


def main() -> int:
    """Write the card of the model that the flags name; the exit code."""
    parser = argparse.ArgumentParser(description="Measure a model and write its card.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=200, help="clips for each task (200)")
    parser.add_argument("--most", type=int, default=20, help="trials in each cell at most (20)")
    flags = parser.parse_args()
    measured = write(flags.folder, flags.n, flags.most)
    for plan in unheard(measured):
        print(f"{plan.name}: {_cell(plan.easiest)}", file=sys.stderr)
    print(flags.folder / "README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
