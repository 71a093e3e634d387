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

_HEADS = ("Trials", "Threshold (own rule)", "d′ = 1, answers", "d′ = 1, scores", "AUC 0.76",
          "Ideal, d′ = 1", "Efficiency", "Guess; lapse", "Fit")  # fmt: skip
_NOTE = (
    "Threshold: where the function lies halfway between guessing and its best. The columns d′ = 1 "
    "and AUC 0.76 give one and the same level, from the answers alone and from the graded scores "
    "log p(first answer) − log p(second). Fit: chance of a deviance as large if the function were "
    "true, near levels pooled; below 0.05 mistrust it. † cautions stand below the table."
)


def thresholds_html(found: Mapping[str, Sequence[Threshold]]) -> str:
    """All thresholds of all listeners, a row each; empty where there are none. Why something is
    not measurable stands below, numbered."""
    why: dict[str, int] = {}
    rows = "".join(_row(name, t, why) for name, all_of in found.items() for t in all_of)
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{h}</th>' for h in ("Listener", *_HEADS))
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in why)
    limits = "".join(
        f"<li>† {escape(_who(name, t))}: {escape('; '.join(t.cautions))}</li>"
        for name, all_of in found.items() for t in all_of if t.cautions
    )  # fmt: skip
    return (
        '<div class="findings thresholds"><h3>Thresholds, with intervals and trials</h3>'
        '<div class="you-wide" tabindex="0" role="region" aria-label="Thresholds">'
        f'<table class="you-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"</div>{f'<ol>{reasons}</ol>' if reasons else ''}"
        f"{f'<ul>{limits}</ul>' if limits else ''}<p>{_NOTE}</p></div>"
    )


def sentences_html(name: str, found: Sequence[Threshold]) -> str:
    """The thresholds of one listener, a sentence each."""
    if not found:
        return ""
    items = "".join(f"<li>{escape(t.sentence)}.</li>" for t in found)
    return f'<div class="findings"><h3>{escape(name)}</h3><ul class="regions">{items}</ul></div>'


def _row(name: str, found: Threshold, why: dict[str, int]) -> str:
    cells = [
        _trials(found), _own(found, why), _answers(found, why), _graded(found.scores, found, why),
        _graded(found.area, found, why), _ideal(found), _efficiency(found), _rates(found),
        _fit(found),
    ]  # fmt: skip
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(_who(name, found))}</th>{row}</tr>'


def _who(name: str, found: Threshold) -> str:
    return f"{name} · {found.condition}" if found.condition else name


def _unmeasured(reason: str, why: dict[str, int]) -> str:
    """The words for a cell; the reason goes below the table under the number said here."""
    number = why.setdefault(reason, len(why) + 1)
    return f"not measurable ({number})"


def _trials(found: Threshold) -> str:
    catch = f", {found.n_catch} catch" if found.n_catch else ""
    ended = f"; {found.ended}" if found.ended and found.ended != f"{found.n} trials" else ""
    return f"{found.n}{catch}{ended}"


def _own(found: Threshold, why: dict[str, int]) -> str:
    if found.surface is not None:
        known = int(found.surface.measurable.sum())
        words = f"{known} of {len(found.surface.x2)} places measurable"
        return (
            f"{words} ({_unmeasured(found.surface.reason, why)})" if found.surface.reason else words
        )
    if found.reason:
        return _unmeasured(found.reason, why)
    return interval_words(found.threshold, found.unit) + (" †" if found.cautions else "")


def _answers(found: Threshold, why: dict[str, int]) -> str:
    if isinstance(found.answers, Interval):
        if math.isnan(found.answers.value):
            return "not reached"
        return f"{interval_words(found.answers, found.unit)}, n = {found.n}"
    return _graded(found.answers, found, why)


def _graded(fitted: ScoreFit | None, found: Threshold, why: dict[str, int]) -> str:
    if fitted is None:
        return "–"
    if not fitted.measurable:
        return _unmeasured(fitted.reason, why)
    n = fitted.n_signal + fitted.n_catch
    return f"{interval_words(fitted.threshold, found.unit)}, n = {n}"


def _ideal(found: Threshold) -> str:
    if math.isnan(found.ideal):
        return "not known"
    return f"{found.ideal:.4g} {found.unit}".strip()


def _efficiency(found: Threshold) -> str:
    if found.efficiency is None or not math.isfinite(found.efficiency.loss_db.value):
        return "–"
    share = found.efficiency.efficiency
    loss = interval_words(found.efficiency.loss_db, "dB")
    return f"{interval_text(share, lambda x: f'{100 * x:.2g} %')}, {loss} lost"


def _rates(found: Threshold) -> str:
    if found.fit is None:
        return "–"
    return "; ".join(
        f"{rate.value:.2g} fixed" if rate.rule == "fixed" else interval_words(rate)
        for rate in (found.fit.guess, found.fit.lapse)
    )


def _fit(found: Threshold) -> str:
    if found.fit is None:
        return "–"
    p = found.fit.goodness_p
    return f"p = {p:.2g}" + (", poor" if p < POOR_FIT else "")
