"""Sentences about regions of maps: suspected from the map, confirmed on new seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from benchmarks.sentence_rows import Row, row
from benchmarks.sentence_rows.simulate import Sheet, sheet, sheet_of
from spectcount.probing.confirm import TRIALS, Confirmation, confirmed_regions, targets_of
from spectcount.probing.plan import DetectionMap
from spectcount.probing.weakness import CONFIRMED, Region
from spectcount.trials import Trial

QUICK_MAP = DetectionMap(nx=8, ny=12, trials=8, catch_trials=100)
COUNT_MAP = DetectionMap(nx=4, ny=6, trials=16, catch_trials=0, task="count")
SUSPECTED, CONFIRMED_REGION = "a map suspects a region", "a region is confirmed as weak"
HOLDS = "the interval printed for a region does not hold its d'"

Answer = Callable[[Sheet, np.random.Generator], list[Trial]]
"""A listener: its answers to the questions of a sheet."""


def gaussian(d_prime: Any, criterion: float = 0.0, words_sd: float = 0.0) -> Answer:
    """Sensitivity per cell; `words_sd`: the criterion differs between wordings and orders."""

    def answer(asked: Sheet, rng: np.random.Generator) -> list[Trial]:
        moved = np.random.default_rng(0).normal(0, words_sd, 100)
        by_words = moved[2 * asked.wording + asked.swapped]
        return asked.gaussian(rng, d_prime, criterion + by_words)

    return answer


def counting(accuracy: float) -> Answer:
    """Right so often in every cell."""
    return lambda asked, rng: asked.counting(rng, accuracy)


def plainly(answer: Answer) -> Answer:
    """The same listener without graded scores: sure of every answer."""

    def plain(asked: Sheet, rng: np.random.Generator) -> list[Trial]:
        chosen = np.array([t.answers.index(t.answer) for t in answer(asked, rng)])
        return asked.chosen(chosen)

    return plain


def regions_of(
    plan: DetectionMap, answer: Answer, rng: np.random.Generator
) -> tuple[list[Region], list[Trial]]:
    """The regions of a listener's map after new questions about them, and those questions."""
    trials = answer(sheet(plan), rng)
    targets = targets_of(plan, trials, 0)
    if not targets:
        return [], []
    confirmation = Confirmation(tuple(targets), TRIALS)
    new = answer(sheet_of(plan, confirmation.ask(int(rng.integers(1, 2**31)))), rng)
    return confirmed_regions(confirmation, new), new


def counted(
    plan: DetectionMap,
    answer: Answer,
    truth: str,
    rng: np.random.Generator,
    runs: int,
    confirmed: bool = True,
    power: bool = False,
) -> Row:
    """How often any region is suspected, or confirmed."""
    said = 0
    for _ in range(runs):
        if confirmed:
            said += any(r.status == CONFIRMED for r in regions_of(plan, answer, rng)[0])
        else:
            said += bool(targets_of(plan, answer(sheet(plan), rng), 0))
    return Row(CONFIRMED_REGION if confirmed else SUSPECTED, truth, said, runs, power)


@row
def suspected_at_the_criterion(rng: np.random.Generator, runs: int) -> Row:
    """Exactly at the criterion everywhere."""
    return counted(
        QUICK_MAP,
        gaussian(1.0),
        "quick-map, d' 1, the criterion, in every cell",
        rng,
        runs,
        confirmed=False,
    )


@row
def suspected_at_the_criterion_plain(rng: np.random.Generator, runs: int) -> Row:
    """The same without graded scores."""
    truth = "the same, answers without graded scores"
    return counted(QUICK_MAP, plainly(gaussian(1.0)), truth, rng, runs, confirmed=False)


@row
def suspected_better(rng: np.random.Generator, runs: int) -> Row:
    """Better than the criterion, hit rate .6."""
    truth = "quick-map, d' 1.2 everywhere, hit rate .6"
    return counted(QUICK_MAP, gaussian(1.2, 0.35), truth, rng, runs, confirmed=False)


@row
def suspected_conservative(rng: np.random.Generator, runs: int) -> Row:
    """Says yes seldom but hears well."""
    truth = "quick-map, d' 2.5 everywhere, criterion 1.5 (hit rate .4)"
    return counted(QUICK_MAP, gaussian(2.5, 1.5), truth, rng, runs, confirmed=False)


