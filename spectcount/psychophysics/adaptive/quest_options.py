"""Options of a QUEST+ run: grids of levels and of listeners, and when it stops.

*Conventions*: `levels` holds one grid per stimulus parameter (one or two), `parameters` one grid
per parameter of the listener by name; their product is the set of listeners considered. Functions
by name and their parameters: "gaussian", "logistic" and "weibull" take `threshold` and `width` of
`psychometric`; "weibull_db" takes `threshold` (its alpha, where F = 1 - 1/e) and `slope` (its
beta), levels in dB, as in the examples of Watson (2017), J. Vis. 17(3):10. All take `guess` and
`lapse`. With two stimulus parameters they also take `gradient`: the threshold on the first (its
log10 where `log`) moves by `gradient` per unit of the second, away from its value at `reference`.
Any other function is given as a callable `psi(x1[, x2], **parameters)` of arrays that broadcast.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from spectcount.errors import UserError
from spectcount.psychophysics.adaptive.marginal import edges
from spectcount.psychophysics.fit_grid import lapse_prior
from spectcount.psychophysics.psychometric import FUNCTIONS, from_axis, shape, to_axis

MAX_CELLS = 25_000_000
"""Most levels x listeners; more would not fit a live session."""
WEIBULL_DB = "weibull_db"
_STANDARD_LAPSES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.22, 0.3, 0.4)
_FEW_LAPSES = (0.0, 0.03, 0.1, 0.22, 0.4)
_STANDARD_CHECKS = 4
_STANDARD_WIDTHS = (0.05, 1.0)
_WIDE = 0.5
_SECOND_LEVELS = 9


@dataclass(frozen=True)
class QuestPlusOptions:
    """A QUEST+ run before its first trial; grids and functions as in the module.

    `prior`: weights by parameter name, where they are not equal. `falling`: higher levels of the
    first parameter are harder. `focus`: the parameters that the levels are chosen to tell about;
    empty: all of them, as published. `of`: the parameter that is the threshold. `check_every`:
    after so many trials comes one at an easy level, where lapses and answers that fall again show,
    by turns the easiest and one three quarters of the way from the threshold to it; 0: never, as
    published. It ends after `max_trials`, or, from `min_trials` on, once the threshold's posterior
    standard deviation is `stop_sd` or less, its 95 % interval `stop_width` or less wide (both in
    decades where `log`), or the entropy of all parameters `stop_bits` or less.
    """

    levels: tuple[tuple[float, ...], ...]
    parameters: Mapping[str, tuple[float, ...]]
    function: str | Callable[..., Any] = "gaussian"
    prior: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    falling: bool = False
    log: bool = False
    reference: float = 0.0
    focus: tuple[str, ...] = ()
    of: str = "threshold"
    check_every: int = 0
    min_trials: int = 1
    max_trials: int = 64
    stop_sd: float | None = None
    stop_width: float | None = None
    stop_bits: float | None = None

    def __post_init__(self) -> None:
        grids = tuple(_grid(f"levels[{i}]", g) for i, g in enumerate(self.levels))
        parameters = {name: _grid(name, g) for name, g in self.parameters.items()}
        object.__setattr__(self, "levels", grids)
        object.__setattr__(self, "parameters", parameters)
        object.__setattr__(self, "focus", tuple(self.focus))
        self._check_names()
        self._check_prior()
        self._check_sizes()

    def _check_names(self) -> None:
        if len(self.levels) not in (1, 2):
            raise UserError(f"{len(self.levels)} stimulus parameters cannot be; give 1 or 2 grids")
        if isinstance(self.function, str):
            needed = _needed(self.function, len(self.levels))
            if set(self.parameters) != needed:
                raise UserError(
                    f"parameters {sorted(self.parameters)} do not fit function={self.function!r}; "
                    f"give grids for {', '.join(sorted(needed))} (one value fixes a parameter)"
                )
        for name in (self.of, *self.focus, *self.prior):
            if name not in self.parameters:
                known = ", ".join(self.parameters)
                raise UserError(f"{name!r} is no parameter of the listener; choose one of {known}")

    def _check_prior(self) -> None:
        for name, weights in self.prior.items():
            w, n = np.asarray(weights, float), len(self.parameters[name])
            if w.shape != (n,) or not np.all(w >= 0) or not 0 < w.sum() < math.inf:
                raise UserError(f"prior of {name}: give {n} weights of 0 or more, not all 0")

    def _check_sizes(self) -> None:
        cells = math.prod(map(len, (*self.levels, *self.parameters.values())))
        if cells > MAX_CELLS:
            raise UserError(
                f"{cells} combinations of levels and listeners are too many; thin the grids to "
                f"{MAX_CELLS} or fewer"
            )
        if self.check_every < 0 or self.check_every == 1:
            raise UserError(
                f"check_every={self.check_every} leaves no trial to the procedure; give 2 or more, "
                "or 0 for none"
            )
        if not 1 <= self.min_trials <= self.max_trials:
            raise UserError(
                f"min_trials={self.min_trials}, max_trials={self.max_trials}: give "
                "1 <= min_trials <= max_trials"
            )
        for name in ("stop_sd", "stop_width", "stop_bits"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UserError(f"{name}={value} never stops a track; give a number above 0")

    def axis(self, name: str) -> np.ndarray:
        """A parameter's grid, log10 of it where it is a threshold on a log axis."""
        grid = np.asarray(self.parameters[name], float)
        return to_axis(grid, self.on_log_axis(name))

    def on_log_axis(self, name: str) -> bool:
        """True of a parameter that is a level of a log axis."""
        return self.log and name == self.of and isinstance(self.function, str)

    def chance(self, x: tuple[Any, ...], parameters: Mapping[str, Any]) -> np.ndarray:
        """Chance of a success at levels `x` for parameters (as `axis` has them), all arrays that
        broadcast."""
        if isinstance(self.function, str):
            return self._named_chance(self.function, x, parameters)
        p = np.asarray(self.function(*x, **parameters), float)
        if not np.all((p >= 0) & (p <= 1)):
            raise UserError("the psychometric function leaves 0..1; check the grids it is given")
        return p

    def _named_chance(
        self, function: str, x: tuple[Any, ...], parameters: Mapping[str, Any]
    ) -> np.ndarray:
        guess, lapse = parameters["guess"], parameters["lapse"]
        distance = to_axis(x[0], self.log) - parameters["threshold"]
        if len(x) == 2:
            distance = distance - parameters["gradient"] * (np.asarray(x[1]) - self.reference)
        if self.falling:
            distance = -distance
        if function == WEIBULL_DB:
            rate = 10.0 ** np.minimum(parameters["slope"] * distance / 20, 20)
            return guess + (1 - guess - lapse) * -np.expm1(-rate)
        return guess + (1 - guess - lapse) * shape(function).cdf(distance / parameters["width"])


