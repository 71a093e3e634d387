"""What edges give away is measured, said, and taken away by ramps or noise."""

from __future__ import annotations

import pytest

from spectcount.designs import Pulses, draw, family
from spectcount.errors import UserError
from spectcount.measure import declared_and_measured
from spectcount.measure.splatter import cautions, gap_splatter, onset_splatter
from spectcount.synth import synthesise

TONE = {"carrier_wave": "tone", "gap_ms": 20, "level_dbfs": -25, "noise_sigma": 0.003}


def splatter(**changes):
    stimulus = draw(family("gap").from_dict(TONE | changes), 0)
    return gap_splatter(stimulus, stimulus.events[0])


@pytest.mark.parametrize("f_hz,low,high", [(200, 40, 60), (500, 25, 40), (1000, 20, 30)])
def test_short_edges_of_a_gap_are_heard_elsewhere(f_hz, low, high):
    assert low < splatter(frequency_hz=f_hz, gap_ramp_ms=1) < high


def test_ramps_and_notched_noise_hide_the_edges():
    bare = splatter(frequency_hz=1000, gap_ramp_ms=1)
    assert splatter(frequency_hz=1000, gap_ramp_ms=15, noise_sigma=0.01) < 0.2
    assert splatter(frequency_hz=1000, gap_ramp_ms=1, notched_noise_dbfs=-30) < bare / 5
    with pytest.raises(UserError, match="no place around white noise"):
        family("gap")(notched_noise_dbfs=-30)


def test_the_table_and_the_cautions_tell_it():
    stimulus = draw(family("gap").from_dict(TONE | {"gap_ramp_ms": 1}), 0)
    rows = {r.quantity: r for r in declared_and_measured(stimulus, synthesise(stimulus))}
    assert rows["Splatter of the gap beyond 2 Cam"].ok is False
    assert "raise gap_ramp_ms" in cautions(stimulus)[0]
    assert cautions(draw(family("gap").from_dict({"carrier_wave": "white"}), 0)) == []


def test_a_click_is_said():
    (words,) = cautions(draw(Pulses(attack_ms=0), 0))
    assert "ramps down to 0 ms clicks" in words
    assert cautions(draw(Pulses(), 0)) == []


def test_brief_probes_need_long_ramps():
    steep, soft = (
        draw(family("forward_masking")(frequency_hz=500, ramp_ms=ms), 0) for ms in (5, 10)
    )
    assert "sound of 20 ms with ramps down to 5 ms" in cautions(steep)[0]
    assert onset_splatter(soft, soft.events[0]) < onset_splatter(steep, steep.events[0]) / 5


@pytest.mark.parametrize(
    "name,changes",
    [
        ("pulses", {"frequency_high_hz": 7600}),
        ("tone_in_noise", {"frequency_hz": 7990}),
        ("pulses", {"wave": "harmonic", "frequency_low_hz": 1900, "frequency_high_hz": 1900}),
        ("pulses", {"wave": "chirp", "frequency_low_hz": 5400, "frequency_high_hz": 5400}),
        ("streaming", {"frequency_hz": 3850, "separation_semitones": 12}),
        ("modulation", {"carrier_wave": "tone", "frequency_hz": 7400, "am_rate_hz": 200}),
    ],
)
def test_what_would_fold_back_is_refused(name, changes):
    with pytest.raises(UserError, match="7500"):
        draw(family(name).from_dict(changes), 0)
