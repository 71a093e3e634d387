"""Ask: one question about the clip, answered by base, tuned, the observers and the reader.

The tasks are those of the clip's family, all of them for a recording. The reader may answer first:
the truth and all other answers appear only after the button, which is queued, since it runs the
models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup

from spectcount import actions
from spectcount.designs import family
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.tasks import TASKS, task
from spectcount.trials import Question
from spectcount.ui import clip
from spectcount.ui.header import Header, listener_spec
from spectcount.ui.pieces import PRIVATE, Updates, html, render
from spectcount.ui.scoring import question_words

_OWN_WORDS = -1
_EMPTY = Markup(
    '<p class="blank-note">Choose a question and press Ask. The base model, the tuned model, the '
    "ideal observer and the DSP observer answer about this clip; the truth is shown with their "
    "answers.</p>"
)
_NO_ADAPTER = "No adapter is chosen: choose one at the top of the page, or make one under Tune."
_NO_TRUTH = "none; this question has no right answer"


@dataclass(frozen=True)
class Card:
    """One listener's answer, or the sentence with which it declined."""

    title: str
    spec: str
    result: actions.AskResult | None
    refusal: str = ""
    speed: str = ""

    @property
    def shares(self) -> list[tuple[str, float]]:
        """(answer, probability) of the closed set."""
        assert self.result is not None
        pairs = zip(self.result.answers, self.result.log_probs, strict=True)
        return [(answer, float(np.exp(p))) for answer, p in pairs]


class Panel:
    """The panel below the clip, for a clip of `family_name` first. `task` is also what the two
    sides of a clip are about; `knows` says which observers know the answer. `current(value of
    source)` makes the Stimulus asked about, `family_of(value)` names its family ("" where it has
    none)."""

    def __init__(
        self,
        settings: Settings,
        header: Header,
        family_name: str,
        source: gr.components.Component,
        current: Callable[[str], Stimulus],
        family_of: Callable[[str], str],
    ) -> None:
        self.settings, self.header, self.source = settings, header, source
        self.current, self.family_of = current, family_of
        with gr.Column(elem_classes="ask"):
            html(value="<h2>Ask</h2>")
            self._lay_out_question(family_name)
            fold = self._lay_out_recording()
            button = gr.Button("Ask", variant="primary", elem_id="ask-button")
            self.knows = html("ask-knows", _knows(family_name))
            answers = html("answers", _EMPTY, script="SpectCount.answers(element);")
            number = gr.Textbox(visible="hidden", elem_id="ask-number", show_label=False)
        about = [
            header.base,
            header.tuned,
            self.task,
            self.wording,
            self.reverse,
            self.own,
            self.upload,
            source,
        ]
        changes = [control.change for control in about]
        gr.on(changes, None, about, None, js="(...now) => SpectCount.asking(...now)", **PRIVATE)
        button.click(
            self.answer_all,
            [self.guess, number, *about],
            answers,
            js="(...values) => SpectCount.ask(...values)",
            show_progress="minimal",
            concurrency_limit=1,
            concurrency_id="model",
            **PRIVATE,
        )
        self._connect(fold)

    def _lay_out_question(self, family_name: str) -> None:
        first = family(family_name).tasks[0]
        with gr.Row(elem_classes="ask-question"):
            self.task = gr.Dropdown(
                _titles(family(family_name).tasks),
                value=first,
                label="Task",
                elem_id="ask-task",
                min_width=200,
            )
            self.wording = gr.Dropdown(
                _wordings(first),
                value=0,
                label="Wording",
                elem_id="ask-wording",
                min_width=240,
                scale=2,
            )
            self.reverse = gr.Checkbox(
                False,
                label="Options in reverse order",
                visible=task(first).reversible,
                elem_id="ask-reverse",
                min_width=120,
            )
        self.own = gr.Textbox(
            label="Your own words",
            visible=False,
            max_length=300,
            elem_id="ask-own",
            lines=1,
            info="The answer is still scored over the task's closed set.",
        )
        self.guess = gr.Radio(
            list(task(first).answers),
            label="Your answer, before the truth is shown (optional)",
            elem_id="ask-guess",
        )

    def _lay_out_recording(self) -> gr.Accordion:
        with gr.Accordion(
            "Ask about a recording instead", open=False, elem_classes="group", elem_id="ask-fold"
        ) as fold:
            self.upload = gr.File(
                label="WAV, FLAC, OGG or MP3",
                file_types=[".wav", ".flac", ".ogg", ".opus", ".mp3"],
                height=110,
                elem_id="ask-upload",
            )
            self.heard = clip.clip_view("The recording", files=False, empty="No recording yet.")
        return fold

    def _connect(self, fold: gr.Accordion) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", **PRIVATE}
        of_task = [self.wording, self.reverse, self.own, self.guess]
        self.task.input(self.task_updates, self.task, of_task, queue=False, **quiet)
        self.wording.input(
            lambda i: gr.update(visible=i == _OWN_WORDS),
            self.wording,
            self.own,
            queue=False,
            **quiet,
        )
        fold.collapse(lambda: None, None, self.upload, queue=False, **quiet)
        heard = [self.upload, self.task, self.source]
        self.upload.change(self.hear, heard, [self.heard, *self.outputs], **quiet)

    @property
    def outputs(self) -> list[Any]:
        """The outputs of `updates`."""
        return [self.task, self.knows, self.wording, self.reverse, self.own, self.guess]

    def updates(self, name: str, task_name: str) -> Updates:
        """Updates that offer the tasks of a family ("": all tasks)."""
        offered = family(name).tasks if name else tuple(TASKS)
        task_name = task_name if task_name in offered else offered[0]
        chosen = gr.update(choices=_titles(offered), value=task_name)
        return {self.task: chosen, self.knows: _knows(name), **self.task_updates(task_name)}

    def task_updates(self, task_name: str) -> Updates:
        """Updates that show the words and answers of a task."""
        known = task(task_name)
        return {
            self.wording: gr.update(choices=_wordings(task_name), value=0),
            self.reverse: gr.update(visible=known.reversible, value=False),
            self.own: gr.update(visible=False),
            self.guess: gr.update(choices=list(known.answers), value=None),
        }

    def hear(self, path: str | None, task_name: str, page_value: str) -> Updates:
        """The recording that was opened, and the questions that can be asked of it."""
        family_name = "" if path else self.family_of(page_value)
        return {self.heard: _hear(path, self.settings), **self.updates(family_name, task_name)}

    def answer_all(
        self,
        guess: str | None,
        ask: str,
        base: str,
        tuned: str,
        name: str,
        which: int,
        order: bool,
        text: str | None,
        path: str | None,
        page_value: str,
    ) -> Iterator[str]:
        """The answers of base, tuned and the observers as they come (HTML); `ask` is the number
        of this Ask."""
        try:
            heard = _recording(path, self.settings) if path else self.current(page_value)
            question = _question(heard, name, which, order, text or "")
        except UserError as error:
            yield Markup('<p class="refusal" role="alert">{}</p>').format(str(error))
            return
        specs = [("Base", base), ("Tuned", listener_spec(base, tuned))]
        specs += [("Ideal observer", "ideal"), ("DSP observer", "dsp")]
        done: list[Card] = []
        for title, spec in specs:
            card = Card(title, "", None, _NO_ADAPTER)
            if title != "Tuned" or spec != base:
                for card in _cards(self.settings, title, spec, question):
                    yield _render(question, [*done, card], guess, ask)
            done.append(card)
        yield _render(question, done, guess, ask)


