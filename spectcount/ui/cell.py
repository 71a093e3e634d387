"""One cell of a map or curve: the clip that was asked about, and what each listener answered.

The clip is rebuilt from the trial's Stimulus; the answers shown are the recorded ones. "In words"
asks base and tuned again, aloud, and is queued because it runs the models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from spectcount import actions
from spectcount.errors import UserError
from spectcount.probing.interleave import trials_of_part
from spectcount.probing.replay import presentations
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.trials import Question, Trial
from spectcount.ui import clip
from spectcount.ui.header import Header, listener_spec
from spectcount.ui.polling import QUIET, Feed, notice

HINT = (
    "Click a cell or a point to hear it and to see what was answered. On a map arrow keys and "
    "Enter work too; of a track, choose a trial in the list."
)
_PLAY = """() => setTimeout(() => {{
  const player = document.querySelector('#{where}-clip-view audio');
  if (player && player.src) SpectCount.play(player);
}}, 250)"""


@dataclass(frozen=True)
class CellPanel:
    """The panel's components and the state behind it: {"cell": [x, y], "turn": k, "key": ...}, or
    of a procedure {"track": i, "trial": k, "listener": name}; `plan` among interleaved ones."""

    where: str
    settings: Settings
    feed: Feed
    run: gr.Dropdown
    at: gr.State
    view: gr.HTML
    answers: gr.HTML
    another: gr.Button
    words: gr.Button

    def follow(self, picked: gr.events.Dependency) -> None:
        """Show the clip after `picked`, an event that put a cell into `at`, and play it."""
        picked.then(
            self.show, [self.run, self.at], [self.view, self.answers, self.at], **QUIET
        ).then(None, js=_PLAY.format(where=self.where), queue=False, api_visibility="private")

    def show(self, run_id: str | None, at: dict[str, Any] | None) -> tuple[Any, str, Any]:
        """Clip and recorded answers of the state's cell."""
        if not run_id or not at:
            return None, notice(HINT), at
        trials = self.feed.trials(run_id)
        groups = of_cell(trials, at)
        if not groups:
            return None, notice("No trial of it has been answered yet; wait a moment."), at
        turn = at.get("turn", 0) % len(groups)
        asked = groups[turn]
        at = {**at, "turn": turn, "key": asked[0].key}
        head = asked[0]
        note = f"{head.coords.get('role', '')} {place_words(head, at, turn, len(groups))}"
        if head.stimulus is None:
            return None, answers_html(asked), at
        value = clip.stimulus_value(Stimulus.from_dict(head.stimulus), note=note, table=False)
        return value, answers_html(asked), at

    def next_clip(self, at: dict[str, Any] | None) -> dict[str, Any] | None:
        """The state for the cell's next clip."""
        return {**at, "turn": at.get("turn", 0) + 1} if at else at

    def ask_again(self, run_id: str, at: dict[str, Any] | None, base: str, tuned: str) -> str:
        """Base and tuned asked the same question aloud."""
        if not run_id or not at or "key" not in at:
            return notice(HINT, "error")
        asked = [t for t in self.feed.trials(run_id) if t.key == at["key"]]
        specs = list(dict.fromkeys([base, listener_spec(base, tuned)]))
        try:
            results = actions.ask_each(self.settings, specs, question_of(asked[0]))
        except UserError as error:
            return notice(str(error), "error") + answers_html(asked)
        return answers_html(asked) + replies_html(results)


def build(
    where: str, settings: Settings, feed: Feed, run: gr.Dropdown, header: Header
) -> CellPanel:
    """Lay out the panel; `where` (the tab's name) keeps its element ids apart."""
    at = gr.State(None)
    answers = gr.HTML(
        notice(HINT),
        elem_id=f"{where}-answers",
        apply_default_css=False,
        js_on_load="SpectCount.live(element);",
    )
    with gr.Row():
        another = gr.Button("Next clip", size="sm", elem_id=f"{where}-next-clip")
        words = gr.Button("Ask both in words", size="sm", elem_id=f"{where}-in-words")
    with gr.Column(elem_id=f"{where}-clip-view"):
        view = clip.clip_view("The clip of this cell")
    panel = CellPanel(where, settings, feed, run, at, view, answers, another, words)
    panel.follow(another.click(panel.next_clip, at, at, **QUIET))
    words.click(
        panel.ask_again,
        [run, at, header.base, header.tuned],
        answers,
        api_visibility="private",
        concurrency_limit=1,
        concurrency_id="model",
    )
    return panel


