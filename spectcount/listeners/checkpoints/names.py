"""The folder that a model's or an adapter's name means; how names are written: `listeners.spec`.

Nothing is fetched here: a model that is not on this machine is refused with the command that gets
it.

Conventions: in the demo only shipped models and listed ones answer.
"""

from __future__ import annotations

from pathlib import Path

from spectcount.errors import UserError, choice
from spectcount.listeners.checkpoints import files
from spectcount.listeners.checkpoints.cards import HUB_ID, Card, cards, check_revision
from spectcount.listeners.checkpoints.files import revision_of
from spectcount.listeners.checkpoints.hashes import BUNDLED
from spectcount.listeners.spec import FORMULAS, PATH, ListenerSpec
from spectcount.settings import Settings, typed_path

ADAPTER_CONFIG = "adapter_config.json"


def models(settings: Settings) -> dict[str, Path]:
    """Name -> folder of every model on this machine; of listed ones also in the hub's cache."""
    here = folders(settings)
    for card in cards(settings).values():
        if card.hub and card.name not in here:
            there = files.cached(card.hub, card.revision)
            here |= {card.name: there} if there else {}
    return here


def folders(settings: Settings) -> dict[str, Path]:
    """Name -> folder of the models that are shipped or under `home/models`."""
    by_name = {}
    for root in (settings.home / "models", settings.models):
        for config in sorted(root.glob("*/config.json")):
            if not config.parent.name.endswith(".part"):
                by_name[config.parent.name] = config.parent
    return by_name


def model_folder(spec: str | ListenerSpec, settings: Settings) -> Path:
    """Folder of the model that `spec` means. Raises `UserError` where it is unknown, not allowed,
    not on this machine, or another revision than the one listed."""
    name = model_name(spec)
    if name.startswith(PATH):
        return _path(name, settings)
    if "/" in name:
        hub, commit = _hub(name, settings)
        name = hub_name(hub, commit)
        if name not in folders(settings) and (there := files.cached(hub, commit)):
            return there
    known, listed = models(settings), cards(settings)
    _refuse_in_demo(name, known, listed, settings)
    if name not in known:
        raise UserError(_missing(name, model_name(spec), known, listed))
    if name in listed:
        _refuse_other_revision(name, known[name], listed[name])
    return known[name]


def model_name(spec: str | ListenerSpec) -> str:
    """The bare name of a spec's model; raises `UserError` for unknown options. Silence is none of
    a model's: a silenced one keeps the word, so that it is refused."""
    listener = ListenerSpec.parse(spec)
    listener.refuse_unknown_options()
    return str(ListenerSpec(listener.model, silenced=listener.silenced))


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
    places = (settings.home / "models" / hub_name(hub, commit), files.snapshot(hub, commit))
    for folder in places:
        if is_adapter(folder):
            return folder
    raise UserError(
        f"adapter {adapter} is not on this machine; get it with `python -m spectcount models get "
        f"{adapter}`, or on a machine with network run "
        f"`{download_command(places[0].name, None, adapter)}` and copy the folder into home/models"
    )


def is_adapter(folder: Path) -> bool:
    """True where a folder holds an adapter and no model."""
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
    """The command to run on a machine with network when this one has none."""
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
    commit = revision_of(folder)
    if card.revision and commit and commit != card.revision:
        raise UserError(
            f"{name} on this machine is revision {commit[:12]}, the list means "
            f"{card.revision[:12]}; remove {folder} and run `python -m spectcount models get "
            f"{name}`, or use it as it is by {PATH}{folder}"
        )


def _missing(name: str, model: str, known: dict[str, Path], listed: dict[str, Card]) -> str:
    """The reason that `model`, which is called `name` here, has no folder, and the remedy."""
    card = listed.get(name)
    if card is None and "/" not in model:
        names = [*known, *(n for n in listed if n not in known), *FORMULAS]
        hint = choice(model, names)
        if hint.startswith("did"):
            return f"listener {model!r} is not known; {hint}"
        return (
            f"listener {model!r} is not known; {hint}, silence:MODEL, sim:d=1,c=0, path:/FOLDER, "
            "OWNER/NAME#COMMIT"
        )
    what = card.hub if card else model
    size = f", {card.disk_gb:g} GB, licence {card.licence}" if card else ""
    return (
        f"{model} is not on this machine ({what}{size}); get it with `python -m spectcount models "
        f"get {model}`, or on a machine with network run `{download_command(name, card, model)}` "
        "and copy the folder into home/models"
    )
