"""Measuring gaps, modulation, comparisons, noises and faint tones: what is declared is found, and
another waveform than the declared one is said to differ."""

from __future__ import annotations

import numpy as np
import pytest

from spectcount.designs.duration_discrimination import DurationDiscrimination
from spectcount.designs.frequency_discrimination import FrequencyDiscrimination
from spectcount.designs.gap import Gap
from spectcount.designs.level_discrimination import LevelDiscrimination
from spectcount.designs.modulation import Modulation
from spectcount.designs.tone_in_noise import ToneInNoise
from spectcount.measure import declared_and_measured
from spectcount.measure.stretches import likeliest_stretch
from spectcount.pairs import draw_pair
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import synthesise, white_noise

LEVEL, LENGTH = ("Difference in level dB",), ("Difference in length ms",)
GAP, AM = ("Gap ms", "Depth of the gap dB"), ("Modulation rate Hz", "Modulation depth dB")
CASES = {
    "gap in noise": ("gap", Gap(gap_ms=3, level_rove_db=4), GAP),
    "long gap in noise": ("gap", Gap(gap_ms=200), GAP),
    "gap in digital silence": ("gap", Gap(noise_sigma=0), GAP),
    "gap in a band": ("gap", Gap(carrier_wave="band"), GAP),
    "gap in a tone": ("gap", Gap(carrier_wave="tone", gap_ms=8, gap_position_rove=0.2), GAP),
    "gap in strong noise": ("gap", Gap(noise_sigma=0.015), GAP),
    "modulated noise": ("modulated", Modulation(), AM),
    "fully modulated noise": ("modulated", Modulation(am_depth_db=0, am_rate_hz=30), AM),
    "modulated tone": ("modulated", Modulation(carrier_wave="tone", am_depth_db=-25), AM),
    "modulated band": ("modulated", Modulation(carrier_wave="band", am_rate_hz=250), AM),
    "frequency": (
        "higher",
        FrequencyDiscrimination(difference=3, frequency_rove_cam=4, level_rove_db=4),
        ("Difference in frequency cents", "Difference in frequency Cam", "Difference in level dB"),
    ),
    "level of tones": ("louder", LevelDiscrimination(difference_db=0.7), LEVEL),
    "level of noises": ("louder", LevelDiscrimination(carrier_wave="white"), LEVEL),
    "length of tones": ("longer", DurationDiscrimination(difference=6, level_rove_db=5), LENGTH),
    "length of noises": ("longer", DurationDiscrimination(carrier_wave="white"), LENGTH),
    "faint tone": (
        "detect",
        ToneInNoise(e_n0_db=12, frequency_rove_cam=5),
        ("E/N0 by matched filter dB",),
    ),
    "masked tone": (
        "detect",
        ToneInNoise(e_n0_db=35, masker_level_dbfs=-35),
        ("E/N0 by matched filter dB", "Masker level dBFS"),
    ),
}


def table(stimulus, wave):
    rows = declared_and_measured(stimulus, wave)
    return {f"{r.quantity} {r.unit}".strip(): r for r in rows}


@pytest.mark.parametrize("case", CASES)
def test_what_is_declared_is_measured(case):
    name, design, quantities = CASES[case]
    for seed in range(3):
        for one in draw_pair(design, seed, name):
            rows = table(one, synthesise(one))
            wrong = [q for q, r in rows.items() if r.ok is False]
            assert [q for q in wrong if not q.startswith("Splatter")] == []
        signal = draw_pair(design, seed, name)[0]
        rows = table(signal, synthesise(signal))
        assert {q: rows[q].ok for q in quantities} == dict.fromkeys(quantities, True)


