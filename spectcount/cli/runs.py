"""`runs`: list, show, cancel and resume; following a run to its end; the worker."""

from __future__ import annotations

from typing import Any

import typer

from spectcount import interrupts
from spectcount.cli.output import bar, brief, show
from spectcount.cli.root import Json, Wait, app
from spectcount.settings import Settings

runs_app = typer.Typer(no_args_is_help=True, help="List, show, cancel, resume and export runs.")
app.add_typer(runs_app, name="runs")

FAILED = 1


@app.command(hidden=True)
def run(context: typer.Context, run_id: str) -> None:
    """Do a run's work in this process: the worker."""
    from spectcount.jobs import worker

    interrupts.as_usual()
    if not worker.main(run_id, context.obj):
        raise typer.Exit(FAILED)


@runs_app.command("list")
def runs_list(context: typer.Context, as_json: Json = False) -> None:
    """Every run, newest first."""
    store = tended(context.obj)
    listed = store.runs()
    if as_json:
        show([r.to_dict() for r in listed], as_json)
        return
    for r in listed:
        typer.echo(f"{r.id:32} {r.state:12} {r.done}/{r.total}  {r.reason}".rstrip())
    if not listed:
        typer.echo("no runs yet; start one with: probe quick-map", err=True)


@runs_app.command("show")
def runs_show(context: typer.Context, run_id: str, as_json: Json = False) -> None:
    """One run: state, reason, configuration, summary and the end of its log."""
    record = tended(context.obj).run(run_id)
    show({**record.to_dict(), "log_tail": record.log_tail()}, as_json)


@runs_app.command("cancel")
def runs_cancel(
    context: typer.Context, run_id: str, wait: Wait = False, as_json: Json = False
) -> None:
    """Ask a run to stop: it finishes its step, saves and ends as stopped."""
    from spectcount import actions

    record = actions.cancel(context.obj, run_id)
    if wait:
        record = wait_for(context.obj, run_id)
    show(brief(record), as_json)


@runs_app.command("resume")
def runs_resume(
    context: typer.Context, run_id: str, wait: Wait = False, as_json: Json = False
) -> None:
    """Queue a stopped, interrupted or failed run again; it goes on where it was."""
    from spectcount import actions

    actions.resume(context.obj, run_id)
    follow(context.obj, run_id, wait, as_json)


def tended(settings: Settings) -> Any:
    """The store, after a look at what died and what may start."""
    from spectcount import jobs
    from spectcount.store import Store

    store = Store(settings.database)
    jobs.tend(store, settings)
    return store


def follow(settings: Settings, run_id: str, wait: bool, as_json: bool) -> None:
    """Print a run, after its end when `wait`; exit 1 when it did not end well."""
    from spectcount.store import Store

    record = wait_for(settings, run_id) if wait else Store(settings.database).run(run_id)
    show(brief(record), as_json)
    if record.state in ("failed", "interrupted") or (wait and record.state != "done"):
        raise typer.Exit(FAILED)


def wait_for(settings: Settings, run_id: str) -> Any:
    """The run when it has ended, with a progress bar until then. Ctrl-C leaves it running."""
    from spectcount import jobs
    from spectcount.store import Store

    typer.echo(run_id, err=True)
    with bar(None) as step:
        ended = jobs.wait(
            Store(settings.database),
            settings,
            run_id,
            lambda r: step(r.done, r.total, r.state),
        )
    interrupts.hint(f"{run_id} has ended; see it with: runs show {run_id}")
    return ended
