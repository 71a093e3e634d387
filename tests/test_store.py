"""The store: runs and their states, the ledger, increments, many threads at once."""

from __future__ import annotations

import contextlib
import math
import re
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from spectcount.errors import UserError
from spectcount.stimulus import Event, Stimulus
from spectcount.store import SCHEMA_VERSION, Store, schema
from spectcount.trials import Question, make_trial


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "home" / "spectcount.sqlite")


def trial_of(n_events=1, fingerprint="f0", listener="tiny", **coords):
    events = tuple(Event(0.2 + 0.3 * i, 0.1, 1000.0, -14.0) for i in range(n_events))
    question = Question(Stimulus(2.0, events, 0.001, noise_seed=n_events), "detect")
    scores = np.log([0.75, 0.25])
    return make_trial(
        question, scores, 0.9, fingerprint=fingerprint, listener=listener, coords=coords
    )


def test_run_ids_are_short_sortable_and_typeable(store):
    runs = [store.create_run("probe", {}) for _ in range(20)]
    assert len({r.id for r in runs}) == 20
    for run in runs:
        assert re.fullmatch(r"probe-\d{4}-\d{6}-[2-9a-hjkmnp-z]{4}", run.id)
        assert run.folder == store.path.parent / "runs" / run.id
        assert run.folder.is_dir() and run.state == "queued"


def test_a_run_keeps_its_data(store):
    config = {"plan": {"kind": "map"}, "seed": np.int64(3), "rates": np.array([0.5, 1.0])}
    run = store.create_run("probe", config, {"base": "tiny"}, device="cuda:0")
    assert run.config == {"plan": {"kind": "map"}, "seed": 3, "rates": [0.5, 1.0]}
    assert (run.lineage, run.device, run.summary) == ({"base": "tiny"}, "cuda:0", None)
    store.update(run.id, summary={"d_prime": 1.5}, done=3, total=9)
    again = Store(store.path).run(run.id)
    assert (again.summary, again.done, again.total) == ({"d_prime": 1.5}, 3, 9)
    with pytest.raises(ValueError, match="no field colour"):
        store.update(run.id, colour="red")


def test_unknown_run_is_refused_with_the_nearest(store):
    run = store.create_run("probe", {})
    with pytest.raises(UserError, match=f"did you mean {run.id}"):
        store.run(run.id[:-1])
    with pytest.raises(UserError, match="list them with"):
        store.run("x")


def test_only_one_run_per_device_can_be_claimed(store):
    first, second = (store.create_run("probe", {}) for _ in range(2))
    other = store.create_run("probe", {}, device="cuda:0")
    assert store.claim(first.id)
    assert not store.claim(first.id) and not store.claim(second.id)
    assert store.claim(other.id)
    store.update(first.id, state="done")
    assert store.claim(second.id)


def test_transitions_happen_from_the_stated_states_and_attempt_only(store):
    run = store.create_run("tune", {})
    store.claim(run.id)
    started_at = store.run(run.id).started_at
    assert not store.transition(run.id, ["queued"], state="stopped")
    assert not store.transition(run.id, ["running"], started_at - 1, state="interrupted")
    assert store.transition(run.id, ["running"], started_at, state="interrupted")
    assert store.run(run.id).state == "interrupted"


def test_the_queue_is_first_in_first_out_and_a_resumed_run_goes_last(store):
    a, b = (store.create_run("tune", {}) for _ in range(2))
    assert [r.id for r in store.queue()] == [a.id, b.id]
    store.request_stop(a.id)
    assert store.run(a.id).state == "stopped"
    assert store.requeue(a.id, ["stopped"]) and not store.requeue(a.id, ["stopped"])
    assert [r.id for r in store.queue()] == [b.id, a.id]


