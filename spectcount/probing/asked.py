"""The kinds of run that ask: how each reads its configuration, its plan, what its answers say.

Conventions: `plan` gives what is asked of every listener; `summary` gives plain data for the run's
row, from what the trials say, and works on incomplete runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from spectcount.configs import (
    AskConfig,
    CompareConfig,
    ConfirmConfig,
    Json,
    PanelConfig,
    ProbeConfig,
    WordingsConfig,
)
from spectcount.probing import comparison, confirm
from spectcount.probing.analysis import Result, Trials, verdicts
from spectcount.probing.draws import AskedPlan
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.summary import summarise, wordings_summary


@dataclass(frozen=True)
class Answers:
    """The trials of a run by listener, in the order of its configuration, and what they say; its
    lineage and id."""

    trials: Trials
    result: Result
    lineage: Mapping[str, Any]
    run: str


@dataclass(frozen=True)
class Kind:
    """One kind of run that asks."""

    config: type[AskConfig]
    plan: Callable[[Any], AskedPlan]
    summary: Callable[[Any, Answers], Json]


def plan_of(config: AskConfig) -> AskedPlan:
    """What a configuration asks of each listener; raises `UserError` for what is no plan."""
    return KINDS[config.kind].plan(config)


def _plan(config: AskConfig) -> AskedPlan:
    plan: AskedPlan = plan_from_dict(config.plan)
    return plan


def _probe(config: AskConfig, answers: Answers) -> Json:
    return summarise(answers.result)


def _compare(config: CompareConfig, answers: Answers) -> Json:
    """What may be said, first of all; then the parts trained and never trained."""
    result, lineage = answers.result, answers.lineage
    seen = list(lineage.get("seen", [] if "trained" in lineage else [comparison.NO_LINEAGE]))
    held_out = {"seen": seen, "parts": [part.to_dict() for part in result.held_out]}
    said = [verdict.to_dict() for verdict in verdicts(result, config.margin)]
    return {"verdicts": said, "held_out": held_out, **_probe(config, answers)}


def _panel(config: PanelConfig, answers: Answers) -> Json:
    table = answers.result.panel
    assert table is not None, "a panel has its table"
    return {"panel": table.to_dict(), **_probe(config, answers)}


def _wordings(config: WordingsConfig, answers: Answers) -> Json:
    return wordings_summary(answers.result)


def _confirm(config: ConfirmConfig, answers: Answers) -> Json:
    return confirm.summary(config, answers.trials, answers.run)


KINDS = {
    "probe": Kind(ProbeConfig, _plan, _probe),
    "compare": Kind(CompareConfig, _plan, _compare),
    "panel": Kind(PanelConfig, _plan, _panel),
    "wordings": Kind(WordingsConfig, comparison.crossed, _wordings),
    "confirm": Kind(ConfirmConfig, confirm.Confirmation.from_config, _confirm),
}
