"""Two pictures of a waveform: what a person hears (STFT, dB) and what a model gets (log-mel).

*Conventions*: mono float [T] at 16 kHz; pictures are [F, T], row 0 the lowest frequency; times
are those of the middle of each window. STFT levels are dB re a full-scale sine. The log-mel is
Whisper's (Radford et al. 2022), which Qwen2-Audio and Audio Flamingo 3 use with 128 Slaney
channels: 25 ms Hann window, 10 ms hop, log10 of the power, nothing kept that is more than 80 dB
below the loudest cell, then (x + 4) / 4. Models merge four of its frames into one token of 40 ms.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageDraw, ImageFont

from spectcount.errors import UserError
from spectcount.scales import N_MELS, SAMPLE_RATE, erb_hz, mel_centres_hz, mel_channel
from spectcount.stimulus import Event, Stimulus

MEL_N_FFT = 400
MEL_HOP = 160
MEL_WINDOW_S = 30.0
TOKEN_S = 0.04
DYNAMIC_RANGE_LOG10 = 8.0
"""The loudest 80 dB are kept: 8 in log10 of power, 2 in the picture's units."""
FLOOR_POWER = 1e-10

STFT_N_FFT = 512
STFT_HOP = 80
STFT_MAX_FRAMES = 1600
STFT_FLOOR_DB = -160.0


@dataclass(frozen=True)
class Spectrogram:
    """`values` [F, T] in `unit`, `times_s` [T], `frequencies_hz` [F]; `floor` is the smallest
    value that this picture can hold."""

    values: np.ndarray
    times_s: np.ndarray
    frequencies_hz: np.ndarray
    unit: str
    floor: float


