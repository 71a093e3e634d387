"""`render`, `ask` and `families`: one sound, one question, and what can be drawn.

*Conventions*: a sound is a preset's, a family's, or a file's; of a two-answer task `--other` takes
the counterpart, for which the second answer is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from spectcount.cli import terminal
from spectcount.cli.answers import show_answers
from spectcount.cli.output import show
from spectcount.cli.root import Json, Seed, Sets, Verbose, app, examples
from spectcount.errors import UserError
from spectcount.params import split_assignments
from spectcount.settings import Settings

Family = Annotated[
    str | None, typer.Option("--family", help="Draw from this family's defaults: no preset.")
]
Other = Annotated[
    bool, typer.Option("--other", help="The counterpart: the task's second answer is true.")
]


@dataclass(frozen=True)
class Sound:
    """The sound that a command is about: a stimulus, or a waveform and how its file was read."""

    stimulus: Any = None
    waveform: Any = None
    notes: tuple[str, ...] = ()


@app.command(
    epilog=examples("render wide --out clip", "render --family pulses --set n_events=3 --out clip")
)
def render(
    context: typer.Context,
    preset: Annotated[
        str | None, typer.Argument(help="A stimulus preset, or the path of its YAML.")
    ] = None,
    family: Family = None,
    set_: Sets = None,
    task: Annotated[str, typer.Option(help="The task whose two sounds are meant.")] = "",
    other: Other = False,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("clip"),
    as_json: Json = False,
) -> None:
    """Draw a stimulus; write clip.wav (32-bit float), stimulus.json and spectrogram.png."""
    from spectcount import actions
    from spectcount.measure.splatter import cautions
    from spectcount.tasks import task as task_called

    if (preset is None) == (family is None):
        raise UserError("give a preset or --family, one of the two")
    chosen = task_called(task or usual_task(context.obj, preset, family, other))
    stimulus = drawn(context.obj, preset, family, set_, seed, task, other)
    files = actions.render(stimulus, out)
    result = {
        "clip": str(files.clip),
        "stimulus": str(files.stimulus),
        "spectrogram": str(files.spectrogram),
        "hash": stimulus.hash,
        "family": stimulus.meta["family"],
        "task": chosen.name,
        "truth": chosen.truth(stimulus),
        "n_events": len(stimulus.events),
        "duration_s": stimulus.duration_s,
        "seed": seed,
        "cautions": cautions(stimulus),
    }
    show(result, as_json)


@app.command(
    epilog=examples(
        "ask --preset wide --task count --listener tiny-lalm --listener ideal",
        "ask --wav my.wav --task detect --listener tiny-lalm",
    )
)
def ask(
    context: typer.Context,
    listener: Annotated[list[str], typer.Option(help="Whom to ask; may be given several times.")],
    preset: Annotated[str | None, typer.Option(help="Ask about a stimulus of this preset.")] = None,
    family: Family = None,
    stimulus: Annotated[Path | None, typer.Option(help="… about a stimulus.json.")] = None,
    wav: Annotated[Path | None, typer.Option(help="… about a WAV, FLAC, OGG or MP3 file.")] = None,
    set_: Sets = None,
    seed: Seed = 0,
    task: Annotated[
        str, typer.Option(help="Which task; default: the usual one of the preset or family.")
    ] = "",
    other: Other = False,
    wording: Annotated[int, typer.Option(help="Which wording of the task.")] = 0,
    question: Annotated[str, typer.Option(help="Your own words instead of a wording.")] = "",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Ask about one clip: who answers what, right or wrong, with which probability."""
    from spectcount import listeners

    listeners.warm(context.obj, *listener)
    from spectcount import actions
    from spectcount.trials import Question

    sources = {"--preset": preset, "--family": family, "--stimulus": stimulus, "--wav": wav}
    if sum(source is not None for source in sources.values()) != 1:
        raise UserError(f"give one of {', '.join(sources)}")
    if preset is None and family is None:
        if set_ or other:
            raise UserError("--set and --other change a drawing; give --preset or --family")
        sound = from_file(context.obj, stimulus, wav)
    else:
        sound = Sound(drawn(context.obj, preset, family, set_, seed, task, other))
    for note in sound.notes:
        typer.echo(f"note: {note}", err=True)
    name = task or usual_task(context.obj, preset, family, other, sound.stimulus)
    query = Question(sound.stimulus, name, wording, text=question, waveform=sound.waveform)
    answers = actions.ask_each(context.obj, listener, query)
    if not (as_json or verbose):
        show_answers(answers, query.clip_hash)
        return
    notes = [[*sound.notes, *filter(None, [answer.caution])] for answer in answers]
    results = [{**a.to_dict(), "notes": remarks} for a, remarks in zip(answers, notes, strict=True)]
    show(results[0] if len(results) == 1 else results, as_json)


