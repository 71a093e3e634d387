"""The few numbers of a run: headline per listener, weakest regions, change from base to tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spectcount.probing.base import Plan
from spectcount.probing.difference import change_over, difference
from spectcount.probing.maps import confusion, pool
from spectcount.probing.weakness import Criterion, find_weakness
from spectcount.trials import Trial

MAX_REGIONS = 20


def summarise(
    plan: Plan, trials: Mapping[str, Sequence[Trial]], criterion: Criterion | None = None
) -> dict[str, Any]:
    """`overall` and `regions` by listener name, the criterion in words, and for two listeners
    the `change` from the first to the second. Plain data."""
    criterion = criterion or Criterion()
    out: dict[str, Any] = {
        "overall": {name: _headline(plan, mine) for name, mine in trials.items()},
        "regions": {
            name: [r.to_dict() for r in find_weakness(plan, mine, criterion)[:MAX_REGIONS]]
            for name, mine in trials.items()
        },
        "criterion": criterion.words(plan.task),
    }
    if len(trials) == 2:
        base, tuned = trials.values()
        out["change"] = _change(plan, base, tuned)
    return out


def _headline(plan: Plan, trials: Sequence[Trial]) -> dict[str, Any]:
    headline = pool(plan, trials).to_dict()
    if plan.task == "count":
        table = confusion(trials).to_dict()
        headline |= {k: table[k] for k in ("mean_bias", "mean_error", "unparsed", "low_mass")}
    return headline


def _change(plan: Plan, base: Sequence[Trial], tuned: Sequence[Trial]) -> dict[str, Any]:
    cells = difference(plan, base, tuned)
    return {
        **change_over(plan, base, tuned).to_dict(),
        "cells_better": int(cells.better.sum()),
        "cells_worse": int(cells.worse.sum()),
        "false_discovery_rate": cells.q,
        "map": cells.verdict.to_dict(),
    }
