"""An audio language model that the resident scorer answers for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from spectcount.listeners.base import Report, Scores
from spectcount.listeners.scorer.client import Door
from spectcount.listeners.scorer.wire import LIVE, Asking, Target
from spectcount.trials import Question


class ResidentLM:
    """A listener whose weights another process holds; `facts` says how it is scored. Its answers
    are those of the listener that it was when it was made, or there are none."""

    def __init__(
        self, door: Door, target: Target, report: Report | None = None, priority: int = LIVE
    ) -> None:
        self.door = door
        self.name = target.name
        self.asking = Asking((target,), priority=priority)
        (self.known,) = door.open(self.asking, report)
        self.asking = dataclasses.replace(self.asking, fingerprints=(self.known.fingerprint,))

    @property
    def fingerprint(self) -> str:
        """Weights + adapter + dtype + engine version."""
        return self.known.fingerprint

    @property
    def facts(self) -> dict[str, str]:
        """Path and number format of its scores, for a run's summary."""
        return self.known.summary()

    @property
    def window_s(self) -> float:
        """Length of clip that the model hears at once, seconds."""
        return self.known.window_s

    def score(self, questions: Sequence[Question]) -> Scores:
        """See `Listener.score`."""
        if not questions:
            return Scores(*_nothing())
        return self.door.score(self.asking, questions)[0]

    def reply(self, question: Question) -> Iterator[str]:
        """The model's own words, greedily generated."""
        return self.door.reply(self.asking, question)


def may_share(listeners: Sequence[Any]) -> bool:
    """True where these are different adapters (or none) of one model, whose rows can be mixed."""
    return (
        len(listeners) > 1
        and all(isinstance(x, ResidentLM) and x.known.mixes for x in listeners)
        and len({(x.door, x.known.base) for x in listeners}) == 1
    )


def together(listeners: Sequence[ResidentLM], asking: Asking) -> Asking:
    """One question to several listeners."""
    return dataclasses.replace(
        asking,
        targets=tuple(x.asking.targets[0] for x in listeners),
        fingerprints=tuple(x.fingerprint for x in listeners),
    )


def score_together(listeners: Sequence[ResidentLM], questions: Sequence[Question]) -> list[Scores]:
    """The scores that each listener's `score(questions)` returns; they must pass `may_share`."""
    return listeners[0].door.score(together(listeners, listeners[0].asking), questions)


def _nothing() -> tuple[Any, Any]:
    import numpy as np

    return np.zeros((0, 0)), np.zeros(0)
