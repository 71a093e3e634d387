"""Ask: one question about the clip, answered by base, tuned, the observers and the reader.

The tasks are those of the clip's family, all of them for a recording. The reader may answer first:
the truth and all other answers appear only after the button, which is queued, since it runs the
models.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from spectcount import actions
from spectcount.designs import family
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.tasks import SUBJECTIVE, TASKS, task
from spectcount.trials import Question
from spectcount.ui import clip
from spectcount.ui.header import Header, listener_spec
from spectcount.ui.scoring import question_words

_OWN_WORDS = -1
_EMPTY = (
    '<p class="blank-note">Choose a question, guess if you like, and press Ask: the base model, '
    "the tuned one, an ideal observer and a plain DSP rule answer about the very clip above. "
    "The truth is shown after.</p>"
)
_NO_ADAPTER = "No adapter is chosen: choose one at the top of the page, or make one under Tune."
_NO_TRUTH = "there is none: what is heard has no right answer"
_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True)
class Card:
    """One listener's answer, or the sentence with which it declined."""

    title: str
    spec: str
    result: actions.AskResult | None
    refusal: str = ""
    speed: str = ""


@dataclass(frozen=True)
class Panel:
    """The widgets that a question is made with. `task` is also what the two sides of a clip are
    about; `knows` says which observers know the answer."""

    task: gr.Dropdown
    wording: gr.Dropdown
    reverse: gr.Checkbox
    own: gr.Textbox
    guess: gr.Radio
    upload: gr.File
    knows: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        """What `updates` is for."""
        return [self.task, self.knows, *self.of_task]

    @property
    def of_task(self) -> list[Any]:
        """What `task_updates` is for."""
        return [self.wording, self.reverse, self.own, self.guess]

    def updates(self, name: str, asked: str) -> list[Any]:
        """Updates of `outputs` that offer the tasks of a family ("": all tasks)."""
        offered = family(name).tasks if name else tuple(TASKS)
        asked = asked if asked in offered else offered[0]
        return [
            gr.update(choices=_titles(offered), value=asked),
            _knows(name),
            *self.task_updates(asked),
        ]

    def task_updates(self, asked: str) -> list[Any]:
        """Updates of `of_task` that show the words and answers of a task."""
        known = task(asked)
        return [
            gr.update(choices=_wordings(asked), value=0),
            gr.update(visible=known.reversible, value=False),
            gr.update(visible=False),
            gr.update(choices=list(known.answers), value=None),
        ]


def build(
    settings: Settings,
    header: Header,
    family_name: str,
    source: gr.components.Component,
    current: Callable[[str], Stimulus],
    family_of: Callable[[str], str],
) -> Panel:
    """The panel below the clip, for a clip of `family_name` first; `current(value of source)` makes
    the Stimulus asked about, `family_of(value)` names its family ("" where it has none)."""
    first = family(family_name).tasks[0]
    with gr.Column(elem_classes="ask"):
        gr.HTML("<h2>Ask</h2>", apply_default_css=False, js_on_load=None)
        with gr.Row(elem_classes="ask-question"):
            chosen = gr.Dropdown(
                _titles(family(family_name).tasks), value=first, label="Task", elem_id="ask-task",
                min_width=200,
            )  # fmt: skip
            wording = gr.Dropdown(
                _wordings(first), value=0, label="Wording", elem_id="ask-wording", min_width=240,
                scale=2,
            )  # fmt: skip
            reverse = gr.Checkbox(
                False, label="Options in reverse order", visible=task(first).reversible,
                elem_id="ask-reverse", min_width=120,
            )  # fmt: skip
        own = gr.Textbox(
            label="Your own words", visible=False, max_length=300, elem_id="ask-own", lines=1,
            info="The answer is still scored over the task's closed set.",
        )  # fmt: skip
        guess = gr.Radio(
            list(task(first).answers), label="You: guess before the truth is shown (optional)",
            elem_id="ask-guess",
        )  # fmt: skip
        with gr.Accordion(
            "Ask about a recording instead", open=False, elem_classes="group", elem_id="ask-fold"
        ) as fold:
            upload = gr.File(
                label="WAV, FLAC, OGG or MP3",
                file_types=[".wav", ".flac", ".ogg", ".opus", ".mp3"],
                height=110,
                elem_id="ask-upload",
            )
            heard = clip.clip_view("The recording", files=False, empty="No recording yet.")
        button = gr.Button("Ask", variant="primary", elem_id="ask-button")
        knows = gr.HTML(_knows(family_name), elem_id="ask-knows", apply_default_css=False,
                        js_on_load=None)  # fmt: skip
        answers = gr.HTML(
            _EMPTY,
            elem_id="answers",
            apply_default_css=False,
            js_on_load="SpectCount.answers(element);",
        )
        number = gr.Textbox(visible="hidden", elem_id="ask-number", show_label=False)
    panel = Panel(chosen, wording, reverse, own, guess, upload, knows)

    chosen.input(panel.task_updates, chosen, panel.of_task, queue=False, **_QUIET)
    wording.input(lambda i: gr.update(visible=i == _OWN_WORDS), wording, own, queue=False, **_QUIET)

    def hear(path: str | None, asked: str, shown: str) -> list[Any]:
        return [_hear(path, settings), *panel.updates("" if path else family_of(shown), asked)]

    about = [header.base, header.tuned, chosen, wording, reverse, own, upload, source]
    gr.on(
        [control.change for control in about],
        None, about, None, js="(...now) => SpectCount.asking(...now)", api_visibility="private",
    )  # fmt: skip
    fold.collapse(lambda: None, None, upload, queue=False, **_QUIET)
    upload.change(hear, [upload, chosen, source], [heard, *panel.outputs], **_QUIET)

    def answer_all(
        mine: str | None, ask: str, base: str, tuned: str, name: str, which: int, order: bool,
        text: str | None, path: str | None, shown: str,
    ) -> Iterator[str]:  # fmt: skip
        try:
            clip_of = _recording(path, settings) if path else current(shown)
            question = _question(clip_of, name, which, order, text or "")
        except UserError as error:
            yield f'<p class="refusal" role="alert">{html.escape(str(error))}</p>'
            return
        specs = [("Base", base), ("Tuned", listener_spec(base, tuned))]
        specs += [("Ideal observer", "ideal"), ("Plain DSP", "dsp")]
        done: list[Card] = []
        for title, spec in specs:
            card = Card(title, "", None, _NO_ADAPTER)
            if title != "Tuned" or spec != base:
                for card in _cards(settings, title, spec, question):
                    yield _render(question, [*done, card], mine, ask)
            done.append(card)
        yield _render(question, done, mine, ask)

    button.click(
        answer_all,
        [guess, number, *about],
        answers,
        js="(...values) => SpectCount.ask(...values)",
        api_visibility="private",
        show_progress="minimal",
        concurrency_limit=1,
        concurrency_id="model",
    )
    return panel


