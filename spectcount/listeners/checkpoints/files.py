"""Small files of models and adapters, and where a folder of weights came from.

Anybody may have written, cut or emptied a JSON file: a broken one is refused with a `UserError`
that names it; where many are listed, the broken one is skipped and named once in the log.

A folder that this program fetched holds a note; one that `hf download --local-dir` made holds the
hub's; in the hub's own cache the folders' names tell: `models--OWNER--NAME/snapshots/COMMIT`.

Conventions: a commit is 40 hex digits, "" where nothing tells; nothing here uses the network.
"""

from __future__ import annotations

import functools
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spectcount import documents
from spectcount.errors import UserError

MAX_BYTES = 20_000_000
"""An index of shards names every tensor of a model."""
_log = logging.getLogger(__name__)


def json_object(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; raises `UserError` where it holds none."""
    text = documents.read_text(path, str(path), MAX_BYTES)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = str(error)[:100] if text.strip() else "it is empty"
        raise UserError(
            f"{path} is not JSON ({why}); it was cut short or damaged: get it again, or remove its "
            "folder"
        ) from None
    if not isinstance(data, dict):
        raise UserError(f"{path} holds no JSON object; get it again, or remove its folder")
    return data


def text_of(data: Mapping[str, Any], key: str) -> str:
    """A text of a mapping; "" where there is none."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


@functools.lru_cache(maxsize=1000)
def skip(what: str, why: str) -> None:
    """Say once that something is left out, and why."""
    _log.warning("skipped %s: %s", what, why)


COMMIT = re.compile(r"[0-9a-f]{40}")
SOURCE = "spectcount-source.json"
"""Beside the weights: where they come from."""
SNAPSHOT = re.compile(r"models--(?P<owner>.+?)--(?P<name>.+)/snapshots/(?P<commit>[0-9a-f]{40})$")


def revision_of(folder: Path) -> str:
    """The commit that a folder was fetched at, "" where nothing tells."""
    if noted := _noted(folder, "revision"):
        return noted
    if COMMIT.fullmatch(folder.name) and folder.parent.name == "snapshots":
        return folder.name
    note = folder / ".cache" / "huggingface" / "download" / "config.json.metadata"
    first = note.read_text(errors="replace").split("\n")[0].strip() if note.is_file() else ""
    return first if COMMIT.fullmatch(first) else ""


def hub_id(folder: Path) -> str:
    """OWNER/NAME of a folder's checkpoint on the hub, "" where nothing tells."""
    if noted := _noted(folder, "hub"):
        return noted
    match = SNAPSHOT.search(folder.absolute().as_posix())
    return f"{match['owner']}/{match['name']}" if match else ""


def _noted(folder: Path, key: str) -> str:
    source = folder / SOURCE
    if not source.is_file():
        return ""
    try:
        return text_of(json_object(source), key)
    except UserError as error:
        skip(str(source), str(error))
        return ""


def cached(hub: str, revision: str = "") -> Path | None:
    """The whole snapshot of a checkpoint in the hub's cache, None where there is none. Without
    `revision`: the only one, for which of several is meant nobody can know."""
    folders = [snapshot(hub, revision)] if revision else snapshot(hub, "*").parent.glob("*")
    whole = [p for p in folders if COMMIT.fullmatch(p.name) and _is_whole(p)]
    return whole[0] if len(whole) == 1 else None


def snapshot(hub: str, revision: str) -> Path:
    """The folder of a commit in the hub's cache (`HF_HUB_CACHE`), there or not."""
    from huggingface_hub import constants

    repository = f"models--{hub.replace('/', '--')}"
    return Path(constants.HF_HUB_CACHE) / repository / "snapshots" / revision


def _is_whole(folder: Path) -> bool:
    """True where a snapshot has all its weights: a download may have been cut short."""
    index = folder / "model.safetensors.index.json"
    if not (folder / "config.json").is_file():
        return False
    if index.is_file():
        try:
            shards = set(json_object(index).get("weight_map", {}).values())
        except (UserError, AttributeError, TypeError):
            return False
        return all((folder / str(shard)).is_file() for shard in shards)
    return (folder / "model.safetensors").is_file()
