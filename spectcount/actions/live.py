"""Answers that follow a slider, and strips of them: what a page asks and may take back.

Conventions: `page` names who asks (one browser's tab, one of its strips); a newer call of the same
page drops the older where it was not answered. Models answer from the resident scorer, live
questions before runs, strips after them; observers answer here. Limits of the mode are checked
before anything is asked.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spectcount import listeners, rates, visitors
from spectcount.actions.questions import AskResult, refuse_foreign_model, refuse_unknown_listener
from spectcount.errors import UserError
from spectcount.listeners.scorer import client, live
from spectcount.listeners.scorer.wire import IDLE, LIVE, Asking, Superseded, Target
from spectcount.settings import Settings
from spectcount.trials import Question, Trial


@dataclass(frozen=True)
class LiveAnswer:
    """The answer of a listener (the spec that was asked) to a question (its index in the call), or
    the sentence with which it declined. `seconds`: since the call."""

    spec: str
    index: int
    trial: Trial | None
    refusal: str = ""
    seconds: float = 0.0

    @property
    def result(self) -> AskResult | None:
        """The answer as `ask` gives it, without words."""
        return None if self.trial is None else AskResult(self.trial, None, None, self.seconds)


def ask_live(
    settings: Settings, specs: Sequence[str], question: Question, *, page: str = ""
) -> list[LiveAnswer]:
    """Ask one question of several listeners, in their order; base and tuned hear the clip in one
    batch. Raises `Superseded` where a newer call of the page came, `UserError` where the visitor
    has asked too often."""
    rates.spend("asks", max(1, len(_models(specs))))
    answers = {a.spec: a for a in _answers(settings, specs, [question], page, LIVE)}
    return [answers[spec] for spec in specs]


def ask_strip(
    settings: Settings, specs: Sequence[str], questions: Sequence[Question], *, page: str = ""
) -> Iterator[LiveAnswer]:
    """Ask many questions of one task, in idle time: each answer as it comes, those of the first
    questions first. A newer call of the page ends it with `Superseded`, between two batches;
    closing the generator ends it too."""
    rates.spend("strip_points", len(questions) * max(1, len(_models(specs))))
    return _answers(settings, specs, questions, page, IDLE)


def drop_live(settings: Settings, page: str) -> None:
    """Take back what a page has asked and was not answered."""
    live.drop(settings, _whose(page))


def _answers(
    settings: Settings,
    specs: Sequence[str],
    questions: Sequence[Question],
    page: str,
    priority: int,
) -> Iterator[LiveAnswer]:
    """Answers of every listener; a listener that declines does not take the others with it."""
    start = time.perf_counter()
    asking = Asking((), (), priority, _whose(page), client.next_number(), parts=priority == IDLE)
    targets, models = [], _models(specs)
    for spec in dict.fromkeys(specs):
        try:
            if spec in models:
                refuse_foreign_model(settings, spec)
                targets.append(listeners.target_of(spec, settings))
                continue
            refuse_unknown_listener(settings, spec)
        except UserError as error:
            yield LiveAnswer(spec, 0, None, str(error), time.perf_counter() - start)
            continue
        yield from _of_observer(settings, spec, questions, start)
    for group in live.by_base(targets):
        yield from _of_models(settings, asking, group, questions, start)


def _of_observer(
    settings: Settings, spec: str, questions: Sequence[Question], start: float
) -> Iterator[LiveAnswer]:
    listener = listeners.load(spec, settings)
    for index, question in enumerate(questions):
        try:
            scores = listener.score([question])
            trial = scores.trial(0, question, fingerprint=listener.fingerprint, listener=spec)
            yield LiveAnswer(spec, index, trial, "", time.perf_counter() - start)
        except UserError as error:
            yield LiveAnswer(spec, index, None, str(error), time.perf_counter() - start)


def _of_models(
    settings: Settings,
    asking: Asking,
    targets: Sequence[Target],
    questions: Sequence[Question],
    start: float,
) -> Iterator[LiveAnswer]:
    """Answers of adapters of one model; where together they decline, of each alone."""
    wanted, n_answered = dataclasses.replace(asking, targets=tuple(targets)), 0
    try:
        for part in live.parts(settings, wanted, questions):
            for k, target in enumerate(targets):
                for row, index in enumerate(part.indices):
                    n_answered += 1
                    trial = part.scores[k].trial(
                        row,
                        questions[index],
                        fingerprint=part.fingerprints[k],
                        listener=target.name,
                    )
                    yield LiveAnswer(target.name, index, trial, "", time.perf_counter() - start)
    except UserError as error:
        if len(targets) > 1 and not n_answered:
            for target in targets:
                yield from _of_models(settings, asking, [target], questions, start)
            return
        for target in targets:
            yield LiveAnswer(target.name, 0, None, str(error), time.perf_counter() - start)


def _models(specs: Sequence[str]) -> list[str]:
    """The specs that a model answers."""
    parsed = {spec: listeners.ListenerSpec.parse(spec) for spec in specs}
    return [spec for spec, p in parsed.items() if not p.is_formula and not p.silenced]


def _whose(page: str) -> str:
    """A page's name that no other visitor's page has; "" for none."""
    return f"{visitors.owner()} {page}" if page else ""


__all__ = ["LiveAnswer", "Superseded", "ask_live", "ask_strip", "drop_live"]
