"""The form of what a run stores as JSON, checked when a row is read: what other programs, old
releases and half-copied stores leave there is named as damage, never met in the middle of a report.

Conventions: a shape is a type or a tuple of types, `[shape]` for a list, `{str: shape}` for a
mapping of any names, or `{name: shape, ...}` for a mapping of known ones; a name that is not there
is no damage here (`needed` says which must be), nor is one that no shape lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Shape = Any  # a recursive type that mypy would have to be told at each literal
Shapes = Mapping[str, Shape]
_NUMBER = (int, float)
_NONE = type(None)
_TEXT_OR_NONE = (str, _NONE)
_REGION = {"ranges": dict, "sentence": str, "status": str}
_PLAN = {"kind": str}
_PART = {"name": str, "rows": str, "measure": str, "plan": dict}
CONFIG: Shapes = {
    "plan": _PLAN,
    "listeners": [str],
    "seed": int,
    "parts": [_PART],
    "regions": [_REGION],
    "margin": (*_NUMBER, _NONE),
    "wordings": [int],
    "source": str,
    "targets": [dict],
    "trials": int,
    "map_seed": int,
    "criterion": dict,
    "practice": int,
    "feedback": bool,
    "break_every": int,
    "benchmark": str,
    "path": str,
    "digest": str,
    "prompt": {str: (str, bool, _NONE)},
    "mode": str,
    "rotate": bool,
    "limit": (int, _NONE),
    "base": str,
    "curriculum": dict,
    "lora": dict,
    "train": dict,
    "cells": [[int]],
    "place": str,
    "pairs": int,
    "keep": bool,
    "stretches": int,
}
LINEAGE: Shapes = {
    "name": str,
    "probe": _TEXT_OR_NONE,
    "panel": _TEXT_OR_NONE,
    "training": _TEXT_OR_NONE,
    "prompt": _TEXT_OR_NONE,
    "source": _TEXT_OR_NONE,
    "run": _TEXT_OR_NONE,
    "only": _TEXT_OR_NONE,
    "seen": [str],
    "notes": [str],
    "trained": dict,
}
_OVERALL = {str: {"words": str}}
_SHORTCUTS = {"sentence": str, "floors": [dict]}
SUMMARY: Shapes = {
    "done": int,
    "total": int,
    "listeners": {str: dict},
    "regions": {str: [_REGION]},
    "confirmation": {str: str},
    "verdicts": [dict],
    "plans": [{"overall": _OVERALL, "shortcuts": _SHORTCUTS}],
    "overall": _OVERALL,
    "shortcuts": _SHORTCUTS,
    "panel": dict,
    "held_out": {"seen": [str], "parts": [dict]},
    "wordings": {str: (dict, _NONE)},
    "change": (dict, _NONE),
    "held_out_before": {str: (*_NUMBER, _NONE)},
    "held_out_after": {str: (*_NUMBER, _NONE)},
    "steps": int,
    "of_steps": int,
    "final_loss": (*_NUMBER, _NONE),
    "base": dict,
    "sentences": [str],
}
SHAPES = {"config": CONFIG, "lineage": LINEAGE, "summary": SUMMARY}
_ASKED = ("plan", "listeners")
NEEDED: dict[str, tuple[str, ...]] = {
    "probe": _ASKED,
    "compare": _ASKED,
    "wordings": (*_ASKED, "wordings"),
    "confirm": (*_ASKED, "source", "targets", "trials", "map_seed", "criterion"),
    "listen": _ASKED,
    "panel": (*_ASKED, "parts"),
    "tune": ("base",),
    "benchmark": ("benchmark", "listeners"),
    "ladder": (*_ASKED, "source"),
    "patch": (*_ASKED, "source"),
}
"""What the configuration of a kind must hold for the run to be read."""
REPORTED = {
    "benchmark": (
        "benchmark",
        "prompt",
        "unheard",
        "floors",
        "listeners",
        "strata",
        "comparison",
        "caveats",
    ),
}
"""What a summary must hold, where there is one."""
_N_LISTENERS = {
    "compare": (2, 2),
    "panel": (2, 2),
    "wordings": (1, 2),
    "benchmark": (1, 2),
    "ladder": (1, 2),
    "patch": (1, 1),
}
"""Fewest and most listeners of kinds that do not take any number of them."""


def fits(value: Any, shape: Shape) -> bool:
    """True where plain data has a shape."""
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(each, shape[0]) for each in value)
    if not isinstance(shape, dict):
        return isinstance(value, shape)
    if not isinstance(value, dict):
        return False
    if str in shape:
        return all(fits(each, shape[str]) for each in value.values())
    return all(fits(value[name], each) for name, each in shape.items() if name in value)


def lack(kind: str, config: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """Parts that a run of a kind lacks, in words; "" where it lacks nothing."""
    missing = [name for name in NEEDED.get(kind, ()) if name not in config]
    if missing:
        return f"its configuration lacks {', '.join(missing)}"
    missing = [name for name in REPORTED.get(kind, ()) if summary and name not in summary]
    if missing:
        return f"its summary lacks {', '.join(missing)}"
    n = len(config.get("listeners", ()))
    least, most = _N_LISTENERS.get(kind, (0 if kind == "tune" else 1, n))
    if kind not in NEEDED or least <= n <= most:
        return ""
    many = str(least) if least == most else f"{least} or {most}" if most > n else f"{least} or more"
    return f"its configuration names {n} listener{'s' * (n != 1)}, a {kind} has {many}"
