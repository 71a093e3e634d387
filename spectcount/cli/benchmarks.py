"""`benchmark list`, `run`, `report`, `export`: MMAU, MMAR, MMSU and AIR-Bench Foundation."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from spectcount.cli import terminal
from spectcount.cli.output import show
from spectcount.cli.root import Json, Listener, RunId, Seed, Verbose, Wait, app, examples
from spectcount.cli.runs import follow

benchmark_app = typer.Typer(
    no_args_is_help=True,
    help="Ask real benchmarks: does it carry over?",
)
app.add_typer(
    benchmark_app,
    name="benchmark",
    epilog=examples(
        "benchmark list",
        "benchmark run mmau --path FOLDER --listener tiny-lalm --tuned tiny-lalm@example",
    ),
)


@benchmark_app.command("list")
def benchmark_list(context: typer.Context, as_json: Json = False, verbose: Verbose = False) -> None:
    """The benchmarks and the files that each needs; --verbose: prompts, official rule, gotchas."""
    from spectcount import actions

    listed = actions.benchmarks(context.obj)
    if as_json or verbose:
        show(listed, as_json)
        return
    rows = [(b["name"], b["title"], ", ".join(b["files"]), b["prompts"][0]) for b in listed]
    terminal.table(("benchmark", "title", "official files", "prompt"), rows, fold=(2,))
    terminal.say_next("benchmark", "run", rows[0][0], "--path", "FOLDER")


@benchmark_app.command("run")
def benchmark_run(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="mmau, mmau-test, mmar, mmsu, air-bench.")],
    path: Annotated[str, typer.Option(help="Folder or file of the official data; hf:OWNER/NAME.")],
    listener: Listener = "tiny-lalm",
    tuned: Annotated[str | None, typer.Option(help="A second listener to compare.")] = None,
    prompt: Annotated[str | None, typer.Option(help="A prompt, or the path of its YAML.")] = None,
    scored: Annotated[
        bool, typer.Option("--scored", help="Score the options instead of reading a reply.")
    ] = False,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Ask in every rotation of the options.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Draw so many items.")] = None,
    split: Annotated[str, typer.Option(help="Split of a hub data set.")] = "test",
    seed: Seed = 0,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Ask a benchmark of one listener, or of base and tuned; prints the report."""
    from spectcount import actions

    run = actions.start_benchmark(
        context.obj,
        name,
        path,
        listener,
        tuned,
        prompt=prompt,
        rotate=rotate,
        limit=limit,
        mode="scored" if scored else "reply",
        seed=seed,
        split=split,
    )
    if not wait or as_json:
        follow(context.obj, run.id, wait, as_json)
        return
    _followed(context, run.id)


@benchmark_app.command("report")
def benchmark_report(context: typer.Context, run_id: RunId, as_json: Json = False) -> None:
    """The results of a run: scores, floors, categories, what changed, and the official gotchas."""
    from spectcount import actions

    if as_json:
        show(actions.benchmark_report(context.obj, run_id), as_json)
        return
    for line in actions.benchmark_lines(context.obj, run_id):
        typer.echo(line)


@benchmark_app.command("export")
def benchmark_export(
    context: typer.Context,
    run_id: RunId,
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    as_json: Json = False,
) -> None:
    """Write the predictions as the official script reads them, one file per listener."""
    from spectcount import actions

    written = [
        {**dataclasses.asdict(file), "path": str(file.path)}
        for file in actions.export_benchmark(context.obj, run_id, out)
    ]
    show(written, as_json)


def _followed(context: typer.Context, run_id: RunId) -> None:
    """Wait for a run; print its report in words."""
    from spectcount import actions
    from spectcount.cli.runs import FAILED, wait_for

    ended = wait_for(context.obj, run_id)
    typer.echo(f"{ended.id}: {ended.state} {ended.reason}".rstrip())
    if (ended.summary or {}).get("listeners"):
        for line in actions.benchmark_lines(context.obj, run_id):
            typer.echo(line)
    if ended.state != "done":
        raise typer.Exit(FAILED)
