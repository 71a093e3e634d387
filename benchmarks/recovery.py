"""Do the procedures find the threshold of listeners whose threshold is known?

    python benchmarks/recovery.py [--runs 500] [--seed 1] [--jobs 1] [--out docs/recovery.md]

Every procedure measures `runs` simulated listeners and the table says how far off it was and how
often its 95 % interval held the truth. With --out the page is written too.

*Conventions*: levels are in slope units (the standard deviation of F, see
`spectcount.psychophysics.psychometric`) of the listener of the row; errors are in slope units of
the very listener. The true threshold of each run is drawn from -0.5..0.5, so that no grid of levels
lies well or badly by chance; width, lapse and guess are those of the row, or drawn too where it
says so. Run i of a procedure depends on the seed, its name and i alone.
"""

from __future__ import annotations

import argparse
import platform
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import scipy

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.page_parts import RECOVERY  # noqa: E402
from spectcount.psychophysics.adaptive.base import simulate  # noqa: E402
from spectcount.psychophysics.adaptive.quest_options import standard_options  # noqa: E402
from spectcount.psychophysics.adaptive.quest_plus import QuestPlus  # noqa: E402
from spectcount.psychophysics.adaptive.staircase import Staircase, StaircaseOptions  # noqa: E402
from spectcount.psychophysics.fit import fit  # noqa: E402
from spectcount.psychophysics.psychometric import FUNCTIONS, Psychometric  # noqa: E402
from spectcount.psychophysics.sdt import Interval, wilson  # noqa: E402

RANGE = 6.0
"""The adaptive procedures may go this many slope units up and down, unless a row says else."""
BIAS_LIMIT = 0.1
COVERAGE_LIMITS = (0.92, 0.98)

Measured = tuple[Interval, bool, int]
"""Estimate, whether measurable, trials."""


@dataclass(frozen=True)
class Listener:
    """All but the threshold of a simulated listener; `guess` is its bias in a yes/no task."""

    guess: float = 0.5
    lapse: float = 0.02
    yes_no: bool = False
    function: str = "gaussian"
    falling: bool = False
    mixed: bool = False

    def draw(self, rng: np.random.Generator) -> Psychometric:
        """Its psychometric function, of slope unit 1; mixed: of 0.5 to 2, lapses of 0 to 6 %."""
        threshold = float(rng.uniform(-0.5, 0.5))
        width, lapse = 1 / FUNCTIONS[self.function].sd, self.lapse
        if self.mixed:
            width, lapse = width * float(2 ** rng.uniform(-1, 1)), float(rng.uniform(0, 0.06))
        return Psychometric(self.function, threshold, width, self.guess, lapse, self.falling)

    @property
    def fitted_guess(self) -> float | None:
        """The guess rate given to the fit: free in a yes/no task."""
        return None if self.yes_no else self.guess

    @property
    def words(self) -> str:
        task = f"yes/no, {100 * self.guess:.0f} % false alarms" if self.yes_no else "2AFC"
        shape = ("falling " if self.falling else "") + self.function
        if self.mixed:
            return f"{task}, {shape}, slope unit drawn from 0.5 to 2, lapses from 0 to 6 %"
        return f"{task}, {shape}, {100 * self.lapse:.0f} % lapses"


@dataclass(frozen=True)
class Procedure:
    """A procedure and the listener it is tried on."""

    name: str
    listener: Listener
    measure: Callable[[Listener, Psychometric, np.random.Generator], Measured]

    @property
    def key(self) -> str:
        return f"{self.name} | {self.listener.words}"


@dataclass(frozen=True)
class Row:
    """What `runs` runs of a procedure gave; errors in slope units, of measurable runs only."""

    procedure: Procedure
    runs: int
    trials: float
    measurable: float
    bias: float
    bias_se: float
    rms: float
    coverage: Interval

    @property
    def passes(self) -> bool:
        low, high = COVERAGE_LIMITS
        return abs(self.bias) <= BIAS_LIMIT and low <= self.coverage.value <= high


def constant(listener, truth, rng, *, levels: int, trials: int, reach: float, catch: int = 0):
    """Constant stimuli: `levels` levels over -reach..reach with `trials` trials each."""
    x = np.linspace(-reach, reach, levels)
    k = rng.binomial(trials, truth(x))
    found = fit(
        x,
        k,
        np.full(levels, trials),
        guess=listener.fitted_guess,
        function=listener.function,
        falling=listener.falling,
        catch=(int(rng.binomial(catch, listener.guess)), catch),
    )
    return found.threshold, found.measurable, levels * trials + catch


