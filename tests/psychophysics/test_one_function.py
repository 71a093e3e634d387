"""Answers that are not those of one function: they fall again, or the listener changes half way."""

import numpy as np
import pytest

from spectcount.psychophysics.adaptive.base import simulate
from spectcount.psychophysics.adaptive.quest_options import standard_options
from spectcount.psychophysics.adaptive.quest_plus import QuestPlus
from spectcount.psychophysics.adaptive.staircase import up_down
from spectcount.psychophysics.fit import fit
from spectcount.psychophysics.one_function import Break, break_reason
from spectcount.psychophysics.psychometric import Psychometric

LEVELS = np.linspace(-6, 6, 9)


def listener(lapse=0.02, falls_from=np.inf, guesses_from=np.inf, guess=0.5):
    """Chance of a success at a level; it counts its trials."""
    curve, asked = Psychometric("gaussian", 0.0, 3.29, guess, lapse), iter(range(10**6))

    def chance(x: float) -> float:
        lost = next(asked) >= guesses_from or x > falls_from
        return guess if lost else float(curve(x))

    return chance


def constant(chance, seed, n=15, guess=0.5):
    rng = np.random.default_rng(seed)
    levels = rng.permutation(np.repeat(LEVELS, n))
    return fit(levels, [rng.random() < chance(x) for x in levels], guess=guess)


def quest(chance, seed):
    track = QuestPlus(standard_options(-6, 6, max_trials=100))
    return simulate(track, chance, np.random.default_rng(seed)).estimate()


def staircase(chance, seed):
    track = up_down(
        2, 6, -6, 6, steps=(2, 1, 0.5), max_trials=120, max_reversals=120, check_every=5
    )
    return simulate(track, chance, np.random.default_rng(seed)).estimate()


@pytest.mark.parametrize("measure", [constant, quest, staircase])
@pytest.mark.parametrize(
    "change,words",
    [({"falls_from": 3.5}, "answers fall again"), ({"guesses_from": 60}, "not one function")],
)
def test_a_broken_function_has_no_threshold(measure, change, words):
    """A staircase may give up on other grounds: the level then climbs to its bound."""
    found = [measure(listener(**change), seed) for seed in range(3)]
    assert sum(f.measurable for f in found) <= 1
    assert measure is staircase or any(words in f.reason for f in found)


@pytest.mark.parametrize("measure", [constant, quest, staircase])
@pytest.mark.parametrize("lapse", [0.0, 0.2])
def test_one_function_with_lapses_keeps_its_threshold(measure, lapse):
    found = [measure(listener(lapse), seed) for seed in range(3)]
    claimed = [f for f in found if f.measurable]
    assert len(claimed) >= (1 if lapse else 2)
    assert sum(f.threshold.low <= 0 <= f.threshold.high for f in claimed) >= len(claimed) - 1
    assert not any(f.broken.forbids for f in claimed)


def test_few_easy_trials_must_speak_clearly_against_a_fall():
    """Guesses of a forced choice pass for right answers by chance; "no" to loud sounds does not."""
    few, many = Break(falls=0.4, easy=6), Break(falls=0.4, easy=30)
    assert few.unclear and few.forbids and not many.forbids
    assert not Break(falls=0.4, easy=6, guess=0.05).forbids
    words = break_reason(few, lambda u: u)
    assert words.startswith("too few trials at the easy end (6 in the easiest third)")
    assert Break(falls=1.2, easy=6).certain and Break(changes=2.5, easy=6).certain
    assert Break(falls=0.7, easy=30).doubtful and not Break(falls=0.4, easy=30).doubtful


def test_two_parameters_tell_a_listener_that_begins_to_guess():
    curve, broken = Psychometric("gaussian", 0, 3.29, 0.5, 0.05), []
    for until in (999, 40):
        options = standard_options(-6, 6, second=(0, 1), max_trials=80)
        asked, rng = iter(range(999)), np.random.default_rng(2)

        def chance(x, z, asked=asked, until=until):
            return curve(x - 2 * z + 1) if next(asked) < until else 0.5

        broken.append(simulate(QuestPlus(options), chance, rng).estimate().broken)
    assert broken[1].changes > 20 * broken[0].changes and broken[1].certain
    assert not broken[0].certain


def test_counts_without_an_order_say_nothing_about_time():
    found = fit(LEVELS, [12, 13, 12, 15, 20, 24, 24, 25, 25], [25] * 9)
    assert found.measurable and found.broken.trial == -1


def test_cautions_name_a_best_far_below_one_and_a_bound():
    k = np.rint(60 * Psychometric("gaussian", 0, 2, 0.5, 0.2)(LEVELS))
    found = fit(LEVELS, k, [60] * 9)
    assert any("the best is about" in words for words in found.cautions)
    bound = fit(LEVELS, k, [60] * 9, lapse_max=0.1)
    assert any("lapse rate may press on its bound of 0.1" in words for words in bound.cautions)
    clean = fit(LEVELS, np.rint(60 * Psychometric("gaussian", 0, 3, 0.5, 0.01)(LEVELS)), [60] * 9)
    assert clean.cautions == ()


def test_a_check_comes_at_the_easiest_level_and_leaves_the_staircase_where_it_is():
    track = up_down(2, 0, -6, 6, steps=(1,), check_every=3)
    asked = []
    for _ in range(6):
        asked.append(track.suggest()[0])
        track.update(track.suggest(), success=asked[-1] < 6)
    assert asked == [0, 0, 6, -1, -1, 6]
    assert track.reversals == []