def test_a_trial_is_stored_once_and_linked_by_each_run_with_its_own_coords(store):
    first, second = (store.create_run("probe", {}) for _ in range(2))
    store.add_trials(first.id, [trial_of(x=0, role="catch"), trial_of(2, x=1)])
    store.add_trials(second.id, [trial_of(x=5, listener="copy")])
    store.add_trials(second.id, [trial_of(x=5, listener="copy"), trial_of(x=6)])
    with sqlite3.connect(store.path) as db:
        assert db.execute("SELECT count(*) FROM trials").fetchone() == (2,)
    assert [t.coords for t in store.trials(first.id)] == [{"x": 0, "role": "catch"}, {"x": 1}]
    linked = store.trials(second.id)
    assert [(t.coords["x"], t.listener) for t in linked] == [(5, "copy"), (6, "tiny")]
    given = trial_of(x=5, listener="copy")
    for name in ("key", "truth", "answers", "log_probs", "mass", "prompt", "fingerprint"):
        assert getattr(linked[0], name) == getattr(given, name)
    assert Stimulus.from_dict(linked[0].stimulus) == Stimulus.from_dict(given.stimulus)


def test_the_ledger_knows_what_a_fingerprint_has_answered(store):
    run = store.create_run("probe", {})
    asked, other = trial_of(1), trial_of(2)
    store.add_trials(run.id, [asked])
    assert set(store.known_trials("f0", [asked.key, other.key])) == {asked.key}
    assert store.known_trials("f1", [asked.key]) == {}
    many = [f"{i:016x}" for i in range(50_000)]
    assert set(store.known_trials("f0", [*many, asked.key])) == {asked.key}


def test_readers_get_only_what_is_new(store):
    run = store.create_run("tune", {})
    row, trials = store.trials_since(run.id)
    assert (row, trials) == (0, [])
    store.add_trials(run.id, [trial_of(1)])
    row, trials = store.trials_since(run.id, row)
    assert len(trials) == 1
    store.add_trials(run.id, [trial_of(2, x=1)])
    assert [t.coords for t in store.trials_since(run.id, row)[1]] == [{"x": 1}]

    store.add_metrics(run.id, 1, {"loss": 2.0, "weak": math.nan})
    row, metrics = store.metrics_since(run.id)
    assert [(m.step, m.name) for m in metrics] == [(1, "loss"), (1, "weak")]
    assert math.isnan(metrics[1].value)
    store.add_metrics(run.id, 1, {"loss": 1.5})
    assert [m.value for m in store.metrics_since(run.id, row)[1]] == [1.5]
    assert len(store.metrics_since(run.id)[1]) == 2

    store.add_event(run.id, "one")
    row, events = store.events_since(run.id)
    store.add_event(run.id, "two")
    assert [e.message for e in events] == ["one"]
    assert [e.message for e in store.events_since(run.id, row)[1]] == ["two"]


def test_a_failed_write_leaves_nothing_behind(store):
    run = store.create_run("probe", {})
    broken = replace(trial_of(2), coords={"x": object()})
    with pytest.raises(TypeError, match="object cannot be stored as JSON"):
        store.add_trials(run.id, [trial_of(1), broken])
    assert store.trials(run.id) == []


def test_many_threads_write_at_once(store):
    run = store.create_run("tune", {})

    def write(worker):
        for step in range(25):
            store.add_metrics(run.id, step, {f"m{worker}": step})

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.metrics_since(run.id)[1]) == 200


def test_a_store_of_a_newer_release_is_refused(store):
    with sqlite3.connect(store.path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(UserError, match="newer release"):
        Store(store.path)


def test_eta_follows_the_rate_of_the_present_attempt(store):
    run = store.create_run("tune", {})
    assert run.eta_s is None
    store.claim(run.id)
    store.update(run.id, done_before=50, done=70, total=100, rate=2.0)
    assert store.run(run.id).eta_s == pytest.approx(15)


# Damage


def test_eight_processes_open_a_fresh_store_at_once(tmp_path):
    program = (
        "import sys; from pathlib import Path; from spectcount.store import Store\n"
        "sys.stdin.readline(); Store(Path(sys.argv[1])).create_run('probe', {})"
    )
    path = tmp_path / "spectcount.sqlite"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdin=subprocess.PIPE,
            text=True,
            stderr=subprocess.PIPE,
        )
        for _ in range(8)
    ]
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.communicate()[1] for worker in workers]
    assert said == [""] * 8
    assert len(Store(path).runs()) == 8


