"""Runs of every kind with listeners that need no model, done in this process."""

from __future__ import annotations

import time
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from spectcount.jobs.context import JobContext
from spectcount.jobs.kinds import KINDS
from spectcount.report.evidence import load
from spectcount.report.figures import figures_of
from spectcount.report.page import report_html
from spectcount.settings import load_settings
from spectcount.store import Store

SHORT = {"duration_s": 1.0, "event_duration_ms": 80}


@pytest.fixture(scope="session")
def report_of():
    """`report_of(evidence)`: its report as text, and that text parsed."""

    def read(evidence):
        text = report_html(evidence, figures_of(evidence))
        return text, Outline(text)

    return read


class Outline(HTMLParser):
    """Tags with their attributes, and the text outside style."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self._quiet = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._quiet = tag == "style"

    def handle_endtag(self, tag):
        self._quiet = False

    def handle_data(self, data):
        if not self._quiet:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def attributes(self, name):
        return [found[name] for _, found in self.tags if name in found]


@pytest.fixture(scope="session")
def plans():
    """Small plans and listeners."""
    return SimpleNamespace(
        sim="sim:d=1.5,c=0.2,seed=1",
        other="sim:d=2.5,c=0,seed=2",
        keen="sim:parameter=level_dbfs,threshold=-50,width=12,seed=1",
        dull="sim:parameter=level_dbfs,threshold=-35,width=12,seed=2",
        staircase={
            "kind": "staircase",
            "parameter": "level_dbfs",
            "low": -70,
            "high": -20,
            "trials": 40,
            "design": SHORT,
        },
        quest={
            "kind": "quest",
            "parameter": "level_dbfs",
            "low": -70,
            "high": -20,
            "trials": 20,
            "condition": "frequency",
            "condition_values": "500, 2000",
            "design": SHORT,
        },
        surface={
            "kind": "surface",
            "parameter": "level_dbfs",
            "low": -70,
            "high": -20,
            "trials": 20,
            "second_low": 300,
            "second_high": 3000,
            "nodes": 4,
            "design": SHORT,
        },
        map={
            "kind": "map",
            "x": "time",
            "y": "mel_channel",
            "nx": 2,
            "ny": 3,
            "trials": 4,
            "catch_trials": 8,
            "design": SHORT,
        },
        curve={
            "kind": "curve",
            "parameter": "level_dbfs",
            "start": -60,
            "stop": -20,
            "levels": 3,
            "trials": 4,
            "catch_trials": 6,
            "design": SHORT,
        },
        confusion={
            "kind": "confusion",
            "trials": 2,
            "count_low": 0,
            "count_high": 3,
            "design": {"duration_s": 2.0},
            "draw": {"level_dbfs": [-20, -8]},
        },
        order={
            "kind": "curve",
            "family": "frequency_discrimination",
            "task": "higher",
            "parameter": "difference",
            "start": 10,
            "stop": 400,
            "levels": 2,
            "trials": 3,
            "catch_trials": 4,
        },
    )


@pytest.fixture
def make_run(settings):
    """`make_run(plan, listeners, kind, seed)`: the evidence of a finished run."""
    return maker(settings)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    """Settings and a `make_run` for results that several tests look at."""
    made = load_settings(home=tmp_path_factory.mktemp("lasting"), environ={})
    return SimpleNamespace(settings=made, make_run=maker(made))


def maker(settings):
    """What makes finished runs in a home folder."""
    store = Store(settings.database)

    def make(plan, listeners, kind="probe", seed=3, **config):
        config = {"plan": plan, "listeners": listeners, "seed": seed, **config}
        run = store.create_run(kind, config)
        store.claim(run.id)
        run = store.run(run.id)
        run.log_path.write_text("it began\n")
        summary = KINDS[kind](JobContext(run, store), settings)
        store.update(run.id, state="done", summary=summary, ended_at=time.time())
        return load(store.run(run.id), store)

    return make
