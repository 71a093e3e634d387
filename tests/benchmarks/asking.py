"""A ledger in memory, a run without a worker, and listeners whose replies are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spectcount.benchmarks import catalogue, prompts, run
from spectcount.errors import UserError
from spectcount.listeners.base import Scores
from spectcount.trials import normalise
from tests.ledger import Context

SHIPPED = Path(__file__).resolve().parents[2] / "spectcount" / "presets" / "benchmarks"


class Says:
    """Replies `reply(question)`; hears 30 s at most; keeps what it was asked."""

    def __init__(self, reply, name="says", window_s=30.0):
        self.reply_to, self.name, self.fingerprint = reply, name, f"{name}-1"
        self.window_s, self.asked = window_s, []

    def reply(self, question):
        self._check(question)
        self.asked.append(question)
        text = self.reply_to(question)
        for end in range(0, len(text), 4):
            yield text[:end]
        yield text

    def score(self, questions):
        """Most probable is the answer that it would reply."""
        rows = []
        for question in questions:
            self._check(question)
            self.asked.append(question)
            said = self.reply_to(question)
            rows.append(normalise(np.array([2.0 * (a == said) for a in question.answers])))
        return Scores(np.array(rows), np.full(len(rows), 0.5))

    def _check(self, question):
        wave = question.audio()
        assert wave.dtype == np.float32 and wave.ndim == 1 and np.abs(wave).max() <= 1
        if len(wave) / 16_000 > self.window_s:
            raise UserError(f"the clip lasts {len(wave) / 16_000:.2f} s, says hears 30; shorten it")


def truth(question):
    return question.truth


def first(question):
    return question.answers[0]


def in_turn(replies):
    """Replies one after another, whatever is asked."""
    left = iter(replies)
    return lambda question: next(left)


def config(name, folder, prompt=None, **options):
    asked = prompts.load(prompt or catalogue.get(name).prompts[0], [SHIPPED])
    return {"benchmark": name, "path": str(folder), "prompt": asked.to_dict(), **options}


def execute(name, folder, *listeners, prompt=None, context=None, **options):
    """(summary, context) of a run over a fixture."""
    context = context or Context(config(name, folder, prompt, **options))
    return run.execute(context, {one.name: one for one in listeners}), context
