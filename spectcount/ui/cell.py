"""A cell of a map or curve: the clip that was asked about, and what each listener answered.

The clip is rebuilt from the trial's Stimulus; the answers shown are the recorded ones. "In words"
asks base and tuned again, aloud, and is queued because it runs the models.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from spectcount import actions
from spectcount.errors import UserError
from spectcount.probing.plan import trials_of_part
from spectcount.probing.replay import presentations
from spectcount.settings import Settings
from spectcount.stimulus import Stimulus
from spectcount.trials import Question, Trial
from spectcount.ui import clip
from spectcount.ui.header import Header, listener_spec
from spectcount.ui.pieces import (
    PRIVATE,
    QUIET,
    Updates,
    live,
    notice,
    refusal,
    render,
    small_button,
)
from spectcount.ui.polling import Feed

HINT = (
    "Click a cell or a point to hear it and to see what was answered. On a map arrow keys and "
    "Enter work too; of a track, choose a trial in the list."
)
_PLAY = """() => setTimeout(() => {{
  const player = document.querySelector('#{where}-clip-view audio');
  if (player && player.src) SpectCount.play(player);
}}, 250)"""


class CellPanel:
    """The panel's components and the state `at` behind it: {"cells": [[x, y], ...], "turn": k,
    "key": ...}, or of a procedure {"track": i, "trial": k, "listener": name}; `plan` among
    interleaved ones. `where` (the tab's name) keeps the element ids apart."""

    def __init__(
        self, where: str, settings: Settings, feed: Feed, run: gr.Dropdown, header: Header
    ) -> None:
        self.where, self.settings, self.feed, self.run = where, settings, feed, run
        self.at = gr.State(None)
        with gr.Column(elem_id=f"{where}-cell", elem_classes="cell"):
            self.answers = live(f"{where}-answers", notice(HINT))
            with gr.Row(visible=False) as self.buttons:
                another = small_button("Next clip", f"{where}-next-clip", scale=None)
                words = small_button("Ask both in words", f"{where}-in-words", 130, None)
            with gr.Column(elem_id=f"{where}-clip-view"):
                self.view = clip.clip_view("The clip of this cell")
        self.follow(another.click, self.next_clip, [self.at])
        words.click(
            self.ask_again,
            [run, self.at, header.base, header.tuned],
            self.answers,
            concurrency_limit=1,
            concurrency_id="model",
            **PRIVATE,
        )

    def follow(self, event: Any, pick: Any, inputs: Sequence[Any]) -> None:
        """At an event let `pick` put a place into `at`, show its clip, and play it."""
        outputs = [self.view, self.answers, self.at, self.buttons]
        event(pick, inputs, self.at, **QUIET).then(
            self.show, [self.run, self.at], outputs, **QUIET
        ).then(None, js=_PLAY.format(where=self.where), queue=False, **PRIVATE)

    def show(self, run_id: str | None, at: dict[str, Any] | None) -> Updates:
        """Clip and recorded answers of the state's cell; the buttons where there is a clip."""
        if not run_id or not at:
            return self._updates(at, notice(HINT))
        groups = of_cell(self.feed.trials(run_id), at)
        if not groups:
            return self._updates(at, notice("No trial of it has been answered yet; wait a moment."))
        turn = at.get("turn", 0) % len(groups)
        trials = groups[turn]
        head = trials[0]
        at = {**at, "turn": turn, "key": head.key}
        if head.stimulus is None:
            return self._updates(at, answers_html(trials))
        note = f"{head.coords.get('role', '')} {place_words(head, at, turn, len(groups))}"
        value = clip.stimulus_value(Stimulus.from_dict(head.stimulus), note=note, table=False)
        return self._updates(at, answers_html(trials), value)

    def _updates(self, at: dict[str, Any] | None, words: str, value: str | None = None) -> Updates:
        return {
            self.view: value,
            self.answers: words,
            self.at: at,
            self.buttons: gr.update(visible=value is not None),
        }

    def next_clip(self, at: dict[str, Any] | None) -> dict[str, Any] | None:
        """The state for the cell's next clip."""
        return {**at, "turn": at.get("turn", 0) + 1} if at else at

    def ask_again(self, run_id: str, at: dict[str, Any] | None, base: str, tuned: str) -> str:
        """Base and tuned asked the same question aloud."""
        if not run_id or not at or "key" not in at:
            return notice(HINT, "error")
        trials = [t for t in self.feed.trials(run_id) if t.key == at["key"]]
        specs = list(dict.fromkeys([base, listener_spec(base, tuned)]))
        try:
            results = actions.ask_each(self.settings, specs, question_of(trials[0]))
        except UserError as error:
            return refusal(error) + answers_html(trials)
        return answers_html(trials) + render("cell.replies", results=results)


def of_cell(trials: Sequence[Trial], at: dict[str, Any]) -> list[list[Trial]]:
    """The trials of a place, a list for each question: of `cells` [[x, y], ...] of the plan,
    signal trials first and among them those that `listener` got wrong; or of `truth` and `answer`
    of a confusion matrix. Of a `track`: the presentations of one listener in their order, from
    number `trial` on and round, with what others answered."""
    if "plan" in at:
        trials = trials_of_part(trials, at["plan"])
    if "track" in at:
        return _of_track(trials, at)
    if "truth" in at:
        keys = {t.key for t in trials if (t.truth, t.answer) == (at["truth"], at["answer"])}
        groups = _by_question(t for t in trials if t.key in keys)
        return [sorted(g, key=lambda t: t.answer != at["answer"]) for g in groups]
    groups = _by_question(
        t for t in trials if [t.coords.get("x"), t.coords.get("y")] in at["cells"]
    )
    return sorted(groups, key=lambda group: _catch_or_right(group, at.get("listener")))


def _by_question(trials: Iterable[Trial]) -> list[list[Trial]]:
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.key, []).append(trial)
    return list(groups.values())


