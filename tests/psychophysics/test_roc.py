"""The ROC of graded scores: its slope is found within cells and wordings, whatever the scale."""

from __future__ import annotations

import numpy as np
import pytest

from spectcount.figures.roc import roc_value
from spectcount.psychophysics.roc import roc
from spectcount.psychophysics.stratified import Labels

CELLS, PER, CATCH, WORDS = 24, 16, 192, 8
D = np.where(np.arange(CELLS) % 3 == 0, 0.0, 3.0)


def scores(rng, sigma=1.0, words_sd=0.0):
    """Signal and catch scores of a listener a third of whose cells are deaf, and their labels."""
    cells = np.repeat(np.arange(CELLS), PER)
    words, catch_words = np.arange(CELLS * PER) % WORDS, np.arange(CATCH) % WORDS
    shift = words_sd * rng.standard_normal(WORDS)
    signal = D[cells] + sigma * rng.standard_normal(len(cells)) - shift[words]
    catch = rng.standard_normal(CATCH) - shift[catch_words]
    blank = np.zeros(len(cells), int), np.zeros(CATCH, int)
    return signal, catch, Labels(cells, words, catch_words, *blank)


@pytest.mark.parametrize("slope,words_sd", [(1.0, 0.0), (1.0, 1.0), (0.6, 1.0), (1.5, 0.0)])
def test_slopes_are_found_within_unlike_cells_and_wordings(slope, words_sd):
    """25 listeners: the mean is right (Gaussian cells stand for two kinds of them, which costs up
    to 7 %), and the intervals hold the truth."""
    rng = np.random.default_rng(3)
    found = [roc(*scores(rng, 1 / slope, words_sd)).slope for _ in range(25)]
    assert np.mean([np.log(x.value) for x in found]) == pytest.approx(np.log(slope), abs=0.08)
    assert sum(not x.low <= slope <= x.high for x in found) <= 4


def test_pooled_over_its_cells_the_same_listener_would_be_called_unequal():
    signal, catch, labels = scores(np.random.default_rng(1))
    alike = Labels(np.zeros_like(labels.cells), *list(vars(labels).values())[1:])
    assert not roc(signal, catch, labels).caution
    assert "equal variance misleads: z-ROC slope 0." in roc(signal, catch, alike).caution


def test_only_the_order_of_the_scores_matters():
    signal, catch, labels = scores(np.random.default_rng(2), 1.4)
    plain, bent = roc(signal, catch, labels), roc(np.exp(signal), np.exp(catch), labels)
    assert bent.slope == plain.slope and bent.unequal


def test_scores_that_do_not_overlap_have_no_slope_and_say_so():
    signal, catch, labels = scores(np.random.default_rng(2))
    found = roc(signal + 50, catch, labels)
    assert not found.measurable and not found.caution and "not measurable" in found.words
    assert found.to_dict()["slope"]["value"] is None
    assert (
        roc(
            signal[:5],
            catch,
            Labels(labels.cells[:5], labels.words[:5], *list(vars(labels).values())[2:]),
        )
        is None
    )


def test_on_z_axes_the_fit_is_a_straight_line_of_the_slope_in_words():
    found = roc(*scores(np.random.default_rng(5), 1 / 0.6))
    spec = roc_value({"a": found, "without": None}, "z_roc")
    line = next(s for s in spec["series"] if s["name"] == "a: fit")
    assert np.allclose(np.diff(line["y"]) / np.diff(line["x"]), found.slope.value)
    assert str(found.slope) in spec["note"]
    assert roc_value({"without": None}) is None
