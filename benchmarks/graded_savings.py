"""How many fewer trials does a threshold need when it is found from graded scores?

    python benchmarks/graded_savings.py [--runs 200] [--jobs 1] [--no-model] [--write]

Simulated listeners whose threshold is known, and the embedded model, are measured again and again
with 80 to 640 trials: by graded scores, by the AUC of the scores, and by yes/no answers alone, all
of `spectcount.psychophysics.graded`, and by the ordinary psychometric function of "yes" (which has
a threshold but knows no d'). The saving is the number of trials that answers need for the interval,
or the error, that scores have with 160, over 160. With --write the part of docs/savings.md is
written too.

*Conventions*: levels in dB; three signal trials to one catch trial. Where scores are not Gaussian
the estimators mean different things by d', so each is asked for its own d' (or rate of "yes") at
one and the same level: the one where the AUC, over very many trials, is 0.76. Interval widths are
medians over all runs, an unbounded interval being infinitely wide; errors are of the runs that
were measurable.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import scipy
from scipy.special import ndtr

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.page_parts import SAVINGS, table  # noqa: E402
from spectcount.psychophysics.fit import Fit, fit  # noqa: E402
from spectcount.psychophysics.graded import (  # noqa: E402
    ScoreFit,
    auc_threshold,
    fit_answers,
    fit_scores,
)
from spectcount.psychophysics.sdt import wilson  # noqa: E402

TRIALS = (80, 160, 320, 640)
METHODS = ("scores", "AUC", "answers", "yes rate")
GRADED, PLAIN = (0, 1), (2, 3)
REFERENCE = 160
FARTHEST = 8.0
"""A saving is not told beyond this factor: the answers were not asked that many trials."""
N_RESAMPLES = 200
MANY = (24_000, 8_000)
SIM_LEVELS_DB = np.linspace(-20, 0, 8)
TOP, MIDDLE_DB, SLOPE = 4.0, -8.0, 0.5
TRUTH_DB = MIDDLE_DB - np.log(TOP - 1) / SLOPE
MODEL = "tiny-lalm"
MODEL_LEVELS_DBFS = np.arange(-66.0, -37.0, 4.0)
POOL = (400, 2000)
"""Clips of the model per level, and catch clips: the runs draw from them."""

Trials = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Levels, scores, is_signal [n]."""


@dataclass(frozen=True)
class Listener:
    """Someone to measure: `draw` gives trials; an answer is "yes" where the score is above
    `criterion`. `target` is d' per method (for the last, the rate of "yes"), `truth` the level that
    all of them then mean."""

    name: str
    draw: Callable[[np.random.Generator, int, int], Trials]
    criterion: float
    truth: float = TRUTH_DB
    target: tuple[float, ...] = (1.0, 1.0, 1.0, 0.5)


def gaussian(rng, n_signal, n_catch, distort=None, lapse=0.0) -> Trials:
    """Equal-variance Gaussian scores, d' rising to 4; a lapse is a score from anywhere."""
    levels = np.concatenate([rng.choice(SIM_LEVELS_DB, n_signal), np.zeros(n_catch)])
    is_signal = np.arange(n_signal + n_catch) < n_signal
    scores = rng.normal(0, 1, len(levels))
    scores += is_signal * TOP / (1 + np.exp(-SLOPE * (levels - MIDDLE_DB)))
    scores = np.where(rng.random(len(levels)) < lapse, rng.normal(1, 3, len(levels)), scores)
    return levels, scores if distort is None else distort(scores), is_signal


def saturated(scores: np.ndarray) -> np.ndarray:
    """Skewed, and piled up at both ends: about a fifth of the catch and of the signal trials."""
    return np.clip(np.exp(scores / 2), 0.65, 5.0) * 10


def all_or_none(rng, n_signal, n_catch) -> Trials:
    """Hears the signal or does not; 4 % of the catch trials sound like one."""
    levels, _, is_signal = gaussian(rng, n_signal, n_catch)
    chance = 0.04 + 0.95 * is_signal / (1 + np.exp(-(levels + 9) / 2))
    heard = rng.random(len(levels)) < chance
    return levels, np.where(heard, 6.0, -6.0) + rng.normal(0, 1.5, len(levels)), is_signal