@app.command(epilog=examples("families", "families gap"))
def families(
    name: Annotated[str | None, typer.Argument(help="A family, for its parameters.")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """List what can be drawn: every family with its tasks; of one family, its parameters."""
    from spectcount import actions
    from spectcount.designs import family

    listed = actions.describe_families()
    if name is not None:
        family(name)  # refuses an unknown one
        listed = [each for each in listed if each["family"] == name]
    if as_json or verbose:
        show(listed if as_json else [_brief(each) for each in listed], as_json)
    elif name is not None:
        _parameters(listed[0])
    else:
        rows = [
            (each["family"], each["title"], ", ".join(t["task"] for t in each["tasks"]))
            for each in listed
        ]
        terminal.table(("family", "sound", "tasks"), rows)
        terminal.say_next("families", rows[0][0], why="its parameters")


def _parameters(family: dict[str, Any]) -> None:
    """One family: its tasks, and a table of what can be set."""
    terminal.say((family["title"], "bold"), f"   {family['family']}")
    for task in family["tasks"]:
        terminal.say(f"{task['task']}: {task['title']}")
    rows = [(p["name"], p["default"], p["help"]) for p in family["parameters"]]
    terminal.table(("--set", "default", "what it is"), rows)
    terminal.say_next("render", "--family", family["family"], "--out", "clip")


def drawn(
    settings: Settings,
    preset: str | None,
    family: str | None,
    set_: list[str] | None,
    seed: int,
    task: str,
    other: bool,
) -> Any:
    """The stimulus of a preset, or of a family's defaults, with some parameters set."""
    from spectcount import actions

    params = split_assignments(set_ or [])
    sides: dict[str, Any] = {"task_name": task, "side": actions.SIDES[int(other)]}
    if preset is not None:
        return actions.preset_stimulus(settings, preset, params, seed, **sides)
    return actions.draw_stimulus(str(family), params, seed, settings, **sides)


def from_file(settings: Settings, stimulus: Path | None, wav: Path | None) -> Sound:
    """The stimulus or the recording in a file."""
    from spectcount import actions

    if wav is not None:
        return Sound(None, *actions.load_clip(wav, settings))
    assert stimulus is not None
    return Sound(actions.read_stimulus(stimulus))


def usual_task(
    settings: Settings, preset: str | None, family: str | None, other: bool, stimulus: Any = None
) -> str:
    """The task where none is named: the preset's task, or the family's first (of a
    counterpart, the first of two answers); of a recording, how many beeps."""
    from spectcount import actions, presets

    side = actions.SIDES[int(other)]
    if preset is not None:
        body = presets.load("stimuli", preset, settings).body
        return actions.usual_task(body["family"], body["task"], side)
    known = family or (stimulus.meta.get("family") if stimulus is not None else None)
    return actions.usual_task(known, side=side) if known else "count"


def _brief(family: dict[str, Any]) -> dict[str, Any]:
    """A family as its name, its tasks and one line per parameter."""
    lines = [f"{p['name']} = {p['default']}: {p['help']}" for p in family["parameters"]]
    tasks = [f"{t['task']}: {t['title']}" for t in family["tasks"]]
    return {"family": family["family"], "title": family["title"], "tasks": tasks, "set": lines}