def _catch_or_right(group: Sequence[Trial], listener: str | None) -> tuple[bool, bool]:
    """Order of a question's trials: signals first, then what `listener` got wrong."""
    wrong = any(t.listener == listener and t.correct is False for t in group)
    return group[0].coords.get("role") != "signal", listener is not None and not wrong


def _of_track(trials: Sequence[Trial], at: dict[str, Any]) -> list[list[Trial]]:
    names = [t.listener for t in trials]
    who = at.get("listener") if at.get("listener") in names else next(iter(names), None)
    track = presentations([t for t in trials if t.listener == who], at["track"])
    turned = [*track[at["trial"] :], *track[: at["trial"]]] if at["trial"] < len(track) else []
    return [[each, *(t for t in trials if t.key == each.key and t is not each)] for each in turned]


def place_words(head: Trial, at: dict[str, Any], turn: int, n: int) -> str:
    """The place of the trial that is heard in its cell or track."""
    if "track" not in at:
        place = "this cell" if len(at.get("cells", ())) < 2 else "these cells"
        return f"trial {turn + 1} of {n} in {place}"
    names = ("level", "second")
    level = ", ".join(f"{head.coords[k]:.4g}" for k in names if k in head.coords)
    track = f"track {at['track'] + 1}"
    return f"trial {head.coords['trial'] + 1} of {n} in {track} of {head.listener}, level {level}"


def question_of(trial: Trial) -> Question:
    """The question that a recorded trial answered."""
    assert trial.stimulus is not None
    return Question(Stimulus.from_dict(trial.stimulus), trial.task, trial.wording, trial.reverse)


def answers_html(trials: Sequence[Trial]) -> Markup:
    """The answers of each listener to one question, with the probabilities behind it (HTML)."""
    rows = [(trial, _scores(trial)) for trial in trials]
    return render("cell.answers", head=trials[0], rows=rows)


def _scores(trial: Trial) -> str:
    ranked = sorted(zip(trial.answers, trial.log_probs, strict=True), key=lambda pair: -pair[1])
    return ", ".join(f"{answer} {math.exp(p):.3f}" for answer, p in ranked[:3])
