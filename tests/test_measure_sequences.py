"""Checks of sequences and maskers: they agree with what was declared, and see what was not."""

from __future__ import annotations

import pytest

from spectcount.designs import draw
from spectcount.designs.forward_masking import ForwardMasking
from spectcount.designs.informational_masking import InformationalMasking
from spectcount.designs.onset_asynchrony import OnsetAsynchrony
from spectcount.designs.pulses import Pulses
from spectcount.designs.rhythm import Rhythm
from spectcount.designs.streaming import Streaming
from spectcount.measure.sequences import (
    asynchrony_rows,
    interval_rows,
    lateness_rows,
    probe_rows,
    protected_rows,
)
from spectcount.pairs import draw_pair
from spectcount.synth import synthesise

GOOD = {
    "late B tones": (Streaming(), "jitter", lateness_rows, 1),
    "late B tones, no rests": (Streaming(pattern="abab"), "jitter", lateness_rows, 1),
    "rhythm": (Rhythm(), "jitter", interval_rows, 2),
    "asynchrony": (OnsetAsynchrony(), "order", asynchrony_rows, 2),
    "short asynchrony": (OnsetAsynchrony(asynchrony_ms=5), "order", asynchrony_rows, 2),
    "white masker": (ForwardMasking(), "detect", probe_rows, 3),
    "band masker": (ForwardMasking(masker="band", delay_ms=5), "detect", probe_rows, 3),
    "tone masker": (ForwardMasking(masker="tone", delay_ms=0), "cue", probe_rows, 3),
    "maskers": (InformationalMasking(), "cue", protected_rows, 2),
    "many maskers": (InformationalMasking(n_maskers=12), "cue", protected_rows, 2),
}


@pytest.mark.parametrize(("design", "name", "check", "n"), GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("seed", range(3))
def test_a_clip_agrees_with_its_own_stimulus(design, name, check, n, seed):
    signal, other = draw_pair(design, seed, name)
    rows = check(signal, synthesise(signal))
    assert [row.ok for row in rows] == [True] * n, rows
    assert all(row.ok is True for row in check(other, synthesise(other)))


LATE, LEADS = "High tones late by", "High tone leads by"
WRONG = {
    "B tones earlier": (Streaming(), Streaming(displacement_ms=15), lateness_rows, LATE),
    "even, not late": (Streaming(), Streaming(displacement_ms=0), lateness_rows, LATE),
    "less jitter": (Rhythm(), Rhythm(jitter_percent=8), interval_rows, "Jitter of intervals"),
    "slower": (Rhythm(), Rhythm(interval_ms=310), interval_rows, "Mean interval"),
    "later": (OnsetAsynchrony(), OnsetAsynchrony(asynchrony_ms=40), asynchrony_rows, LEADS),
    "delay": (ForwardMasking(), ForwardMasking(delay_ms=26), probe_rows, "Masker to probe"),
    "no probe there": (ForwardMasking(), ForwardMasking(delay_ms=60), probe_rows, "Probe level"),
    "masker": (ForwardMasking(), ForwardMasking(masker_level_dbfs=-23), probe_rows, "Masker level"),
    "probe": (ForwardMasking(), ForwardMasking(level_dbfs=-33), probe_rows, "Probe level"),
    "band": (
        InformationalMasking(),
        InformationalMasking(protected_cam=1),
        protected_rows,
        "Nearest masker to the cue",
    ),
}


@pytest.mark.parametrize(("declared", "made", "check", "quantity"), WRONG.values(), ids=WRONG)
def test_a_clip_of_other_parameters_is_seen(declared, made, check, quantity):
    rows = check(draw(declared, 1), synthesise(draw(made, 1)))
    assert {row.quantity: row.ok for row in rows}[quantity] is False, rows


def test_the_other_answer_of_a_pair_is_seen():
    for design, name, check in (
        (OnsetAsynchrony(), "order", asynchrony_rows),
        (Rhythm(), "jitter", interval_rows),
        (InformationalMasking(), "cue", protected_rows),
    ):
        signal, other = draw_pair(design, 0, name)
        assert False in [row.ok for row in check(signal, synthesise(other))]


def test_what_the_noise_covers_is_neither_right_nor_wrong():
    faint = draw(ForwardMasking(level_dbfs=-65, noise_sigma=0.01), 0)
    rows = {row.quantity: row for row in probe_rows(faint, synthesise(faint))}
    assert rows["Probe level"].ok is rows["Masker to probe"].ok is None
    assert rows["Probe level"].measured == "not resolved"
    lost = draw(Rhythm(level_dbfs=-70, noise_sigma=0.01), 0)
    assert {row.ok for row in interval_rows(lost, synthesise(lost))} == {None}


@pytest.mark.parametrize(
    "check", [asynchrony_rows, interval_rows, lateness_rows, probe_rows, protected_rows]
)
def test_stimuli_of_other_kinds_have_no_rows(check):
    stimulus = draw(Pulses(n_events=4), 0)
    assert check(stimulus, synthesise(stimulus)) == []
