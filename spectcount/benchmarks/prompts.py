"""Prompts: how an item is put into words, as named presets, since the words are part of a result.

*Conventions*: a prompt is a YAML file in `presets/benchmarks` (or the user's own folder of that
name, or any path): `title`, `about`, `template` with {question} and {options}, `option` with
{letter} and {text} for each line, `between` to join them; `absent` is what an empty slot shows
("" leaves it out); `scored` says what a closed-set score runs over: `letter` or `text`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from spectcount import documents
from spectcount.benchmarks.items import LETTERS
from spectcount.errors import UserError
from spectcount.settings import typed_path

LETTER, TEXT = "letter", "text"
FOLDER = "benchmarks"


@dataclass(frozen=True)
class Prompt:
    """A way to ask; see the module."""

    name: str
    title: str
    about: str
    template: str
    option: str = "{letter}. {text}"
    between: str = "\n"
    absent: str = ""
    scored: str = LETTER

    def __post_init__(self) -> None:
        for part in ("{question}", "{options}"):
            if self.template.count(part) != 1:
                raise UserError(f"prompt {self.name}: its template needs {part}, once")
        if "{text}" not in self.option:
            raise UserError(f"prompt {self.name}: option={self.option!r} shows no {{text}}")
        if self.scored not in (LETTER, TEXT):
            raise UserError(f"prompt {self.name}: scored={self.scored!r}; give letter or text")
        if self.scored == LETTER and "{letter}" not in self.option:
            raise UserError(
                f"prompt {self.name} shows no letters, so none can be scored; write scored: text"
            )

    def words(self, question: str, options: Sequence[str | None]) -> str:
        """The question in words. What stands in braces in it stays as it is."""
        lines = [
            _fill(self.option, letter=letter, text=text if text is not None else self.absent)
            for letter, text in zip(LETTERS, options, strict=False)
            if text is not None or self.absent
        ]
        return _fill(self.template, question=question, options=self.between.join(lines)).strip()

    def to_dict(self) -> dict[str, str]:
        """Plain data."""
        return asdict(self)


def names(folders: Sequence[Path]) -> list[str]:
    """Names of the prompts in some folders, the first folder's first."""
    stems = [p.stem for folder in folders for p in sorted(folder.glob("*.yaml"))]
    return list(dict.fromkeys(stems))


def load(name_or_path: str, folders: Sequence[Path]) -> Prompt:
    """The prompt called so, or in the YAML file at that path."""
    written = typed_path(name_or_path)
    places = [folder / f"{name_or_path}.yaml" for folder in folders]
    if written.suffix in (".yaml", ".yml"):
        places = [written]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        known = names(folders)
        near = difflib.get_close_matches(name_or_path, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise UserError(f"there is no prompt {name_or_path!r}; {hint}")
    data = documents.read_yaml(path, f"prompt {path}")
    if not isinstance(data, dict):
        raise UserError(f"prompt {path} is no mapping; write name: value lines")
    return from_dict({"name": path.stem, **data})


def from_dict(data: Mapping[str, Any]) -> Prompt:
    """A prompt from plain data; every key is checked."""
    known = [f.name for f in fields(Prompt)]
    where = f"prompt {data.get('name', '')}"
    for key, value in data.items():
        if key not in known:
            raise UserError(f"{where} has an unknown key {key!r}; known: {', '.join(known)}")
        if not isinstance(value, str):
            raise UserError(f"{where}: {key}={value!r} is no text; put it in quotes")
    missing = [key for key in ("title", "about", "template") if not data.get(key, "").strip()]
    if missing:
        raise UserError(f"{where} lacks {', '.join(missing)}; write it")
    return Prompt(**{"name": "own", **data})


def _fill(pattern: str, **values: str) -> str:
    """`pattern` with {name} replaced, all in one pass: values are never looked into."""
    return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), pattern)
