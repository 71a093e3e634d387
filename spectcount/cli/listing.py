"""`VERB --list`: the presets that a verb takes, each with its title and its cost."""

from __future__ import annotations

from typing import Any

import typer

from spectcount.cli import terminal
from spectcount.cli.output import show
from spectcount.settings import Settings

HEADS = {"probes": "trials", "panels": "trials", "training": "steps", "stimuli": "clip"}


def list_option(kind: str, verb: str) -> Any:
    """The option --list of a verb that takes presets of `kind`; it ends the command."""

    def listed(context: typer.Context, wanted: bool) -> None:
        if wanted:
            show_presets(context.obj, kind, verb, bool(context.params.get("as_json")))
            raise typer.Exit

    return typer.Option("--list", help="List the presets with their cost.", callback=listed)


def show_presets(settings: Settings, kind: str, verb: str, as_json: bool) -> None:
    """A line for each preset of a kind; a broken one of one's own is told on stderr."""
    from spectcount import actions

    rows, broken = actions.preset_rows(settings, kind)
    for words in broken:
        typer.echo(words, err=True)
    if as_json:
        show(rows, as_json)
        return
    terminal.table(
        ("preset", "title", "kind", HEADS[kind]),
        [(row.name, row.title, row.form, row.cost) for row in rows],
        right=(3,),
        fold=(1,),
    )
    if rows:
        terminal.say_next(verb, rows[0].name)
