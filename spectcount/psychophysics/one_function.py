"""Do answers come from one rising psychometric function? If not, there is no threshold.

Two ways in which they do not, each weighed against one function by its evidence (the chance of the
answers, averaged over the prior of the listener's parameters):

- **they fall again**: above some level the answers are guesses, or follow one rate that is lower
  than the function's there;
- **the listener changed**: before some trial, or after it, the answers follow one rate whatever the
  level (it guessed), or another function with parameters of its own.

Evidence depends on the answers alone, not on how their levels were chosen, so that it means the
same for constant levels, staircases and QUEST+. Where the place of the break is not known, its
evidence is the mean over the places: over trials, or over the axis of the levels.

*Conventions*: `place` [n] is the index of each trial's level among the distinct ones, in the order
in which they become easier, the first (0) being no signal at all: a catch trial, or a guess;
`chance` [L, C] is the chance of a success at each of them for each of
C listeners, `prior` [C] their shares. Trials are in the order in which they were answered, where
that is known. Rates are equally likely in 0..1.

Sources: Kass & Raftery (1995), J. Am. Stat. Assoc. 90:773, for what a ratio of evidences says;
Berger & Wolpert (1988), The Likelihood Principle, for answers that choose the next level.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, logsumexp

_LIMITS = 0.2, 3.0
_GAIN, _OFFSET = 0.4, -2.7
"""The evidence for answers that fall again from which no threshold is told is exp(gain x nats +
offset), held within the limits, where `nats` is what the easy trials can tell (`Break.nats`): where
they tell little, guesses pass for right answers by chance, and the evidence must be the clearer.
Calibrated on simulated listeners (docs/recovery.md): a threshold is told of at most 5 % of those
whose answers fall again, and of most of those who slip in a fifth of the trials."""
_CHANGE, _CHANGE_LIMITS = 3.0, (1.0, 10.0)
"""For a listener that changed: so many times as high, held within these."""
_SLIPS = 0.2
_DOUBT = 0.5
"""Share of a limit from which a threshold is told with a caution."""
_EASY = 2 / 3
_BREAKS = 10
_LEAST = 6
"""Trials on either side of a change, at least."""
_LEAST_ABOVE = 3
"""Trials above the level from which the answers fall again, at least."""
_RATES = (np.arange(6) + 0.5) / 6
_KINDS = (0.35, 0.15, 0.1, 0.1, 0.3)
"""Shares of the ways to change: guesses from then on, or until then; one rate from then on, or
until then; another function."""
_FALL = 0.1
"""How far the rate above a break lies below the function there, at least."""
_EDGE = 1e-9

Counts = tuple[np.ndarray, np.ndarray]
"""Right and wrong answers per level, [T, L] each."""


@dataclass(frozen=True)
class Break:
    """Evidence for a break: how much likelier the answers are with one than as one function;
    `falls` from some level on, the likeliest being `level` (on the inner, rising axis); `changes`
    at some trial, the likeliest being number `trial`. 0, nan and -1 where there is no place for
    one. `easy` counts the trials in the easiest third of the tested range, `guess` is the rate of
    successes by guessing.
    """

    falls: float = 0.0
    level: float = math.nan
    changes: float = 0.0
    trial: int = -1
    easy: int = 0
    guess: float = 0.5

    @property
    def nats(self) -> float:
        """Information by which the easy trials are expected to tell guesses from a listener that
        slips in a fifth of them (Kullback-Leibler divergence)."""
        g, best = min(max(self.guess, _EDGE), 1 - _EDGE), 1 - _SLIPS
        return self.easy * (g * math.log(g / best) + (1 - g) * math.log((1 - g) / _SLIPS))

    @property
    def fall_limit(self) -> float:
        """Highest evidence for answers that fall again with which a threshold is told."""
        return _within(math.exp(min(_GAIN * self.nats + _OFFSET, 50.0)), _LIMITS)

    @property
    def change_limit(self) -> float:
        """The same for a listener that changed."""
        return _within(_CHANGE * self.fall_limit, _CHANGE_LIMITS)

    @property
    def certain(self) -> bool:
        """True where the answers are rather not those of one function."""
        return self.falls > max(1.0, self.fall_limit) or self.changes > self.change_limit

    @property
    def unclear(self) -> bool:
        """True where they may be, but the easy trials do not tell."""
        return not self.certain and self.falls > self.fall_limit

    @property
    def forbids(self) -> bool:
        """True where no threshold may be told."""
        return self.certain or self.unclear

    @property
    def doubtful(self) -> bool:
        """True where a threshold may be told, but not without a caution."""
        pairs = ((self.falls, self.fall_limit), (self.changes, self.change_limit))
        return not self.forbids and any(x > min(1.0, _DOUBT * limit) for x, limit in pairs)


NO_BREAK = Break()


def _within(x: float, ends: tuple[float, float]) -> float:
    return min(max(x, ends[0]), ends[1])


def break_reason(broken: Break, to_level: Callable[[float], Any]) -> str:
    """Why there is no threshold, in a clause; for breaks that forbid one."""
    if broken.certain:
        return f"not one function: {break_words(broken, to_level)}"
    return (
        f"too few trials at the easy end ({broken.easy} in the easiest third) to tell whether "
        f"{break_words(broken, to_level)}; ask more trials"
    )


def break_words(broken: Break, to_level: Callable[[float], Any]) -> str:
    """The break that is nearer to its limit in words, with its evidence."""
    falls = broken.falls / broken.fall_limit >= broken.changes / broken.change_limit
    ratio = broken.falls if falls else broken.changes
    odds = f"{ratio:.2g} times as likely as not" if ratio < 100 else "near certain"
    if falls:
        from_level = float(to_level(broken.level))
        return f"from {from_level:.4g} on the answers fall again ({odds})"
    return (
        f"the answers before trial {broken.trial + 1} and from there on differ, whatever the level "
        f"({odds})"
    )


class Answers:
    """Answers and the listeners that might have given them; see the module."""

    def __init__(
        self, place: ArrayLike, success: ArrayLike, chance: np.ndarray, prior: np.ndarray
    ) -> None:
        self.place = np.asarray(place, int)
        self.success = np.asarray(success, float)
        chance = np.clip(chance, _EDGE, 1 - _EDGE)
        self.chance = chance
        self.log_prior = np.log(np.maximum(prior, 1e-300)) - np.log(np.sum(prior))
        self.n_levels = len(chance)
        self._log_right, self._log_wrong = np.log(chance), np.log1p(-chance)

    def joint(self, right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
        """Log of prior times likelihood [T, C] of T sets of counts per level [T, L]."""
        return right @ self._log_right + wrong @ self._log_wrong + self.log_prior

    def evidence(self, right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
        """Log evidence [T] of one function for each set of counts."""
        joint = self.joint(right, wrong)
        peak = joint.max(axis=1)
        return peak + np.log(np.exp(joint - peak[:, None]).sum(axis=1))

    @property
    def guess(self) -> float:
        """Mean chance of a success without a signal, given all answers."""
        joint = self.joint(*self.counts(np.ones((1, len(self.place)))))[0]
        mass = np.exp(joint - joint.max())
        return float(mass @ self.chance[0] / mass.sum())

    def counts(self, used: np.ndarray) -> Counts:
        """Right and wrong answers per level [T, L] among the trials `used` [T, n]."""
        at = (self.place[:, None] == np.arange(self.n_levels)).astype(float)
        return (used * self.success) @ at, (used * (1 - self.success)) @ at


def find_break(
    places: np.ndarray,
    success: ArrayLike,
    chance_at: Callable[[np.ndarray], np.ndarray],
    prior: np.ndarray,
    ordered: bool = True,
) -> Break:
    """The evidence for either break.

    `places` [n] on the inner axis, -inf for catch trials, and `success` [n] of the trials, in the
    order of their time where `ordered`; `chance_at(u [L, 1])` [L, C] is the chance of a success of
    each listener, `prior` [C] the listeners' shares.
    """
    n = len(places)
    if n < 2 * _LEAST:
        return Break()
    tested, place = np.unique([-np.inf, *places], return_inverse=True)
    answers = Answers(place[1:], success, chance_at(tested[:, None]), prior)
    whole = float(answers.evidence(*answers.counts(np.ones((1, n))))[0])
    falls, level = _falls(answers, tested, whole)
    changes, trial = _changes(answers, whole) if ordered else (0.0, -1)
    hardest, easiest = tested[1] if len(tested) > 1 else 0.0, tested[-1]
    easy = int(np.sum(np.asarray(places) >= hardest + _EASY * (easiest - hardest)))
    from_level = float(tested[level]) if level >= 0 else math.nan
    return Break(falls, from_level, changes, trial, easy, answers.guess)


def find_change(
    place: np.ndarray, success: ArrayLike, chance: np.ndarray, prior: np.ndarray
) -> Break:
    """The evidence for a listener that changed alone: `place` [n] is the index of each trial's
    level, 0 no signal, `chance` [L, C]; for levels that have no one order."""
    n = len(place)
    if n < 2 * _LEAST:
        return Break()
    answers = Answers(place, success, chance, prior)
    whole = float(answers.evidence(*answers.counts(np.ones((1, n))))[0])
    changes, trial = _changes(answers, whole)
    return Break(changes=changes, trial=trial, easy=n // 3, guess=answers.guess)


def _changes(answers: Answers, whole: float) -> tuple[float, int]:
    """Evidence for a change at some trial, and the likeliest one."""
    n = len(answers.place)
    starts = np.unique(np.linspace(_LEAST, n - _LEAST, _BREAKS).round().astype(int))
    before = (np.arange(n) < starts[:, None]).astype(float)
    early, late = answers.counts(before), answers.counts(1 - before)
    heard = answers.evidence(*early), answers.evidence(*late)
    kinds = (
        np.stack(
            [
                answers.evidence(*_guessed(early, late)),
                answers.evidence(*_guessed(late, early)),
                heard[0] + _one_rate(*late),
                heard[1] + _one_rate(*early),
                heard[0] + heard[1],
            ]
        )
        - whole
    )
    by_trial = logsumexp(kinds + np.log(_KINDS)[:, None], axis=0)
    return _mean(by_trial), int(starts[int(np.argmax(by_trial))])


def _falls(answers: Answers, tested: np.ndarray, whole: float) -> tuple[float, int]:
    """Evidence for answers that fall again above some place of the axis, and the index of the first
    of the `tested` levels above the likeliest."""
    n_at = np.bincount(answers.place, minlength=answers.n_levels)
    above = n_at[::-1].cumsum()[::-1]
    tops = [
        i
        for i in range(2, answers.n_levels)
        if above[i] >= _LEAST_ABOVE and n_at[i] and n_at[1:i].sum() >= _LEAST
    ]
    if not tops:
        return 0.0, -1
    if len(tops) > _BREAKS:
        tops = [tops[i] for i in np.linspace(0, len(tops) - 1, _BREAKS).round().astype(int)]
    stretch = np.diff(tested[[max(1, tops[0] - 1), *tops]])
    fallen = (answers.place >= np.array(tops)[:, None]).astype(float)
    below, above_it = answers.counts(1 - fallen), answers.counts(fallen)
    as_guesses = answers.evidence(*_guessed(below, above_it))
    lower = _fallen(answers, answers.joint(*below), tops, above_it)
    by_level = np.logaddexp(as_guesses, lower) - np.log(2) - whole
    by_level = by_level + np.log(stretch / stretch.mean())
    return _mean(by_level), tops[int(np.argmax(by_level))]


def _fallen(answers: Answers, joint: np.ndarray, tops: list[int], above: Counts) -> np.ndarray:
    """Log evidence [T] of a function below each level of `tops`, `joint` [T, C], and one lower rate
    from there on (counts `above` [T, L]); listeners and rates share the prior of those that fit."""
    right, wrong = (counts.sum(axis=1) for counts in above)
    chance, prior = answers.chance[tops], np.exp(answers.log_prior)
    peak = joint.max(axis=1)
    mass = np.exp(joint - peak[:, None])
    terms, shares = [], []
    for rate in _RATES:
        fits = chance > rate + _FALL
        with np.errstate(divide="ignore"):
            fitting = np.log(np.einsum("tc,tc->t", mass, fits)) + peak
        terms.append(right * np.log(rate) + wrong * np.log1p(-rate) + fitting)
        shares.append(fits @ prior)
    with np.errstate(divide="ignore", invalid="ignore"):
        evidence = np.logaddexp.reduce(terms, axis=0) - np.log(np.sum(shares, axis=0))
    return np.where(np.isnan(evidence), -np.inf, evidence)


def _guessed(heard: Counts, guessed: Counts) -> Counts:
    """Counts [T, L] where those of `guessed` are answers to no signal, on top of `heard`."""
    right, wrong = heard[0].copy(), heard[1].copy()
    right[:, 0] += guessed[0].sum(1)
    wrong[:, 0] += guessed[1].sum(1)
    return right, wrong


def _one_rate(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Log evidence of one unknown rate for counts [T, L]."""
    return betaln(right.sum(1) + 1, wrong.sum(1) + 1)


def _mean(log_ratios: np.ndarray) -> float:
    return float(np.exp(np.minimum(logsumexp(log_ratios) - np.log(len(log_ratios)), 50.0)))
