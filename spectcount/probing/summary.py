"""The few numbers of a run: headline per listener, weakest regions, thresholds, what one cue alone
reaches, and the change from base to tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spectcount.probing.base import Plan
from spectcount.probing.difference import Change, difference, under
from spectcount.probing.maps import confusion, pool
from spectcount.probing.plan import AnyPlan, Interleaved, parts_of
from spectcount.probing.procedure import Procedure
from spectcount.probing.shortcuts import audit
from spectcount.probing.shortfall import Criterion
from spectcount.probing.threshold_changes import changes_of
from spectcount.probing.thresholds import thresholds
from spectcount.probing.weakness import find_weakness
from spectcount.trials import Trial

MAX_REGIONS = 20
Trials = Mapping[str, Sequence[Trial]]
"""Trials by listener name."""


def summarise(plan: AnyPlan, trials: Trials, criterion: Criterion | None = None) -> dict[str, Any]:
    """`overall`, `regions` and `thresholds` by listener name, the criterion in words, and for two
    listeners the `change` from the first to the second, of thresholds `threshold_change`.
    Procedures have no regions, and no `change` but of thresholds; interleaved plans have a summary
    each, in `plans`. Plain data."""
    criterion = criterion or Criterion()
    if isinstance(plan, Interleaved):
        return _together(plan, trials, criterion)
    out: dict[str, Any] = {
        "overall": {name: _headline(plan, mine) for name, mine in trials.items()},
        "regions": {name: _regions(plan, mine, criterion) for name, mine in trials.items()},
        "criterion": criterion.words(plan.task),
        **_thresholds(plan, trials),
    }
    if (floors := audit(plan, trials)) is not None:
        out["shortcuts"] = floors.to_dict()
    if len(trials) == 2:
        base, tuned = trials.values()
        moved, whole = changes_of(plan, base, tuned)
        if "thresholds" in out:
            out["threshold_change"] = [one.to_dict() for one in moved]
        if whole is not None:
            out["change"] = _change(plan, whole, base, tuned)
    return out


def _together(plan: Interleaved, trials: Trials, criterion: Criterion) -> dict[str, Any]:
    """The summaries of interleaved plans; the regions of all of them as one."""
    shares: list[dict[str, Any]] = [{"kind": part.kind, "task": part.task} for part in plan.parts]
    for i, (part, _) in enumerate(parts_of(plan, [])):
        mine = {name: parts_of(plan, all_of)[i][1] for name, all_of in trials.items()}
        shares[i] |= summarise(part, mine, criterion)
    return {
        "overall": {name: {"n": len(mine)} for name, mine in trials.items()},
        "regions": {
            name: [region for share in shares for region in share["regions"][name]]
            for name in trials
        },
        "criterion": "; ".join(dict.fromkeys(share["criterion"] for share in shares)),
        "plans": shares,
    }


def _regions(plan: Plan, trials: Sequence[Trial], criterion: Criterion) -> list[dict[str, Any]]:
    if isinstance(plan, Procedure):
        return []
    return [r.to_dict() for r in find_weakness(plan, trials, criterion)[:MAX_REGIONS]]


def _thresholds(plan: Plan, trials: Trials) -> dict[str, Any]:
    """Thresholds by listener; nothing for plans that seek none."""
    found = {name: [t.to_dict() for t in thresholds(plan, mine)] for name, mine in trials.items()}
    if not any(found.values()):
        return {}
    return {"thresholds": found}


def _headline(plan: Plan, trials: Sequence[Trial]) -> dict[str, Any]:
    headline = pool(plan, trials).to_dict()
    if plan.task == "count":
        table = confusion(trials).to_dict()
        headline |= {k: table[k] for k in ("mean_bias", "mean_error", "unparsed", "low_mass")}
    return headline


def _change(
    plan: Plan, whole: Change, base: Sequence[Trial], tuned: Sequence[Trial]
) -> dict[str, Any]:
    cells = under(whole, difference(plan, base, tuned))
    return {
        **whole.to_dict(),
        "cells_better": int(cells.better.sum()),
        "cells_worse": int(cells.worse.sum()),
        "false_discovery_rate": cells.q,
        "map": cells.verdict.to_dict(),
    }
