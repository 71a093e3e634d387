"""The few numbers of a run that its row keeps: headline per listener, weakest regions, thresholds,
what one cue alone reaches, the change from base to tuned, a panel's table, wordings."""

from __future__ import annotations

from typing import Any

from spectcount.probing.analysis import AnyPart, Result
from spectcount.probing.shortfall import Criterion

MAX_REGIONS = 20
_COUNTED = ("mean_bias", "mean_error", "unparsed", "low_mass")


def summarise(result: Result) -> dict[str, Any]:
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


def _of_part(part: AnyPart) -> dict[str, Any]:
    regions = {
        name: [region.to_dict() for region in part.regions.get(name, ())[:MAX_REGIONS]]
        for name in part.n
    }
    out: dict[str, Any] = {
        "overall": {name: _headline(part, name) for name in part.n},
        "regions": regions,
        "criterion": Criterion().words(part.plan.task),
    }
    if any(part.thresholds.values()):
        out["thresholds"] = {
            name: [each.to_dict() for each in mine] for name, mine in part.thresholds.items()
        }
    if part.shortcuts is not None:
        out["shortcuts"] = part.shortcuts.to_dict()
    if len(part.n) == 2 and "thresholds" in out:
        out["threshold_change"] = [each.to_dict() for each in part.threshold_changes]
    if part.change is not None:
        out["change"] = _change(part)
    return out


def _headline(part: AnyPart, name: str) -> dict[str, Any]:
    headline = part.pooled[name].to_dict()
    if name in part.confusions:
        table = part.confusions[name].to_dict()
        headline |= {k: table[k] for k in _COUNTED}
    return headline


def _change(part: AnyPart) -> dict[str, Any]:
    whole, cells = part.change, part.difference
    assert whole is not None and cells is not None
    return {
        **whole.to_dict(),
        "cells_better": int(cells.better.sum()),
        "cells_worse": int(cells.worse.sum()),
        "false_discovery_rate": cells.q,
        "map": cells.verdict.to_dict(),
    }


def wordings_summary(result: Result) -> dict[str, Any]:
    """`wordings` by listener and the `change` of two, None where too little was answered."""
    names = list(result.parts[0].n)
    worded = {name: result.worded.get(name) for name in names}
    out: dict[str, Any] = {
        "wordings": {
            name: None if each is None else each.to_dict() for name, each in worded.items()
        }
    }
    if len(names) == 2:
        change = result.worded_change
        out["change"] = None if change is None else change.to_dict()
    return out
