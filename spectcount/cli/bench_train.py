"""`bench train`: how fast a step of a fine-tune is, against the stock way on the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from spectcount.cli.bench import bench_app
from spectcount.cli.root import Json, Listener, Sets
from spectcount.params import split_assignments


@bench_app.command("train")
def bench_train(
    context: typer.Context,
    listener: Listener = "tiny-lalm",
    set_: Sets = None,
    out: Annotated[Path | None, typer.Option(help="Write the result here as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """Time steps of a fine-tune, ours and the stock way, on the same clips in turns."""
    from spectcount.training import bench

    result = bench.bench(
        context.obj,
        listener,
        split_assignments(set_ or []),
        lambda line: typer.echo(line, err=True),
    )
    if out is not None:
        bench.write(result, out)
    typer.echo(json.dumps(result.to_dict(), indent=2) if as_json else bench.table(result))
