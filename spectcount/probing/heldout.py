"""Held out: questions and ranges that an adapter was not made from, and claims about them apart.

*Conventions*: two things can have been seen. *Questions*: those of the probe that found the weak
cells say again what they were chosen for; a comparison needs a seed of its own. *Ranges*: a trial
is *trained* where every value of its stimulus lies in what the curriculum drew from, *never
trained* otherwise; each part has its own verdict. A catch trial without events belongs to every
part whose clips sound like it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.probing.axes import Axis
from spectcount.probing.base import Plan
from spectcount.probing.difference import Change, change_of
from spectcount.probing.pairing import Pair, pairs_of
from spectcount.probing.trained import (
    CLIP_LEVEL,
    INSIDE,
    NAMES,
    OUTSIDE,
    Trained,
    asked_stimulus,
    trained_of,
)
from spectcount.trials import Trial

TRAINED, NEVER = "trained", "never trained"


@dataclass(frozen=True)
class Part:
    """A part of a comparison: its `name` (trained or never trained), its `change`, and how many
    of its signal trials lie `outside` in which parameter."""

    name: str
    change: Change
    outside: Mapping[str, int]

    @property
    def sentence(self) -> str:
        """The part's verdict in words, beginning with what it is about."""
        verdict = self.change.verdict
        words = verdict.sentence if verdict else "no question of this part was answered by both"
        return f"{self.title}: {words}"

    @property
    def title(self) -> str:
        """Its title: "never trained (gap, level)"."""
        names = ", ".join(NAMES.get(name, name) for name in self.outside)
        return f"{self.name} ({names})" if names else self.name

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "sentence": self.sentence,
            "outside": dict(self.outside),
            "change": self.change.to_dict(),
        }


@dataclass(frozen=True)
class HeldOutPlans:
    """A plan cut in two by what was trained: `trained` and `never`, each some plans with the
    cells of whole runs along the axes; `dropped` cells lie partly in both, or are a curve's only
    level on their side."""

    trained: tuple[Plan, ...]
    never: tuple[Plan, ...]
    dropped: int
    words: str


def split(
    plan: Plan,
    base: Iterable[Trial],
    tuned: Iterable[Trial],
    trained: Trained,
    level: float = 0.95,
    seed: int = 0,
) -> list[Part]:
    """The comparison in its parts, trained first; a part without signal trials is left out."""
    pairs = pairs_of(plan, base, tuned)
    signal, catch = pairs.of_cells()
    sides = [_outside(pair, trained) for pair in signal]
    parts = []
    for name, want in ((TRAINED, False), (NEVER, True)):
        chosen = [pair for pair, names in zip(signal, sides, strict=True) if bool(names) == want]
        if chosen:
            counted = Counter(n for names in sides if bool(names) == want for n in names)
            around = _around(chosen, catch, trained, want)
            change = change_of(plan, chosen, around, level, seed)
            parts.append(Part(name, change, dict(counted.most_common())))
    return parts


def held_out_plans(lineage: Mapping[str, Any] | Trained, plan: Plan) -> HeldOutPlans:
    """Plans for a test inside and a test outside the trained ranges of an adapter, from a map or
    a curve. Raises `UserError` for other plans."""
    trained = lineage if isinstance(lineage, Trained) else trained_of(lineage)
    if not plan.least_cells:
        plan.within(())  # refused
    elsewhere = _elsewhere(plan, trained)
    runs = [_runs(axis, trained) for axis in plan.axes]
    inner = [[run for run in axis if run[0] == INSIDE] for axis in runs]
    outer = [[run for run in axis if run[0] == OUTSIDE] for axis in runs]
    boxes_in, boxes_out = _boxes(plan, inner, outer)
    if elsewhere:
        boxes_in, boxes_out = [], [*boxes_in, *boxes_out]
    boxes_in, boxes_out = (_askable(plan, boxes) for boxes in (boxes_in, boxes_out))
    n_cells = sum(_size(box) for box in (*boxes_in, *boxes_out))
    return HeldOutPlans(
        tuple(_part_of(plan, box) for box in boxes_in),
        tuple(_part_of(plan, box) for box in boxes_out),
        len(plan.cells) - n_cells,
        _split_words(plan, trained, elsewhere),
    )


def seen_before(
    seed: int, trained: Trained, probe_seed: int | None = None, shared: int = 0, total: int = 0
) -> list[str]:
    """Overlaps of a comparison at `seed` with how the adapter was made, in sentences; nothing
    where all is held out. `probe_seed`: that of the probe which found the weak cells, None where
    that run is not known here; `shared` of the comparison's `total` questions were asked by it."""
    sentences = []
    if probe_seed == seed:
        how_many = f"{shared} of {total} of its questions" if total else "its questions"
        sentences.append(
            f"Not held out: seed {seed} is that of {trained.probe}, the probe that found the weak "
            f"cells, so {how_many} chose those cells, and a gain there is partly regression to "
            "the mean; give another seed."
        )
    if trained.seed == seed:
        sentences.append(
            f"Seed {seed} is the seed of the fine-tune too. Training draws other clips from it "
            "than a comparison does; give another seed all the same, so that nobody need check."
        )
    if trained.probe and probe_seed is None:
        sentences.append(
            f"The probe that found the weak cells, {trained.probe}, is not in this home folder: "
            "whether it used the same seed cannot be checked."
        )
    return sentences


