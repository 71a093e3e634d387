"""Every stimulus under every wording: how much the wording matters, and intervals that include it.

*Conventions*: answers are arrays [n, W] of 0 and 1, stimuli down, wordings across, complete; of a
two-answer task "said the first answer", signal and catch trials apart. What is estimated is the
mean over wordings of each wording's own d', c or rate; a pool of wordings whose criteria differ
would have too small a d'.

Two claims, two intervals. *These wordings*: only the stimuli are a sample. *Wordings like these*:
the wordings are a sample too, which a claim about a listener needs. The variance of the second
adds those over stimuli and over wordings and takes away once what both contain; the interval is
Student's with Satterthwaite's degrees of freedom. (A bootstrap that draws 5 wordings covers 88 %
instead of 95 % where wordings differ; see `benchmarks/change_coverage.py`.)

Sources: Cochran (1950), Biometrika 37:256, for Q; Owen (2007), Ann. Appl. Stat. 1:386, and
Cameron, Gelbach & Miller (2011), J. Bus. Econ. Stat. 29:238, for the two-way variance;
Satterthwaite (1946), Biometrics Bull. 2:110.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from scipy.stats import chi2, norm
from scipy.stats import t as student

from spectcount.errors import UserError
from spectcount.psychophysics.sdt import LOG_LINEAR, Interval

_AFTER, _BEFORE = np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 1, 0])
LEVEL = 0.95
Blocks = Sequence[ArrayLike] | None
"""Answers of the base listener, block for block; None where there is none."""
THESE = "mean over these wordings, stimuli drawn"
LIKE_THESE = "mean over wordings like these, stimuli and wordings drawn"


@dataclass(frozen=True)
class Effect:
    """A measure over wordings: `by_wording` [W]; `these` and `like_these`: its mean with the two
    intervals of the module; `sd` and `range` over wordings as observed; `true_sd`: what is left
    of the sd without the scatter that so few stimuli give."""

    by_wording: np.ndarray
    these: Interval
    like_these: Interval
    sd: float
    range: float
    true_sd: float


@dataclass(frozen=True)
class CochranQ:
    """Does the answer depend on the wording? `p` is that of Q with `df` degrees of freedom; nan
    where no stimulus was answered in two ways."""

    q: float
    df: int
    p: float


@dataclass(frozen=True)
class Shares:
    """Shares of the variance of the answers, summing to 1: which wording, which stimulus, and
    the rest (their interaction, and noise); nan where all answers are the same."""

    wording: float
    stimulus: float
    rest: float


def d_prime_effect(
    signal: ArrayLike,
    noise: ArrayLike,
    other: Blocks = None,
    scale: float = 1.0,
) -> Effect:
    """d' over wordings from "said the first answer" [n_s, W] and [n_n, W]; with `other`, the pair
    (signal, noise) of a base listener, the change from it. `scale`: 1 / sqrt 2 for forced
    choices."""
    return _effect([(signal, scale), (noise, -scale)], other, probit=True)


def criterion_effect(signal: ArrayLike, noise: ArrayLike, other: Blocks = None) -> Effect:
    """c over wordings, or its change; arguments as of `d_prime_effect`."""
    return _effect([(signal, -0.5), (noise, -0.5)], other, probit=True)


def rate_effect(right: ArrayLike, other: ArrayLike | None = None) -> Effect:
    """The rate of 1 over wordings from answers [n, W]; with `other` [n, W], the change from it.
    Intervals end where rates, or their changes, do."""
    effect = _effect([(right, 1.0)], None if other is None else (other,), probit=False)
    lowest = 0.0 if other is None else -1.0
    these, like_these = (
        dataclasses.replace(interval, low=max(interval.low, lowest), high=min(interval.high, 1.0))
        for interval in (effect.these, effect.like_these)
    )
    return dataclasses.replace(effect, these=these, like_these=like_these)


def cochran_q(*blocks: ArrayLike) -> CochranQ:
    """Cochran's Q over blocks of answers [n, W], say signal and catch trials: the sum of their
    statistics, so that a shift of bias does not cancel."""
    q, df = 0.0, 0
    for block in blocks:
        x = _answers(block)
        by_wording, by_stimulus = x.sum(axis=0), x.sum(axis=1)
        w = x.shape[1]
        below = float(w * by_stimulus.sum() - np.sum(by_stimulus**2))
        if below > 0:
            above = w * np.sum(by_wording**2) - by_wording.sum() ** 2
            q += (w - 1) * float(above) / below
            df += w - 1
    return CochranQ(q, df, float(chi2.sf(q, df)) if df else math.nan)


def variance_shares(answers: ArrayLike) -> Shares:
    """Variance components of answers [n, W] by the two-way analysis of variance without
    replication, negative ones set to 0."""
    x = _answers(answers)
    n, w = x.shape
    if n < 2:
        raise UserError(f"{n} stimuli have no variance; ask 2 or more under each wording")
    by_stimulus, by_wording, mean = x.mean(axis=1), x.mean(axis=0), x.mean()
    rest = x - by_stimulus[:, None] - by_wording[None] + mean
    noise = float(np.sum(rest**2)) / ((n - 1) * (w - 1))
    wording = max(float(np.var(by_wording, ddof=1)) - noise / n, 0.0)
    stimulus = max(float(np.var(by_stimulus, ddof=1)) - noise / w, 0.0)
    total = wording + stimulus + noise
    if total <= 0:
        return Shares(math.nan, math.nan, math.nan)
    return Shares(wording / total, stimulus / total, noise / total)


def _effect(parts: list[tuple[ArrayLike, float]], other: Blocks, probit: bool) -> Effect:
    """Sum of weighted transformed rates over blocks of answers, wording by wording."""
    others = [None] * len(parts) if other is None else list(other)
    value, stimuli, both, residual, least = np.zeros(1), 0.0, 0.0, 0.0, math.inf
    for (answers, weight), base in zip(parts, others, strict=True):
        rates, pull = _linearised(answers, probit, _AFTER)
        if base is not None:
            base_rates, base_pull = _linearised(base, probit, _BEFORE)
            if base_pull.shape != pull.shape:
                raise UserError(
                    f"answers of shapes {base_pull.shape} and {pull.shape} are not the same "
                    "questions; give both listeners' answers to one set"
                )
            rates, pull = rates - base_rates, pull - base_pull
        n, w = len(pull) - len(_AFTER), pull.shape[1]
        value = value + weight * rates
        stimuli += weight**2 * float(_variance(pull.mean(axis=1), n))
        both += weight**2 * float(_variance(pull, n).sum()) / w**2
        deviation = pull - pull.mean(axis=1, keepdims=True)
        residual += weight**2 * float(_variance(deviation, n).sum()) / (w - 1)
        least = min(least, n)
    spread = float(np.var(value, ddof=1))
    return Effect(
        np.asarray(value),
        *_intervals(value, stimuli, both, spread, least, probit),
        sd=math.sqrt(spread),
        range=float(np.ptp(value)),
        true_sd=math.sqrt(max(spread - residual, 0.0)),
    )


def _intervals(
    value: np.ndarray,
    stimuli: float,
    both: float,
    spread: float,
    least: float,
    probit: bool,
) -> tuple[Interval, Interval]:
    w, mean = len(value), float(np.mean(value))
    rule = f", {LOG_LINEAR}" if probit else ""
    half = float(student.ppf((1 + LEVEL) / 2, least)) * math.sqrt(stimuli)
    these = Interval(mean, mean - half, mean + half, LEVEL, THESE + rule)
    wordings = spread / w
    total = max(wordings + stimuli - both, stimuli)
    df = total**2 / (wordings**2 / (w - 1) + stimuli**2 / least)
    half = float(student.ppf((1 + LEVEL) / 2, max(df, min(w - 1, least)))) * math.sqrt(total)
    return these, Interval(mean, mean - half, mean + half, LEVEL, LIKE_THESE + rule)


def _linearised(
    answers: ArrayLike, probit: bool, added: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(transformed rates [W], pull of each answer on them [n + 4, W]); rates are log-linear where
    they go through z. Four stimuli are added at a quarter of a trial each, whose answers are the
    same under all wordings and, of two listeners, every combination once: what never varied does
    not look certain."""
    x = _answers(answers)
    n, w = x.shape
    p = (x.sum(axis=0) + 0.5) / (n + 1)
    slope = 1 / norm.pdf(ndtri(p)) if probit else np.ones(w)
    rates = ndtri(p) if probit else x.mean(axis=0)
    return rates, np.concatenate([x - p, 0.5 * (added[:, None] - p)]) * slope


def _variance(pull: np.ndarray, n: int) -> np.ndarray:
    """Of the mean pull over `n` stimuli and the one that was added in four parts."""
    return np.sum((pull - pull.mean(axis=0)) ** 2, axis=0) / (n * (n + 1))


def _answers(answers: ArrayLike) -> np.ndarray:
    x = np.asarray(answers, float)
    if x.ndim != 2 or x.shape[0] < 1 or x.shape[1] < 2:
        raise UserError(
            f"answers of shape {x.shape} are not crossed; give [stimuli, wordings], 1 or more by 2 "
            "or more"
        )
    if not np.isin(x, (0, 1)).all():
        raise UserError("crossed answers must be 0 or 1, one for each stimulus and wording")
    return x
