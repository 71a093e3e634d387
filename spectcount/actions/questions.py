"""Questions: one clip, one question, one or several listeners."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spectcount import rates
from spectcount.listeners.base import LEAST_MASS
from spectcount.settings import Settings
from spectcount.trials import Question, Trial


@dataclass(frozen=True)
class AskResult:
    """One listener's answer: the trial (scores over the closed set), the reply in its own words
    when asked for, what the parser made of it (None: unparsed), and how long it took."""

    trial: Trial
    reply: str | None
    parsed: str | None
    seconds: float

    @property
    def answer(self) -> str:
        """The most probable answer of the closed set."""
        return self.trial.answer

    @property
    def answers(self) -> tuple[str, ...]:
        """The closed set."""
        return self.trial.answers

    @property
    def log_probs(self) -> tuple[float, ...]:
        """Natural log-probabilities over the closed set, normalised."""
        return self.trial.log_probs

    @property
    def truth(self) -> str | None:
        """The right answer; None where unknown."""
        return self.trial.truth

    @property
    def mass(self) -> float:
        """Probability of the closed set as a whole."""
        return self.trial.mass

    @property
    def fingerprint(self) -> str:
        """Weights + adapter + dtype + engine version of who answered."""
        return self.trial.fingerprint

    @property
    def unparsed(self) -> bool:
        """A reply was given that names no single answer of the set."""
        return self.reply is not None and self.parsed is None

    @property
    def caution(self) -> str:
        """Why the ranking of the answers stands for little, "" where it does not."""
        if self.mass >= LEAST_MASS:
            return ""
        return (
            f"all answers together have {self.mass:.2g} of the probability (below "
            f"{LEAST_MASS:g}): {self.trial.listener} would say something else, see its own words"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, JSON ready."""
        trial = self.trial
        return {
            "listener": trial.listener,
            "fingerprint": trial.fingerprint,
            "task": trial.task,
            "prompt": trial.prompt,
            "answer": trial.answer,
            "truth": trial.truth,
            "correct": trial.correct,
            "probabilities": {
                a: math.exp(p) for a, p in zip(trial.answers, trial.log_probs, strict=True)
            },
            "log_probs": dict(zip(trial.answers, trial.log_probs, strict=True)),
            "mass": trial.mass,
            "reply": self.reply,
            "parsed": self.parsed,
            "seconds": self.seconds,
            "key": trial.key,
        }


def ask(settings: Settings, spec: str, question: Question, *, with_reply: bool = True) -> AskResult:
    """Ask one question of one listener: scores over the closed set and, unless `with_reply` is
    false, its answer in its own words."""
    results = ask_stream(settings, spec, question)
    return [*results][-1] if with_reply else next(results)


def ask_stream(settings: Settings, spec: str, question: Question) -> Iterator[AskResult]:
    """The result as it grows: the scores first, then the reply word by word."""
    from spectcount import listeners

    rates.spend("asks")
    refuse_unknown_listener(settings, spec)
    listener = listeners.load(spec, settings)
    start = time.perf_counter()
    scores = listener.score([question])
    trial = scores.trial(0, question, fingerprint=listener.fingerprint, listener=listener.name)
    yield AskResult(trial, None, None, time.perf_counter() - start)
    for reply in listener.reply(question):
        replied = dataclasses.replace(trial, reply=reply)
        yield AskResult(replied, reply, question.task.parse(reply), time.perf_counter() - start)


def ask_each(
    settings: Settings, specs: Sequence[str], question: Question, *, with_reply: bool = True
) -> list[AskResult]:
    """Ask one question of several listeners, in their order."""
    return [ask(settings, spec, question, with_reply=with_reply) for spec in specs]


def refuse_foreign_model(settings: Settings, spec: str) -> None:
    """In demo mode only shipped and listed models answer."""
    from spectcount import listeners

    base = listeners.ListenerSpec.parse(spec).hearing.base
    if settings.demo and str(base) in listeners.models(settings):
        listeners.model_folder(base, settings)


def refuse_unknown_listener(settings: Settings, spec: str) -> None:
    """Raise `UserError` for a spec that names no listener, without loading any weights."""
    from spectcount import listeners

    refuse_foreign_model(settings, spec)
    model = listeners.ListenerSpec.parse(spec).hearing
    if model.is_formula:
        listeners.load(spec, settings)
        return
    listeners.model_folder(model.base, settings)
    listeners.adapter_folder(model, settings)
