"""The family `pulses`: what is declared is drawn; what cannot be is refused with the remedy."""

import numpy as np
import pytest

from spectcount.designs import FAMILIES, Pulses, draw, family, spread_centres_hz
from spectcount.designs.pulses import WAVES
from spectcount.errors import UserError
from spectcount.scales import e_n0_db, erb_number, mel_centres_hz
from spectcount.stimulus import Event
from spectcount.synth import synthesise


def gaps_ms(stimulus):
    return [
        1000 * (b.onset_s - a.offset_s)
        for a, b in zip(stimulus.events, stimulus.events[1:], strict=False)
    ]


def centres_hz(stimulus):
    return np.array([e.frequency_hz for e in stimulus.events])


def test_a_seed_gives_one_stimulus_with_its_provenance():
    design = Pulses(gap_jitter_ms=50, level_rove_db=3)
    assert draw(design, 4) == draw(design, 4)
    assert draw(design, 4) != draw(design, 5)
    assert draw(design, 4).meta == {"family": "pulses", "params": design.to_dict(), "seed": 4}
    assert family("pulses") is FAMILIES["pulses"] is Pulses
    with pytest.raises(UserError, match="family 'pulse' is not known"):
        family("pulse")


@pytest.mark.parametrize("n_events", [0, 1, 2, 10, 40])
def test_the_count_is_the_number_of_events(n_events):
    stimulus = draw(Pulses(n_events=n_events, duration_s=12), 0)
    assert len(stimulus.events) == n_events


@pytest.mark.parametrize("gap", [-60.0, 0.0, 37.5])
def test_spacing_runs_from_offset_to_onset(gap):
    stimulus = draw(Pulses(gap_ms=gap, onset_s=0.25, event_duration_ms=80), 0)
    assert gaps_ms(stimulus) == pytest.approx([gap] * 3)
    assert stimulus.events[0].onset_s == 0.25
    assert all(e.duration_s == pytest.approx(0.08) for e in stimulus.events)


def test_jitters_stay_in_their_range_and_move():
    design = Pulses(n_events=10, gap_ms=100, gap_jitter_ms=30, event_duration_jitter_ms=20)
    found = [draw(design, seed) for seed in range(30)]
    gaps = np.concatenate([gaps_ms(s) for s in found])
    durations = np.array([1000 * e.duration_s for s in found for e in s.events])
    assert 70 <= gaps.min() < 75 and 125 < gaps.max() <= 130
    assert 80 <= durations.min() < 83 and 117 < durations.max() <= 120


def test_random_placement_keeps_the_smallest_gap_and_fills_the_clip():
    design = Pulses(placement="random", n_events=8, min_gap_ms=40, event_duration_jitter_ms=60)
    found = [draw(design, seed) for seed in range(100)]
    assert min(min(gaps_ms(s)) for s in found) >= 40 - 1e-6
    onsets = np.array([e.onset_s for s in found for e in s.events])
    assert onsets.min() < 0.1 and max(s.events[-1].offset_s for s in found) > 3.9
    assert np.mean(onsets) == pytest.approx(2.0, abs=0.15)


def test_random_placement_fits_exactly_full_clips():
    design = Pulses(placement="random", n_events=5, duration_s=1, min_gap_ms=125)
    assert gaps_ms(draw(design, 0)) == pytest.approx([125] * 4)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.95, 1.0])
def test_overlap_is_equal_steps_on_the_erb_scale(overlap):
    cams = erb_number(spread_centres_hz(5, 500, 4000, overlap))
    band = erb_number(4000) - erb_number(500)
    assert np.diff(cams) == pytest.approx([(1 - overlap) * band / 4] * 4)
    assert cams.mean() == pytest.approx((erb_number(4000) + erb_number(500)) / 2)


def test_one_event_lies_on_the_bands_centre():
    middle = erb_number(centres_hz(draw(Pulses(n_events=1), 0)))
    assert middle == pytest.approx([(erb_number(400) + erb_number(3000)) / 2])


def test_orders():
    rising = centres_hz(draw(Pulses(n_events=6), 0))
    assert np.all(np.diff(rising) > 0)
    assert rising[[0, -1]] == pytest.approx([400, 3000])
    falling = centres_hz(draw(Pulses(n_events=6, frequency_order="falling"), 0))
    assert falling == pytest.approx(rising[::-1])
    shuffled = centres_hz(draw(Pulses(n_events=6, frequency_order="shuffled"), 0))
    assert np.sort(shuffled) == pytest.approx(rising)
    assert not np.array_equal(shuffled, rising)
    alternating = centres_hz(draw(Pulses(n_events=6, frequency_order="alternating"), 0))
    assert alternating == pytest.approx([400, 3000] * 3)