def _titles(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(task(name).title, name) for name in names]


def _wordings(name: str) -> list[tuple[str, int]]:
    known = task(name)
    prompts = [(known.prompt(i), i) for i in range(len(known.all_wordings))]
    return [*prompts, ("In your own words", _OWN_WORDS)]


def _knows(name: str) -> Markup:
    """Name the observers that know the answer (HTML); nothing for a recording."""
    words = family(name).listeners if name else ""
    return Markup('<p class="blank-note">{}</p>').format(words) if words else Markup()


def _question(
    heard: Stimulus | np.ndarray, name: str, which: int, reverse: bool, text: str
) -> Question:
    if which == _OWN_WORDS and not text.strip():
        raise UserError("the question is empty; write it in your own words or choose a wording")
    words = {"text": text.strip()} if which == _OWN_WORDS else {"wording": int(which)}
    if isinstance(heard, Stimulus):
        return Question(heard, name, reverse=reverse, **words)
    return Question(None, name, reverse=reverse, waveform=heard, **words)


def _recording(path: str, settings: Settings) -> np.ndarray:
    return actions.load_clip(path, settings)[0]


def _hear(path: str | None, settings: Settings) -> str | None:
    """The uploaded recording's pictures and what was done to it, or why it is refused."""
    if not path:
        return None
    try:
        waveform, notes = actions.load_clip(path, settings)
    except UserError as error:
        return clip.error_value(error)
    return clip.waveform_value(waveform, note="; ".join(notes), name=Path(path).name)


def _cards(settings: Settings, title: str, spec: str, question: Question) -> Iterator[Card]:
    """One listener's card as its answer grows; how fast it scored is in the first of them."""
    speed = ""
    try:
        for result in actions.ask_stream(settings, spec, question):
            speed = speed or question_words(settings, spec, result.seconds)
            yield Card(title, spec, result, speed=speed)
    except UserError as error:
        yield Card(title, spec, None, str(error))


def _render(question: Question, cards: Sequence[Card], guess: str | None, ask: str) -> Markup:
    """The truth and the cards, with the number of the Ask that they answer (HTML)."""
    subjective = not question.task.has_truth
    return render(
        "ask.answers",
        prompt=question.prompt,
        truth=question.truth,
        unknown=_NO_TRUTH if subjective else "not known for this clip",
        guess=guess,
        ask=ask,
        cards=cards,
    )
