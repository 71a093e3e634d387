"""How many trials does a full grid need for the surface that an adaptive track finds?

    python benchmarks/surface_savings.py [--runs 60] [--jobs 1] [--write]

Simulated listeners of known threshold surface are measured by `SurfaceTrack`, and by constant
stimuli on a full grid, which is fitted in two ways: as one surface, by the same model, and column
by column, each on its own. The saving is the number of trials that the grid needs for the error
that the track has, over the track's trials. With --write the part of docs/savings.md is written
too.

*Conventions*: both parameters run over 0..1; the psychometric function is a logistic of width 0.25
(5 to 95 %) with 2 % lapses, two-alternative forced choice unless a row says yes/no. Errors are root
mean squares over runs and the 12 places, measurable or not; coverage is that of the pointwise 95 %
intervals.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import scipy
from scipy.special import expit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.page_parts import SAVINGS, table  # noqa: E402
from spectcount.psychophysics.surface import (  # noqa: E402
    Surface,
    SurfaceOptions,
    SurfaceTrack,
    fit_surface,
)

NODES, GRID_LEVELS = 12, 8
WIDTH, LAPSE = 0.25, 0.02
TRACK_TRIALS = (60, 120, 180, 240)
GRID_REPEATS = (1, 2, 4, 8, 16)
GRID_TRIALS = tuple(NODES * GRID_LEVELS * k for k in GRID_REPEATS)
FARTHEST = 20.0
"""A saving is not told beyond this factor."""
FITS = ("one surface", "column by column")


@dataclass(frozen=True)
class Listener:
    """Thresholds `shape`(x2), and the rate of successes without a signal."""

    name: str
    shape: Callable[[np.ndarray], np.ndarray]
    guess: float = 0.5

    def chance(self, x1, x2):
        rise = expit(2 * np.log(19) * (x1 - self.shape(x2)) / WIDTH)
        return self.guess + (1 - self.guess - LAPSE) * rise

    def options(self, **changes) -> SurfaceOptions:
        return SurfaceOptions(
            (0, 1), (0, 1), **{"nodes": NODES, "guess": self.guess, "lapse": LAPSE, **changes}
        )


def wave(z):
    return 0.5 + 0.2 * np.sin(2 * np.pi * z)


def tilt(z):
    return 0.25 + 0.5 * z


def notch(z):
    return 0.35 + 0.35 * np.exp(-(((z - 0.6) / 0.12) ** 2))


LISTENERS = (
    Listener("wave", wave),
    Listener("tilted plane", tilt),
    Listener("notch", notch),
    Listener("wave, yes/no with 10 % false alarms", wave, guess=0.1),
)


def adaptive_run(listener: Listener, run: int) -> np.ndarray:
    """[trial counts, nodes, 3]: estimate, low, high at each number of trials."""
    track = SurfaceTrack(listener.options(max_trials=max(TRACK_TRIALS), seed=run))
    rng, found = np.random.default_rng([1, run]), []
    while not track.finished:
        x = track.suggest()
        track.update(x, bool(rng.random() < listener.chance(*x)))
        if track.n in TRACK_TRIALS:
            found.append(_columns(track.estimate()))
    return np.array(found)


def grid_run(listener: Listener, run: int) -> np.ndarray:
    """[fits, trial counts, nodes, 3] of a grid whose repeats accumulate."""
    rng = np.random.default_rng([2, run])
    levels = (np.arange(GRID_LEVELS) + 0.5) / GRID_LEVELS
    x1, x2 = (a.ravel() for a in np.meshgrid(levels, np.linspace(0, 1, NODES), indexing="ij"))
    answers = rng.random((max(GRID_REPEATS), len(x1))) < listener.chance(x1, x2)
    together, apart = [], []
    for repeats in GRID_REPEATS:
        k, n = answers[:repeats].sum(0), np.full(len(x1), repeats)
        together.append(_columns(fit_surface(x1, x2, k, n, options=listener.options())))
        single = listener.options(nodes=1)
        apart.append(
            np.concatenate(
                [
                    _columns(fit_surface(x1[c], x2[c], k[c], n[c], options=single))
                    for c in (x2 == z for z in np.linspace(0, 1, NODES))
                ]
            )
        )
    return np.array([together, apart])


def _columns(found: Surface) -> np.ndarray:
    return np.stack([found.best_guess, found.threshold.low, found.threshold.high], axis=1)


def rms(cells: np.ndarray, truth: np.ndarray) -> float:
    """Error of [runs, nodes, 3]."""
    return float(np.sqrt(np.mean((cells[..., 0] - truth) ** 2)))


def coverage(cells: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Share of intervals that hold the truth, per run [runs]."""
    return np.mean((cells[..., 1] <= truth) & (truth <= cells[..., 2]), axis=1)


