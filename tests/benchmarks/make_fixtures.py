"""Small benchmarks in the official formats, with sounds that are synthesised here.

`python tests/benchmarks/make_fixtures.py FOLDER` writes them all: mmau, mmar, mmsu, air-bench. The
questions are invented; field names, forms and oddities are those of the official files: a category
that is a list, options of the same words, empty letters in the middle, a missing sound, grounding
sounds that are .flac while the annotations say .wav, leaking fields that must never be asked.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import soundfile

LEAK = "SECRET-RATIONALE"
MISSING = "mmau-missing"
LONG_S = 40.0


def tone(path: Path, hz: float, seconds: float = 0.6, rate: int = 16_000, channels: int = 1):
    """A quiet tone; a different one for every sound, so that clips differ."""
    t = np.arange(int(seconds * rate)) / rate
    wave = 0.2 * np.sin(2 * np.pi * hz * t)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([wave] * channels, axis=1), rate)


def mmau(folder: Path) -> list[dict]:
    rows = [
        ("a", "sound", "Reasoning", ["Man", "Woman", "Child", "Robot"], "Man", "easy"),
        (
            "b",
            "music",
            ["Reasoning"],
            ["Violin", "Grand piano", "Drums", "Flute"],
            "Grand piano",
            "medium",
        ),
        (
            "c",
            "speech",
            "Information Extraction",
            ["four", "nine", "fourteen", "fourteen"],
            "fourteen",
            "hard",
        ),
        ("d", "sound", "Reasoning", ["A dog", "The cat"], "The cat", "easy"),
        (
            "e",
            "music",
            "Reasoning",
            ["Piano, Guitar", "Guitar, Piano", "Drums"],
            "Guitar, Piano",
            "medium",
        ),
        ("f", "speech", "Reasoning", ["yes", "no", "maybe", "never", "always"], "maybe", "hard"),
        ("missing", "speech", "Reasoning", ["yes", "no"], "no", "easy"),
    ]
    made = [
        {
            "id": f"mmau-{name}",
            "audio_id": f"./test-mini-audios/mmau-{name}.wav",
            "question": f"What is in clip {name}? {{options}}",
            "choices": choices,
            "answer": answer,
            "dataset": "made",
            "task": task,
            "split": "test-mini",
            "category": category,
            "sub-category": f"kind {name in 'abc'}",
            "difficulty": difficulty,
        }
        for name, task, category, choices, answer, difficulty in rows
    ]
    for i, row in enumerate(made):
        if row["id"] != MISSING:
            place = folder / "test-mini-audios" / f"{row['id']}.wav"
            tone(place, 300 + 100 * i, rate=(16_000, 44_100)[i % 2], channels=1 + i % 2)
    (folder / "mmau-test-mini.json").write_text(json.dumps(made, indent=1))
    return made


def mmar(folder: Path) -> list[dict]:
    rows = [
        ("speech", "Semantic Layer", ["red", "green", "blue"], "green"),
        ("mix-sound-music", "Signal Layer", ["Near to far", "Far to near"], "Far to near"),
        ("music", "Cultural Layer", ["Baroque", "Jazz", "Blues", "Rock"], "Jazz"),
        ("sound", "Perception Layer", ["rain", "wind"], "rain"),
    ]
    made = [
        {
            "id": f"mmar-{i}",
            "audio_path": f"./audio/mmar-{i}.wav",
            "question": f"Which of {i}?",
            "choices": choices,
            "answer": answer,
            "modality": modality,
            "category": category,
            "sub-category": "made",
            "language": None if i % 2 else "en",
            "source": "made",
            "url": "",
            "timestamp": "",
            "thinking": LEAK,
            "cue": [LEAK],
            "rubric": [LEAK],
        }
        for i, (modality, category, choices, answer) in enumerate(rows)
    ]
    for i, row in enumerate(made):
        tone(folder / "audio" / f"{row['id']}.wav", 350 + 70 * i, LONG_S if i == 3 else 0.5)
    _lines(folder / "MMAR-meta.jsonl", made)
    return made


def mmsu(folder: Path) -> list[dict]:
    options = [
        ("rising", "falling", "flat", "None"),
        ("one", "two", "three", "four"),
        (None, "male", None, "female"),
        ("calm", "angry", "sad", "glad"),
        ("p", "b", "t", "d"),
        ("slow", "fast", "even", "odd"),
    ]
    answers = ["None", "two", "female", "calm", "t", "odd"]
    made = [
        {
            "id": f"mmsu-{i}",
            "task_name": f"task_{i % 3}",
            "audio_path": f"audio/mmsu-{i}.wav",
            "question": f"How is it said in {i}?",
            **_letters(choices),
            "answer_gt": answer,
            "category": ("Perception", "Reasoning")[i % 2],
            "sub-category": "Linguistics",
            "sub-sub-category": "Phonology",
            "linguistics_sub_discipline": "Prosody",
        }
        for i, (choices, answer) in enumerate(zip(options, answers, strict=True))
    ]
    for i, row in enumerate(made):
        tone(folder / row["audio_path"], 320 + 60 * i)
    _lines(folder / "MMSU.jsonl", made)
    return made


def air_bench(folder: Path) -> list[dict]:
    sets = [
        ("Audio_Grounding", "AudioGrounding", 2, 4),
        ("Sound_AQA", "avqa", 3, 4),
        ("Sound_AQA", "clothoaqa", 1, 2),
        ("Music_AQA", "music_avqa", 2, 4),
    ]
    made = []
    for task, dataset, n, n_options in sets:
        for i in range(n):
            options = [f"{task} {dataset} {i} option {k}" for k in range(n_options)]
            row = {
                "path": f"{dataset}-{i}.wav",
                "question": f"What about {dataset} {i}?",
                **_letters(options),
                "answer_gt": options[i % n_options],
                "task_name": task,
                "dataset_name": dataset,
                "uniq_id": len(made),
            }
            made.append(row)
            ending = "flac" if task == "Audio_Grounding" else "wav"
            name = f"{dataset}-{i}.{ending}"
            tone(folder / "Foundation" / f"{task}_{dataset}" / name, 330 + 40 * len(made))
    (folder / "Foundation" / "Foundation_meta.json").write_text(json.dumps(made))
    return made


MAKERS = {"mmau": mmau, "mmar": mmar, "mmsu": mmsu, "air-bench": air_bench}


def write(folder: Path) -> dict[str, list[dict]]:
    """All fixtures under a folder, by benchmark."""
    return {name: maker(folder / name) for name, maker in MAKERS.items()}


def _letters(options) -> dict:
    """choice_a to choice_d; letters beyond the options are left out."""
    return dict(zip(("choice_a", "choice_b", "choice_c", "choice_d"), options, strict=False))


def _lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
