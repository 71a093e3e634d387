"""Great runs: a poll reads no trial itself, and behind the page each trial is read once."""

from __future__ import annotations

import dataclasses
import threading
import time

import numpy as np
import pytest

from spectcount import actions
from spectcount.probing.plan import plan_from_dict
from spectcount.store import Store
from spectcount.trials import make_trial
from spectcount.ui.polling import Feed
from spectcount.ui.probe import ProbeView

N = 5_000


@pytest.fixture
def great(settings):
    """A running probe with `N` answers of one listener, and a trial to make more of."""
    store = Store(settings.database)
    body = actions.probe_plan(settings, "quick-map")
    run = store.create_run("probe", {"plan": body, "listeners": ["first"], "seed": 0})
    planned = next(plan_from_dict(body).ask(0))
    heads = [
        make_trial(
            p.question,
            np.log([0.6, 0.4]),
            1.0,
            fingerprint="first",
            listener="first",
            coords=p.coords,
        )
        for p in planned
    ]
    store.add_trials(
        run.id, (dataclasses.replace(heads[k % len(heads)], key=f"{k:016x}") for k in range(N))
    )
    store.update(run.id, state="running", total=2 * N, done=N)
    return store, run, heads[0]


def _until_drawn(view, run_id, sent, measure="d_prime"):
    """Poll as a page does until the picture is there; what the page has then."""
    end = time.monotonic() + 120
    sent = view.poll(run_id, sent, None, measure, None)[view.sent]
    while sent["figures"][-1] == "waiting" or any(b.at_work[0] for b in view.behind.values()):
        assert time.monotonic() < end
        time.sleep(0.2)
        sent = view.poll(run_id, sent, None, measure, None)[view.sent]
    return sent


def test_polls_read_no_trial_and_each_is_read_once(settings, great, monkeypatch, on_page):
    from spectcount import store as store_module

    store, run, head = great
    readers, read = [], store_module.trial_of

    def counted(body, **link):
        readers.append(threading.get_ident())
        return read(body, **link)

    monkeypatch.setattr(store_module, "trial_of", counted)
    view = on_page(ProbeView, settings, store=store)
    sent = _until_drawn(view, run.id, {})
    assert threading.get_ident() not in readers
    assert len(readers) == N
    for measure in ("d_prime", "auc"):  # a reload, and another colour
        _until_drawn(view, run.id, {}, measure)
    assert len(readers) == N
    store.add_trials(run.id, [dataclasses.replace(head, key=f"{N + k:016x}") for k in range(10)])
    store.update(run.id, state="done", done=N + 10)
    _until_drawn(view, run.id, sent)
    assert len(readers) == N + 10
    assert threading.get_ident() not in readers


def test_the_rows_in_memory_are_bounded(settings, great, monkeypatch):
    store, run, head = great
    other = store.create_run("probe", {})
    store.add_trials(other.id, [head])
    monkeypatch.setattr("spectcount.ui.polling.KEPT_ROWS", N)
    feed = Feed(store)
    assert len(feed.trials(run.id)) == N == feed.n_trials(run.id)
    assert len(feed.trials(other.id)) == 1
    assert set(feed._rows) == {("trials", other.id)}
