"""`tune`: making adapters."""

from __future__ import annotations

from typing import Annotated

import typer

from spectcount.cli import bench_train  # noqa: F401 - adds the verb `bench train`
from spectcount.cli.listing import list_option
from spectcount.cli.root import Json, Listener, Seed, Sets, Verbose, Wait, app, examples
from spectcount.cli.runs import follow
from spectcount.params import split_assignments


@app.command(
    epilog=examples(
        "tune --list",
        "tune laptop --listener tiny-lalm --weakness RUN --wait",
        "tune laptop --weakness RUN --steps 40",
    )
)
def tune(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="A training preset, or the path of its YAML.")],
    listener: Listener = "tiny-lalm",
    weakness: Annotated[
        str | None,
        typer.Option(help="A probe whose weak regions to teach, or its confirmation."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Optimiser steps instead of the preset's.")
    ] = None,
    set_: Sets = None,
    seed: Seed = 0,
    listing: Annotated[bool, list_option("training", "tune")] = False,
    wait: Wait = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Fine-tune an adapter; prints the run's id, and with --wait what it gained."""
    from spectcount import actions

    if weakness is not None:
        weakness = actions.run_called(context.obj, weakness).id
    params = split_assignments(set_ or []) | ({} if steps is None else {"steps": steps})
    run = actions.start_tune(
        context.obj, preset, listener, weakness=weakness, params=params, seed=seed
    )
    for note in run.lineage.get("notes", []):
        typer.echo(f"note: {note}", err=True)
    follow(context.obj, run.id, wait, as_json, verbose)
