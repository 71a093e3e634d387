"""The You tab: a person takes any plan with headphones and keys, beside the models.

The stage is a component of its own: it fetches one question at a time from the server functions
below and sends each answer at once, so that a closed page loses nothing. What is shown below it is
a pure function of the trials.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr
from gradio.context import Context

from spectcount import actions
from spectcount.clips import wav_bytes
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.store import Run, Store
from spectcount.synth import synthesise
from spectcount.trials import Question
from spectcount.ui import beside, controls, plan_form, pulse
from spectcount.ui.controls import params_of
from spectcount.ui.header import Header, listener_spec
from spectcount.ui.pieces import (
    PRIVATE,
    QUIET,
    Updates,
    files,
    live,
    notice,
    on,
    refusal,
    refusing,
    small_button,
)
from spectcount.ui.polling import Feed, find_run, run_choices
from spectcount.ui.runs import handed_out
from spectcount.ui.theme import STATIC

KIND = "listen"
FIRST_PLAN = "listen-level"
EMPTY = (
    "Choose a plan and press Start session. You answer the same questions as the models, by key or "
    "button. Nothing leaves the machine that runs this page."
)


class YouView:
    """The tab."""

    def __init__(self, settings: Settings, store: Store, header: Header) -> None:
        self.settings, self.store, self.header = settings, store, header
        self.feed = Feed(store)
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=320, elem_classes="panel"):
                start = self._lay_out_form()
            with gr.Column(scale=2, min_width=320):
                self._lay_out_session()
        outputs = [self.run, self.stage, self.message]
        start.click(self.start, self.asked, outputs, **PRIVATE)

    def _lay_out_form(self) -> gr.Button:
        form = self.form = plan_form.build(self.settings, "you", 0, first=FIRST_PLAN)
        options = controls.form(actions.ListenOptions, prefix="you-option")
        name = gr.Textbox(
            "you",
            label="Your name in the results",
            max_length=40,
            max_lines=1,
            elem_id="you-name",
        )
        start = gr.Button("Start session", variant="primary", elem_id="you-start")
        self.message = live("you-message")
        self.asked = [*form.inputs, name, *options.inputs]
        on(form.triggers, self.cost, form.inputs, form.cost)
        return start

    def _lay_out_session(self) -> None:
        with gr.Row(equal_height=False):
            run = self.run = gr.Dropdown(
                run_choices(self.store, KIND),
                value=None,
                label="Session",
                elem_id="you-run",
                allow_custom_value=True,
            )
            end = small_button("End session", "you-end", 110)
        self.stage = self._lay_out_stage()
        with gr.Row():
            models = gr.Button("Ask the models too", elem_id="you-models", size="sm")
            export = gr.Button("Export session (zip)", elem_id="you-export", size="sm")
        exported = files("Exported files", "you-files")
        results = self.shown = beside.Results("you")
        run.input(self.choose, run, [self.stage, self.message], **QUIET)
        end.click(self.end, run, [self.stage, self.message], **PRIVATE).then(
            self.results, run, results.outputs, **QUIET
        )
        who = [run, self.header.base, self.header.tuned]
        models.click(self.ask_models, who, self.message, **PRIVATE)
        export_outputs = [self.message, exported]
        export.click(self.export, run, export_outputs, concurrency_id="files", **PRIVATE)
        polling = {"inputs": run, "outputs": results.outputs}
        when = [run.change, self.stage.submit]
        pulse.follow(self.look, self.results, polling, run, when=when, at_once=False)
        Context.root_block.load(self.arrive, None, [run, self.stage], **QUIET)

    def _lay_out_stage(self) -> gr.HTML:
        return gr.HTML(
            value=None,
            label="Listening session",
            html_template=(STATIC / "you.html").read_text(),
            js_on_load="SpectCount.you(element, props, watch, server, trigger); /* 'submit' */",
            server_functions=[
                _answering(self._sample, "sample"),
                _answering(self._question, "question"),
                _answering(self._answer, "answer"),
            ],
            elem_id="you-stage",
            apply_default_css=False,
            empty_text=EMPTY,
        )

    @refusing
    def cost(self, *values: Any) -> str:
        """Say how long the plan of the form would take a person, or why it cannot be."""
        plan, seed, preset = self.form.read(values)
        plan.refuse_infeasible()
        words = f"At most {plan.n_trials} questions, about {beside.minutes(plan)} of listening."
        return notice(words) + self.form.kept(plan, preset, seed)

    def start(self, *values: Any) -> tuple[Any, Any, str]:
        """Open a session of the form's plan."""
        n = len(self.form.inputs)
        plan_values, name, options = values[:n], values[n], params_of(values[n + 1])
        try:
            plan, seed, preset = self.form.read(plan_values)
            source = plan_form.source_of(plan, preset, self.settings)
            run = actions.start_listening(
                self.settings, source, seed, options=options, name=name or "you"
            )
        except UserError as error:
            return gr.skip(), gr.skip(), refusal(error)
        chooser = gr.update(choices=run_choices(self.store, KIND), value=run.id)
        return chooser, _stage_value(run), ""

    def arrive(self) -> tuple[Any, Any]:
        """On a fresh page: the newest session, ready to go on with where it is open."""
        runs = self.store.runs(KIND)
        chosen = runs[0] if runs else None
        chooser = gr.update(
            choices=run_choices(self.store, KIND), value=chosen.id if chosen else None
        )
        return chooser, _stage_value(chosen)

    def choose(self, run_id: str | None) -> tuple[Any, str]:
        """Show another session on the stage."""
        run = find_run(self.store, run_id, KIND)
        if run is None and run_id:
            return gr.skip(), notice(f"There is no session {run_id!r}; choose one.", "error")
        return _stage_value(run), ""

    def end(self, run_id: str | None) -> tuple[Any, str]:
        """End the chosen session."""
        try:
            run = actions.stop_listening(self.settings, run_id or "")
        except UserError as error:
            return gr.skip(), notice(str(error) if run_id else "Choose a session first.", "error")
        return _stage_value(None), notice(f"{run.id}: {run.reason}.")

    @refusing
    def ask_models(self, run_id: str | None, base: str, tuned: str) -> str:
        """Queue the session's own plan and seed for base, tuned and the ideal observer."""
        run = find_run(self.store, run_id, KIND)
        if run is None:
            return notice("Choose a session first.", "error")
        specs = list(dict.fromkeys([base, listener_spec(base, tuned), "ideal"]))
        begun = actions.start_probe(self.settings, run.config["plan"], specs, run.config["seed"])
        return notice(
            f"{begun.id} asks {', '.join(specs)} the same questions; results follow below."
        )

    def export(self, run_id: str | None) -> tuple[str, Any]:
        """The chosen session as one zip: trials, figures, report."""
        return handed_out(run_id, lambda i, to: actions.export(self.settings, i, to), "session")

    def results(self, run_id: str | None) -> Updates:
        """The table and the figure of a session beside everybody else who was asked the same."""
        run = find_run(self.store, run_id, KIND)
        return self.shown.show(run, self.store, self.feed)

    def look(self, run_id: str) -> tuple[object, bool]:
        """Progress of the models that are asked the same, and whether any still is."""
        run = find_run(self.store, run_id, KIND)
        return beside.progress(run, self.store) if run else ("", False)

    def _sample(self, run_id: str) -> dict[str, Any]:
        question = actions.next_question(self.settings, run_id).question
        if question is None:
            raise UserError("this session is over; start another one")
        return {"wav": _wav(question)}

    def _question(self, at: dict[str, Any]) -> dict[str, Any]:
        turn = actions.next_question(self.settings, at["run"], int(at["practised"]))
        if turn.question is None:
            return {"ended": True, "answered": turn.n_answered}
        return {
            "key": turn.question.key,
            "prompt": turn.question.prompt,
            "answers": list(turn.question.answers),
            "wav": _wav(turn.question),
            "practice": turn.practice,
            "answered": turn.n_answered,
            "most": turn.n_at_most,
            "pause": turn.pause,
        }

    def _answer(self, given: dict[str, Any]) -> dict[str, Any]:
        run_id, answer = given["run"], str(given["answer"])
        if given["practice"]:
            turn = actions.next_question(self.settings, run_id, int(given["practised"]))
            question, tell = turn.question, True
            right = None if question is None else question.truth
        else:
            seconds = float(given["seconds"])
            trial = actions.give_answer(self.settings, run_id, given["key"], answer, seconds)
            right, tell = trial.truth, self.store.run(run_id).config["feedback"]
        if not tell or right is None:
            return {"told": "", "right": None}
        words = "Right." if answer == right else f"It was: {right}."
        return {"told": words, "right": answer == right}


def _stage_value(run: Run | None) -> str | None:
    if run is None or run.state != "open":
        return None
    about = f"{run.lineage.get('probe') or run.config['plan']['kind']} · {run.id}"
    return json.dumps({"run": run.id, "about": about})


def _wav(question: Question) -> str:
    """The very samples: 32-bit float WAV, base64."""
    assert question.stimulus is not None
    data = wav_bytes(synthesise(question.stimulus))
    return base64.b64encode(data).decode("ascii")


def _answering(function: Callable[[Any], dict[str, Any]], name: str) -> Callable[[Any], str]:
    """A server function called `name`: its result, or the sentence that refuses it, as JSON."""

    def called(value: Any) -> str:
        try:
            return json.dumps({"error": "", **function(value)})
        except UserError as error:
            return json.dumps({"error": str(error)})
        except (KeyError, TypeError, ValueError) as error:
            return json.dumps({"error": f"the page sent something unusable ({escape(str(error))})"})

    called.__name__ = name
    return called
