"""Every stimulus of a plan asked in several wordings: does the wording matter, and for what?

*Conventions*: wordings are indices into all wordings of the task, training ones first, held-out
ones last. Stimuli and wordings are crossed: each stimulus, signal or catch, is asked once in each
wording, and the order of the options alternates over stimuli and wordings, so that either order is
used equally often in each wording and in each cell. Measures are those of each wording, and their
mean over wordings; d' of a forced choice is over sqrt 2; maps are [ny, nx]. The change between two
listeners is the mean over wordings of each wording's own change, with the wordings as a random
factor (`psychophysics.crossed`): its verdict is about wordings like these, not these alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectcount.errors import UserError
from spectcount.probing.draws import CLIPS_PER_S, Cost, PlannedQuestion, cost_of
from spectcount.probing.grid import BATCH, GridPlan
from spectcount.probing.maps import d_prime_of, hit, plain
from spectcount.probing.plan import AnyPlan, plan_from_dict
from spectcount.probing.verdict import (
    CRITERION,
    D_PRIME,
    RATE,
    Verdict,
    first_named,
    whole_rate,
)
from spectcount.psychophysics import sdt
from spectcount.psychophysics.crossed import (
    CochranQ,
    Effect,
    Shares,
    cochran_q,
    criterion_effect,
    d_prime_effect,
    rate_effect,
    variance_shares,
)
from spectcount.psychophysics.sdt import Interval
from spectcount.tasks import Task
from spectcount.trials import Trial

N_WORDINGS = 5
STIMULUS = "stimulus"
"""Name of the coordinate that says which stimulus of the plan a trial is about, from 0."""


def crossable(plan: AnyPlan) -> GridPlan:
    """The plan, if it can be asked in several wordings; raises `UserError` for one that follows
    the answers, or has several plans."""
    grid = None if plan.interleaved else plan.parts[0].grid
    if grid is not None:
        return grid
    why = (
        f"{len(plan.parts)} plans cannot be crossed with wordings; each has its own"
        if plan.interleaved
        else f"a plan of kind {plan.kind} follows the answers, so no two wordings get its stimuli"
    )
    raise UserError(f"{why}; give a map, a curve or a confusion")


@dataclass(frozen=True)
class Crossed:
    """A plan asked in each of `wordings`."""

    plan: GridPlan
    wordings: tuple[int, ...]

    def __post_init__(self) -> None:
        known = len(self.plan.asked.all_wordings)
        if len(set(self.wordings)) != len(self.wordings) or len(self.wordings) < 2:
            raise UserError(
                f"wordings={list(self.wordings)} cannot be compared; give two different ones or "
                "more"
            )
        for wording in self.wordings:
            if not 0 <= wording < known:
                raise UserError(
                    f"wording={wording} is not known; {self.plan.task} has 0..{known - 1}"
                )

    @classmethod
    def from_config(cls, plan: dict, wordings: Iterable[int]) -> Crossed:
        """From plain data. Raises `UserError` for plans that follow the answers."""
        return cls(crossable(plan_from_dict(plan)), tuple(int(w) for w in wordings))

    @property
    def adaptive(self) -> bool:
        """True where the next question depends on the answers so far."""
        return self.plan.adaptive

    @property
    def low_mass(self) -> bool:
        """True where a model goes on with little mass, as the plan says."""
        return self.plan.low_mass

    @property
    def n_trials(self) -> int:
        """Trials asked of each listener."""
        return self.plan.n_trials * len(self.wordings)

    def cost(self, n_listeners: int = 1, clips_per_s: float = CLIPS_PER_S) -> Cost:
        """Trials and minutes for `n_listeners` at a measured rate."""
        return cost_of(self.n_trials * n_listeners, clips_per_s)

    def refuse_infeasible(self) -> None:
        """Raises `UserError` naming the first cell that cannot be realised."""
        self.plan.refuse_infeasible()

    def ask(self, seed: int) -> Generator[list[PlannedQuestion], list[Trial], None]:
        """All wordings of a stimulus one after the other, in batches."""
        questions = [
            self._worded(planned, index, turn)
            for index, planned in enumerate(self.plan.questions(seed))
            for turn in range(len(self.wordings))
        ]
        for start in range(0, len(questions), BATCH):
            yield questions[start : start + BATCH]

    def _worded(self, planned: PlannedQuestion, index: int, turn: int) -> PlannedQuestion:
        """A question in wording number `turn`; the order of the options follows the trial's place
        in its cell or background, which all count alike."""
        place = self.plan.turn(planned.coords["role"], planned.coords["trial"]) % self.plan.n_words
        reverse = self.plan.asked.reversible and (place + turn) % 2 == 1
        question = dataclasses.replace(
            planned.question, wording=self.wordings[turn], reverse=reverse
        )
        return PlannedQuestion(question, {**planned.coords, STIMULUS: index})


def chosen_wordings(task: Task, n: int = N_WORDINGS) -> tuple[int, ...]:
    """`n` wordings of a task: all held-out ones, and training ones from the first on. Raises
    `UserError` for fewer than 2 or more than there are."""
    known, held_out = len(task.all_wordings), len(task.held_out)
    if not 2 <= n <= known:
        raise UserError(f"{n} wordings of {task.name} are not to be had; give 2 to {known}")
    first = range(max(n - held_out, 0))
    last = range(known - min(held_out, n), known)
    return (*first, *last)


def by_stimulus(
    trials: Sequence[Trial], wordings: Sequence[int], role: str
) -> list[tuple[int, list[Trial]]]:
    """(stimulus, its trials in the order of `wordings`) of one role, for those stimuli that were
    answered in every wording."""
    by_wording: dict[int, dict[int, Trial]] = {}
    for t in trials:
        if t.coords.get("role") == role:
            by_wording.setdefault(int(t.coords[STIMULUS]), {})[t.wording] = t
    return [
        (stimulus, [answered[w] for w in wordings])
        for stimulus, answered in sorted(by_wording.items())
        if all(w in answered for w in wordings)
    ]


@dataclass(frozen=True)
class Worded:
    """The result of one wording: its index and words, whether it was held out of training, and its
    own rate, d' and c (None where the task has none) over `n` signal and `n_catch` catch trials."""

    wording: int
    words: str
    held_out: bool
    n: int
    n_catch: int
    rate: Interval
    d_prime: Interval | None = None
    criterion: Interval | None = None


