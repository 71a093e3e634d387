"""Measuring: what was declared is found from the waveform alone, or said not to be resolved."""

import time
from dataclasses import replace

import numpy as np
import pytest

from spectcount.designs import Pulses, draw
from spectcount.measure import declared_and_measured, measure
from spectcount.scales import e_n0_db
from spectcount.stimulus import Event, Stimulus
from spectcount.synth import synthesise, white_noise

DESIGNS = {
    "default": Pulses(),
    "one": Pulses(n_events=1),
    "dense": Pulses(n_events=10, event_duration_ms=50, gap_ms=45, frequency_order="shuffled"),
    "gap of 10 ms, one frequency": Pulses(gap_ms=10, n_events=8, frequency_overlap=1),
    "overlapping in time": Pulses(gap_ms=-60, n_events=6),
    "short": Pulses(event_duration_ms=14, n_events=6, attack_ms=2, release_ms=2),
    "long": Pulses(event_duration_ms=300, gap_ms=40, n_events=10, duration_s=5),
    "quiet": Pulses(level_dbfs=-40),
    "loud, no noise": Pulses(level_dbfs=-0.5, noise_sigma=0),
    "roved": Pulses(level_dbfs=-20, level_rove_db=15, n_events=8, frequency_order="shuffled"),
    "close frequencies": Pulses(frequency_overlap=0.95, n_events=5, frequency_order="shuffled"),
    "chirps": Pulses(wave="chirp"),
    "harmonic": Pulses(wave="harmonic", frequency_high_hz=1850),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_declared_events_are_found(design, seed):
    stimulus = draw(design, seed)
    found = measure(synthesise(stimulus))
    events = stimulus.events
    assert found.resolved
    assert found.n_events == len(events)
    assert found.onsets_s == pytest.approx([e.onset_s for e in events], abs=0.003)
    assert found.offsets_s == pytest.approx([e.offset_s for e in events], abs=0.003)
    assert found.frequencies_hz == pytest.approx([e.frequency_hz for e in events], rel=0.005)
    assert found.levels_dbfs == pytest.approx([e.level_dbfs for e in events], abs=0.3)
    if stimulus.noise_sigma:
        ratios = [e_n0_db(e.energy, stimulus.noise_sigma) for e in events]
        assert found.e_n0_db == pytest.approx(ratios, abs=0.8)
        assert found.noise_sigma == pytest.approx(stimulus.noise_sigma, rel=0.05)


def test_a_chord_is_counted_by_its_tones():
    chord = Pulses(
        n_events=5,
        event_duration_ms=160,
        gap_ms=-160,
        frequency_low_hz=200,
        frequency_high_hz=7000,
        level_dbfs=-18,
        gap_jitter_ms=0,
    ).replace(gap_ms=-159.9)
    found = measure(synthesise(draw(chord, 0)))
    assert found.n_events == 5
    declared = [e.frequency_hz for e in draw(chord, 0).events]
    assert sorted(found.frequencies_hz) == pytest.approx(declared, rel=0.002)


@pytest.mark.parametrize("sigma", [1e-4, 1e-3, 0.1])
def test_noise_alone_holds_no_events(sigma):
    for seed in range(10):
        found = measure((sigma * white_noise(64000, seed)).astype(np.float32))
        assert found.n_events == 0
        assert found.noise_sigma == pytest.approx(sigma, rel=0.02)


def test_digital_silence_is_nothing():
    found = measure(np.zeros(16000, np.float32))
    assert (found.n_events, found.noise_sigma, found.peak) == (0, 0.0, 0.0)


def test_the_limit_is_where_tones_vanish():
    event = Event(0.3, 0.2, 1500.0, -10.0)
    sigma = 0.01
    limit = measure(synthesise(Stimulus(1.0, (event,), sigma))).limit_dbfs
    for level, n in ((limit + 4, 1), (limit - 8, 0)):
        clip = synthesise(Stimulus(1.0, (replace(event, level_dbfs=level),), sigma, 3))
        assert measure(clip).n_events == n


def test_noise_bands_are_said_not_to_be_resolved():
    stimulus = draw(Pulses(wave="noise", bandwidth_hz=400), 0)
    assert not measure(synthesise(stimulus)).resolved
    rows = {r.quantity: r for r in declared_and_measured(stimulus, synthesise(stimulus))}
    assert rows["Events"].measured == "not resolved"
    assert rows["Events"].ok is None


def test_measuring_knows_only_the_waveform():
    declared = draw(Pulses(), 0)
    other = draw(Pulses(n_events=2, level_dbfs=-30), 0)
    rows = {r.quantity: r for r in declared_and_measured(declared, synthesise(other))}
    assert (rows["Events"].declared, rows["Events"].measured) == ("4", "2")
    assert rows["Events"].ok is False
    assert rows["Levels"].measured == "not resolved"


def test_a_wrong_level_or_place_is_seen():
    stimulus = draw(Pulses(noise_sigma=0), 0)
    wave = synthesise(stimulus)
    softer = {r.quantity: r for r in declared_and_measured(stimulus, wave * 0.8)}
    assert softer["Levels"].ok is False and softer["First onset"].ok is True
    later = {r.quantity: r for r in declared_and_measured(stimulus, np.roll(wave, 320))}
    assert later["First onset"].ok is False and later["Levels"].ok is True


def test_the_table_agrees_on_a_design_and_shows_what_overlap_comes_to():
    stimulus = draw(Pulses(frequency_overlap=0.9, frequency_order="shuffled"), 0)
    rows = declared_and_measured(stimulus, synthesise(stimulus))
    assert all(row.ok is True for row in rows)
    apart = {r.unit: r for r in rows if r.quantity == "Neighbours apart"}
    assert set(apart) == {"Hz", "Cam", "mel channels"}
    shared = next(r for r in rows if r.quantity == "ERB shared by neighbours")
    assert float(shared.declared) == pytest.approx(1 - float(apart["Cam"].declared), abs=0.01)


def test_events_too_faint_are_neither_right_nor_wrong():
    stimulus = draw(Pulses(e_n0_db=10, level_dbfs=-40), 0)
    rows = {r.quantity: r for r in declared_and_measured(stimulus, synthesise(stimulus))}
    assert rows["Events"].ok is None and "above" in rows["Events"].measured
    assert rows["Noise sigma"].ok is True


def test_events_that_cannot_be_told_apart_are_neither_right_nor_wrong():
    stimulus = draw(Pulses(gap_ms=-50, frequency_overlap=1), 0)
    rows = {r.quantity: r for r in declared_and_measured(stimulus, synthesise(stimulus))}
    assert rows["Events"].ok is None


def test_a_clip_without_events_has_a_table_too():
    stimulus = draw(Pulses(n_events=0), 0)
    rows = {r.quantity: r for r in declared_and_measured(stimulus, synthesise(stimulus))}
    assert rows["Events"].ok is True
    assert set(rows) == {"Events", "Noise sigma", "Peak"}


def test_measuring_keeps_up_with_a_slider():
    wave = synthesise(draw(Pulses(), 0))
    measure(wave)
    spent = []
    for _ in range(15):
        start = time.thread_time()
        measure(wave)
        spent.append(time.thread_time() - start)
    assert min(spent) < 0.015
