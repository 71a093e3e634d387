"""`probe`: a plan's questions to one listener."""

from __future__ import annotations

from typing import Annotated

import typer

from spectcount.cli.root import Json, Listener, Seed, Sets, Wait, app
from spectcount.cli.runs import follow
from spectcount.params import split_assignments


@app.command()
def probe(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="A probe preset, or the path of its YAML.")],
    listener: Listener = "tiny-lalm",
    set_: Sets = None,
    seed: Seed = 0,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Probe one listener; prints the run's id and summary."""
    from spectcount import actions

    run = actions.start_probe(context.obj, preset, listener, seed, split_assignments(set_ or []))
    follow(context.obj, run.id, wait, as_json)
