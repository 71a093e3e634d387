"""`ladder`: at which stage a model loses a sound."""

from __future__ import annotations

from typing import Annotated

import typer

from spectcount.cli.root import Json, Seed, Sets, Wait, app
from spectcount.cli.runs import follow
from spectcount.params import split_assignments

Models = Annotated[
    list[str] | None,
    typer.Option("--listener", help="Base, and a second time tuned; default: those of the run."),
]


@app.command()
def ladder(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="A run that has ended, or a probe preset or its YAML.")
    ],
    listener: Models = None,
    region: Annotated[
        int | None, typer.Option(min=1, help="Number of a weak region of the run: its clips alone.")
    ] = None,
    pairs: Annotated[int, typer.Option(help="Most pairs of clips.")] = 200,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the states (float16) in the run's folder.")
    ] = False,
    set_: Sets = None,
    seed: Seed = 0,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Read what each stage of a model tells of a run's clips; prints where it is lost."""
    from spectcount import actions

    run = actions.start_ladder(
        context.obj,
        source,
        listener or (),
        region=region,
        pairs=pairs,
        keep=keep,
        seed=seed,
        params=split_assignments(set_ or []),
    )
    follow(context.obj, run.id, wait, as_json)
    if wait and not as_json:
        for line in actions.ladder_lines(context.obj, run.id):
            typer.echo(line)
