"""Where a folder of weights came from, and what of the hub is on this machine already.

A folder that this program fetched holds a note; one that `hf download --local-dir` made holds the
hub's; in the hub's own cache the folders' names tell: `models--OWNER--NAME/snapshots/COMMIT`.

Conventions: a commit is 40 hex digits, "" where nothing tells; nothing here uses the network.
"""

from __future__ import annotations

import re
from pathlib import Path

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.cards import COMMIT
from spectcount.listeners.checkpoints.files import json_object, skip, text_of

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
    found = SNAPSHOT.search(folder.absolute().as_posix())
    return f"{found['owner']}/{found['name']}" if found else ""


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
    """Where the hub's cache (`HF_HUB_CACHE`) has or would have a commit."""
    from huggingface_hub import constants

    repository = f"models--{hub.replace('/', '--')}"
    return Path(constants.HF_HUB_CACHE) / repository / "snapshots" / revision


def _is_whole(folder: Path) -> bool:
    """Whether a snapshot has all its weights: a download may have been cut short."""
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
