"""Listeners: who answers. `load(spec, settings)` turns what a user types into one.

Specs (see `spec`): a model (`tiny-lalm`, `audio-flamingo-3+4bit`, `path:/folder`,
`OWNER/NAME#COMMIT`), with an adapter (`tiny-lalm@example`, `tiny-lalm@RUN`, `MODEL@path:/folder`,
`MODEL@OWNER/NAME#COMMIT`), `ideal`, `dsp`, `first`,
`silence:MODEL`, `sim:d=1.5,c=0.2,seed=0`, and `sim:parameter=gap_ms,threshold=40,width=20` with
the options of `SimulatedThreshold`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spectcount import visitors
from spectcount.configs import Json
from spectcount.errors import UserError, choice
from spectcount.listeners.base import Listener, Report, Resident, Scores
from spectcount.listeners.checkpoints.files import json_object, skip, text_of
from spectcount.listeners.checkpoints.names import (
    ADAPTER_CONFIG,
    adapter_by_place,
    model_folder,
    model_name,
    models,
)
from spectcount.listeners.scorer import client, resident_lm
from spectcount.listeners.scorer.client import Door, Unavailable
from spectcount.listeners.scorer.resident_lm import ResidentLM
from spectcount.listeners.scorer.wire import IDLE, LIVE, RUN, Target
from spectcount.listeners.spec import PATH, SILENCE, SIMULATED, ListenerSpec
from spectcount.trials import Question

if TYPE_CHECKING:
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.loaded import LoadedModel
    from spectcount.settings import Settings

EMBEDDED = "tiny-lalm"


def load(
    spec: str | ListenerSpec,
    settings: Settings,
    report: Report | None = None,
    priority: int = LIVE,
) -> Listener:
    """The listener called `spec`; raises `UserError` naming what is known. How far loading is goes
    to `report(words, done, total)`. Models answer from the resident scorer, where there is one,
    as urgently as `priority` says; else from this process."""
    listener = ListenerSpec.parse(spec)
    if listener.silenced or str(listener) == SILENCE:
        from spectcount.listeners.observers.observer import Silence

        inner = str(listener.hearing) if listener.silenced else ""
        return Silence(load(inner or EMBEDDED, settings, report, priority))
    if listener.is_simulated:
        return _simulated(listener.model.removeprefix(SIMULATED))
    if listener.is_formula:
        return _observer(listener.model)
    return _audio_lm(listener, settings, report, priority)


def load_model(
    spec: str | ListenerSpec, settings: Settings, report: Report | None = None
) -> LoadedModel:
    """The base model of `spec`, in memory once per folder, device and options. Where memory is
    short, models that are not in use are unloaded first, and `report` is told; raises `UserError`
    where it would not fit even so."""
    listener = ListenerSpec.parse(spec)
    return load_folder(listener, model_folder(spec, settings), settings, report)


def load_folder(
    listener: ListenerSpec, folder: Path, settings: Settings, report: Report | None = None
) -> LoadedModel:
    """`load_model` from a folder that was looked up before."""
    from spectcount.listeners.checkpoints import resident
    from spectcount.listeners.checkpoints.hashes import state_of
    from spectcount.listeners.checkpoints.loading import LoadOptions

    options = LoadOptions.from_dict(listener.load_options)
    key = (str(folder.resolve()), settings.device, str(options.to_dict()))
    name = str(listener.base)

    def make() -> LoadedModel:
        return _loaded(name, folder, settings, options, report)

    return resident.get(key, name, make, state_of(folder))


def unload(name: str = "") -> list[Resident]:
    """Free the memory of a model (of all without a name); which they were."""
    from spectcount.listeners.checkpoints import resident

    return resident.unload(name)


def _served(spec: str | ListenerSpec, settings: Settings) -> tuple[Door, Target] | None:
    """The way to the resident scorer, and the model with its adapter as it finds them; None where
    models are in the process that asks."""
    door = client.door(settings)
    return None if door is None else (door, target_of(spec, settings))


def target_of(spec: str | ListenerSpec, settings: Settings) -> Target:
    """A model with its adapter as the scorer finds them, by folders. Raises `UserError` where it
    is not known, or may not be asked."""
    listener = ListenerSpec.parse(spec)
    folder, adapter = model_folder(listener, settings), adapter_folder(listener, settings)
    folders = [str(place.resolve()) if place else "" for place in (folder, adapter)]
    return Target(str(listener), str(listener.base), listener.options, *folders)


def window_s(base: str | ListenerSpec, settings: Settings) -> float:
    """Length of clip that a model hears at once, seconds; it is loaded for it."""
    return float(cast(Any, load(base, settings)).window_s)


def check(spec: str, settings: Settings, report: Report | None = None) -> Json:
    """Load a model, put it to the gate and the parity check; what came out."""
    if (served := _served(spec, settings)) is not None:
        door, target = served
        with suppress(Unavailable):
            return door.check(target, report)
    from spectcount.listeners.checkpoints import check as checking

    return checking.check(load_model(spec, settings, report))


def in_memory(settings: Settings) -> list[Resident]:
    """The models in memory, the resident scorer's or this process's, the last used first."""
    if (door := client.door(settings)) is not None and (rows := door.table()):
        return rows
    resident = sys.modules.get("spectcount.listeners.checkpoints.resident")
    return resident.table() if resident else []


def free(settings: Settings, name: str = "") -> list[str]:
    """Free the memory of a model (of all without a name), wherever it is; which they were."""
    door = client.door(settings)
    gone = door.unload(name) if door is not None else []
    if "spectcount.listeners.checkpoints.resident" in sys.modules:
        gone += [row.name for row in unload(name)]
    return gone


def end_scorer(settings: Settings) -> bool:
    """Have the resident scorer end; whether there was one."""
    door = client.door(settings)
    return door is not None and door.end()


def warm(settings: Settings, *specs: str) -> None:
    """Have the resident scorer load some models, behind whatever else is going on; what goes
    wrong is told where they are asked."""
    door = client.door(settings)
    wanted = [spec for spec in specs if not ListenerSpec.parse(spec).is_formula]
    if door is None or not wanted:
        return

    def load_all() -> None:
        with suppress(Exception):
            for spec in wanted:
                load(spec, settings)

    threading.Thread(target=load_all, name="warm", daemon=True).start()


@contextmanager
def held(
    settings: Settings, base: str, workload: Mapping[str, Any], work: str
) -> Iterator[list[str]]:
    """Memory for `work` (in words) in this process: the resident scorer gives way while open, and
    is not started for it; what it unloaded."""
    door = client.door(settings)
    if door is None:
        yield []
        return
    from spectcount.listeners.checkpoints.needs import forecast_for

    needed = 0.0
    with suppress(UserError):  # what cannot be forecast begins as well as it may
        needed = forecast_for(base, settings, workload).bytes
    with door.held(needed, work) as gone:
        yield gone


def adapters(base: str | ListenerSpec, settings: Settings) -> dict[str, Path]:
    """Name -> folder of every adapter made on `base`: shipped examples, then finished runs,
    newest first."""
    folders, model = {}, model_name(base)
    for config in sorted((settings.models / f"{model}-adapters").glob("*/adapter_config.json")):
        folders[config.parent.name] = config.parent
    runs = sorted(settings.runs.glob("*/adapter/adapter_config.json"), reverse=True)
    for config in runs:
        run = config.parent.parent
        if not visitors.may_use(run):
            continue
        try:
            made_on = _base_of(config)
        except UserError as error:
            skip(f"adapter {run.name}", str(error))
            continue
        if made_on == model:
            folders[run.name] = config.parent
    return folders


def adapter_folder(spec: str | ListenerSpec, settings: Settings) -> Path | None:
    """Folder of the adapter that a spec names, None where it names none; raises `UserError` where
    it is not known."""
    listener, model = ListenerSpec.parse(spec), model_name(spec)
    if not listener.adapter:
        return None
    if "/" in listener.adapter or listener.adapter.startswith(PATH):
        return adapter_by_place(listener.adapter, settings)
    known = adapters(listener, settings)
    if listener.adapter not in known:
        _refuse_broken(listener.adapter, settings)
        listed = choice(listener.adapter, known, "known:") if known else "none yet: tune first"
        raise UserError(
            f"adapter {listener.adapter!r} of {model} is not known; {listed}; from "
            f"elsewhere: {model}@path:/FOLDER, {model}@OWNER/NAME#COMMIT"
        )
    return known[listener.adapter]


def _refuse_broken(name: str, settings: Settings) -> None:
    """Raise `UserError` where a run of this name has an adapter that cannot be read."""
    config = settings.runs / Path(name).name / "adapter" / ADAPTER_CONFIG
    if config.exists() and visitors.may_use(config.parent.parent):
        try:
            _base_of(config)
        except UserError as error:
            raise UserError(f"adapter {name} ({config}) cannot be used: {error}") from None


def _base_of(config: Path) -> str:
    """The model that an adapter was made on, whatever it was loaded with."""
    name = text_of(json_object(config), "base_model_name_or_path")
    return model_name(name) if name else ""


def may_share(listeners: Sequence[Listener]) -> bool:
    """True where these are different adapters (or none) of one model that may be asked the same
    questions at once, by `score_together`."""
    if all(isinstance(listener, ResidentLM) for listener in listeners):
        return resident_lm.may_share(listeners)
    if not all(hasattr(listener, "loaded") for listener in listeners):
        return False
    from spectcount.listeners.scoring import together

    return together.may_share(listeners)


def score_together(listeners: Sequence[Any], questions: Sequence[Question]) -> list[Scores]:
    """The scores that each listener gives alone; they must pass `may_share`."""
    if isinstance(listeners[0], ResidentLM):
        return resident_lm.score_together(listeners, questions)
    from spectcount.listeners.scoring import together

    return together.score_together(listeners, questions)


def load_here(
    spec: str | ListenerSpec, settings: Settings, report: Report | None = None
) -> AudioLM:
    """The listener of a model, with its weights in this process."""
    from spectcount.listeners.audio_lm import AudioLM

    listener = ListenerSpec.parse(spec)
    folder, adapter = model_folder(listener, settings), adapter_folder(listener, settings)
    return AudioLM(load_folder(listener, folder, settings, report), str(listener), adapter)


def _audio_lm(
    spec: ListenerSpec, settings: Settings, report: Report | None, priority: int
) -> Listener:
    """A model as the resident scorer's, or as this process's where no scorer can be had."""
    if (served := _served(spec, settings)) is not None:
        try:
            return ResidentLM(*served, report, priority)
        except Unavailable as error:
            client.say_unavailable(error)
    return load_here(spec, settings, report)


def _loaded(
    name: str, folder: Path, settings: Settings, options: Any, report: Report | None
) -> LoadedModel:
    """Check that it fits, make room, load."""
    from spectcount.listeners.checkpoints import resident
    from spectcount.listeners.checkpoints.loading import check_folder
    from spectcount.listeners.checkpoints.needs import refuse_if_too_large, scoring_forecast
    from spectcount.listeners.families import family_of
    from spectcount.listeners.loaded import LoadedModel

    check_folder(folder)
    family, device = family_of(folder), settings.device
    keywords = options.keywords(family, folder, device)
    wanted = scoring_forecast(folder, options, device)
    for gone in resident.make_room(wanted.bytes, device):
        if report is not None:
            report(f"{gone.name} was unloaded to make room for {name}", 0, 1)
    refuse_if_too_large(name, folder, wanted, settings, spread=options.spread)
    resident.take(name, wanted.bytes)
    with _named(name, folder):
        return LoadedModel(folder, device, options.torch_dtype(device), report, **keywords)


@contextmanager
def _named(name: str, folder: Path) -> Iterator[None]:
    """Turn what transformers raises for damaged files into a `UserError` naming the folder;
    a lack of memory passes."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError | RuntimeError):
            raise
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"{name} cannot be loaded from {folder} ({why}); its files are damaged or of another "
            "version: get it again, or remove the folder. Other models are not touched"
        ) from error


