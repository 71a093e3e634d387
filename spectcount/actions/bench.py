"""Measuring speed: scoring against the naive loop and the stock batched forward."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spectcount.errors import UserError
from spectcount.settings import Settings


def bench_scoring(
    settings: Settings,
    listener: str,
    values: Mapping[str, Any] | None = None,
    report: Callable[[str], None] = lambda line: None,
    out: Path | None = None,
) -> Any:
    """Time `listener` with `BenchOptions(**values)`; a `scoring.bench.Result`, also written as
    JSON to `out`. Raises `UserError` for a listener that is no audio language model."""
    from spectcount import listeners
    from spectcount.listeners.scoring import bench

    options = bench.BenchOptions.from_dict(dict(values or {}))
    if listeners.ListenerSpec.parse(listener).is_formula:
        raise UserError(f"{listener} runs no model, so there is nothing to time; name a model")
    result = bench.measure(listeners.load_here(listener, settings), options, report)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result.to_dict(), indent=2) + "\n")
    return result


def bench_table(result: Any) -> str:
    """A result in lines for reading."""
    lines = [
        f"{result.listener}, {result.path} path, {result.dtype} on {result.device}, "
        f"{result.torch_threads} threads"
    ]
    for way in result.ways.values():
        lines.append(
            f"  {way.name:8} {way.median:9.1f} questions/s  {way.memory_mb:8.0f} MB  {way.what}"
        )
    lines.append(
        f"  ours is {result.ratios['naive']:.2f} times the naive loop and "
        f"{result.ratios['batched']:.2f} times the stock batched forward"
    )
    lines.append(
        f"  {result.gflop_per_question:.2f} GFLOP a question: {result.peak_share:.0%} of the "
        f"{result.peak_gflops:,.0f} GFLOP/s that a matrix product reaches here"
    )
    return "\n".join(lines)


def random_weights(
    settings: Settings, name: str, report: Callable[[str], None] = lambda line: None
) -> Path:
    """Write a checkpoint of the known model `name` at full size with random bfloat16 weights under
    the home folder's `models`; its folder, whose name is a listener for `bench`."""
    from spectcount.listeners.checkpoints.cards import cards
    from spectcount.training import full_size

    known = cards(settings)
    if name not in known:
        raise UserError(f"model {name!r} is not known; choose one of {', '.join(known)}")
    return full_size.write(known[name], settings.home / "models", settings.device, report=report)
