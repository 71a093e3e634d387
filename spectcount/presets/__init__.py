"""Presets: YAML files <-> declared classes; unknown keys are refused with the nearest known one.

Formats, each with `title` and `about` (one or two sentences for a researcher):

    stimuli/NAME.yaml    family, params (of that family), task (optional)
    probes/NAME.yaml     plan: {kind, ...}
    panels/NAME.yaml     parts: a list of {name, plan, rows, measure}
    training/NAME.yaml   curriculum, lora, train: the parameters of each
    models/NAME/         a checkpoint folder in the Hugging Face layout
    models/NAME.yaml     what is known of a model: `listeners.checkpoints.cards.Card`

Shipped presets lie under the settings' `presets`, the user's own under `home/presets`; a path to
a YAML file works as well as a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spectcount import documents
from spectcount.designs import Design, family
from spectcount.errors import UserError, choice
from spectcount.params import Declared
from spectcount.settings import Settings, typed_path
from spectcount.tasks import task

_HEAD = ("title", "about")


@dataclass(frozen=True)
class Preset:
    """A preset that was read and checked. `body` holds its keys but title and about: plain data,
    completed with the defaults of what the file leaves out."""

    kind: str
    name: str
    title: str
    about: str
    body: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def design(self) -> Design:
        """The design of a stimulus preset."""
        return family(self.body["family"]).from_dict(self.body["params"])

    def to_dict(self) -> dict[str, Any]:
        """Plain data as in the file."""
        return {"title": self.title, "about": self.about, **self.body}


def load(kind: str, name_or_path: str | Path, settings: Settings) -> Preset:
    """The preset of `kind` called so, or in the YAML file at that path. Raises `UserError` for
    unknown names, keys and values."""
    path = _find(kind, name_or_path, settings)
    if kind == "models":
        return Preset(kind, path.name, path.name, "", {"path": str(path)}, path)
    return check(kind, _read(path), name=path.stem, path=path)


def names(kind: str, settings: Settings) -> list[str]:
    """Names of the presets of `kind`, shipped ones first."""
    folders = _folders(kind, settings)
    if kind == "models":
        groups = [sorted(p.parent.name for p in f.glob("*/config.json")) for f in folders]
    else:
        groups = [sorted(p.stem for p in f.glob("*.yaml")) for f in folders]
    return list(dict.fromkeys(name for group in groups for name in group))


def check(
    kind: str, data: Mapping[str, Any], *, name: str = "", path: Path | None = None
) -> Preset:
    """A preset from plain data; every key and value is checked."""
    checker = _checker(kind)
    where = f"preset {name or path or kind}"
    known = (*_HEAD, *_KEYS[kind])
    refuse_unknown(data, known, where)
    for key in ("title", "about"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            raise UserError(f"{where}: {key!r} is missing; write it in words")
    try:
        body = checker(data)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return Preset(kind, name, data["title"].strip(), data["about"].strip(), body, path)


def refuse_unknown(data: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raise `UserError` for the first key that is not in `known`, with the nearest that is."""
    known = tuple(known)
    for key in data:
        if key not in known:
            raise UserError(f"{where} has an unknown key {key!r}; {choice(key, known, 'known:')}")


def _check_stimulus(data: Mapping[str, Any]) -> dict[str, Any]:
    name = data.get("family")
    if not isinstance(name, str):
        raise UserError("'family' is missing; write family: pulses")
    design = family(name).from_dict(_mapping(data, "params"))
    task_name = task(data.get("task", design.tasks[0])).name
    return {"family": name, "task": task_name, "params": design.to_dict()}


def _check_probe(data: Mapping[str, Any]) -> dict[str, Any]:
    from spectcount.probing.plan import plan_from_dict

    plan = _mapping(data, "plan")
    return {"plan": plan_from_dict(plan).to_dict()}


def _check_panel(data: Mapping[str, Any]) -> dict[str, Any]:
    from spectcount.probing.panel import Panel

    parts = data.get("parts")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise UserError("'parts' is no list of parts; write '- name: ...' entries under it")
    return {"parts": Panel.from_list(parts).to_list()}


def _check_training(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        part: declared.from_dict(_mapping(data, part)).to_dict()
        for part, declared in training_parts().items()
    }


def training_parts() -> dict[str, type[Declared]]:
    """The declared class behind each part of a training preset."""
    from spectcount.training import OPTIONS

    return OPTIONS


_KEYS: dict[str, tuple[str, ...]] = {
    "stimuli": ("family", "params", "task"),
    "probes": ("plan",),
    "panels": ("parts",),
    "training": ("curriculum", "lora", "train"),
}
_CHECKERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "stimuli": _check_stimulus,
    "probes": _check_probe,
    "panels": _check_panel,
    "training": _check_training,
}
KINDS = (*_KEYS, "models")


def _checker(kind: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    if kind not in _CHECKERS:
        raise UserError(f"preset kind {kind!r} is not known; choose one of {', '.join(_CHECKERS)}")
    return _CHECKERS[kind]


def _mapping(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise UserError(f"{key!r} is no mapping; write name: value lines under it")
    return value


def _folders(kind: str, settings: Settings) -> tuple[Path, Path]:
    if kind not in KINDS:
        raise UserError(f"preset kind {kind!r} is not known; choose one of {', '.join(KINDS)}")
    return settings.presets / kind, settings.own_presets / kind


def _find(kind: str, name_or_path: str | Path, settings: Settings) -> Path:
    text = str(name_or_path)
    if kind != "models" and (text.endswith((".yaml", ".yml")) or "/" in text):
        if settings.demo:
            raise UserError(f"{text!r} is a path; the demo takes the names of presets only")
        path = typed_path(text)
        if not path.is_file():
            raise UserError(f"there is no preset file {text!r}; give its path, or a preset's name")
        return path
    known = names(kind, settings)
    if text not in known:
        hint = choice(text, known, "known:")
        raise UserError(f"there is no preset {text!r} among the {kind}; {hint}")
    file_name = text if kind == "models" else f"{text}.yaml"
    return next(f / file_name for f in _folders(kind, settings) if (f / file_name).exists())


def _read(path: Path) -> dict[str, Any]:
    data = documents.read_yaml(path, f"preset {path}")
    if not isinstance(data, dict):
        raise UserError(f"preset {path} is no mapping; write name: value lines")
    return data