def of_cell(trials: Sequence[Trial], at: dict[str, Any]) -> list[list[Trial]]:
    """The trials of a cell, one list per question: `cell` [x, y] of the plan, or `truth` and
    `answer` of a confusion matrix. Signal trials come first. Of a `track`: the presentations of
    one listener in their order, from number `trial` on and round, with what others answered."""
    if "plan" in at:
        trials = trials_of_part(trials, at["plan"])
    if "track" in at:
        return _of_track(trials, at)
    if "truth" in at:
        mine = [t for t in trials if t.truth == at["truth"] and t.answer == at["answer"]]
        keys = {t.key for t in mine}
        mine = [t for t in trials if t.key in keys]
    else:
        mine = [t for t in trials if [t.coords.get("x"), t.coords.get("y")] == at["cell"]]
        mine.sort(key=lambda t: t.coords.get("role") != "signal")
    groups: dict[str, list[Trial]] = {}
    for trial in mine:
        groups.setdefault(trial.key, []).append(trial)
    return list(groups.values())


def _of_track(trials: Sequence[Trial], at: dict[str, Any]) -> list[list[Trial]]:
    names = [t.listener for t in trials]
    who = at.get("listener") if at.get("listener") in names else next(iter(names), None)
    own = presentations([t for t in trials if t.listener == who], at["track"])
    turned = [*own[at["trial"] :], *own[: at["trial"]]] if at["trial"] < len(own) else []
    return [[one, *(t for t in trials if t.key == one.key and t is not one)] for one in turned]


def place_words(head: Trial, at: dict[str, Any], turn: int, n: int) -> str:
    """Which trial of its cell or track is heard."""
    if "track" not in at:
        return f"trial {turn + 1} of {n} in this cell"
    names = ("level", "second")
    level = ", ".join(f"{head.coords[k]:.4g}" for k in names if k in head.coords)
    track = f"track {at['track'] + 1}"
    return f"trial {head.coords['trial'] + 1} of {n} in {track} of {head.listener}, level {level}"


def question_of(trial: Trial) -> Question:
    """The question that a recorded trial answered."""
    assert trial.stimulus is not None
    return Question(Stimulus.from_dict(trial.stimulus), trial.task, trial.wording, trial.reverse)


def answers_html(trials: Sequence[Trial]) -> str:
    """What each listener answered to one question, with the probabilities behind it (HTML)."""
    head = trials[0]
    rows = "".join(_answer_row(trial) for trial in trials)
    return (
        f'<div class="findings"><p>“{escape(head.prompt)}” '
        f"Truth: <b>{escape(str(head.truth))}</b></p>"
        '<table class="answers"><thead><tr><th>Listener</th><th>Answer</th><th>Raw scores</th>'
        f"<th>Mass on the set</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _answer_row(trial: Trial) -> str:
    verdict = "right" if trial.correct else "wrong"
    mark = "✔" if trial.correct else "✖"
    ranked = sorted(zip(trial.answers, trial.log_probs, strict=True), key=lambda pair: -pair[1])
    scores = ", ".join(f"{escape(a)} {math.exp(p):.3f}" for a, p in ranked[:3])
    return (
        f"<tr><td>{escape(trial.listener)}</td>"
        f'<td class="{verdict}">{mark} {escape(trial.answer)} ({verdict})</td>'
        f"<td>{scores}</td><td>{100 * trial.mass:.1f} %</td></tr>"
    )


def replies_html(results: Sequence[actions.AskResult]) -> str:
    """Replies in the listeners' own words (HTML)."""
    items = "".join(
        f"<li><b>{escape(r.trial.listener)}</b>: “{escape(r.reply or '')}”"
        f"{' (unparsed)' if r.unparsed else ''}</li>"
        for r in results
    )
    title = "<h3>In their own words, asked just now</h3>"
    return f'<div class="findings">{title}<ul>{items}</ul></div>'
