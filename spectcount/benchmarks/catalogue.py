"""The benchmarks: files, fields, official rule, and the form that the official script reads.

*Conventions*: a `read` function makes an Item of a row and picks single fields from it; MMAR's
`thinking`, `cue` and `rubric`, which give the answer away, are in no such list. Sounds are looked
for beside the annotation file.

Sources: Sakshi et al. (2024), arXiv 2410.19168 (MMAU); Ma et al. (2025), arXiv 2505.13032 (MMAR);
Wang et al. (2025), arXiv 2506.04779 (MMSU); Yang et al. (2024), arXiv 2402.07729 (AIR-Bench).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectcount.benchmarks import files, official
from spectcount.benchmarks.items import Item
from spectcount.errors import UserError

Record = Mapping[str, Any]
WORDS, LETTER = "words", "letter"
_LETTER_FIELDS = ("choice_a", "choice_b", "choice_c", "choice_d")


@dataclass(frozen=True)
class Benchmark:
    """One benchmark. `says`: whether its script reads the option's words or its letter; `key`: the
    field it reads the reply from; `average_over`: the stratum whose rates are averaged (None: all
    items in one rate); `gotchas`: what its script does that a reader would not expect."""

    name: str
    title: str
    files: tuple[str, ...]
    read: Callable[[Record, int, Path], Item]
    script: official.Script
    says: str
    keys: tuple[str, ...]
    export: str
    command: str
    strata: tuple[str, ...]
    prompts: tuple[str, ...]
    gotchas: tuple[str, ...]
    average_over: str | None = None

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


def get(name: str) -> Benchmark:
    """The benchmark called so."""
    if name not in BENCHMARKS:
        near = difflib.get_close_matches(name, BENCHMARKS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(BENCHMARKS)}"
        raise UserError(f"there is no benchmark {name!r}; {hint}")
    return BENCHMARKS[name]


def _mmau(record: Record, row: int, path: Path) -> Item:
    sound = str(record["audio_id"])
    return Item(
        row=row,
        id=str(record["id"]),
        sound=sound,
        audio=files.sound(sound, path, ("test-mini-audios", "test-audios", "audio")),
        question=str(record["question"]),
        options=_listed(record, row),
        answer=_text(record.get("answer"), row),
        strata=_strata(record, ("task", "category", "sub-category", "difficulty")),
    )


def _mmar(record: Record, row: int, path: Path) -> Item:
    return Item(
        row=row,
        id=str(record["id"]),
        sound=str(record["audio_path"]),
        audio=files.sound(str(record["audio_path"]), path, ("audio",)),
        question=str(record["question"]),
        options=_listed(record, row),
        answer=_text(record["answer"], row),
        strata=_strata(record, ("modality", "category", "sub-category", "language")),
    )


def _mmsu(record: Record, row: int, path: Path) -> Item:
    kinds = ("category", "sub-category", "sub-sub-category", "task_name")
    return Item(
        row=row,
        id=str(record["id"]),
        sound=str(record["audio_path"]),
        audio=files.sound(str(record["audio_path"]), path, ("audio",)),
        question=str(record["question"]),
        options=_lettered(record, row),
        answer=_text(record["answer_gt"], row),
        strata=_strata(record, kinds),
    )


def _air_bench(record: Record, row: int, path: Path) -> Item:
    """Audio_Grounding's sounds are .flac files whatever the ending in the annotations."""
    task, name = str(record["task_name"]), str(record["path"])
    folder = f"{task}_{record['dataset_name']}"
    if task == "Audio_Grounding":
        name = name[:-3] + "flac"
    return Item(
        row=row,
        id=f"{folder}/{record['uniq_id']}",
        sound=f"{folder}/{name}",
        audio=files.sound(f"{folder}/{name}", path, ()),
        question=str(record["question"]),
        options=_lettered(record, row),
        answer=_text(record["answer_gt"], row),
        strata=(("task", task), ("set", folder)),
    )


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
_MMAU_STRATA = ("task", "category", "sub-category", "difficulty")

BENCHMARKS = {
    b.name: b
    for b in (
        Benchmark(
            "mmau",
            "MMAU test-mini",
            ("mmau-test-mini.json", "*test-mini*.json*"),
            _mmau,
            official.by_words,
            WORDS,
            ("model_output", "model_prediction"),
            "mmau-test-mini-predictions.json",
            "python evaluation.py --input {file}",
            _MMAU_STRATA,
            ("options", "options-text"),
            (
                *_WORD_RULE,
                "its page names the key model_prediction, the script reads "
                "model_output: the export has both",
            ),
        ),
        Benchmark(
            "mmau-test",
            "MMAU test",
            ("mmau-test.json", "*mmau*test.json*"),
            _mmau,
            official.by_words,
            WORDS,
            ("model_output", "model_prediction"),
            "mmau-test-predictions.json",
            "hand the file in where the benchmark's page says",
            _MMAU_STRATA,
            ("options", "options-text"),
            (
                *_WORD_RULE,
                "the answers are kept secret: without them in the file there is no "
                "score here, only predictions to hand in",
            ),
        ),
        Benchmark(
            "mmar",
            "MMAR",
            ("MMAR-meta.jsonl", "MMAR-meta.json"),
            _mmar,
            official.by_words,
            WORDS,
            ("answer_prediction",),
            "MMAR-predictions.jsonl",
            "python code/evaluation.py --input {file}",
            ("modality", "category", "sub-category", "language"),
            ("options", "options-text"),
            _WORD_RULE,
        ),
        Benchmark(
            "mmsu",
            "MMSU",
            ("MMSU*.json*", "mmsu*.json*", "question/*mmsu*.json*"),
            _mmsu,
            official.mmsu,
            LETTER,
            ("response",),
            "mmsu-predictions.jsonl",
            "python mmsu_evaluation.py {file}",
            ("category", "sub-category", "sub-sub-category", "task_name"),
            ("letter-none", "letter"),
            (
                *_LETTER_RULE,
                "an empty reply, or the reply “None”, is scored with the letter of "
                "the reply read before it; as the first of a file it stops the script",
                "the official inference script writes the category into the sub-category; the "
                "export keeps the file's own",
            ),
        ),
        Benchmark(
            "air-bench",
            "AIR-Bench Foundation",
            ("Foundation_meta.json", "Foundation/Foundation_meta.json"),
            _air_bench,
            official.air_bench,
            LETTER,
            ("response",),
            "Foundation_result_modelx.jsonl",
            "python score_foundation.py",
            ("task", "set"),
            ("letter-none", "letter"),
            (
                *_LETTER_RULE,
                "the script prints a rate for each of 25 sets and no average; the "
                "score here is the mean over the 19 tasks, a task's sets pooled",
                "of two options with the answer's text only the first is right",
                "a set of which no reply can be read stops the script",
            ),
            average_over="task",
        ),
    )
}
