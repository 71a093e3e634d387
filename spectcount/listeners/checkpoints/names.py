"""What a user types for a model, and the folder that it means.

A model is written `MODEL[+OPTION...][@ADAPTER]`. MODEL is a name (shipped, or a folder under
`home/models`), `path:/any/folder`, or an id of the hub with its commit, `OWNER/NAME#COMMIT`;
OPTION is one of `OPTIONS`, such as `4bit` or `bf16`; ADAPTER is a name (shipped, or a run's), or
a path or an id of the hub, written as a model's. Nothing is fetched here: a model that is not
on this machine is refused with the command that gets it.

Conventions: in the demo only shipped models and listed ones answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectcount.errors import UserError
from spectcount.listeners.checkpoints import origin
from spectcount.listeners.checkpoints.cards import HUB_ID, Card, cards, check_revision
from spectcount.listeners.checkpoints.hashes import BUNDLED
from spectcount.listeners.checkpoints.origin import revision_of
from spectcount.settings import Settings, typed_path

PATH = "path:"
ADAPTER_CONFIG = "adapter_config.json"
OPTIONS: dict[str, dict[str, Any]] = {
    "float32": {"dtype": "float32"},
    "bf16": {"dtype": "bfloat16"},
    "fp16": {"dtype": "float16"},
    "4bit": {"four_bit": True},
    "eager": {"attention": "eager"},
    "sdpa": {"attention": "sdpa"},
    "flash": {"attention": "flash_attention_2"},
    "spread": {"spread": True},
    "prefix": {"replies": "prefix"},
}
"""What may follow a model's name, and the fields of `LoadOptions` that it sets."""


_HUB_ADAPTER = re.compile(r"(?P<head>.+)@(?P<adapter>[^/@#]+/[^/@#]+#[0-9A-Za-z]*)")
_SLASHED_ADAPTER = re.compile(r"(?P<head>[^@]+)@(?P<adapter>[^/@]+/[^/@]+)")


@dataclass(frozen=True)
class Named:
    """A parsed spec. `model` is the bare MODEL, `words` its options, `adapter` "" for none."""

    model: str
    words: tuple[str, ...]
    adapter: str

    @property
    def options(self) -> dict[str, Any]:
        """Fields of `LoadOptions`."""
        return {name: value for word in self.words for name, value in OPTIONS[word].items()}


def parse(spec: str) -> Named:
    """MODEL, options and adapter of a spec; raises `UserError` for unknown options."""
    if not isinstance(spec, str):
        raise UserError(f"{str(spec)[:40]!r} is no listener's name; write MODEL or MODEL@ADAPTER")
    head, adapter = split_adapter(spec)
    model, *words = head.split("+")
    if head.startswith(PATH):
        while words and words[0] not in OPTIONS:
            model = f"{model}+{words.pop(0)}"
    unknown = [word for word in words if word not in OPTIONS]
    if unknown:
        raise UserError(
            f"{spec!r} has an unknown option {unknown[0]!r}; give some of {', '.join(OPTIONS)}"
        )
    return Named(model, tuple(words), adapter)


def split_adapter(spec: str) -> tuple[str, str]:
    """(MODEL with its options, ADAPTER or "") of a spec. A path may have an '@' of its own. Raises
    `UserError` where no adapter follows the '@'."""
    head, at, path = spec.partition(f"@{PATH}")
    if at:
        adapter = f"{PATH}{path}" if path.strip() else ""
    elif found := (_HUB_ADAPTER if spec.startswith(PATH) else _SLASHED_ADAPTER).fullmatch(spec):
        head, adapter = found["head"], found["adapter"]
    else:
        head, at, adapter = spec.rpartition("@")
        if not at or "/" in adapter:
            return spec, ""
    if not adapter:
        raise UserError(f"{spec!r} names no adapter after '@'; write {head}@ADAPTER")
    return head, adapter


def models(settings: Settings) -> dict[str, Path]:
    """Name -> folder of every model on this machine; of listed ones also in the hub's cache."""
    found = folders(settings)
    for card in cards(settings).values():
        if card.hub and card.name not in found:
            there = origin.cached(card.hub, card.revision)
            found |= {card.name: there} if there else {}
    return found


def folders(settings: Settings) -> dict[str, Path]:
    """Name -> folder of the models that are shipped or under `home/models`."""
    found = {}
    for root in (settings.home / "models", settings.models):
        for config in sorted(root.glob("*/config.json")):
            if not config.parent.name.endswith(".part"):
                found[config.parent.name] = config.parent
    return found