def staircase(listener, truth, rng, *, trials: int, catch_every: int = 0, **rule):
    """A staircase from 3 slope units above the middle, steps 2, 1 and 0.5; every fifth trial comes
    at the easiest level, as in a plan."""
    easy = -3.0 if listener.falling else 3.0
    track = Staircase(
        StaircaseOptions(
            start=easy,
            low=-RANGE,
            high=RANGE,
            steps=(2.0, 1.0, 0.5),
            max_trials=trials,
            max_reversals=trials,
            harder="up" if listener.falling else "down",
            check_every=5,
            guess=listener.fitted_guess,
            function=listener.function,
            **rule,
        )
    )
    return _adaptive(track, listener, truth, rng, catch_every)


def quest_plus(
    listener, truth, rng, *, trials: int, reach: float = RANGE, catch_every: int = 0, **options
):
    """QUEST+ with its standard grids over -reach..reach."""
    track = QuestPlus(
        standard_options(
            -reach,
            reach,
            guess=listener.fitted_guess,
            function=listener.function,
            falling=listener.falling,
            max_trials=trials,
            **options,
        )
    )
    return _adaptive(track, listener, truth, rng, catch_every)


def _adaptive(track, listener, truth, rng, catch_every: int) -> Measured:
    simulate(track, truth, rng, catch_every=catch_every, guess=listener.guess)
    found = track.estimate()
    return found.threshold, found.measurable, len(track.history)


FORCED = Listener()
YES_NO = Listener(guess=0.2, yes_no=True)
LAPSING = Listener(lapse=0.05)
MIXED = Listener(mixed=True)
_CONSTANT = partial(constant, levels=7, trials=40, reach=3.0)
_ONE_TWO = partial(staircase, trials=120, down=2)
_WEIGHTED = partial(staircase, trials=120, down=1, target=0.75)
_QUEST = partial(quest_plus, trials=120)
PROCEDURES = (
    Procedure("constant stimuli, 7 levels", FORCED, _CONSTANT),
    Procedure("1-up 2-down", FORCED, _ONE_TWO),
    Procedure("1-up 3-down", FORCED, partial(staircase, trials=120, down=3)),
    Procedure("weighted up-down, 75 %", FORCED, _WEIGHTED),
    Procedure("QUEST+, about the threshold", FORCED, _QUEST),
    Procedure("QUEST+, as published", FORCED, partial(quest_plus, trials=120, focus=())),
    Procedure("QUEST+, half the trials", FORCED, partial(quest_plus, trials=60)),
    Procedure(
        "constant stimuli, 7 levels and catch trials",
        YES_NO,
        partial(constant, levels=7, trials=20, reach=3.0, catch=40),
    ),
    Procedure(
        "1-up 1-down and catch trials",
        YES_NO,
        partial(staircase, trials=90, down=1, catch_every=3),
    ),
    Procedure(
        "QUEST+, about the threshold, and catch trials",
        YES_NO,
        partial(quest_plus, trials=90, catch_every=3),
    ),
    Procedure("constant stimuli, 7 levels", LAPSING, _CONSTANT),
    Procedure("1-up 2-down", LAPSING, _ONE_TWO),
    Procedure("QUEST+, about the threshold", LAPSING, _QUEST),
    Procedure("constant stimuli, 7 levels", MIXED, _CONSTANT),
    Procedure("1-up 2-down", MIXED, _ONE_TWO),
    Procedure("QUEST+, about the threshold", MIXED, _QUEST),
    Procedure("constant stimuli, 7 levels", Listener(function="weibull"), _CONSTANT),
    Procedure("1-up 2-down", Listener(function="logistic", falling=True), _ONE_TWO),
)

RANGES = tuple(
    Procedure(
        f"QUEST+ over -{reach} to {reach}", FORCED, partial(quest_plus, trials=120, reach=reach)
    )
    for reach in (3, 4, 6, 8, 10)
)
"""How much the range of the levels matters; shown, not judged."""


def one_run(procedure: Procedure, seed: int, run: int) -> tuple[float, bool, bool, int]:
    """Error, whether the interval held the truth, whether measurable, trials of one run."""
    rng = np.random.default_rng([seed, zlib.crc32(procedure.key.encode()), run])
    truth = procedure.listener.draw(rng)
    found, measurable, trials = procedure.measure(procedure.listener, truth, rng)
    error = (found.value - truth.threshold) / truth.slope_unit
    return error, found.low <= truth.threshold <= found.high, measurable, trials


