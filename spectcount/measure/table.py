"""Declared against measured: the table beside a clip.

*Conventions*: a row's two values are words ready to show, `ok` is True or False where the two can
be compared, None where they cannot. Neighbours in frequency are the events' distinct frequencies in
rising order. Tones are found and measured without knowing the stimulus; what else a stimulus
declares (a gap, a modulation, two sounds to be compared, a masker ...) is measured by the `CHECKS`
that it is of the kind of.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spectcount.measure.comparisons import comparison_rows
from spectcount.measure.envelopes import gap_rows, modulation_rows
from spectcount.measure.ridges import noise_sigma, short_time_power
from spectcount.measure.sequences import (
    asynchrony_rows,
    interval_rows,
    lateness_rows,
    probe_rows,
    protected_rows,
)
from spectcount.measure.splatter import splatter_rows
from spectcount.measure.steady import sound_rows, tone_rows
from spectcount.measure.stretches import NOT_RESOLVED, Row, covered, plain, span_words
from spectcount.measure.waveform import Measured, measure
from spectcount.scales import e_n0_db, erb_number, mel_channel
from spectcount.stimulus import Event, Stimulus

SILENT_SIGMA = 1e-7
SAME_HZ = 3.0
LIMIT_MARGIN_DB = 6.0
GLIDE_MARGIN_DB = 20.0
SHORTEST_GLIDE_S = 0.05
APART_HZ = 200.0
APART_S = 0.01
LOWEST_HZ = 100.0

TOLERANCE = {
    "onset_s": 0.004,
    "gap_ms": 6.0,
    "frequency_cam": 0.07,
    "level_db": 0.7,
    "sigma": 0.05,
    "peak": 1e-6,
}
"""How far a measurement may lie from the declaration and still agree; sigma as a share."""


Rows = list[Row]

CHECKS: tuple[Callable[[Stimulus, np.ndarray], Rows], ...] = (
    sound_rows,
    tone_rows,
    gap_rows,
    splatter_rows,
    modulation_rows,
    comparison_rows,
    asynchrony_rows,
    interval_rows,
    lateness_rows,
    probe_rows,
    protected_rows,
)
"""Each gives rows for the stimuli of its kind, told by what they declare, and none for others."""


def declared_and_measured(stimulus: Stimulus, waveform: np.ndarray) -> Rows:
    """The rows for a Stimulus and the waveform [T] that is to be checked against it."""
    wave = np.asarray(waveform, np.float32)
    if all(map(_tone, stimulus.sounds)):
        rows = _tone_rows(stimulus, measure(wave, stimulus.sample_rate))
    else:
        rows = [_unresolved_row(stimulus)]
    for check in CHECKS:
        rows += check(stimulus, wave)
    return [*rows, *_clip_rows(stimulus, wave)]


def _in_order(stimulus: Stimulus) -> list[Event]:
    """All sounds in the order in which they are found: that of onset."""
    return sorted(stimulus.sounds, key=lambda e: (e.onset_s, e.frequency_hz))


def _tone(event: Event) -> bool:
    """True of an event that has a frequency of its own and sounds without a break."""
    return not event.broadband and event.wave != "noise" and plain(event)


def _count_name(stimulus: Stimulus) -> str:
    return "Events and background" if stimulus.background else "Events"


def _unresolved_row(stimulus: Stimulus) -> Row:
    """Sounds that are no tones are not counted: where one ends is theirs to know."""
    n = str(len(stimulus.sounds))
    return Row(_count_name(stimulus), n, NOT_RESOLVED, "", None)


def _count_row(stimulus: Stimulus, measured: Measured, comparable: bool) -> Row:
    declared, words = len(stimulus.sounds), str(measured.n_events)
    if not measured.resolved:
        words = NOT_RESOLVED
    elif measured.n_events == 0:
        words = f"0 above {measured.limit_dbfs:.0f} dBFS"
    ok = declared == measured.n_events if comparable else None
    return Row(_count_name(stimulus), str(declared), words, "", ok)


def _tone_rows(stimulus: Stimulus, measured: Measured) -> Rows:
    """Number of the tones and, where there are any, what is found of them one by one."""
    comparable = measured.resolved and _separable(stimulus) and _above(stimulus, measured)
    rows = [_count_row(stimulus, measured, comparable)]
    tones = _in_order(stimulus)
    if not tones:
        return rows
    agree = comparable and measured.n_events == len(tones)
    onsets, offsets = [e.onset_s for e in tones], [e.offset_s for e in tones]
    gaps = [1000 * (b - a) for a, b in zip(offsets, onsets[1:], strict=False)]
    hz, levels = [e.frequency_hz for e in tones], [e.level_dbfs for e in tones]
    tol = TOLERANCE
    pairs = [
        ("First onset", "s", onsets[:1], measured.onsets_s[:1], _digits(3), tol["onset_s"]),
        ("Smallest gap", "ms", gaps, measured.gaps_ms, _of(min, 1), tol["gap_ms"]),
        ("Mean gap", "ms", gaps, measured.gaps_ms, _of(np.mean, 1), tol["gap_ms"]),
        ("Frequencies", "Hz", hz, measured.frequencies_hz, _range(0), tol["frequency_cam"]),
        ("Levels", "dBFS", levels, measured.levels_dbfs, _range(1), tol["level_db"]),
    ]
    rows += [_compared(*pair, agree) for pair in pairs if len(pair[2])]
    if stimulus.noise_sigma > 0:
        ratios = [e_n0_db(e.energy, stimulus.noise_sigma, stimulus.sample_rate) for e in tones]
        rows.append(
            _compared("E/N0", "dB", ratios, measured.e_n0_db, _range(1), 2 * tol["level_db"], agree)
        )
    return [*rows, *_neighbour_rows(hz, measured.frequencies_hz, agree)]


def _neighbour_rows(
    declared_hz: Sequence[float], measured_hz: Sequence[float], agree: bool
) -> Rows:
    """Frequency overlap on three scales and as the share of an ERB in common."""
    if len(declared_hz) < 2:
        return []
    scales: list[tuple[str, str, Callable[[Any], Any], int, float]] = [
        ("Neighbours apart", "Hz", np.asarray, 0, 5.0),
        ("Neighbours apart", "Cam", erb_number, 2, 0.05),
        ("Neighbours apart", "mel channels", mel_channel, 1, 0.3),
    ]
    rows = [
        _compared(
            name, unit, _steps(of, declared_hz), _steps(of, measured_hz), _range(n), tol, agree
        )
        for name, unit, of, n, tol in scales
    ]
    declared, measured = _shared_erb(declared_hz), _shared_erb(measured_hz)
    words = _range(2)
    shared = _compared("ERB shared by neighbours", "", declared, measured, words, 0.05, agree)
    return [*rows, shared]


def _clip_rows(stimulus: Stimulus, wave: np.ndarray) -> Rows:
    sigma, peak = stimulus.noise_sigma, float(np.max(np.abs(wave), initial=0.0))
    declared = f"{sigma:.5f}" if sigma else "0"
    noise = Row("Noise sigma", declared, NOT_RESOLVED, "", None)
    if not covered(stimulus):
        clip_sigma = noise_sigma(short_time_power(wave))
        measured = f"{clip_sigma:.2g}" if sigma == 0 else f"{clip_sigma:.5f}"
        measured = "0" if clip_sigma <= SILENT_SIGMA else measured
        close = abs(clip_sigma - sigma) <= TOLERANCE["sigma"] * sigma + SILENT_SIGMA
        noise = Row("Noise sigma", declared, measured, "", close)
    within = peak <= 1 + TOLERANCE["peak"]
    return [noise, Row("Peak", "at most 1", f"{peak:.3f}", "", within)]


def _compared(
    quantity: str,
    unit: str,
    declared: Sequence[float],
    measured: Sequence[float],
    words: Callable[[Sequence[float]], str],
    tolerance: float,
    agree: bool,
) -> Row:
    """One row about a list per side; "not resolved" unless the events were found one by one."""
    if not agree or len(declared) != len(measured):
        return Row(quantity, words(declared), NOT_RESOLVED, unit, None)
    ruler = erb_number if quantity == "Frequencies" else float
    ends = [abs(ruler(f(declared)) - ruler(f(measured))) for f in (min, max)]
    return Row(quantity, words(declared), words(measured), unit, bool(max(ends) <= tolerance))


def _separable(stimulus: Stimulus) -> bool:
    """True where `measure` can tell the declared tones apart: none too low, no glide too short, no
    two too close."""
    sounds = stimulus.sounds
    if any(e.lowest_hz < LOWEST_HZ for e in sounds):
        return False
    if any(e.wave == "chirp" and e.duration_s < SHORTEST_GLIDE_S for e in sounds):
        return False
    return not any(
        b.onset_s - a.offset_s < APART_S - 1e-6 and _hz_apart(a, b) < APART_HZ
        for a, b in itertools.combinations(_in_order(stimulus), 2)
    )


def _hz_apart(a: Event, b: Event) -> float:
    return max(a.lowest_hz, b.lowest_hz) - min(a.highest_hz, b.highest_hz)


def _above(stimulus: Stimulus, measured: Measured) -> bool:
    """True where every declared event is loud enough to be found in the noise measured, and every
    glide to be followed."""
    margins = {"chirp": GLIDE_MARGIN_DB}
    return all(
        e.level_dbfs > measured.limit_dbfs + margins.get(e.wave, LIMIT_MARGIN_DB)
        for e in stimulus.sounds
    )


def _steps(scale: Callable[[Any], Any], hz: Sequence[float]) -> list[float]:
    """Distances between neighbours in frequency; one of 0 where all share a frequency."""
    places = [float(scale(f)) for f in _distinct(hz)]
    return [b - a for a, b in itertools.pairwise(places)] or [0.0]


def _shared_erb(hz: Sequence[float]) -> list[float]:
    return [max(0.0, 1 - step) for step in _steps(erb_number, hz)]


def _distinct(hz: Sequence[float]) -> list[float]:
    distinct: list[float] = []
    for f in sorted(hz):
        if not distinct or f - distinct[-1] > SAME_HZ:
            distinct.append(f)
    return distinct


def _digits(n: int) -> Callable[[Sequence[float]], str]:
    return lambda values: f"{values[0]:.{n}f}"


def _of(reduce: Callable[[Any], Any], n: int) -> Callable[[Sequence[float]], str]:
    return lambda values: f"{float(reduce(values)):.{n}f}"


def _range(n: int) -> Callable[[Sequence[float]], str]:
    return lambda values: span_words(values, n)