def standard_options(
    low: float,
    high: float,
    *,
    second: tuple[float, float] | None = None,
    guess: float | None = 0.5,
    n_levels: int | None = None,
    log: bool = False,
    **options: Any,
) -> QuestPlusOptions:
    """QUEST+ for a listener of whom nothing is known but where the threshold can lie.

    Levels and thresholds from `low` to `high`, the thresholds twice as fine; widths from a
    twentieth of that range to all of it, by equal factors, wide ones less likely; lapses
    of 0 to 40 %, small ones likelier, as in `fit_grid`; every fourth trial (eighth, where there is
    a second parameter) at an easy level, which tells about lapses; `guess` fixed, or free (None) in
    0.02..0.9.
    `second` are the ends of a second stimulus parameter: then the grids are coarser, and the
    threshold may move by the whole range over it, `reference` being its middle. `n_levels` of the
    first parameter: 33, or 17 where there is a second. The levels are
    chosen to tell about the threshold (and the gradient) unless `focus` is given. `options` are
    those of `QuestPlusOptions`.
    """
    _check_range("low", low, "high", high, log)
    single = second is None
    n = n_levels or (33 if single else 17)
    u = np.linspace(float(to_axis(low, log)), float(to_axis(high, log)), n)
    widths = np.geomspace(*_STANDARD_WIDTHS, 10 if single else 6)
    lapses = np.array(_STANDARD_LAPSES if single else _FEW_LAPSES)
    grids: dict[str, ArrayLike] = {
        "threshold": from_axis(np.linspace(u[0], u[-1], 2 * n - 1), log),
        "width": (u[-1] - u[0]) * widths,
        "guess": np.linspace(0.02, 0.9, 12 if single else 6) if guess is None else guess,
        "lapse": lapses,
    }
    levels = [from_axis(u, log)]
    if second is not None:
        _check_range("second[0]", second[0], "second[1]", second[1], False)
        levels.append(np.linspace(*second, _SECOND_LEVELS))
        steepest = (u[-1] - u[0]) / (second[1] - second[0])
        grids["gradient"] = np.linspace(-steepest, steepest, 17)
        options.setdefault("reference", (second[0] + second[1]) / 2)
    focus = ("threshold",) if single else ("threshold", "gradient")
    if guess is not None:
        lapses = lapses[lapses < 0.9 * (1 - guess)]
        grids["lapse"] = lapses
    prior = {"lapse": _lapse_weights(lapses), "width": _width_prior(widths)}
    options = {
        "focus": focus,
        "prior": prior,
        "check_every": _STANDARD_CHECKS if single else 2 * _STANDARD_CHECKS,
    } | options
    parameters = {name: _grid(name, values) for name, values in grids.items()}
    return QuestPlusOptions(tuple(map(tuple, levels)), parameters, log=log, **options)


