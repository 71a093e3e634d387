"""Checks of sequences: asynchrony of two onsets, evenness of many, lateness of every other tone.

*Conventions*: a check takes a Stimulus and the waveform [T] that is to be compared with it, and
gives rows {quantity, declared, measured, unit, ok}; none where the stimulus is not of its kind.
Onsets are those that `spectcount.measure.waveform` finds without knowing the stimulus.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spectcount.measure.waveform import Measured, measure
from spectcount.stimulus import Event, Stimulus

NOT_RESOLVED = "not resolved"
ASYNCHRONY_MS = 2.0
JITTER_PERCENT = 1.0
LATE_MS = 2.0
COMMON_S = 1e-6


def asynchrony_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[dict[str, Any]]:
    """Two events that end together: how much earlier the higher one begins (negative: later), and
    how far apart the two ends are."""
    events = stimulus.events
    if stimulus.background or len(events) != 2 or _hz(events[0]) == _hz(events[1]):
        return []
    if abs(events[0].offset_s - events[1].offset_s) > COMMON_S:
        return []
    found = measure(waveform, stimulus.sample_rate)
    declared = _leads_ms([e.frequency_hz for e in events], [e.onset_s for e in events])
    leads = ends = None
    if _agrees(stimulus, found):
        leads = _leads_ms(found.frequencies_hz, found.onsets_s)
        ends = 1000 * abs(found.offsets_s[0] - found.offsets_s[1])
    return [
        number_row("High tone leads by", declared, leads, "ms", ASYNCHRONY_MS),
        number_row("Ends apart", 0.0, ends, "ms", ASYNCHRONY_MS),
    ]


def interval_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[dict[str, Any]]:
    """Three or more events of one frequency: mean of the intervals between onsets, and their
    standard deviation over it."""
    events = stimulus.events
    if stimulus.background or len(events) < 3 or len(set(map(_hz, events))) > 1:
        return []
    found = measure(waveform, stimulus.sample_rate)
    declared = _mean_and_cv([e.onset_s for e in events])
    measured = _mean_and_cv(found.onsets_s) if _agrees(stimulus, found) else (None, None)
    return [
        number_row("Mean interval", declared[0], measured[0], "ms", ASYNCHRONY_MS),
        number_row("Jitter of intervals", declared[1], measured[1], "%", JITTER_PERCENT),
    ]


def lateness_rows(stimulus: Stimulus, waveform: np.ndarray) -> list[dict[str, Any]]:
    """Two frequencies in alternation: by how much the higher tones come after the middle between
    the lower ones around them, on average."""
    events = stimulus.events
    if stimulus.background or len(events) < 3 or len(set(map(_hz, events))) != 2:
        return []
    declared = _late_ms([e.frequency_hz for e in events], [e.onset_s for e in events])
    if declared is None:
        return []
    found = measure(waveform, stimulus.sample_rate)
    agrees = _agrees(stimulus, found)
    measured = _late_ms(found.frequencies_hz, found.onsets_s) if agrees else None
    return [number_row("High tones late by", declared, measured, "ms", LATE_MS)]


def _hz(event: Event) -> float:
    return event.frequency_hz


def _agrees(stimulus: Stimulus, found: Measured) -> bool:
    return found.resolved and found.n_events == len(stimulus.events)


def _leads_ms(hz: Sequence[float], onsets_s: Sequence[float]) -> float:
    low, high = int(np.argmin(hz)), int(np.argmax(hz))
    return 1000 * (onsets_s[low] - onsets_s[high])


def _mean_and_cv(onsets_s: Sequence[float]) -> tuple[float, float]:
    """Mean interval, ms, and the coefficient of variation, %."""
    steps_s = np.diff(onsets_s)
    return 1000 * float(steps_s.mean()), 100 * float(steps_s.std() / steps_s.mean())


def _late_ms(hz: Sequence[float], onsets_s: Sequence[float]) -> float | None:
    """Mean of the higher tones' distances from the middle of their lower neighbours; None where no
    higher tone lies between two lower ones."""
    middle_hz = (min(hz) + max(hz)) / 2
    high = [f > middle_hz for f in hz]
    late = [
        onsets_s[k] - (onsets_s[k - 1] + onsets_s[k + 1]) / 2
        for k in range(1, len(hz) - 1)
        if high[k] and not high[k - 1] and not high[k + 1]
    ]
    return 1000 * float(np.mean(late)) if late else None


def number_row(
    quantity: str, declared: float, measured: float | None, unit: str, tolerance: float
) -> dict[str, Any]:
    """A row about one number at one decimal; `measured` None: it could not be resolved."""
    ok = None if measured is None else bool(abs(measured - declared) <= tolerance)
    words = NOT_RESOLVED if measured is None else f"{measured:.1f}"
    return {
        "quantity": quantity,
        "declared": f"{declared:.1f}",
        "measured": words,
        "unit": unit,
        "ok": ok,
    }
