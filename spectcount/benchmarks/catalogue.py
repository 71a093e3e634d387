"""The benchmarks: files, fields, official rule, and the form that the official script reads.

*Conventions*: an Item is read from a row field by field; MMAR's `thinking`, `cue` and `rubric`,
which give the answer away, are never read. Sounds are looked
for beside the annotation file.

Sources: Sakshi et al. (2024), arXiv 2410.19168 (MMAU); Ma et al. (2025), arXiv 2505.13032 (MMAR);
Wang et al. (2025), arXiv 2506.04779 (MMSU); Yang et al. (2024), arXiv 2402.07729 (AIR-Bench).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spectcount.benchmarks import files, official
from spectcount.benchmarks.items import Item
from spectcount.errors import UserError

Record = Mapping[str, Any]
WORDS, LETTER = "words", "letter"
_LETTER_FIELDS = ("choice_a", "choice_b", "choice_c", "choice_d")


@dataclass(frozen=True)
class Fields:
    """The place of an item in a record: the fields of sound and answer, the folders that hold
    sounds, whether options are listed under `choices` or lettered in four fields, whether the
    answer may be kept secret; `opened` is the record with these fields."""

    sound: str
    folders: tuple[str, ...]
    answer: str
    lettered: bool = False
    secret: bool = False
    opened: Callable[[Record], Record] = dict


@dataclass(frozen=True)
class Benchmark:
    """One benchmark. `says`: whether its script reads the option's words or its letter; `keys`: the
    fields of the reply; `average_over`: the stratum whose rates are averaged (None: all
    items in one rate); `gotchas`: what its script does that a reader would not expect; `on_hub`:
    whether the hub has it as rows."""

    name: str
    title: str
    files: tuple[str, ...]
    fields: Fields
    script: official.Script
    says: str
    keys: tuple[str, ...]
    export: str
    command: str
    strata: tuple[str, ...]
    prompts: tuple[str, ...]
    gotchas: tuple[str, ...]
    average_over: str | None = None
    on_hub: bool = True

    def load(self, path: str | Path) -> tuple[Path, list[Item]]:
        """The annotation file at or in `path`, and its items. Raises `UserError` naming the row
        that is not as the official file has it."""
        file = files.find(path, self.files, self.title)
        items = []
        for row, record in enumerate(files.records(file)):
            try:
                items.append(self.read(record, row, file))
            except KeyError as error:
                raise UserError(
                    f"{file.name}, row {row}, has no {error}, so it is no file of {self.title}; "
                    "give the official file"
                ) from None
        return file, files.without_others_sounds(items, file)

    def read(self, record: Record, row: int, path: Path) -> Item:
        """The item of a record; raises KeyError for a field that is missing."""
        fields = self.fields
        record = fields.opened(record)
        sound = str(record[fields.sound])
        return Item(
            row=row,
            id=str(record["id"]),
            sound=sound,
            audio=files.sound(sound, path, fields.folders),
            question=str(record["question"]),
            options=_lettered(record, row) if fields.lettered else _listed(record, row),
            answer=_text(
                record.get(fields.answer) if fields.secret else record[fields.answer], row
            ),
            strata=_strata(record, self.strata),
        )


def get(name: str) -> Benchmark:
    """The benchmark called so."""
    if name not in BENCHMARKS:
        near = difflib.get_close_matches(name, BENCHMARKS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(BENCHMARKS)}"
        raise UserError(f"there is no benchmark {name!r}; {hint}")
    return BENCHMARKS[name]


def _air_bench(record: Record) -> Record:
    """A record with the names of a sound's task, set and file in one place. Audio_Grounding's
    sounds are .flac files whatever the ending in the annotations."""
    task, name = str(record["task_name"]), str(record["path"])
    folder = f"{task}_{record['dataset_name']}"
    if task == "Audio_Grounding":
        name = name[:-3] + "flac"
    names = {"id": f"{folder}/{record['uniq_id']}", "audio_path": f"{folder}/{name}"}
    return {**record, **names, "task": task, "set": folder}


def _listed(record: Record, row: int) -> tuple[str, ...]:
    """The options of a list; a text is no list, whatever its letters."""
    if not isinstance(record["choices"], list | tuple):
        raise UserError(
            f"row {row} has choices={str(record['choices'])[:60]!r}, which is no list; give the "
            "official file"
        )
    options = (_text(option, row) for option in record["choices"])
    return tuple(option for option in options if option is not None)


def _lettered(record: Record, row: int) -> tuple[str | None, ...]:
    """Options A to D; what is absent is an empty slot, the text "None" is an option."""
    options = [record["choice_a"], record["choice_b"], *map(record.get, _LETTER_FIELDS[2:])]
    return tuple(_text(option, row) for option in options)


def _text(value: Any, row: int) -> str | None:
    """An option or an answer; None where it is absent: null, NaN, or nothing but spaces."""
    if value is None or value != value or not str(value).strip():  # only NaN is not itself
        return None
    if isinstance(value, list | dict):
        raise UserError(f"row {row} has {str(value)[:60]!r} where one text is expected; mend it")
    return str(value)


def _strata(record: Record, kinds: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(kind, name); a list of names, as some of MMAU's rows have, is joined."""
    pairs = []
    for kind in kinds:
        value = record.get(kind)
        name = " + ".join(map(str, value)) if isinstance(value, list) else value
        is_absent = name in (None, "") or name != name  # only NaN is not itself
        pairs.append((kind, "none" if is_absent else str(name)))
    return tuple(pairs)