def recover(procedure: Procedure, runs: int, seed: int, jobs: int = 1) -> Row:
    """Try a procedure on `runs` listeners."""
    task = partial(one_run, procedure, seed)
    if jobs == 1:
        found = [task(run) for run in range(runs)]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            found = list(pool.map(task, range(runs), chunksize=10))
    error, held, measurable, trials = (np.array(column) for column in zip(*found, strict=True))
    error, held = error[measurable], held[measurable]
    return Row(
        procedure,
        runs,
        float(trials.mean()),
        float(measurable.mean()),
        float(error.mean()),
        float(error.std() / np.sqrt(len(error))),
        float(np.sqrt(np.mean(error**2))),
        wilson(int(held.sum()), len(held)),
    )


HEAD = (
    "| procedure | listener | trials | measurable | bias ± s.e. | rms error | 95 % interval holds "
    "the truth | within limits |\n|---|---|---:|---:|---:|---:|---:|---|"
)


def line(row: Row) -> str:
    """A row of the table."""
    held = row.coverage
    return (
        f"| {row.procedure.name} | {row.procedure.listener.words} | {row.trials:.0f} | "
        f"{100 * row.measurable:.1f} % | {row.bias:+.3f} ± {row.bias_se:.3f} | {row.rms:.3f} | "
        f"{100 * held.value:.1f} % ({100 * held.low:.1f} to {100 * held.high:.1f}) | "
        f"{'yes' if row.passes else 'no'} |"
    )


PAGE = """## Thresholds

Made by `{command}`; numpy {numpy}, scipy {scipy}, Python {python}. {runs} runs per row.

A procedure is worth what it finds out about a listener whose threshold is known. Each row
simulates {runs} such listeners: threshold drawn from -0.5 to 0.5 (so that no grid of levels lies
well or badly by chance), slope unit 1, lapses and false alarms as the row says. The slope unit is
the standard deviation of the psychometric function F; every level and every error is in it.
Nothing about a listener is told to the procedure but the shape of its function and, in 2AFC, the
guess rate of 0.5: width and lapse rate are free everywhere, the guess rate too in yes/no.

- **bias**: mean of estimate - truth, with its standard error; limit {bias_limit}.
- **95 % interval holds the truth**: share of runs, with its own 95 % interval (Wilson); limits
  {low:.0f} and {high:.0f} %.
- **measurable**: share of runs with a threshold at all; bias, error and coverage are of these.
- **trials**: mean number, catch trials included.

{table}

{verdict}

How: constant stimuli lie from -3 to 3. Staircases start 3 above the middle (below it where the
function falls) with steps of 2, 1, then 0.5, ask every fifth trial at the easiest level (as plans
do) and end after a fixed number of trials; QUEST+ chooses
among 33 levels from -{range:g} to {range:g}. Catch trials come after every third trial, or as a
block of 40 with constant stimuli. Estimates of constant stimuli and of staircases are posterior
medians of the Bayesian fit to all trials (`spectcount.psychophysics.fit`), those of QUEST+ medians
of its own posterior.

### The range of QUEST+

A credible interval holds the truth in 95 % of the listeners that its prior describes, not of every
single one. A short adaptive track leaves the width of the function open, and the prior of the
width is told in shares of the range of the levels. A listener whose function fills a small part of
that range is therefore covered more often than 95 %, one whose function fills much of it less
often. Here the function is 3.3 wide:

{ranges}

Let the range of the levels be three to five times as long as the function is wide.
"""


def page(rows: list[Row], ranges: list[Row], command: str) -> str:
    """The page of the docs: `rows` are judged, those about the range of the levels are not."""
    failed = [row.procedure.key for row in rows if not row.passes]
    verdict = (
        f"Outside the limits: {'; '.join(failed)}."
        if failed
        else f"All {len(rows)} rows lie within the limits."
    )
    return PAGE.format(
        command=command,
        numpy=np.__version__,
        scipy=scipy.__version__,
        python=".".join(platform.python_version_tuple()[:2]),
        runs=rows[0].runs,
        bias_limit=BIAS_LIMIT,
        low=100 * COVERAGE_LIMITS[0],
        high=100 * COVERAGE_LIMITS[1],
        table="\n".join([HEAD, *map(line, rows)]),
        verdict=verdict,
        range=RANGE,
        ranges="\n".join([HEAD, *map(line, ranges)]),
    )


def main() -> None:
    """Try every procedure, print the table, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    print(HEAD)
    rows = []
    for procedure in (*PROCEDURES, *RANGES):
        rows.append(recover(procedure, options.runs, options.seed, options.jobs))
        print(line(rows[-1]), flush=True)
    if options.out:
        command = f"python benchmarks/recovery.py --runs {options.runs} --seed {options.seed}"
        command = f"{command} --out {options.out.as_posix()}"
        text = page(rows[: len(PROCEDURES)], rows[len(PROCEDURES) :], command)
        RECOVERY.at(options.out).write("recovery", text)


if __name__ == "__main__":
    main()
