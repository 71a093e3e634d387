"""The models that are known by name: `presets/models/NAME.yaml`, and the user's own under
`home/models/NAME.yaml`.

A card says what a model is, whose it is and what it needs, so that all of this is known before
anything is fetched. `config` holds those keys of its configuration that differ from the defaults
of its class: enough to build it without weights and count it.

Conventions: a revision is the 40 hex digits of a commit; GB are 10^9 bytes; parameters in
thousands of millions. Unknown keys are refused.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spectcount import documents
from spectcount.errors import UserError
from spectcount.listeners.checkpoints.files import COMMIT, skip
from spectcount.params import Declared, param
from spectcount.settings import Settings

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Card(Declared):
    """A model's facts. `hub` is empty for a model that is shipped with the program."""

    full_name: str = param("", "What people call it.")
    about: str = param("", "Who uses it and for what, in a line.")
    hub: str = param("", "Its id on the Hugging Face hub, OWNER/NAME.")
    revision: str = param("", "The commit that is meant.")
    unpinned: str = param("", "Why no commit is named: the user must name one.")
    family: str = param("", "Its family of architectures.")
    licence: str = param("", "Its licence.")
    link: str = param("", "Its page.")
    gated: bool = param(False, "Whether the licence must be accepted on the hub first.")
    parameters_b: float = param(0.0, "Parameters in thousands of millions.", low=0, high=1e4)
    disk_gb: float = param(0.0, "Size of its files, GB.", low=0, high=1e5, unit="GB")
    needs_gb: float = param(
        0.0, "Memory to score a 30 s clip in bfloat16, GB, as forecast.", low=0, high=1e5, unit="GB"
    )
    needs_4bit_gb: float = param(
        0.0, "The same with its language model in 4 bits.", low=0, high=1e5, unit="GB"
    )
    requires: str = param("", "A Python package that its classes need besides ours.")
    source: str = param("", "Where these facts come from.")
    name: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        for key in ("full_name", "about", "family", "licence", "source"):
            if not getattr(self, key).strip():
                raise UserError(f"{key!r} is missing; write it in words")
        if self.link and not self.link.startswith(("https://", "http://")):
            raise UserError(f"link={self.link[:80]!r} is no address of a page; begin with https://")
        if not self.hub:
            return
        if not HUB_ID.fullmatch(self.hub):
            raise UserError(f"hub={self.hub!r} is no id of the hub; write OWNER/NAME")
        if bool(self.revision) == bool(self.unpinned):
            raise UserError("give either 'revision', a commit, or 'unpinned', why there is none")
        if self.revision:
            check_revision(self.revision)

    @classmethod
    def read(cls, path: Path) -> Card:
        """The card in a YAML file; raises `UserError` naming the file and the key."""
        data = documents.read_yaml(path, f"model card {path}")
        if not isinstance(data, dict):
            raise UserError(f"model card {path} is no mapping; write name: value lines")
        config = data.pop("config", {})
        if not isinstance(config, dict):
            raise UserError(f"model card {path}: 'config' is no mapping; write its keys under it")
        try:
            for key in data:
                cls.param(str(key))
            return cls(**data, name=path.stem, config=config)
        except UserError as error:
            raise UserError(f"model card {path.stem}: {error}") from None


def check_revision(revision: str) -> str:
    """A whole commit hash; raises `UserError` for a branch, a tag or a shortened hash."""
    if not COMMIT.fullmatch(revision):
        raise UserError(
            f"revision {revision!r} is no commit; give its 40 hex digits (on the model's page: "
            "Files and versions, History), for branches and tags move"
        )
    return revision


def cards(settings: Settings) -> dict[str, Card]:
    """Name -> card: shipped ones, then (not in the demo) the user's own."""
    folders = [settings.models] if settings.demo else [settings.models, settings.home / "models"]
    by_name: dict[str, Card] = {}
    for path in (p for folder in folders for p in sorted(folder.glob("*.yaml"))):
        if path.stem in by_name:
            continue
        try:
            by_name[path.stem] = _read(path, path.stat().st_mtime_ns)
        except (UserError, OSError) as error:
            skip(f"model card {path}", str(error))
    return by_name


@functools.lru_cache(maxsize=256)
def _read(path: Path, _changed_ns: int) -> Card:
    """`Card.read`, once per state of the file."""
    return Card.read(path)
