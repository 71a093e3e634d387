"""`render` and `ask`: one sound, one question."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from spectcount.cli.output import show
from spectcount.cli.root import Json, Seed, Sets, app
from spectcount.errors import UserError
from spectcount.params import split_assignments
from spectcount.settings import Settings


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
    show(result, as_json)


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
    sound, waveform, notes = sound_of(context.obj, preset, stimulus, wav, set_, seed)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    asked = Question(sound, waveform=waveform, **words)
    answers = actions.ask_each(context.obj, listener, asked)
    results = [{**answer.to_dict(), "notes": list(notes)} for answer in answers]
    show(results[0] if len(results) == 1 else results, as_json)


def sound_of(
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
