"""One listener's answers in a place against the criterion: the chance of being so low by luck.

*Conventions*: a place is a set of signal trials with the catch trials of the same backgrounds. Two
criteria, never mixed: *sensitivity*, which does not move when a listener says yes more or less
often, and *rate*. Two-answer tasks are held to sensitivity, by graded scores where the listener
has any, else by answers; counting to the rate. A yes/no listener without graded scores whose false
alarms and hits are both at zero has no measurable sensitivity; its rate then counts where it is
also below its own rate in the rest of the map, which a cautious listener's is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom

from spectcount import tasks
from spectcount.params import Declared, param
from spectcount.probing.base import Plan
from spectcount.probing.draws import Cell
from spectcount.probing.maps import hit, ideal_d_prime
from spectcount.psychophysics import below
from spectcount.psychophysics.below import Places, Said
from spectcount.psychophysics.sdt import Interval
from spectcount.trials import Trial

SENSITIVITY, RATE = "sensitivity", "rate"


@dataclass(frozen=True)
class Criterion(Declared):
    """Below what a place is weak. `measure` auto: sensitivity of two-answer tasks, the rate of
    right answers of others; efficiency: (d'/ideal d')^2, the shortfall against the ideal
    observer."""

    measure: str = param(
        "auto",
        "What is compared: sensitivity where the task has one, else the rate of right "
        "answers; or one of these, or efficiency.",
        choices=("auto", "d_prime", "rate", "efficiency"),
        label="Measure",
    )
    d_prime: float = param(1.0, "Weak below this d'.", low=0, high=5, step=0.1, label="d' limit")
    rate: float = param(
        0.5,
        "Weak below this hit rate (detect) or accuracy (count).",
        low=0,
        high=1,
        step=0.05,
        label="Rate limit",
    )
    efficiency: float = param(
        0.001, "Weak below this efficiency.", low=0, high=1, step=0.0001, label="Efficiency limit"
    )
    smallest: int = param(
        1,
        "Regions of fewer cells are left out.",
        low=1,
        high=1000,
        step=1,
        label="Smallest region",
        slider_high=20,
    )
    q: float = param(
        0.05,
        "Share of the cells called weak that may be so by luck.",
        low=0.001,
        high=0.5,
        step=0.005,
        label="False-discovery rate",
    )

    def of_task(self, task: str) -> str:
        """The measure of a task: d_prime, rate or efficiency."""
        if self.measure != "auto":
            return self.measure
        return "d_prime" if tasks.task(task).two_class else "rate"

    def words(self, task: str, fails: str = "") -> str:
        """The criterion of a task in words, or the one that is failed."""
        right = "hit rate" if tasks.task(task).two_class else "accuracy"
        parts = {
            "d_prime": f"d' below {self.d_prime:g}",
            "rate": f"{right} below {100 * self.rate:g} %",
            "efficiency": f"efficiency below {self.efficiency:g}",
        }
        return parts["rate" if fails == RATE else self.of_task(task)]


@dataclass(frozen=True)
class Tested:
    """Chances `p` [G] of so little, or less, at the criterion, nan where nothing was asked or even
    the ideal observer falls short; `by_rate` [G]: the rate fails, not the sensitivity."""

    p: np.ndarray
    by_rate: np.ndarray

    def fails(self, place: int) -> str:
        """The criterion that a place is about."""
        return RATE if self.by_rate[place] else SENSITIVITY


class Judge:
    """One listener's answers in several places, held against a criterion."""

    def __init__(
        self,
        plan: Plan,
        criterion: Criterion,
        signal: Sequence[Sequence[Trial]],
        catch: Sequence[Trial],
        elsewhere: Mapping[Cell, Sequence[int]] | None = None,
    ) -> None:
        """`signal` [G] are the trials of each place; `elsewhere`: by background, how many signal
        trials the whole map had and how many were hits, where these are not those trials."""
        self.plan, self.criterion = plan, criterion
        flat = [t for trials in signal for t in trials]
        place = np.repeat(np.arange(len(signal)), [len(trials) for trials in signal])
        numbers = Numbers(plan, [*flat, *catch])
        self.places = Places.of(
            numbers.said(flat, place),
            numbers.said(catch, np.zeros(len(catch), int)),
            len(signal),
            plan.asked.distance,
        )
        self.asked = np.array([len(trials) for trials in signal], int)
        self.right = np.array([sum(map(hit, trials)) for trials in signal], int)
        self.ideal = np.array([_mean([ideal_d_prime(t) for t in x]) for x in signal])
        self.backgrounds = np.zeros((len(signal), numbers.n_backgrounds), bool)
        self.backgrounds[place, numbers.backgrounds(flat)] = True
        self.whole = numbers.totals(flat, elsewhere)

    def test(self, members: np.ndarray) -> Tested:
        """Several places at once, each made of some of the judge's: `members` [M, G] are 0 or
        1."""
        members = np.asarray(members, int)
        n, right = members @ self.asked, members @ self.right
        limit = self._limit(members)
        if self._of_rate:
            p = below.rate_p(right, n, self.criterion.rate)
            return Tested(self._feasible(p, members), np.ones(len(p), bool))
        places = self.places.together(members)
        p, by_rate = places.tails(limit)[0], np.zeros(len(members), bool)
        if not places.graded and self.plan.asked.has_alarms:
            rate = self._rate_p(members, n, right)
            by_rate = ~(p <= rate)
            p = np.minimum(2 * np.fmin(p, rate), 1)
        return Tested(self._feasible(p, members), by_rate)

    def d_prime(self, place: int) -> Interval | None:
        """The estimate that agrees with the test; None where there is no d'."""
        known = self.plan.asked.two_class and self.places.total[place] > 0
        return self.places.d_prime(place) if known else None

    def severity(self, members: np.ndarray) -> np.ndarray:
        """Shortfall [M] as a share of the criterion, 0 to 1, to put places in an order: those that
        were chosen for being low look lower than they are."""
        members = np.asarray(members, int)
        with np.errstate(invalid="ignore", divide="ignore"):
            if self._of_rate:
                short = 1 - members @ self.right / (members @ self.asked) / self.criterion.rate
            else:
                places = self.places.together(members)
                short = 1 - places.rough_d_prime() / self._limit(members)
        return np.round(np.clip(np.nan_to_num(short), 0, 1), 4)

    @property
    def _of_rate(self) -> bool:
        measure = self.criterion.of_task(self.plan.task)
        return measure == "rate" or not self.plan.asked.two_class

    def _limit(self, members: np.ndarray) -> np.ndarray:
        """The d' of the criterion [M]."""
        if self.criterion.measure != "efficiency":
            return np.full(len(members), float(self.criterion.d_prime))
        weights = members * self.asked
        ideal = weights @ np.nan_to_num(self.ideal, posinf=1e9) / np.maximum(weights.sum(1), 1)
        return float(np.sqrt(self.criterion.efficiency)) * np.minimum(ideal, 1e9)

    def _feasible(self, p: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Without places that even the ideal observer fails."""
        hopeless = np.any(members.astype(bool) & (self.ideal < self.criterion.d_prime), axis=1)
        return np.where(hopeless, np.nan, p)

    def _rate_p(self, members: np.ndarray, n: np.ndarray, right: np.ndarray) -> np.ndarray:
        """p of "the hit rate is the criterion's or more, or that of the whole map"."""
        p = below.rate_p(right, n, self.criterion.rate)
        whole = (members @ self.backgrounds > 0) @ self.whole
        n_whole, heard = np.maximum(whole[:, 0], n), np.maximum(whole[:, 1], right)
        return np.maximum(p, hypergeom.cdf(right, n_whole, heard, n))


class Numbers:
    """Backgrounds of trials by number."""

    def __init__(self, plan: Plan, trials: Sequence[Trial]) -> None:
        self.own = any(t.fingerprint.startswith("ideal-") for t in trials)
        self.axes = tuple(plan.background_axes)
        self.known: dict[Cell, int] = {}
        for t in trials:
            self.known.setdefault(self._background(t), len(self.known))

    @property
    def n_backgrounds(self) -> int:
        """The number of trials."""
        return len(self.known)

    def backgrounds(self, trials: Sequence[Trial]) -> np.ndarray:
        """The number of each trial's background."""
        return np.array([self.known[self._background(t)] for t in trials], int)

    def said(self, trials: Sequence[Trial], place: np.ndarray) -> Said:
        """Trials that got the first answer, their scores, and the words they were asked in."""
        return Said(
            np.array([t.answer == t.answers[0] for t in trials], bool),
            np.array([t.yes_score if len(t.answers) == 2 else 0.0 for t in trials], float),
            self.backgrounds(trials),
            np.array([2 * t.wording + t.reverse for t in trials], int),
            place,
        )

    def totals(
        self, trials: Sequence[Trial], elsewhere: Mapping[Cell, Sequence[int]] | None
    ) -> np.ndarray:
        """Signal trials and hits by background, [backgrounds, 2]."""
        totals = np.zeros((self.n_backgrounds, 2), int)
        if elsewhere is not None:
            for background, counts in elsewhere.items():
                if background in self.known:
                    totals[self.known[background]] = counts
            return totals
        for t in trials:
            totals[self.known[self._background(t)]] += [1, hit(t)]
        return totals

    def _background(self, trial: Trial) -> Cell:
        """The ideal observer is told the absent signal, so its catch trials serve one cell."""
        cell = (int(trial.coords["x"]), int(trial.coords["y"]))
        return cell if self.own else tuple(cell[a] for a in self.axes)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
