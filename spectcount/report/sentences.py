"""Sentences on a run, no more than its intervals allow: verdicts, thresholds, panels, wordings.

Conventions: the main measure first; a verdict follows from its interval alone
(`spectcount.probing.verdict`).
"""

from __future__ import annotations

from spectcount.configs import CompareConfig
from spectcount.report.evidence import Evidence


def verdicts(part: Evidence) -> list[str]:
    """Verdicts on the change from base to tuned in one plan."""
    if part.tabled or not part.compared:
        return []
    lines = [change.sentence for change in part.threshold_changes]
    whole, cells = part.change, part.difference
    if whole is not None:
        lines += [
            v.sentence for v in whole.verdicts(CompareConfig.from_json(part.run.config).margin)
        ]
    if cells is not None and cells.n.size > 1:
        lines.append(cells.verdict.sentence)
    return [_sentence(text) for text in lines]


def held_out(evidence: Evidence) -> list[str]:
    """The comparison where training was and where it never was, and what was seen before."""
    if evidence.tabled or not evidence.run.of_kind.judged:
        return []
    return [_sentence(part.sentence) for part in evidence.held_out] + evidence.seen


def in_short(part: Evidence) -> list[str]:
    """The result of one plan; empty where only a table tells it."""
    lines = verdicts(part)
    if lines or part.tabled:
        return lines
    return [
        f"{name}: {t.sentence}." for name, thresholds in part.thresholds.items() for t in thresholds
    ]


def of_whole(evidence: Evidence) -> list[str]:
    """The result of a forgetting panel, or of a run over wordings."""
    if evidence.panel is not None:
        return [evidence.panel.sentence]
    lines = [f"{name}: {robustness.sentence}" for name, robustness in evidence.worded.items()]
    change = evidence.worded_change
    return lines + [_sentence(v.sentence) for v in (change.verdicts() if change else [])]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
