"""What is really in a waveform, found without knowing how it was made.

Ridges of a short-time spectrum are followed from their loudest point, loudest first; each is then
demodulated, and the onset, offset, level and energy are read from its envelope.

*Conventions*: mono float [T], Hz, seconds, dBFS re full-scale sine peak; noise by its standard
deviation. Onset and offset are the feet of the linear ramps, extrapolated from the quarter, half
and three-quarter points of the envelope. The level is that of the envelope's plateau, the energy
its integral.

*What it can tell apart*: tones of 10 ms or longer above 100 Hz, at least 13 dB over the noise in
16 ms, with 10 ms between them, or overlapping in time and at least 200 Hz apart, the softer at
most 26 dB below the louder. Partials that begin and end together on one harmonic series are one
event. Sounds whose envelope flutters (noise bands, unresolved neighbours) are merged where they
overlap, and the measurement says that it is not resolved.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from spectcount.measure.envelope import FLUTTER, merge, read_event
from spectcount.measure.ridges import SEED_DB, find_ridges, noise_sigma, short_time_power, window
from spectcount.scales import SAMPLE_RATE, amplitude_to_db, e_n0_db


@dataclass(frozen=True)
class Measured:
    """A waveform's measurement; per-event tuples are in the order of onset, `gaps_ms` between
    neighbours in that order.

    `resolved` is False where the events could not be told apart or are no tones (their number and
    times are then a best guess); `limit_dbfs` is the level below which a tone would be missed.
    """

    n_events: int
    onsets_s: tuple[float, ...]
    offsets_s: tuple[float, ...]
    gaps_ms: tuple[float, ...]
    frequencies_hz: tuple[float, ...]
    levels_dbfs: tuple[float, ...]
    noise_sigma: float
    e_n0_db: tuple[float, ...]
    peak: float
    resolved: bool
    limit_dbfs: float


def measure(waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> Measured:
    """Find noise and events in a mono waveform [T]; see the module for what is resolvable."""
    wave = np.asarray(waveform, np.float32)
    power = short_time_power(wave)
    sigma = noise_sigma(power)
    noise_power = max(sigma, 2.0**-25) ** 2 * float(np.sum(window() ** 2))
    ridges = find_ridges(power, noise_power, sample_rate)
    found = [read_event(wave, ridge, ridges, sigma, sample_rate) for ridge in ridges]
    events = sorted(merge(found), key=lambda e: (e.onset_s, e.f_hz))
    limit = 2 * math.sqrt(noise_power * 10 ** (SEED_DB / 10)) / float(np.sum(window()))
    return Measured(
        n_events=len(events),
        onsets_s=tuple(e.onset_s for e in events),
        offsets_s=tuple(e.offset_s for e in events),
        gaps_ms=tuple(1000 * (b.onset_s - a.offset_s) for a, b in itertools.pairwise(events)),
        frequencies_hz=tuple(e.f_hz for e in events),
        levels_dbfs=tuple(float(amplitude_to_db(e.amplitude)) for e in events),
        noise_sigma=sigma,
        e_n0_db=tuple(e_n0_db(max(e.energy, 1e-30), sigma, sample_rate) for e in events),
        peak=float(np.max(np.abs(wave), initial=0.0)),
        resolved=all(e.flutter <= FLUTTER for e in events),
        limit_dbfs=float(amplitude_to_db(limit)),
    )
