"""How often the 95 % intervals of a change hold the truth, over simulated pairs of listeners.

    python benchmarks/change_coverage.py [--runs 400]

Two Gaussian listeners answer the same questions; a share `rho` of their noise is common. Prints
per measure and setting: coverage, mean width, and for d' how often the plain percentile bootstrap
(no half trial added) covers, and how often each excludes zero where nothing has changed.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import ndtr, ndtri

from spectcount.psychophysics.changes import fit_correlation, mean_change, threshold_change
from spectcount.psychophysics.crossed import d_prime_effect
from spectcount.psychophysics.fit import fit
from spectcount.psychophysics.paired import pair_table, rate_change, sdt_changes
from spectcount.psychophysics.psychometric import Psychometric
from spectcount.psychophysics.sdt import Interval
from spectcount.psychophysics.stratified import Labels
from spectcount.psychophysics.stratified import areas as areas_of

SETTINGS = [(8, 100, 0.0), (24, 100, 0.6), (100, 100, 0.6), (100, 100, 0.95), (300, 200, 0.0)]
CHANGES = [((1.0, 0.0), (1.0, 0.0)), ((2.0, 0.0), (2.0, -0.5)), ((0.5, 0.5), (2.5, 0.0))]
"""(d', c) of base and of tuned."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    runs = parser.parse_args().runs
    rng = np.random.default_rng(0)
    print(f"{runs} simulated pairs per line; coverage of 95 % intervals, mean width")
    for n_s, n_n, rho in SETTINGS:
        for before, after in CHANGES:
            sensitivity(rng, runs, n_s, n_n, rho, before, after)
    for n, rho in ((24, 0.6), (100, 0.6), (400, 0.0)):
        areas(rng, runs, n, rho)
        counts(rng, runs, n)
    for rho in (0.0, 0.8):
        for kind in ("yes/no", "2AFC"):
            thresholds(rng, max(runs // 2, 200), rho, kind)
    for w in (5, 9):
        for sd in (0.0, 0.3, 0.8):
            wordings(rng, runs, w, sd)


def noise(rng: np.random.Generator, n: int, rho: float) -> np.ndarray:
    """Noise of two listeners [n, 2], correlated."""
    return rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], n)


def report(name: str, found: list[Interval], truth: float, more: str = "") -> None:
    """One line: coverage, width, and how often zero is excluded."""
    held = np.mean([one.low <= truth <= one.high for one in found])
    out = np.mean([one.low > 0 or one.high < 0 for one in found])
    width = np.mean([one.high - one.low for one in found])
    print(f"{name:64} {100 * held:5.1f} %  width {width:5.2f}  not zero {100 * out:5.1f} %{more}")


def sensitivity(rng, runs, n_s, n_n, rho, before, after) -> None:
    """Changes of d', of c and of the hit rate."""
    d, c = (before[0], after[0]), (before[1], after[1])
    hits, alarms = [], []
    for _ in range(runs):
        for tables, n, sign in ((hits, n_s, 1), (alarms, n_n, -1)):
            e = noise(rng, n, rho)
            tables.append(pair_table(*(e[:, i] + sign * d[i] / 2 > c[i] for i in (0, 1))))
    changes = sdt_changes(np.array(hits), np.array(alarms), rng)
    rate = rate_change(np.array(hits), rng)
    rates = [ndtr(d[i] / 2 - c[i]) for i in (0, 1)]
    head = f"n {n_s}+{n_n}, rho {rho}, d' {d[0]} to {d[1]}, c {c[0]} to {c[1]}: "
    truths = (d[1] - d[0], c[1] - c[0], rates[1] - rates[0])
    plain = plain_bootstrap(rng, np.array(hits), np.array(alarms))
    inside = np.mean((plain[0] <= truths[0]) & (truths[0] <= plain[1]))
    more = f"; nothing added: {100 * inside:.1f} %"
    for name, one, truth in zip(("d'", "c", "rate"), (*changes, rate), truths, strict=True):
        rows = [one.at(k) for k in range(runs)]
        report(head + name, rows, truth, more if name == "d'" else "")


def plain_bootstrap(rng, hits, alarms, n_resamples: int = 1000) -> np.ndarray:
    """Percentile ends [2, runs] of the change of d' with nothing added to what is resampled."""
    steps = []
    for tables in (hits, alarms):
        n = tables.sum(axis=1)
        drawn = rng.multinomial(n, tables / n[:, None], size=(n_resamples, len(n)))
        z = [ndtri((drawn[..., 0] + drawn[..., k] + 0.5) / (n + 1)) for k in (1, 2)]
        steps.append(z[1] - z[0])
    return np.quantile(steps[0] - steps[1], [0.025, 0.975], axis=0)


def areas(rng, runs, n, rho) -> None:
    """Change of the AUC."""
    found, alike, catch_alike = [], np.zeros(n, int), np.zeros(100, int)
    labels = Labels(alike, alike, catch_alike, alike, catch_alike)
    for _ in range(runs):
        signal, catch = noise(rng, n, rho), noise(rng, 100, rho)
        found.append(areas_of(np.add(signal, [1.0, 1.5]).T, catch.T, labels).change())
    truth = float(ndtr(1.5 / np.sqrt(2)) - ndtr(1 / np.sqrt(2)))
    report(f"n {n}+100, rho {rho}, AUC of d' 1 to 1.5", found, truth)


def counts(rng, runs, n) -> None:
    """Change of a mean counting error."""
    steps, shares = [-2, -1, 0, 1], [0.05, 0.25, 0.6, 0.1]
    found = [mean_change(np.zeros(n), rng.choice(steps, p=shares, size=n)) for _ in range(runs)]
    report(f"n {n}, mean absolute error", found, float(np.dot(steps, shares)))


def thresholds(rng, runs, rho, kind) -> None:
    """Change of a threshold of 9 levels, 30 trials each, 100 catch trials (yes/no)."""
    levels, n_catch = np.repeat(np.linspace(-60, -20, 9), 30), 100 if kind == "yes/no" else 0
    guess = 0.12 if n_catch else 0.5
    curves = [Psychometric("gaussian", t, 15, guess, 0.02) for t in (-38, -42)]
    signal = np.arange(len(levels) + n_catch) < len(levels)
    x = np.concatenate([levels, np.zeros(n_catch)])
    found = []
    for _ in range(runs):
        u = ndtr(noise(rng, len(x), rho))
        said = [u[:, i] < np.where(signal, c(x), guess) for i, c in enumerate(curves)]
        fits = [
            fit(
                levels,
                k[signal].astype(int),
                guess=None if n_catch else 0.5,
                catch=(int(k[~signal].sum()), n_catch),
            )
            for k in said
        ]
        r = fit_correlation(*fits, x, *said, signal)
        found.append(threshold_change(fits[0].threshold, fits[1].threshold, r))
    report(f"{kind}, rho {rho}, threshold -38 to -42 ({runs} runs)", found, -4.0)


def wordings(rng, runs, w, sd) -> None:
    """Change of d' over wordings like these: 100 + 100 stimuli, half the noise the stimulus'."""
    found = []
    for _ in range(runs):
        u, c = rng.normal(0, sd, (2, w)), rng.normal(0, sd, (2, w))
        common = rng.normal(size=(2, 100))
        blocks = [
            [
                np.sqrt(0.5) * (common[i][:, None] + rng.normal(size=(100, w)))
                + sign * (1 + k + u[k]) / 2
                > c[k]
                for i, sign in enumerate((1, -1))
            ]
            for k in (0, 1)
        ]
        found.append(d_prime_effect(*blocks[1], other=blocks[0]).like_these)
    report(f"{w} wordings, sd of their d' and c {sd}, d' 1 to 2", found, 1.0)


if __name__ == "__main__":
    main()
