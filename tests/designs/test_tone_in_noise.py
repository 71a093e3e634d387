"""The family `tone_in_noise`: frequency, E/N0 and masker as declared, and the noise alone on catch
trials."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats
from scipy.signal import welch

from spectcount.designs import draw
from spectcount.designs.tone_in_noise import ToneInNoise
from spectcount.errors import UserError
from spectcount.pairs import draw_pair
from spectcount.synth import synthesise
from tests.designs.listening import FS, level_dbfs, peak_hz, runs


def cam(f_hz):
    """ERB-number, Glasberg & Moore (1990), written out here once more."""
    return 21.4 * np.log10(0.00437 * np.asarray(f_hz) + 1)


def waves(design, seed, task="detect"):
    return tuple(synthesise(one).astype(np.float64) for one in draw_pair(design, seed, task))


@pytest.mark.parametrize("f_hz", [150.0, 1000.0, 6500.0])
def test_the_tone_has_the_declared_frequency_level_and_place(f_hz):
    wave, silence = waves(ToneInNoise(noise_sigma=0, frequency_hz=f_hz, level_dbfs=-18), 0)
    ((start, stop),) = runs(wave)
    assert (start, stop) == (pytest.approx(6400, abs=2), pytest.approx(9600, abs=2))
    assert peak_hz(wave[start:stop]) == pytest.approx(f_hz, rel=1e-3)
    assert level_dbfs(wave[start + 200 : stop - 200]) == pytest.approx(-18, abs=0.1)
    assert not silence.any()


@pytest.mark.parametrize("e_n0", [0.0, 12.0, 35.0])
@pytest.mark.parametrize("length_ms", [20.0, 200.0])
@pytest.mark.parametrize("ramp", ["linear", "cosine"])
def test_energy_over_noise_density_is_as_declared(e_n0, length_ms, ramp):
    design = ToneInNoise(e_n0_db=e_n0, event_duration_ms=length_ms, ramp=ramp, noise_sigma=0.03)
    wave, noise = waves(design, 1)
    energy = np.sum((wave - noise) ** 2) / FS
    density = 2 * np.var(noise) / FS
    assert 10 * np.log10(energy / density) == pytest.approx(e_n0, abs=0.15)


def test_the_noise_is_white_and_the_same_whatever_the_level():
    designs = [ToneInNoise(e_n0_db=e, noise_sigma=0.03) for e in (0.0, 30.0)]
    noises = [waves(design, 7)[1] for design in designs]
    assert np.array_equal(*noises)
    f_hz, density = welch(noises[0], FS, nperseg=512)
    inner = (f_hz > 200) & (f_hz < 7800)
    assert np.mean(density[inner]) == pytest.approx(2 * 0.03**2 / FS, rel=0.03)
    assert np.polyfit(f_hz[inner], density[inner], 1)[0] * 8000 < 0.1 * density[inner].mean()


def test_random_frequencies_are_uniform_in_erb_number_within_the_range():
    design = ToneInNoise(frequency_hz=1200, frequency_rove_cam=6)
    hz = np.array([draw(design, seed).events[0].frequency_hz for seed in range(400)])
    assert stats.kstest(cam(hz), "uniform", (cam(1200) - 6, 12)).pvalue > 1e-3
    assert cam(hz).min() >= cam(1200) - 6 and cam(hz).max() <= cam(1200) + 6
    assert {draw(ToneInNoise(), seed).events[0].frequency_hz for seed in range(5)} == {1000.0}


def test_a_band_masks_on_both_trials_and_only_where_it_is_declared():
    design = ToneInNoise(
        noise_sigma=0,
        masker_level_dbfs=-26,
        masker_frequency_hz=3000,
        masker_bandwidth_hz=600,
        level_dbfs=-30,
    )
    wave, masker = waves(design, 2)
    assert level_dbfs(masker[400:-400]) == pytest.approx(-26, abs=0.3)
    power = np.abs(np.fft.rfft(masker * np.hanning(len(masker)))) ** 2
    hz = np.fft.rfftfreq(len(masker), 1 / FS)
    inside = (hz >= 2700) & (hz <= 3300)
    assert power[inside].sum() / power.sum() > 0.99
    ((start, stop),) = runs(wave - masker)
    assert (start, stop) == (pytest.approx(6400, abs=2), pytest.approx(9600, abs=2))
    assert peak_hz((wave - masker)[start:stop]) == pytest.approx(1000, rel=1e-3)


def test_in_two_intervals_the_tone_lies_half_a_clip_apart_in_the_same_noise():
    design = ToneInNoise(noise_sigma=0.01, level_dbfs=-20, masker_level_dbfs=-40)
    first, second = draw_pair(design, 3, "interval")
    assert dataclasses.replace(first.events[0], onset_s=1.4) == second.events[0]
    assert first.background == second.background
    noise = synthesise(first.without_events())
    ours, theirs = (synthesise(one) - noise for one in (first, second))
    assert np.abs(ours[6390:9610] - theirs[22390:25610]).max() < 1e-6


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"e_n0_db": 10, "noise_sigma": 0}, "e_n0_db=10 has no meaning with noise_sigma=0; raise"),
        (
            {"e_n0_db": 75, "noise_sigma": 0.1},
            r"makes a tone of \d+\.\d dBFS, the limit is 0; lower e_n0_db",
        ),
        (
            {"frequency_rove_cam": 15},
            r"frequencies from 16 to \d+ Hz can be drawn, the limits are 20 and 7500 Hz; lower",
        ),
        ({"frequency_hz": 7000, "frequency_rove_cam": 2}, "or move frequency_hz"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(values, words):
    with pytest.raises(UserError, match=words):
        ToneInNoise(**values)


def test_a_masker_below_zero_hertz_is_refused():
    with pytest.raises(UserError, match=r"reaches -200 Hz, outside 0\.\.8000"):
        draw(ToneInNoise(masker_level_dbfs=-30, masker_bandwidth_hz=2400), 0)