@dataclass(frozen=True)
class Robustness:
    """One listener over wordings: `by_wording`; `main` is the effect on d' (or on the rate where
    there is none), `bias` that on c; `q` whether any answer depends on the wording; `shares` of
    the variance of right and wrong; `spread` [ny, nx] the sd over wordings of each cell's rate."""

    plan: GridPlan
    by_wording: tuple[Worded, ...]
    main: Effect
    bias: Effect | None
    q: CochranQ
    shares: Shares
    spread: np.ndarray
    n: int
    n_catch: int

    @property
    def measure(self) -> str:
        """Name of the main measure."""
        return _main_measure(self.plan, self.n_catch).name

    @property
    def sentence(self) -> str:
        """The effect of the wording, in words."""
        main, name = self.main, self.measure
        low, high = float(np.min(main.by_wording)), float(np.max(main.by_wording))
        return (
            f"{name} {main.like_these} at {100 * main.like_these.level:.4g} % for wordings like "
            f"these; from {low:.2f} to {high:.2f} over {len(self.by_wording)} wordings, ends that "
            f"were picked and lie too far apart (sd {main.sd:.2f}, of which {main.true_sd:.2f} is "
            "more than so few stimuli scatter). "
            f"{self._q_words()}"
        )

    def _q_words(self) -> str:
        if math.isnan(self.q.p):
            return "No stimulus was answered in two ways: the wording does not matter here."
        statistic = f"Cochran's Q = {self.q.q:.1f}, df = {self.q.df}, p = {self.q.p:.2g}"
        if self.q.p >= 0.05:
            return f"That answers depend on the wording is not shown ({statistic})."
        share = (
            ""
            if math.isnan(self.shares.wording)
            else (
                f"; wording is {100 * self.shares.wording:.0f} % of the variance of right and wrong"
            )
        )
        return f"Answers depend on the wording ({statistic}){share}."

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "sentence": self.sentence,
            "measure": self.measure,
            "by_wording": [{k: plain(v) for k, v in vars(w).items()} for w in self.by_wording],
            "main": _effect_dict(self.main),
            "bias": None if self.bias is None else _effect_dict(self.bias),
            "cochran_q": {k: plain(v) for k, v in vars(self.q).items()},
            "variance_shares": {k: plain(v) for k, v in vars(self.shares).items()},
            "spread": plain(self.spread),
            "n": self.n,
            "n_catch": self.n_catch,
        }


