"""`models`: the list and what fits; `show`, `forecast`, `get`, `check`, `loaded`, `unload`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from spectcount import interrupts
from spectcount.cli import terminal
from spectcount.cli.output import show
from spectcount.cli.root import Json, Verbose, app, examples
from spectcount.errors import UserError

models_app = typer.Typer(
    help="Models: the list, what fits here, getting and checking one.",
)
app.add_typer(
    models_app,
    name="models",
    epilog=examples("models", "models show qwen2-audio-7b-instruct", "models check tiny-lalm"),
)
HEAD = ("model", "family", "parameters", "needs", "fits here", "on disk", "licence")
Name = Annotated[str, typer.Argument(help="A model's name, path:/FOLDER or OWNER/NAME#COMMIT.")]


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: Json = False, verbose: Verbose = False) -> None:
    """The models, what each needs, and whether it fits this device."""
    if context.invoked_subcommand is not None:
        return
    from spectcount import actions

    rows = actions.models(context.obj)
    if as_json:
        show(rows, True)
        return
    if verbose:
        terminal.table(HEAD, [_cells(row) for row in rows], right=(2, 3))
        return
    terminal.table(
        ("model", "parameters", "needs", "fits", "here", "licence"),
        [_brief(row) for row in rows],
        right=(1, 2),
    )
    terminal.say_next("models", "show", rows[0].name)


@models_app.command("show")
def models_show(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """All that is known of one model."""
    from spectcount import actions

    show(actions.model_facts(context.obj, name), as_json)


@models_app.command("forecast")
def models_forecast(
    context: typer.Context,
    name: Name,
    tune: Annotated[bool, typer.Option("--tune", help="For a fine-tune.")] = False,
    scope: Annotated[str, typer.Option(help="encoder, projector, llm or both.")] = "both",
    batch: Annotated[int, typer.Option(min=1, help="Clips at once.")] = 1,
    seconds: Annotated[float, typer.Option(help="Length of the clips, s.")] = 30.0,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the adapter.")] = 8,
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="With gradient checkpointing.")
    ] = False,
    dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16.")] = None,
    four_bit: Annotated[bool, typer.Option("--4bit", help="Language model in 4 bits.")] = False,
    as_json: Json = False,
) -> None:
    """Memory that a model needs, before it is got or loaded."""
    from spectcount import actions

    changes: dict[str, Any] = {
        "tune": tune,
        "scope": scope,
        "batch": batch,
        "seconds": seconds,
        "rank": rank,
        "checkpointing": checkpointing,
    }
    if dtype is not None:
        changes["dtype"] = dtype
    if four_bit:
        changes |= {"four_bit": True, "dtype": "bfloat16"}
    show(actions.forecast_model(context.obj, name, changes), as_json)


@models_app.command("get")
def models_get(
    context: typer.Context,
    name: Name,
    revision: Annotated[str, typer.Option(help="The commit, where the list names none.")] = "",
    as_json: Json = False,
) -> None:
    """Fetch a model from the hub into the home folder."""
    from spectcount import actions

    interrupts.hint(f"what was fetched stays; go on with: models get {name}")
    with terminal.progress() as step:
        folder = actions.get_model(
            context.obj, name, revision, lambda words, done, total: step(done, total, words)
        )
    show({"model": name, "folder": str(folder)}, as_json)


@models_app.command("check")
def models_check(
    context: typer.Context,
    where: Annotated[str, typer.Argument(metavar="FOLDER", help="A folder, or a model's name.")],
    as_json: Json = False,
) -> None:
    """Load a model, try whether it hears and which scoring path it takes."""
    from spectcount import actions

    with terminal.progress() as step:
        report = actions.check_model(
            context.obj, where, lambda words, done, total: step(done, total, words)
        )
    show(report, as_json)


@models_app.command("loaded")
def models_loaded(context: typer.Context, as_json: Json = False) -> None:
    """The models that the resident scorer holds in memory, the last used first."""
    from spectcount import actions

    rows = actions.models_in_memory(context.obj)
    if as_json:
        show(rows, True)
    elif not rows:
        typer.echo("no model is in memory; the next question loads one")
    for row in [] if as_json else rows:
        adapters = f", {row.adapters} adapters" if row.adapters else ""
        size = f"{row.bytes / 1e6:.0f} MB on {row.device}"
        typer.echo(f"{row.name}  {size}, {row.dtype}, {row.path} path{adapters}")


@models_app.command("unload")
def models_unload(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="A model's name; none: all, and the scorer ends.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Free the memory of a model; the next question loads it again."""
    from spectcount import actions

    gone = actions.unload_models(context.obj, name)
    if name and not gone:
        raise UserError(f"{name} is not in memory, so there is nothing to unload")
    ended = not name and actions.end_scorer(context.obj)
    show({"unloaded": gone, "scorer_ended": bool(ended)}, as_json)


def _brief(row: Any) -> tuple[str, ...]:
    """A line of the list without family, conditions and size to fetch."""
    name, _, parameters, needs, fits, here, _ = _cells(row)
    return name, parameters, needs, fits, here.partition(" ")[0], row.licence.partition(" (")[0]


def _cells(row: Any) -> tuple[str, ...]:
    fits = "yes" if row.fits else f"as +{row.fits_as}" if row.fits_as else "no"
    millions = 1e3 * row.parameters_b
    return (
        row.name,
        row.family if row.usable else f"{row.family or '-'} (not here)",
        f"{row.parameters_b:.2f} B" if millions > 10 else f"{millions:.1f} M",
        f"{row.needs_gb:.1f} GB",
        fits,
        "yes" if row.here else f"no ({row.disk_gb:g} GB to get)",
        row.licence + ("" if row.licence_open else " (to accept on the hub)"),
    )
