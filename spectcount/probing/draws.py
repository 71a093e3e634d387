"""The parts of every plan's trials: seeds, wordings in turn, ranges, and what is refused.

Conventions: a cell is its indices (x, y), y = 0 where the plan has one axis.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from spectcount.errors import UserError
from spectcount.params import Param
from spectcount.probing.axes import Axis
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import synthesise
from spectcount.tasks import Task, task
from spectcount.trials import Question, Trial

Cell = tuple[int, ...]
CLIPS_PER_S = 25.0
"""Assumed rate of the embedded model on two cores, 4 s clips, until one is measured."""
MAX_NOISE_SIGMAS = 5.2
"""Where the synthesis bounds its noise."""


@dataclass(frozen=True)
class PlannedQuestion:
    """A question and its place in the plan: cell indices `x`, `y`, the values drawn there
    (`x_value`, `y_value`), `role` signal or catch, and the `trial` number within the cell."""

    question: Question
    coords: dict[str, Any]


class AskedPlan(Protocol):
    """The plan as a runner needs it."""

    @property
    def adaptive(self) -> bool:
        """True where the next question depends on the answers so far."""

    @property
    def low_mass(self) -> bool:
        """True where a model goes on that gives the closed answers little of its probability."""

    @property
    def n_trials(self) -> int:
        """Trials asked of each listener, at most."""

    def refuse_infeasible(self) -> None:
        """Raises `UserError` where a trial cannot be realised."""

    def ask(self, seed: int) -> Generator[list[PlannedQuestion], list[Trial], None]:
        """Batches of questions, each answered with `send(trials)`."""


@dataclass(frozen=True)
class Cost:
    """The cost of a plan: trials over all listeners, and minutes at the rate given."""

    n_trials: int
    minutes: float


def cost_of(n_trials: int, clips_per_s: float = CLIPS_PER_S) -> Cost:
    """The cost of `n_trials` at a measured rate."""
    if clips_per_s <= 0:
        raise UserError(f"clips_per_s={clips_per_s:g} is not a rate; give one above 0")
    return Cost(n_trials, n_trials / clips_per_s / 60)


def words_in_turn(task_name: str, wordings: str, place: int) -> tuple[int, bool]:
    """Wording and answer order number `place` of the balanced cycle through `wordings` (training,
    held-out or all) in both orders."""
    of_task = task(task_name)
    first, last = _wordings(of_task, wordings)
    turn, index = divmod(place, last - first)
    return first + index, of_task.reversible and (index + turn) % 2 == 1


def words_shared(task_name: str, wordings: str, n_signal: int, n_catch: int) -> int:
    """The number of places of that cycle that signal and catch trials of one level go through in
    turn: as many as the fewer of them fill, so that both take the same ones in the same shares."""
    of_task = task(task_name)
    first, last = _wordings(of_task, wordings)
    cycle = (last - first) * (2 if of_task.reversible else 1)
    return min(n for n in (cycle, n_signal, n_catch) if n)


def _wordings(of_task: Task, wordings: str) -> tuple[int, int]:
    """First wording and the one after the last."""
    first = len(of_task.wordings) if wordings == "held-out" else 0
    return first, len(of_task.wordings) if wordings == "training" else len(of_task.all_wordings)


def corners(axes: tuple[Axis, ...], cell: Cell) -> Iterator[list[float]]:
    """Every combination of the lowest and highest axis values of `cell`."""
    corners: list[list[float]] = [[]]
    for axis, i in zip(axes, cell, strict=False):
        corners = [[*c, v] for c in corners for v in sorted(set(axis.bounds(i)))]
    yield from corners


def seed_of(seed: int, *parts: Any) -> int:
    """A seed: a number below 2^48 that depends on all parts and on nothing else."""
    text = json.dumps([seed, *parts])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def check_ends(declared: Param, ends: Any) -> None:
    if not isinstance(ends, (list, tuple)) or len(ends) != 2:
        raise UserError(f"draw {declared.name}={ends!r} is no range; write [low, high]")
    low, high = (declared.validate(v) for v in ends)
    if not declared.numeric or low > high:
        raise UserError(f"draw {declared.name}: {low}..{high} is no rising range; swap its ends")


def refuse_clipping(stimulus: Stimulus) -> None:
    """Render a clip that could exceed full scale, so that it is refused before the run starts."""
    peak = loudest_together(stimulus.sounds)
    plain = all(e.wave in ("sine", "chirp") and not e.am_depth for e in stimulus.sounds)
    if not plain or peak + MAX_NOISE_SIGMAS * stimulus.noise_sigma > 1:
        synthesise(stimulus)


def loudest_together(sounds: Sequence[Event]) -> float:
    """Largest sum of the amplitudes of sounds that overlap in time, full scale 1."""
    starts = [(e.onset_s, 0, 10 ** (e.level_dbfs / 20)) for e in sounds]
    ends = [(e.offset_s + 0.001, 1, -(10 ** (e.level_dbfs / 20))) for e in sounds]
    return max(itertools.accumulate(step for *_, step in sorted(starts + ends)), default=0.0)
