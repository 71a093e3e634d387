"""The encoder's auxiliary objective: what sounds, where, how loud, at 10 ms.

*Conventions*: an audio token lasts 40 ms, `FRAMES` frames of 10 ms. Targets are made from what a
Stimulus declares, maskers included, its white noise not. The read-out is linear and thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spectcount.scales import N_MELS, erb_number, mel_centres_hz
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import _envelope

BANDS = 16
ROWS = BANDS + 1
"""Mel bands, and one row for sounds without a frequency."""
FRAMES = 4
FRAME_S = 0.01
RATE = 1000
SOUNDING = 0.3
FULL = 0.7
TOGETHER_S = 0.005


@dataclass(frozen=True)
class Targets:
    """`onset`, `sound` [B, tokens, FRAMES, ROWS] in 0..1, `channel` [B, tokens, N_MELS] in 0..1,
    `level` [B, tokens, ROWS] (0 at -30 dBFS, 1 at -10), NaN where nothing sounds."""

    onset: torch.Tensor
    sound: torch.Tensor
    channel: torch.Tensor
    level: torch.Tensor


@dataclass(frozen=True)
class Loudest:
    """Of the loudest sound that fills a token [B, tokens]: `pitch` (0 at 18 Cam, 1 at 26) and
    `loudness` (0 at -30 dBFS, 1 at -10), NaN where there is none; noises have no pitch."""

    pitch: torch.Tensor
    loudness: torch.Tensor


def loudest(stimuli: list[Stimulus], n_tokens: int) -> Loudest:
    """One number for pitch and one for loudness, whatever the band: what comparisons need."""
    pitch = np.full((len(stimuli), n_tokens), np.nan, np.float32)
    loudness = np.full((len(stimuli), n_tokens), np.nan, np.float32)
    for b, stimulus in enumerate(stimuli):
        for event in sorted(stimulus.sounds, key=lambda e: e.level_dbfs):
            first, heard = envelope(event, n_tokens * FRAMES)
            full = np.zeros(n_tokens * FRAMES, bool)
            full[first : first + len(heard)] = heard > FULL
            filled = full.reshape(n_tokens, FRAMES).sum(axis=1) >= FRAMES - 1
            tonal = event.wave in ("sine", "harmonic")
            cam = (erb_number(event.frequency_hz) - 18) / 8 if tonal else np.nan
            pitch[b, filled] = cam
            loudness[b, filled] = (event.level_dbfs + 30) / 20
    return Loudest(torch.from_numpy(pitch), torch.from_numpy(loudness))


def targets(stimuli: list[Stimulus], n_tokens: int) -> Targets:
    """What the encoder should tell of each clip."""
    n, frames = len(stimuli), n_tokens * FRAMES
    onset = np.zeros((n, frames, ROWS), np.float32)
    sound = np.zeros((n, frames, ROWS), np.float32)
    channel = np.zeros((n, frames, N_MELS), np.float32)
    level = np.full((n, frames, ROWS), np.nan, np.float32)
    for b, stimulus in enumerate(stimuli):
        for event in stimulus.sounds:
            first, heard = envelope(event, frames)
            if not len(heard):
                continue
            rows, span = _rows(event), slice(first, first + len(heard))
            onset[b, first, rows] = 1
            sound[b, span, rows] = np.maximum(sound[b, span, rows], heard[:, None])
            if event.wave in ("sine", "harmonic"):
                for k, weight in _channels(event.frequency_hz):
                    channel[b, span, k] = np.maximum(channel[b, span, k], weight * (heard > 0.3))
            loud = (event.level_dbfs + 30) / 20
            places = np.where(heard[:, None] > SOUNDING, loud, np.nan)
            level[b, span, rows] = np.fmax(level[b, span, rows], places)
    by_token = channel.reshape(n, n_tokens, FRAMES, N_MELS).max(axis=2)
    levels = level.reshape(n, n_tokens, FRAMES, ROWS)
    loudest = np.where(np.isnan(levels), -np.inf, levels).max(axis=2)
    loudest[np.isinf(loudest)] = np.nan
    shape = (n, n_tokens, FRAMES, ROWS)
    arrays = (onset.reshape(shape), sound.reshape(shape), by_token, loudest)
    return Targets(*(torch.from_numpy(a) for a in arrays))


def envelope(event: Event, n_frames: int) -> tuple[int, np.ndarray]:
    """First frame of an event, and its envelope over frames, 1 where it is fullest."""
    first = min(round(event.onset_s / FRAME_S), n_frames - 1)
    n = max(round(event.duration_s * RATE), 1)
    fine = _envelope(event, np.arange(n) / RATE, RATE)
    fine = np.minimum(fine * np.sqrt(1 + event.am_depth**2 / 2) / (1 + event.am_depth), 1)
    per_frame = round(RATE * FRAME_S)
    padded = np.pad(fine, (0, -n % per_frame)).reshape(-1, per_frame).mean(axis=1)
    return first, padded[: n_frames - first].astype(np.float32)


def intervals(stimuli: list[Stimulus], n_tokens: int) -> torch.Tensor:
    """[B, tokens]: log2 of the time since the onset before, over 250 ms, in the token of an onset;
    NaN elsewhere. Onsets within 5 ms are one."""
    wanted = np.full((len(stimuli), n_tokens), np.nan, np.float32)
    for b, stimulus in enumerate(stimuli):
        before_s: float | None = None
        for onset_s in sorted(e.onset_s for e in stimulus.sounds):
            if before_s is not None and onset_s - before_s > TOGETHER_S:
                token = min(int(onset_s / (FRAMES * FRAME_S)), n_tokens - 1)
                wanted[b, token] = np.log2((onset_s - before_s) / 0.25)
            if before_s is None or onset_s - before_s > TOGETHER_S:
                before_s = onset_s
    return torch.from_numpy(wanted)


class Head(torch.nn.Module):
    """The linear read-out of the encoder's states."""

    def __init__(self, width: int):
        super().__init__()
        self.sizes = (FRAMES * ROWS, FRAMES * ROWS, N_MELS, ROWS)
        self.linear = torch.nn.Linear(width, sum(self.sizes))

    def losses(self, states: torch.Tensor, wanted: Targets) -> dict[str, torch.Tensor]:
        """One loss for each kind of target; binary cross-entropy, and squares of levels."""
        onset, sound, channel, level = self.linear(states).float().split(self.sizes, dim=-1)
        shape = wanted.onset.shape
        heard = ~wanted.level.isnan()
        error = (level - wanted.level.nan_to_num()) ** 2 * heard
        return {
            "onset": _bce(onset.reshape(shape), wanted.onset, 4.0),
            "sound": _bce(sound.reshape(shape), wanted.sound, 2.0),
            "channel": _bce(channel, wanted.channel, 4.0),
            "level": error.sum() / heard.sum().clamp(min=1),
        }


