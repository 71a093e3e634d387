"""Several plans shuffled into one run: each goes its own way, none knows of the others.

Conventions: a part hands out batches of its own, each of which must be answered in full before the
next; the rounds of the whole take from each part its share, so that all end at about the same
time. Within a round the order is random, from the seed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Iterable, Sequence

import numpy as np

from spectcount.probing.draws import PlannedQuestion, seed_of
from spectcount.trials import Trial

Asking = Generator[list[PlannedQuestion], list[Trial], None]
PART = "plan"
"""Name of the coordinate that says which part a trial belongs to."""


class Part:
    """One part as it goes: what it has asked, what it waits for."""

    def __init__(self, index: int, asking: Asking, n_trials: int) -> None:
        self.index = index
        self.n_trials = n_trials
        self.given = 0
        self._asking = asking
        self._batch: list[PlannedQuestion] | None = next(asking, None)
        self._asked = 0
        self._answered: list[Trial] = []

    @property
    def open(self) -> bool:
        """Whether it has more to ask."""
        return self._batch is not None

    def take(self, n: int) -> list[PlannedQuestion]:
        """Up to `n` more questions, fewer where the next ones wait for answers."""
        found = (self._batch or [])[self._asked : self._asked + max(n, 0)]
        self._asked += len(found)
        self.given += len(found)
        return [dataclasses.replace(p, coords={**p.coords, PART: self.index}) for p in found]

    def receive(self, trials: Sequence[Trial]) -> None:
        """The answers to what was taken, in its order."""
        self._answered.extend(trials)
        if self._batch is not None and len(self._answered) == len(self._batch):
            try:
                self._batch = self._asking.send(self._answered)
            except StopIteration:
                self._batch = None
            self._asked, self._answered = 0, []


def shuffled_together(parts: Sequence[Part], n_rounds: int, seed: int) -> Asking:
    """Batches that hold of every part what is due in a round; `n_rounds` if none ends early."""
    done = 0
    while any(part.open for part in parts):
        done += 1
        share = min(done / n_rounds, 1.0)
        taken = [(p, q) for p in parts for q in p.take(_due(p, share))]
        if not taken:
            continue
        order = np.random.default_rng(seed_of(seed, "together", done)).permutation(len(taken))
        answered = yield [taken[int(i)][1] for i in order]
        found = dict(zip((int(i) for i in order), answered, strict=True))
        for part in parts:
            part.receive([found[i] for i, (owner, _) in enumerate(taken) if owner is part])


def trials_of_part(trials: Iterable[Trial], index: int) -> list[Trial]:
    """The trials that belong to part number `index`."""
    return [t for t in trials if t.coords.get(PART) == index]


def _due(part: Part, share: float) -> int:
    """How many more questions are due once `share` of the rounds is over."""
    return math.ceil(share * part.n_trials) - part.given
