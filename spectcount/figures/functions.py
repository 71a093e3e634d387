"""Thresholds -> the psychometric functions behind them, with the counts that they were fitted to.

Conventions: a point is the share of successes among neighbouring levels with its Wilson interval,
its area grows with its number of trials; near levels are pooled into at most `MOST_POINTS` points
for the eye, the fit sees every level. The threshold lies where F = 0.5, its interval is drawn at
that height. A fit whose threshold is not measurable shows its points only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from spectcount.figures.spec import Line, Spec, lines_value
from spectcount.figures.tracks import track_colour
from spectcount.figures.words import span_text
from spectcount.probing.thresholds import Threshold, interval_words
from spectcount.psychophysics.fit import Fit
from spectcount.psychophysics.psychometric import from_axis, to_axis
from spectcount.psychophysics.sdt import Interval, wilson

MOST_POINTS = 16
N_CURVE = 121
_SIZES_PX = (6.0, 17.0)
_RULE = "Bayesian fit, F = 0.5 at the threshold"


def functions_value(
    thresholds: Mapping[str, Threshold], y_label: str, title: str = ""
) -> Spec | None:
    """Fitted functions by name; None where there is no fit."""
    fitted = {name: t for name, t in thresholds.items() if t.fit is not None}
    if not fitted:
        return None
    most = max(int(counts_of(t.fit)[2].max()) for t in fitted.values() if t.fit)
    lines = [
        line
        for k, (name, t) in enumerate(fitted.items())
        for line in _lines(k, name, t, most, len(fitted) == 1)
    ]
    first = next(iter(fitted.values()))
    return lines_value(
        lines,
        x_label=first.label,
        y_label=y_label,
        x_log=first.log,
        y_range=(-0.03, 1.03),
        levels=_rates(first) if len(fitted) == 1 else (),
        title=title,
        note=_note(fitted),
        key=f"function {list(fitted)}",
    )


def counts_of(fit: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels, successes and trials [points] of a fit's counts, near levels pooled."""
    data = fit.counts
    u, k, n = data.u, data.k, data.n
    if len(u) > MOST_POINTS:
        ends = np.linspace(u[0], u[-1], MOST_POINTS + 1)
        bins = np.clip(np.searchsorted(ends, u, side="right") - 1, 0, MOST_POINTS - 1)
        total = np.bincount(bins, n, MOST_POINTS)
        used = total > 0
        u = np.bincount(bins, n * u, MOST_POINTS)[used] / total[used]
        k, n = np.bincount(bins, k, MOST_POINTS)[used], total[used]
    return np.asarray(data.to_level(u)), k, n


def _lines(k: int, name: str, threshold: Threshold, most: int, alone: bool) -> list[Line]:
    fit = threshold.fit
    assert fit is not None
    lines = [_points(k, name, fit, most, alone)]
    if threshold.measurable:
        lines += [_curve(k, name, fit, alone), _threshold(k, name, threshold, alone)]
    return lines


def _points(k: int, name: str, fit: Fit, most: int, alone: bool) -> Line:
    x, hits, n = counts_of(fit)
    share = wilson(hits, n, fit.level)
    low, high = _SIZES_PX
    return Line(
        "answers" if alone else name,
        x.tolist(),
        share.value,
        share.low,
        share.high,
        [f"{int(h)} of {int(m)} trials" for h, m in zip(hits, n, strict=True)],
        colour=track_colour(k),
        mode="markers",
        n=n.astype(int).tolist(),
        bars=True,
        sizes=(low + (high - low) * np.sqrt(n / most)).tolist(),
        named=True,
    )


def _curve(k: int, name: str, fit: Fit, alone: bool) -> Line:
    ends = to_axis(fit.tested, fit.function.log)
    x = np.asarray(from_axis(np.linspace(ends[0], ends[1], N_CURVE), fit.function.log))
    y = np.asarray(fit.function(x))
    return Line(
        "fitted function" if alone else f"{name}: fit",
        x.tolist(),
        y.tolist(),
        colour=track_colour(k),
        mode="lines",
        named=alone,
    )


def _threshold(k: int, name: str, threshold: Threshold, alone: bool) -> Line:
    """The threshold and its interval, at the height where the function reaches it."""
    fit, ends = threshold.fit, threshold.threshold
    assert fit is not None
    height = fit.function.criterion
    low, high = (end if math.isfinite(end) else ends.value for end in (ends.low, ends.high))
    words = interval_words(ends, threshold.unit)
    return Line(
        f"threshold {words}" if alone else f"{name}: threshold",
        [low, ends.value, high],
        [height] * 3,
        hover=[words] * 3,
        colour=1 if alone else track_colour(k),
        symbol="diamond",
        width=3,
        named=alone,
    )


def _rates(threshold: Threshold) -> list[tuple[float, str]]:
    fit = threshold.fit
    assert fit is not None
    guess, lapse = fit.guess, fit.lapse
    return [
        (guess.value, f"guess {_rate_words(guess)}"),
        (1 - lapse.value, f"1 − lapse, lapse {_rate_words(lapse)}"),
    ]


def _rate_words(rate: Interval) -> str:
    return "fixed " + f"{rate.value:.2g}" if rate.rule == "fixed" else interval_words(rate)


def _note(thresholds: Mapping[str, Threshold]) -> str:
    fits = [t.fit for t in thresholds.values() if t.fit]
    unknown = {name: t.reason for name, t in thresholds.items() if not t.measurable}
    missing = [f"{name}: {reason}" if name else reason for name, reason in unknown.items()]
    missing += [
        f"{name or 'threshold'}: caution, {'; '.join(t.cautions)}"
        for name, t in thresholds.items()
        if t.cautions
    ]
    pooled = " (near levels pooled)" if any(len(f.counts.u) > MOST_POINTS for f in fits) else ""
    return "; ".join(
        [
            f"n = {span_text([f.n_trials for f in fits])} trials, area by trials{pooled}",
            f"{_RULE}; intervals at {100 * fits[0].level:g} %, of the points Wilson score",
            *missing,
        ]
    )
