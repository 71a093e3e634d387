"""QUEST+: the next level is the one whose answer is expected to tell most about the listener.

*Conventions*: grids and functions are those of `quest_options`. The posterior starts from the
product of the priors (equal weights unless given). The next level is the first one of greatest
mutual information between its answer and the listener, which is that of least expected posterior
entropy; two outcomes, success and failure. Estimates are medians of the posterior marginals with
equal-tailed intervals (`marginal`): the median is less biased than the mean where the posterior is
skewed, which is the rule after few trials. The threshold is not measurable where its posterior
reaches an end of its grid, or the answers are not those of one function (`one_function`), or its
interval leaves the range of the levels by more than a tenth of it, or the estimate does at all.

Sources: Watson (2017), J. Vis. 17(3):10; Prins (2013), J. Vis. 13(7):3, for information about
some parameters only (`focus`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from spectcount.errors import UserError
from spectcount.psychophysics import goodness
from spectcount.psychophysics.adaptive import marginal
from spectcount.psychophysics.adaptive.base import Track, in_words
from spectcount.psychophysics.adaptive.quest_options import QuestPlusOptions
from spectcount.psychophysics.measurable import (
    FALLS_UNTESTED,
    UNMEASURABLE,
    break_caution,
    fit_caution,
    rate_cautions,
    width_caution,
)
from spectcount.psychophysics.one_function import (
    NO_BREAK,
    Break,
    break_reason,
    find_break,
    find_change,
)
from spectcount.psychophysics.plain import plain
from spectcount.psychophysics.psychometric import from_axis, to_axis
from spectcount.psychophysics.sdt import Interval, tails

RULE = "QUEST+ posterior median and equal-tailed interval"
_TIE = 1e-10
_SLACK = 0.1
_CHECK_AT = 0.75
_LONG = 12
"""A grid of more values is thinned where the answers are weighed against a break."""


@dataclass(frozen=True)
class QuestPlusEstimate:
    """The posterior in brief: `intervals` (medians), `mean` and `mode` of each parameter's
    marginal, and the `threshold` (nan in an unbounded interval where not measurable). `broken`
    is the evidence for more than one function, `goodness_p` the chance of answers that lie as far
    from the posterior's mean function, given the levels; `cautions` say what limits a threshold."""

    threshold: Interval
    intervals: Mapping[str, Interval]
    mean: Mapping[str, float]
    mode: Mapping[str, float]
    measurable: bool
    reason: str
    n_trials: int
    broken: Break = NO_BREAK
    goodness_p: float = math.nan
    cautions: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; nan and infinities become None."""
        return plain(self)


class QuestPlus(Track):
    """A running QUEST+; see `QuestPlusOptions` and `base.Track`."""

    def __init__(self, options: QuestPlusOptions) -> None:
        self.options = options
        super().__init__(len(options.levels))
        self._levels = _product(options.levels)
        focus = [x for x in options.parameters if x in options.focus]
        self._names = [*focus, *(x for x in options.parameters if x not in focus)]
        self._shape = tuple(len(options.parameters[x]) for x in self._names)
        listeners = _product([options.axis(name) for name in self._names])
        self._listeners = dict(zip(self._names, listeners.T, strict=True))
        self._posterior = self._prior()
        self._focused = 0 < len(focus) < len(self._names)
        n_focus = math.prod(self._shape[: len(focus)]) if self._focused else 1
        self._chance = self._chances(n_focus)
        # The entropy of each answer of each listener; needed where all parameters matter.
        self._noise = None if self._focused else _binary_entropy(self._chance[0])
        self._suggestion: tuple[float, ...] | None = None

    def _prior(self) -> np.ndarray:
        mass = np.ones(())
        for name, size in zip(self._names, self._shape, strict=True):
            weights = np.asarray(self.options.prior.get(name, np.ones(size)), float)
            mass = np.multiply.outer(mass, weights)
        return mass.ravel() / mass.sum()

    def _chances(self, n_focus: int) -> np.ndarray:
        """Chance of a success [values of the focus, levels, other parameters]."""
        columns = tuple(c[:, None] for c in self._levels.T)
        chance = self.options.chance(columns, self._listeners)
        chance = np.broadcast_to(chance, (len(self._levels), self._posterior.size))
        return np.ascontiguousarray(
            chance.reshape(len(self._levels), n_focus, -1).transpose(1, 0, 2)
        )

    def suggest(self) -> tuple[float, ...]:
        if self._suggestion is None and self._checks_next:
            self._suggestion = self._easy_level()
        if self._suggestion is None:
            gain = self.expected_gain()
            best = int(np.flatnonzero(gain >= gain.max() - _TIE)[0])
            self._suggestion = tuple(map(float, self._levels[best]))
        return self._suggestion

    @property
    def _checks_next(self) -> bool:
        every = self.options.check_every
        return every > 0 and self.n % every == every - 1

    def _easy_level(self) -> tuple[float, ...]:
        """The easiest level and, by turns, the one three quarters of the way to it from where the
        threshold is; of a second parameter its grid in turn."""
        turn = self.n // self.options.check_every
        first, of = np.asarray(self.options.levels[0]), self.options.of
        easiest = first[0] if self.options.falling else first[-1]
        if turn % 2:
            log = self.options.on_log_axis(of)
            middle = float(marginal.quantile(self.options.axis(of), self.marginal(of), 0.5))
            u = to_axis(first, log)
            goal = middle + _CHECK_AT * (float(to_axis(easiest, log)) - middle)
            easiest = first[int(np.argmin(np.abs(u - goal)))]
        return (
            float(easiest),
            *(grid[(turn // 2) % len(grid)] for grid in self.options.levels[1:]),
        )

    def expected_gain(self) -> np.ndarray:
        """Expected fall of the entropy, in bits, for each level (of two parameters: for each pair,
        the second one changing fastest)."""
        rest = self._posterior.reshape(len(self._chance), -1, 1)
        joint = (self._chance @ rest)[..., 0]
        gain = _binary_entropy(joint.sum(axis=0)) - self._expected_noise(joint, rest.sum((1, 2)))
        return gain / math.log(2)

    def _expected_noise(self, joint: np.ndarray, mass: np.ndarray) -> np.ndarray:
        """Mean entropy of the answer, per level, once the parameters in focus are known: `joint`
        [values of the focus, levels] is the chance of a success and that value, `mass` [values of
        the focus] of that value."""
        if self._noise is not None:
            return self._noise @ self._posterior
        known = np.divide(joint, mass[:, None], out=np.zeros_like(joint), where=mass[:, None] > 0)
        return mass @ _binary_entropy(known)

    def update(self, x: tuple[float, ...], success: bool) -> None:
        answer = self._add(x, success)
        p = self.options.chance(tuple(map(np.asarray, answer.x)), self._listeners)
        self._learn(p if answer.success else 1 - p)

    def catch(self, yes: bool) -> None:
        if "guess" not in self._listeners:
            raise UserError("a catch trial tells about `guess`, which this function does not have")
        super().catch(yes)
        guess = self._listeners["guess"]
        self._learn(guess if yes else 1 - guess)

    def _learn(self, likelihood: np.ndarray) -> None:
        mass = self._posterior * likelihood
        if not mass.sum() > 0:
            raise UserError(
                "no listener of the grids gives these answers; let the grids of guess and lapse "
                "hold values above 0"
            )
        self._posterior = mass / mass.sum()
        self._suggestion = None

    @property
    def reason(self) -> str:
        options, of = self.options, self.options.of
        if self.n >= options.min_trials:
            grid, mass = options.axis(of), self.marginal(of)
            sd, entropy = marginal.sd(grid, mass), self.entropy
            low, _, high = marginal.quantile(grid, mass, _quantiles(0.95))
            if options.stop_sd is not None and sd <= options.stop_sd:
                return f"standard deviation of the {of} is {sd:.3g}"
            if options.stop_width is not None and high - low <= options.stop_width:
                return f"95 % interval of the {of} is {high - low:.3g} wide"
            if options.stop_bits is not None and entropy <= options.stop_bits:
                return f"posterior entropy is {entropy:.3g} bits"
        return in_words(self.n, "trial") if self.n >= options.max_trials else ""

    @property
    def entropy(self) -> float:
        """Entropy of the posterior over all parameters, in bits."""
        return float(entr(self._posterior).sum() / math.log(2))

    def marginal(self, name: str) -> np.ndarray:
        """Posterior mass at the values of one parameter's grid."""
        if name not in self._names:
            raise UserError(f"{name!r} is no parameter; choose one of {', '.join(self._names)}")
        rest = tuple(i for i, other in enumerate(self._names) if other != name)
        return self._posterior.reshape(self._shape).sum(axis=rest)

    def threshold_at(self, second: float, level: float = 0.95) -> Interval:
        """The threshold on the first parameter where the second one is `second`."""
        if "gradient" not in self._listeners:
            raise UserError("the threshold of this function depends on one parameter only")
        shift = self._listeners["gradient"] * (second - self.options.reference)
        grid, mass = marginal.pooled(self._listeners["threshold"] + shift, self._posterior)
        ends = marginal.quantile(grid, mass, _quantiles(level))
        return self._interval("threshold", ends, level)

    def estimate(self, level: float = 0.95) -> QuestPlusEstimate:
        """Medians, intervals, means and modes of all parameters from their marginals."""
        intervals, means, modes = {}, {}, {}
        for name, values in self.options.parameters.items():
            grid, mass = self.options.axis(name), self.marginal(name)
            intervals[name] = self._interval(
                name, marginal.quantile(grid, mass, _quantiles(level)), level
            )
            mean = marginal.mean(grid, mass)
            means[name] = from_axis(mean, self.options.on_log_axis(name))
            modes[name] = marginal.mode(values, mass)
        broken = self._broken()
        why = self._why_not_measurable(intervals[self.options.of], level, broken)
        unknown = Interval(math.nan, -math.inf, math.inf, level, UNMEASURABLE)
        threshold = unknown if why else intervals[self.options.of]
        p = self._goodness_p()
        limits = () if why else self._cautions(intervals, broken, p)
        return QuestPlusEstimate(
            threshold, intervals, means, modes, not why, why, self.n, broken, p, limits
        )

    @property
    def _named(self) -> bool:
        """True where the function is one whose parts are known, of one parameter."""
        return isinstance(self.options.function, str) and len(self.options.levels) == 1

    def _to_level(self, u: float) -> Any:
        sign = -1 if self.options.falling else 1
        return from_axis(sign * u, self.options.on_log_axis(self.options.of))

    def _broken(self) -> Break:
        """The evidence for more than one function; of two parameters for a listener that changed
        alone, none of the user's own function."""
        options, answers = self.options, self.answers
        if not (isinstance(options.function, str) and answers):
            return Break()
        if len(options.levels) > 1:
            return self._changed()
        sign, log = -1 if options.falling else 1, options.on_log_axis(options.of)
        places = np.array(
            [-math.inf if a.is_catch else sign * float(to_axis(a.x[0], log)) for a in answers]
        )
        listeners, prior = self._few_listeners()

        def chance_at(u: np.ndarray) -> np.ndarray:
            levels = np.where(
                np.isfinite(u), from_axis(sign * np.where(np.isfinite(u), u, 0), log), 1
            )
            heard = options.chance((levels,), listeners)
            return np.where(np.isfinite(u), heard, listeners["guess"])

        return find_break(places, [a.success for a in answers], chance_at, prior)

    def _changed(self) -> Break:
        """The evidence for a listener that changed, whatever the two levels of each trial."""
        answers, (listeners, prior) = self.answers, self._few_listeners()
        levels, at = np.unique(self.columns()[0], axis=0, return_inverse=True)
        place, signal = np.zeros(len(answers), int), [not a.is_catch for a in answers]
        place[signal] = at.ravel() + 1
        heard = self.options.chance(tuple(levels.T[..., None]), listeners)
        chance = np.concatenate([np.broadcast_to(listeners["guess"], heard[:1].shape), heard])
        return find_change(place, [a.success for a in answers], chance, prior)

    def _few_listeners(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Every second value of the long grids: parameters [C] by name and their prior [C]."""
        strides = tuple(slice(None, None, 2 if n > _LONG else 1) for n in self._shape)
        few = {
            name: values.reshape(self._shape)[strides].ravel()
            for name, values in self._listeners.items()
        }
        return few, self._prior().reshape(self._shape)[strides].ravel()

    def _goodness_p(self) -> float:
        """Of the mean function of the posterior; nan where the levels have no order."""
        if not self._named or not self.n:
            return math.nan
        levels, success = self.columns()
        tested, at = np.unique(levels[:, 0], return_inverse=True)
        chance = self.options.chance((tested[:, None],), self._listeners) @ self._posterior
        n = np.bincount(at)
        return goodness.goodness_p(np.bincount(at, success), n, chance)

    def _cautions(
        self, intervals: Mapping[str, Interval], broken: Break, p: float
    ) -> tuple[str, ...]:
        """Limits of the threshold, in clauses."""
        if not isinstance(self.options.function, str):
            return ()
        grids, words = self.options.parameters, []
        if len(self.options.levels) > 1:
            words.append(FALLS_UNTESTED)
        if {"guess", "lapse"} <= grids.keys():
            ends = (grids["guess"][-1], grids["lapse"][-1])
            words += rate_cautions(intervals["guess"], intervals["lapse"], *ends)
        if len(grids.get("width", ())) > 1:
            ends = (grids["width"][0], grids["width"][-1])
            words += width_caution(intervals["width"], *ends)
        return (*break_caution(broken, self._to_level), *fit_caution(p), *words)

    def _interval(self, name: str, ends: np.ndarray, level: float) -> Interval:
        log = self.options.on_log_axis(name)
        low, value, high = (float(from_axis(v, log)) for v in ends)
        return Interval(value, low, high, level, RULE)

    def _why_not_measurable(self, threshold: Interval, level: float, broken: Break) -> str:
        of, mass = self.options.of, self.marginal(self.options.of)
        if self.n == 0:
            return f"{UNMEASURABLE}: no trials yet"
        if len(mass) > 1 and max(mass[0], mass[-1]) > (1 - level) / 2:
            end = self.options.parameters[of][0 if mass[0] > mass[-1] else -1]
            return f"{UNMEASURABLE}: the {of}'s posterior reaches the end of its grid, {end:g}"
        if broken.forbids:
            return f"{UNMEASURABLE}: {break_reason(broken, self._to_level)}"
        if not self._named:
            return ""
        tested = self.options.levels[0]
        log = self.options.on_log_axis(of)
        low, high = (float(to_axis(v, log)) for v in (tested[0], tested[-1]))
        value, *ends = (
            float(to_axis(v, log)) for v in (threshold.value, threshold.low, threshold.high)
        )
        slack = _SLACK * (high - low)
        if low <= value <= high and min(ends) >= low - slack and max(ends) <= high + slack:
            return ""
        return f"{UNMEASURABLE}: the {of} lies outside the levels {tested[0]:g}..{tested[-1]:g}"

    def state(self) -> dict[str, Any]:
        levels, successes = self.columns()
        grids, estimate = self.options.parameters, self.estimate()
        return plain(
            {
                "kind": "quest_plus",
                "n": self.n,
                "finished": self.finished,
                "reason": self.reason,
                "suggestion": self.suggest(),
                "levels": levels[:, 0] if levels.shape[1] == 1 else levels,
                "successes": successes,
                "reversals": [],
                "bounds": [(g[0], g[-1]) for g in self.options.levels],
                "catch": self.catch_counts,
                "estimate": estimate.threshold,
                "mode": estimate.mode,
                "entropy_bits": self.entropy,
                "marginals": {x: {"grid": grids[x], "mass": self.marginal(x)} for x in grids},
            }
        )


def _product(grids: Sequence[ArrayLike]) -> np.ndarray:
    """All combinations [n, len(grids)], the last grid changing fastest."""
    return np.stack(np.meshgrid(*grids, indexing="ij"), -1).reshape(-1, len(grids)).astype(float)


def _binary_entropy(p: np.ndarray) -> np.ndarray:
    """Entropy, in nats, of an answer of chance `p`."""
    p = np.clip(p, 0, 1)
    return entr(p) + entr(1 - p)


def _quantiles(level: float) -> tuple[float, float, float]:
    low, high = tails(level)
    return low, 0.5, high
