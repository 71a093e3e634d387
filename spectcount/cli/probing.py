"""`probe`: a plan's questions to one listener; `confirm`: new ones about what it suspects;
`shortcuts`: what the clips give away."""

from __future__ import annotations

from typing import Annotated

import typer

from spectcount.cli.listing import list_option
from spectcount.cli.output import show
from spectcount.cli.root import Json, Listener, RunId, Seed, Sets, Verbose, Wait, app, examples
from spectcount.cli.runs import follow
from spectcount.params import split_assignments


@app.command(
    epilog=examples(
        "probe --list",
        "probe count-map --listener tiny-lalm --seed 11",
        "probe gap-curve --listener ideal --set trials=10",
    )
)
def probe(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="A probe preset, or the path of its YAML.")],
    listener: Listener = "tiny-lalm",
    set_: Sets = None,
    seed: Seed = 0,
    listing: Annotated[bool, list_option("probes", "probe")] = False,
    wait: Wait = True,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Ask one listener a plan's questions; prints its map or curve, weak regions, thresholds."""
    from spectcount import actions

    run = actions.start_probe(context.obj, preset, listener, seed, split_assignments(set_ or []))
    follow(context.obj, run.id, wait, as_json, verbose)


@app.command(epilog=examples("shortcuts count-map", "shortcuts gap-curve --verbose"))
def shortcuts(
    context: typer.Context,
    preset: Annotated[
        str, typer.Argument(help="A probe preset, its YAML, a panel or a stimulus preset.")
    ],
    set_: Sets = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Tell how far one cue alone (energy, sounding time, ...) gets on a preset's clips; asks
    nobody."""
    from spectcount import actions

    audits = actions.shortcuts(context.obj, preset, seed, split_assignments(set_ or []))
    if as_json:
        show(audits, as_json)
        return
    for audit in audits:
        typer.echo(f"{audit['part']}: {audit['sentence']}" if audit["part"] else audit["sentence"])
        for floor in audit["floors"]:
            rate = floor["rate"]
            typer.echo(
                f"  {floor['words']}: {rate['value']:.2f} [{rate['low']:.2f}, {rate['high']:.2f}]"
            )


@app.command(epilog=examples("confirm RUN", "confirm RUN --trials 120"))
def confirm(
    context: typer.Context,
    run_id: RunId,
    listener: Annotated[
        str | None, typer.Option(help="Whose regions; the run's first listener unless given.")
    ] = None,
    trials: Annotated[int, typer.Option(help="New signal trials for each region.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the new questions.")] = 2000,
    wait: Wait = True,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Ask anew about a map's suspected regions; prints which are confirmed, with estimates."""
    from spectcount import actions

    run = actions.start_confirm(context.obj, run_id, listener, seed, trials)
    follow(context.obj, run.id, wait, as_json, verbose)
