"""The presets of sequences and maskers draw, render and have their pair at any seed; their probes
plan, and observers answer them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from spectcount import presets
from spectcount.designs import draw
from spectcount.listeners.observers.dsp import DspCounter
from spectcount.listeners.observers.ideal import IdealObserver
from spectcount.pairs import draw_pair
from spectcount.probing.plan import plan_from_dict
from spectcount.synth import synthesise
from spectcount.tasks import task

FAMILIES = ("streaming", "rhythm", "onset_asynchrony", "forward_masking", "informational_masking")
SHIPPED = Path(__file__).resolve().parents[2] / "spectcount" / "presets"


def named(kind):
    files = sorted((SHIPPED / kind).glob("*.yaml"))
    return [f.stem for f in files if any(f"family: {name}\n" in f.read_text() for name in FAMILIES)]


def test_every_family_has_a_sound_and_a_probe(settings):
    for kind, of in (("stimuli", lambda b: b["family"]), ("probes", lambda b: b["plan"]["family"])):
        found = {of(presets.load(kind, name, settings).body) for name in named(kind)}
        assert found == set(FAMILIES)


@pytest.mark.parametrize("name", named("stimuli"))
def test_sounds_draw_and_render_at_twenty_seeds_in_the_demo_too(settings, name):
    preset = presets.load("stimuli", name, settings)
    asked = task(preset.body["task"])
    for seed in range(20):
        stimulus = draw(preset.design, seed)
        assert len(stimulus.events) <= 20, "what the demo allows"
        assert np.abs(synthesise(stimulus)).max() > 0.01
        if asked.two_class:
            pair = draw_pair(preset.design, seed, asked.name)
            assert tuple(asked.truth(one) for one in pair) == asked.answers


@pytest.mark.parametrize("name", named("probes"))
def test_probes_plan_and_can_be_answered(settings, name):
    plan = plan_from_dict(presets.load("probes", name, settings).body["plan"])
    small = dataclasses.replace(plan, trials=1, catch_trials=plan.catch_trials and 12)
    questions = [planned.question for planned in small.questions(0)]
    if not plan.asked.two_class:
        assert {q.truth for q in questions} == {None}
        return
    assert {q.truth for q in questions} == set(plan.asked.answers)
    some = questions[:: max(len(questions) // 10, 1)]
    ideal = IdealObserver().score(some).log_probs.argmax(axis=1)
    right = [plan.asked.answers[k] == q.truth for k, q in zip(ideal, some, strict=True)]
    assert np.mean(right) > 0.85
    assert DspCounter().score(some).log_probs.shape == (len(some), 2)
