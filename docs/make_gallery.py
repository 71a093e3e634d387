"""Make the gallery: every family with its picture, its questions, who knows the answer, its
presets and its parameters, all from the declarations.

    python docs/make_gallery.py [--out docs/gallery]

*Conventions*: a family's example is the design of its defaults at seed 0; the pictures lie in one
folder, the page beside it. `real_sound` has no sound of its own: its example is a made-up one.
A picture holds two spectrograms one above the other, frequency upwards, linear in ERB-number, time
cut to where something sounds; white is silence, dark is loud. Few grey levels make small files.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import io
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from spectcount import carriers, presets  # noqa: E402
from spectcount.designs import FAMILIES, Design  # noqa: E402
from spectcount.designs.real_sound import RealSound  # noqa: E402
from spectcount.pairs import Pair, draw_pair  # noqa: E402
from spectcount.params import Param  # noqa: E402
from spectcount.scales import erb_number, erb_number_to_hz  # noqa: E402
from spectcount.settings import Settings, load_settings  # noqa: E402
from spectcount.spectrogram import stft_db  # noqa: E402
from spectcount.stimulus import Event, Stimulus  # noqa: E402
from spectcount.synth import synthesise  # noqa: E402
from spectcount.tasks import Task, task  # noqa: E402

HEAD = """# Gallery of stimulus families

Made by `python docs/make_gallery.py`; do not edit. Each picture shows a signal above its
counterpart: the first answer of the question is true of the one, the second of the other, and
nothing else differs. Frequency is linear in ERB-number; what lies more than 72 dB under a
full-scale sine is white.

"""

WIDTH, HEIGHT = 760, 190
LEFT, RIGHT, TITLE, BOTTOM = 62, 20, 34, 46
TICKS_HZ = (125, 250, 500, 1000, 2000, 4000, 7000)
LOWEST_HZ, HIGHEST_HZ = 80.0, 7990.0
RANGE_DB = (-72.0, -12.0)
MARGIN_S = 0.15
MOST_BYTES = 60_000
GREYS = (24, 16, 10, 7, 5, 4, 3)
"""Numbers of grey levels of the spectrograms, tried in turn until the file is small enough."""
INK = 30


def write_gallery(settings: Settings, out: Path) -> list[Path]:
    """Write one PNG per family into `out` and the page beside it, `out`.md; the paths."""
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for name, design in FAMILIES.items():
        pictured = pictured_task(design)
        files.append(out / f"{name}.png")
        pair = draw_pair(example(settings, design), 0, pictured.name)
        files[-1].write_bytes(pair_png(pair, pictured))
    files.append(out.with_name(out.name + ".md"))
    files[-1].write_text(gallery_text(settings, out.name), encoding="utf-8")
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


@dataclass(frozen=True)
class View:
    """What both panels show: from and to, in seconds."""

    start_s: float
    stop_s: float

    def x(self, time_s: float) -> float:
        """Pixels from the left edge of the picture."""
        return LEFT + (time_s - self.start_s) / (self.stop_s - self.start_s) * (WIDTH - 1)


def pair_png(pair: Pair, task: Task) -> bytes:
    """Signal above counterpart, as the bytes of a PNG of at most about `MOST_BYTES`."""
    view = _view(pair)
    panels = [_darkness(synthesise(one), view) for one in pair]
    titles = [f"{task.title}  {answer}" for answer in task.answers]
    data = b""
    for n_greys in GREYS:
        file = io.BytesIO()
        _picture(panels, titles, view, n_greys).save(file, "PNG", optimize=True)
        data = file.getvalue()
        if len(data) <= MOST_BYTES:
            break
    return data


def _picture(panels: list[np.ndarray], titles: list[str], view: View, n_greys: int) -> Image.Image:
    """Both panels, [HEIGHT, T] in 0..1, in `n_greys` levels, with titles and axes."""
    size = (LEFT + WIDTH + RIGHT, 2 * (TITLE + HEIGHT) + BOTTOM + 8)
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    for k, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        top = TITLE + k * (HEIGHT + TITLE + 4)
        stepped = np.round(panel * (n_greys - 1)) / (n_greys - 1)
        grey = Image.fromarray((255 - (255 - INK) * stepped).astype(np.uint8))
        image.paste(grey.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST), (LEFT, top))
        _frame(draw, top, title)
    _time_axis(draw, size[1] - BOTTOM, view)
    return image


def _view(pair: Pair) -> View:
    sounds = [sound for one in pair for sound in one.sounds]
    start_s = max(min(s.onset_s for s in sounds) - MARGIN_S, 0.0)
    stop_s = min(max(s.offset_s for s in sounds) + MARGIN_S, pair[0].duration_s)
    return View(start_s, stop_s)


def _darkness(waveform: np.ndarray, view: View) -> np.ndarray:
    """0 (silence) to 1 (loud) of a waveform [T], [HEIGHT, T], highest frequency first."""
    picture = stft_db(waveform)
    inside = (picture.times_s >= view.start_s) & (picture.times_s <= view.stop_s)
    rows = erb_number_to_hz(np.linspace(erb_number(HIGHEST_HZ), erb_number(LOWEST_HZ), HEIGHT))
    nearest = np.abs(picture.frequencies_hz[None] - rows[:, None]).argmin(axis=1)
    low, high = RANGE_DB
    return np.clip((picture.values[nearest][:, inside] - low) / (high - low), 0, 1)


def _frame(draw: ImageDraw.ImageDraw, top: int, title: str) -> None:
    """Title, border and the frequency axis of a panel."""
    draw.text((LEFT, top - 26), title, INK, _font(17))
    draw.rectangle((LEFT - 1, top - 1, LEFT + WIDTH, top + HEIGHT), outline=150)
    draw.text((LEFT - 8, top - 14), "kHz", INK, _font(14), anchor="rm")
    span = erb_number(HIGHEST_HZ) - erb_number(LOWEST_HZ)
    for f_hz in TICKS_HZ:
        y = top + (erb_number(HIGHEST_HZ) - erb_number(f_hz)) / span * (HEIGHT - 1)
        draw.line((LEFT - 5, y, LEFT - 1, y), INK)
        draw.text((LEFT - 8, y), f"{f_hz / 1000:g}", INK, _font(14), anchor="rm")


def _time_axis(draw: ImageDraw.ImageDraw, top: int, view: View) -> None:
    length_s = view.stop_s - view.start_s
    step_s = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5) if length_s / s <= 12)
    for k in range(int(np.ceil(view.start_s / step_s - 1e-9)), int(view.stop_s / step_s) + 1):
        x = view.x(k * step_s)
        draw.line((x, top - 4, x, top + 3), INK)
        draw.text((x, top + 5), f"{k * step_s:g}", INK, _font(14), anchor="ma")
    draw.text((LEFT + WIDTH, top + 24), "time (s)", INK, _font(14), anchor="ra")


@functools.cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def main() -> None:
    """Write the gallery and name its files."""
    parser = argparse.ArgumentParser(description="Make the gallery of the documentation.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gallery", help="its pictures")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as home:
        for file in write_gallery(load_settings("local", home, "cpu"), out):
            print(file)


if __name__ == "__main__":
    main()
