"""Selections of a run's trials, read one at a time, against the same worked out in memory."""

from __future__ import annotations

import hashlib
import json

import pytest

from spectcount.report.evidence import load
from spectcount.report.selection import RunTrials, Selection
from spectcount.store import Store
from spectcount.trials import Trial, stimulus_hash


def digest_of(trials: list[Trial]) -> str:
    rows = [
        [t.listener, t.fingerprint, t.key, t.coords, t.truth, list(t.log_probs), t.mass]
        for t in trials
    ]
    texts = sorted(json.dumps(row, sort_keys=True) for row in rows)
    return hashlib.sha256(f"[{', '.join(texts)}]".encode()).hexdigest()[:16]


@pytest.fixture(scope="module")
def evidence(lasting, plans):
    """Two interleaved plans of other tasks, asked of two listeners."""
    both = {"kind": "interleaved", "plans": [plans.confusion, plans.map]}
    return lasting.make_run(both, [plans.keen, plans.sim])


def selections(evidence):
    for part in (evidence, *evidence.parts):
        yield part.trials, part.trials.part, None
        for name, trials in part.by_listener.items():
            yield trials, trials.part, name


def test_each_selection_counts_and_digests_its_own_trials(evidence):
    held = evidence.trials.run_trials.held()
    assert len({trials.digest for trials, *_ in selections(evidence)}) == 9
    for trials, part, name in selections(evidence):
        mine = [t for t in held if part in (None, t.coords["plan"]) and name in (None, t.listener)]
        tally = trials.tally
        assert [t.key for t in trials] == [t.key for t in mine]
        assert len(trials) == tally.n == len(mine)
        assert trials.digest == digest_of(mine)
        assert trials.listeners == list(dict.fromkeys(t.listener for t in mine))
        assert tally.n_questions == len({t.key for t in mine})
        assert tally.wordings == {(t.wording, t.reverse) for t in mine}
        assert tally.answers == list(dict.fromkeys(a for t in mine for a in t.answers))
        assert tally.coords == list(dict.fromkeys(c for t in mine for c in t.coords))
        assert tally.mean_mass == pytest.approx(sum(t.mass for t in mine) / len(mine))
        lengths = {t.key: t.stimulus["duration_s"] for t in mine}
        assert tally.audio_mb == pytest.approx(sum(lengths.values()) * 16_000 * 4 / 1e6)
        assert tally.clip_s == (min(lengths.values()), max(lengths.values()))
        assert dict(trials.clips()) == {stimulus_hash(t): t.stimulus for t in mine}


def test_the_example_lies_in_the_middle_of_the_signal_trials(evidence):
    for part in evidence.parts:
        signals = [t for t in part.trials if t.coords.get("role", "signal") != "catch"]
        signals.sort(key=lambda t: (t.coords.get("x", 0), t.coords.get("y", 0), t.key))
        assert part.trials.middle_signal().key == signals[len(signals) // 2].key


def test_a_report_stays_with_the_trials_that_were_there(evidence, lasting):
    """Those of a run that goes on are read several times, and more are added meanwhile."""
    store = Store(lasting.settings.database)
    run = store.create_run("probe", evidence.run.config)
    held = evidence.trials.run_trials.held()
    store.add_trials(run.id, reversed(held[:20]))
    early = load(run, store)
    store.add_trials(run.id, held[20:])
    assert [t.key for t in early.trials] == [t.key for t in reversed(held[:20])]
    assert len(early.trials) == early.trials.tally.n == 20
    assert early.trials.digest == digest_of(held[:20])
    assert Selection(RunTrials(store, run.id)).digest == evidence.trials.digest


def test_hashes_of_a_second_pass_are_those_of_the_first(evidence):
    trials = Selection(evidence.trials.run_trials)
    first = [stimulus_hash(t) for t in trials.hashed()]
    assert first == [stimulus_hash(t) for t in trials.hashed()]
    assert first == [stimulus_hash(t) for t in trials]
