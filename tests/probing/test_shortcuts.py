"""One cue alone: solves what is made to be solved by it, nothing at random, no shipped plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spectcount import actions, presets
from spectcount.errors import UserError
from spectcount.listeners.observers.shortcuts import CUES, Cues, reached
from spectcount.probing import run
from spectcount.probing.plan import plan_from_dict
from spectcount.probing.shortcuts import Audit, audit_clips, clips_of, theory_of
from spectcount.tasks import task
from spectcount.training.curriculum import Sampler
from spectcount.training.options import Curriculum

SHIPPED = Path(__file__).resolve().parents[2] / "spectcount" / "presets"
PROBES = sorted(p.stem for p in (SHIPPED / "probes").glob("*.yaml"))
STIMULI = sorted(p.stem for p in (SHIPPED / "stimuli").glob("*.yaml"))
TRAINING = sorted(p.stem for p in (SHIPPED / "training").glob("*.yaml"))
NOISE = 0.05
"""How far a share of a few hundred clips may lie over the limit by chance."""
FEW = 120
"""Fewer clips tell nothing about a limit; those of adaptive plans mostly."""
MOST = {"paper": 0.6, "laptop": 0.4, "paper-frequency-axis": 0.4}
"""Training preset -> what one cue may reach. The paper's own lengths, 40 to 160 ms for each pulse
by itself, let the total sounding time count half of the clips."""


def shares(clips):
    found = audit_clips("count", clips)
    return {floor.cue: floor.rate.value for floor in found.floors}


@pytest.mark.parametrize("cue", ["sounding", "energy_ratio"])
def test_equal_events_are_counted_by_one_number(cue):
    plan = {"kind": "confusion", "trials": 25, "count_low": 2, "count_high": 5}
    ((_, clips),) = clips_of(plan_from_dict(plan), 1)
    assert shares(clips)[cue] > 0.95
    varied = plan | {
        "design": {"event_duration_jitter_ms": 15, "level_rove_db": 5},
        "draw": {"event_duration_ms": [35, 180]},
    }
    ((_, clips),) = clips_of(plan_from_dict(varied), 1)
    assert shares(clips)[cue] < 0.6


@pytest.mark.parametrize(
    "cue,family,task_name,design",
    [
        ("first_level", "level_discrimination", "louder", {"difference_db": 10}),
        ("first_length", "duration_discrimination", "longer", {}),
        ("first_pitch", "frequency_discrimination", "higher", {}),
        ("first_interval", "rhythm", "jitter", {"jitter_percent": 20}),
        ("kurtosis", "modulation", "modulated", {"am_depth_db": 0}),
    ],
)
def test_designs_without_roves_are_solved_by_one_cue(cue, family, task_name, design):
    plan = {
        "kind": "curve",
        "family": family,
        "task": task_name,
        "parameter": "level_dbfs",
        "start": -20,
        "stop": -18,
        "levels": 2,
        "trials": 40,
        "catch_trials": 80,
        "design": design,
    }
    ((part, clips),) = clips_of(plan_from_dict(plan), 2)
    found = audit_clips(task_name, clips, theory=theory_of(part))
    (floor,) = (f for f in found.floors if f.cue == cue)
    assert floor.rate.value > 0.9
    assert CUES[cue] in found.sentence and "alone answers these clips" in found.sentence


def test_the_mapping_is_not_optimistic():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(20):
        n = 200
        cues = [
            Cues(tuple(rng.normal(size=len(CUES) - 1)), tuple(rng.normal(size=12)))
            for _ in range(n)
        ]
        found.append(list(reached(cues, list(rng.permutation(["yes", "no"] * (n // 2)))).values()))
    assert np.mean(found) == pytest.approx(0.5, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBES)
def test_no_cue_answers_a_shipped_plan(settings, name):
    plan = plan_from_dict(presets.load("probes", name, settings).body["plan"])
    for part, clips in clips_of(plan, 5):
        found = audit_clips(part.task, clips, theory=theory_of(part))
        if found is not None and found.n >= FEW:
            assert_none_but_by_theory(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", STIMULI)
def test_no_cue_answers_a_shipped_pair(settings, name):
    preset = presets.load("stimuli", name, settings)
    if not task(preset.body["task"]).two_class:
        with pytest.raises(UserError, match="no signal and counterpart"):
            actions.shortcuts(settings, name)
        return
    (found,) = actions.shortcuts(settings, name, 7)
    assert_none_but_by_theory(Audit.from_dict(found))


@pytest.mark.slow
def test_the_panel_is_told_part_by_part(settings):
    audits = actions.shortcuts(settings, "embedded", 7)
    parts = [part["name"] for part in actions.panel_parts(settings, "embedded")]
    assert [one["part"] for one in audits] == [name for name in parts if name != "Silence"]
    for one in audits:
        found = Audit.from_dict(one)
        wrong = {f.cue for f in found.floors if not f.theory and f.rate.low > found.limit + NOISE}
        assert wrong <= {"sounding"}, one["part"]


def assert_none_but_by_theory(found):
    wrong = {f.cue: f.rate.value for f in found.floors if not f.theory}
    wrong = {cue: share for cue, share in wrong.items() if share > found.limit + NOISE}
    assert wrong == {}


@pytest.mark.parametrize("name", TRAINING)
def test_no_cue_solves_what_a_curriculum_draws(settings, name):
    body = presets.load("training", name, settings).body["curriculum"]
    sampler = Sampler(Curriculum(**body), [], seed=3, window_s=8.0)
    questions = [q for source in ("weak", "replay") for q in sampler.held_out(source, 150)]
    for question in questions:
        events = question.stimulus.events
        assert len({e.level_dbfs for e in events}) == len(events)
        if body["axis"] != "frequency":
            assert len({e.duration_s for e in events}) == len(events)
    found = shares([(q.stimulus, q.truth) for q in questions])
    assert max(found.values()) < MOST.get(name, MOST["paper"])
    assert found["energy_ratio"] < 0.45


def test_the_ablations_vary_what_they_must(settings):
    def clips(name):
        body = presets.load("training", name, settings).body["curriculum"]
        sampler = Sampler(Curriculum(**body), [], seed=1, window_s=10.0)
        return [sampler.question(i).stimulus for i in range(40)]

    for stimulus in clips("paper-frequency-axis"):
        assert len({(e.onset_s, e.duration_s) for e in stimulus.events}) == 1
        assert len({e.frequency_hz for e in stimulus.events}) == len(stimulus.events)
    drawn = clips("paper-time-axis")
    assert all(len({e.frequency_hz for e in s.events}) == 1 for s in drawn)
    assert len({s.events[0].frequency_hz for s in drawn}) > 15
    with pytest.raises(UserError, match=r"10 events at once .* lower level_high_dbfs to -20\.0"):
        Curriculum(axis="frequency")


def test_a_run_tells_what_one_cue_reaches(context, deaf):
    plan = {"kind": "confusion", "trials": 12, "count_low": 2, "count_high": 4}
    summary = run.execute(context({"plan": plan, "seed": 5}), {"a": deaf(9000)})
    found = Audit.from_dict(summary["shortcuts"])
    assert found.listeners == {"a": 1.0} and found.n == 36 and found.chance == pytest.approx(1 / 3)
    assert "total sounding time" in found.sentence and "right" in found.sentence