WRONG = {
    "a longer gap": (Gap(), Gap(gap_ms=24), "gap", "Gap ms"),
    "no gap": (Gap(), Gap(gap_ms=0.2), "gap", "Gap ms"),
    "a gap that is not silent": (Gap(), Gap(noise_sigma=0.01), "gap", "Depth of the gap dB"),
    "a leak into digital silence": (
        Gap(noise_sigma=0),
        Gap(noise_sigma=1e-5),
        "gap",
        "Depth of the gap dB",
    ),
    "another rate": (Modulation(), Modulation(am_rate_hz=9), "modulated", "Modulation rate Hz"),
    "another depth": (Modulation(), Modulation(am_depth_db=-9), "modulated", "Modulation depth dB"),
    "another level": (Modulation(), Modulation(level_dbfs=-22), "modulated", "Levels dBFS"),
    "ten cents more": (
        FrequencyDiscrimination(),
        FrequencyDiscrimination(difference=110),
        "higher",
        "Difference in frequency cents",
    ),
    "half a decibel more": (
        LevelDiscrimination(),
        LevelDiscrimination(difference_db=6.5),
        "louder",
        "Difference in level dB",
    ),
    "five milliseconds more": (
        DurationDiscrimination(),
        DurationDiscrimination(difference=105),
        "longer",
        "Difference in length ms",
    ),
    "six decibels more": (
        ToneInNoise(e_n0_db=20),
        ToneInNoise(e_n0_db=26),
        "detect",
        "E/N0 by matched filter dB",
    ),
    "another frequency": (
        ToneInNoise(e_n0_db=20),
        ToneInNoise(e_n0_db=20, frequency_hz=1100),
        "detect",
        "E/N0 by matched filter dB",
    ),
    "a softer masker": (
        ToneInNoise(masker_level_dbfs=-30),
        ToneInNoise(masker_level_dbfs=-33),
        "detect",
        "Masker level dBFS",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_another_waveform_is_said_to_differ(case):
    declared, made, name, quantity = WRONG[case]
    signal, other = (draw_pair(design, 0, name)[0] for design in (declared, made))
    assert table(signal, synthesise(signal))[quantity].ok is True
    assert table(signal, synthesise(other))[quantity].ok is False


@pytest.mark.parametrize(
    ("design", "name", "quantity"),
    [
        (Gap(gap_ms=0.1), "gap", "Gap ms"),
        (Gap(noise_sigma=0.1), "gap", "Depth of the gap dB"),
        (Modulation(am_depth_db=-40), "modulated", "Modulation depth dB"),
        (ToneInNoise(e_n0_db=-5), "detect", "E/N0 by matched filter dB"),
        (DurationDiscrimination(noise_sigma=0.05), "longer", "Difference in length ms"),
        (Modulation(duration_s=1.0, onset_s=0), "modulated", "Noise sigma"),
    ],
)
def test_what_cannot_be_told_is_neither_right_nor_wrong(design, name, quantity):
    signal = draw_pair(design, 0, name)[0]
    row = table(signal, synthesise(signal))[quantity]
    assert (row.measured, row.ok) == ("not resolved", None)


def test_rows_come_from_the_content_and_not_from_the_family():
    gapped = Event(0.3, 0.3, 1000.0, -20.0, gap_ms=20, gap_onset_ms=100)
    rows = table(stimulus := Stimulus(1.0, (gapped,), 0.001), synthesise(stimulus))
    assert rows["Gap ms"].ok is True
    plain = Stimulus(1.0, (Event(0.3, 0.3, 1000.0, -20.0),), 0.001)
    assert not {"Gap ms", "Modulation rate Hz"} & table(plain, synthesise(plain)).keys()


def test_backgrounds_count_among_what_is_found():
    cue = Event(0.1, 0.2, 1000.0, -20.0)
    probe = Event(0.6, 0.2, 2000.0, -20.0)
    stimulus = Stimulus(1.0, (probe,), 0.001, background=(cue,))
    row = table(stimulus, synthesise(stimulus))["Events and background"]
    assert (row.declared, row.measured, row.ok) == ("2", "2", True)


def test_the_likeliest_stretch_is_the_one_of_the_other_power():
    noise = white_noise(4000, 3)
    noise[1200:1500] *= 0.1
    found = likeliest_stretch(noise**2, 0.01, 1.0)
    assert (found.start, found.stop) == (pytest.approx(1200, abs=6), pytest.approx(1500, abs=6))
    nothing = likeliest_stretch(np.ones(100), 0.01, 1.0)
    assert nothing.stop == nothing.start
