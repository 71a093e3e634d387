"""Trials: scores that are none are refused; tables that a spreadsheet opens hold no formulas."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.listeners.checkpoints.cards import Card
from spectcount.report.rows import csv_text
from spectcount.trials import Question, make_trial


@pytest.mark.parametrize(
    ("log_probs", "mass"),
    [
        ([-math.inf, -math.inf], 1.0),
        ([math.nan, 0.0], 1.0),
        ([math.inf, 0.0], 1.0),
        ([-0.1, -2.0], math.nan),
    ],
)
def test_scores_that_say_nothing_are_refused(log_probs, mass):
    question = Question(draw(Pulses(), 0), "detect")
    with pytest.raises(UserError, match="scores that are not numbers"):
        make_trial(question, np.array(log_probs), mass, fingerprint="f", listener="broken")


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx"])
def test_no_cell_begins_a_formula(name):
    row = next(csv.DictReader(io.StringIO(csv_text([{"listener": name, "score": -1.5}]))))
    assert row == {"listener": f"'{name}", "score": "-1.5"}


def test_a_card_links_to_a_page_and_to_nothing_else():
    facts = {"full_name": "X", "about": "x", "family": "x", "licence": "x", "source": "x"}
    with pytest.raises(UserError, match="is no address of a page"):
        Card.from_dict({**facts, "link": "javascript:alert(1)"})
