"""`ladder`: at which stage a model loses a sound; `patch`: which states carry it to the answer."""

from __future__ import annotations

from typing import Annotated

import typer

from spectcount.cli.root import Json, Seed, Sets, Verbose, Wait, app, examples
from spectcount.cli.runs import follow
from spectcount.params import split_assignments

Models = Annotated[
    list[str] | None,
    typer.Option("--listener", help="Base, and a second time tuned; default: those of the run."),
]
Source = Annotated[str, typer.Argument(help="A run that has ended, or a probe preset or its YAML.")]
Region = Annotated[
    int | None, typer.Option(min=1, help="Number of a weak region of the run: its clips alone.")
]


@app.command(epilog=examples("ladder count-map --listener tiny-lalm", "ladder RUN --region 1"))
def ladder(
    context: typer.Context,
    source: Source,
    listener: Models = None,
    region: Region = None,
    pairs: Annotated[int, typer.Option(help="Most pairs of clips.")] = 200,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the states (float16) in the run's folder.")
    ] = False,
    set_: Sets = None,
    seed: Seed = 0,
    wait: Wait = True,
    as_json: Json = False,
    verbose: Verbose = False,
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
    follow(context.obj, run.id, wait, as_json, verbose)


@app.command(epilog=examples("patch count-map --listener tiny-lalm", "patch RUN --region 1"))
def patch(
    context: typer.Context,
    source: Source,
    listener: Annotated[
        str | None, typer.Option("--listener", help="Default: the first of the run.")
    ] = None,
    region: Region = None,
    pairs: Annotated[int, typer.Option(help="Most pairs of clips.")] = 8,
    stretches: Annotated[int, typer.Option(help="Stretches of the clip's audio.")] = 12,
    set_: Sets = None,
    seed: Seed = 0,
    wait: Wait = True,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Replace a counterpart's states by the signal's, layer by layer; prints what comes back."""
    from spectcount import actions

    run = actions.start_patch(
        context.obj,
        source,
        listener,
        region=region,
        pairs=pairs,
        stretches=stretches,
        seed=seed,
        params=split_assignments(set_ or []),
    )
    follow(context.obj, run.id, wait, as_json, verbose)