def with_runs(path, n=40):
    store = Store(path)
    runs = [store.create_run("probe", {"n": i}) for i in range(n)]
    for run in runs:
        store.add_trials(run.id, [trial_of(i) for i in range(4)])
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return [run.id for run in runs]


@pytest.mark.parametrize(
    "damage", ["no database", "empty table", "cut", "older columns", "no version"]
)
def test_a_damaged_store_is_set_aside_and_what_can_be_read_is_kept(tmp_path, damage, capsys):
    path = tmp_path / "home" / "spectcount.sqlite"
    ids = with_runs(path)
    whole = path.read_bytes()
    if damage == "no database":
        path.write_bytes(b"these are my notes " * 500)
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) * 2 // 3])
    else:
        with sqlite3.connect(path) as db:
            if damage == "empty table":
                db.execute("DROP TABLE metrics")
            if damage == "older columns":
                db.execute("ALTER TABLE runs DROP COLUMN done_before")
            if damage == "no version":
                db.execute("PRAGMA user_version = 0")
    before = path.read_bytes()
    kept = {run.id for run in Store(path).runs()}
    aside = [p for p in path.parent.glob("*.damaged-*") if not p.name.endswith(("-wal", "-shm"))]
    assert aside[0].read_bytes() == before
    assert "was damaged" in capsys.readouterr().err
    assert kept <= set(ids)
    if damage != "no database":
        assert len(kept) > (0 if damage == "cut" else 39)
    Store(path).create_run("probe", {})


def test_a_folder_in_the_place_of_the_store_is_refused(tmp_path):
    (tmp_path / "spectcount.sqlite").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        Store(tmp_path / "spectcount.sqlite")


def test_one_broken_run_does_not_hide_the_others(store):
    good, bad = store.create_run("probe", {}), store.create_run("probe", {})
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE runs SET config = '{broken', summary = '[' WHERE id = ?", (bad.id,))
    listed = {run.id: run for run in store.runs()}
    assert set(listed) == {good.id, bad.id}
    assert listed[bad.id].unreadable == ("config", "summary")
    with pytest.raises(UserError, match="is damaged: its config and summary cannot be read"):
        listed[bad.id].whole()
    with pytest.raises(UserError, match="lacks plan, listeners"):
        listed[good.id].whole()


def test_trials_of_a_later_release_are_read_without_what_they_add(store):
    run = store.create_run("probe", {})
    store.add_trials(run.id, [trial_of(1)])
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE trials SET body = json_set(body, '$.later', 1)")
    assert len(store.trials(run.id)) == 1
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE trials SET body = '[]'")
    with pytest.raises(UserError, match="a trial of the store cannot be read"):
        store.trials(run.id)


def test_a_home_that_cannot_be_written_can_be_read(tmp_path, monkeypatch):
    path = tmp_path / "spectcount.sqlite"
    ids = with_runs(path, 3)
    monkeypatch.setattr("spectcount.store.schema.writable", lambda path: False)
    store = Store(path)
    assert store.read_only and {run.id for run in store.runs()} == set(ids)
    with pytest.raises(UserError, match=r"cannot be used .*readonly"):
        store.create_run("probe", {})


def test_time_worked_adds_up_over_attempts(store):
    run = store.create_run("probe", {})
    store.claim(run.id)
    started = store.run(run.id).started_at
    store.update(run.id, state="stopped", ended_at=started + 40)
    assert store.requeue(run.id, ["stopped"])
    assert store.run(run.id).worked_s == pytest.approx(40)


def test_a_locked_store_says_that_it_is_waited_for(tmp_path, monkeypatch, capsys):
    path = tmp_path / "store.sqlite"
    Store(path)
    monkeypatch.setattr(schema, "BUSY_S", 0.5)
    monkeypatch.setattr(schema, "WAIT_SAID_S", 0.1)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        Store(path)
    assert f"waiting for the store {path}" in capsys.readouterr().err