def simulated() -> list[Listener]:
    return [
        Listener("Gaussian, unbiased", gaussian, 1.0),
        Listener(
            "Gaussian, biased (c one unit higher)",
            gaussian,
            2.0,
            target=(1.0, 1.0, 1.0, float(ndtr(-1))),
        ),
        Listener(
            "skewed and saturated scores", partial(gaussian, distort=saturated), 10 * np.exp(0.5)
        ),
        Listener("3 % lapses", partial(gaussian, lapse=0.03), 1.0),
        matched("hears all or nothing", all_or_none, 0.0),
    ]


def matched(name: str, draw, criterion: float, many: Trials | None = None) -> Listener:
    """A listener of any distribution: every method's own d' at the level where AUC is 0.76."""
    trials = draw(np.random.default_rng(0), *MANY) if many is None else many
    plain = Listener(name, draw, criterion)
    level = float(measure(plain, "AUC", trials).threshold.value)
    target = [measure(plain, m, trials).d_prime_at(level).value for m in METHODS[:3]]
    target.append(float(yes_function(plain, trials).function(level)))
    return Listener(name, draw, criterion, level, tuple(target))


def measure(listener: Listener, method: str, trials: Trials, seed: int = 0) -> ScoreFit:
    """The d' threshold by one of the first three methods."""
    levels, scores, is_signal = trials
    d_prime = listener.target[METHODS.index(method)]
    if method == "scores":
        return fit_scores(levels, scores, is_signal, d_prime=d_prime)
    if method == "answers":
        return fit_answers(levels, scores > listener.criterion, is_signal, d_prime=d_prime)
    area = float(ndtr(d_prime / np.sqrt(2)))
    return auc_threshold(levels, scores, is_signal, auc=area, n_resamples=N_RESAMPLES, seed=seed)


def yes_function(listener: Listener, trials: Trials) -> Fit:
    """The psychometric function of "yes", guess rate free and told by the catch trials."""
    levels, scores, is_signal = trials
    yes = scores > listener.criterion
    catch = int(yes[~is_signal].sum()), int((~is_signal).sum())
    return fit(levels[is_signal], yes[is_signal], guess=None, catch=catch)