def stft_db(waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> Spectrogram:
    """STFT in dB re a full-scale sine, Hann 512, at most about 1600 frames."""
    power, hop = stft_power(waveform)
    return Spectrogram(
        values=power_db(power),
        times_s=np.arange(power.shape[1]) * hop / sample_rate,
        frequencies_hz=np.arange(power.shape[0]) * sample_rate / STFT_N_FFT,
        unit="dB re full-scale sine",
        floor=STFT_FLOOR_DB,
    )


def stft_power(waveform: np.ndarray) -> tuple[np.ndarray, int]:
    """STFT power re a full-scale sine, float32 [F, T], and its hop in samples; see `stft_db`."""
    hop = max(STFT_HOP, -(-len(waveform) // STFT_MAX_FRAMES))
    spectrum = librosa.stft(
        np.asarray(waveform, np.float32), n_fft=STFT_N_FFT, hop_length=hop, pad_mode="constant"
    )
    scale = 2 / np.sum(librosa.filters.get_window("hann", STFT_N_FFT))
    return (spectrum.real**2 + spectrum.imag**2) * np.float32(scale**2), hop


def power_db(power: np.ndarray) -> np.ndarray:
    """Power re a full-scale sine in dB, no less than `STFT_FLOOR_DB`."""
    values = np.maximum(power, np.float32(10 ** (STFT_FLOOR_DB / 10)))
    return np.maximum(10 * np.log10(values), np.float32(STFT_FLOOR_DB))


def log_mel(
    waveform: np.ndarray,
    window_s: float = MEL_WINDOW_S,
    n_mels: int = N_MELS,
    padded: bool = False,
) -> Spectrogram:
    """Log-mel as `WhisperFeatureExtractor(n_mels, chunk_length=window_s)` computes it, 16 kHz.

    The clip lies at the start of a window of silence; `padded` keeps the whole window, otherwise
    the frames of the clip remain. Raises `UserError` for a clip longer than the window.
    """
    n, n_window = len(waveform), round(window_s * SAMPLE_RATE)
    if n > n_window:
        raise UserError(
            f"the clip lasts {n / SAMPLE_RATE:g} s, the front end's window {window_s:g} s; "
            "shorten the clip"
        )
    frames = n_window // MEL_HOP if padded else -(-n // MEL_HOP)
    n_heard = n_window if padded else min(n_window, max(n, frames * MEL_HOP) + MEL_N_FFT)
    heard = np.zeros(n_heard)
    heard[:n] = waveform
    power = _mel_filters(n_mels) @ _power(heard)[:, :-1]
    log_power = np.log10(np.maximum(power, FLOOR_POWER))
    floor = max(float(log_power.max()) - DYNAMIC_RANGE_LOG10, float(np.log10(FLOOR_POWER)))
    return Spectrogram(
        values=(np.maximum(log_power, floor)[:, :frames] + 4) / 4,
        times_s=np.arange(frames) * MEL_HOP / SAMPLE_RATE,
        frequencies_hz=mel_centres_hz(n_mels),
        unit="(log10 power + 4) / 4",
        floor=(floor + 4) / 4,
    )


@functools.cache
def _mel_filters(n_mels: int) -> np.ndarray:
    """Slaney's filters with his area norm [n_mels, 1 + MEL_N_FFT / 2]."""
    return librosa.filters.mel(sr=SAMPLE_RATE, n_fft=MEL_N_FFT, n_mels=n_mels, dtype=np.float64)


@functools.cache
def _hann() -> np.ndarray:
    return librosa.filters.get_window("hann", MEL_N_FFT)


def _power(waveform: np.ndarray) -> np.ndarray:
    """Power spectra of centred frames [1 + MEL_N_FFT / 2, 1 + n // MEL_HOP]."""
    half = MEL_N_FFT // 2
    padded = np.pad(waveform, half, mode="reflect")
    frames = sliding_window_view(padded, MEL_N_FFT)[::MEL_HOP] * _hann()
    spectrum = scipy.fft.rfft(frames, axis=1)
    return (spectrum.real**2 + spectrum.imag**2).T


# Key colours of Matplotlib's magma (CC0), dark to light.
_COLOURS = np.array(
    [
        (0, 0, 4),
        (28, 16, 68),
        (79, 18, 123),
        (129, 37, 129),
        (181, 54, 122),
        (229, 80, 100),
        (251, 135, 97),
        (254, 194, 135),
        (252, 253, 191),
    ]
)
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 1040, 300, 80, 50, 100
_LABEL_HEIGHT = 16
_STFT_RANGE_DB = (-110.0, 0.0)
_TICKS_HZ = (250, 500, 1000, 2000, 4000, 7000)
_OUTLINE, _INK, _GRID = (120, 230, 255), (30, 30, 30), (140, 140, 140)


def write_png(path: str | Path, stimulus: Stimulus, waveform: np.ndarray) -> None:
    """Both pictures with labelled axes, the events' outlines, the token grid and the floor."""
    image = Image.new("RGB", (_LEFT + _WIDTH + 30, 2 * (_HEIGHT + _GAP) + _TOP - 40), "white")
    nyquist = stimulus.sample_rate / 2
    low, high = _STFT_RANGE_DB
    _panel(
        image,
        _TOP,
        f"What you hear: STFT, {low:g} to {high:g} dB re full-scale sine",
        _levels(stft_db(waveform, stimulus.sample_rate).values, low, high),
        stimulus,
        lambda f_hz: f_hz / nyquist,
    )
    mel = log_mel(waveform)
    top = _TOP + _HEIGHT + _GAP
    _panel(
        image,
        top,
        "What the model hears: log-mel, 128 Slaney channels, one token per 40 ms; black: the "
        "floor, 80 dB under the loudest cell",
        _levels(mel.values, mel.floor, mel.floor + DYNAMIC_RANGE_LOG10 / 4),
        stimulus,
        lambda f_hz: (mel_channel(f_hz) + 0.5) / N_MELS,
    )
    _token_grid(ImageDraw.Draw(image), stimulus.duration_s, top)
    image.save(path)


def _levels(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((values - low) / (high - low), 0, 1)


def _panel(
    image: Image.Image,
    top: int,
    title: str,
    levels: np.ndarray,
    stimulus: Stimulus,
    height_of: Callable[[float], float],
) -> None:
    """One picture, `levels` [F, T] in 0..1, with its title, axes and outlines; `height_of` maps
    Hz to 0..1 of the panel's height."""
    keys = np.linspace(0, 1, len(_COLOURS))
    rgb = np.stack([np.interp(levels[::-1], keys, _COLOURS[:, k]) for k in range(3)], axis=-1)
    picture = Image.fromarray(rgb.astype(np.uint8)).resize((_WIDTH, _HEIGHT), Image.Resampling.BOX)
    image.paste(picture, (_LEFT, top))
    draw = ImageDraw.Draw(image)
    draw.text((_LEFT, top - 28), title, _INK, _font(17))
    last = math.inf
    for f_hz in _TICKS_HZ:
        y = _y(top, height_of(f_hz))
        if last - y < _LABEL_HEIGHT:
            continue
        last = y
        draw.line((_LEFT - 6, y, _LEFT, y), _INK)
        draw.text((_LEFT - 10, y), f"{f_hz / 1000:g}", _INK, _font(14), anchor="rm")
    draw.text((6, top - 26), "kHz", _INK, _font(14))
    _time_axis(draw, stimulus.duration_s, top)
    for event in stimulus.events:
        draw.rectangle(_box(event, stimulus.duration_s, top, height_of), outline=_OUTLINE)


def _time_axis(draw: ImageDraw.ImageDraw, duration_s: float, top: int) -> None:
    step_s = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5) if duration_s / s <= 12)
    bottom = top + _HEIGHT
    for k in range(int(duration_s / step_s + 1e-9) + 1):
        x = _x(k * step_s, duration_s)
        draw.line((x, bottom, x, bottom + 10), _INK)
        draw.text((x, bottom + 12), f"{k * step_s:g}", _INK, _font(14), anchor="ma")
    draw.text((_LEFT + _WIDTH, bottom + 30), "time (s)", _INK, _font(14), anchor="ra")


def _token_grid(draw: ImageDraw.ImageDraw, duration_s: float, top: int) -> None:
    """One tick per audio token at the panel's lower edge."""
    for k in range(int(duration_s / TOKEN_S + 1e-9) + 1):
        x = _x(k * TOKEN_S, duration_s)
        draw.line((x, top + _HEIGHT - 8, x, top + _HEIGHT - 1), _GRID)


def _box(
    event: Event, duration_s: float, top: int, height_of: Callable[[float], float]
) -> tuple[float, float, float, float]:
    """An event's outline: its extent in time, its band widened by half an ERB either way."""
    low = event.lowest_hz - float(erb_hz(event.lowest_hz)) / 2
    high = event.highest_hz + float(erb_hz(event.highest_hz)) / 2
    upper, lower = _y(top, min(1.0, height_of(high))), _y(top, max(0.0, height_of(max(low, 0.0))))
    return (_x(event.onset_s, duration_s), upper, _x(event.offset_s, duration_s), lower)


def _x(time_s: float, duration_s: float) -> float:
    return _LEFT + min(time_s / duration_s, 1.0) * (_WIDTH - 1)


def _y(top: int, height: float) -> float:
    return top + (1 - height) * (_HEIGHT - 1)


@functools.cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
