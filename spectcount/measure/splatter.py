"""Splatter: energy that edges put far from a sound's own frequency.

A gap in a tone, or an onset without a ramp, spreads energy over other frequencies (a click). Who
hears that need not hear the gap, or the tone.

*Conventions*: beyond `BEYOND_CAM` Cam on either side of the sound's own band (ERB-number scale);
as d' of an ideal observer that knows that energy exactly in the clip's noise, white and band noise
together: sqrt(sum |D|^2 / (n/2 S)), D the spectrum of what spreads, S the noise's power per bin.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from spectcount.measure.stretches import Row, declared_power
from spectcount.scales import erb_number, erb_number_to_hz
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import event_waveform

BEYOND_CAM = 2.0
AUDIBLE = 1.0
"""d' from which spread energy is worth a caution."""
SHORT_MS = 2.0
"""Ramps shorter than this click."""
BRIEF_MS = 30.0
"""In sounds as short as this, ramps shorter than half of the sound do."""


def splatter_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[Row]:
    """Audibility of what edges spread: of a gap in a tone or a band, and of the sound whose ramps
    are the shortest where they click."""
    splatter = {f"Splatter of the gap beyond {BEYOND_CAM:g} Cam": _worst_gap(stimulus)}
    clicking = _clicking(stimulus)
    if clicking is not None:
        name = f"Splatter of the ramps beyond {BEYOND_CAM:g} Cam"
        splatter[name] = onset_splatter(stimulus, clicking)
    return [
        Row(name, f"below {AUDIBLE:g}", f"{d:.1f}", "d′", bool(d < AUDIBLE))
        for name, d in splatter.items()
        if d is not None
    ]


def gap_splatter(stimulus: Stimulus, event: Event) -> float:
    """d' of what the gap's edges put beyond `BEYOND_CAM` of the sound; inf without noise there."""
    whole = replace(event, gap_ms=0, gap_onset_ms=0, gap_ramp_ms=0)
    args = stimulus.sample_rate, stimulus.n_samples
    return _beyond(stimulus, event, event_waveform(event, *args) - event_waveform(whole, *args))


def onset_splatter(stimulus: Stimulus, event: Event) -> float:
    """d' of what a sound's ramps put beyond `BEYOND_CAM` of it."""
    wave = event_waveform(event, stimulus.sample_rate, stimulus.n_samples)
    return _beyond(stimulus, event, wave)


def cautions(stimulus: Stimulus) -> list[str]:
    """Sentences on what edges give away in this clip; none where nothing does."""
    sentences = []
    gap = _worst_gap(stimulus)
    if gap is not None and gap >= AUDIBLE:
        sentences.append(
            f"the gap's edges spread energy beyond {BEYOND_CAM:g} Cam that could be heard by "
            f"itself (d′ up to {gap:.3g}): raise gap_ramp_ms or noise_sigma, or add "
            "notched_noise_dbfs"
        )
    event = _clicking(stimulus)
    d = 0.0 if event is None else onset_splatter(stimulus, event)
    if event is not None and d >= AUDIBLE:
        shortest_ms = min(event.attack_ms, event.release_ms)
        sentences.append(
            f"a sound of {1000 * event.duration_s:g} ms with ramps down to {shortest_ms:g} ms "
            f"clicks: its energy beyond {BEYOND_CAM:g} Cam could be heard by itself (d′ up to "
            f"{d:.3g}); lengthen the ramps, at {BRIEF_MS:g} ms or less to half of the sound"
        )
    return sentences


def _worst_gap(stimulus: Stimulus) -> float | None:
    """The largest splatter of a gap in a tone or a band; None where there is no such gap."""
    gapped = [e for e in stimulus.events if e.gap_ms > 0 and not e.broadband]
    return max((gap_splatter(stimulus, e) for e in gapped), default=None)


def _clicking(stimulus: Stimulus) -> Event | None:
    """The tone or band with the shortest ramps, where they are shorter than `SHORT_MS`, or than
    half of a brief sound; None where there is none."""
    steep = [
        e
        for e in stimulus.sounds
        if not e.broadband and min(e.attack_ms, e.release_ms) < _least_ramp_ms(e) - 1e-6
    ]
    return min(steep, key=lambda e: min(e.attack_ms, e.release_ms), default=None)


def _least_ramp_ms(event: Event) -> float:
    brief = 1000 * event.duration_s <= BRIEF_MS
    return 500 * event.duration_s if brief else SHORT_MS


def _beyond(stimulus: Stimulus, event: Event, wave: np.ndarray) -> float:
    """d' of a waveform's part away from the event's own band."""
    n = len(wave)
    hz = np.fft.rfftfreq(n, 1 / stimulus.sample_rate)
    ends = np.array([erb_number(event.lowest_hz), erb_number(event.highest_hz)])
    low_hz, high_hz = erb_number_to_hz(ends + np.array([-BEYOND_CAM, BEYOND_CAM]))
    far = (hz < low_hz) | (hz > high_hz)
    power = 2 / n * np.abs(np.fft.rfft(wave)[far]) ** 2
    noise = _noise(stimulus, event, hz[far])
    if not noise.all():
        return math.inf if power[noise == 0].sum() > 0 else 0.0
    return float(np.sqrt(np.sum(power / noise)))


def _noise(stimulus: Stimulus, event: Event, hz: np.ndarray) -> np.ndarray:
    """Variance of white noise with the density that the clip's noise has at each frequency."""
    noise = np.full(len(hz), stimulus.noise_sigma**2)
    for other in stimulus.background:
        around = other.onset_s <= event.onset_s and event.offset_s <= other.offset_s
        if other.wave == "noise" and around:
            inside = (hz >= other.lowest_hz) & (hz <= other.highest_hz)
            density = declared_power(other) * stimulus.sample_rate / 2 / other.bandwidth_hz
            noise = noise + inside * density
    return noise