def one_run(listener: Listener, n: int, run: int) -> np.ndarray:
    """[methods, 3]: value, low, high of one block of `n` trials."""
    trials = listener.draw(np.random.default_rng([n, run]), n * 3 // 4, n // 4)
    found = [measure(listener, method, trials, run).threshold for method in METHODS[:3]]
    found.append(yes_function(listener, trials).level_for(listener.target[3]))
    return np.array([(f.value, f.low, f.high) for f in found])


def model_listener() -> Listener:
    """The embedded model: one beep of 100 ms somewhere in 2 s of noise, wordings and orders in
    turn. Its clips are scored once; a run draws from them without putting back."""
    from spectcount import listeners
    from spectcount.settings import Settings

    with tempfile.TemporaryDirectory() as home:
        heard = listeners.load(MODEL, Settings(mode="local", home=Path(home), device="cpu"))
        catch = _scores(heard, None, POOL[1])
        signal = np.stack([_scores(heard, level, POOL[0]) for level in MODEL_LEVELS_DBFS])
    levels = np.repeat(MODEL_LEVELS_DBFS, POOL[0])
    everything = (
        np.concatenate([levels, np.zeros(POOL[1])]),
        np.concatenate([signal.ravel(), catch]),
        np.arange(signal.size + POOL[1]) < signal.size,
    )
    draw = partial(_from_pool, signal, catch)
    yes = 100 * np.mean(catch > 0)
    name = f"{MODEL} (says yes to {yes:.1f} % of catch trials)"
    return matched(name, draw, 0.0, everything)


def _scores(listener, level_dbfs: float | None, n: int) -> np.ndarray:
    from spectcount.designs import Pulses, draw
    from spectcount.tasks import TASKS
    from spectcount.trials import Question

    questions = []
    for i in range(n):
        rng = np.random.default_rng([20_261, 0 if level_dbfs is None else int(-level_dbfs), i])
        design = Pulses(
            duration_s=2.0,
            n_events=1,
            placement="random",
            event_duration_ms=100.0,
            frequency_order="random_mel",
            frequency_low_hz=400.0,
            frequency_high_hz=3000.0,
            level_dbfs=-40.0 if level_dbfs is None else level_dbfs,
            noise_sigma=0.001,
        )
        stimulus = draw(design, int(rng.integers(2**31)))
        stimulus = stimulus.without_events() if level_dbfs is None else stimulus
        turn, wording = divmod(i, len(TASKS["detect"].wordings))
        questions.append(Question(stimulus, "detect", wording=wording, reverse=bool(turn % 2)))
    log_probs = listener.score(questions).log_probs
    return log_probs[:, 0] - log_probs[:, 1]


def _from_pool(signal, catch, rng, n_signal, n_catch) -> Trials:
    n_levels = len(MODEL_LEVELS_DBFS)
    level = rng.permutation(np.resize(np.arange(n_levels), n_signal))
    scores = np.empty(n_signal)
    for i in range(n_levels):
        here = level == i
        scores[here] = rng.choice(signal[i], here.sum(), replace=False)
    caught = rng.choice(catch, n_catch, replace=False)
    return (
        np.concatenate([MODEL_LEVELS_DBFS[level], np.zeros(n_catch)]),
        np.concatenate([scores, caught]),
        np.arange(n_signal + n_catch) < n_signal,
    )


def savings(found, truth: float, graded: int, plain: int, spread_of: Callable) -> str:
    """Trials that the method `plain` needs for the spread that `graded` has with `REFERENCE`, over
    `REFERENCE`, with 95 % of resampled runs; the spread of `plain` is read off a power law."""
    rng, runs = np.random.default_rng(0), found.shape[1]
    picks = [np.arange(runs), *rng.integers(runs, size=(400, runs))]
    ratios = [_ratio(found[:, pick], truth, graded, plain, spread_of) for pick in picks]
    if np.isnan(ratios[0]):
        return "not found: the answers hardly measure it"
    low, high = np.nanquantile(ratios[1:], [0.025, 0.975])
    return f"{_bounded(ratios[0])} [{_bounded(low)}, {_bounded(high)}]"


def _ratio(found, truth: float, graded: int, plain: int, spread_of: Callable) -> float:
    aim = spread_of(found[TRIALS.index(REFERENCE)][:, graded], truth)
    spreads = np.array([spread_of(cell[:, plain], truth) for cell in found])
    known = np.isfinite(spreads) & (spreads > 0)
    if known.sum() < 2 or not np.isfinite(aim):
        return np.nan
    slope, offset = np.polyfit(np.log(TRIALS)[known], np.log(spreads[known]), 1)
    needed = (np.log(aim) - offset) / min(slope, -0.05) - np.log(REFERENCE)
    return float(np.exp(np.clip(needed, -np.log(FARTHEST), np.log(FARTHEST))))


def _bounded(ratio: float) -> str:
    return f"over {FARTHEST:g}" if ratio >= FARTHEST * 0.999 else f"{ratio:.2f}"


def width(cell: np.ndarray, truth: float) -> float:
    """Median width of the intervals."""
    return float(np.median(cell[:, 2] - cell[:, 1]))


def error(cell: np.ndarray, truth: float) -> float:
    """Root mean square error of the measurable runs; nan below 20 of them."""
    errors = cell[:, 0] - truth
    return float(np.sqrt(np.nanmean(errors**2))) if np.isfinite(errors).sum() >= 20 else np.nan


SPREADS = (width, error)


def cell_row(name: str, n: int, method: str, cell: np.ndarray, truth: float) -> list[str]:
    inside = np.sum((cell[:, 1] <= truth) & (truth <= cell[:, 2]))
    covered, errors = wilson(inside, len(cell)), cell[:, 0] - truth
    measurable = np.isfinite(errors)
    bias = np.mean(errors[measurable]) if measurable.any() else np.nan
    return [
        name,
        str(n),
        method,
        f"{100 * measurable.mean():.0f} %",
        f"{bias:+.2f}",
        f"{error(cell, truth):.2f}",
        f"{width(cell, truth):.2f}",
        f"{100 * covered.value:.1f} % [{100 * covered.low:.1f}, {100 * covered.high:.1f}]",
    ]


def benchmark(listener: Listener, runs: int, jobs: int) -> np.ndarray:
    """[trials, runs, methods, 3]."""
    with ProcessPoolExecutor(jobs) as pool:
        run = pool.map if jobs > 1 else map
        return np.array([list(run(partial(one_run, listener, n), range(runs))) for n in TRIALS])


def report(listeners: Sequence[Listener], runs: int, jobs: int) -> str:
    """Measure everyone; the part of the page."""
    saved, rows = [], []
    for listener in listeners:
        found = benchmark(listener, runs, jobs)
        for m in GRADED:
            ratios = [savings(found, listener.truth, m, p, by) for p in PLAIN for by in SPREADS]
            saved.append([listener.name, METHODS[m], *ratios])
            print(*saved[-1], sep=" | ", flush=True)
        for n, cells in zip(TRIALS, found, strict=True):
            for m, method in enumerate(METHODS):
                rows.append(cell_row(listener.name, n, method, cells[:, m], listener.truth))
                print(*rows[-1], sep=" | ", flush=True)
    return _words(listeners, runs, saved, rows)


def _words(listeners, runs: int, saved, rows) -> str:
    asked = [
        [x.name, f"{x.truth:.2f} dB", *(f"{d:.2f}" for d in x.target[:3]), f"{x.target[3]:.2f}"]
        for x in listeners
    ]
    return f"""## Graded scores

`python benchmarks/graded_savings.py --runs {runs} --write` ({runs} runs of each cell; Python
{platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__})

A saving of 2 means: for the interval (or rms error) that scores have with {REFERENCE} trials,
answers need {2 * REFERENCE}. Brackets hold 95 % of resampled runs. *scores* is `fit_scores`, *AUC*
is `auc_threshold`; *answers* is `fit_answers`, *yes rate* the psychometric function of "yes".

{table(_SAVED, saved)}

{_READING}

What was asked for: the level where d′ is 1 for the Gaussian listeners; for the last two, each
estimator's own value at the level where the AUC is 0.76.

{table(["listener", "level", "d′ of scores", "d_a of AUC", "d′ of answers", "rate of yes"], asked)}

Every cell (dB; bias and rms error over measurable runs, width the median over all runs, coverage
of the nominal 95 % interval with Wilson's interval):

{table(["listener", "trials", "by", "measurable", "bias", "rms error", "width", "coverage"], rows)}
"""


_SAVED = [
    "listener",
    "by",
    "saving over answers, interval",
    "error",
    "saving over yes rate, interval",
    "error",
]

_READING = """How to read it. Where scores are Gaussian, however distorted, they save trials, and
the more so the more biased the listener is. Lapses take part of the saving away, and bias the
threshold a little: the intervals then hold the lapse-free threshold less often than they say. The
AUC assumes nothing about the scores and pays for it: it is no more precise than unbiased answers
taken as Gaussian. A listener that hears all or nothing has next to nothing in its scores that is
not in its answers, and the plain function of "yes" needs fewer trials than any threshold of d′.
That function is no measure of sensitivity, though: it moves with the criterion. The embedded model
is close to such a listener (its scores lie at two ends), and it hardly ever says yes to a catch
trial. d′ from its answers rests on a false-alarm rate that a run cannot show: the threshold is off
and the interval wide, however many trials there are. There the scores give a threshold of d′ that
the answers cannot; against the plain function of "yes" they save nothing."""


def main() -> None:
    """Measure, print, and write the part of the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--no-model", action="store_true", help="simulated listeners only")
    parser.add_argument("--write", action="store_true", help="write the part of docs/savings.md")
    options = parser.parse_args()
    everyone = simulated() + ([] if options.no_model else [model_listener()])
    text = report(everyone, options.runs, options.jobs)
    if options.write:
        SAVINGS.write("graded_savings", text)


if __name__ == "__main__":
    main()
