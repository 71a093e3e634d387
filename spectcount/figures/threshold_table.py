"""Thresholds in words: a table over listeners and tracks, and a sentence for each (HTML).

Conventions: every threshold stands with its interval, its level, its unit and its trials; what is
not measurable says why; HTML is escaped here. The columns "d′ = 1" are the same level for the
answers alone, the graded scores and their AUC, so that what scores add can be seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from spectcount.probing.thresholds import Threshold, interval_words
from spectcount.psychophysics.graded import ScoreFit
from spectcount.psychophysics.measurable import POOR_FIT
from spectcount.psychophysics.sdt import Interval, interval_text

_HEADS = (
    "Trials",
    "Threshold (own rule)",
    "d′ = 1, answers",
    "d′ = 1, scores",
    "AUC 0.76",
    "Ideal, d′ = 1",
    "Efficiency",
    "Guess; lapse",
    "Fit",
)
_NOTE = (
    "Threshold: where the function lies halfway between guessing and its best. The columns d′ = 1 "
    "and AUC 0.76 give one and the same level, from the answers alone and from the graded scores "
    "log p(first answer) − log p(second). Fit: chance of a deviance as large if the function were "
    "true, near levels pooled; below 0.05 mistrust it. † cautions stand below the table."
)


def thresholds_html(thresholds: Mapping[str, Sequence[Threshold]]) -> str:
    """All thresholds of all listeners, a row each; empty where there are none. Why something is
    not measurable stands below, numbered."""
    why: dict[str, int] = {}
    rows = "".join(_row(name, t, why) for name, all_of in thresholds.items() for t in all_of)
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{h}</th>' for h in ("Listener", *_HEADS))
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in why)
    limits = "".join(
        f"<li>† {escape(_who(name, t))}: {escape('; '.join(t.cautions))}</li>"
        for name, all_of in thresholds.items()
        for t in all_of
        if t.cautions
    )
    return (
        '<div class="findings thresholds"><h3>Thresholds, with intervals and trials</h3>'
        '<div class="you-wide" tabindex="0" role="region" aria-label="Thresholds">'
        f'<table class="you-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"</div>{f'<ol>{reasons}</ol>' if reasons else ''}"
        f"{f'<ul>{limits}</ul>' if limits else ''}<p>{_NOTE}</p></div>"
    )


def sentences_html(name: str, thresholds: Sequence[Threshold]) -> str:
    """The thresholds of one listener, a sentence each."""
    if not thresholds:
        return ""
    items = "".join(f"<li>{escape(t.sentence)}.</li>" for t in thresholds)
    return f'<div class="findings"><h3>{escape(name)}</h3><ul class="regions">{items}</ul></div>'


def _row(name: str, threshold: Threshold, why: dict[str, int]) -> str:
    cells = [
        _trials(threshold),
        _own(threshold, why),
        _answers(threshold, why),
        _graded(threshold.scores, threshold, why),
        _graded(threshold.area, threshold, why),
        _ideal(threshold),
        _efficiency(threshold),
        _rates(threshold),
        _fit(threshold),
    ]
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(_who(name, threshold))}</th>{row}</tr>'


def _who(name: str, threshold: Threshold) -> str:
    return f"{name} · {threshold.condition}" if threshold.condition else name


def _unmeasured(reason: str, why: dict[str, int]) -> str:
    """The words for a cell; the reason goes below the table under the number said here."""
    number = why.setdefault(reason, len(why) + 1)
    return f"not measurable ({number})"


def _trials(threshold: Threshold) -> str:
    catch = f", {threshold.n_catch} catch" if threshold.n_catch else ""
    ended = (
        f"; {threshold.ended}"
        if threshold.ended and threshold.ended != f"{threshold.n} trials"
        else ""
    )
    return f"{threshold.n}{catch}{ended}"


def _own(threshold: Threshold, why: dict[str, int]) -> str:
    if threshold.surface is not None:
        known = int(threshold.surface.measurable.sum())
        words = f"{known} of {len(threshold.surface.x2)} places measurable"
        return (
            f"{words} ({_unmeasured(threshold.surface.reason, why)})"
            if threshold.surface.reason
            else words
        )
    if threshold.reason:
        return _unmeasured(threshold.reason, why)
    return interval_words(threshold.threshold, threshold.unit) + (
        " †" if threshold.cautions else ""
    )


def _answers(threshold: Threshold, why: dict[str, int]) -> str:
    if isinstance(threshold.answers, Interval):
        if math.isnan(threshold.answers.value):
            return "not reached"
        return f"{interval_words(threshold.answers, threshold.unit)}, n = {threshold.n}"
    return _graded(threshold.answers, threshold, why)


def _graded(fitted: ScoreFit | None, threshold: Threshold, why: dict[str, int]) -> str:
    if fitted is None:
        return "–"
    if not fitted.measurable:
        return _unmeasured(fitted.reason, why)
    n = fitted.n_signal + fitted.n_catch
    return f"{interval_words(fitted.threshold, threshold.unit)}, n = {n}"


def _ideal(threshold: Threshold) -> str:
    if math.isnan(threshold.ideal):
        return "not known"
    return f"{threshold.ideal:.4g} {threshold.unit}".strip()


def _efficiency(threshold: Threshold) -> str:
    if threshold.efficiency is None or not math.isfinite(threshold.efficiency.loss_db.value):
        return "–"
    share = threshold.efficiency.efficiency
    loss = interval_words(threshold.efficiency.loss_db, "dB")
    return f"{interval_text(share, lambda x: f'{100 * x:.2g} %')}, {loss} lost"


def _rates(threshold: Threshold) -> str:
    if threshold.fit is None:
        return "–"
    return "; ".join(
        f"{rate.value:.2g} fixed" if rate.rule == "fixed" else interval_words(rate)
        for rate in (threshold.fit.guess, threshold.fit.lapse)
    )


def _fit(threshold: Threshold) -> str:
    if threshold.fit is None:
        return "–"
    p = threshold.fit.goodness_p
    return f"p = {p:.2g}" + (", poor" if p < POOR_FIT else "")