@dataclass(frozen=True)
class WordedChange:
    """From base to tuned over wordings: `main` and `bias` are effects on the change."""

    plan: GridPlan
    main: Effect
    bias: Effect | None
    n: int
    n_catch: int

    def verdicts(self, margin: float | None = None) -> list[Verdict]:
        """On the main measure (`margin` is for it), then on c, for wordings like these."""
        what = f"paired stimuli in each of {len(self.main.by_wording)} wordings"
        measure = _main_measure(self.plan, self.n_catch)
        n = self.n + self.n_catch
        verdicts = [Verdict(self.main.like_these, measure, n, margin, what)]
        if self.bias is not None:
            verdicts.append(Verdict(self.bias.like_these, CRITERION, n, None, what))
        return first_named(verdicts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data with the verdicts."""
        return {
            "verdicts": [v.to_dict() for v in self.verdicts()],
            "main": _effect_dict(self.main),
            "bias": None if self.bias is None else _effect_dict(self.bias),
            "n": self.n,
            "n_catch": self.n_catch,
        }


def robustness(crossed: Crossed, trials: Sequence[Trial]) -> Robustness | None:
    """One listener's trials over wordings; None before two stimuli (of signal and catch each,
    where the task has a d') were answered in every wording."""
    blocks = _Blocks.of(crossed, trials)
    if blocks is None:
        return None
    plan = crossed.plan
    return Robustness(
        plan,
        tuple(_worded(crossed, blocks, k) for k in range(len(crossed.wordings))),
        _main(plan, blocks),
        _bias(plan, blocks),
        cochran_q(*(b for b in (blocks.signal, blocks.catch) if len(b))),
        variance_shares(blocks.right),
        _spread(plan, blocks),
        len(blocks.signal),
        len(blocks.catch),
    )


def worded_change(
    crossed: Crossed, base: Sequence[Trial], tuned: Sequence[Trial]
) -> WordedChange | None:
    """The change over the stimuli that both have answered in every wording; None before there are
    two of each role."""
    keys = {t.key for t in base} & {t.key for t in tuned}
    blocks = [_Blocks.of(crossed, [t for t in who if t.key in keys]) for who in (base, tuned)]
    before, after = blocks
    if before is None or after is None:
        return None
    plan = crossed.plan
    return WordedChange(
        plan,
        _main(plan, after, before),
        _bias(plan, after, before),
        len(after.signal),
        len(after.catch),
    )


@dataclass(frozen=True)
class _Blocks:
    """Answers [n, W]: hits on signal trials, false alarms on catch trials (none where the task
    has no d'), and the cell of each signal stimulus."""

    signal: np.ndarray
    catch: np.ndarray
    cells: list[tuple[int, int]]

    @classmethod
    def of(cls, crossed: Crossed, trials: Sequence[Trial]) -> _Blocks | None:
        w = len(crossed.wordings)
        signal = [answered for _, answered in by_stimulus(trials, crossed.wordings, "signal")]
        catch = [answered for _, answered in by_stimulus(trials, crossed.wordings, "catch")]
        two_class = crossed.plan.asked.two_class
        if len(signal) < 2 or (two_class and len(catch) < 2):
            return None
        hits = np.array([[hit(t) for t in answered] for answered in signal], int)
        alarms = np.array(
            [[not t.correct for t in answered] for answered in catch if two_class], int
        )
        cells = [(int(m[0].coords["x"]), int(m[0].coords["y"])) for m in signal]
        return cls(hits, alarms.reshape(-1, w), cells)

    @property
    def right(self) -> np.ndarray:
        """Right or wrong [n, W], signal and catch trials together."""
        return np.concatenate([self.signal, 1 - self.catch])


def _main_measure(plan: GridPlan, n_catch: int) -> Any:
    if plan.asked.two_class and n_catch:
        return D_PRIME
    return whole_rate(plan.asked, RATE)


def _main(plan: GridPlan, blocks: _Blocks, base: _Blocks | None = None) -> Effect:
    if not plan.asked.two_class:
        return rate_effect(blocks.signal, None if base is None else base.signal)
    other = None if base is None else (base.signal, base.catch)
    return d_prime_effect(blocks.signal, blocks.catch, other, scale=plan.asked.scale)


def _bias(plan: GridPlan, blocks: _Blocks, base: _Blocks | None = None) -> Effect | None:
    if not plan.asked.two_class:
        return None
    other = None if base is None else (base.signal, base.catch)
    return criterion_effect(blocks.signal, blocks.catch, other)


def _worded(crossed: Crossed, blocks: _Blocks, k: int) -> Worded:
    of_task, wording = crossed.plan.asked, crossed.wordings[k]
    n, n_catch = len(blocks.signal), len(blocks.catch)
    hits, alarms = int(blocks.signal[:, k].sum()), int(blocks.catch[:, k].sum())
    counts = (hits, n, alarms, n_catch)
    return Worded(
        wording,
        of_task.prompt(wording),
        wording >= len(of_task.wordings),
        n,
        n_catch,
        sdt.wilson(hits, n),
        d_prime_of(of_task)(*counts) if of_task.two_class else None,
        sdt.criterion(*counts) if of_task.two_class else None,
    )


def _spread(plan: GridPlan, blocks: _Blocks) -> np.ndarray:
    """sd over wordings of the rate in each cell [ny, nx]; nan where a cell has no stimulus."""
    spread = np.full((plan.n_rows, plan.n_columns), np.nan)
    where = np.array(blocks.cells)
    for i, j in plan.cells:
        hits = blocks.signal[(where[:, 0] == i) & (where[:, 1] == j)]
        if len(hits):
            spread[j, i] = float(np.std(hits.mean(axis=0), ddof=1))
    return spread


def _effect_dict(effect: Effect) -> dict[str, Any]:
    return {k: plain(v) for k, v in vars(effect).items()}
