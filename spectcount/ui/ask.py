"""Answers: one question about the clip, answered by base, tuned, the observers and the reader.

The tasks are those of the clip's family, all of them for a recording. Answers follow the sound and
the question by themselves (`Panel.answer`, which the browser calls as it calls for pictures); a
button, which is queued, asks for replies in words too, and about recordings. Who guesses first
gets no answer, and the page holds none, until it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import gradio as gr
import numpy as np
from markupsafe import Markup

from spectcount import actions, documents
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
_N_VALUES = 11
_REST_MS = 300
"""On a public page a control must rest so long before models are asked."""
_ASKING_JS = "(...now) => SpectCount.asking(...now)"
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


@dataclass(frozen=True)
class LiveQuestion:
    """A question that the browser asks by itself: values of `Panel.about`. `page`
    names the browser's page."""

    page: str
    guess: str
    base: str
    tuned: str
    task: str
    wording: int
    reverse: bool
    own_words: str
    sound: str

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From {"page", "values"}; raises `UserError` for what no page sends."""
        data = documents.mapping_from_json(text, "the question")
        page, values = data.get("page"), data.get("values")
        if not isinstance(page, str) or not isinstance(values, list) or len(values) != _N_VALUES:
            raise UserError("the question is not as this page asks it; reload the page")
        _, _, guess, base, tuned, name, wording, reverse, own_words, _, sound = values
        texts = [guess or "", base, tuned or "", name, own_words or "", sound]
        if not all(isinstance(text, str) for text in texts) or type(wording) is not int:
            raise UserError("the question is not as this page asks it; reload the page")
        guess, base, tuned, name, own_words, sound = texts
        return cls(page, guess, base, tuned, name, wording, bool(reverse), own_words, sound)


class Panel:
    """The panel beside the clip, for a clip of `family_name` first. `task` is also what the two
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
        with gr.Column(scale=4, min_width=300, elem_classes="ask"):
            self._lay_out_question(family_name)
            answers = self._lay_out_answers()
            button = gr.Button("Replies in words", size="sm", elem_id="ask-button")
            self.knows = html("ask-knows", _knows(family_name))
            fold = self._lay_out_recording()
            number = gr.Textbox(visible="hidden", elem_id="ask-number", show_label=False)
        self.about = [
            self.live,
            self.hide,
            self.guess,
            header.base,
            header.tuned,
            self.task,
            self.wording,
            self.reverse,
            self.own,
            self.upload,
            source,
        ]
        changes = [control.change for control in self.about]
        gr.on(changes, None, self.about, None, js=_ASKING_JS, **PRIVATE)
        button.click(
            self.answer_all,
            [number, *self.about[2:]],
            answers,
            js="(...values) => SpectCount.ask(...values)",
            show_progress="minimal",
            concurrency_limit=1,
            concurrency_id="model",
            **PRIVATE,
        )
        self._connect(fold)

    def arrived(self, event: gr.events.Dependency) -> None:
        """Ask about what a new page shows, once `event` has shown it."""
        event.then(None, self.about, None, js=_ASKING_JS, **PRIVATE)

    def _lay_out_question(self, family_name: str) -> None:
        first = family(family_name).tasks[0]
        with gr.Row(elem_classes="ask-question"):
            self.task = gr.Dropdown(
                _titles(family(family_name).tasks),
                value=first,
                label="Task",
                elem_id="ask-task",
                min_width=100,
                scale=3,
            )
            self.wording = gr.Dropdown(
                _wordings(first),
                value=0,
                label="Wording",
                elem_id="ask-wording",
                min_width=100,
                scale=4,
            )
        self.own = gr.Textbox(
            label="Your own words",
            visible=False,
            max_length=300,
            elem_id="ask-own",
            lines=1,
            info="The answer is still scored over the task's closed set.",
        )
        with gr.Row(elem_classes="ask-switches"):
            self.live = gr.Checkbox(True, label="live", elem_id="ask-live", min_width=60)
            self.hide = gr.Checkbox(False, label="I guess first", elem_id="ask-hide", min_width=100)
            self.reverse = gr.Checkbox(
                False,
                label="options reversed",
                visible=task(first).reversible,
                elem_id="ask-reverse",
                min_width=120,
            )
        self.guess = gr.Radio(
            list(task(first).answers),
            label="Your answer, before the truth is shown",
            elem_id="ask-guess",
        )

    def _lay_out_answers(self) -> gr.HTML:
        def live_answer(text: str) -> str:
            return self.answer(text)

        return gr.HTML(
            "",
            html_template=render("ask.place", rest_ms=_REST_MS if self.settings.demo else 0),
            js_on_load="SpectCount.answers(element, props, watch, server);",
            server_functions=[live_answer],
            apply_default_css=False,
            elem_id="answers",
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

    def answer(self, text: str) -> str:
        """The answers to what the browser asks by itself (HTML); "" where it has asked anew."""
        try:
            asked_about = LiveQuestion.from_json(text)
            question = _question(
                self.current(asked_about.sound),
                asked_about.task,
                asked_about.wording,
                asked_about.reverse,
                asked_about.own_words,
            )
            cards = self._live_cards(asked_about, question)
        except actions.Superseded:
            return ""
        except UserError as error:
            return refused(error)
        return _render(question, cards, asked_about.guess, "")

    def _live_cards(self, asked_about: LiveQuestion, question: Question) -> list[Card]:
        """The cards of all listeners, without replies in words."""
        specs = _listeners(asked_about.base, asked_about.tuned)
        wanted = [spec for _, spec in specs if spec]
        answers = actions.ask_live(self.settings, wanted, question, page=asked_about.page)
        by_spec = {answer.spec: answer for answer in answers}
        cards = []
        for title, spec in specs:
            if not spec:
                cards.append(Card(title, "", None, _NO_ADAPTER))
                continue
            answer = by_spec[spec]
            took = question_words(self.settings, spec, answer.seconds)
            cards.append(Card(title, spec, answer.result, answer.refusal, speed=took))
        return cards

    def answer_all(
        self,
        ask: str,
        guess: str | None,
        base: str,
        tuned: str,
        name: str,
        which: int,
        order: bool,
        text: str | None,
        path: str | None,
        page_value: str,
    ) -> Iterator[str]:
        """The answers of base, tuned and the observers with their replies as they come (HTML);
        `ask` is the number of this Ask."""
        try:
            heard = _recording(path, self.settings) if path else self.current(page_value)
            question = _question(heard, name, which, order, text or "")
        except UserError as error:
            yield refused(error)
            return
        done: list[Card] = []
        for title, spec in _listeners(base, tuned):
            card = Card(title, "", None, _NO_ADAPTER)
            if spec:
                for card in _cards(self.settings, title, spec, question):
                    yield _render(question, [*done, card], guess, ask)
            done.append(card)
        yield _render(question, done, guess, ask)


def refused(error: UserError) -> Markup:
    """The sentence in place of answers (HTML)."""
    return Markup('<p class="refusal" role="alert">{}</p>').format(str(error))


def _listeners(base: str, tuned: str) -> list[tuple[str, str]]:
    """(title, spec) of everybody who is asked; "" where no adapter is chosen."""
    spec = listener_spec(base, tuned)
    return [
        ("Base", base),
        ("Tuned", "" if spec == base else spec),
        ("Ideal observer", "ideal"),
        ("DSP observer", "dsp"),
    ]


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
        tally=_tally(question, cards),
        models=cards[:2],
        observers=cards[2:],
    )


def _tally(question: Question, cards: Sequence[Card]) -> str:
    """One line of truth and answers of the models: "truth 4 · base 3 wrong · tuned 4 right"."""
    parts = [] if question.truth is None else [f"truth {question.truth}"]
    for card in cards[:2]:
        if card.result is None:
            parts.append(f"{card.title.lower()} –")
        else:
            correct = {True: " right", False: " wrong", None: ""}[card.result.trial.correct]
            parts.append(f"{card.title.lower()} {card.result.answer}{correct}")
    return " · ".join(parts)