def _observer(name: str) -> Listener:
    if name == "ideal":
        from spectcount.listeners.observers.ideal import IdealObserver

        return IdealObserver()
    if name == "dsp":
        from spectcount.listeners.observers.dsp import DspCounter

        return DspCounter()
    from spectcount.listeners.observers.observer import AlwaysFirst

    return AlwaysFirst()


_OBSERVER = {"d": ("d_prime", float), "c": ("criterion", float), "seed": ("seed", int)}
_THRESHOLD = {
    **{name: (name, str) for name in ("parameter", "function", "second")},
    **{name: (name, float) for name in ("threshold", "width", "lapse", "bias", "guess")},
    **{name: (name, float) for name in ("gradient", "reference")},
    **{name: (name, lambda text: bool(int(text))) for name in ("log", "falling")},
    "seed": ("seed", int),
}


def _simulated(text: str) -> Listener:
    """A simulated listener: of fixed d', or, where a parameter is named, with a threshold."""
    from spectcount.listeners.observers.simulated import SimulatedObserver, SimulatedThreshold

    written = dict(part.partition("=")[::2] for part in filter(None, text.split(",")))
    if "parameter" not in written:
        return SimulatedObserver(**_options(text, written, _OBSERVER))
    missing = [name for name in ("threshold", "width") if name not in written]
    if missing:
        raise UserError(
            f"sim:{text!r} has no {missing[0]}; write sim:parameter=gap_ms,threshold=40,width=20"
        )
    return SimulatedThreshold(**_options(text, written, _THRESHOLD))


def _options(text: str, written: dict[str, str], names: dict[str, Any]) -> dict[str, Any]:
    """`{"d": "1.5"}` -> keyword arguments of a simulated listener."""
    options = {}
    for key, value in written.items():
        if key not in names:
            raise UserError(f"sim:{text!r} has no option {key!r}; use {', '.join(names)}")
        name, kind = names[key]
        try:
            options[name] = kind(value)
        except ValueError:
            raise UserError(f"sim: {key}={value!r} is not a number; write sim:d=1,c=0") from None
    return options
