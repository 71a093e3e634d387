"""What reads a whole run holds a bounded amount beside its trials."""

from __future__ import annotations

import sqlite3
import tracemalloc

import numpy as np

from spectcount.psychophysics.stratified import Labels, areas
from spectcount.report.rows import stimuli_jsonl, trials_csv, trials_jsonl
from spectcount.report.selection import RunTrials, Selection
from spectcount.stimulus import Event, Stimulus
from spectcount.store import _BY_KEY, MAX_ROW, Store
from spectcount.trials import Question, make_trial
from spectcount.ui.polling import Feed

N = 1500


def peak_bytes(work):
    """The most that `work` held beside what was there."""
    tracemalloc.start()
    try:
        kept = work()
        del kept
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def stored_run(path):
    store = Store(path / "spectcount.sqlite")
    run = store.create_run("probe", {})
    clips = (
        Stimulus(2.0, (Event(0.2, 0.1, 1000.0, -14.0),), 0.001, noise_seed=k) for k in range(N)
    )
    store.add_trials(
        run.id,
        (
            make_trial(
                Question(clip, "detect"),
                np.log([0.75, 0.25]),
                0.9,
                fingerprint="f",
                listener="tiny",
                coords={"x": k % 7, "y": k % 5, "role": "signal", "trial": 1000 + k},
            )
            for k, clip in enumerate(clips)
        ),
    )
    return store, run.id


def test_a_trial_of_the_store_takes_less_than_a_kilobyte(tmp_path):
    store, run_id = stored_run(tmp_path)
    assert peak_bytes(lambda: store.trials(run_id)) < 850 * N


def test_a_report_reads_trials_one_at_a_time(tmp_path):
    """Of each trial some bytes are held: hashes of clip and question, the length of the clip."""
    store, run_id = stored_run(tmp_path)
    trials = Selection(RunTrials(store, run_id))
    assert peak_bytes(lambda: trials.tally) < 60 * N
    assert peak_bytes(lambda: trials.run_trials.digests) < 60 * N
    assert peak_bytes(trials.middle_signal) < 60 * N
    for write in (trials_csv, trials_jsonl, stimuli_jsonl):
        assert peak_bytes(lambda write=write: sum(map(len, write(trials)))) < 250 * N, write


def test_trials_in_the_order_of_keys_are_walked_not_sorted(tmp_path):
    """SQLite would else sort the run, or look through all its links for each trial."""
    store, run_id = stored_run(tmp_path)
    with sqlite3.connect(store.path) as db:
        names = dict.fromkeys(("run", "last", "listener", "fingerprint", "visitor"))
        plan = db.execute(f"EXPLAIN QUERY PLAN {_BY_KEY}", names).fetchall()
    steps = " ".join(step[-1] for step in plan)
    assert "(run=? AND trial=?)" in steps and "B-TREE" not in steps
    keys = [t.key for t in store.each_trial_by_key(run_id, MAX_ROW, "tiny", "f")]
    assert keys == sorted(t.key for t in store.trials(run_id)) and len(keys) == N


def test_areas_of_a_great_run_take_no_memory_for_pairs():
    n_signal, n_catch = 40_000, 2_000
    rng = np.random.default_rng(0)
    signal, catch = rng.normal(1, 1, (1, n_signal)), rng.normal(0, 1, (1, n_catch))
    zeros = np.zeros(n_signal, int), np.zeros(n_catch, int)
    labels = Labels(zeros[0], zeros[0], zeros[1], zeros[0], zeros[1])
    held = peak_bytes(lambda: areas(signal, catch, labels))
    assert held < 100 * (n_signal + n_catch), "80 million pairs"
    assert abs(areas(signal, catch, labels).values[0] - 0.7602) < 0.01  # Phi(1 / sqrt 2)


def test_only_new_trials_are_counted(tmp_path):
    store, run_id = stored_run(tmp_path)
    feed, asked = Feed(store), []
    store.n_trials_since, count = (
        lambda run, row=0: asked.append(row) or count(run, row),
        store.n_trials_since,
    )
    assert [feed.n_trials(run_id), feed.n_trials(run_id)] == [N, N]
    assert asked[0] == 0 and asked[1] >= N, "the second look begins where the first one ended"
