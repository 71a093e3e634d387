"""`report`, `runs export`, `runs figure`, `runs audiofolder`: a run's evidence as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectcount.cli import terminal
from spectcount.cli.output import show
from spectcount.cli.root import Json, RunId, app, examples
from spectcount.cli.runs import runs_app

Out = Annotated[Path, typer.Option(help="Folder to write into.")]


@app.command(epilog=examples("report RUN --out report.html"))
def report(
    context: typer.Context,
    run_id: RunId,
    out: Annotated[
        Path, typer.Option(help="The file (FILE.html), or a folder for RUN.html.")
    ] = Path("."),
    as_json: Json = False,
) -> None:
    """Write one HTML file with question, method, results, caveats and the command to repeat it."""
    from spectcount import actions

    path = actions.write_report(context.obj, run_id, out)
    show({"run": run_id, "report": str(path)}, as_json)


@runs_app.command("export")
def runs_export(
    context: typer.Context,
    run_id: RunId,
    out: Out = Path("."),
    clips: Annotated[bool, typer.Option("--clips", help="Add every clip as WAV.")] = False,
    as_json: Json = False,
) -> None:
    """Write a run's bundle as one zip: report, figures, trials, stimuli, plan."""
    from spectcount import actions

    path = actions.export(context.obj, run_id, out, clips)
    show({"run": run_id, "bundle": str(path)}, as_json)


@runs_app.command("figure")
def runs_figure(
    context: typer.Context,
    run_id: RunId,
    name: Annotated[str, typer.Argument(help="Which figure; without one they are listed.")] = "",
    out: Out = Path("."),
    as_json: Json = False,
) -> None:
    """Write one figure as SVG, PNG and HTML, with the trials behind it."""
    from spectcount import actions

    if not name:
        show({"run": run_id, "figures": actions.figure_names(context.obj, run_id)}, as_json)
        return
    files = actions.figure_files(context.obj, run_id, name, out)
    show({"run": run_id, "figure": name, "files": [str(f) for f in files]}, as_json)


@runs_app.command("audiofolder")
def runs_audiofolder(
    context: typer.Context,
    run_id: RunId,
    out: Annotated[Path, typer.Option(help="A new or empty folder.")] = Path("audiofolder"),
    as_json: Json = False,
) -> None:
    """Write a run's questions and clips as a Hugging Face audiofolder."""
    from spectcount import actions

    with terminal.progress() as step:
        folder = actions.audiofolder(
            context.obj, run_id, out, lambda done, total: step(done, total, "clips")
        )
    show({"run": run_id, "folder": str(folder)}, as_json)
