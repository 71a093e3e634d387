"""`runs`: list, show, cancel and resume; following a run to its end; the worker."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectcount import interrupts
from spectcount.cli import terminal
from spectcount.cli.output import brief, show
from spectcount.cli.results import show_run, what
from spectcount.cli.root import Json, RunId, Verbose, Wait, app, examples
from spectcount.errors import UserError
from spectcount.settings import Settings

if TYPE_CHECKING:
    from spectcount.store import Run

runs_app = typer.Typer(
    no_args_is_help=True, help="List, show, name, cancel, resume, export and remove runs."
)
app.add_typer(
    runs_app,
    name="runs",
    epilog=examples("runs list", "runs show RUN", "runs rename RUN 'first map'", "runs rm RUN"),
)

FAILED = 1


@app.command(hidden=True)
def run(context: typer.Context, run_id: str) -> None:
    """Do a run's work in this process: the worker."""
    from spectcount.jobs import worker

    interrupts.as_usual()
    if not worker.main(run_id, context.obj):
        raise typer.Exit(FAILED)


@runs_app.command("list")
def runs_list(context: typer.Context, as_json: Json = False, verbose: Verbose = False) -> None:
    """Every run, newest first."""
    store = tended(context.obj)
    listed = store.runs()
    if as_json:
        show([r.to_dict() for r in listed], as_json)
    elif verbose:
        for r in listed:
            typer.echo(f"{r.id:32} {r.state:12} {r.done}/{r.total}  {r.reason}".rstrip())
    elif listed:
        head = ("run", "kind", "what", "listeners", "state", "progress", "when")
        terminal.table(head, [_row(r) for r in listed], right=(5,), fold=(2, 3))
    if not listed and not as_json:
        typer.echo("no runs yet; start one with: probe quick-map", err=True)


def _row(run: Run) -> tuple[Any, ...]:
    """One run of the list."""
    name = run.lineage.get("name")
    who = run.listeners or tuple(filter(None, [run.config.get("base")]))
    return (
        run.id,
        run.kind,
        ", ".join(filter(None, [f'"{name}"' if name else "", what(run)])) or "-",
        ", ".join(map(str, who)) or "-",
        run.state,
        str(run.total) if run.state == "done" else f"{run.done}/{run.total}",
        terminal.ago(run.created_at),
    )


@runs_app.command("show", epilog=examples("runs show RUN", "runs show RUN --json"))
def runs_show(
    context: typer.Context, run_id: RunId, as_json: Json = False, verbose: Verbose = False
) -> None:
    """One run: state and results; --verbose: configuration, summary and the end of its log."""
    record = tended(context.obj).run(run_id)
    if as_json or verbose:
        show({**record.to_dict(), "log_tail": record.log_tail()}, as_json)
    else:
        show_run(context.obj, record)


@runs_app.command("cancel")
def runs_cancel(
    context: typer.Context, run_id: RunId, wait: Wait = False, as_json: Json = False
) -> None:
    """Ask a run to stop: it finishes its step, saves and ends as stopped."""
    from spectcount import actions

    record = actions.cancel(context.obj, run_id)
    if wait:
        record = wait_for(context.obj, run_id)
    show(brief(record), as_json)


@runs_app.command("resume")
def runs_resume(
    context: typer.Context, run_id: RunId, wait: Wait = False, as_json: Json = False
) -> None:
    """Queue a stopped, interrupted or failed run again; it goes on where it was."""
    from spectcount import actions

    actions.resume(context.obj, run_id)
    follow(context.obj, run_id, wait, as_json)


@runs_app.command("again")
def runs_again(
    context: typer.Context, run_id: RunId, wait: Wait = False, as_json: Json = False
) -> None:
    """Start a probe, a comparison or a fine-tune once more, as a new run."""
    from spectcount import actions

    follow(context.obj, actions.start_again(context.obj, run_id).id, wait, as_json)


@runs_app.command("rename", epilog=examples("runs rename RUN 'high tones, first try'"))
def runs_rename(
    context: typer.Context,
    run_id: RunId,
    name: Annotated[str, typer.Argument(help="The new name; '' takes the name away.")],
    as_json: Json = False,
) -> None:
    """Give a run a name, by which every verb finds it; its id stays."""
    from spectcount import actions

    record = actions.rename_run(context.obj, run_id, name)
    if as_json:
        show(brief(record), as_json)
    else:
        terminal.say(f"{record.id} is called {record.lineage.get('name') or record.id}")


@runs_app.command("rm", epilog=examples("runs rm RUN", "runs rm RUN1 RUN2 --yes"))
def runs_rm(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids or names.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Adapters, too, that other runs have asked.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove runs that have ended, with their answers, figures and adapters."""
    from spectcount import actions

    tended(context.obj)
    ids = [actions.run_called(context.obj, name).id for name in names]
    if not yes:
        _sure(ids)
    removed = actions.remove_runs(context.obj, ids, force=force)
    if as_json:
        show({"removed": [run.id for run in removed]}, as_json)
    else:
        terminal.say(f"removed {', '.join(run.id for run in removed)}")


def _sure(ids: list[str]) -> None:
    """Ask on a terminal; without one there is nobody to ask."""
    if not sys.stdin.isatty():
        raise UserError(f"nobody can be asked whether to remove {', '.join(ids)}; give --yes")
    typer.confirm(f"remove {', '.join(ids)} with all that they hold?", abort=True, err=True)


def tended(settings: Settings) -> Any:
    """The store, after a look at what died and what may start."""
    from spectcount import jobs
    from spectcount.store import Store

    store = Store(settings.database)
    jobs.tend(store, settings)
    return store


def follow(
    settings: Settings, run_id: str, wait: bool, as_json: bool, verbose: bool = False
) -> None:
    """Print a run, after its end when `wait`; exit 1 when it did not end well."""
    from spectcount.store import Store

    record = wait_for(settings, run_id) if wait else Store(settings.database).run(run_id)
    if as_json or verbose:
        show(brief(record), as_json)
    else:
        show_run(settings, record)
    if record.state in ("failed", "interrupted") or (wait and record.state != "done"):
        raise typer.Exit(FAILED)


def wait_for(settings: Settings, run_id: str) -> Any:
    """The run when it has ended, with a progress bar until then. Ctrl-C leaves it running."""
    from spectcount import jobs
    from spectcount.store import Store

    typer.echo(run_id, err=True)
    with terminal.progress() as step:
        ended = jobs.wait(
            Store(settings.database),
            settings,
            run_id,
            lambda r: step(r.done, r.total, r.state),
        )
    interrupts.hint(f"{run_id} has ended; see it with: runs show {run_id}")
    return ended
