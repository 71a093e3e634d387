"""A map's suspected regions asked about again: from the action to the fine-tune that uses them."""

from __future__ import annotations

import pytest

from spectcount import actions, jobs
from spectcount.actions.runs import weak_regions
from spectcount.errors import UserError
from spectcount.jobs.confirmations import regions_again, regions_now
from spectcount.jobs.context import JobContext
from spectcount.jobs.kinds import KINDS
from spectcount.report.reproduce import commands
from spectcount.store import Store

DEAF = "sim:d=0,c=0,seed=3"
MAP = {"kind": "map", "nx": 2, "ny": 2, "trials": 40, "catch_trials": 80}


@pytest.fixture
def store(settings, monkeypatch):
    """Runs are queued and not started."""
    monkeypatch.setattr(jobs, "tend", lambda store, settings: None)
    return Store(settings.database)


def finished(settings, store, run):
    """The run when its work was done in this process."""
    store.claim(run.id)
    context = JobContext(store.run(run.id), store)
    store.update(run.id, summary=KINDS[run.kind](context, settings), state="done")
    return store.run(run.id)


def test_suspected_regions_are_confirmed_once_and_then_taught(settings, store):
    probe = finished(settings, store, actions.start_probe(settings, MAP, DEAF, seed=4))
    suspected = weak_regions(store, probe.id, DEAF)
    assert suspected and all(region["status"] == "suspected" for region in suspected)
    assert all(region["confirmed"] is None for region in suspected)

    run = actions.start_confirm(settings, probe.id)
    with pytest.raises(UserError, match="would be a second chance"):
        actions.start_confirm(settings, probe.id, seed=9)
    run = finished(settings, store, run)
    first, second = commands(run)
    assert first.endswith("--seed 4") and "confirm RUN --trials 60 --seed 2000" in second
    assert "1 confirmed on new seeds" in run.summary["confirmation"][DEAF]
    (region,) = weak_regions(store, probe.id, DEAF)
    assert region["status"] == "confirmed" and region == weak_regions(store, run.id, DEAF)[0]
    assert region["confirmed"]["d_prime"]["low"] < 0.5
    assert region["confirmed"]["run"] == run.id
    assert [r.status for r in regions_again(store, probe)[DEAF]] == ["confirmed"]
    assert [r.status for r in regions_now(store, store.run(run.id), DEAF, pytest.fail)] == [
        "confirmed"
    ]


def test_a_fine_tune_says_that_its_regions_are_only_suspected(settings, store):
    probe = store.create_run("probe", {"plan": {"kind": "map"}, "listeners": ["tiny-lalm"]})
    region = {"ranges": {"frequency_hz": [6000.0, 7600.0]}, "sentence": "x", "status": "suspected"}
    store.update(probe.id, state="done", summary={"regions": {"tiny-lalm": [region]}})
    run = actions.start_tune(settings, {}, "tiny-lalm", weakness=probe.id)
    assert "1 of the 1 regions trained on are only suspected" in run.lineage["notes"][0]


def test_what_cannot_be_confirmed_is_refused(settings, store):
    good = "sim:d=4,c=0,seed=1"
    probe = actions.start_probe(settings, MAP, good, seed=4)
    with pytest.raises(UserError, match="is queued; wait until it has ended"):
        actions.start_confirm(settings, probe.id)
    probe = finished(settings, store, probe)
    with pytest.raises(UserError, match="has no suspected region"):
        actions.start_confirm(settings, probe.id)
    with pytest.raises(UserError, match="seed=4 is the map's own"):
        actions.start_confirm(settings, probe.id, seed=4)
    with pytest.raises(UserError, match="trials=3 for each region"):
        actions.start_confirm(settings, probe.id, trials=3)
    with pytest.raises(UserError, match="did not answer in run"):
        actions.start_confirm(settings, probe.id, "tiny-lalm")
