"""Trials: scores that are none are refused; tables that a spreadsheet opens hold no formulas."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import pickle

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.listeners.checkpoints.cards import Card
from spectcount.report.rows import csv_text, trials_csv, trials_jsonl
from spectcount.report.selection import RunTrials, Selection
from spectcount.stimulus import Event, Stimulus
from spectcount.store import Store
from spectcount.store.rows import trial_of
from spectcount.trials import Question, Trial, make_trial


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


@pytest.mark.parametrize(
    "name", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "\n=1", "  =1", "\uff1d1+1", "\ufeff=1"]
)
def test_no_cell_begins_a_formula(name):
    row = next(csv.DictReader(io.StringIO(csv_text([{"listener": name, "score": -1.5}]))))
    assert row == {"listener": f"'{name}", "score": "-1.5"}


def test_a_card_links_to_a_page_and_to_nothing_else():
    facts = {"full_name": "X", "about": "x", "family": "x", "licence": "x", "source": "x"}
    with pytest.raises(UserError, match="is no address of a page"):
        Card.from_dict({**facts, "link": "javascript:alert(1)"})


def test_a_trial_of_the_store_unpacks_its_stimulus(tmp_path):
    store = Store(tmp_path / "spectcount.sqlite")
    run = store.create_run("probe", {})
    stimulus = Stimulus(2.0, (Event(0.2, 0.1, 1000.0, -14.0),), 0.001, noise_seed=7)
    asked = make_trial(
        Question(stimulus, "detect"), np.log([0.75, 0.25]), 0.9, fingerprint="f", listener="tiny"
    )
    store.add_trials(run.id, [asked])
    (read,) = store.trials(run.id)
    assert read == asked
    assert read.stimulus == stimulus.to_dict()
    assert dataclasses.asdict(read) == dataclasses.asdict(asked)
    packed = Trial.stimulus.slot.__get__(read)
    assert isinstance(packed, bytes) and len(packed) < len(stimulus.to_json()) / 4
    assert Trial.stimulus.slot.__get__(read.changed(coords={"x": 1})) == packed
    assert pickle.loads(pickle.dumps(read)) == asked


def test_rows_are_made_one_at_a_time(tmp_path, monkeypatch):
    n_read = 0

    def counted(*args, **link):
        nonlocal n_read
        n_read += 1
        return trial_of(*args, **link)

    store = Store(tmp_path / "spectcount.sqlite")
    run = store.create_run("probe", {})
    questions = [Question(Stimulus(2.0, (), 0.001, noise_seed=k), "detect") for k in range(100)]
    scores = np.log([0.75, 0.25])
    store.add_trials(
        run.id, [make_trial(q, scores, 0.9, fingerprint="f", listener="tiny") for q in questions]
    )
    trials = Selection(RunTrials(store, run.id))
    monkeypatch.setattr("spectcount.store.trial_of", counted)
    assert json.loads(next(trials_jsonl(trials)))["key"] == questions[0].key
    assert n_read == 1
    table = list(trials_csv(trials))
    assert len(table) > 100
    assert len(list(csv.DictReader(io.StringIO("".join(table))))) == 100
