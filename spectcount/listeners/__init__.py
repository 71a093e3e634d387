"""Listeners: who answers. `load(spec, settings)` turns what a user types into one.

Specs: a model folder's name (`tiny-lalm`), with an adapter (`tiny-lalm@example`, `tiny-lalm@RUN`),
`ideal`, `dsp`, `first`, `silence:MODEL`, `sim:d=1.5,c=0.2,seed=0`, and
`sim:parameter=gap_ms,threshold=40,width=20` with the options of `SimulatedThreshold`.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectcount.errors import UserError
from spectcount.listeners.base import Listener, Scores

if TYPE_CHECKING:
    from spectcount.listeners.loaded import LoadedModel
    from spectcount.settings import Settings

EMBEDDED = "tiny-lalm"
_models: dict[tuple[str, str], LoadedModel] = {}
_lock = threading.Lock()


def load(spec: str, settings: Settings) -> Listener:
    """The listener called `spec`; raises `UserError` naming what is known."""
    name, _, adapter = spec.partition("@")
    kind, _, options = spec.partition(":")
    if kind == "silence":
        from spectcount.listeners.floors import Silence

        return Silence(load(options or EMBEDDED, settings))
    if kind == "sim":
        return _simulated(options)
    if spec in ("ideal", "dsp", "first"):
        return _observer(spec)
    return _audio_lm(spec, name, adapter, settings)


def model_folder(name: str, settings: Settings) -> Path:
    """Folder of the model called `name`: shipped, or under the home folder's `models`."""
    known = models(settings)
    if name not in known:
        raise UserError(
            f"listener {name!r} is not known; choose one of {', '.join([*known, 'ideal', 'dsp'])}, "
            "first, silence:MODEL, sim:d=1,c=0"
        )
    return known[name]


def models(settings: Settings) -> dict[str, Path]:
    """Name -> folder of every model on this machine."""
    found = {}
    for root in (settings.home / "models", settings.models):
        for config in sorted(root.glob("*/config.json")):
            found[config.parent.name] = config.parent
    return found


def adapters(base: str, settings: Settings) -> dict[str, Path]:
    """Name -> folder of every adapter made on `base`: shipped examples, then finished runs,
    newest first."""
    found = {}
    for config in sorted((settings.models / f"{base}-adapters").glob("*/adapter_config.json")):
        found[config.parent.name] = config.parent
    runs = sorted(settings.runs.glob("*/adapter/adapter_config.json"), reverse=True)
    for config in runs:
        if _base_of(config) == base:
            found[config.parent.parent.name] = config.parent
    return found


def _base_of(config: Path) -> str:
    import json

    return str(json.loads(config.read_text()).get("base_model_name_or_path", ""))


def _audio_lm(spec: str, name: str, adapter: str, settings: Settings) -> Listener:
    from spectcount.listeners.audio_lm import AudioLM

    folder = model_folder(name, settings)
    if not adapter and "@" in spec:
        raise UserError(f"{spec!r} names no adapter after '@'; write {name}@ADAPTER")
    known = adapters(name, settings) if adapter else {}
    if adapter and adapter not in known:
        listed = ", ".join(known) or "none yet: tune first"
        raise UserError(f"adapter {adapter!r} of {name} is not known; known: {listed}")
    loaded = _loaded(folder, settings.device)
    return AudioLM(loaded, spec, known[adapter] if adapter else None)


def _loaded(folder: Path, device: str) -> LoadedModel:
    """One set of base weights per folder and device in this process."""
    from spectcount.listeners.loaded import LoadedModel

    key = (str(folder.resolve()), device)
    with _lock:
        if key not in _models:
            _models[key] = LoadedModel(folder, device)
        return _models[key]


def _observer(spec: str) -> Listener:
    if spec == "ideal":
        from spectcount.listeners.ideal import IdealObserver

        return IdealObserver()
    if spec == "dsp":
        from spectcount.listeners.dsp import DspCounter

        return DspCounter()
    from spectcount.listeners.floors import AlwaysFirst

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
    from spectcount.listeners.simulated import SimulatedObserver, SimulatedThreshold

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


__all__ = ["EMBEDDED", "Listener", "Scores", "adapters", "load", "model_folder", "models"]
