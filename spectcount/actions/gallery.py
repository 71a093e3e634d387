"""The gallery of the documentation: every family with its picture, its questions, who knows the
answer, its presets and its parameters, all from the declarations.

Conventions: a family's example is the design of its defaults at seed 0; the pictures lie in one
folder, the page beside it. `real_sound` has no sound of its own: its example is a made-up one.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np

from spectcount import carriers, presets
from spectcount.designs import FAMILIES, Design
from spectcount.designs.real_sound import RealSound
from spectcount.errors import UserError
from spectcount.pairs import draw_pair
from spectcount.params import Param
from spectcount.settings import Settings
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import synthesise
from spectcount.tasks import Task, task

HEAD = """# Gallery of stimulus families

Made by `python -m spectcount gallery`; do not edit. Each picture shows a signal above its
counterpart: the first answer of the question is true of the one, the second of the other, and
nothing else differs. Frequency is linear in ERB-number; what lies more than 72 dB under a
full-scale sine is white.

"""


def write_gallery(settings: Settings, out_dir: str | Path) -> list[Path]:
    """Write one PNG per family into `out_dir` and the page beside it, `out_dir`.md; the paths."""
    from spectcount.actions.gallery_picture import pair_png

    out = Path(out_dir)
    files = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, design in FAMILIES.items():
            asked = pictured_task(design)
            files.append(out / f"{name}.png")
            files[-1].write_bytes(
                pair_png(draw_pair(example(settings, design), 0, asked.name), asked)
            )
        files.append(out.with_name(out.name + ".md"))
        files[-1].write_text(gallery_text(settings, out.name), encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write into {out} ({error.strerror}); give another --out") from None
    return files


def gallery_text(settings: Settings, folder: str) -> str:
    """The page, Markdown; `folder` is that of the pictures, as seen from the page."""
    shipped = _shipped_presets(settings)
    sections = [
        _section(name, design, folder, shipped.get(name, [])) for name, design in FAMILIES.items()
    ]
    return HEAD + "\n".join(sections)


def example(settings: Settings, design: type[Design]) -> Design:
    """The design whose pair is shown."""
    if design is not RealSound:
        return design()
    carriers.use_folder(settings.home / "carriers")
    return RealSound(carrier=carriers.register(_made_up_sound()), onset_s=0.4)


def pictured_task(design: type[Design]) -> Task:
    """The first task of a family that has a signal and a counterpart."""
    return next(task(name) for name in design.tasks if task(name).two_class)


def _made_up_sound() -> np.ndarray:
    """Something like a short word, float32 [T]: a hiss between two voiced parts."""
    events = (
        Event(0.0, 0.25, 130.0, -20.0, "harmonic", 20, 60, n_harmonics=20),
        Event(0.22, 0.12, 4500.0, -28.0, "noise", 15, 30, bandwidth_hz=3000.0, seed=1),
        Event(0.33, 0.35, 105.0, -22.0, "harmonic", 25, 150, n_harmonics=24),
    )
    return synthesise(Stimulus(0.7, events))


def _section(name: str, design: type[Design], folder: str, shipped: list[str]) -> str:
    asked = [task(t) for t in design.tasks]
    lines = [
        f"## {design.title} (`{name}`)",
        f"![{design.title}: signal above counterpart]({folder}/{name}.png)",
        _about(design),
        "**Asked**: " + "; ".join(_question(one) for one in asked) + ".",
        f"**Who knows the answer**: {design.listeners}",
        f"**Presets**: {', '.join(f'`{n}`' for n in shipped) or 'none'}.",
        _table(design),
    ]
    return "\n\n".join(lines) + "\n"


def _about(design: type[Design]) -> str:
    """The module's own words, without its conventions and its formatting in lines."""
    words = inspect.cleandoc(inspect.getmodule(design).__doc__ or "")
    kept = words.partition("*Conventions*")[0].strip()
    return re.sub(r"(?<!\n)\n(?!\n)", " ", kept)


def _question(one: Task) -> str:
    if not one.two_class:
        return f"`{one.name}`: {one.title}"
    return f"`{one.name}`: {one.title} ({' or '.join(one.answers)})"


def _shipped_presets(settings: Settings) -> dict[str, list[str]]:
    """Family -> names of its shipped presets: sounds, then probes."""
    found: dict[str, list[str]] = {}
    for kind in ("stimuli", "probes"):
        for name in sorted(p.stem for p in (settings.presets / kind).glob("*.yaml")):
            body = presets.load(kind, name, settings).body
            for family in _families(body):
                found.setdefault(family, []).append(name)
    return found


def _families(body: dict[str, Any]) -> list[str]:
    """The families of a preset; plans that run together may have several."""
    if "family" in body:
        return [body["family"]]
    plans = body["plan"].get("plans", [body["plan"]])
    return list(dict.fromkeys(plan["family"] for plan in plans))


def _table(design: type[Design]) -> str:
    rows = [
        f"| `{name}` | {_cell(spec.help)} | {_value(spec, spec.default)} | {_range(spec)} |"
        for name, spec in design.params().items()
    ]
    return "\n".join(["| parameter | what it is | default | range |", "|---|---|---|---|", *rows])


def _value(spec: Param, value: object) -> str:
    if value is None or value == "":
        return "empty"
    unit = f" {spec.unit}" if spec.unit else ""
    return f"{value:g}{unit}" if spec.numeric else str(value)


def _range(spec: Param) -> str:
    if spec.choices:
        return ", ".join(spec.choices)
    if spec.low is None or spec.high is None:
        return "text" if spec.kind is str else "true, false"
    return f"{spec.low:g} to {spec.high:g}"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")
