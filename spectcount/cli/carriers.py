"""`carrier`: keep a recording on this machine, to be named by its hash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectcount.cli.output import show
from spectcount.cli.root import Json, app, examples


@app.command(epilog=examples("carrier bark.wav", "carrier"))
def carrier(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A WAV, FLAC, OGG or MP3 file; none: list what is kept.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep a recording for the family real_sound; print its hash and duration."""
    from spectcount import actions

    if file is None:
        show({"carriers": [vars(carrier) for carrier in actions.carriers(context.obj)]}, as_json)
        return
    digest, notes = actions.add_carrier(context.obj, file)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    duration_s = next(
        carrier.duration_s for carrier in actions.carriers(context.obj) if carrier.hash == digest
    )
    show({"hash": digest, "duration_s": duration_s, "notes": list(notes)}, as_json)