class Scalars(torch.nn.Module):
    """The linear read-out of pitch and loudness."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = torch.nn.Linear(width, 2)

    def losses(self, states: torch.Tensor, wanted: Loudest) -> dict[str, torch.Tensor]:
        """Mean error where there is something to tell, smoothed below a twentieth."""
        pitch, loudness = self.linear(states).float().unbind(-1)
        return {
            "pitch": _error(pitch, wanted.pitch),
            "loudness": _error(loudness, wanted.loudness),
        }


class Intervals(torch.nn.Module):
    """The linear read-out of the time since the onset before."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = torch.nn.Linear(width, 1)

    def losses(self, states: torch.Tensor, wanted: torch.Tensor) -> dict[str, torch.Tensor]:
        """Mean error at the onsets."""
        return {"interval_length": _error(self.linear(states).float()[..., 0], wanted)}


def _error(values: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    known = ~wanted.isnan()
    errors = torch.nn.functional.smooth_l1_loss(
        values, wanted.nan_to_num(), beta=0.05, reduction="none"
    )
    return (errors * known).sum() / known.sum().clamp(min=1)


def _bce(logits: torch.Tensor, wanted: torch.Tensor, weight: float) -> torch.Tensor:
    positive: Any = torch.tensor(weight, device=logits.device)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=positive)


def _rows(event: Event) -> slice:
    """Rows of the targets in which an event lies."""
    if event.broadband:
        return slice(BANDS, BANDS + 1)
    edges = np.array([event.lowest_hz, min(event.highest_hz, 7900.0)])
    if event.wave != "noise":
        edges[:] = event.frequency_hz
    centres = mel_centres_hz()
    low, high = (int(np.argmin(np.abs(centres - hz))) * BANDS // N_MELS for hz in edges)
    return slice(low, high + 1)


def _channels(f_hz: float) -> list[tuple[int, float]]:
    """The two mel channels about a frequency, with weights that add to 1."""
    place = float(np.interp(f_hz, mel_centres_hz(), np.arange(N_MELS)))
    k = min(int(place), N_MELS - 2)
    return [(k, 1 - (place - k)), (k + 1, place - k)]