def _titles(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(task(name).title, name) for name in names]


def _wordings(name: str) -> list[tuple[str, int]]:
    known = task(name)
    prompts = [(known.prompt(i), i) for i in range(len(known.all_wordings))]
    return [*prompts, ("In your own words", _OWN_WORDS)]


def _knows(name: str) -> str:
    """Which observers know the answer (HTML); nothing for a recording."""
    words = family(name).listeners if name else ""
    return f'<p class="blank-note">{html.escape(words)}</p>' if words else ""


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


def _render(question: Question, cards: Sequence[Card], mine: str | None, ask: str) -> str:
    """The truth and the cards, with the number of the Ask that they answer (HTML)."""
    truth = question.truth
    unknown = _NO_TRUTH if question.task.kind == SUBJECTIVE else "not known for this clip"
    told = unknown if truth is None else html.escape(truth)
    you = (
        f"You said <b>{html.escape(mine)}</b>{_verdict(mine, truth)}"
        if mine
        else "You made no guess"
    )
    head = (
        f'<p class="asked">“{html.escape(question.prompt)}”</p>'
        f'<p class="truth">Truth: <b>{told}</b> <span class="guess">{you}</span></p>'
    )
    shown = "".join(_render_card(card, truth) for card in cards)
    return f'{head}<div class="cards" data-ask="{html.escape(ask)}">{shown}</div>'


def _render_card(card: Card, truth: str | None) -> str:
    title = f"<h3>{html.escape(card.title)} <code>{html.escape(card.spec)}</code></h3>"
    if card.result is None:
        refusal = f'<p class="refusal">{html.escape(card.refusal)}</p>'
        return f'<section class="card">{title}{refusal}</section>'
    result = card.result
    said = f'<p class="answer">{html.escape(result.answer)}{_verdict(result.answer, truth)}</p>'
    unparsed = " (unparsed: it names no single answer of the set)" if result.unparsed else ""
    said_words = html.escape(result.reply or "")
    words = f'<p class="reply">in words: “{said_words}”{unparsed}</p>' if result.reply else ""
    foot = (
        f'<p class="foot">probability mass on the set {result.mass:.1%} · '
        f"{html.escape(card.speed)} · "
        f"<code>{html.escape(result.fingerprint)}</code></p>"
    )
    caution = f'<p class="foot caution">{html.escape(result.caution)}</p>' if result.caution else ""
    body = f"{said}{words}{_bars(result, truth)}{caution}{foot}"
    return f'<section class="card">{title}{body}</section>'


def _bars(result: actions.AskResult, truth: str | None) -> str:
    """Probability of each answer of the closed set, as bars in per cent."""
    rows = []
    for answer, log_prob in zip(result.answers, result.log_probs, strict=True):
        p = float(np.exp(log_prob))
        mark = ' class="true"' if answer == truth else ""
        rows.append(
            f'<tr{mark}><th scope="row">{html.escape(answer)}</th>'
            f'<td><span class="bar" style="width:{100 * p:.2f}%"></span></td><td>{p:.1%}</td></tr>'
        )
    return f'<table class="bars"><tbody>{"".join(rows)}</tbody></table>'


def _verdict(answer: str, truth: str | None) -> str:
    if truth is None:
        return ""
    word = "right" if answer == truth else "wrong"
    return f' <span class="verdict {word}">{word}</span>'
