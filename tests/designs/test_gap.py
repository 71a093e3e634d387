"""The family `gap`: silence of the declared length and depth, the same sound around it, and no cue
by energy that is not declared. Measured on samples, with numpy and scipy alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from spectcount.designs import draw
from spectcount.designs.gap import Gap
from spectcount.errors import UserError
from spectcount.pairs import draw_pair
from spectcount.synth import synthesise
from tests.designs.listening import level_dbfs

CARRIERS = ("white", "band", "tone")


def waves(design, seed):
    return tuple(synthesise(one).astype(np.float64) for one in draw_pair(design, seed, "gap"))


def longest_silence(wave, below):
    """First sample and length of the longest run of samples under a bound, within the sound."""
    loud = np.flatnonzero(np.abs(wave) > below)
    steps = np.diff(loud)
    k = int(np.argmax(steps))
    return int(loud[k]) + 1, int(steps[k]) - 1


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("gap_ms", [2.0, 10.0, 150.0])
def test_the_gap_is_silence_of_the_declared_length_at_the_declared_place(carrier, gap_ms):
    design = Gap(
        carrier_wave=carrier, gap_ms=gap_ms, gap_ramp_ms=0, noise_sigma=0, gap_position=0.4
    )
    for seed in range(5):
        wave, _ = waves(design, seed)
        bound = np.std(wave[8200:12000]) * 10 ** (-120 / 20)
        start, length = longest_silence(wave, bound)
        assert length == pytest.approx(16 * gap_ms, abs=1)
        assert start + length / 2 == pytest.approx(16 * (500 + 0.4 * 600), abs=1)


def test_ramps_lie_outside_the_silence():
    design = Gap(gap_ms=10, gap_ramp_ms=4, noise_sigma=0, ramp="linear")
    wave, whole = waves(design, 3)
    middle = 16 * 800
    assert not wave[middle - 79 : middle + 79].any()
    seen = np.arange(middle - 80 - 64, middle - 80)
    expected = (middle - 80 - seen - 0.5) / 64
    assert wave[seen] == pytest.approx(whole[seen] * expected, abs=1e-6)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_counterpart_is_the_same_sound_noise_included_but_for_the_gap(carrier):
    design = Gap(
        carrier_wave=carrier,
        gap_ms=30,
        gap_ramp_ms=2,
        level_rove_db=6,
        duration_rove_ms=80,
        gap_position_rove=0.2,
    )
    for seed in range(5):
        signal, other = draw_pair(design, seed, "gap")
        wave, whole = synthesise(signal), synthesise(other)
        differ = np.flatnonzero(wave != whole)
        event = signal.events[0]
        start_ms = 1000 * event.onset_s + event.gap_onset_ms
        assert 16 * (start_ms - 2) - 1 <= differ[0] and differ[-1] <= 16 * (start_ms + 32) + 1
        whole_event = dataclasses.replace(event, gap_ms=0, gap_onset_ms=0, gap_ramp_ms=0)
        assert whole_event == other.events[0]
        assert (signal.noise_seed, signal.noise_sigma) == (other.noise_seed, other.noise_sigma)


def test_in_the_gap_the_noise_of_the_clip_goes_on():
    wave, _ = waves(Gap(gap_ms=100, noise_sigma=0.002), 1)
    inside = wave[16 * 751 : 16 * 849]
    assert np.std(inside) == pytest.approx(0.002, rel=0.1)


def test_a_tone_goes_on_with_the_phase_that_it_would_have_had():
    wave, whole = waves(Gap(carrier_wave="tone", gap_ms=13, noise_sigma=0), 0)
    assert np.array_equal(wave[16 * 810 :], whole[16 * 810 :])
    assert np.array_equal(wave[: 16 * 790], whole[: 16 * 790])


@pytest.mark.parametrize(("gap_ms", "lost_db"), [(20.0, 0.147), (120.0, 0.969)])
def test_the_gap_takes_away_the_energy_that_the_docstring_says(gap_ms, lost_db):
    found = []
    for seed in range(30):
        wave, whole = waves(Gap(gap_ms=gap_ms, gap_ramp_ms=0, ramp_ms=0, noise_sigma=0), seed)
        found.append(10 * np.log10(np.sum(whole**2) / np.sum(wave**2)))
    assert 10 * np.log10(1 / (1 - gap_ms / 600)) == pytest.approx(lost_db, abs=1e-3)
    assert np.mean(found) == pytest.approx(lost_db, abs=0.02)


def test_roves_make_level_and_length_no_cue():
    design = Gap(gap_ms=100, level_rove_db=5, duration_rove_ms=150)
    pairs = [draw_pair(design, seed, "gap") for seed in range(300)]
    levels = np.array([s.events[0].level_dbfs for s, _ in pairs])
    lengths = np.array([1000 * s.events[0].duration_s for s, _ in pairs])
    assert stats.kstest(levels, "uniform", (-25, 10)).pvalue > 1e-3
    assert stats.kstest(lengths, "uniform", (450, 300)).pvalue > 1e-3
    assert [o.events[0].level_dbfs for _, o in pairs] == list(levels)
    assert [1000 * o.events[0].duration_s for _, o in pairs] == list(lengths)
    some = [level_dbfs(synthesise(s)[8400:11000]) for s, _ in pairs[:20]]
    assert np.std(some) > 2


def test_the_place_of_the_gap_is_uniform_where_it_roves():
    design = Gap(gap_position=0.45, gap_position_rove=0.3)
    events = [draw(design, seed).events[0] for seed in range(300)]
    places = [(e.gap_onset_ms + e.gap_ms / 2) / 600 for e in events]
    assert stats.kstest(places, "uniform", (0.15, 0.6)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"gap_ms": 600},
            r"from -0\.5 to 600\.5 ms of a sound of 600 ms.*from 10 to 590 ms; short",
        ),
        ({"gap_position": 0.0}, "move it by gap_position"),
        ({"gap_position_rove": 0.5}, "move it by gap_position"),
        ({"duration_rove_ms": 590}, "of a sound of 10 ms"),
        (
            {"level_dbfs": -2, "level_rove_db": 3},
            r"level_dbfs=-2 can become 1\.00 dBFS.*limit is 0",
        ),
        ({"gap_ms": 0}, r"gap_ms=0 ms is below the limit 0\.1 ms"),
        ({"carrier_wave": "pink"}, "'pink' is not known; choose one of white, band, tone"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(values, words):
    with pytest.raises(UserError, match=words):
        Gap(**values)


def test_a_sound_longer_than_the_clip_or_a_band_below_zero_is_refused():
    with pytest.raises(UserError, match=r"ends at 2\.100 s, the clip at 2\.000 s; lengthen"):
        draw(Gap(onset_s=1.5), 0)
    with pytest.raises(UserError, match=r"reaches 0 Hz.*lower its bandwidth"):
        draw(Gap(carrier_wave="band", bandwidth_hz=2000), 0)
