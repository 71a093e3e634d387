"""`compare`, `panel`, `wordings`: base against tuned, with what may be said at the end."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from spectcount.cli.listing import list_option
from spectcount.cli.root import Json, Listener, Sets, Verbose, Wait, app, examples
from spectcount.cli.runs import follow
from spectcount.params import split_assignments
from spectcount.settings import Settings

Preset = Annotated[str, typer.Argument(help="A probe preset, or the path of its YAML.")]
Base = Annotated[str, typer.Option(help="The first listener.")]
Tuned = Annotated[str, typer.Option(help="The second listener.")]
HeldOutSeed = Annotated[
    int, typer.Option("--seed", min=0, help="Seed of the questions: one never used before.")
]
Margin = Annotated[
    float | None,
    typer.Option(help="Changes of the main measure within ±this count as equivalent."),
]
SEED = 1000


@app.command(
    epilog=examples(
        "compare --list",
        "compare count-map --base tiny-lalm --tuned tiny-lalm@example --seed 1",
        "compare count-map --tuned tiny-lalm@TUNE --only never-trained --margin 0.1",
    )
)
def compare(
    context: typer.Context,
    preset: Preset,
    base: Base = "tiny-lalm",
    tuned: Tuned = "tiny-lalm@example",
    set_: Sets = None,
    seed: HeldOutSeed = SEED,
    only: Annotated[
        str, typer.Option(help="all, or the part of a map or curve: trained, never-trained.")
    ] = "all",
    margin: Margin = None,
    listing: Annotated[bool, list_option("probes", "compare")] = False,
    wait: Wait = True,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Ask two listeners the same questions; prints the verdict, and the cells that changed."""
    from spectcount import actions

    run = actions.start_compare(
        context.obj,
        preset,
        base,
        tuned,
        seed,
        split_assignments(set_ or []),
        only=only,
        margin=margin,
    )
    _finish(context.obj, run, wait, as_json, verbose)


@app.command(
    epilog=examples("panel --list", "panel embedded --base tiny-lalm --tuned tiny-lalm@example")
)
def panel(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="A panel preset, or the path of its YAML.")],
    base: Base = "tiny-lalm",
    tuned: Tuned = "tiny-lalm@example",
    seed: HeldOutSeed = SEED,
    margin: Margin = None,
    listing: Annotated[bool, list_option("panels", "panel")] = False,
    wait: Wait = True,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Ask two listeners what was fine before; prints what was forgotten, and the table."""
    from spectcount import actions

    run = actions.start_panel(context.obj, preset, base, tuned, seed, margin=margin)
    _finish(context.obj, run, wait, as_json, verbose)


@app.command(
    epilog=examples("wordings --list", "wordings count-map --listener tiny-lalm --set trials=4")
)
def wordings(
    context: typer.Context,
    preset: Preset,
    listener: Listener = "tiny-lalm",
    tuned: Annotated[str | None, typer.Option(help="A second listener to compare.")] = None,
    count: Annotated[
        int, typer.Option(min=2, help="How many wordings, the held-out ones among them.")
    ] = 5,
    set_: Sets = None,
    seed: HeldOutSeed = SEED,
    listing: Annotated[bool, list_option("probes", "wordings")] = False,
    wait: Wait = True,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Ask every stimulus in several wordings; prints how much the wording matters."""
    from spectcount import actions

    run = actions.start_wordings(
        context.obj, preset, listener, tuned, seed, split_assignments(set_ or []), n_wordings=count
    )
    _finish(context.obj, run, wait, as_json, verbose)


def sentences(summary: dict[str, Any] | None) -> list[str]:
    """Results of a comparison, a panel or a run over wordings in sentences, the verdict first."""
    results = summary or {}
    lines = [verdict["sentence"] for verdict in results.get("verdicts", [])]
    change = results.get("change")
    parts = [] if "panel" in results else [results, *results.get("plans", [])]
    lines += [_of_cells(part) for part in parts if "change" in part]
    if "panel" in results:
        lines += [_row(row) for row in results["panel"]["rows"]] + [results["panel"]["sentence"]]
    if "wordings" in results:
        lines += [
            f"{who}: {wording['sentence']}"
            for who, wording in results["wordings"].items()
            if wording
        ]
        lines += [v["sentence"] for v in (change or {}).get("verdicts", [])]
    held_out = results.get("held_out", {})
    lines += [part["sentence"] for part in held_out.get("parts", [])] + held_out.get("seen", [])
    return [line for line in lines if line]


def _finish(settings: Settings, run: Any, wait: bool, as_json: bool, verbose: bool) -> None:
    """Warn of what was seen before, follow the run; --verbose ends with what may be said."""
    from spectcount.store import Store

    for warning in run.lineage.get("seen", []):
        typer.echo(f"note: {warning}", err=True)
    follow(settings, run.id, wait, as_json, verbose)
    if wait and verbose and not as_json:
        for sentence in sentences(Store(settings.database).run(run.id).summary):
            typer.echo(sentence)


def _of_cells(part: dict[str, Any]) -> str:
    """The verdict over the cells of one plan."""
    area = (part["change"] or {}).get("map")
    return area["sentence"] if area else ""


def _row(row: dict[str, Any]) -> str:
    """One line of a panel's table."""
    from spectcount.psychophysics.sdt import interval_of

    base, tuned = (interval_of(row[name]) for name in ("base", "tuned"))
    note = "" if row["fine_before"] else " (not fine before)"
    return f"{row['name']}: {base} -> {tuned}, {row['verdict']['sentence']}{note}"
