"""`probe`: a plan's questions to one listener; `shortcuts`: what they give away."""

from __future__ import annotations

from typing import Annotated

import typer

from spectcount.cli.output import show
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


@app.command()
def shortcuts(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="A probe preset, its YAML, or a stimulus preset.")],
    set_: Sets = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """What one cue alone (energy, sounding time, ...) reaches on a preset's clips; asks nobody."""
    from spectcount import actions

    found = actions.shortcuts(context.obj, preset, seed, split_assignments(set_ or []))
    if as_json:
        show(found, as_json)
        return
    for one in found:
        typer.echo(one["sentence"])
        for floor in one["floors"]:
            rate = floor["rate"]
            typer.echo(
                f"  {floor['words']}: {rate['value']:.2f} [{rate['low']:.2f}, {rate['high']:.2f}]"
            )
