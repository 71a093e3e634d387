"""`listen`: you as the listener, at a terminal; the page does the same with keys and headphones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectcount import interrupts
from spectcount.cli.listing import list_option
from spectcount.cli.output import brief, show
from spectcount.cli.results import show_run
from spectcount.cli.root import Json, Seed, Sets, Verbose, app, examples
from spectcount.params import split_assignments


@app.command(epilog=examples("listen --list", "listen listen-level", "listen --resume RUN"))
def listen(
    context: typer.Context,
    preset: Annotated[
        str | None, typer.Argument(help="A probe preset, or the path of its YAML.")
    ] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with this session.")] = None,
    name: Annotated[str, typer.Option(help="What to call you.")] = "you",
    practice: Annotated[int, typer.Option(help="Questions to warm up with.")] = 5,
    feedback: Annotated[bool, typer.Option(help="Say whether an answer was right.")] = False,
    out: Annotated[Path, typer.Option(help="Where each clip is written.")] = Path("listen.wav"),
    set_: Sets = None,
    seed: Seed = 0,
    listing: Annotated[bool, list_option("probes", "listen")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Take a plan yourself: each clip is written to --out, your answer is read from the terminal.
    An empty answer leaves the session, to be resumed."""
    from spectcount import actions
    from spectcount.clips import save_clip
    from spectcount.errors import UserError

    if (preset is None) == (resume is None):
        raise UserError("give a preset to start a session, or --resume RUN to go on with one")
    options = {"practice": practice, "feedback": feedback}
    run_id = (resume and actions.run_called(context.obj, resume).id) or actions.start_listening(
        context.obj, str(preset), seed, split_assignments(set_ or []), options, name
    ).id
    interrupts.hint(f"left; go on with: listen --resume {run_id}")
    typer.echo(f"session {run_id}; set a comfortable level first, loud sounds can hurt", err=True)
    practised = 0
    while (step := actions.next_question(context.obj, run_id, practised)).question is not None:
        question = step.question
        assert question.stimulus is not None  # a plan draws every clip
        save_clip(out, question.stimulus)
        head = "practice" if step.practice else f"{step.n_answered + 1} of {step.n_at_most}"
        typer.echo(f"[{head}] {out}: {question.prompt} ({', '.join(question.answers)})", err=True)
        answer = _typed()
        if not answer:
            typer.echo(interrupts.words(), err=True)
            break
        if answer not in question.answers:
            typer.echo(f"{answer!r} is none of {', '.join(question.answers)}", err=True)
            continue
        if not step.practice:
            actions.give_answer(context.obj, run_id, question.key, answer)
        if step.practice or step.run.config["feedback"]:
            right = "right" if answer == question.truth else f"it was {question.truth}"
            typer.echo(right, err=True)
        practised += int(step.practice)
    if as_json or verbose:
        show(brief(step.run), as_json)
    else:
        show_run(context.obj, step.run)


def _typed() -> str:
    """The answer that was typed; none where the input has ended."""
    try:
        return str(typer.prompt("", default="", show_default=False, err=True)).strip().lower()
    except typer.Abort:
        if interrupts.exit_code() is not None:
            raise KeyboardInterrupt from None
        return ""
