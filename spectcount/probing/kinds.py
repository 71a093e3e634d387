"""The kinds of run that ask: how each reads its configuration, its plan, what its row keeps.

Conventions: `plan` gives what is asked of every listener; `summary` gives the few numbers of a run
that its row keeps, as plain data, from what the trials say, and works on incomplete runs. Lineage
keys: "trained" (`Trained.to_dict`) where the tuned listener's adapter says what it was made from,
"seen" (sentences) what a comparison shares with that. Statistics are imported when there is
something to say: a run asks its first questions without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spectcount.configs import (
    AskConfig,
    CompareConfig,
    ConfirmConfig,
    Json,
    PanelConfig,
    ProbeConfig,
    WordingsConfig,
)
from spectcount.probing.draws import AskedPlan
from spectcount.probing.plan import plan_from_dict

if TYPE_CHECKING:
    from spectcount.probing.analysis import AnyPart, Result, Trials

MAX_REGIONS = 20
NO_LINEAGE = (
    "The tuned listener has no adapter with a lineage, so what it was trained on is not known and "
    "nothing can be called held out."
)
_COUNTED = ("mean_bias", "mean_error", "unparsed", "low_mass")


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
    """The questions that a configuration asks of each listener; raises `UserError` for what is no
    plan."""
    return KINDS[config.kind].plan(config)


def _plan(config: AskConfig) -> AskedPlan:
    plan: AskedPlan = plan_from_dict(config.plan)
    return plan


def _probe(config: AskConfig, answers: Answers) -> Json:
    return summarise(answers.result)


def _compare(config: CompareConfig, answers: Answers) -> Json:
    """The verdicts, first over all; then the parts trained and never trained."""
    from spectcount.probing.analysis import verdicts

    result, lineage = answers.result, answers.lineage
    seen = list(lineage.get("seen", [] if "trained" in lineage else [NO_LINEAGE]))
    held_out = {"seen": seen, "parts": [part.to_dict() for part in result.held_out]}
    listed = [verdict.to_dict() for verdict in verdicts(result, config.margin)]
    return {"verdicts": listed, "held_out": held_out, **summarise(result)}


def _panel(config: PanelConfig, answers: Answers) -> Json:
    table = answers.result.panel
    assert table is not None, "a panel has its table"
    return {"panel": table.to_dict(), **summarise(answers.result)}


def _wordings(config: WordingsConfig, answers: Answers) -> Json:
    return wordings_summary(answers.result)


def _crossed(config: WordingsConfig) -> AskedPlan:
    from spectcount.probing.analysis import crossed_plan

    return crossed_plan(config)


def _confirm(config: ConfirmConfig, answers: Answers) -> Json:
    from spectcount.probing import confirm

    return confirm.summary(config, answers.trials, answers.run)


def _again(config: ConfirmConfig) -> AskedPlan:
    from spectcount.probing import confirm

    return confirm.Confirmation.from_config(config)


KINDS = {
    kind.config.kind: kind
    for kind in (
        Kind(ProbeConfig, _plan, _probe),
        Kind(CompareConfig, _plan, _compare),
        Kind(PanelConfig, _plan, _panel),
        Kind(WordingsConfig, _crossed, _wordings),
        Kind(ConfirmConfig, _again, _confirm),
    )
}


def summarise(result: Result) -> Json:
    """`overall`, `regions` and `thresholds` by listener name, the criterion in words, and for two
    listeners the `change` from the first to the second, of thresholds `threshold_change`.
    Procedures have no regions, and no `change` but of thresholds; interleaved plans have a summary
    each, in `plans`."""
    shares = [_of_part(part) for part in result.parts]
    if not result.interleaved:
        return shares[0]
    names = result.parts[0].n
    return {
        "overall": {name: {"n": sum(part.n[name] for part in result.parts)} for name in names},
        "regions": {
            name: [region for share in shares for region in share["regions"][name]]
            for name in names
        },
        "criterion": "; ".join(dict.fromkeys(share["criterion"] for share in shares)),
        "plans": [
            {"kind": part.plan.kind, "task": part.plan.task, **share}
            for part, share in zip([*result.parts], shares, strict=True)
        ],
    }


def _of_part(part: AnyPart) -> Json:
    from spectcount.probing.shortfall import Criterion

    regions = {
        name: [region.to_dict() for region in part.regions.get(name, ())[:MAX_REGIONS]]
        for name in part.n
    }
    out: Json = {
        "overall": {name: _headline(part, name) for name in part.n},
        "regions": regions,
        "criterion": Criterion().words(part.plan.task),
    }
    if any(part.thresholds.values()):
        out["thresholds"] = {
            name: [each.to_dict() for each in listed] for name, listed in part.thresholds.items()
        }
    if part.shortcuts is not None:
        out["shortcuts"] = part.shortcuts.to_dict()
    if len(part.n) == 2 and "thresholds" in out:
        out["threshold_change"] = [each.to_dict() for each in part.threshold_changes]
    if part.change is not None:
        out["change"] = _change(part)
    return out


def _headline(part: AnyPart, name: str) -> Json:
    headline = part.pooled[name].to_dict()
    if name in part.confusions:
        table = part.confusions[name].to_dict()
        headline |= {k: table[k] for k in _COUNTED}
    return headline


def _change(part: AnyPart) -> Json:
    whole, cells = part.change, part.difference
    assert whole is not None and cells is not None
    return {
        **whole.to_dict(),
        "cells_better": int(cells.better.sum()),
        "cells_worse": int(cells.worse.sum()),
        "false_discovery_rate": cells.q,
        "map": cells.verdict.to_dict(),
    }


def wordings_summary(result: Result) -> Json:
    """`wordings` by listener and the `change` of two, None where too little was answered."""
    names = list(result.parts[0].n)
    worded = {name: result.worded.get(name) for name in names}
    out: Json = {
        "wordings": {
            name: None if each is None else each.to_dict() for name, each in worded.items()
        }
    }
    if len(names) == 2:
        change = result.worded_change
        out["change"] = None if change is None else change.to_dict()
    return out
