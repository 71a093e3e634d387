"""The picture of a pair: two spectrograms one above the other, what is asked and both answers.

*Conventions*: frequency upwards, linear in ERB-number; time cut to where something sounds; white is
silence, dark is loud. Small files: few grey levels, no colours.
"""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from spectcount.pairs import Pair
from spectcount.scales import erb_number, erb_number_to_hz
from spectcount.spectrogram import stft_db
from spectcount.synth import synthesise
from spectcount.tasks import Task

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
    found = stft_db(waveform)
    inside = (found.times_s >= view.start_s) & (found.times_s <= view.stop_s)
    rows = erb_number_to_hz(np.linspace(erb_number(HIGHEST_HZ), erb_number(LOWEST_HZ), HEIGHT))
    nearest = np.abs(found.frequencies_hz[None] - rows[:, None]).argmin(axis=1)
    low, high = RANGE_DB
    return np.clip((found.values[nearest][:, inside] - low) / (high - low), 0, 1)


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
