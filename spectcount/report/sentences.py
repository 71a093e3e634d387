"""What may be said of a run, in sentences: verdicts, thresholds, panels, wordings.

Conventions: the main measure first; a verdict follows from its interval alone
(`spectcount.probing.verdict`).
"""

from __future__ import annotations

from spectcount.configs import CompareConfig
from spectcount.report.evidence import Evidence


def verdicts(part: Evidence) -> list[str]:
    """What may be said of the change from base to tuned in one plan."""
    if part.run.kind != "compare" or not part.compared:
        return []
    said = [change.sentence for change in part.threshold_changes]
    whole, cells = part.change, part.difference
    if whole is not None:
        said += [
            v.sentence for v in whole.verdicts(CompareConfig.from_json(part.run.config).margin)
        ]
    if cells is not None and cells.n.size > 1:
        said.append(cells.verdict.sentence)
    return [_sentence(text) for text in said]


def held_out(evidence: Evidence) -> list[str]:
    """The comparison where training was and where it never was, and what was seen before."""
    if evidence.run.kind != "compare":
        return []
    return [_sentence(part.sentence) for part in evidence.held_out] + evidence.seen


def in_short(part: Evidence) -> list[str]:
    """The result of one plan; empty where only a table tells it."""
    said = verdicts(part)
    if said or part.run.kind in ("panel", "wordings"):
        return said
    return [f"{name}: {t.sentence}." for name, mine in part.thresholds.items() for t in mine]


def of_whole(evidence: Evidence) -> list[str]:
    """What a forgetting panel, or a run over wordings, says."""
    if evidence.panel is not None:
        return [evidence.panel.sentence]
    said = [f"{name}: {found.sentence}" for name, found in evidence.worded.items()]
    change = evidence.worded_change
    return said + [_sentence(v.sentence) for v in (change.verdicts() if change else [])]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