def shared_questions(plan: Plan, seed: int, trials: Iterable[Trial]) -> tuple[int, int]:
    """(how many questions of `plan` at `seed` are among those `asked`, how many it has); (0, 0)
    for plans that follow the answers."""
    if plan.adaptive:
        return 0, 0
    known = {t.key for t in trials}
    keys = [planned.question.key for batch in plan.ask(seed) for planned in batch]
    return sum(key in known for key in keys), len(keys)


def _outside(pair: Pair, trained: Trained) -> tuple[str, ...]:
    return trained.outside(asked_stimulus(pair[0]), pair[0].task)


def _around(
    signal: Sequence[Pair], catch: Sequence[Pair], trained: Trained, never: bool
) -> list[Pair]:
    """The catch trials that belong to signal trials of one side: those without events by what the
    clip is, those with events by themselves."""
    clips = {_clip_side(_outside(pair, trained)) for pair in signal}
    around = []
    for pair in catch:
        outside = _outside(pair, trained)
        stimulus = pair[0].stimulus or {}
        by_events, by_clip = bool(outside) == never, _clip_side(outside) in clips
        if by_events if stimulus.get("events") else by_clip:
            around.append(pair)
    return around


def _clip_side(outside: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in outside if name in (*CLIP_LEVEL, "task", "family"))


def _elsewhere(plan: Plan, trained: Trained) -> tuple[str, ...]:
    """Parameters that the plan never varies and was never trained."""
    varied = {name for axis in plan.axes for name in (axis.span(0, 0)[0], axis.name)}
    varied |= set(plan.draw) | {"frequency_hz", "onset_s", "n_events"}
    if "gap_ms" not in plan.design and "gap_ms" not in varied:
        varied.add("gap_ms")
    outside = trained.outside(plan.middle_stimulus(plan.cells[0]), plan.task)
    return tuple(name for name in outside if name not in varied)


def _runs(axis: Axis, trained: Trained) -> list[tuple[str, int, int]]:
    """Runs of cells (side, first, last) of one axis; an axis that no curriculum knows is inside
    throughout."""
    sides = []
    for i in range(axis.n):
        name, ends = axis.span(i, i)
        sides.append(trained.side(name, ends) if name in trained.ranges else INSIDE)
    cuts = [0, *(k for k in range(1, axis.n) if sides[k] != sides[k - 1]), axis.n]
    return [(sides[a], a, b - 1) for a, b in itertools.pairwise(cuts)]


def _boxes(plan: Plan, inner: list, outer: list) -> tuple[list, list]:
    """Boxes of cells, one (first, last) per axis: inside on all axes; outside on the first axis
    whatever the second, or inside on the first and outside on the second."""
    if len(plan.axes) == 1:
        return [[run[1:]] for run in inner[0]], [[run[1:]] for run in outer[0]]
    every = (0, plan.axes[1].n - 1)
    boxes_in = [[a[1:], b[1:]] for a in inner[0] for b in inner[1]]
    boxes_out = [[a[1:], every] for a in outer[0]]
    boxes_out += [[a[1:], b[1:]] for a in inner[0] for b in outer[1]]
    return boxes_in, boxes_out


def _askable(plan: Plan, boxes: list) -> list:
    """Without those that make no plan: a curve has two levels or more."""
    return [box for box in boxes if _size(box) >= plan.least_cells]


def _size(box: Sequence[tuple[int, int]]) -> int:
    return int(np.prod([last - first + 1 for first, last in box]))


def _part_of(plan: Plan, box: Sequence[tuple[int, int]]) -> Plan:
    """The plan with those cells of its axes alone."""
    return plan.within(
        [
            (axis.bounds(first)[0], axis.bounds(last)[1], last - first + 1)
            for axis, (first, last) in zip(plan.axes, box, strict=True)
        ]
    )


def _split_words(plan: Plan, trained: Trained, elsewhere: tuple[str, ...]) -> str:
    names = [axis.span(0, 0)[0] for axis in plan.axes]
    known = [trained.words(name) for name in names if name in trained.ranges]
    words = f"trained: {'; '.join(known)}" if known else "the axes were not varied in training"
    if elsewhere:
        words += f"; never trained: {', '.join(NAMES.get(n, n) for n in elsewhere)} of this plan"
    return words
