"""Scales: golden numbers, inverses, agreement with the model's filter bank."""

import numpy as np
import pytest

from spectcount import scales


@pytest.mark.parametrize(
    "khz,erb,cam", [(0.1, 35.49, 3.3696), (1, 132.64, 15.6214), (8, 888.21, 33.2945)]
)
def test_golden_erb(khz, erb, cam):
    assert scales.erb_hz(khz * 1000) == pytest.approx(erb, abs=0.005)
    assert scales.erb_number(khz * 1000) == pytest.approx(cam, abs=5e-5)


@pytest.mark.parametrize("hz,mel", [(440, 6.6), (1000, 15), (8000, 45.2456)])
def test_golden_slaney_mel(hz, mel):
    assert scales.hz_to_mel(hz) == pytest.approx(mel, abs=5e-5)


def test_htk_mel_is_another_scale():
    assert scales.hz_to_mel(1000.0, htk=True) == pytest.approx(2595 * np.log10(1 + 1000 / 700))


def test_scales_have_inverses():
    hz = np.array([30.0, 440.0, 999.0, 1001.0, 7990.0])
    assert scales.mel_to_hz(scales.hz_to_mel(hz)) == pytest.approx(hz)
    assert scales.mel_to_hz(scales.hz_to_mel(hz, htk=True), htk=True) == pytest.approx(hz)
    assert scales.erb_number_to_hz(scales.erb_number(hz)) == pytest.approx(hz)
    assert scales.db_to_amplitude(scales.amplitude_to_db(0.3)) == pytest.approx(0.3)
    assert scales.amplitude_to_db(0.0) == -np.inf


def test_mel_channels_are_numbered_by_their_centres():
    assert scales.mel_channel(scales.mel_centres_hz()) == pytest.approx(np.arange(128), abs=1e-3)
    assert np.sum(scales.mel_centres_hz() < 1000) == 42


def test_filters_peak_at_the_channel_centres():
    import librosa

    filters = librosa.filters.mel(sr=16000, n_fft=16384, n_mels=128)
    peaks = filters.argmax(axis=1) * 16000 / 16384
    assert peaks == pytest.approx(scales.mel_centres_hz(), abs=1.0)


def test_energy_over_noise_density():
    energy = 0.5 * 0.1**2 * 0.04
    assert scales.noise_density(0.1) == pytest.approx(2 * 0.01 / 16000)
    sigma = scales.sigma_for_e_n0(energy, 12.0)
    assert scales.e_n0_db(energy, sigma) == pytest.approx(12.0)
    assert scales.e_n0_db(energy, 0.0) == np.inf
    paper = 0.5 * 0.1**2 * (0.04 - 2 / 3 * 0.013)
    assert scales.e_n0_db(paper, 1e-3) == pytest.approx(61, abs=0.05)


def test_mel_is_that_of_librosa_to_the_bit():
    import librosa

    f_hz = np.concatenate([np.random.default_rng(0).uniform(0, 8000, 20_001), [0, 1000, 999.999]])
    for htk in (False, True):
        mel = librosa.hz_to_mel(f_hz, htk=htk)
        assert (scales.hz_to_mel(f_hz, htk) == mel).all()
        assert (scales.mel_to_hz(mel, htk) == librosa.mel_to_hz(mel, htk=htk)).all()
        assert scales.hz_to_mel(440.0, htk) == librosa.hz_to_mel(440.0, htk=htk)