def _lapse_weights(lapses: np.ndarray) -> np.ndarray:
    """Prior mass of each lapse rate: its density times its cell, which begins at 0."""
    ends = edges(lapses)
    ends[0] = 0.0
    return lapse_prior(lapses) * np.diff(ends) if len(lapses) > 1 else np.ones(1)


def _width_prior(share: np.ndarray) -> np.ndarray:
    """Weights of widths given as shares of the range. They fall as its square root, and faster
    beyond half of the range, so that intervals cover narrow and wide functions about equally often
    (docs/recovery)."""
    return share**-0.5 * np.minimum(1, (_WIDE / share) ** 2)


def _check_range(low_name: str, low: float, high_name: str, high: float, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high and (low > 0 or not log)):
        above = " above 0" if log else ""
        raise UserError(f"{low_name}={low}, {high_name}={high}: give a rising pair{above}")


def _needed(function: str, n_levels: int) -> set[str]:
    if function not in (*FUNCTIONS, WEIBULL_DB):
        known = ", ".join((*FUNCTIONS, WEIBULL_DB))
        raise UserError(f"function={function!r} is not known; choose one of {known}")
    names = {"threshold", "slope" if function == WEIBULL_DB else "width", "guess", "lapse"}
    return names | {"gradient"} if n_levels == 2 else names


def _grid(name: str, values: ArrayLike) -> tuple[float, ...]:
    try:
        grid = tuple(float(v) for v in np.atleast_1d(np.asarray(values, float)))
    except (TypeError, ValueError):
        raise UserError(f"{name}={values!r} is no grid; give one or more numbers") from None
    if not grid or not all(map(math.isfinite, grid)):
        raise UserError(f"{name}={values!r} is no grid; give one or more finite numbers")
    if any(b <= a for a, b in itertools.pairwise(grid)):
        raise UserError(f"the grid of {name} does not rise; give each value once, smallest first")
    if name in ("width", "slope") and grid[0] <= 0:
        raise UserError(f"{name}={grid[0]} is flat; give values above 0")
    if name in ("guess", "lapse") and not (grid[0] >= 0 and grid[-1] < 1):
        raise UserError(f"{name} from {grid[0]} to {grid[-1]}: give rates of 0 or more, below 1")
    return grid
