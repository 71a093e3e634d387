"""Fetching a model from the hub into `home/models`, pinned to a commit.

Only what loading reads is fetched: safetensors, configuration, tokenizer; nothing that could run.
The hub's own cache is looked at before: a snapshot that is whole there is used where it lies, and
of one that is not what is there is linked. What is fetched goes to `NAME.part` and is renamed when
it is whole, so that an interrupted download is never taken for a model and goes on where it
stopped.

Conventions: `report(words, done, total)` in bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.adapters import digest_of
from spectcount.listeners.checkpoints.cards import Card, cards, check_revision
from spectcount.listeners.checkpoints.files import SOURCE, cached, revision_of, snapshot
from spectcount.listeners.checkpoints.hashes import bundled_folder
from spectcount.listeners.checkpoints.loading import Report, check_folder
from spectcount.listeners.checkpoints.names import (
    download_command,
    folders,
    hub_name,
    is_adapter,
    model_name,
    split_hub,
)
from spectcount.settings import Settings

WANTED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "*.txt", "*.model")
UNWANTED = ("*/*", "consolidated*", "params.json", ".spectcount*")
"""Folders within a model (other versions of it, adapters) and second copies of the weights."""
SPARE = 1.05


def fetch(spec: str, settings: Settings, report: Report | None = None, revision: str = "") -> Path:
    """Bring a listed model, or a model or an adapter `OWNER/NAME#COMMIT`, onto this machine and
    return its folder. `revision` names the commit of a listed model that has none. Raises
    `UserError` where it is not allowed, the hub cannot be reached or refuses, or the disk is too
    small."""
    name, hub, revision, card = _what(model_name(spec), settings, revision)
    folder = settings.home / "models" / name
    if name in folders(settings):
        return _already(name, folders(settings)[name], revision)
    if is_adapter(folder):
        return folder
    if there := cached(hub, revision):
        check_folder(there)
        return there
    part = folder.with_name(f"{name}.part")
    part.mkdir(parents=True, exist_ok=True)
    _link(snapshot(hub, revision), part)
    _refuse_full_disk(part, card)
    with _explained(hub, revision, card, name):
        _snapshot(hub, revision, part, report, name, WANTED, UNWANTED)
        if bundled := bundled_folder(part):
            _snapshot(hub, revision, part, report, name, [f"{bundled}/adapter_*"])
    if is_adapter(part):
        digest_of(part)
    else:
        check_folder(part)
    (part / SOURCE).write_text(json.dumps({"hub": hub, "revision": revision}))
    part.rename(folder)
    return folder


def _what(name: str, settings: Settings, revision: str) -> tuple[str, str, str, Card | None]:
    """(folder's name, hub id, commit, card) of what was asked for."""
    listed = cards(settings)
    if name not in listed:
        if "/" not in name:
            raise UserError(
                f"model {name!r} is not listed; choose one of {', '.join(listed)}, or write "
                "OWNER/NAME#COMMIT"
            )
        if settings.demo:
            raise UserError(f"{name} is not listed; the demo takes one of {', '.join(listed)}")
        hub, commit = split_hub(name)
        return hub_name(hub, commit), hub, commit, None
    card = listed[name]
    if not card.hub:
        raise UserError(f"{name} is shipped with the program; there is nothing to get")
    if card.revision and revision not in ("", card.revision):
        raise UserError(
            f"{name} is pinned to {card.revision}; for another commit write {card.hub}#{revision}"
        )
    there = None if card.revision or revision else cached(card.hub)
    commit = card.revision or revision or (there.name if there else "")
    if not commit:
        raise UserError(f"{name} names no commit: {card.unpinned}; then give --revision COMMIT")
    return name, card.hub, check_revision(commit), card


def _already(name: str, folder: Path, revision: str) -> Path:
    commit = revision_of(folder)
    if commit and commit != revision:
        raise UserError(
            f"{name} is on this machine at commit {commit[:12]}, not {revision[:12]}; remove "
            f"{folder} and get it again"
        )
    return folder


def _refuse_full_disk(part: Path, card: Card | None) -> None:
    if card is None:
        return
    there = sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
    wanted, free = card.disk_gb * 1e9 * SPARE - there, shutil.disk_usage(part).free
    if wanted > free:
        raise UserError(
            f"{card.name} takes {card.disk_gb:g} GB and {free / 1e9:.1f} GB are free at "
            f"{part.parent}; free some, or give another folder with --home"
        )


def _link(there: Path, part: Path) -> None:
    """Link what the hub's cache has of a commit, so that it is not fetched; a file system that
    cannot is let be."""
    files = [file for pattern in WANTED for file in there.glob(pattern)]
    for file in files:
        with contextlib.suppress(OSError):
            os.link(file.resolve(), part / file.name)


def _snapshot(
    hub: str,
    revision: str,
    part: Path,
    report: Report | None,
    name: str,
    wanted: Sequence[str],
    unwanted: Sequence[str] = (),
) -> None:
    import huggingface_hub

    huggingface_hub.snapshot_download(
        hub,
        revision=revision,
        local_dir=str(part),
        allow_patterns=list(wanted),
        ignore_patterns=list(unwanted),
        tqdm_class=bar_class(report, f"fetching {name}"),
    )


@contextlib.contextmanager
def _explained(hub: str, revision: str, card: Card | None, name: str) -> Iterator[None]:
    """Failures of the hub as a `UserError` that says what to do."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise UserError(
            f"{hub} asks for its licence to be accepted; accept it at https://huggingface.co/{hub} "
            "and log in with `hf auth login`"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{hub} has no commit {revision}; look it up on its page") from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"there is no {hub} on the hub, or it is private; check the name, or log in with "
            "`hf auth login`"
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, OSError) as error:
        command = download_command(name, card, f"{hub}#{revision}")
        if card is not None and not card.revision:
            command = command.replace("COMMIT", revision)
        raise UserError(
            f"{hub} cannot be fetched ({type(error).__name__}: the hub is out of reach from this "
            f"machine, or it is set to be offline); on a machine with network run `{command}` and "
            f"copy the folder to home/models/{name}"
        ) from error


def bar_class(report: Report | None, words: str) -> type:
    """A progress bar that prints nothing and tells `report` the bytes on disk."""
    from huggingface_hub.utils import tqdm

    class Told(tqdm):
        """Counts by itself: a bar that is switched off would not."""

        def __init__(self, *args: Any, **options: Any):
            self._told = options.get("name") == "huggingface_hub.snapshot_download"
            self._done = float(options.get("initial") or 0)
            options["file"] = _Nowhere()
            super().__init__(*args, **options)

        def update(self, n: float | None = 1) -> bool | None:
            self._done += n or 0
            if self._told and report is not None:
                report(words, int(self._done), int(max(self.total or 0, self._done)))
            return super().update(n)

    return Told


class _Nowhere:
    """A file that forgets."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return
