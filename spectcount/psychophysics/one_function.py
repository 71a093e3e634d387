"""Whether answers come from one rising psychometric function: if not, there is no threshold.

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
from scipy.special import betaln, logsumexp

LIMIT, DOUBT = 1.0, 1 / 3
"""Evidence for a break over that for one function from which no threshold is told, and from which
one is told with a caution."""
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


@dataclass(frozen=True)
class Break:
    """How much likelier the answers are with a break than as one function: `falls` from some level
    on, the likeliest being `level` (on the inner, rising axis); `changes` at some trial, the
    likeliest being number `trial`. 0, nan and -1 where there is no place for one."""

    falls: float = 0.0
    level: float = math.nan
    changes: float = 0.0
    trial: int = -1

    @property
    def odds(self) -> float:
        """The greater of the two."""
        return max(self.falls, self.changes)

    @property
    def certain(self) -> bool:
        """Whether no threshold may be told."""
        return self.odds > LIMIT

    @property
    def doubtful(self) -> bool:
        """Whether a threshold may be told, but not without a caution."""
        return DOUBT < self.odds <= LIMIT


NO_BREAK = Break()


def break_words(broken: Break, to_level: Callable[[float], Any]) -> str:
    """The likelier break in words, with its evidence."""
    odds = f"{broken.odds:.2g} times as likely as not" if broken.odds < 100 else "near certain"
    if broken.falls >= broken.changes:
        from_level = float(to_level(broken.level))
        return f"from {from_level:.4g} on the answers fall again ({odds})"
    return (
        f"the answers before trial {broken.trial + 1} and from there on differ, whatever the level "
        f"({odds})"
    )


class Answers:
    """Answers and the listeners that might have given them; see the module."""

    def __init__(self, place, success, chance, prior) -> None:
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
        return logsumexp(self.joint(right, wrong), axis=1)

    def counts(self, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Right and wrong answers per level [T, L] among the trials `used` [T, n]."""
        at = (self.place[:, None] == np.arange(self.n_levels)).astype(float)
        return (used * self.success) @ at, (used * (1 - self.success)) @ at


def find_break(
    places: np.ndarray, success, chance_at: Callable[[np.ndarray], np.ndarray], prior,
    ordered: bool = True,
) -> Break:  # fmt: skip
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
    return Break(falls, float(tested[level]) if level >= 0 else math.nan, changes, trial)


def _changes(answers: Answers, whole: float) -> tuple[float, int]:
    """Evidence for a change at some trial, and the likeliest one."""
    n = len(answers.place)
    starts = np.unique(np.linspace(_LEAST, n - _LEAST, _BREAKS).round().astype(int))
    before = (np.arange(n) < starts[:, None]).astype(float)
    early, late = answers.counts(before), answers.counts(1 - before)
    heard = answers.evidence(*early), answers.evidence(*late)
    kinds = np.stack([
        answers.evidence(*_guessed(early, late)),
        answers.evidence(*_guessed(late, early)),
        heard[0] + _one_rate(*late),
        heard[1] + _one_rate(*early),
        heard[0] + heard[1],
    ]) - whole  # fmt: skip
    by_trial = logsumexp(kinds + np.log(_KINDS)[:, None], axis=0)
    return _mean(by_trial), int(starts[int(np.argmax(by_trial))])


def _falls(answers: Answers, tested: np.ndarray, whole: float) -> tuple[float, int]:
    """Evidence for answers that fall again above some place of the axis, and the index of the first
    of the `tested` levels above the likeliest."""
    n_at = np.bincount(answers.place, minlength=answers.n_levels)
    above = n_at[::-1].cumsum()[::-1]
    tops = [
        i for i in range(2, answers.n_levels)
        if above[i] >= _LEAST_ABOVE and n_at[i] and n_at[1:i].sum() >= _LEAST
    ]  # fmt: skip
    if not tops:
        return 0.0, -1
    if len(tops) > _BREAKS:
        tops = [tops[i] for i in np.linspace(0, len(tops) - 1, _BREAKS).round().astype(int)]
    stretch = np.diff(tested[[max(1, tops[0] - 1), *tops]])
    fallen = (answers.place >= np.array(tops)[:, None]).astype(float)
    below, above_it = answers.counts(1 - fallen), answers.counts(fallen)
    as_guesses = answers.evidence(*_guessed(below, above_it))
    joint = answers.joint(*below)
    lower = np.array([
        _fallen(answers, joint[t], answers.chance[i], above_it[0][t].sum(), above_it[1][t].sum())
        for t, i in enumerate(tops)
    ])  # fmt: skip
    by_level = np.logaddexp(as_guesses, lower) - np.log(2) - whole
    by_level = by_level + np.log(stretch / stretch.mean())
    return _mean(by_level), tops[int(np.argmax(by_level))]


def _fallen(
    answers: Answers, joint: np.ndarray, chance: np.ndarray, right: float, wrong: float
) -> float:
    """Log evidence of a function below a level, `joint` [C], and one lower rate from there on,
    where the function's `chance` [C] is; listeners and rates share the prior of those that fit."""
    terms, shares = [], []
    for rate in _RATES:
        fits = chance > rate + _FALL
        if fits.any():
            terms.append(right * np.log(rate) + wrong * np.log1p(-rate) + logsumexp(joint[fits]))
            shares.append(logsumexp(answers.log_prior[fits]))
    return float(logsumexp(terms) - logsumexp(shares)) if terms else -np.inf


def _guessed(heard, guessed) -> tuple[np.ndarray, np.ndarray]:
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
