"""What the summary of a comparison, a panel or a run over wordings says, from its configuration,
its lineage and its trials: the same for the worker, the page and a report.

*Conventions*: `trials` maps listener names to their trials, base first; everything is pure and
works on incomplete runs. Lineage keys: "trained" (`Trained.to_dict`) where the tuned listener's
adapter says what it was made from, "seen" (sentences) what the comparison shares with that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spectcount.configs import AskConfig, PanelConfig, WordingsConfig
from spectcount.probing.base import Plan
from spectcount.probing.heldout import Part, split
from spectcount.probing.panel import Panel
from spectcount.probing.panel_table import PanelResult, panel_result
from spectcount.probing.plan import parts_of as plans_of
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.trained import Trained
from spectcount.probing.wordings import Crossed
from spectcount.trials import Trial

Trials = Mapping[str, Sequence[Trial]]
NO_LINEAGE = (
    "The tuned listener has no adapter with a lineage, so what it was trained on is not known and "
    "nothing can be called held out."
)


def parts_of(config: AskConfig, lineage: Mapping[str, Any], trials: Trials) -> list[Part]:
    """The trained and the never trained part, of each plan that is not led by the answers; none
    where the lineage does not tell."""
    if "trained" not in lineage:
        return []
    trained = Trained.from_dict(lineage["trained"])
    return [
        part
        for plan, base, tuned in compared_plans(config, trials)
        if not plan.adaptive
        for part in split(plan, base, tuned, trained)
    ]


def compared_plans(
    config: AskConfig, trials: Trials
) -> list[tuple[Plan, list[Trial], list[Trial]]]:
    """Each plan of a comparison (several where they are interleaved), with base's and tuned's
    trials."""
    plan = plan_from_dict(config.plan)
    base, tuned = (plans_of(plan, trials.get(name, [])) for name in config.listeners[:2])
    return [(mine, x, y) for (mine, x), (_, y) in zip(base, tuned, strict=True)]


def panel(config: PanelConfig, trials: Trials) -> PanelResult:
    """The table of a panel's run."""
    base, tuned = (trials.get(name, []) for name in config.listeners[:2])
    return panel_result(
        Panel.from_list(config.parts), base, tuned, config.regions, margin=config.margin
    )


def crossed(config: WordingsConfig) -> Crossed:
    """The plan of a run over wordings."""
    return Crossed.from_config(config.plan, config.wordings)