_NO_KEY = "an item without a prediction is in no denominator"
_WORD_RULE = (
    "a reply is right if it holds every word of the answer and no word that only a wrong option "
    "has: word order, repeats and signs do not count, a lone letter is never right",
    "an option with the same words as the answer does not make a reply wrong",
    "an empty reply is wrong",
    _NO_KEY,
)
_LETTER_RULE = (
    "a reply is read by its first character if that is A to D, else by its last but one: "
    "“Answer: C” is read as A",
    "a reply that cannot be read leaves the denominator",
    _NO_KEY,
)
_MMAU = Benchmark(
    name="mmau",
    title="MMAU test-mini",
    files=("mmau-test-mini.json", "*test-mini*.json*"),
    fields=Fields("audio_id", ("test-mini-audios", "test-audios", "audio"), "answer", secret=True),
    script=official.by_words,
    says=WORDS,
    keys=("model_output", "model_prediction"),
    export="mmau-test-mini-predictions.json",
    command="python evaluation.py --input {file}",
    strata=("task", "category", "sub-category", "difficulty"),
    prompts=("options", "options-text"),
    gotchas=(
        *_WORD_RULE,
        "its page names the key model_prediction, the script reads model_output: the export has "
        "both",
    ),
)
_MMAU_TEST = replace(
    _MMAU,
    name="mmau-test",
    title="MMAU test",
    files=("mmau-test.json", "*mmau*test.json*"),
    export="mmau-test-predictions.json",
    command="submit the file where the benchmark's page says",
    gotchas=(
        *_WORD_RULE,
        "the answers are kept secret: without them in the file there is no score here, only "
        "predictions to submit",
    ),
)
_MMAR = replace(
    _MMAU,
    name="mmar",
    title="MMAR",
    files=("MMAR-meta.jsonl", "MMAR-meta.json"),
    fields=Fields("audio_path", ("audio",), "answer"),
    keys=("answer_prediction",),
    export="MMAR-predictions.jsonl",
    command="python code/evaluation.py --input {file}",
    strata=("modality", "category", "sub-category", "language"),
    gotchas=_WORD_RULE,
)
_MMSU = Benchmark(
    name="mmsu",
    title="MMSU",
    files=("MMSU*.json*", "mmsu*.json*", "question/*mmsu*.json*"),
    fields=Fields("audio_path", ("audio",), "answer_gt", lettered=True),
    script=official.mmsu,
    says=LETTER,
    keys=("response",),
    export="mmsu-predictions.jsonl",
    command="python mmsu_evaluation.py {file}",
    strata=("category", "sub-category", "sub-sub-category", "task_name"),
    prompts=("letter-none", "letter"),
    gotchas=(
        *_LETTER_RULE,
        "an empty reply, or the reply “None”, is scored with the letter of the reply read before "
        "it; as the first of a file it stops the script",
        "the official inference script writes the category into the sub-category; the export "
        "keeps the file's own",
    ),
)
_AIR_BENCH = replace(
    _MMSU,
    name="air-bench",
    title="AIR-Bench Foundation",
    files=("Foundation_meta.json", "Foundation/Foundation_meta.json"),
    fields=Fields("audio_path", (), "answer_gt", lettered=True, opened=_air_bench),
    script=official.air_bench,
    export="Foundation_result_modelx.jsonl",
    command="python score_foundation.py",
    strata=("task", "set"),
    gotchas=(
        *_LETTER_RULE,
        "the script prints a rate for each of 25 sets and no average; the score here is the mean "
        "over the 19 tasks, a task's sets pooled",
        "of two options with the answer's text only the first is right",
        "a set of which no reply can be read stops the script",
    ),
    average_over="task",
    on_hub=False,
)
BENCHMARKS = {b.name: b for b in (_MMAU, _MMAU_TEST, _MMAR, _MMSU, _AIR_BENCH)}