@row
def suspected_conservative_plain(rng: np.random.Generator, runs: int) -> Row:
    """The same without graded scores."""
    truth = "the same, answers without graded scores"
    return counted(QUICK_MAP, plainly(gaussian(2.5, 1.5)), truth, rng, runs, confirmed=False)


@row
def suspected_by_wording(rng: np.random.Generator, runs: int) -> Row:
    """A criterion that moves with the words."""
    truth = "quick-map, d' 1.2 everywhere, criterion differs between wordings by 1 sd"
    return counted(QUICK_MAP, gaussian(1.2, 0, 1.0), truth, rng, runs, confirmed=False)


@row
def suspected_counting(rng: np.random.Generator, runs: int) -> Row:
    """Counting at the criterion."""
    truth = "count map, 4 x 6 cells of 16 clips, accuracy .5, the criterion, in every cell"
    return counted(COUNT_MAP, counting(0.5), truth, rng, runs, confirmed=False)


@row
def suspected_counting_better(rng: np.random.Generator, runs: int) -> Row:
    """Counting above the criterion."""
    truth = "the same, accuracy .6"
    return counted(COUNT_MAP, counting(0.6), truth, rng, runs, confirmed=False)


@row
def confirmed_at_the_criterion(rng: np.random.Generator, runs: int) -> Row:
    """Exactly at the criterion everywhere, asked again."""
    truth = "quick-map, d' 1, the criterion, in every cell"
    return counted(QUICK_MAP, gaussian(1.0), truth, rng, runs)


@row
def confirmed_counting(rng: np.random.Generator, runs: int) -> Row:
    """Counting at the criterion, asked again."""
    return counted(COUNT_MAP, counting(0.5), "count map, accuracy .5 in every cell", rng, runs)


def corner(deaf: float, good: float) -> np.ndarray:
    """d' [12, 8]: 4 x 6 cells of the quick map at `deaf`, the rest at `good`."""
    d_prime = np.full((12, 8), good)
    d_prime[8:, :6] = deaf
    return d_prime


@row
def confirmed_deaf(rng: np.random.Generator, runs: int) -> Row:
    """A quarter of the cells deaf."""
    truth = "quick-map, d' 0 in a quarter of the cells, 2.5 in the others"
    return counted(QUICK_MAP, gaussian(corner(0, 2.5)), truth, rng, runs, power=True)


@row
def confirmed_deaf_plain(rng: np.random.Generator, runs: int) -> Row:
    """The same without graded scores."""
    truth = "the same, answers without graded scores"
    return counted(QUICK_MAP, plainly(gaussian(corner(0, 2.5))), truth, rng, runs, power=True)


@row
def confirmed_half_deaf(rng: np.random.Generator, runs: int) -> Row:
    """A quarter of the cells hard of hearing."""
    truth = "quick-map, d' 0.5 in a quarter of the cells, 2.5 in the others"
    return counted(QUICK_MAP, gaussian(corner(0.5, 2.5)), truth, rng, runs, power=True)


@row
def interval_of_a_region(rng: np.random.Generator, runs: int) -> Row:
    """Coverage of the confirmation's estimates: the mean area over the cells that were asked."""
    d_prime, missed, total = corner(0, 2.5), 0, 0
    for _ in range(runs):
        regions, new = regions_of(QUICK_MAP, gaussian(d_prime), rng)
        for index, region in enumerate(regions):
            asked = [t for t in new if t.coords["region"] == index and t.truth == "yes"]
            truth = mean_d_prime([d_prime[t.coords["y"], t.coords["x"]] for t in asked])
            assert region.confirmed is not None and region.confirmed.d_prime is not None
            found = region.confirmed.d_prime
            missed, total = missed + (not found.low <= truth <= found.high), total + 1
    truth = "quick-map, d' 0 in a quarter of the cells, 2.5 in the others; regions counted"
    return Row(HOLDS, truth, missed, max(total, 1))


def mean_d_prime(d_prime: list[float]) -> float:
    """The d' whose area under the ROC is the mean of those of several."""
    return float(np.sqrt(2) * ndtri(np.mean(ndtr(np.array(d_prime) / np.sqrt(2)))))
