"""Looks: a stamp changes when something did, and only then; pictures are made once, behind."""

from __future__ import annotations

import threading
import time
from collections import Counter

from spectcount import visitors
from spectcount.store import Store
from spectcount.ui.app import build_app
from spectcount.ui.behind import Behind
from spectcount.ui.pulse import look_at


def test_a_stamp_changes_with_the_chosen_run_and_no_other(settings):
    store = Store(settings.database)
    ended, running = (store.create_run("probe", {"listeners": ["m"]}) for _ in range(2))
    store.update(ended.id, state="done", done=4, total=4, ended_at=1.0)
    store.claim(running.id)
    look = look_at(store, ("probe",))
    before, live = look(ended.id)
    assert not live and look(running.id)[1]
    store.update(running.id, done=3, total=9)
    assert look(ended.id) == (before, False)
    first = look(running.id)[0]
    store.update(running.id, done=4)
    assert look(running.id)[0] != first
    store.update(running.id, state="done", ended_at=2.0)
    assert look(ended.id)[0] != before and not look(running.id)[1]


def test_without_a_choice_the_newest_is_looked_at(settings):
    store = Store(settings.database)
    look = look_at(store, ("probe", "confirm"))
    empty, live = look("")
    assert not live
    run = store.create_run("probe", {"listeners": ["m"]})
    stamp, live = look("")
    assert stamp != empty and live
    store.update(run.id, state="done", ended_at=1.0)
    again = store.create_run("confirm", {"listeners": ["m"]})
    assert look("")[0] != stamp and again.id not in str(look("")[0])


def test_a_look_of_all_runs_follows_each_of_them(settings):
    store = Store(settings.database)
    runs = [store.create_run(kind, {}) for kind in ("probe", "tune")]
    seen = [store.pace().stamp]
    for run in runs:
        store.update(run.id, done=1)
        seen.append(store.pace().stamp)
    assert len(set(seen)) == 3


def test_nobody_looks_at_what_is_not_theirs(settings):
    store = Store(settings.database)
    with visitors.acting_for("a"):
        run = store.create_run("probe", {"listeners": ["m"]})
    with visitors.acting_for("b"):
        assert store.pace(("probe",), run.id) == store.pace(("probe",), "probe-none")
        assert run.id not in str(store.pace(("probe",)).stamp)


def test_a_picture_is_made_once_for_all_who_look():
    behind, calls, gate = Behind("test"), [], threading.Event()

    def make():
        gate.wait(10)
        calls.append(1)
        return len(calls)

    gate.set()
    assert [behind.newest("view", 1, make).value for _ in range(3)] == [1, 1, 1]
    assert behind.newest("view", 2, make).value == 2 and len(calls) == 2


def test_a_page_does_not_wait_for_a_slow_picture(monkeypatch):
    from spectcount.ui import behind as module

    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    behind, gate = Behind("test"), threading.Event()
    assert behind.newest("view", 1, lambda: gate.wait(30)) is None
    assert behind.at_work[0]
    gate.set()
    end = time.monotonic() + 30
    while behind.at_work[0] and time.monotonic() < end:
        time.sleep(0.01)
    made = behind.newest("view", 1, lambda: "made anew")
    assert made is not None and made.value is True and behind.at_work == (False, 1)


def test_no_two_handlers_of_one_event_wait_for_each_other(settings):
    """The framework repeats a call that had to wait by repeating its event, with every handler
    that hears it: two such handlers would go on without end (`polling.on`)."""
    waiting = Counter(
        target
        for handler in build_app(settings).config["dependencies"]
        if handler["backend_fn"] and handler["trigger_mode"] == "always_last"
        for target in map(tuple, handler["targets"])
        if target[0] is not None and target[1] not in ("load", "then")
    )
    assert waiting and max(waiting.values()) == 1