def test_aba_triplets_are_followed_by_a_rest():
    stimulus = draw(Pulses(n_events=6, frequency_order="aba", gap_ms=20), 0)
    assert centres_hz(stimulus) == pytest.approx([400, 3000, 400] * 2)
    assert gaps_ms(stimulus) == pytest.approx([20, 20, 140, 20, 20])


def test_random_mel_takes_channel_centres_of_the_band():
    design = Pulses(n_events=10, frequency_order="random_mel", frequency_low_hz=1000)
    found = np.concatenate([centres_hz(draw(design, seed)) for seed in range(40)])
    inside = mel_centres_hz()[(mel_centres_hz() >= 1000) & (mel_centres_hz() <= 3000)]
    assert set(found) <= set(inside)
    assert len(set(found)) > 0.9 * len(inside)


def test_level_rove_stays_in_its_range_and_moves():
    design = Pulses(n_events=10, level_dbfs=-20, level_rove_db=6)
    levels = [e.level_dbfs for seed in range(30) for e in draw(design, seed).events]
    assert -26 <= min(levels) < -25 and -15 < max(levels) <= -14


@pytest.mark.parametrize("e_n0", [-5.0, 12.0, 40.0])
def test_noise_by_energy_over_density(e_n0):
    design = Pulses(level_dbfs=-60, e_n0_db=e_n0, noise_sigma=0.2)
    stimulus = draw(design, 0)
    assert e_n0_db(stimulus.events[0].energy, stimulus.noise_sigma) == pytest.approx(e_n0, abs=1e-3)


@pytest.mark.parametrize("wave", WAVES)
def test_every_wave_is_drawn_and_rendered(wave):
    stimulus = draw(Pulses(wave=wave, frequency_high_hz=1800), 0)
    assert {e.wave for e in stimulus.events} == {wave}
    assert np.any(synthesise(stimulus))


def test_phase_is_random_unless_given():
    assert len({e.phase_deg for e in draw(Pulses(n_events=8), 0).events}) == 8
    assert {e.phase_deg for e in draw(Pulses(phase_deg=90), 0).events} == {90}


def test_catch_and_signal_share_nothing_but_what_they_declare():
    assert draw(Pulses(n_events=0), 3).events == ()
    assert isinstance(draw(Pulses(), 3).events[0], Event)


@pytest.mark.parametrize(
    "values,match",
    [
        (
            {"n_events": 40, "event_duration_ms": 50, "gap_ms": 2, "duration_s": 2, "onset_s": 0},
            r"40 events of 50 ms with gap_ms=2 .* need 2\.08 s, the clip is 2\.00 s; lower",
        ),
        ({"onset_s": 3.95}, r"need 4\.\d+ s, the clip is 4\.00 s"),
        (
            {"placement": "random", "n_events": 40, "min_gap_ms": 100},
            r"min_gap_ms=100 need 7\.90 s, the clip is 4\.00 s",
        ),
        ({"gap_ms": -100}, "puts an onset before the one it follows.*give a gap above -100 ms"),
        ({"event_duration_ms": 10}, "shorter than their ramps, 13 ms"),
        ({"event_duration_jitter_ms": 95}, "shorter than their ramps"),
        ({"level_dbfs": -2, "level_rove_db": 5}, "can exceed 0 dBFS"),
        (
            {"wave": "harmonic", "n_harmonics": 20},
            r"reaches \d+ Hz, outside 0\.\.8000 Hz \(Nyquist\)",
        ),
        (
            {"frequency_order": "random_mel", "frequency_low_hz": 7470, "frequency_high_hz": 7490},
            "no mel channel has its centre",
        ),
        ({"n_events": 41}, "n_events=41 is above the limit 40"),
    ],
)
def test_infeasible_designs_are_refused_with_the_remedy(values, match):
    with pytest.raises(UserError, match=match):
        for seed in range(20):
            draw(Pulses(**values), seed)


def test_a_band_upside_down_is_refused_on_construction():
    with pytest.raises(UserError, match="frequency_low_hz=3000 is above frequency_high_hz=400"):
        Pulses(frequency_low_hz=3000, frequency_high_hz=400)


def test_a_clipping_design_is_refused_when_rendered():
    loud = Pulses(gap_ms=-99, level_dbfs=-1, n_events=4, frequency_overlap=1, phase_deg=90)
    with pytest.raises(UserError, match="dB over full scale"):
        synthesise(draw(loud, 0))