def saving(track: np.ndarray, grid: np.ndarray, truth: np.ndarray, n: int) -> str:
    """Grid trials for the error of `track` [runs, nodes, 3] over its `n`, with 95 % of resampled
    runs; `grid` is [counts, runs, nodes, 3], its error read off a power law of the trials."""
    rng, runs = np.random.default_rng(0), len(track)
    picks = [np.arange(runs), *rng.integers(runs, size=(400, runs))]
    ratios = [_ratio(track[pick], grid[:, pick], truth, n) for pick in picks]
    low, high = np.quantile(ratios[1:], [0.025, 0.975])
    return f"{_bounded(ratios[0])} [{_bounded(low)}, {_bounded(high)}]"


def _ratio(track: np.ndarray, grid: np.ndarray, truth: np.ndarray, n: int) -> float:
    errors = np.log([rms(cells, truth) for cells in grid])
    slope, offset = np.polyfit(np.log(GRID_TRIALS), errors, 1)
    needed = (np.log(rms(track, truth)) - offset) / slope
    return float(np.exp(np.clip(needed - np.log(n), -np.log(FARTHEST), np.log(FARTHEST))))


def _bounded(ratio: float) -> str:
    return f"over {FARTHEST:g}" if ratio >= FARTHEST * 0.999 else f"{ratio:.1f}"


def report(runs: int, jobs: int) -> str:
    """Measure everyone; the part of the page."""
    saved, rows = [], []
    for listener in LISTENERS:
        truth = listener.shape(np.linspace(0, 1, NODES))
        with ProcessPoolExecutor(jobs) as pool:
            run = pool.map if jobs > 1 else map
            tracks = np.array(list(run(partial(adaptive_run, listener), range(runs))))
            grids = np.array(list(run(partial(grid_run, listener), range(runs))))
        grids = grids.transpose(1, 2, 0, 3, 4)
        for i, n in enumerate(TRACK_TRIALS):
            ratios = [saving(tracks[:, i], grid, truth, n) for grid in grids]
            saved.append([listener.name, str(n), f"{rms(tracks[:, i], truth):.3f}", *ratios])
            print(*saved[-1], sep=" | ", flush=True)
            rows.append(_row(listener.name, "track", n, tracks[:, i], truth))
        for name, grid in zip(FITS, grids, strict=True):
            for n, cells in zip(GRID_TRIALS, grid, strict=True):
                rows.append(_row(listener.name, f"grid, {name}", n, cells, truth))
        print(*(" | ".join(row) for row in rows[-14:]), sep="\n", flush=True)
    return _words(runs, saved, rows)


def _row(name: str, how: str, n: int, cells: np.ndarray, truth: np.ndarray) -> list[str]:
    covered = coverage(cells, truth)
    half = 1.96 * covered.std(ddof=1) / np.sqrt(len(covered))
    mean = covered.mean()
    half_width = np.median((cells[..., 2] - cells[..., 1]) / 2)
    return [
        name,
        how,
        str(n),
        f"{rms(cells, truth):.3f}",
        f"{half_width:.3f}",
        f"{100 * mean:.1f} % ± {100 * half:.1f}",
    ]


def _words(runs: int, saved, rows) -> str:
    return f"""## Threshold surfaces

`python benchmarks/surface_savings.py --runs {runs} --write` ({runs} runs of each cell; Python
{platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__})

A saving of 3 means: a full grid ({GRID_LEVELS} levels × {NODES} columns, constant stimuli) needs
three times as many trials as the adaptive track for the same error of the surface. Brackets hold
95 % of resampled runs; the grid's error is read off a power law through {GRID_TRIALS[0]} to
{GRID_TRIALS[-1]} trials.

{table(["surface", "trials of the track", "its rms error", *(f"saving, grid fitted as {f}" for f in FITS)], saved)}

{_READING}

Every cell (in parts of the range; half-width the median over runs and places; coverage of the
nominal 95 % pointwise intervals with its own interval over runs):

{table(["surface", "how", "trials", "rms error", "half-width", "coverage"], rows)}
"""  # noqa: E501


_READING = """How to read it. Against the same model on a grid the saving is what placing the
trials gains; against columns fitted on their own it is what smoothness gains as well, which holds
only where thresholds are smooth. A narrow feature (the notch) is what a short track finds last: its
intervals are then a little too narrow and hold the truth at about nine places in ten."""


def main() -> None:
    """Measure, print, and write the part of the page where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write the part of docs/savings.md")
    options = parser.parse_args()
    text = report(options.runs, options.jobs)
    if options.write:
        SAVINGS.write("surface_savings", text)


if __name__ == "__main__":
    main()
