"""The command line: `python -m spectcount VERB`, the same functions as the page.

Conventions: results on stdout (one JSON document with --json), progress and messages on stderr.
Exit codes: 0 done, 1 the work failed or was stopped, 2 refused input.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from spectcount.errors import UserError
from spectcount.params import split_assignments
from spectcount.settings import Settings, load_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Find where an audio language model is deaf, and teach it.",
)
runs_app = typer.Typer(no_args_is_help=True, help="List, show, cancel, resume and export runs.")
app.add_typer(runs_app, name="runs")

REFUSED, FAILED = 2, 1

Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Override one parameter.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random draw.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the run to end.")]
Listener = Annotated[str, typer.Option("--listener", help="tiny-lalm, tiny-lalm@ADAPTER, ideal…")]


@app.callback()
def _configure(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Folder for runs and the store.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, mps, cuda or cuda:N.")] = None,
) -> None:
    context.obj = load_settings(home=home, device=device)


@app.command()
def render(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="A stimulus preset, or the path of its YAML.")],
    set_: Sets = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("clip"),
    as_json: Json = False,
) -> None:
    """Draw a stimulus; write clip.wav (32-bit float), stimulus.json and spectrogram.png."""
    from spectcount import actions

    stimulus = actions.preset_stimulus(context.obj, preset, split_assignments(set_ or []), seed)
    files = actions.render(stimulus, out)
    result = {
        "clip": str(files.clip),
        "stimulus": str(files.stimulus),
        "spectrogram": str(files.spectrogram),
        "hash": stimulus.hash,
        "n_events": len(stimulus.events),
        "duration_s": stimulus.duration_s,
        "seed": seed,
    }
    _print(result, as_json)


@app.command()
def ask(
    context: typer.Context,
    listener: Annotated[list[str], typer.Option(help="Whom to ask; may be given several times.")],
    preset: Annotated[str | None, typer.Option(help="Ask about a stimulus of this preset.")] = None,
    stimulus: Annotated[Path | None, typer.Option(help="… about a stimulus.json.")] = None,
    wav: Annotated[Path | None, typer.Option(help="… about a WAV, FLAC or OGG file.")] = None,
    set_: Sets = None,
    seed: Seed = 0,
    task: Annotated[str, typer.Option(help="detect, count or interval.")] = "count",
    wording: Annotated[int, typer.Option(help="Which wording of the task.")] = 0,
    question: Annotated[str, typer.Option(help="Your own words instead of a wording.")] = "",
    as_json: Json = False,
) -> None:
    """Ask about one clip: answer, truth, probabilities, mass, fingerprint."""
    from spectcount import actions
    from spectcount.trials import Question

    words: dict[str, Any] = {"task_name": task, "wording": wording, "text": question}
    sound, waveform, notes = _sound(context.obj, preset, stimulus, wav, set_, seed)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    asked = Question(sound, waveform=waveform, **words)
    answers = actions.ask_each(context.obj, listener, asked)
    results = [{**answer.to_dict(), "notes": list(notes)} for answer in answers]
    _print(results[0] if len(results) == 1 else results, as_json)


@app.command()
def probe(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="A probe preset, or the path of its YAML.")],
    listener: Listener = "tiny-lalm",
    set_: Sets = None,
    seed: Seed = 0,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Probe one listener; prints the run's id and summary."""
    from spectcount import actions

    run = actions.start_probe(context.obj, preset, listener, seed, split_assignments(set_ or []))
    _follow(context.obj, run.id, wait, as_json)


@app.command()
def compare(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="A probe preset, or the path of its YAML.")],
    base: Annotated[str, typer.Option(help="The first listener.")] = "tiny-lalm",
    tuned: Annotated[str, typer.Option(help="The second listener.")] = "tiny-lalm@example",
    set_: Sets = None,
    seed: Seed = 0,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Ask two listeners the same questions; prints the run's id and summary."""
    from spectcount import actions

    run = actions.start_compare(
        context.obj, preset, base, tuned, seed, split_assignments(set_ or [])
    )
    _follow(context.obj, run.id, wait, as_json)


