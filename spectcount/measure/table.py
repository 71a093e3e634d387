"""Declared against measured: the table beside a clip.

*Conventions*: each row is {quantity, declared, measured, unit, ok}; the two values are words ready
to show, `ok` is True or False where the two can be compared, None where they cannot. Neighbours
in frequency are the events' distinct frequencies in rising order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spectcount.measure.waveform import Measured, measure
from spectcount.scales import e_n0_db, erb_number, mel_channel
from spectcount.stimulus import Event, Stimulus

NOT_RESOLVED = "not resolved"
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


def declared_and_measured(stimulus: Stimulus, waveform: np.ndarray) -> list[dict[str, Any]]:
    """The rows for a Stimulus and the waveform [T] that is to be checked against it."""
    found = measure(waveform, stimulus.sample_rate)
    comparable = found.resolved and _separable(stimulus) and _above(stimulus, found)
    rows = [_count_row(stimulus, found, comparable)]
    if stimulus.events:
        agree = comparable and found.n_events == len(stimulus.events)
        rows += _event_rows(stimulus, found, agree)
    return [*rows, *_clip_rows(stimulus, found)]


def _count_row(stimulus: Stimulus, found: Measured, comparable: bool) -> dict[str, Any]:
    declared, measured = len(stimulus.events), str(found.n_events)
    if not found.resolved:
        measured = NOT_RESOLVED
    elif found.n_events == 0:
        measured = f"0 above {found.limit_dbfs:.0f} dBFS"
    ok = declared == found.n_events if comparable else None
    return _row("Events", str(declared), measured, "", ok)


def _event_rows(stimulus: Stimulus, found: Measured, agree: bool) -> list[dict[str, Any]]:
    events = stimulus.events
    onsets, offsets = [e.onset_s for e in events], [e.offset_s for e in events]
    gaps = [1000 * (b - a) for a, b in zip(offsets, onsets[1:], strict=False)]
    hz, levels = [e.frequency_hz for e in events], [e.level_dbfs for e in events]
    tol = TOLERANCE
    pairs = [
        ("First onset", "s", onsets[:1], found.onsets_s[:1], _digits(3), tol["onset_s"]),
        ("Smallest gap", "ms", gaps, found.gaps_ms, _of(min, 1), tol["gap_ms"]),
        ("Mean gap", "ms", gaps, found.gaps_ms, _of(np.mean, 1), tol["gap_ms"]),
        ("Frequencies", "Hz", hz, found.frequencies_hz, _range(0), tol["frequency_cam"]),
        ("Levels", "dBFS", levels, found.levels_dbfs, _range(1), tol["level_db"]),
    ]
    rows = [_compared(*pair, agree) for pair in pairs if len(pair[2])]
    if stimulus.noise_sigma > 0:
        ratios = [e_n0_db(e.energy, stimulus.noise_sigma, stimulus.sample_rate) for e in events]
        rows.append(
            _compared("E/N0", "dB", ratios, found.e_n0_db, _range(1), 2 * tol["level_db"], agree)
        )
    return [*rows, *_neighbour_rows(hz, found.frequencies_hz, agree)]


def _neighbour_rows(
    declared_hz: Sequence[float], measured_hz: Sequence[float], agree: bool
) -> list[dict[str, Any]]:
    """What frequency overlap comes to, on three scales and as the share of an ERB in common."""
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


def _clip_rows(stimulus: Stimulus, found: Measured) -> list[dict[str, Any]]:
    sigma = stimulus.noise_sigma
    close = abs(found.noise_sigma - sigma) <= TOLERANCE["sigma"] * sigma + SILENT_SIGMA
    measured = f"{found.noise_sigma:.2g}" if sigma == 0 else f"{found.noise_sigma:.5f}"
    if found.noise_sigma <= SILENT_SIGMA:
        measured = "0"
    declared = f"{sigma:.5f}" if sigma else "0"
    return [
        _row("Noise sigma", declared, measured, "", close),
        _row("Peak", "at most 1", f"{found.peak:.3f}", "", found.peak <= 1 + TOLERANCE["peak"]),
    ]


def _compared(
    quantity: str,
    unit: str,
    declared: Sequence[float],
    measured: Sequence[float],
    words: Callable[[Sequence[float]], str],
    tolerance: float,
    agree: bool,
) -> dict[str, Any]:
    """One row about a list per side; "not resolved" unless the events were found one by one."""
    if not agree or len(declared) != len(measured):
        return _row(quantity, words(declared), NOT_RESOLVED, unit, None)
    ruler = erb_number if quantity == "Frequencies" else float
    ends = [abs(ruler(f(declared)) - ruler(f(measured))) for f in (min, max)]
    return _row(quantity, words(declared), words(measured), unit, bool(max(ends) <= tolerance))


def _row(quantity: str, declared: str, measured: str, unit: str, ok: bool | None) -> dict[str, Any]:
    return {
        "quantity": quantity,
        "declared": declared,
        "measured": measured,
        "unit": unit,
        "ok": ok,
    }


def _separable(stimulus: Stimulus) -> bool:
    """Whether `measure` can tell the declared events apart: tones, none too low, no glide too
    short, no two too close."""
    events = stimulus.events
    if any(e.wave == "noise" or e.lowest_hz < LOWEST_HZ for e in events):
        return False
    if any(e.wave == "chirp" and e.duration_s < SHORTEST_GLIDE_S for e in events):
        return False
    return not any(
        b.onset_s - a.offset_s < APART_S - 1e-6 and _hz_apart(a, b) < APART_HZ
        for a, b in itertools.combinations(events, 2)
    )


def _hz_apart(a: Event, b: Event) -> float:
    return max(a.lowest_hz, b.lowest_hz) - min(a.highest_hz, b.highest_hz)


def _above(stimulus: Stimulus, found: Measured) -> bool:
    """Whether every declared event is loud enough to be found in the noise measured, and every
    glide to be followed."""
    margins = {"chirp": GLIDE_MARGIN_DB}
    return all(
        e.level_dbfs > found.limit_dbfs + margins.get(e.wave, LIMIT_MARGIN_DB)
        for e in stimulus.events
    )


def _steps(scale: Callable[[Any], Any], hz: Sequence[float]) -> list[float]:
    """Distances between neighbours in frequency; one of 0 where all share a frequency."""
    places = [float(scale(f)) for f in _distinct(hz)]
    return [b - a for a, b in itertools.pairwise(places)] or [0.0]


def _shared_erb(hz: Sequence[float]) -> list[float]:
    return [max(0.0, 1 - step) for step in _steps(erb_number, hz)]


def _distinct(hz: Sequence[float]) -> list[float]:
    found: list[float] = []
    for f in sorted(hz):
        if not found or f - found[-1] > SAME_HZ:
            found.append(f)
    return found


def _digits(n: int) -> Callable[[Sequence[float]], str]:
    return lambda values: f"{values[0]:.{n}f}"


def _of(reduce: Callable[[Any], Any], n: int) -> Callable[[Sequence[float]], str]:
    return lambda values: f"{float(reduce(values)):.{n}f}"


def _range(n: int) -> Callable[[Sequence[float]], str]:
    """One number where all agree at `n` decimals, else "lowest to highest"."""

    def words(values: Sequence[float]) -> str:
        low, high = f"{min(values):.{n}f}", f"{max(values):.{n}f}"
        return low if low == high else f"{low} to {high}"

    return words
