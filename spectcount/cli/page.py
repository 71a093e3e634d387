"""`app`: serve the page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from spectcount import interrupts, listeners
from spectcount.cli.root import DEVICE_HELP, HOME_HELP, app, examples, warn_of_damage
from spectcount.settings import load_settings


@app.command("app", epilog=examples("app", "app --port 8000"))
def page(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on (default: this machine only).")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port (default: the first free one from 7860).")
    ] = None,
    home: Annotated[Path | None, typer.Option(help=HOME_HELP)] = None,
    mode: Annotated[
        str | None, typer.Option(help="local or demo: what visitors may do (demo on a Space).")
    ] = None,
    device: Annotated[str | None, typer.Option(help=DEVICE_HELP)] = None,
) -> None:
    """Serve the page until interrupted."""
    before = context.parent.params if context.parent else {}
    settings = load_settings(mode, home or before.get("home"), device or before.get("device"))
    warn_of_damage(settings)
    listeners.warm(settings, listeners.EMBEDDED)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from spectcount.ui.app import serve

    interrupts.hint("the page is closed; runs that work or wait go on")
    serve(settings, host or os.environ.get("GRADIO_SERVER_NAME"), port)