@app.command()
def tune(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="A training preset, or the path of its YAML.")],
    listener: Listener = "tiny-lalm",
    weakness: Annotated[
        str | None, typer.Option(help="A probe run whose weak regions to teach.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Optimiser steps instead of the preset's.")
    ] = None,
    set_: Sets = None,
    seed: Seed = 0,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Fine-tune an adapter; prints the run's id, and with --wait its summary."""
    from spectcount import actions

    params = split_assignments(set_ or []) | ({} if steps is None else {"steps": steps})
    run = actions.start_tune(
        context.obj, preset, listener, weakness=weakness, params=params, seed=seed
    )
    _follow(context.obj, run.id, wait, as_json)


@app.command()
def pretrain(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder of the model.")] = Path("tiny-lalm"),
    seed: Seed = 0,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    as_json: Json = False,
) -> None:
    """Make the embedded model from a seed."""
    from spectcount.training.pretrain import PretrainOptions, pretrain

    given = {"seed": seed, "steps": steps, "threads": threads}
    options = PretrainOptions.from_dict({k: v for k, v in given.items() if v is not None})
    with _bar(options.steps) as show:
        result = pretrain(
            options,
            out,
            device=context.obj.device,
            report=lambda step, losses: show(step, options.steps, _words(losses)),
        )
    _print({"out": str(out), **result}, as_json)


@app.command(hidden=True)
def run(context: typer.Context, run_id: str) -> None:
    """Do a run's work in this process: the worker."""
    from spectcount.jobs import worker

    if not worker.main(run_id, context.obj):
        raise typer.Exit(FAILED)


@runs_app.command("list")
def runs_list(context: typer.Context, as_json: Json = False) -> None:
    """Every run, newest first."""
    store = _tended(context.obj)
    found = store.runs()
    if as_json:
        _print([r.to_dict() for r in found], as_json)
        return
    for r in found:
        typer.echo(f"{r.id:32} {r.state:12} {r.done}/{r.total}  {r.reason}".rstrip())
    if not found:
        typer.echo("no runs yet; start one with: probe quick-map", err=True)


@runs_app.command("show")
def runs_show(context: typer.Context, run_id: str, as_json: Json = False) -> None:
    """One run: state, reason, configuration, summary and the end of its log."""
    found = _tended(context.obj).run(run_id)
    _print({**found.to_dict(), "log_tail": found.log_tail()}, as_json)


@runs_app.command("cancel")
def runs_cancel(
    context: typer.Context, run_id: str, wait: Wait = False, as_json: Json = False
) -> None:
    """Ask a run to stop: it finishes its step, saves and ends as stopped."""
    from spectcount import actions

    found = actions.cancel(context.obj, run_id)
    if wait:
        found = _wait(context.obj, run_id)
    _print(_brief(found), as_json)


@runs_app.command("resume")
def runs_resume(
    context: typer.Context, run_id: str, wait: Wait = False, as_json: Json = False
) -> None:
    """Queue a stopped, interrupted or failed run again; it goes on where it was."""
    from spectcount import actions

    actions.resume(context.obj, run_id)
    _follow(context.obj, run_id, wait, as_json)


@runs_app.command("export")
def runs_export(
    context: typer.Context,
    run_id: str,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("."),
    as_json: Json = False,
) -> None:
    """Write a run's bundle as one zip."""
    from spectcount import actions

    _print({"run": run_id, "bundle": str(actions.export(context.obj, run_id, out))}, as_json)