def model_folder(spec: str, settings: Settings) -> Path:
    """Folder of the model that `spec` means. Raises `UserError` where it is unknown, not allowed,
    not on this machine, or another revision than the one listed."""
    name = parse(spec).model
    if name.startswith(PATH):
        return _path(name, settings)
    if "/" in name:
        hub, commit = _hub(name, settings)
        name = hub_name(hub, commit)
        if name not in folders(settings) and (there := origin.cached(hub, commit)):
            return there
    known, listed = models(settings), cards(settings)
    _refuse_in_demo(name, known, listed, settings)
    if name not in known:
        raise UserError(_missing(name, spec, known, listed))
    if name in listed:
        _refuse_other_revision(name, known[name], listed[name])
    return known[name]


def adapter_by_place(adapter: str, settings: Settings) -> Path:
    """Folder of an adapter written as a path or as an id of the hub. Raises `UserError` where it is
    none, not on this machine, or not allowed."""
    if settings.demo:
        raise UserError(f"{adapter!r} is not listed; the demo takes the names of adapters only")
    if adapter.startswith(PATH):
        folder = typed_path(adapter.removeprefix(PATH)).absolute()
        if not is_adapter(folder):
            raise UserError(f"{folder} is no adapter's folder (no {ADAPTER_CONFIG}); give another")
        return folder.resolve()
    hub, commit = split_hub(adapter)
    places = (settings.home / "models" / hub_name(hub, commit), origin.snapshot(hub, commit))
    for folder in places:
        if is_adapter(folder):
            return folder
    raise UserError(
        f"adapter {adapter} is not on this machine; get it with `python -m spectcount models get "
        f"{adapter}`, or on a machine with network run "
        f"`{download_command(places[0].name, None, adapter)}` and copy the folder into home/models"
    )


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    return (folder / ADAPTER_CONFIG).is_file() and not (folder / "config.json").is_file()


def hub_name(hub: str, revision: str) -> str:
    """The folder's name of a model that is not listed."""
    return f"{hub.replace('/', '--')}--{revision[:12]}"


def split_hub(name: str) -> tuple[str, str]:
    """(OWNER/NAME, commit) of `OWNER/NAME#COMMIT`."""
    hub, _, revision = name.partition("#")
    if not HUB_ID.fullmatch(hub):
        raise UserError(f"{hub!r} is no id of the hub; write OWNER/NAME#COMMIT")
    if not revision:
        raise UserError(f"{hub} needs its commit, so that results can be repeated; write {hub}#...")
    return hub, check_revision(revision)


def download_command(name: str, card: Card | None, spec: str) -> str:
    """What to run on a machine with network when this one has none."""
    hub, revision = (card.hub, card.revision or "COMMIT") if card else split_hub(spec)
    fetch = f"hf download {hub} --revision {revision} --local-dir {name} "
    bundled = BUNDLED.get(str(card.config.get("model_type", ""))) if card else None
    more = f' && {fetch}--include "{bundled}/adapter_*"' if bundled else ""
    return f'{fetch}--exclude "*/*" --exclude "consolidated*"{more}'


def _path(name: str, settings: Settings) -> Path:
    if settings.demo:
        raise UserError(f"{name!r} is a path; the demo takes the names of listed models only")
    folder = typed_path(name.removeprefix(PATH))
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} is no model folder (no config.json); give another path")
    return folder.resolve()


def _hub(name: str, settings: Settings) -> tuple[str, str]:
    hub, revision = split_hub(name)
    if settings.demo:
        listed = ", ".join(cards(settings))
        raise UserError(f"{hub} is not listed; the demo takes one of {listed}")
    return hub, revision


def _refuse_in_demo(
    name: str, known: dict[str, Path], listed: dict[str, Card], settings: Settings
) -> None:
    shipped = name in known and known[name].is_relative_to(settings.models)
    if settings.demo and name in known and not shipped and name not in listed:
        raise UserError(f"{name} is not among the models of the demo; choose {', '.join(listed)}")


def _refuse_other_revision(name: str, folder: Path, card: Card) -> None:
    found = revision_of(folder)
    if card.revision and found and found != card.revision:
        raise UserError(
            f"{name} on this machine is revision {found[:12]}, the list means "
            f"{card.revision[:12]}; remove {folder} and run `python -m spectcount models get "
            f"{name}`, or use it as it is by {PATH}{folder}"
        )


def _missing(name: str, spec: str, known: dict[str, Path], listed: dict[str, Card]) -> str:
    """Why there is no folder, and what to do."""
    card, model = listed.get(name), parse(spec).model
    if card is None and "/" not in model:
        more = ", ".join([*known, *(n for n in listed if n not in known), "ideal", "dsp"])
        return (
            f"listener {model!r} is not known; choose one of {more}, first, silence:MODEL, "
            "sim:d=1,c=0, path:/FOLDER, OWNER/NAME#COMMIT"
        )
    what = card.hub if card else model
    size = f", {card.disk_gb:g} GB, licence {card.licence}" if card else ""
    return (
        f"{model} is not on this machine ({what}{size}); get it with `python -m spectcount models "
        f"get {model}`, or on a machine with network run `{download_command(name, card, model)}` "
        "and copy the folder into home/models"
    )
