"""Carriers: real sounds from files, kept on this machine for the family `real_sound`.

Conventions: settings come first; a file becomes mono float32 at 16 kHz and nothing else is changed;
bad input raises `UserError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectcount import carriers as kept
from spectcount.actions.sounds import load_clip
from spectcount.errors import UserError
from spectcount.scales import SAMPLE_RATE, amplitude_to_db
from spectcount.settings import Settings

SHORTEST_S, LONGEST_S = 0.01, 30.0
MOST_OF_A_VISITOR = 10
MOST_IN_DEMO = 200
"""Recordings that a public page keeps; the oldest go first."""
SILENT_DBFS = -90.0
"""A sound whose RMS is that of a softer sine is silence: it cannot be brought to a level without
raising its rounding noise."""


@dataclass(frozen=True)
class Carrier:
    """A sound that this machine holds: its content hash and its length."""

    hash: str
    duration_s: float


def add_carrier(settings: Settings, path: str | Path) -> tuple[str, tuple[str, ...]]:
    """Keep the sound in a WAV, FLAC, OGG or MP3 file; its hash, and notes on what was done to it.
    Raises `UserError` for a file that is broken, silent, too short, or over the mode's limits."""
    samples, notes = load_clip(path, settings, LONGEST_S)
    name = Path(path).name
    if len(samples) < SHORTEST_S * SAMPLE_RATE:
        raise UserError(
            f"{name} lasts {len(samples) / SAMPLE_RATE:.3f} s, the shortest carrier {SHORTEST_S:g} "
            "s; give a longer recording"
        )
    level_dbfs = float(amplitude_to_db(np.sqrt(2 * np.mean(samples.astype(np.float64) ** 2))))
    if level_dbfs < SILENT_DBFS:
        raise UserError(
            f"{name} is silent: it has {level_dbfs:.0f} dBFS, the limit {SILENT_DBFS:g}; "
            "give a recording with sound in it"
        )
    kept.use_folder(settings.home / "carriers")
    if settings.demo and len(kept.known()) >= MOST_OF_A_VISITOR:
        raise UserError(
            f"you have {MOST_OF_A_VISITOR} recordings here already, the demo's limit; use one of "
            "them, or run a copy of your own"
        )
    if settings.demo:
        kept.forget_oldest(MOST_IN_DEMO - 1)
    return kept.register(samples), notes


def carriers(settings: Settings) -> list[Carrier]:
    """All carriers of this machine, newest first."""
    kept.use_folder(settings.home / "carriers")
    return [Carrier(digest, len(kept.waveform(digest)) / SAMPLE_RATE) for digest in kept.known()]