def main() -> None:
    """Run the command line; refused input is one sentence on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        typer.echo(str(error), err=True)
        sys.exit(REFUSED)


def _sound(
    settings: Settings,
    preset: str | None,
    stimulus: Path | None,
    wav: Path | None,
    set_: list[str] | None,
    seed: int,
) -> tuple[Any, Any, tuple[str, ...]]:
    """What is asked about: a stimulus or a waveform, and notes on how the file was read."""
    from spectcount import actions

    if sum(source is not None for source in (preset, stimulus, wav)) != 1:
        raise UserError("give one of --preset, --stimulus and --wav")
    if set_ and preset is None:
        raise UserError("--set changes a preset; give --preset")
    if wav is not None:
        waveform, notes = actions.load_clip(wav, settings)
        return None, waveform, notes
    if stimulus is not None:
        return actions.read_stimulus(stimulus), None, ()
    return (
        actions.preset_stimulus(settings, str(preset), split_assignments(set_ or []), seed),
        None,
        (),
    )


def _tended(settings: Settings) -> Any:
    """The store, after a look at what died and what may start."""
    from spectcount import jobs
    from spectcount.store import Store

    store = Store(settings.database)
    jobs.tend(store, settings)
    return store


def _follow(settings: Settings, run_id: str, wait: bool, as_json: bool) -> None:
    """Print a run, after its end when `wait`; exit 1 when it did not end well."""
    from spectcount.store import Store

    found = _wait(settings, run_id) if wait else Store(settings.database).run(run_id)
    _print(_brief(found), as_json)
    if found.state in ("failed", "interrupted") or (wait and found.state != "done"):
        raise typer.Exit(FAILED)


def _wait(settings: Settings, run_id: str) -> Any:
    """The run when it has ended, with a progress bar until then. Ctrl-C leaves it running."""
    from spectcount import jobs
    from spectcount.store import Store

    typer.echo(run_id, err=True)
    try:
        with _bar(None) as show:
            return jobs.wait(
                Store(settings.database),
                settings,
                run_id,
                lambda r: show(r.done, r.total, r.state),
            )
    except KeyboardInterrupt:
        typer.echo(f"{run_id} goes on; stop it with: runs cancel {run_id}", err=True)
        raise typer.Exit(FAILED) from None


@contextmanager
def _bar(total: int | None) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar on stderr; yields show(done, total, words). Hidden where stderr is no
    terminal."""
    words_now = ""
    bar: Any
    with typer.progressbar(
        length=total or 1, file=sys.stderr, item_show_func=lambda _: words_now
    ) as bar:

        def show(done: int, total: int, words: str) -> None:
            nonlocal words_now
            words_now = words
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield show


def _brief(found: Any) -> dict[str, Any]:
    names = ("id", "kind", "state", "reason", "done", "total", "summary")
    return {"run": found.id, **{name: getattr(found, name) for name in names[1:]}}


def _words(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items())


def _print(result: Any, as_json: bool) -> None:
    """One JSON document, or the same as indented lines."""
    result = _plain(result)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    for line in _outline(_terse(result)):
        typer.echo(line)


def _terse(value: Any) -> Any:
    """For reading: an interval as `value [low, high]`, a region as its sentence, local times."""
    if isinstance(value, Mapping):
        if {"value", "low", "high"} <= set(value):
            return f"{_short(value['value'])} [{_short(value['low'])}, {_short(value['high'])}]"
        if "sentence" in value:
            return value["sentence"]
        return {k: _moment(v) if k.endswith("_at") else _terse(v) for k, v in value.items()}
    return [_terse(v) for v in value] if isinstance(value, list | tuple) else value


def _moment(seconds: Any) -> Any:
    """Seconds since the epoch as local time."""
    if not isinstance(seconds, float):
        return seconds
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _plain(value: Any) -> Any:
    """JSON data: result classes as mappings, null for NaN and infinity, which JSON lacks."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _outline(value: Any, depth: int = 0) -> list[str]:
    pad = "  " * depth
    if isinstance(value, Mapping):
        return [line for k, v in value.items() for line in _entry(f"{pad}{k}:", v, depth)]
    if isinstance(value, list | tuple):
        return [line for v in value for line in _entry(f"{pad}-", v, depth)]
    return [f"{pad}{_short(value)}"]


def _entry(head: str, value: Any, depth: int) -> list[str]:
    """`head` and a value: on one line where the value is short."""
    flat = isinstance(value, list | tuple) and not any(
        isinstance(v, Mapping | list | tuple) or (isinstance(v, str) and " " in v) for v in value
    )
    if flat:
        return [f"{head} {', '.join(map(_short, value))}".rstrip()]
    if isinstance(value, Mapping | list | tuple):
        return [head, *_outline(value, depth + 1)]
    return [f"{head} {_short(value)}".rstrip()]


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
