"""`gallery`: the pictures and the page of all stimulus families."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectcount.cli.output import show
from spectcount.cli.root import Json, app


@app.command()
def gallery(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")] = Path("docs/gallery"),
    as_json: Json = False,
) -> None:
    """Write a picture of every family, and the page that describes them, beside the folder."""
    from spectcount import actions

    show({"files": [str(file) for file in actions.write_gallery(context.obj, out)]}, as_json)
