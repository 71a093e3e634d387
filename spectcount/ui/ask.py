"""Ask: one question about the clip, answered by base, tuned, the observers and the reader.

The reader may answer first: the truth and all other answers appear only after the button, which
is queued, since it runs the models.
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
from spectcount.errors import UserError
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.tasks import TASKS, task
from spectcount.trials import Question
from spectcount.ui import clip
from spectcount.ui.header import Header, listener_spec

_TASK_WORDS = {
    "Is there a beep?": "detect",
    "How many beeps?": "count",
    "Which half has the beep?": "interval",
}
_OWN_WORDS = -1
_EMPTY = (
    '<p class="blank-note">Choose a question, guess if you like, and press Ask: the base model, '
    "the tuned one, an ideal observer and a plain DSP counter answer about the very clip above. "
    "The truth is shown after.</p>"
)

_NO_ADAPTER = "No adapter is chosen: choose one at the top of the page, or make one under Tune."


@dataclass(frozen=True)
class Card:
    """One listener's answer, or the sentence with which it declined."""

    title: str
    spec: str
    result: actions.AskResult | None
    refusal: str = ""


def build(
    settings: Settings,
    header: Header,
    source: Sequence[gr.components.Component],
    current: Callable[..., Stimulus],
) -> None:
    """The panel below the clip; `current(*values of source)` makes the Stimulus asked about."""
    with gr.Column(elem_classes="ask"):
        gr.HTML("<h2>Ask</h2>", apply_default_css=False, js_on_load=None)
        with gr.Row(elem_classes="ask-question"):
            chosen = gr.Radio(
                list(_TASK_WORDS.items()), value="count", label="Task", elem_id="ask-task"
            )
            wording = gr.Dropdown(
                _wordings("count"), value=0, label="Wording", elem_id="ask-wording", min_width=240
            )
            reverse = gr.Checkbox(
                False, label="Options in reverse order", visible=False, elem_id="ask-reverse"
            )
        own = gr.Textbox(
            label="Your own words", visible=False, max_length=300, elem_id="ask-own", lines=1,
            info="The answer is still scored over the task's closed set.",
        )  # fmt: skip
        guess = gr.Radio(
            list(TASKS["count"].answers), label="You: guess before the truth is shown (optional)",
            elem_id="ask-guess",
        )  # fmt: skip
        with gr.Accordion("Ask about a recording instead", open=False, elem_classes="group"):
            upload = gr.File(
                label="WAV, FLAC or OGG", file_types=[".wav", ".flac", ".ogg"], height=110,
                elem_id="ask-upload",
            )  # fmt: skip
            heard = clip.clip_view("The recording", files=False, empty="No recording yet.")
        button = gr.Button("Ask", variant="primary", elem_id="ask-button")
        answers = gr.HTML(_EMPTY, elem_id="answers", apply_default_css=False, js_on_load=None)

    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    chosen.input(_on_task, chosen, [wording, reverse, own, guess], queue=False, **private)
    wording.input(
        lambda i: gr.update(visible=i == _OWN_WORDS), wording, own, queue=False, **private
    )
    upload.change(lambda path: _hear(path, settings), upload, heard, **private)

    def answer_all(
        base: str, tuned: str, name: str, which: int, order: bool, text: str, mine: str | None,
        path: str | None, *values: Any,
    ) -> Iterator[str]:  # fmt: skip
        try:
            clip_of = _recording(path, settings) if path else current(*values)
            question = _question(clip_of, name, which, order, text)
        except UserError as error:
            yield f'<p class="refusal" role="alert">{html.escape(str(error))}</p>'
            return
        specs = [("Base", base), ("Tuned", listener_spec(base, tuned))]
        specs += [("Ideal observer", "ideal"), ("DSP counter", "dsp")]
        done: list[Card] = []
        for title, spec in specs:
            card = Card(title, "", None, _NO_ADAPTER)
            if title != "Tuned" or spec != base:
                for card in _cards(settings, title, spec, question):
                    yield _render(question, [*done, card], mine)
            done.append(card)
        yield _render(question, done, mine)

    button.click(
        answer_all,
        [header.base, header.tuned, chosen, wording, reverse, own, guess, upload, *source],
        answers,
        api_visibility="private",
        show_progress="minimal",
        concurrency_limit=1,
        concurrency_id="model",
    )


def _wordings(name: str) -> list[tuple[str, int]]:
    known = task(name)
    prompts = [(known.prompt(i), i) for i in range(len(known.all_wordings))]
    return [*prompts, ("In your own words", _OWN_WORDS)]


def _on_task(name: str) -> tuple[Any, ...]:
    known = task(name)
    return (
        gr.update(choices=_wordings(name), value=0),
        gr.update(visible=known.reversible, value=False),
        gr.update(visible=False),
        gr.update(choices=list(known.answers), value=None),
    )


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
    """One listener's card as its answer grows."""
    try:
        for result in actions.ask_stream(settings, spec, question):
            yield Card(title, spec, result)
    except UserError as error:
        yield Card(title, spec, None, str(error))


def _render(question: Question, cards: Sequence[Card], mine: str | None) -> str:
    truth = question.truth
    told = html.escape(truth) if truth is not None else "not known for this clip"
    you = (
        f"You said <b>{html.escape(mine)}</b>{_verdict(mine, truth)}"
        if mine
        else "You made no guess"
    )
    head = (
        f'<p class="asked">“{html.escape(question.prompt)}”</p>'
        f'<p class="truth">Truth: <b>{told}</b> <span class="you">{you}</span></p>'
    )
    return head + '<div class="cards">' + "".join(_render_card(c, truth) for c in cards) + "</div>"


def _render_card(card: Card, truth: str | None) -> str:
    title = f"<h3>{html.escape(card.title)} <code>{html.escape(card.spec)}</code></h3>"
    if card.result is None:
        refusal = f'<p class="refusal">{html.escape(card.refusal)}</p>'
        return f'<section class="card">{title}{refusal}</section>'
    result = card.result
    said = f'<p class="said">{html.escape(result.answer)}{_verdict(result.answer, truth)}</p>'
    unparsed = " (unparsed: it names no single answer of the set)" if result.unparsed else ""
    said_words = html.escape(result.reply or "")
    words = f'<p class="reply">in words: “{said_words}”{unparsed}</p>' if result.reply else ""
    foot = (
        f'<p class="foot">probability mass on the set {result.mass:.1%} · '
        f"<code>{html.escape(result.fingerprint)}</code></p>"
    )
    return f'<section class="card">{title}{said}{words}{_bars(result, truth)}{foot}</section>'


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
