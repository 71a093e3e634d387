"""The root of the command line: the app itself, and the options that verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectcount.settings import Settings, load_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Find where an audio language model is deaf, and teach it.",
)

Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Override one parameter.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random draw.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the run to end.")]
Listener = Annotated[str, typer.Option("--listener", help="tiny-lalm, tiny-lalm@ADAPTER, ideal…")]


HOME_HELP = "Folder for runs and the store (default: ~/.spectcount)."
DEVICE_HELP = "auto (a GPU where there is one), cpu, mps, cuda or cuda:N."


@app.callback()
def _configure(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(help=HOME_HELP)] = None,
    device: Annotated[str | None, typer.Option(help=DEVICE_HELP)] = None,
) -> None:
    if context.invoked_subcommand != "app":  # which takes a mode too, and so makes its own settings
        context.obj = load_settings(home=home, device=device)
        warn_of_damage(context.obj)


def warn_of_damage(settings: Settings) -> None:
    """Say on stderr what in the home folder is not what it should be."""
    for sentence in settings.damaged_places():
        typer.echo(sentence, err=True)
