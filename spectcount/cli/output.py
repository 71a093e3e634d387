"""Output of the command line: one JSON document, or the same as indented lines."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Mapping
from typing import Any

import typer


def brief(run: Any) -> dict[str, Any]:
    names = ("id", "kind", "state", "reason", "done", "total", "summary")
    roles = {"roles": run.roles} if run.roles else {}
    return {"run": run.id, **roles, **{name: getattr(run, name) for name in names[1:]}}


YEAR_3000_S = 32_503_680_000
"""Seconds since the epoch that no run's time reaches, and no calendar need tell."""


def show(result: Any, as_json: bool) -> None:
    """One JSON document, or the same as indented lines."""
    result = _plain(result)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    for line in _outline(_terse(result)):
        typer.echo(line)


def _terse(value: Any) -> Any:
    """For reading: an interval as `value [low, high]`, a region as its sentence, local times."""
    if isinstance(value, Mapping):
        if {"value", "low", "high"} <= set(value) and all(
            value[end] is None or isinstance(value[end], int | float)
            for end in ("value", "low", "high")
        ):
            from spectcount.psychophysics.sdt import interval_of, interval_text

            return interval_text(interval_of(value), _short)
        if "sentence" in value:
            return value["sentence"]
        return {k: _moment(v) if k.endswith("_at") else _terse(v) for k, v in value.items()}
    return [_terse(v) for v in value] if isinstance(value, list | tuple) else value


def _moment(seconds: Any) -> Any:
    """Seconds since the epoch as local time."""
    if not isinstance(seconds, float) or not 0 <= seconds < YEAR_3000_S:
        return seconds
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _plain(value: Any) -> Any:
    """JSON data: result classes as mappings, null for NaN and infinity, which JSON lacks."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _outline(value: Any, depth: int = 0) -> list[str]:
    pad = "  " * depth
    if isinstance(value, Mapping):
        return [line for k, v in value.items() for line in _entry(f"{pad}{k}:", v, depth)]
    if isinstance(value, list | tuple):
        return [line for v in value for line in _entry(f"{pad}-", v, depth)]
    return [f"{pad}{_short(value)}"]


def _entry(head: str, value: Any, depth: int) -> list[str]:
    """`head` and a value: on one line where the value is short."""
    flat = isinstance(value, list | tuple) and not any(
        isinstance(v, Mapping | list | tuple) or (isinstance(v, str) and " " in v) for v in value
    )
    if flat:
        return [f"{head} {', '.join(map(_short, value))}".rstrip()]
    if isinstance(value, Mapping | list | tuple):
        return [head, *_outline(value, depth + 1)]
    return [f"{head} {_short(value)}".rstrip()]


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
