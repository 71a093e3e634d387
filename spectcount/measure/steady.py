"""Checks of one sound in noise: onset, length and level of what is no plain tone; E/N0 of a tone
too faint to be found by itself; level of a band that masks it.

*Conventions*: as in `spectcount.measure.stretches`. E/N0 is that of the tone's declared frequency
and envelope, amplitude and phase fitted by least squares, over the density of the noise in the
quiet cells of the clip.
"""

from __future__ import annotations

import itertools

import numpy as np

from spectcount.measure.stretches import (
    DB,
    ROUNDING_POWER,
    Row,
    alone,
    declared_power,
    likeliest_stretch,
    list_row,
    noise_power,
    number_row,
    plain,
    plateau,
    power_error,
)
from spectcount.scales import e_n0_db, noise_density
from spectcount.stimulus import Event, Stimulus

LEVEL_DB = 0.3
TIME_MS = 1.0
RAMP_SHARE = 0.3
LEAST_DB = 15.0
"""How far over the noise a sound must be for its ends to be seen."""
LEAST_D_PRIME = 3.0
"""Sensitivity of the ideal observer to a tone below which its energy is not to be measured."""
AMPLITUDE_SHARE = 0.06


def sound_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
    """Events that are noise, or have a gap or modulation, one after the other: onset, length and
    level."""
    events, fs = stimulus.events, stimulus.sample_rate
    if not events or stimulus.background or not all(map(_no_plain_tone, events)):
        return []
    if not all(alone(e, tuple(o for o in events if o is not e)) for e in events):
        return []
    wave, noise = np.asarray(waveform, np.float64), noise_power(stimulus, waveform)
    onsets_s = lengths_ms = None
    if all(_clear(e, stimulus) for e in events):
        ends = _ends(wave, events, noise, fs)
        onsets_s = [start / fs for start, _ in ends][:1]
        lengths_ms = [1000 * (stop - start) / fs for start, stop in ends]
    off_ms = [_edge_ms(e) for e in events]
    levels = [_level(e, wave, noise, fs) for e in events]
    declared_db = [e.level_dbfs for e in events]
    measured_db = None if None in levels else [v for v, _ in filter(None, levels)]
    off_db = [off for _, off in filter(None, levels)]
    return [
        list_row("First onset", [events[0].onset_s], onsets_s, "s", [off_ms[0] / 1000], 3),
        list_row(
            "Lengths",
            [1000 * e.duration_s for e in events],
            lengths_ms,
            "ms",
            [2 * off for off in off_ms],
        ),
        list_row("Levels", declared_db, measured_db, "dBFS", off_db),
    ]


def tone_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
    """One tone in noise: E/N0 by its matched filter, and the level of a noise that masks it."""
    if len(stimulus.events) != 1 or stimulus.noise_sigma == 0:
        return []
    tone, fs = stimulus.events[0], stimulus.sample_rate
    maskers = [e for e in stimulus.background if not alone(tone, (e,))]
    if tone.wave != "sine" or not plain(tone) or any(e.wave != "noise" for e in maskers):
        return []
    noise, wave = noise_power(stimulus, waveform), np.asarray(waveform, np.float64)
    envelope = _envelope(tone, fs)
    area = float(np.sum(envelope**2))
    interference = noise + sum(_density_at(tone, m, fs) for m in maskers)
    amplitude = np.sqrt(2 * declared_power(tone))
    error = float(np.sqrt(2 * interference / area))
    declared = e_n0_db(tone.energy, stimulus.noise_sigma, fs)
    measured, tolerance = None, 0.0
    if amplitude > LEAST_D_PRIME * error:
        fitted = _fitted_power(wave, tone, envelope, fs) - 4 * interference / area
        energy = max(fitted, 1e-20) / 2 * area / fs
        measured = float(10 * np.log10(energy / noise_density(np.sqrt(noise), fs)))
        tolerance = 2 * DB * (3 * error / amplitude + AMPLITUDE_SHARE)
    return [
        number_row("E/N0 by matched filter", declared, measured, "dB", tolerance),
        *(_masker_row(m, tone, wave, noise, fs) for m in maskers if len(maskers) == 1),
    ]


def _no_plain_tone(event: Event) -> bool:
    return event.wave in ("noise", "white") or (event.wave == "sine" and not plain(event))


def _clear(event: Event, stimulus: Stimulus) -> bool:
    """True of a sound so far over the noise that its ends can be seen."""
    return declared_power(event) > stimulus.noise_sigma**2 * 10 ** (LEAST_DB / 10)


