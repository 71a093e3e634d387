"""Sentences about thresholds: that there is one, where it lies, that it changed.

*Conventions*: two-interval forced choice; levels and errors are in slope units (the standard
deviation of F), the range is -6..6, the true threshold is drawn from -0.5..0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.sentence_rows import Row, row
from spectcount.psychophysics.adaptive.base import Estimate, simulate
from spectcount.psychophysics.adaptive.quest_options import standard_options
from spectcount.psychophysics.adaptive.quest_plus import QuestPlus
from spectcount.psychophysics.adaptive.staircase import up_down
from spectcount.psychophysics.changes import threshold_change
from spectcount.psychophysics.fit import fit
from spectcount.psychophysics.psychometric import FUNCTIONS, Psychometric
from spectcount.psychophysics.sdt import Interval

REACH, WIDTH, GUESS = 6.0, 1 / FUNCTIONS["gaussian"].sd, 0.5
QUEST_TRIALS, STAIRCASE_TRIALS, LEVELS, PER_LEVEL = 100, 120, 8, 40
FALLS_FROM = 3.5
SHORT = 40
"""Trials of a short QUEST+ track."""
YES_NO_TRIALS, FALSE_ALARMS = 48, 0.1
"""Signal trials of a yes/no track of 60, every fifth trial a catch trial, and "yes" to those."""
Chance = Callable[[float], float]
Measure = Callable[[Chance, np.random.Generator], Estimate]


def hears(
    threshold: float,
    lapse: float = 0.02,
    falls: float = np.inf,
    until: float = np.inf,
    guess: float = GUESS,
) -> Chance:
    """Chance of a success at a level: a guess above `falls`, and from trial `until` on."""
    curve = Psychometric("gaussian", threshold, WIDTH, guess, lapse)
    count = iter(range(10**9))

    def chance(x: float) -> float:
        lost = next(count) >= until or x > falls
        return guess if lost else float(curve(x))

    return chance


def by_quest(chance: Chance, rng: np.random.Generator, trials: int = QUEST_TRIALS) -> Any:
    """QUEST+ over the range."""
    options = standard_options(-REACH, REACH, guess=GUESS, max_trials=trials)
    return simulate(QuestPlus(options), chance, rng).estimate()


def by_short_quest(chance: Chance, rng: np.random.Generator) -> Any:
    """The same in few trials."""
    return by_quest(chance, rng, SHORT)


def by_yes_no_quest(chance: Chance, rng: np.random.Generator) -> Any:
    """QUEST+ with catch trials."""
    options = standard_options(-REACH, REACH, guess=None, max_trials=YES_NO_TRIALS)
    track = simulate(QuestPlus(options), chance, rng, catch_every=4, guess=FALSE_ALARMS)
    return track.estimate()


def by_staircase(chance: Chance, rng: np.random.Generator) -> Any:
    """A 1-up 2-down staircase with a check at every fifth trial, as a plan has it."""
    track = up_down(
        2,
        REACH,
        -REACH,
        REACH,
        steps=(2.0, 1.0, 0.5),
        max_trials=STAIRCASE_TRIALS,
        max_reversals=STAIRCASE_TRIALS,
        check_every=5,
        guess=GUESS,
    )
    return simulate(track, chance, rng).estimate()


def by_levels(chance: Chance, rng: np.random.Generator) -> Any:
    """Constant levels in random order, each trial a row."""
    levels = rng.permutation(np.repeat(np.linspace(-REACH, REACH, LEVELS), PER_LEVEL))
    return fit(levels, [rng.random() < chance(x) for x in levels], guess=GUESS)


TRIALS = {
    by_quest: QUEST_TRIALS,
    by_short_quest: SHORT,
    by_yes_no_quest: YES_NO_TRIALS,
    by_staircase: STAIRCASE_TRIALS,
    by_levels: LEVELS * PER_LEVEL,
}
NAMES = {
    by_quest: "QUEST+",
    by_short_quest: "QUEST+",
    by_yes_no_quest: "yes/no QUEST+",
    by_staircase: "a staircase",
    by_levels: "constant levels",
}


def _threshold(rng: np.random.Generator) -> float:
    return float(rng.uniform(-0.5, 0.5))


def _told(measure: Measure, rng: np.random.Generator, runs: int, **listener: float) -> int:
    """In how many runs there is a threshold."""
    if measure is by_yes_no_quest:
        listener = {"guess": FALSE_ALARMS, **listener}
    return sum(measure(hears(_threshold(rng), **listener), rng).measurable for _ in range(runs))


def _fall(measure: Measure, rng: np.random.Generator, runs: int) -> Row:
    said = _told(measure, rng, runs, falls=FALLS_FROM)
    return Row(
        f"there is a threshold ({NAMES[measure]}, {TRIALS[measure]} trials)",
        "answers are guesses again at high levels",
        said,
        runs,
    )


def _half(measure: Measure, rng: np.random.Generator, runs: int) -> Row:
    said = _told(measure, rng, runs, until=TRIALS[measure] // 2)
    return Row(
        f"there is a threshold ({NAMES[measure]}, {TRIALS[measure]} trials)",
        "the listener guesses from half way on",
        said,
        runs,
    )


def _misses(measure: Measure, rng: np.random.Generator, runs: int, lapse: float, name: str) -> Row:
    """How often a threshold that is told lies elsewhere than its interval says."""
    said = told = 0
    for _ in range(runs):
        truth = _threshold(rng)
        found = measure(hears(truth, lapse), rng)
        if found.measurable:
            told += 1
            said += not found.threshold.low <= truth <= found.threshold.high
    words = f"the threshold lies in its 95 % interval ({name})"
    return Row(words, f"it does not; {100 * lapse:.0f} % lapses", said, max(told, 1))


@row
def falls_quest(rng: np.random.Generator, runs: int) -> Row:
    """Answers that fall again, QUEST+."""
    return _fall(by_quest, rng, runs)


@row
def falls_short_quest(rng: np.random.Generator, runs: int) -> Row:
    """The same in few trials."""
    return _fall(by_short_quest, rng, runs)


@row
def falls_yes_no_quest(rng: np.random.Generator, runs: int) -> Row:
    """The same with catch trials."""
    return _fall(by_yes_no_quest, rng, runs)


@row
def falls_staircase(rng: np.random.Generator, runs: int) -> Row:
    """The same by a staircase."""
    return _fall(by_staircase, rng, runs)


@row
def falls_levels(rng: np.random.Generator, runs: int) -> Row:
    """The same at constant levels."""
    return _fall(by_levels, rng, runs)


@row
def half_quest(rng: np.random.Generator, runs: int) -> Row:
    """Guesses from half way on, QUEST+."""
    return _half(by_quest, rng, runs)


@row
def half_staircase(rng: np.random.Generator, runs: int) -> Row:
    """The same by a staircase."""
    return _half(by_staircase, rng, runs)


@row
def half_levels(rng: np.random.Generator, runs: int) -> Row:
    """The same at constant levels."""
    return _half(by_levels, rng, runs)


@row
def lapses_levels(rng: np.random.Generator, runs: int) -> Row:
    """Lapses of a fifth at constant levels."""
    return _misses(by_levels, rng, runs, 0.2, NAMES[by_levels])


@row
def many_lapses_levels(rng: np.random.Generator, runs: int) -> Row:
    """Lapses of a third at constant levels."""
    return _misses(by_levels, rng, runs, 0.33, NAMES[by_levels])


@row
def most_lapses_levels(rng: np.random.Generator, runs: int) -> Row:
    """Lapses of two fifths: the level moves the successes from 50 to 60 % only."""
    return _misses(by_levels, rng, runs, 0.4, NAMES[by_levels])


@row
def lapses_staircase(rng: np.random.Generator, runs: int) -> Row:
    """Lapses of a fifth, staircase."""
    return _misses(by_staircase, rng, runs, 0.2, NAMES[by_staircase])


@row
def many_lapses_staircase(rng: np.random.Generator, runs: int) -> Row:
    """Lapses of three tenths, which keep a 1-up 2-down staircase from settling."""
    return _misses(by_staircase, rng, runs, 0.3, NAMES[by_staircase])


@row
def few_lapses_staircase(rng: np.random.Generator, runs: int) -> Row:
    """Lapses of a tenth, staircase."""
    return _misses(by_staircase, rng, runs, 0.1, NAMES[by_staircase])


@row
def lapses_short_quest(rng: np.random.Generator, runs: int) -> Row:
    """A short QUEST+ track with few lapses."""
    return _misses(by_short_quest, rng, runs, 0.05, f"QUEST+, {SHORT} trials")


@row
def many_lapses_short_quest(rng: np.random.Generator, runs: int) -> Row:
    """A short QUEST+ track with many lapses."""
    return _misses(by_short_quest, rng, runs, 0.3, f"QUEST+, {SHORT} trials")


@row
def change_under_equal_truth(rng: np.random.Generator, runs: int) -> Row:
    """A change of threshold between two listeners of one threshold, lapses apart."""
    said = 0
    for _ in range(runs):
        truth = _threshold(rng)
        before, after = (by_quest(hears(truth, lapse), rng) for lapse in (0.2, 0.02))
        said += _changed(before.threshold, after.threshold)
    return Row("the threshold changed (QUEST+)", "only lapses did, 20 % to 2 %", said, runs)


def _changed(before: Interval, after: Interval) -> bool:
    change = threshold_change(before, after)
    return bool(change.low > 0 or change.high < 0)


def _power(measure: Measure, rng: np.random.Generator, runs: int, lapse: float) -> Row:
    said = _told(measure, rng, runs, lapse=lapse)
    words = f"there is a threshold ({NAMES[measure]}, {TRIALS[measure]} trials)"
    return Row(words, f"{100 * lapse:.0f} % lapses", said, runs, power=True)


@row
def told_of_one_function(rng: np.random.Generator, runs: int) -> Row:
    """A listener with a threshold."""
    return _power(by_quest, rng, runs, 0.02)


@row
def told_with_lapses(rng: np.random.Generator, runs: int) -> Row:
    """A listener with a threshold who reaches 80 % at best."""
    return _power(by_quest, rng, runs, 0.2)


@row
def told_short(rng: np.random.Generator, runs: int) -> Row:
    """A listener with a threshold in few trials."""
    return _power(by_short_quest, rng, runs, 0.02)


@row
def told_short_with_lapses(rng: np.random.Generator, runs: int) -> Row:
    """The same with many lapses."""
    return _power(by_short_quest, rng, runs, 0.2)


@row
def told_yes_no_with_lapses(rng: np.random.Generator, runs: int) -> Row:
    """Many lapses with catch trials."""
    return _power(by_yes_no_quest, rng, runs, 0.2)


@row
def told_staircase(rng: np.random.Generator, runs: int) -> Row:
    """A listener with a threshold, staircase."""
    return _power(by_staircase, rng, runs, 0.02)


@row
def told_staircase_with_lapses(rng: np.random.Generator, runs: int) -> Row:
    """A listener with a threshold who reaches 90 % at best, staircase."""
    return _power(by_staircase, rng, runs, 0.1)


@row
def told_levels_with_lapses(rng: np.random.Generator, runs: int) -> Row:
    """Many lapses at constant levels."""
    return _power(by_levels, rng, runs, 0.2)
