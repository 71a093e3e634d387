"""`bench`: how fast questions are scored, measured in one run against the alternatives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from spectcount.cli.root import Json, Listener, Sets, app, examples
from spectcount.params import split_assignments

bench_app = typer.Typer(
    help="Measure speeds, as ratios against named alternatives.",
)
app.add_typer(
    bench_app,
    name="bench",
    epilog=examples("bench --listener tiny-lalm", "bench train --listener tiny-lalm"),
)


@bench_app.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    listener: Listener = "tiny-lalm",
    set_: Sets = None,
    out: Annotated[Path | None, typer.Option(help="Write the result here as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """Score the same questions by the naive loop, the stock batched forward, and ours."""
    if context.invoked_subcommand is not None:
        return
    from spectcount.actions.bench import bench_scoring, bench_table

    result = bench_scoring(
        context.obj,
        listener,
        split_assignments(set_ or []),
        lambda line: typer.echo(line, err=True),
        out,
    )
    typer.echo(json.dumps(result.to_dict(), indent=2) if as_json else bench_table(result))


@bench_app.command("random-weights")
def random_weights(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A known model: see `models`.")],
    as_json: Json = False,
) -> None:
    """Write a checkpoint of a real model's full size with random weights, to bench it."""
    from spectcount.actions.bench import random_weights as write

    folder = write(context.obj, name, lambda line: typer.echo(line, err=True))
    typer.echo(json.dumps({"folder": str(folder)}) if as_json else f"listener {folder.name}")