def _ends(
    wave: np.ndarray, events: tuple[Event, ...], noise: float, fs: int
) -> list[tuple[int, int]]:
    """First sample of each event and the one after its last, looked for up to the middle of the
    silences between them."""
    inner_s = [(a.offset_s + b.onset_s) / 2 for a, b in itertools.pairwise(events)]
    edges = [0, *(round(t * fs) for t in inner_s), len(wave)]
    ends = []
    for event, start, stop in zip(events, edges, edges[1:], strict=False):
        stretch = likeliest_stretch(wave[start:stop] ** 2, declared_power(event) + noise, noise)
        ends.append((start + stretch.start, start + stretch.stop))
    return ends


def _edge_ms(event: Event) -> float:
    """Tolerance of an end: what a ramp, or the low part of a modulation, hides."""
    ramp_ms = RAMP_SHARE * max(event.attack_ms, event.release_ms)
    hidden_ms = 250 * event.am_depth / event.am_rate_hz if event.am_depth else 0.0
    return TIME_MS + ramp_ms + hidden_ms


def _level(event: Event, wave: np.ndarray, noise: float, fs: int) -> tuple[float, float] | None:
    """Level over the plateau, a gap and broken periods of a modulation left out, dBFS, and how far
    it may be off, dB; None where a gap leaves nothing."""
    where = plateau(event, fs)
    square = wave[where] ** 2
    if event.gap_ms:
        from_onset_ms = 1000 * (np.arange(where.start, where.stop) / fs - event.onset_s)
        margin_ms = event.gap_ramp_ms + 1000 / fs
        before = from_onset_ms < event.gap_onset_ms - margin_ms
        square = square[before | (from_onset_ms > event.gap_onset_ms + event.gap_ms + margin_ms)]
    if event.am_depth and len(square) * event.am_rate_hz >= fs:
        period = fs / event.am_rate_hz
        square = square[: round(int(len(square) / period) * period)]
    if len(square) == 0:
        return None
    power = max(float(np.mean(square)) - noise, ROUNDING_POWER)
    error = power_error(event, declared_power(event), noise, len(square), fs)
    return float(DB * np.log(2 * power)), LEVEL_DB + 3 * DB * error


def _envelope(event: Event, fs: int) -> np.ndarray:
    """Ramps and plateau, [n]."""
    place = np.arange(round(event.duration_s * fs)) + 0.5
    edges = [place / max(event.attack_ms * fs / 1000, 1e-9)]
    edges.append((len(place) - place) / max(event.release_ms * fs / 1000, 1e-9))
    line = np.minimum(np.minimum(*edges), 1.0)
    return line if event.ramp == "linear" else np.sin(np.pi / 2 * line) ** 2


def _fitted_power(wave: np.ndarray, tone: Event, envelope: np.ndarray, fs: int) -> float:
    """Squared amplitude of a tone of known frequency and envelope and any phase."""
    start = round(tone.onset_s * fs)
    part = wave[start : start + len(envelope)]
    shape = envelope[: len(part)]
    phase = 2 * np.pi * tone.frequency_hz * np.arange(len(part)) / fs
    basis = np.stack([shape * np.sin(phase), shape * np.cos(phase)], axis=1)
    return float(np.sum(np.linalg.lstsq(basis, part, rcond=None)[0] ** 2))


def _density_at(tone: Event, masker: Event, fs: int) -> float:
    """Power that a band of noise adds, at the tone's frequency, to that of white noise."""
    width_hz = max(masker.bandwidth_hz, 1 / tone.duration_s)
    reach_hz = width_hz / 2 + 2 / tone.duration_s
    if abs(tone.frequency_hz - masker.frequency_hz) > reach_hz:
        return 0.0
    return declared_power(masker) * fs / (2 * width_hz)


def _masker_row(masker: Event, tone: Event, wave: np.ndarray, noise: float, fs: int) -> Row:
    """Level of a masker over its plateau, the tone's time left out."""
    where = plateau(masker, fs)
    at_s = np.arange(where.start, where.stop) / fs
    square = wave[where][(at_s < tone.onset_s) | (at_s > tone.offset_s)] ** 2
    if len(square) == 0:
        return number_row("Masker level", masker.level_dbfs, None, "dBFS", LEVEL_DB)
    power = max(float(np.mean(square)) - noise, ROUNDING_POWER)
    error = power_error(masker, declared_power(masker), noise, len(square), fs)
    measured, tolerance = float(DB * np.log(2 * power)), LEVEL_DB + 3 * DB * error
    return number_row("Masker level", masker.level_dbfs, measured, "dBFS", tolerance)
