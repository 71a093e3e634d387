"""The root of the command line: the app itself, and the options that verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from spectcount.settings import Settings, load_settings

WORK = (
    "families render ask carrier probe shortcuts confirm wordings ladder patch tune compare panel "
    "listen benchmark report runs models bench app"
).split()
"""The verbs in the order of the work."""


class InOrder(TyperGroup):
    """Lists the verbs in the order of the work; those that it does not know at the end."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the verbs."""
        last = len(WORK)
        places = {name: k for k, name in enumerate(WORK)}
        return sorted(self.commands, key=lambda name: places.get(name, last))


def examples(*lines: str) -> str:
    """Examples under a verb's help, a line each."""
    return "\n\n".join(["Examples:", *(f"  spectcount {line}" for line in lines)])


app = typer.Typer(
    cls=InOrder,
    epilog=examples(
        "ask --preset wide --task count --listener tiny-lalm --listener ideal",
        "probe count-map --listener tiny-lalm",
        "confirm RUN",
        "tune laptop --weakness RUN --wait",
        "compare count-map --tuned tiny-lalm@TUNE",
        "report RUN --out report.html",
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Find where an audio language model is deaf, and teach it.",
)

Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Override one parameter.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random draw.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.", is_eager=True)]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print all that is known.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the run to end.")]
Listener = Annotated[str, typer.Option("--listener", help="tiny-lalm, tiny-lalm@ADAPTER, ideal…")]


def _run_called(context: typer.Context, name: str) -> str:
    """The id of the run that is called so, by its id or by the name that it was given."""
    from spectcount import actions

    return actions.run_called(context.obj, name).id if context.obj is not None else name


RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="Its id, or its name.", callback=_run_called)
]
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
